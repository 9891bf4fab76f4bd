//! Transactions: decoded and within every limit that holds everywhere ([`SignedTx`]), then verified under the
//! signer's key ([`VerifiedTx`]). Only the latter can reach the state machine.

mod codec;

use alloc::vec::Vec;

pub use codec::{
    charter_from_pb, charter_to_pb, entry_from_pb, entry_to_pb, join_from_pb, join_to_pb,
    open_from_accepted_pb, open_from_pb, open_to_pb, proposal_from_pb, proposal_to_pb,
};

use crate::{
    approve::Approve,
    dispute::{Complain, Reveal},
    entry::{FinishHeader, PostHeader, SignedEntry, bcast_hash, p2p_leaf},
    hash::{Hash, NetworkId, SessionId},
    kem::EncryptionKey,
    keys::{IdentityKey, Signature},
    limits::{EVIDENCE_WORK, REVEAL_WORK},
    refusal::Refusal,
    signing::{Purpose, abort_digest, decline_digest, signed_bytes},
    spec::{Spec, session_id},
    tree::filled_slot_root,
};

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Terms of the session.
    pub spec: Spec,
    /// Identity that opens it.
    pub opener: IdentityKey,
    /// Makes the id unique.
    pub nonce: [u8; 32],
    /// Board time until which it may be opened, ms.
    pub open_by_ms: u64,
    /// Proof of work that a board may ask of openers that it doesn't list: see [`stamp`](crate::stamp). Nobody signs it: two stamps of
    /// one id are one opening.
    pub stamp: u64,
}

impl Open {
    /// The session's id on `network`.
    #[must_use]
    pub fn session_id(&self, network: &NetworkId) -> SessionId {
        session_id(
            network,
            &self.opener,
            &self.nonce,
            self.open_by_ms,
            &self.spec.hash(),
        )
    }
}

/// A party's consent to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The session.
    pub session: SessionId,
    /// The party's index.
    pub index: u16,
    /// Key that others seal to; of the spec's kind.
    pub key: EncryptionKey,
}

impl Join {
    /// Digest that the party signs, and that its slot commits to.
    #[must_use]
    pub fn digest(&self) -> Hash {
        self.key.join_digest(&self.session, self.index)
    }

    /// Checks that the key is of the kind that the session's spec names.
    ///
    /// # Errors
    /// [`Refusal::OtherKem`].
    pub fn check_kem(&self, spec: &Spec) -> Result<(), Refusal> {
        let (got, expected) = (self.key.kem(), spec.kem);
        if got != expected {
            return Err(Refusal::OtherKem { got, expected });
        }
        Ok(())
    }
}

/// A post with its payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The hashed part. Its p2p root is zeros in a decoded post until the signature has been checked.
    pub header: PostHeader,
    /// For everybody; empty where there is none.
    pub broadcast: Vec<u8>,
    /// Sealed payloads, ascending by recipient, none for the author.
    pub p2p: Vec<(u16, Vec<u8>)>,
}

/// A word of leaving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// Before joining.
    Decline {
        /// Free for the protocol.
        reason: u16,
    },
    /// After joining.
    Abort {
        /// Free for the protocol.
        cause: u16,
        /// Index of the party that it is about, or [`NOBODY`](crate::limits::NOBODY).
        about: u16,
        /// Free for the protocol.
        detail: Hash,
    },
}

impl Leave {
    /// Digest that the party at `index` signs.
    #[must_use]
    pub fn digest(&self, session: &SessionId, index: u16) -> Hash {
        match self {
            Self::Decline { reason } => decline_digest(session, index, *reason),
            Self::Abort {
                cause,
                about,
                detail,
            } => abort_digest(session, index, *cause, *about, detail),
        }
    }

    const fn purpose(&self) -> Purpose {
        match self {
            Self::Decline { .. } => Purpose::Decline,
            Self::Abort { .. } => Purpose::Abort,
        }
    }
}

