//! Why something isn't believed, and the one thing that is worse: two histories that are both signed.

use white_city_wire::pb;

use crate::{
    genesis::GenesisError,
    read::Lie,
    receipt::{BadReceipt, Receipt},
    trust::{BadHeader, Trust, VerifiedHeader},
};

/// Why something isn't believed: whichever of the checks refused it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The genesis isn't one.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The header isn't one of the network.
    #[error("header: {0}")]
    Header(#[from] BadHeader),
    /// The answer can't be true.
    #[error("answer: {0}")]
    Answer(#[from] Lie),
    /// The receipt proves nothing.
    #[error("receipt: {0}")]
    Receipt(#[from] BadReceipt),
}

/// Two histories, both signed by the network's validators.
#[derive(Clone, PartialEq, Eq)]
pub struct Fork {
    /// The difference between them, in words.
    pub what: String,
    /// The proof, which convinces anybody who has the genesis; `None` where there is none that convinces somebody else.
    pub proof: Option<pb::ForkReceipt>,
}

impl Fork {
    /// Two histories that differ in `what`. The first of these proofs that verifies goes with it, and none that doesn't.
    #[must_use]
    pub fn new(
        what: String,
        proofs: impl IntoIterator<Item = pb::fork_receipt::Fork>,
        trust: &Trust,
    ) -> Self {
        let mut proofs = proofs
            .into_iter()
            .map(|fork| pb::ForkReceipt { fork: Some(fork) });
        let verifies = |proof: &pb::ForkReceipt| {
            let receipt = Receipt::new(trust, pb::receipt::Body::Fork(proof.clone()));
            receipt.verify(trust).is_ok()
        };
        Self {
            what,
            proof: proofs.find(verifies),
        }
    }

    /// Two histories, in each of which the validators have signed one of these headers.
    #[must_use]
    pub fn of_headers(what: String, headers: [&VerifiedHeader; 2], trust: &Trust) -> Self {
        let [first, second] = headers.map(VerifiedHeader::encode);
        let headers = pb::HeaderFork { first, second };
        Self::new(what, [pb::fork_receipt::Fork::Headers(headers)], trust)
    }

    /// The proof as a file that convinces anybody who has the genesis, if there is one.
    #[must_use]
    pub fn receipt(&self, trust: &Trust) -> Option<Receipt> {
        let proof = self.proof.clone()?;
        Some(Receipt::new(trust, pb::receipt::Body::Fork(proof)))
    }
}

impl std::fmt::Debug for Fork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Fork").field(&self.what).finish()
    }
}

impl std::fmt::Display for Fork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "fork: more than a third of the replicas have signed {}; {}",
            self.what,
            match &self.proof {
                Some(_) => "keep the proof",
                None => "there is no proof of it that convinces others",
            }
        )
    }
}
