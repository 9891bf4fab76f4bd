//! The memory that a party has to have of a session: seeds, what it has signed, that it has left. In its journal, or in this
//! process only.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use hkdf::Hkdf;
use sha2::Sha256;
use white_city_wire::{
    Hash, Kem, SessionId, SignedTx,
    limits::ENTRY_BYTES,
    payload::{DecryptionKey, SessionSeed},
    tx::Action,
};
use zeroize::{Zeroize, Zeroizing};

use super::{End, Filling, Session, notes::Notes};
use crate::{
    Error,
    client::Client,
    journal::{EntryRecord, Journal, JournalError, JournalId, Keys, Record, Seeds},
    kem::PartyKem,
    signer::Signer,
    vault::Unlock,
};

/// The secrets that this party seals with, is sealed to, and lets its protocol draw from.
pub(super) struct Secret {
    pub(super) seed: SessionSeed,
    pub(super) key: DecryptionKey<PartyKem>,
    protocol: Zeroizing<[u8; 32]>,
}

impl Secret {
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
}

/// A session's memory as it was found.
#[derive(Default)]
pub(super) struct Memory {
    journal: Option<Journal>,
    seeds: Option<Seeds>,
    entries: Vec<EntryRecord>,
    leave: Option<Vec<u8>>,
    remembered: Notes,
}

/// The joins and entries that were signed, by round.
pub(super) type Fillings = BTreeMap<u32, Filling>;

impl Memory {
    /// Opens the journal and reads it.
    pub(super) fn open(
        (path, unlock): (&Path, Option<&Unlock>),
        client: &Client,
        session: SessionId,
        signer: &dyn Signer,
    ) -> Result<Self, Error> {
        let id = JournalId {
            network: client.network().id,
            session,
            identity: signer.identity(),
        };
        let keys = Keys {
            storage: signer.storage_key()?,
            unlock,
        };
        let (journal, records) = Journal::open(path, &id, &keys)?;
        Self::of(journal, records)
    }

