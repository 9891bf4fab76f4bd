//! The trust of a client: the validators that a genesis names, and a header as soon as more than two thirds of them have
//! signed it.

use std::sync::Arc;

use tendermint::{
    Hash as TendermintHash, PublicKey,
    block::{CommitSig, signed_header::SignedHeader},
    chain,
    trust_threshold::{TrustThreshold as _, TrustThresholdFraction as TrustThreshold},
    validator, vote,
};
use tendermint_light_client_verifier::{
    errors::VerificationError,
    operations::{ProdCommitValidator, ProvidedVotingPowerCalculator, VotingPowerCalculator},
    predicates::VerificationPredicates,
};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as RawSignedHeader};
use white_city_wire::{Hash, Network, limits::VALIDATOR_POWER, seal::BlockTime};

use crate::{
    genesis::{self, GenesisError},
    votes::{self, Hasher, Predicates, Votes},
};

/// Largest signed header that is read, bytes: one of 256 validators has some 30 000.
pub const SIGNED_HEADER_BYTES_MAX: usize = 1 << 18;

/// A network and its validators, which are the same for ever. Nothing else is trusted.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    network: Network,
    chain_id: chain::Id,
    validators: validator::Set,
    validators_hash: TendermintHash,
}

/// A header that more than two thirds of the network's validators have signed.
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
    /// A validator set that isn't that of the genesis.
    #[error("its {field} isn't that of the genesis' validators")]
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
        matches!(self, Self::Chain(_) | Self::Validators { .. })
    }
}

impl Trust {
    /// Trusts a genesis.
    ///
    /// # Errors
    /// [`GenesisError`] says what is wrong with it; validators of unequal or odd power are refused.
    pub fn genesis_json(json: &[u8]) -> Result<Self, GenesisError> {
        Self::new(genesis::from_json(json)?)
    }

    /// Trusts the network that a genesis describes.
    ///
    /// # Errors
    /// [`GenesisError::Field`] for a validator's key or a chain's name that no engine takes.
    pub fn new(network: Network) -> Result<Self, GenesisError> {
        let bad = |field, got: String, expected| GenesisError::Field {
            field,
            got,
            expected,
        };
        let chain_id = chain::Id::try_from(network.chain_id.as_str())
            .map_err(|_| bad("chain_id", network.chain_id.clone(), "a chain's name"))?;
        let power = vote::Power::try_from(VALIDATOR_POWER);
        let power =
            power.map_err(|_| bad("validators.power", VALIDATOR_POWER.to_string(), "a power"))?;
        let infos = network.charter.replicas.iter().map(|replica| {
            let key = PublicKey::from_raw_ed25519(&replica.validator.0);
            let key = key.ok_or_else(|| {
                bad(
                    "validators.pub_key",
                    replica.validator.to_string(),
                    "an Ed25519 key",
                )
            })?;
            Ok::<_, GenesisError>(votes::validator(key, power))
        });
        let validators = validator::Set::without_proposer(infos.collect::<Result<_, _>>()?);
        Ok(Self(Arc::new(Inner {
            validators_hash: validators.hash_with::<Hasher>(),
            validators,
            chain_id,
            network,
        })))
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// Checks a header and the signatures below it: the chain's name, the genesis' validators for this block and for the
    /// next, the commit's place, and more than two thirds of the votes.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn verify(&self, signed: SignedHeader) -> Result<VerifiedHeader, BadHeader> {
        let header = &signed.header;
        if header.chain_id != self.0.chain_id {
            return Err(BadHeader::Chain(header.chain_id.to_string()));
        }
        let sets = [
            ("validators_hash", header.validators_hash),
            ("next_validators_hash", header.next_validators_hash),
        ];
        for (field, hash) in sets {
            if hash != self.0.validators_hash {
                return Err(BadHeader::Validators { field });
            }
        }
        let height = header.height.value();
        if height < self.0.network.initial_height || header.height != signed.commit.height {
            return Err(BadHeader::Field {
                field: "height",
                got: height.to_string(),
            });
        }
        self.check_commit(&signed)?;
        let data_hash = header.data_hash.and_then(hash_of);
        let data_hash = data_hash.ok_or_else(|| BadHeader::Field {
            field: "data_hash",
            got: "missing".into(),
        })?;
        // That it is this header's hash was checked with the commit.
        let hash = hash_of(signed.commit.block_id.hash).ok_or_else(|| BadHeader::Field {
            field: "hash",
            got: "missing".into(),
        })?;
        Ok(VerifiedHeader {
            hash,
            data_hash,
            time: time_of(header.time),
            signed,
        })
    }

    /// Every vote is checked, not only as many as are needed: whoever has signed may be named for it.
    fn check_commit(&self, signed: &SignedHeader) -> Result<(), BadHeader> {
        let bad = |error: VerificationError| BadHeader::Commit(reason(&error));
        let validators = &self.0.validators;
        Predicates
            .header_matches_commit(&signed.header, signed.commit.block_id.hash)
            .map_err(bad)?;
        Predicates
            .valid_commit(signed, validators, &ProdCommitValidator)
            .map_err(bad)?;
        // No vote is enough for more than all, so that none is left out.
        let all =
            TrustThreshold::new(1, 1).map_err(|_| BadHeader::Commit("no threshold".into()))?;
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

    /// Checks a header that [`VerifiedHeader::encode`] has encoded.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn decode_header(&self, bytes: &[u8]) -> Result<VerifiedHeader, BadHeader> {
        if bytes.len() > SIGNED_HEADER_BYTES_MAX {
            let text = format!(
                "{} bytes, at most {SIGNED_HEADER_BYTES_MAX} are read",
                bytes.len()
            );
            return Err(BadHeader::Malformed(text));
        }
        let signed = <SignedHeader as Protobuf<RawSignedHeader>>::decode(bytes);
        let signed = signed.map_err(|error| BadHeader::Malformed(error.to_string()))?;
        self.verify(signed)
    }
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
    /// The block's height.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.signed.header.height.value()
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

    /// Addresses of the validators whom the two headers convict: those who voted for both blocks in the same consensus round of
    /// the same height, which no honest one does. Votes of different consensus rounds are legal, and blocks of different
    /// heights convict nobody by name.
    #[must_use]
    pub fn convicted_with(&self, other: &Self) -> Vec<[u8; 20]> {
        let place = |header: &Self| (header.height(), header.signed.commit.round);
        if place(self) != place(other) || self.hash == other.hash {
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
