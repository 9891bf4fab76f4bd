//! The session that this is, and the party that we are in it.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use crate::hash;
use crate::{Error, KeyShare};

/// The least number of parties in a session.
pub const MIN_PARTIES: u16 = 2;
/// The greatest number of parties in a session.
pub const MAX_PARTIES: u16 = 1024;

/// One party's view of who takes part in what. Everything in it, except the own index, goes into every hash of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    sid: [u8; 32],
    roster: [u8; 32],
    parties: u16,
    index: u16,
}

impl Session {
    /// `sid`: unique for ever, and the same for all parties. `roster`: the parties' identity keys (any 32 bytes that tell them apart), in the
    /// session's order. `index`: this party's position.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the roster has [`MIN_PARTIES`] to [`MAX_PARTIES`] entries and the index is one of them;
    /// [`Error::Repeated`] if an entry is there twice.
    pub fn new(sid: [u8; 32], roster: &[[u8; 32]], index: u16) -> Result<Self, Error> {
        let parties = in_range("number of parties", roster.len(), MIN_PARTIES, MAX_PARTIES)?;
        in_range("own index", usize::from(index), 0, parties - 1)?;
        let mut seen = BTreeSet::new();
        for (position, key) in (0..parties).zip(roster) {
            if !seen.insert(key) {
                return Err(Error::Repeated { index: position });
            }
        }
        let roster = hash::digest("white-city/eddsa/roster/1", &[roster.as_flattened()]);
        Ok(Self {
            sid,
            roster,
            parties,
            index,
        })
    }

    /// This party's index in the roster, from 0.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.index
    }

    /// The roster's size.
    #[must_use]
    pub fn parties(&self) -> u16 {
        self.parties
    }

    /// A hash of the session and of `parts`, the protocol's own parameters.
    pub(crate) fn context(&self, tag: &str, parts: &[&[u8]]) -> [u8; 32] {
        let parties = self.parties.to_be_bytes();
        let mut all: Vec<&[u8]> = vec![&self.sid, &self.roster, &parties];
        all.extend_from_slice(parts);
        hash::digest(tag, &all)
    }

    /// This party's index in the roster of a key, where `places` has that of each of the parties `of` this session, of which it is one.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `places` is as long as `of`; [`Error::NotAParticipant`], [`Error::Repeated`]; [`Error::WrongShare`] if the share
    /// is another party's.
    pub(crate) fn place_of(
        &self,
        key: &KeyShare,
        of: &[u16],
        places: &[u16],
    ) -> Result<u16, Error> {
        let parties = u16::try_from(of.len()).unwrap_or(u16::MAX);
        in_range(
            "number of the key's parties",
            places.len(),
            parties,
            parties,
        )?;
        let (mut seen, mut own) = (BTreeSet::new(), None);
        for (&party, &index) in of.iter().zip(places) {
            if key.participants().binary_search(&index).is_err() {
                return Err(Error::NotAParticipant { index });
            }
            if !seen.insert(index) {
                return Err(Error::Repeated { index: party });
            }
            if party == self.index {
                own = Some(index);
            }
        }
        match own {
            Some(own) if own == key.index() => Ok(own),
            own => Err(Error::WrongShare {
                expected: own.unwrap_or_default(),
                got: key.index(),
            }),
        }
    }

    /// Refuses messages of indices outside of `members`, and a missing or changed message of our own.
    pub(crate) fn check_senders<T: AsRef<[u8]>>(
        &self,
        round: u16,
        sent: &[u8],
        messages: &BTreeMap<u16, T>,
        is_member: impl Fn(u16) -> bool,
    ) -> Result<(), Error> {
        if let Some(&party) = messages.keys().find(|&&party| !is_member(party)) {
            return Err(Error::Unexpected { party, round });
        }
        match messages.get(&self.index) {
            Some(own) if own.as_ref() == sent => Ok(()),
            _ => Err(Error::OwnMessage { round }),
        }
    }
}

/// `got` as a `u16`, if it is one of `min..=max`.
pub(crate) fn in_range(what: &'static str, got: usize, min: u16, max: u16) -> Result<u16, Error> {
    match u16::try_from(got) {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(Error::Parameter {
            what,
            got,
            min: min.into(),
            max: max.into(),
        }),
    }
}

/// The post of a party in one round.
#[derive(Clone, Default)]
pub struct Outgoing {
    /// For everybody; empty if the round has no broadcast.
    pub broadcast: Vec<u8>,
    /// For single parties, by index: secret plaintexts, to be sealed by the caller.
    pub p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

impl Outgoing {
    pub(crate) fn broadcast(broadcast: Vec<u8>) -> Self {
        Self {
            broadcast,
            p2p: BTreeMap::new(),
        }
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let recipients: Vec<_> = self.p2p.keys().collect();
        f.debug_struct("Outgoing")
            .field("broadcast_bytes", &self.broadcast.len())
            .field("p2p_to", &recipients)
            .finish()
    }
}

/// `Debug` that says which state it is and nothing of what is in it.
macro_rules! opaque_debug {
    ($($name:ident),+) => {$(
        impl<B: crate::Backend> std::fmt::Debug for $name<B> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}
pub(crate) use opaque_debug;
