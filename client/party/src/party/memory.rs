//! The memory that a party has to have of a session: seeds, what it has signed, that it has left.

use std::{path::PathBuf, sync::Arc};

use hkdf::Hkdf;
use sha2::Sha256;
use white_city_verify::Trust;
use white_city_wire::{
    Hash, Kem, SessionId, SignedTx,
    limits::ENTRY_BYTES,
    payload::{DecryptionKey, PayloadKem, SessionSeed},
    pb,
    tx::{Action, Join},
};
use zeroize::{Zeroize, Zeroizing};

use super::{End, Filling, Notes, Party, Place, Seen, slot::entry_digest};
use crate::{
    Error,
    journal::{EntryRecord, JournalError, Record, Seeds},
};

/// The secrets that this party seals with, is sealed to, and lets its protocol draw from.
pub struct Secret<K: PayloadKem> {
    pub(super) seed: SessionSeed,
    pub(super) key: DecryptionKey<K>,
    protocol: Zeroizing<[u8; 32]>,
}

impl<K: PayloadKem> Secret<K> {
    /// The secrets that a party derives from its seeds; `None` if they aren't 32 bytes each.
    pub(super) fn new(seeds: Seeds, kem: Kem, session: &SessionId, index: u16) -> Option<Self> {
        let protocol = Zeroizing::new(<[u8; 32]>::try_from(seeds.protocol.as_slice()).ok()?);
        let mut bytes = <[u8; 32]>::try_from(seeds.session.as_slice()).ok()?;
        let seed = SessionSeed::new(bytes);
        bytes.zeroize();
        seeds.wipe();
        Some(Self {
            key: seed.decryption_key(kem, session, index),
            seed,
            protocol,
        })
    }

    /// Whether this is the key that a party has joined with.
    pub(super) fn is_of(&self, join: &Join) -> bool {
        let kem = join.key.kem();
        let key = self.seed.encryption_key(kem, &join.session, join.index);
        key.as_ref() == Ok(&join.key)
    }
}

/// A session's memory as it was found.
#[derive(Default)]
pub struct Memory {
    /// Where it was found.
    path: PathBuf,
    seeds: Option<Seeds>,
    entries: Vec<EntryRecord>,
    leave: Option<Vec<u8>>,
    remembered: Notes,
}

/// Why a memory isn't of the session that the board shows.
#[derive(Debug)]
pub enum Unrestored {
    /// It isn't what this program writes.
    Journal(JournalError),
    /// The history doesn't extend what this party has signed for.
    Fork {
        /// The difference, in words.
        what: String,
        /// The round that it has signed for.
        round: u32,
        /// The proof of the history that it had read then.
        anchor: Option<Box<pb::Anchor>>,
    },
}

impl From<JournalError> for Unrestored {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl Memory {
    /// The memory that these records are, which were found there.
    ///
    /// # Errors
    /// [`JournalError::Other`] where a slot was filled twice.
    pub fn of(path: PathBuf, records: Vec<Record>) -> Result<Self, JournalError> {
        let mut found = Self {
            path,
            ..Self::default()
        };
        for record in records {
            match record {
                Record::Seeds(seeds) => found.seeds = Some(seeds),
                Record::Entry(entry) => {
                    if found.entries.iter().any(|one| one.round == entry.round) {
                        return Err(found.unexpected());
                    }
                    found.entries.push(*entry);
                }
                Record::Leave(tx) => found.leave = Some(tx),
                Record::Remembered(note) => found.remembered.take(note),
            }
        }
        Ok(found)
    }

    /// The highest state that this party is known to have read.
    #[must_use]
    pub fn height(&self) -> u64 {
        let heights = self.entries.iter().map(|entry| entry.height);
        heights.max().unwrap_or(0)
    }

    /// Whether seeds are remembered.
    #[must_use]
    pub const fn has_seeds(&self) -> bool {
        self.seeds.is_some()
    }

    /// The secret of the party at this place: the one that is remembered, or a new one, which whoever draws it keeps before it is used.
    ///
    /// # Errors
    /// [`JournalError::Other`] for a memory of entries without seeds; what `draw` says.
    pub fn secret<K: PayloadKem, E: From<JournalError>>(
        &mut self,
        place: &Place,
        kem: Kem,
        draw: impl FnOnce() -> Result<Seeds, E>,
    ) -> Result<Secret<K>, E> {
        let seeds = match self.seeds.take() {
            Some(seeds) => seeds,
            None if self.entries.is_empty() => draw()?,
            None => return Err(self.unexpected().into()),
        };
        let secret = Secret::new(seeds, kem, &place.session, place.index);
        secret.ok_or_else(|| self.unexpected().into())
    }

