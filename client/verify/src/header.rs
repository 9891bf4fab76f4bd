//! Headers, and the signatures of the validators below them.

use serde_json::Value;
use tendermint::{
    Hash as TendermintHash,
    block::{CommitSig, signed_header::SignedHeader},
    trust_threshold::{TrustThreshold as _, TrustThresholdFraction as TrustThreshold},
    validator, vote,
};
use tendermint_light_client_verifier::{
    errors::VerificationError,
    operations::{ProdCommitValidator, ProvidedVotingPowerCalculator, VotingPowerCalculator},
    predicates::VerificationPredicates,
};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as RawSignedHeader};
use white_city_wire::{Hash, seal::BlockTime};

use crate::{
    base64_fields::are_base64,
    votes::{Predicates, Votes},
};

/// Largest signed header that is read, bytes: one of 256 validators has some 30 000.
pub const SIGNED_HEADER_BYTES_MAX: usize = 1 << 18;

/// A header that more than two thirds of the validators of an era have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHeader {
    signed: SignedHeader,
    hash: Hash,
    data_hash: Hash,
    time: BlockTime,
}

/// Why a header isn't one of the network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadHeader {
    /// Not the bytes of a signed header.
    #[error("not a signed header: {0}")]
    Malformed(String),
    /// A header of another chain.
    #[error("a header of the chain {0}")]
    Chain(String),
    /// A set of validators that isn't known: of another network, or of an era whose link is missing.
    #[error(
        "its {field} isn't that of the validators of era {era}, the newest one that is known: the links since then are needed"
    )]
    Ahead {
        /// The field's name.
        field: &'static str,
        /// Number of the newest known era.
        era: u32,
    },
    /// A set of validators that isn't its era's.
    #[error("its {field} isn't that of its era's validators")]
    Validators {
        /// The field's name.
        field: &'static str,
    },
    /// A header before the first one, or without what every header has.
    #[error("its {field} is {got}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// The value that it has.
        got: String,
    },
    /// A commit that is for something else, or that too few have signed.
    #[error("its commit doesn't verify: {0}")]
    Commit(String),
}

impl BadHeader {
    /// Whether the header says itself that it is of another network: then rather the genesis is the wrong one than the header.
    #[must_use]
    pub const fn is_of_another_network(&self) -> bool {
        matches!(
            self,
            Self::Chain(_) | Self::Validators { .. } | Self::Ahead { .. }
        )
    }

    /// Whether it may be of an era whose link isn't known.
    #[must_use]
    pub const fn is_ahead(&self) -> bool {
        matches!(self, Self::Ahead { .. })
    }
}

/// Reads a signed header, which nobody has checked.
pub(crate) fn decode(bytes: &[u8]) -> Result<SignedHeader, BadHeader> {
    if bytes.len() > SIGNED_HEADER_BYTES_MAX {
        let text = format!(
            "{} bytes, at most {SIGNED_HEADER_BYTES_MAX} are read",
            bytes.len()
        );
        return Err(BadHeader::Malformed(text));
    }
    let signed = <SignedHeader as Protobuf<RawSignedHeader>>::decode(bytes);
    signed.map_err(|error| BadHeader::Malformed(error.to_string()))
}

/// Reads a signed header as the engine's RPC answers with it, which nobody has checked.
pub(crate) fn decode_json(answer: &[u8]) -> Result<SignedHeader, BadHeader> {
    let malformed = |text: &str| BadHeader::Malformed(text.into());
    if answer.len() > SIGNED_HEADER_BYTES_MAX {
        return Err(malformed("an answer larger than a header can be"));
    }
    let mut answer: Value =
        serde_json::from_slice(answer).map_err(|error| malformed(&error.to_string()))?;
    let signed = answer.pointer_mut("/result/signed_header");
    let signed = signed.ok_or_else(|| malformed("an answer without one"))?;
    if !are_base64(signed, "signature") {
        return Err(malformed("a signature that isn't base64"));
    }
    serde_json::from_value(signed.take()).map_err(|error| malformed(&error.to_string()))
}