/// Effect that a transaction asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Opens a session.
    Open(Open),
    /// Joins a session.
    Join(Join),
    /// Leaves a session.
    Leave {
        /// The session.
        session: SessionId,
        /// The party's index.
        index: u16,
        /// Decline or abort.
        leave: Leave,
    },
    /// Posts in a round.
    Post(Post),
    /// Finishes.
    Finish(FinishHeader),
    /// Shows two entries of one slot, the smaller digest first.
    Evidence([SignedEntry; 2]),
    /// Complains about a p2p payload.
    Complain(Complain),
    /// Answers a complaint.
    Reveal(Reveal),
    /// An operator's word about the next charter.
    Approve(Approve),
}

impl Action {
    /// Cost to those who check it, in units of about one signature. It follows from the transaction alone, so that a block's is
    /// known before any of it is checked.
    #[must_use]
    pub fn work(&self) -> u32 {
        match self {
            Self::Open(open) => 1 + u32::from(open.spec.parties()),
            Self::Join(_) | Self::Leave { .. } | Self::Post(_) | Self::Finish(_) => 1,
            Self::Evidence(_) | Self::Complain(_) => EVIDENCE_WORK,
            Self::Reveal(_) => REVEAL_WORK,
            Self::Approve(approve) => approve.work(),
        }
    }

    /// Whether it is a join, a post, a finish or a reveal: what sessions in last call wait for.
    #[must_use]
    pub const fn is_entry_or_reveal(&self) -> bool {
        matches!(
            self,
            Self::Join(_) | Self::Post(_) | Self::Finish(_) | Self::Reveal(_)
        )
    }

    /// The session and the index in its roster of whoever has to have signed; `None` for what opens a session or is of none.
    #[must_use]
    pub const fn author(&self) -> Option<(SessionId, u16)> {
        Some(match self {
            Self::Open(_) | Self::Approve(_) => return None,
            Self::Join(join) => (join.session, join.index),
            Self::Leave { session, index, .. } => (*session, *index),
            Self::Post(post) => (post.header.session, post.header.index),
            Self::Finish(finish) => (finish.session, finish.index),
            Self::Evidence([first, _]) => {
                let (session, _, index) = first.entry.slot();
                (session, index)
            }
            Self::Complain(complain) => (complain.post.session, complain.index),
            Self::Reveal(reveal) => (reveal.session, reveal.index),
        })
    }
}

/// A decoded transaction whose signature hasn't been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTx {
    action: Action,
    /// Unused for evidence, whose entries bring their own.
    signature: Signature,
    bytes: u32,
}

/// A decoded transaction whose roster, if it opens a session, may hold anything for keys: to check a thousand of them costs
/// far more than everything else about a transaction. What is cheaper can be asked first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncheckedTx(SignedTx);

/// A transaction whose signature is the named key's, for the named network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTx {
    tx: SignedTx,
    signer: IdentityKey,
    network: NetworkId,
}

impl VerifiedTx {
    /// Its action.
    #[must_use]
    pub const fn action(&self) -> &Action {
        &self.tx.action
    }

    /// The key whose signature was checked: the opener's, the author's, or that of the party that the evidence is about.
    #[must_use]
    pub const fn signer(&self) -> &IdentityKey {
        &self.signer
    }

    /// The network that the signature is for.
    #[must_use]
    pub const fn network(&self) -> &NetworkId {
        &self.network
    }

    /// The checked signature.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.tx.signature
    }

    /// Its size in a block, bytes.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.tx.bytes
    }

    /// Its work: see [`Action::work`].
    #[must_use]
    pub fn work(&self) -> u32 {
        self.tx.action.work()
    }

    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.tx.encode()
    }
}

