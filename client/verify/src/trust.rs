//! The trust of a client: the validators that a genesis names, those that they have handed over to, and a header as soon as more than
//! two thirds of its era's have signed it.

mod file;
mod links;

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU32, Ordering},
};

use tendermint::{
    block::{Header, signed_header::SignedHeader},
    chain,
};
use white_city_wire::{Network, protocol::Known};

pub(crate) use self::links::LINK;
pub use self::{
    file::{
        ADDRESS_BYTES_MAX, ADDRESSES_MAX, BadTrustFile, Mark, TRUST_FILE_BYTES_MAX, TrustFile,
        trust_file_checksum,
    },
    links::{BadEra, BadLink, LINKS_BYTES_MAX, LINKS_MAX, LinkFork},
};
pub use crate::header::{BadHeader, SIGNED_HEADER_BYTES_MAX, VerifiedHeader};
use crate::{
    eras::{Era, Eras},
    genesis::{self, GenesisError},
    header::{decode, decode_json},
};

/// Rules of a later number than this program knows, by which a block was made that the validators have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "block {height} of the board is under protocol {protocol}, and this program knows none after {known}: a newer program is needed"
)]
pub struct NewerRules {
    /// Their number.
    pub protocol: u64,
    /// The newest that this program knows.
    pub known: u32,
    /// Height of the block.
    pub height: u64,
}

/// A network, and the eras of its validators as far as they are known: those of the genesis, and whatever they have handed over to since.
/// Nothing else is trusted. Clones share what is learned.
#[derive(Clone)]
pub struct Trust(Arc<Inner>);

struct Inner {
    network: Network,
    chain_id: chain::Id,
    /// The JSON of the genesis, if it was made of one.
    genesis: Option<Arc<[u8]>>,
    eras: RwLock<Eras>,
    known: Known,
    /// See [`Trust::confirmed_era`].
    confirmed: AtomicU32,
}

impl Trust {
    /// Trusts a genesis.
    ///
    /// # Errors
    /// [`GenesisError`] says what is wrong with it; validators of unequal or odd power are refused.
    pub fn genesis_json(json: &[u8]) -> Result<Self, GenesisError> {
        Self::of(genesis::from_json(json)?, Some(json.into()))
    }

    /// Trusts the network that a genesis describes. It can be kept in no trust file, which needs the genesis itself.
    ///
    /// # Errors
    /// [`GenesisError::Field`] for a validator's key or a chain's name that no engine takes.
    pub fn new(network: Network) -> Result<Self, GenesisError> {
        Self::of(network, None)
    }

    fn of(network: Network, genesis: Option<Arc<[u8]>>) -> Result<Self, GenesisError> {
        let bad = |field, got: String, expected| GenesisError::Field {
            field,
            got,
            expected,
        };
        let chain_id = chain::Id::try_from(network.chain_id.as_str())
            .map_err(|_| bad("chain_id", network.chain_id.clone(), "a chain's name"))?;
        let keys = network.charter.replicas.iter().map(|r| r.validator.0);
        let first = Era::first(keys, network.initial_height).ok_or_else(|| {
            let got = format!("{} keys", network.charter.replicas.len());
            bad("validators.pub_key", got, "Ed25519 keys")
        })?;
        Ok(Self(Arc::new(Inner {
            eras: RwLock::new(Eras::new(first)),
            confirmed: AtomicU32::new(0),
            chain_id,
            genesis,
            network,
            known: Known::RELEASED,
        })))
    }

    fn known_eras(&self) -> &RwLock<Eras> {
        &self.0.eras
    }

    fn confirmed(&self) -> &AtomicU32 {
        &self.0.confirmed
    }

    /// The same trust, which learns by itself from now on.
    #[must_use]
    pub fn apart(&self) -> Self {
        self.part_of(self.0.known, u32::MAX)
    }

    /// The same trust, apart, of a program that knows rules of these numbers: for tests of what a board's next number brings.
    #[must_use]
    pub fn knowing(&self, known: Known) -> Self {
        self.part_of(known, u32::MAX)
    }

    /// As [`Trust::apart`], without the eras after this one.
    pub(crate) fn up_to(&self, era: u32) -> Self {
        self.part_of(self.0.known, era)
    }