/// Every vote is checked, not only as many as are needed: whoever has signed may be named for it.
fn check_commit(signed: &SignedHeader, validators: &validator::Set) -> Result<(), BadHeader> {
    let bad = |error: VerificationError| BadHeader::Commit(reason(&error));
    Predicates
        .header_matches_commit(&signed.header, signed.commit.block_id.hash)
        .map_err(bad)?;
    Predicates
        .valid_commit(signed, validators, &ProdCommitValidator)
        .map_err(bad)?;
    // No vote is enough for more than all, so that none is left out.
    let all = TrustThreshold::new(1, 1).map_err(|_| BadHeader::Commit("no threshold".into()))?;
    let tally = ProvidedVotingPowerCalculator::new(Votes)
        .voting_power_in(signed, validators, all)
        .map_err(bad)?;
    if !TrustThreshold::TWO_THIRDS.is_enough_power(tally.tallied, tally.total) {
        let text = "no more than two thirds have signed it";
        return Err(BadHeader::Commit(text.into()));
    }
    let votes = signed.commit.signatures.iter();
    let places = votes.zip(validators.validators());
    places
        .into_iter()
        .zip(0..)
        .try_for_each(|((vote, validator), place)| check_place(signed, vote, validator, place))
}

/// Checks what counts for nothing: that a vote is in its validator's place, and that a vote for no block is signed.
fn check_place(
    signed: &SignedHeader,
    vote: &CommitSig,
    validator: &validator::Info,
    place: u32,
) -> Result<(), BadHeader> {
    let bad = |text: &str| BadHeader::Commit(text.into());
    let (address, nil) = match vote {
        CommitSig::BlockIdFlagAbsent => return Ok(()),
        CommitSig::BlockIdFlagCommit {
            validator_address, ..
        } => (*validator_address, None),
        CommitSig::BlockIdFlagNil {
            validator_address,
            timestamp,
            signature,
        } => (*validator_address, Some((*timestamp, signature.clone()))),
    };
    if address != validator.address {
        return Err(bad("a vote in another validator's place"));
    }
    let Some((timestamp, signature)) = nil else {
        return Ok(());
    };
    let forged = || bad("a vote whose signature isn't its validator's");
    let vote = vote::Vote {
        vote_type: vote::Type::Precommit,
        height: signed.commit.height,
        round: signed.commit.round,
        block_id: None,
        timestamp: Some(timestamp),
        validator_address: address,
        validator_index: vote::ValidatorIndex::try_from(place).map_err(|_| forged())?,
        signature,
        extension: Vec::new(),
        extension_signature: None,
    };
    let vote = vote::SignedVote::from_vote(vote, signed.header.chain_id.clone());
    let vote = vote.ok_or_else(forged)?;
    validator
        .verify_signature(&Votes, &vote.sign_bytes(), vote.signature())
        .map_err(|_| forged())
}

impl VerifiedHeader {
    /// Checks the signatures below a header, and that it has what every header has.
    pub(crate) fn new(
        signed: SignedHeader,
        validators: &validator::Set,
    ) -> Result<Self, BadHeader> {
        check_commit(&signed, validators)?;
        let missing = |field| BadHeader::Field {
            field,
            got: "missing".into(),
        };
        let data_hash = signed.header.data_hash.and_then(hash_of);
        let data_hash = data_hash.ok_or_else(|| missing("data_hash"))?;
        // That it is this header's hash was checked with the commit.
        let hash = hash_of(signed.commit.block_id.hash).ok_or_else(|| missing("hash"))?;
        Ok(Self {
            hash,
            data_hash,
            time: time_of(signed.header.time),
            signed,
        })
    }

    pub(crate) const fn signed(&self) -> &SignedHeader {
        &self.signed
    }