impl UncheckedTx {
    /// Decodes a transaction, but for the keys of a roster.
    ///
    /// # Errors
    /// A [`Refusal`] of the first group. Sizes are checked before anything is decoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let (action, signature) = codec::decode(bytes)?;
        Ok(Self(SignedTx {
            action,
            signature,
            bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        }))
    }

    /// The opening, if that is what it is. The opener's key is good; the roster's are only 32 bytes each, and different.
    #[must_use]
    pub const fn opening(&self) -> Option<&Open> {
        match &self.0.action {
            Action::Open(open) => Some(open),
            _ => None,
        }
    }

    /// An operator's word, if that is what it is. Nothing of its charter is checked.
    #[must_use]
    pub const fn approval(&self) -> Option<&Approve> {
        match &self.0.action {
            Action::Approve(approve) => Some(approve),
            _ => None,
        }
    }

    /// Its work, before anything of it is checked: see [`Action::work`].
    #[must_use]
    pub fn work(&self) -> u32 {
        self.0.action.work()
    }

    /// Its size in a block, bytes.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.0.bytes
    }

    /// Whether an opening is signed by its opener, for `network`; true of everything else.
    #[must_use]
    pub fn is_signed_by_opener(&self, network: &NetworkId) -> bool {
        self.opening().is_none_or(|open| {
            let digest = Hash(open.session_id(network).0);
            let message = signed_bytes(Purpose::Open, network, &digest);
            open.opener.verify(&message, &self.0.signature)
        })
    }

    /// Checks the keys of a roster, but for those that `is_known` to be good.
    ///
    /// # Errors
    /// [`Refusal::Key`].
    pub fn check_keys(
        self,
        mut is_known: impl FnMut(&[u8; 32]) -> bool,
    ) -> Result<SignedTx, Refusal> {
        if let Some(open) = self.opening() {
            codec::check_roster(&open.spec, |key| {
                if is_known(key.as_bytes()) {
                    return Ok(());
                }
                key.check()
            })?;
        }
        Ok(self.0)
    }
}

impl SignedTx {
    /// Puts a transaction together.
    ///
    /// # Errors
    /// A [`Refusal`] of the first group when a field is outside its range or the whole is too large.
    pub fn new(action: Action, signature: Signature) -> Result<Self, Refusal> {
        // One way in: what is built here passes the same checks as what comes from outside.
        Self::decode(&codec::encode(&action, &signature))
    }

    /// Decodes a transaction.
    ///
    /// # Errors
    /// A [`Refusal`] of the first group. Sizes are checked before anything is decoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        UncheckedTx::decode(bytes)?.check_keys(|_| false)
    }

    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&self.action, &self.signature)
    }

    /// Its action, as long as nobody has checked who says so.
    #[must_use]
    pub const fn unverified_action(&self) -> &Action {
        &self.action
    }

    /// Its size in a block, bytes.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Checks the signature of `signer`, who belongs to a roster of `parties` (which only posts and complaints need: a p2p
    /// root is over that many leaves).
    ///
    /// # Errors
    /// [`Refusal::BadSignature`] names the key that should have signed; [`Refusal::NotInRoster`] a recipient;
    /// [`Refusal::NoComplaint`] a payload that isn't in the post.
    pub fn verify(
        mut self,
        signer: &IdentityKey,
        parties: u16,
        network: &NetworkId,
    ) -> Result<VerifiedTx, Refusal> {
        match &mut self.action {
            Action::Post(post) => post.set_roster_size(parties)?,
            Action::Complain(complain) => complain.check_path(parties)?,
            _ => {}
        }
        let good = match signed_part(&self.action, network) {
            SignedPart::Digest(purpose, digest) => {
                signer.verify(&signed_bytes(purpose, network, &digest), &self.signature)
            }
            SignedPart::Entries(entries) => entries
                .iter()
                .all(|entry| entry.is_signed_by(signer, network)),
        };
        if !good {
            return Err(Refusal::BadSignature {
                key: Hash(*signer.as_bytes()),
            });
        }
        Ok(VerifiedTx {
            tx: self,
            signer: *signer,
            network: *network,
        })
    }
}

/// Part of a transaction that its signature is over.
enum SignedPart<'a> {
    Digest(Purpose, Hash),
    Entries(&'a [SignedEntry; 2]),
}

