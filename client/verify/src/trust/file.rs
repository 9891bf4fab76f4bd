//! Trust files: what a client has verified of a network, so that it goes on from there, and nobody takes it back.
//!
//! Nothing in a file is believed for being there but its genesis: whoever reads it verifies every link again, and the highest state under
//! its validators' signatures. That state names the newest era, so no link before it is left out.

use std::{collections::BTreeSet, sync::Arc};

use prost::Message as _;
use white_city_wire::{Hash, NetworkId, hash::Preimage, pb, proof::StateProof};

use super::{
    BadEra, BadHeader, BadLink, LINK, LINKS_MAX, NewerRules, SIGNED_HEADER_BYTES_MAX, Trust,
    VerifiedHeader,
};
use crate::{
    genesis::{GENESIS_BYTES_MAX, GenesisError},
    shape::{self, Limit, Misshapen, limit},
};

/// Largest trust file that is read or written, bytes.
pub const TRUST_FILE_BYTES_MAX: usize = 64 << 20;
/// Most addresses in one.
pub const ADDRESSES_MAX: usize = 512;
/// Longest address, bytes.
pub const ADDRESS_BYTES_MAX: usize = 512;

/// Largest proof of a state, bytes.
const STATE_BYTES_MAX: usize = 64 << 10;
const VERSION: u32 = 1;

const FILE: [Limit; 6] = [
    limit(1, 1, 0, 0),
    limit(2, 1, 1, GENESIS_BYTES_MAX as usize),
    limit(3, LINKS_MAX, 64, TRUST_FILE_BYTES_MAX).of(&LINK),
    limit(4, 1, 1, SIGNED_HEADER_BYTES_MAX),
    limit(5, 1, 0, STATE_BYTES_MAX),
    limit(6, ADDRESSES_MAX, 1, ADDRESS_BYTES_MAX),
];

/// Why something isn't taken for a trust file, or doesn't go with one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTrustFile {
    /// Larger than is read or written.
    #[error("{got} bytes, or a part of that size: more than there may be")]
    TooLarge {
        /// The size, bytes.
        got: usize,
    },
    /// The file isn't what was written.
    #[error("its checksum is wrong: the file was changed or cut, or isn't a trust file")]
    Checksum,
    /// Not the canonical protobuf.
    #[error("it isn't encoded the one canonical way: {0}")]
    Encoding(&'static str),
    /// Of another version of the format.
    #[error("version {got} of the format, expected 1")]
    Version {
        /// The version that it names.
        got: u32,
    },
    /// A trust that wasn't made of a genesis' JSON, which a file begins with.
    #[error("the genesis itself isn't there, only what it says")]
    NoGenesis,
    /// The genesis in it is refused.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A link that doesn't lead from the era before it to the next one.
    #[error("the link to era {era}: {reason}")]
    Link {
        /// Number of the era that it should lead to, which is its place in the file from 1 on.
        era: u32,
        /// The reason why it doesn't.
        reason: BadLink,
    },
    /// The highest state is under rules that this program doesn't know: a newer program reads the file.
    #[error(transparent)]
    Rules(#[from] NewerRules),
    /// The header of the highest state isn't one of the network.
    #[error("the highest state's header: {0}")]
    Header(#[from] BadHeader),
    /// The highest state isn't one that the header's block seals.
    #[error("the highest state: {0}")]
    State(String),
    /// The highest state is of another era than its header's validators.
    #[error(transparent)]
    Era(#[from] BadEra),
    /// Links to eras that the highest state doesn't know.
    #[error("it has links to era {links}, and no state that knows more than era {known}")]
    Unconfirmed {
        /// Number of the newest era that there is a link to.
        links: u32,
        /// Number of the newest era that the state knows.
        known: u32,
    },
    /// Of another network.
    #[error("it is of another network: {got}")]
    Network {
        /// Its network.
        got: NetworkId,
    },
    /// Two states that the validators have signed, and that aren't of one history.
    #[error(
        "two histories: a state at height {} and one at height {} contradict each other, and the validators have signed both",
        first.height(), second.height()
    )]
    Fork {
        /// The header of the one.
        first: Arc<VerifiedHeader>,
        /// The header of the other.
        second: Arc<VerifiedHeader>,
    },
}

impl From<Misshapen> for BadTrustFile {
    fn from(misshapen: Misshapen) -> Self {
        match misshapen {
            Misshapen::TooLarge { got } => Self::TooLarge { got },
            Misshapen::Encoding(what) => Self::Encoding(what),
        }
    }
}

impl BadTrustFile {
    /// The headers of two histories, both signed by the validators, if that is why.
    #[must_use]
    pub fn fork(&self) -> Option<[&VerifiedHeader; 2]> {
        match self {
            Self::Fork { first, second } => Some([first, second]),
            Self::Link {
                reason: BadLink::Fork(fork),
                ..
            } => Some([&fork.known, &fork.other]),
            _ => None,
        }
    }
}

/// A high-water mark: a state that was verified, as the one that nobody is to go back behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    header: Arc<VerifiedHeader>,
    state: StateProof,
}

