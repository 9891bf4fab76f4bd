//! The charter: those of a board's rules that its operators may change together, a term after the other.

use alloc::{collections::BTreeSet, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    bitmap::Bitmap,
    hash::{Hash, Preimage, sha256},
    keys::{BadKey, IdentityKey},
    limits::{CHARTER_OPENERS_MAX, PROTOCOL, STAMP_BITS_MAX, VALIDATORS_MAX},
};

/// Rules in force for one term. That of term 0 stands in the genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charter {
    /// Number of the term, from 0.
    pub term: u32,
    /// Hash of the charter of the term before; zeros in term 0.
    pub previous: Hash,
    /// Board time until which it may be approved and enacted, ms; 0 in term 0.
    pub until_ms: u64,
    /// Version of the rules.
    pub protocol: u32,
    /// Most bytes that a spec may state for its entries.
    pub max_session_bytes: u64,
    /// Most bytes that all sessions may reserve.
    pub max_board_bytes: u64,
    /// Whether identities that aren't listed may open sessions.
    pub anyone_may_open: bool,
    /// Most live sessions of such an identity.
    pub anyone_max_live: u32,
    /// Most reserved bytes of such an identity.
    pub anyone_max_bytes: u64,
    /// Leading zero bits that the stamp of such an identity's opening needs; 0 for none.
    pub stamp_bits: u8,
    /// The replicas, ascending by validator key.
    pub replicas: Vec<Replica>,
    /// Openers with quotas of their own, ascending by key.
    pub openers: Vec<OpenerQuota>,
}

/// The keys of one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// Key with which it votes on blocks.
    pub validator: Hash,
    /// Key with which whoever runs it approves charters, kept offline.
    pub operator: Hash,
}

impl Replica {
    /// The address that headers name its validator by: the first 20 bytes of the key's SHA-256.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        let mut address = [0; 20];
        address
            .iter_mut()
            .zip(sha256(&self.validator.0).0)
            .for_each(|(to, from)| *to = from);
        address
    }
}

/// A listed opener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenerQuota {
    /// Its identity key.
    pub key: Hash,
    /// Most live sessions at once.
    pub max_live: u32,
    /// Most reserved bytes at once.
    pub max_bytes: u64,
}

/// Mistake in a charter, whatever the board is that it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCharter {
    /// A field outside its range.
    #[error("{field} is {got}, expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        got: u64,
        /// Values that it may have.
        expected: &'static str,
    },
    /// Keys that aren't ascending, or one that is there twice.
    #[error("{0} aren't in ascending order of their keys, each once")]
    Order(&'static str),
    /// A key that may not be used.
    #[error("the {role} {key}: {reason}")]
    Key {
        /// Role of the key.
        role: &'static str,
        /// The key.
        key: Hash,
        /// The mistake in it.
        reason: BadKey,
    },
    /// A key that has two roles among the replicas.
    #[error("the key {0} is there for two replicas, or for two roles of one")]
    Twice(Hash),
}

/// Number of so many replicas that may be malicious: `f = ⌊(k - 1)/3⌋`.
#[must_use]
pub const fn faults(replicas: u16) -> u16 {
    replicas.saturating_sub(1) / 3
}