fn signed_part<'a>(action: &'a Action, network: &NetworkId) -> SignedPart<'a> {
    match action {
        Action::Open(open) => SignedPart::Digest(Purpose::Open, Hash(open.session_id(network).0)),
        Action::Join(join) => SignedPart::Digest(Purpose::Join, join.digest()),
        Action::Leave {
            session,
            index,
            leave,
        } => SignedPart::Digest(leave.purpose(), leave.digest(session, *index)),
        Action::Post(post) => SignedPart::Digest(Purpose::Post, post.header.digest()),
        Action::Finish(finish) => SignedPart::Digest(Purpose::Finish, finish.digest()),
        Action::Evidence(entries) => SignedPart::Entries(entries),
        Action::Complain(complain) => SignedPart::Digest(Purpose::Complain, complain.digest()),
        Action::Reveal(reveal) => SignedPart::Digest(Purpose::Reveal, reveal.digest()),
        Action::Approve(approve) => SignedPart::Digest(Purpose::Approve, approve.digest()),
    }
}

/// The bytes that the author of `action` signs; `None` for evidence, which nobody signs.
#[must_use]
pub fn bytes_to_sign(action: &Action, network: &NetworkId) -> Option<Vec<u8>> {
    match signed_part(action, network) {
        SignedPart::Digest(purpose, digest) => Some(signed_bytes(purpose, network, &digest)),
        SignedPart::Entries(_) => None,
    }
}

impl Post {
    /// Puts a post together; `p2p` may come in any order.
    #[must_use]
    pub fn new(
        session: SessionId,
        round: u32,
        (index, parties): (u16, u16),
        transcript: Hash,
        broadcast: Vec<u8>,
        mut p2p: Vec<(u16, Vec<u8>)>,
    ) -> Self {
        p2p.sort_unstable_by_key(|(to, _)| *to);
        let header = PostHeader {
            session,
            round,
            index,
            transcript,
            bcast_hash: bcast_hash(&broadcast),
            bcast_len: u32::try_from(broadcast.len()).unwrap_or(u32::MAX),
            p2p_root: p2p_root(&p2p, parties),
            p2p_bytes: p2p_bytes(&p2p),
        };
        Self {
            header,
            broadcast,
            p2p,
        }
    }

    /// The leaves of its p2p tree in a roster of `parties`.
    #[must_use]
    pub fn p2p_leaves(&self, parties: u16) -> Vec<Hash> {
        p2p_leaves(&self.p2p, parties)
    }

    /// Computes the p2p root over a roster of `parties`, which a decoded post doesn't know.
    fn set_roster_size(&mut self, parties: u16) -> Result<(), Refusal> {
        match self.p2p.last() {
            Some((index, _)) if *index >= parties => Err(Refusal::NotInRoster {
                index: *index,
                parties,
            }),
            _ => {
                self.header.p2p_root = p2p_root(&self.p2p, parties);
                Ok(())
            }
        }
    }
}

fn p2p_root(p2p: &[(u16, Vec<u8>)], parties: u16) -> Hash {
    let leaves = p2p.iter().map(|(to, sealed)| (*to, p2p_leaf(sealed)));
    filled_slot_root(parties, leaves)
}

fn p2p_leaves(p2p: &[(u16, Vec<u8>)], parties: u16) -> Vec<Hash> {
    let mut rest = p2p.iter().peekable();
    (0..parties)
        .map(|index| {
            rest.next_if(|(to, _)| *to == index)
                .map_or(Hash::ZERO, |(_, ciphertext)| p2p_leaf(ciphertext))
        })
        .collect()
}

fn p2p_bytes(p2p: &[(u16, Vec<u8>)]) -> u32 {
    p2p.iter().fold(0, |sum: u32, (_, ciphertext)| {
        sum.saturating_add(u32::try_from(ciphertext.len()).unwrap_or(u32::MAX))
    })
}