    fn part_of(&self, known: Known, era: u32) -> Self {
        let eras = self.0.eras.read().unwrap_or_else(PoisonError::into_inner);
        // Read while nothing can be put in the place of what it confirms.
        let confirmed = self.0.confirmed.load(Ordering::SeqCst);
        Self(Arc::new(Inner {
            network: self.0.network.clone(),
            chain_id: self.0.chain_id.clone(),
            known,
            genesis: self.0.genesis.clone(),
            eras: RwLock::new(eras.up_to(era)),
            confirmed: AtomicU32::new(confirmed.min(era)),
        }))
    }

    /// The numbers of the rules that are known.
    #[must_use]
    pub fn known(&self) -> Known {
        self.0.known
    }

    /// Checks that the rules of a header's block are known. Its validators have signed their number: a board that has moved on is told
    /// from a replica that only says so, whatever it shows of it.
    ///
    /// # Errors
    /// [`NewerRules`].
    pub fn check_rules(&self, header: &VerifiedHeader) -> Result<(), NewerRules> {
        let (protocol, known) = (header.protocol(), self.0.known.newest());
        if protocol <= u64::from(known) {
            return Ok(());
        }
        let height = header.height();
        Err(NewerRules {
            protocol,
            known,
            height,
        })
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    /// Checks a header and the signatures below it: the chain's name, its era's validators for this block and for the next, the commit's
    /// place, and more than two thirds of the votes. The last header of an era names others for the next block: below it may be read,
    /// above it only with its link.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn verify(&self, signed: SignedHeader) -> Result<VerifiedHeader, BadHeader> {
        let header = &signed.header;
        self.check_chain(header)?;
        let (era, next) = self.era_at(header.height.value());
        let unknown = |field| match &next {
            Some(_) => BadHeader::Validators { field },
            None => BadHeader::Ahead {
                field,
                era: era.number,
            },
        };
        if header.validators_hash != era.hash {
            return Err(unknown("validators_hash"));
        }
        if let Some(next) = &next {
            let is_last = header.height.value().checked_add(1) == Some(next.first_height);
            let expected = if is_last { next.hash } else { era.hash };
            if header.next_validators_hash != expected {
                return Err(unknown("next_validators_hash"));
            }
        }
        self.certified(signed, &era)
    }

    fn check_chain(&self, header: &Header) -> Result<(), BadHeader> {
        if header.chain_id != self.0.chain_id {
            return Err(BadHeader::Chain(header.chain_id.to_string()));
        }
        Ok(())
    }

    /// Checks what holds of every header that the validators of an era have signed, whomever it names for the next block.
    fn certified(&self, signed: SignedHeader, era: &Era) -> Result<VerifiedHeader, BadHeader> {
        let header = &signed.header;
        self.check_chain(header)?;
        if header.validators_hash != era.hash {
            let field = "validators_hash";
            return Err(BadHeader::Validators { field });
        }
        let height = header.height.value();
        if height < self.0.network.initial_height || header.height != signed.commit.height {
            return Err(BadHeader::Field {
                field: "height",
                got: height.to_string(),
            });
        }
        VerifiedHeader::new(signed, &era.validators)
    }

    /// The JSON of the genesis that is trusted; `None` if the trust wasn't made of that.
    #[must_use]
    pub fn genesis(&self) -> Option<&[u8]> {
        self.0.genesis.as_deref()
    }

    /// Checks a header that one side of a fork shows: its era's validators have signed it, whomever it names for the next block.
    pub(crate) fn decode_signed(&self, bytes: &[u8]) -> Result<VerifiedHeader, BadHeader> {
        let signed = decode(bytes)?;
        let (era, _) = self.era_at(signed.header.height.value());
        self.certified(signed, &era)
    }

    /// Checks a header that [`VerifiedHeader::encode`] has encoded.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn decode_header(&self, bytes: &[u8]) -> Result<VerifiedHeader, BadHeader> {
        self.verify(decode(bytes)?)
    }

    /// Checks a header as the engine's RPC gives it: the JSON of an answer to `commit`.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn header_json(&self, answer: &[u8]) -> Result<VerifiedHeader, BadHeader> {
        self.verify(decode_json(answer)?)
    }
}
