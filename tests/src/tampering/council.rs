//! Validators whose keys are at hand.

use ed25519_dalek::{Signer as _, SigningKey};
use tendermint::{
    Hash, PublicKey, Signature, Vote, account,
    block::{self, Commit, CommitSig, Header, Height, Round, signed_header::SignedHeader},
    validator, vote,
};

/// Validators whose keys are at hand: those of a network in a test, or strangers.
pub struct Council {
    keys: Vec<SigningKey>,
    set: validator::Set,
}

impl Council {
    /// Validators of power 10 with keys from seeds.
    ///
    /// # Panics
    /// Never: every Ed25519 secret has a good public key.
    #[must_use]
    pub fn new(seeds: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let mut keys: Vec<SigningKey> = seeds
            .into_iter()
            .map(|seed| SigningKey::from_bytes(&seed))
            .collect();
        let infos = keys
            .iter()
            .map(|key| validator::Info::new(public(key), vote::Power::from(10_u32)));
        let set = validator::Set::without_proposer(infos.collect());
        // Commits list the votes in the order of the set.
        let place = |key: &SigningKey| {
            let address = account::Id::from(public(key));
            set.validators()
                .iter()
                .position(|info| info.address == address)
        };
        keys.sort_by_key(place);
        Self { keys, set }
    }

    /// Their public keys, in the order of the set.
    #[must_use]
    pub fn keys(&self) -> Vec<[u8; 32]> {
        self.keys
            .iter()
            .map(|key| key.verifying_key().to_bytes())
            .collect()
    }

    /// Their addresses, in the order of the set.
    #[must_use]
    pub fn addresses(&self) -> Vec<[u8; 20]> {
        let addresses = self.set.validators().iter();
        let addresses = addresses.map(|info| info.address.as_bytes().try_into());
        addresses.flatten().collect()
    }

    /// The hash of the set.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.set.hash()
    }

    /// The header under the votes of the first `votes` of them; the others were absent.
    ///
    /// # Panics
    /// When there are more validators than an engine takes.
    #[must_use]
    pub fn sign(&self, header: Header, votes: usize) -> SignedHeader {
        let height = header.height;
        self.sign_at(header, votes, height)
    }

    /// As [`Council::sign`], in a commit of any height.
    ///
    /// # Panics
    /// When there are more validators than an engine takes.
    #[must_use]
    pub fn sign_at(&self, header: Header, votes: usize, height: Height) -> SignedHeader {
        let ballots: Vec<Ballot> = (0..self.keys.len())
            .map(|at| match at < votes {
                true => Ballot::Block,
                false => Ballot::Absent,
            })
            .collect();
        self.commit(header, (height, Round::default()), &ballots)
    }

    /// The header under these votes, one for each validator, in a commit of any height and consensus round.
    ///
    /// # Panics
    /// When there are more validators than an engine takes.
    #[must_use]
    pub fn commit(
        &self,
        header: Header,
        (height, round): (Height, Round),
        ballots: &[Ballot],
    ) -> SignedHeader {
        let block_id = block::Id {
            hash: header.hash(),
            part_set_header: header.last_block_id.unwrap_or_default().part_set_header,
        };
        let votes = (0_u32..).zip(&self.keys).zip(ballots);
        let signatures = votes.map(|((index, key), ballot)| {
            let validator_address = account::Id::from(public(key));
            let vote = Vote {
                vote_type: vote::Type::Precommit,
                height,
                round,
                block_id: (!ballot.is_nil()).then_some(block_id),
                timestamp: Some(header.time),
                validator_address,
                validator_index: vote::ValidatorIndex::try_from(index).expect("few validators"),
                signature: None,
                extension: Vec::new(),
                extension_signature: None,
            };
            let bytes = vote.into_signable_vec(header.chain_id.clone());
            let mut signed = key.sign(&bytes).to_bytes();
            if matches!(ballot, Ballot::ForgedBlock | Ballot::ForgedNil) {
                signed[40] ^= 1;
            }
            let (timestamp, signature) = (header.time, signature(&signed));
            match ballot {
                Ballot::Absent => CommitSig::BlockIdFlagAbsent,
                Ballot::Block | Ballot::ForgedBlock => CommitSig::BlockIdFlagCommit {
                    validator_address,
                    timestamp,
                    signature,
                },
                Ballot::Nil | Ballot::ForgedNil => CommitSig::BlockIdFlagNil {
                    validator_address,
                    timestamp,
                    signature,
                },
            }
        });
        let commit = Commit {
            height: header.height,
            round,
            block_id,
            signatures: signatures.collect(),
        };
        let mut signed = SignedHeader::new(header, commit).expect("a header and its commit");
        signed.commit.height = height;
        signed
    }
}

/// Content of a commit in one validator's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ballot {
    /// Its vote for the block.
    Block,
    /// Its vote for no block.
    Nil,
    /// Nothing.
    Absent,
    /// A vote for the block that it hasn't signed.
    ForgedBlock,
    /// A vote for no block that it hasn't signed.
    ForgedNil,
}

impl Ballot {
    const fn is_nil(self) -> bool {
        matches!(self, Self::Nil | Self::ForgedNil)
    }
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_raw_ed25519(&key.verifying_key().to_bytes())
        .expect("the key of a secret scalar")
}

pub(super) fn signature(bytes: &[u8]) -> Option<Signature> {
    Signature::new(bytes).ok().flatten()
}