    fn unexpected(&self) -> JournalError {
        JournalError::Other {
            path: self.path.clone(),
            expected: "what this program writes",
        }
    }
}

/// Bytes that the entry counts against its author's share.
fn counts(action: &Action) -> u64 {
    match action {
        Action::Post(post) => ENTRY_BYTES
            .saturating_add(post.header.bcast_len.into())
            .saturating_add(post.header.p2p_bytes.into()),
        Action::Finish(_) => ENTRY_BYTES,
        _ => 0,
    }
}

impl<K: PayloadKem> Party<K> {
    /// Takes the memory of what this party has signed. The board's state is at least as new as what is remembered.
    ///
    /// # Errors
    /// [`Unrestored`].
    pub fn restore(
        &mut self,
        memory: Memory,
        seen: Seen<'_>,
        trust: &Trust,
    ) -> Result<(), Unrestored> {
        let unexpected = memory.unexpected();
        self.notes = memory.remembered;
        for entry in memory.entries {
            let filling = self.filling_of(&entry).ok_or_else(|| unexpected.clone())?;
            check_era(&entry, trust)?;
            check_extends(&entry, &filling, seen)?;
            self.signed.insert(entry.round, filling);
        }
        if let Some(tx) = memory.leave {
            match self.own_action(&tx) {
                Some(Action::Leave {
                    session: of,
                    index,
                    leave,
                }) => self.leave = Some((leave.digest(&of, index), Arc::new(tx))),
                _ => return Err(unexpected.into()),
            }
        }
        Ok(())
    }

    /// 32 secret bytes for what the protocol draws at random, for one purpose: always the same ones in one session with one
    /// journal, also after a crash. A protocol that draws from them, and takes everything else from its inboxes, posts after a
    /// restart what it posted before.
    ///
    /// Whatever else goes into the protocol (the message, the share) has to be the same, too, or what is reused may be a nonce;
    /// the board notices once an entry was posted ([`Error::Differs`]).
    #[must_use]
    pub fn randomness(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut drawn = Zeroizing::new([0; 32]);
        let length = u64::try_from(purpose.len()).unwrap_or(u64::MAX);
        let info: [&[u8]; 4] = [
            b"white-city/protocol/1",
            &self.place.session.0,
            &length.to_be_bytes(),
            purpose.as_bytes(),
        ];
        // 32 bytes are one block of HKDF-SHA256, which can't be too long.
        let expanded =
            Hkdf::<Sha256>::new(None, &*self.secret.protocol).expand_multi_info(&info, &mut *drawn);
        debug_assert!(expanded.is_ok());
        drawn
    }

    /// Whether nobody needs this party's memory any more, once its result is safe: nothing of the session can be computed again without.
    ///
    /// # Errors
    /// [`Error::Usage`] while the session lives and this party has signed something in it, or when its end is unknown
    /// ([`Party::check_may_forget_with`]).
    pub fn check_may_forget(&self, seen: Seen<'_>) -> Result<(), Error> {
        match self.as_seen_by_me(seen) {
            Some(End::Finished { .. } | End::Aborted(_)) => Ok(()),
            None if !self.has_signed() => Ok(()),
            Some(End::Unknown(_)) | None => {
                let expected = "to be kept until the session has ended, and everybody knows how";
                Err(Error::usage("journal", expected))
            }
        }
    }

    /// As [`Party::check_may_forget`], also where the session's end is unknown: for a party whose result is safe, which it shows by naming
    /// the outcome that it has finished with. Others may have seen the session finish or abort; this party has nothing to add, and
    /// what others have seen can be read without its keys.
    ///
    /// # Errors
    /// [`Error::Usage`] while the session lives, or when this party hasn't finished with this outcome.
    pub fn check_may_forget_with(&self, seen: Seen<'_>, outcome: Hash) -> Result<(), Error> {
        let said = |own: &Filling| matches!(&own.action, Action::Finish(finish) if finish.outcome == outcome);
        let has_finished = self.signed.values().any(said);
        match self.as_seen_by_me(seen) {
            Some(End::Unknown(_)) if has_finished => Ok(()),
            Some(End::Unknown(_)) => {
                let expected = "the outcome that this party has finished with";
                Err(Error::usage("outcome", expected))
            }
            _ => self.check_may_forget(seen),
        }
    }