impl Mark {
    /// Of a header that was verified, and the state that it certifies.
    pub(crate) fn new(header: &Arc<VerifiedHeader>, state: &StateProof) -> Self {
        Self {
            header: Arc::clone(header),
            state: state.clone(),
        }
    }

    /// The header that certifies the state.
    #[must_use]
    pub const fn header(&self) -> &Arc<VerifiedHeader> {
        &self.header
    }

    /// The height.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.header.height()
    }

    /// Number of the charter in force for the next block.
    #[must_use]
    pub const fn term(&self) -> u32 {
        self.state.board.term
    }

    /// The board time, milliseconds.
    #[must_use]
    pub fn board_ms(&self) -> u64 {
        self.state.board_ms(&self.header.time())
    }

    /// Reads one, and checks it as an answer of a replica is checked.
    fn from_pb(
        signed_header: &[u8],
        state: &pb::StateProof,
        trust: &Trust,
    ) -> Result<Self, BadTrustFile> {
        let header = trust.decode_header(signed_header)?;
        if header.encode() != signed_header {
            return Err(BadTrustFile::Encoding("the header"));
        }
        trust.check_rules(&header)?;
        let state = StateProof::from_pb(state, trust.network(), trust.known());
        let state = state.map_err(|refused| BadTrustFile::State(refused.to_string()))?;
        if state.data_hash() != header.data_hash() {
            let text = "it isn't the one that the header's block seals";
            return Err(BadTrustFile::State(text.into()));
        }
        trust.confirm(&header, &state.board)?;
        Ok(Self {
            header: Arc::new(header),
            state,
        })
    }

    /// Whether it is of the history that a trust knows by now.
    fn is_of(&self, trust: &Trust) -> bool {
        trust.confirm(&self.header, &self.state.board).is_ok()
    }
}

/// The content of a trust file, all of which was verified.
#[derive(Clone)]
pub struct TrustFile {
    /// The eras that the mark confirms, and no others.
    trust: Trust,
    mark: Option<Mark>,
    addresses: BTreeSet<String>,
}

impl TrustFile {
    /// The file of a client that trusts this, and hasn't verified any state higher than this one. Addresses of replicas go with it as far
    /// as there is room.
    ///
    /// # Errors
    /// [`BadTrustFile::NoGenesis`]; [`BadTrustFile::Era`] for a mark of another history.
    pub fn new<A: Into<String>>(
        trust: &Trust,
        mark: Option<Mark>,
        addresses: impl IntoIterator<Item = A>,
    ) -> Result<Self, BadTrustFile> {
        trust.genesis().ok_or(BadTrustFile::NoGenesis)?;
        let known = mark.as_ref().map_or(0, |mark| mark.state.board.eras);
        let trust = trust.up_to(known);
        if let Some(mark) = &mark {
            trust.confirm(&mark.header, &mark.state.board)?;
        }
        let addresses = addresses.into_iter().map(Into::into);
        let addresses =
            addresses.filter(|address| (1..=ADDRESS_BYTES_MAX).contains(&address.len()));
        Ok(Self {
            trust,
            mark,
            addresses: addresses.take(ADDRESSES_MAX).collect(),
        })
    }