impl Charter {
    /// The hash in the network's id, in the root, and under every approval.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        let mut preimage = Preimage::new("white-city/charter/2")
            .u32(self.term)
            .hash(&self.previous)
            .u64(self.until_ms)
            .u32(self.protocol)
            .u64(self.max_session_bytes)
            .u64(self.max_board_bytes)
            .u8(u8::from(self.anyone_may_open))
            .u32(self.anyone_max_live)
            .u64(self.anyone_max_bytes)
            .u8(self.stamp_bits)
            .u32(count(self.replicas.len()));
        for replica in &self.replicas {
            preimage = preimage.hash(&replica.validator).hash(&replica.operator);
        }
        preimage = preimage.u32(count(self.openers.len()));
        for opener in &self.openers {
            preimage = preimage
                .hash(&opener.key)
                .u32(opener.max_live)
                .u64(opener.max_bytes);
        }
        preimage.hash(&Hash::ZERO).finish()
    }

    /// Number of replicas, 1 to 256.
    #[must_use]
    pub fn size(&self) -> u16 {
        u16::try_from(self.replicas.len()).unwrap_or(u16::MAX)
    }

    /// Number of replicas that may be malicious.
    #[must_use]
    pub fn faults(&self) -> u16 {
        faults(self.size())
    }

    /// Whether somebody operates one of its replicas.
    #[must_use]
    pub fn is_operator(&self, key: &Hash) -> bool {
        self.replicas.iter().any(|replica| replica.operator == *key)
    }

    /// Its operators who are none in the present charter, in its order.
    pub fn operators_new_to(&self, present: &Self) -> impl Iterator<Item = &Hash> {
        let known: BTreeSet<Hash> = present.replicas.iter().map(|r| r.operator).collect();
        let operators = self.replicas.iter().map(|replica| &replica.operator);
        operators.filter(move |operator| !known.contains(*operator))
    }

    /// Position of the replica whose validator has this address.
    #[must_use]
    pub fn position_of(&self, address: &[u8]) -> Option<u16> {
        let mut replicas = self.replicas.iter();
        let position = replicas.position(|replica| replica.address() == *address)?;
        u16::try_from(position).ok()
    }

    /// Positions of the replicas whose validators have these addresses: a bitmap of 256.
    #[must_use]
    pub fn positions_of(&self, addresses: &[[u8; 20]]) -> [u8; 32] {
        let addresses: BTreeSet<&[u8; 20]> = addresses.iter().collect();
        let mut positions = Bitmap::empty(256);
        for (position, replica) in (0_u16..).zip(&self.replicas) {
            if addresses.contains(&replica.address()) {
                positions.insert(position);
            }
        }
        positions.as_bytes().try_into().unwrap_or_default()
    }

    /// Bytes that the listed openers may reserve together; `None` when they are past counting.
    #[must_use]
    pub fn listed_bytes(&self) -> Option<u64> {
        let mut quotas = self.openers.iter().map(|opener| opener.max_bytes);
        quotas.try_fold(0, u64::checked_add)
    }

    /// Leading zero bits that the stamp of this identity's openings needs; 0 for none, also where it may open nothing at all.
    #[must_use]
    pub fn stamp_bits_of(&self, opener: &IdentityKey) -> u8 {
        let key = Hash(*opener.as_bytes());
        let listed = self.openers.iter().any(|opener| opener.key == key);
        if listed || !self.anyone_may_open {
            return 0;
        }
        self.stamp_bits
    }

    /// Puts replicas and openers into the order that a charter has them in.
    pub fn sort(&mut self) {
        self.replicas.sort_unstable();
        self.openers.sort_unstable_by_key(|opener| opener.key);
    }

    /// Checks what holds of every charter but its keys, cheap first.
    ///
    /// # Errors
    /// [`BadCharter`].
    pub fn check_fields(&self) -> Result<(), BadCharter> {
        let field = |good: bool, field, got: u64, expected| {
            good.then_some(()).ok_or(BadCharter::Field {
                field,
                got,
                expected,
            })
        };
        let count = |of: usize| u64::try_from(of).unwrap_or(u64::MAX);
        field(
            self.protocol >= PROTOCOL,
            "protocol",
            self.protocol.into(),
            "at least 2",
        )?;
        field(
            self.stamp_bits <= STAMP_BITS_MAX,
            "stamp_bits",
            self.stamp_bits.into(),
            "0 to 40",
        )?;
        field(
            (1..=VALIDATORS_MAX.into()).contains(&count(self.replicas.len())),
            "replicas",
            count(self.replicas.len()),
            "1 to 256",
        )?;
        field(
            count(self.openers.len()) <= CHARTER_OPENERS_MAX.into(),
            "openers",
            count(self.openers.len()),
            "at most 4096",
        )?;
        field(
            self.listed_bytes()
                .is_some_and(|listed| listed <= self.max_board_bytes),
            "max_board_bytes",
            self.max_board_bytes,
            "at least the sum of the listed openers' max_bytes",
        )?;
        let ascending = |keys: &mut dyn Iterator<Item = &Hash>| keys.is_sorted_by(|a, b| a < b);
        if !ascending(&mut self.replicas.iter().map(|replica| &replica.validator)) {
            return Err(BadCharter::Order("replicas"));
        }
        if !ascending(&mut self.openers.iter().map(|opener| &opener.key)) {
            return Err(BadCharter::Order("openers"));
        }
        let mut seen = BTreeSet::new();
        for key in self.replicas.iter().flat_map(|r| [r.validator, r.operator]) {
            if !seen.insert(key) {
                return Err(BadCharter::Twice(key));
            }
        }
        Ok(())
    }

    /// Checks every key, which costs about as much as a signature's check for each.
    ///
    /// # Errors
    /// [`BadCharter::Key`].
    pub fn check_keys(&self) -> Result<(), BadCharter> {
        let check = |role, key: &Hash| {
            let checked = IdentityKey::from_bytes(&key.0).map(|_| ());
            checked.map_err(|reason| BadCharter::Key {
                role,
                key: *key,
                reason,
            })
        };
        for replica in &self.replicas {
            check("validator", &replica.validator)?;
            check("operator", &replica.operator)?;
        }
        let mut openers = self.openers.iter();
        openers.try_for_each(|opener| check("opener", &opener.key))
    }

    /// Checks what holds of the charter of term 0 only.
    pub(crate) fn check_first(&self) -> Result<(), BadCharter> {
        let first = self.term == 0 && self.previous == Hash::ZERO && self.until_ms == 0;
        first.then_some(()).ok_or(BadCharter::Field {
            field: "term",
            got: self.term.into(),
            expected: "0, with zeros for previous and until_ms, in a genesis",
        })
    }
}