    /// # Errors
    /// [`Error::Journal`] where a slot was filled twice.
    fn of(journal: Journal, records: Vec<Record>) -> Result<Self, Error> {
        let mut found = Self {
            journal: Some(journal),
            ..Self::default()
        };
        for record in records {
            match record {
                Record::Seeds(seeds) => found.seeds = Some(seeds),
                Record::Entry(entry) => {
                    if found.entries.iter().any(|one| one.round == entry.round) {
                        return Err(unexpected(found.journal.as_ref()));
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
    pub(super) fn height(&self) -> u64 {
        let heights = self.entries.iter().map(|entry| entry.height);
        heights.max().unwrap_or(0)
    }

    /// Deletes a journal in which nothing was written.
    pub(super) fn discard(self) {
        if let (Some(journal), None) = (self.journal, self.seeds)
            && let Err(error) = journal.remove()
        {
            tracing::warn!(%error, "an empty journal stays behind");
        }
    }

    /// The secret of the party with this index: the journal's, or a new one, which is kept before it is used.
    ///
    /// # Errors
    /// [`Error::Journal`]; [`Error::Random`].
    pub(super) fn secret(
        &mut self,
        kem: Kem,
        session: &SessionId,
        index: u16,
    ) -> Result<Secret, Error> {
        let seeds = match self.seeds.take() {
            Some(seeds) => seeds,
            None if self.entries.is_empty() => self.draw()?,
            None => return Err(unexpected(self.journal.as_ref())),
        };
        Secret::new(seeds, kem, session, index).ok_or_else(|| unexpected(self.journal.as_ref()))
    }

    /// Draws everything random of the session.
    fn draw(&mut self) -> Result<Seeds, Error> {
        let draw = || {
            let mut random = vec![0; 32];
            getrandom::fill(&mut random).map_err(|error| Error::Random(error.to_string()))?;
            Ok::<_, Error>(random)
        };
        let seeds = Seeds {
            session: draw()?,
            protocol: draw()?,
        };
        if let Some(journal) = &mut self.journal {
            let record = Record::Seeds(seeds.clone());
            let written = journal.append(&record);
            record.wipe();
            written?;
        }
        Ok(seeds)
    }

    /// Puts the memory into the session that it is of. The board's state is at least as new as what is remembered.
    ///
    /// # Errors
    /// [`Error::Fork`] when the session's history doesn't extend what this party has signed for; [`Error::Journal`].
    pub(super) fn restore(self, session: &mut Session) -> Result<(), Error> {
        session.journal = self.journal;
        session.notes = self.remembered;
        for entry in self.entries {
            let filling = session.filling_of(&entry)?;
            session.check_era(&entry)?;
            session.check_extends(&entry, &filling)?;
            session.signed.insert(entry.round, filling);
        }
        if let Some(tx) = self.leave {
            match session.own_action(&tx)? {
                Action::Leave {
                    session: of,
                    index,
                    leave,
                } => session.leave = Some((leave.digest(&of, index), Arc::new(tx))),
                _ => return Err(unexpected(session.journal.as_ref())),
            }
        }
        Ok(())
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

fn unexpected(journal: Option<&Journal>) -> Error {
    Error::Journal(JournalError::Other {
        path: journal.map_or_else(PathBuf::new, |journal| journal.path().to_owned()),
        expected: "what this program writes",
    })
}

impl Session {
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
            &self.id().0,
            &length.to_be_bytes(),
            purpose.as_bytes(),
        ];
        // 32 bytes are one block of HKDF-SHA256, which can't be too long.
        let expanded =
            Hkdf::<Sha256>::new(None, &*self.secret.protocol).expand_multi_info(&info, &mut *drawn);
        debug_assert!(expanded.is_ok());
        drawn
    }

    /// Deletes the journal and the keys of this session, so that nobody can ever open what was sealed to this party. For when
    /// the result is safe: nothing of the session can be computed again.
    ///
    /// # Errors
    /// [`Error::Usage`] while the session lives and this party has signed something in it, or when its end is unknown
    /// ([`Session::forget_with`]); [`Error::Journal`].
    pub fn forget(self) -> Result<(), Error> {
        match self.as_seen_by_me() {
            Some(End::Finished { .. } | End::Aborted(_)) => self.remove_journal(),
            None if !self.has_signed() => self.remove_journal(),
            Some(End::Unknown(_)) | None => {
                let expected = "to be kept until the session has ended, and everybody knows how";
                Err(Error::usage("journal", expected))
            }
        }
    }

    /// As [`Session::forget`], also where the session's end is unknown: for a party whose result is safe, which it shows by naming
    /// the outcome that it has finished with. Others may have seen the session finish or abort; this party has nothing to add, and
    /// what others have seen can be read without its keys.
    ///
    /// # Errors
    /// [`Error::Usage`] while the session lives, or when this party hasn't finished with this outcome; [`Error::Journal`].
    pub fn forget_with(self, outcome: Hash) -> Result<(), Error> {
        let said = |own: &Filling| matches!(&own.action, Action::Finish(finish) if finish.outcome == outcome);
        let has_finished = self.signed.values().any(said);
        match self.as_seen_by_me() {
            Some(End::Unknown(_)) if has_finished => self.remove_journal(),
            Some(End::Unknown(_)) => {
                let expected = "the outcome that this party has finished with";
                Err(Error::usage("outcome", expected))
            }
            _ => self.forget(),
        }
    }

    fn remove_journal(self) -> Result<(), Error> {
        match self.journal {
            Some(journal) => Ok(journal.remove()?),
            None => Ok(()),
        }
    }

    /// Bytes that all entries so far count against this party's share.
    pub(super) fn used_bytes(&self) -> u64 {
        let used = self.signed.values().map(|own| counts(&own.action));
        used.fold(0, u64::saturating_add)
    }

    /// Writes into the journal, if there is one, and waits until it is on the disk. A failure ends all writing on the board.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), Error> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let written = journal.append(record);
        written.map_err(|error| self.fail(error.into()))
    }

    /// Keeps what was signed for a slot: before it is sent for the first time.
    pub(super) fn record_entry(&mut self, round: u32, tx: &[u8]) -> Result<(), Error> {
        if self.journal.is_none() {
            return Ok(());
        }
        let (era, link) = self.observer.era();
        let record = Record::Entry(Box::new(EntryRecord {
            round,
            tx: tx.to_vec(),
            height: self.observer.height(),
            anchor: self.observer.anchor_at(round),
            era,
            link: link.map_or_else(Vec::new, |link| link.0.to_vec()),
        }));
        self.record(&record)
    }

    fn filling_of(&self, entry: &EntryRecord) -> Result<Filling, Error> {
        let action = self.own_action(&entry.tx)?;
        let digest = entry_digest(&action).ok_or_else(|| unexpected(self.journal.as_ref()))?;
        Ok(Filling {
            digest,
            plaintexts: None,
            action,
            tx: Some(Arc::new(entry.tx.clone())),
            is_shown: false,
            is_checked: false,
        })
    }

    /// The action that this party has signed, from a transaction of its own.
    fn own_action(&self, tx: &[u8]) -> Result<Action, Error> {
        let network = self.client().network().id;
        let tx = SignedTx::decode(tx).and_then(|tx| {
            let identity = self.signer.identity();
            tx.verify(&identity, self.n(), &network)
        });
        tx.map(|tx| tx.action().clone())
            .map_err(|_| unexpected(self.journal.as_ref()))
    }

    /// Whether the validators have handed over as this party has seen it. The board's state is at least as new as that one was, so the era
    /// has begun.
    fn check_era(&mut self, entry: &EntryRecord) -> Result<(), Error> {
        let link = self.client().trust().link_to(entry.era);
        if entry.era == 0 || link.is_some_and(|link| link.0[..] == entry.link[..]) {
            return Ok(());
        }
        let what = format!(
            "another history than this party has signed for in round {}, where era {} had begun otherwise",
            entry.round, entry.era
        );
        let fork = self
            .observer
            .fork_from(what, entry.round, entry.anchor.clone());
        Err(self.fail(fork))
    }

    /// Whether the history that the board shows is the one that this party has signed for.
    fn check_extends(&mut self, entry: &EntryRecord, filling: &Filling) -> Result<(), Error> {
        let signed_for = match &filling.action {
            Action::Post(post) => post.header.transcript,
            Action::Finish(finish) => finish.transcript,
            _ => return Ok(()),
        };
        if self.observer.history().transcript_before(entry.round) == Some(signed_for) {
            return Ok(());
        }
        let round = entry.round;
        let what = format!("another history than this party has signed for in round {round}");
        let fork = self.observer.fork_from(what, round, entry.anchor.clone());
        Err(self.fail(fork))
    }
}

/// The digest of what can fill a slot.
pub(super) fn entry_digest(action: &Action) -> Option<Hash> {
    match action {
        Action::Join(join) => Some(join.digest()),
        Action::Post(post) => Some(post.header.digest()),
        Action::Finish(finish) => Some(finish.digest()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use white_city_wire::NetworkId;

    use super::*;
    use crate::LocalKey;

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

    /// The memory that is found in a journal with these records.
    fn found(records: Vec<Record>) -> Result<Memory, Error> {
        let dir = tempfile::tempdir().unwrap();
        let id = JournalId {
            network: NetworkId([1; 32]),
            session: SessionId([2; 32]),
            identity: LocalKey::from_seed(&[3; 32]).unwrap().identity(),
        };
        let keys = Keys {
            storage: Zeroizing::new([4; 32]),
            unlock: None,
        };
        let (journal, none) = Journal::open(&dir.path().join("journal"), &id, &keys).unwrap();
        assert!(none.is_empty());
        Memory::of(journal, records)
    }

    #[test]
    fn a_journal_in_which_a_slot_is_filled_twice_or_without_seeds_is_refused() {
        let secret =
            |found: &mut Memory| found.secret(Kem::XWing, &SessionId([2; 32]), 0).map(drop);
        let mut empty = found(Vec::new()).unwrap();
        assert_eq!(secret(&mut empty), Ok(()));
        let twice = found(vec![entry(0, 1), entry(1, 2), entry(1, 3)]).err();
        assert!(matches!(twice, Some(Error::Journal(_))), "{twice:?}");
        let mut seedless = found(vec![entry(0, 1)]).unwrap();
        let refused = secret(&mut seedless);
        assert!(matches!(refused, Err(Error::Journal(_))), "{refused:?}");
    }

    /// A party that comes back is shown nothing older than what it has signed for.
    #[test]
    fn a_party_remembers_the_highest_state_that_it_has_signed_for() {
        assert_eq!(found(Vec::new()).unwrap().height(), 0);
        let records = vec![entry(0, 3), entry(1, 9), entry(2, 7)];
        assert_eq!(found(records).unwrap().height(), 9);
    }
}