    /// Whether these bytes mean to be a trust file, and not the JSON of a genesis.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.first() == Some(&0x08)
    }

    /// Reads a file, and verifies everything in it.
    ///
    /// # Errors
    /// [`BadTrustFile`]; its size, and those of its parts, are looked at before anything is decoded.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadTrustFile> {
        if bytes.len() > TRUST_FILE_BYTES_MAX {
            return Err(BadTrustFile::TooLarge { got: bytes.len() });
        }
        let (message, sum) = bytes.split_last_chunk().ok_or(BadTrustFile::Checksum)?;
        if trust_file_checksum(message) != Hash(*sum) {
            return Err(BadTrustFile::Checksum);
        }
        shape::check(message, &FILE)?;
        let file = pb::TrustFile::decode(message);
        let file = file.map_err(|_| BadTrustFile::Encoding("not a trust file"))?;
        if file.version != VERSION {
            return Err(BadTrustFile::Version { got: file.version });
        }
        if file.encode_to_vec() != message {
            let what = "fields out of order, unknown or spelled out";
            return Err(BadTrustFile::Encoding(what));
        }
        if !file.addresses.is_sorted_by(|one, next| one < next) {
            return Err(BadTrustFile::Encoding("addresses out of order"));
        }
        Self::verified(file)
    }

    fn verified(file: pb::TrustFile) -> Result<Self, BadTrustFile> {
        let trust = Trust::genesis_json(&file.genesis)?;
        for (era, link) in (1..).zip(&file.links) {
            match trust.learn(std::slice::from_ref(link)) {
                Ok(1) => {}
                Ok(_) => return Err(BadTrustFile::Encoding("a link that comes twice")),
                Err(reason) => return Err(BadTrustFile::Link { era, reason }),
            }
        }
        if trust.links_from(0) != file.links {
            return Err(BadTrustFile::Encoding(
                "a link's header, or links out of order",
            ));
        }
        let mark = match (file.signed_header.as_slice(), &file.state) {
            ([], None) => None,
            (header, Some(state)) => Some(Mark::from_pb(header, state, &trust)?),
            (_, None) => return Err(BadTrustFile::Encoding("a header without its state")),
        };
        let (links, known) = (trust.newest_era(), trust.confirmed_era());
        if links > known {
            return Err(BadTrustFile::Unconfirmed { links, known });
        }
        Ok(Self {
            trust,
            mark,
            addresses: file.addresses.into_iter().collect(),
        })
    }

    /// The file: the canonical protobuf `TrustFile`, then its SHA-256 under a tag.
    ///
    /// # Errors
    /// [`BadTrustFile::TooLarge`]; [`BadTrustFile::Link`] for more links than one file may have.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BadTrustFile> {
        let links = self.trust.links_from(0);
        if links.len() > LINKS_MAX {
            let era = self.trust.newest_era();
            let reason = BadLink::TooMany;
            return Err(BadTrustFile::Link { era, reason });
        }
        let genesis = self.trust.genesis().ok_or(BadTrustFile::NoGenesis)?;
        let mark = self.mark.as_ref();
        let file = pb::TrustFile {
            version: VERSION,
            genesis: genesis.to_vec(),
            links,
            signed_header: mark.map_or_else(Vec::new, |mark| mark.header.encode()),
            state: mark.map(|mark| (&mark.state).into()),
            addresses: self.addresses.iter().cloned().collect(),
        };
        let mut bytes = file.encode_to_vec();
        let sum = trust_file_checksum(&bytes);
        bytes.extend_from_slice(&sum.0);
        match bytes.len() {
            got if got > TRUST_FILE_BYTES_MAX => Err(BadTrustFile::TooLarge { got }),
            _ => Ok(bytes),
        }
    }

    /// The trust that the file gives, which learns by itself from now on.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust.apart()
    }

    /// The highest state that was verified, if any was.
    #[must_use]
    pub const fn mark(&self) -> Option<&Mark> {
        self.mark.as_ref()
    }

    /// Addresses of replicas, which nobody vouches for.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(String::as_str)
    }

    /// Takes in what another file knows. It only goes forward: eras stay, and the higher of two states counts. The genesis stays as it was
    /// found, and of two commits of one link the one that was there. Says whether anything has changed.
    ///
    /// # Errors
    /// [`BadTrustFile::Network`]; [`BadTrustFile::fork`] has the two headers where both are histories of this network, but not of one:
    /// then nothing has changed.
    pub fn merge(&mut self, other: &Self) -> Result<bool, BadTrustFile> {
        let got = other.trust.network().id;
        if got != self.trust.network().id {
            return Err(BadTrustFile::Network { got });
        }
        let trust = self.trust.apart();
        let learned = trust.learn(&other.trust.links_from(0));
        let learned = learned.map_err(|reason| BadTrustFile::Link {
            era: trust.newest_era(),
            reason: self.fork_with(other).unwrap_or(reason),
        })?;
        let mark = match (&self.mark, &other.mark) {
            (Some(own), Some(new)) => Some(higher(own, new, &trust)?),
            (own, new) => own.as_ref().or(new.as_ref()),
        };
        let is_new = mark != self.mark.as_ref();
        let mark = mark.cloned();
        let before = self.addresses.len();
        let room = ADDRESSES_MAX.saturating_sub(before);
        let missing = other.addresses.difference(&self.addresses);
        let missing: Vec<String> = missing.take(room).cloned().collect();
        self.addresses.extend(missing);
        (self.trust, self.mark) = (trust, mark);
        Ok(learned > 0 || is_new || self.addresses.len() > before)
    }
}

impl TrustFile {
    /// The first link in which two files differ, if they do. The lower one of the two is what doesn't go with the other file: above its own
    /// link a set signs nothing, so there it isn't even looked at.
    fn fork_with(&self, other: &Self) -> Option<BadLink> {
        let forks = [(self, other), (other, self)].map(|(one, two)| {
            let learned = one.trust.apart().learn(&two.trust.links_from(0));
            learned.err().filter(|bad| matches!(bad, BadLink::Fork(_)))
        });
        forks.into_iter().flatten().next()
    }
}

/// The higher one of two states of one history; the first one of two at one height.
fn higher<'a>(own: &'a Mark, new: &'a Mark, trust: &Trust) -> Result<&'a Mark, BadTrustFile> {
    let (lower, higher) = match new.height() > own.height() {
        true => (own, new),
        false => (new, own),
    };
    // The higher one first: what it confirms, the lower one may not.
    let is_one =
        higher.is_of(trust) && lower.is_of(trust) && own.header.is_of_one_chain_with(&new.header);
    match is_one {
        true => Ok(higher),
        false => Err(BadTrustFile::Fork {
            first: Arc::clone(&own.header),
            second: Arc::clone(&new.header),
        }),
    }
}

/// The checksum that follows the protobuf in a file: changes by accident are told from lies.
#[must_use]
pub fn trust_file_checksum(message: &[u8]) -> Hash {
    Preimage::new("white-city/trust/1").raw(message).finish()
}