    /// The block's height.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.signed.header.height.value()
    }

    /// Number of the rules that the block was made by.
    #[must_use]
    pub const fn protocol(&self) -> u64 {
        self.signed.header.version.app
    }

    /// The block's hash.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether the other header's block is this one, or may be of one chain with it as far as the two tell: the one that
    /// follows names the one before it.
    #[must_use]
    pub fn is_of_one_chain_with(&self, other: &Self) -> bool {
        let names = |after: &Self, before: &Self| {
            let parent = after.signed.header.last_block_id;
            parent.and_then(|id| hash_of(id.hash)) == Some(before.hash)
        };
        match (self.height(), other.height()) {
            (one, two) if one == two => self.hash == other.hash,
            (one, two) if one.checked_add(1) == Some(two) => names(other, self),
            (one, two) if two.checked_add(1) == Some(one) => names(self, other),
            _ => true,
        }
    }

    /// Addresses of the validators whom the two headers convict: those who voted for both blocks of one height in the same consensus
    /// round, or for two that name different parents or different next validators, which were decided before. No honest one does. Votes of
    /// different consensus rounds are legal otherwise, and blocks of different heights convict nobody by name.
    #[must_use]
    pub fn convicted_with(&self, other: &Self) -> Vec<[u8; 20]> {
        let round = |header: &Self| header.signed.commit.round;
        let decided = |header: &Self| {
            let header = &header.signed.header;
            (header.last_block_id, header.next_validators_hash)
        };
        let convicts = round(self) == round(other) || decided(self) != decided(other);
        if self.height() != other.height() || self.hash == other.hash || !convicts {
            return Vec::new();
        }
        let others: Vec<[u8; 20]> = other.voters().collect();
        let both = self.voters().filter(|voter| others.contains(voter));
        both.collect()
    }

    /// Addresses of those who have voted for the block, each under its signature.
    fn voters(&self) -> impl Iterator<Item = [u8; 20]> + '_ {
        let votes = self.signed.commit.signatures.iter();
        votes.filter_map(|vote| match vote {
            CommitSig::BlockIdFlagCommit {
                validator_address, ..
            } => validator_address.as_bytes().try_into().ok(),
            CommitSig::BlockIdFlagAbsent | CommitSig::BlockIdFlagNil { .. } => None,
        })
    }

    /// The root over the block's transactions, the seal first.
    #[must_use]
    pub const fn data_hash(&self) -> Hash {
        self.data_hash
    }

    /// The header's time.
    #[must_use]
    pub const fn time(&self) -> BlockTime {
        self.time
    }

    /// The header with the signatures below it, in CometBFT's protobuf.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        <SignedHeader as Protobuf<RawSignedHeader>>::encode_vec(self.signed.clone())
    }
}

fn hash_of(hash: TendermintHash) -> Option<Hash> {
    Hash::from_slice(hash.as_bytes())
}

fn time_of(time: tendermint::Time) -> BlockTime {
    let time = tendermint_proto::google::protobuf::Timestamp::from(time);
    BlockTime {
        seconds: time.seconds,
        nanos: u32::try_from(time.nanos).unwrap_or(0),
    }
}

/// The error's reason, without the values, which are long.
fn reason(error: &VerificationError) -> String {
    use tendermint_light_client_verifier::errors::VerificationErrorDetail as Detail;
    match &error.0 {
        Detail::InvalidCommitValue(_) => "it is for another block".into(),
        Detail::NoSignatureForCommit(_) => "nobody has signed it".into(),
        Detail::MismatchPreCommitLength(_) => {
            "it has another number of votes than validators".into()
        }
        Detail::FaultySigner(_) => "a vote of somebody who isn't a validator".into(),
        Detail::DuplicateValidator(_) => "two votes of one validator".into(),
        Detail::InvalidSignature(_) => "a vote whose signature isn't its validator's".into(),
        Detail::InsufficientSignersOverlap(_) => "no more than two thirds have signed it".into(),
        _ => "it breaks a rule of the engine".into(),
    }
}