    /// Bytes that all entries so far count against this party's share.
    pub(super) fn used_bytes(&self) -> u64 {
        let used = self.signed.values().map(|own| counts(&own.action));
        used.fold(0, u64::saturating_add)
    }

    fn filling_of(&self, entry: &EntryRecord) -> Option<Filling> {
        let action = self.own_action(&entry.tx)?;
        Some(Filling {
            digest: entry_digest(&action)?,
            plaintexts: None,
            action,
            tx: Some(Arc::new(entry.tx.clone())),
            is_shown: false,
            is_checked: false,
        })
    }

    /// The action that this party has signed, from a transaction of its own.
    fn own_action(&self, tx: &[u8]) -> Option<Action> {
        let Place {
            identity,
            n,
            network,
            ..
        } = &self.place;
        let tx = SignedTx::decode(tx).and_then(|tx| tx.verify(identity, *n, network));
        Some(tx.ok()?.action().clone())
    }
}

/// Whether the validators have handed over as this party has seen it. The board's state is at least as new as that one was, so the era
/// has begun.
fn check_era(entry: &EntryRecord, trust: &Trust) -> Result<(), Unrestored> {
    let link = trust.link_to(entry.era);
    if entry.era == 0 || link.is_some_and(|link| link.0[..] == entry.link[..]) {
        return Ok(());
    }
    let what = format!(
        "another history than this party has signed for in round {}, where era {} had begun otherwise",
        entry.round, entry.era
    );
    Err(fork(what, entry))
}

/// Whether the history that the board shows is the one that this party has signed for.
fn check_extends(entry: &EntryRecord, filling: &Filling, seen: Seen<'_>) -> Result<(), Unrestored> {
    let signed_for = match &filling.action {
        Action::Post(post) => post.header.transcript,
        Action::Finish(finish) => finish.transcript,
        _ => return Ok(()),
    };
    if seen.history.transcript_before(entry.round) == Some(signed_for) {
        return Ok(());
    }
    let round = entry.round;
    let what = format!("another history than this party has signed for in round {round}");
    Err(fork(what, entry))
}

fn fork(what: String, entry: &EntryRecord) -> Unrestored {
    Unrestored::Fork {
        what,
        round: entry.round,
        anchor: entry.anchor.clone().map(Box::new),
    }
}

#[cfg(test)]
mod tests {
    use white_city_wire::{NetworkId, payload::LibraryKem};

    use super::*;
    use crate::OwnKey;

    fn entry(round: u32, height: u64) -> Record {
        Record::Entry(Box::new(EntryRecord {
            round,
            tx: vec![1],
            height,
            anchor: None,
            era: 0,
            link: Vec::new(),
        }))
    }

    fn found(records: Vec<Record>) -> Result<Memory, JournalError> {
        Memory::of("journal".into(), records)
    }

    #[test]
    fn a_journal_in_which_a_slot_is_filled_twice_or_without_seeds_is_refused() {
        let place = Place {
            network: NetworkId([1; 32]),
            max_tx: 1,
            session: SessionId([2; 32]),
            index: 0,
            n: 2,
            identity: OwnKey::from_seed(&[3; 32]).unwrap().identity(),
        };
        let secret = |found: &mut Memory| {
            let draw = || {
                Ok(Seeds {
                    session: vec![4; 32],
                    protocol: vec![5; 32],
                })
            };
            let secret = found.secret::<LibraryKem, JournalError>(&place, Kem::XWing, draw);
            secret.map(drop)
        };
        let mut empty = found(Vec::new()).unwrap();
        assert_eq!(secret(&mut empty), Ok(()));
        let twice = found(vec![entry(0, 1), entry(1, 2), entry(1, 3)]).err();
        assert!(
            matches!(twice, Some(JournalError::Other { .. })),
            "{twice:?}"
        );
        let mut seedless = found(vec![entry(0, 1)]).unwrap();
        let refused = secret(&mut seedless);
        assert!(
            matches!(refused, Err(JournalError::Other { .. })),
            "{refused:?}"
        );
    }

    /// A party that comes back is shown nothing older than what it has signed for.
    #[test]
    fn a_party_remembers_the_highest_state_that_it_has_signed_for() {
        assert_eq!(found(Vec::new()).unwrap().height(), 0);
        let records = vec![entry(0, 3), entry(1, 9), entry(2, 7)];
        assert_eq!(found(records).unwrap().height(), 9);
    }
}
