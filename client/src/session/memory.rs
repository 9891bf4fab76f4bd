//! The memory that a party has to have of a session, in its journal, or in this process only.

use std::path::{Path, PathBuf};

use white_city_party::{
    Memory, Place, Secret, Unrestored,
    journal::{EntryRecord, JournalId, Record, Seeds},
};
use white_city_wire::{Hash, Kem, SessionId};
use zeroize::Zeroizing;

use super::Session;
use crate::{
    Error,
    client::Client,
    journal::{Journal, Keys},
    kem::PartyKem,
    signer::Signer,
    vault::Unlock,
};

/// A session's memory as it was found.
#[derive(Default)]
pub(super) struct Found {
    journal: Option<Journal>,
    memory: Memory,
}

impl Found {
    /// Opens the journal and reads it.
    ///
    /// # Errors
    /// [`Error::Journal`], also where a slot was filled twice.
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
        let memory = Memory::of(PathBuf::from(path), records)?;
        Ok(Self {
            journal: Some(journal),
            memory,
        })
    }

    /// The highest state that this party is known to have read.
    pub(super) fn height(&self) -> u64 {
        self.memory.height()
    }

    /// Deletes a journal in which nothing was written.
    pub(super) fn discard(self) {
        if let (Some(journal), false) = (self.journal, self.memory.has_seeds())
            && let Err(error) = journal.remove()
        {
            tracing::warn!(%error, "an empty journal stays behind");
        }
    }

    /// The secret of the party at this place: the journal's, or a new one, which is kept before it is used.
    ///
    /// # Errors
    /// [`Error::Journal`]; [`Error::Random`].
    pub(super) fn secret(&mut self, place: &Place, kem: Kem) -> Result<Secret<PartyKem>, Error> {
        let journal = &mut self.journal;
        self.memory.secret(place, kem, || draw(journal.as_mut()))
    }

    /// Puts the memory into the session that it is of. The board's state is at least as new as what is remembered.
    ///
    /// # Errors
    /// [`Error::Fork`] when the session's history doesn't extend what this party has signed for; [`Error::Journal`].
    pub(super) fn restore(self, session: &mut Session) -> Result<(), Error> {
        session.journal = self.journal;
        let trust = session.observer.client().trust();
        let seen = session.observer.seen();
        let restored = session.party.restore(self.memory, seen, trust);
        restored.map_err(|unrestored| match unrestored {
            Unrestored::Journal(error) => error.into(),
            Unrestored::Fork {
                what,
                round,
                anchor,
            } => {
                let anchor = anchor.map(|anchor| *anchor);
                let fork = session.observer.fork_from(what, round, anchor);
                session.party.fail(fork)
            }
        })
    }
}

/// Draws everything random of the session.
fn draw(journal: Option<&mut Journal>) -> Result<Seeds, Error> {
    let draw = || {
        let mut random = vec![0; 32];
        getrandom::fill(&mut random).map_err(|error| Error::Random(error.to_string()))?;
        Ok::<_, Error>(random)
    };
    let seeds = Seeds {
        session: draw()?,
        protocol: draw()?,
    };
    if let Some(journal) = journal {
        let record = Record::Seeds(seeds.clone());
        let written = journal.append(&record);
        record.wipe();
        written?;
    }
    Ok(seeds)
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
        self.party.randomness(purpose)
    }

    /// Deletes the journal and the keys of this session, so that nobody can ever open what was sealed to this party. For when
    /// the result is safe: nothing of the session can be computed again.
    ///
    /// # Errors
    /// [`Error::Usage`] while the session lives and this party has signed something in it, or when its end is unknown
    /// ([`Session::forget_with`]); [`Error::Journal`].
    pub fn forget(self) -> Result<(), Error> {
        self.party.check_may_forget(self.observer.seen())?;
        self.remove_journal()
    }

    /// As [`Session::forget`], also where the session's end is unknown: for a party whose result is safe, which it shows by naming
    /// the outcome that it has finished with. Others may have seen the session finish or abort; this party has nothing to add, and
    /// what others have seen can be read without its keys.
    ///
    /// # Errors
    /// [`Error::Usage`] while the session lives, or when this party hasn't finished with this outcome; [`Error::Journal`].
    pub fn forget_with(self, outcome: Hash) -> Result<(), Error> {
        let seen = self.observer.seen();
        self.party.check_may_forget_with(seen, outcome)?;
        self.remove_journal()
    }

    fn remove_journal(self) -> Result<(), Error> {
        match self.journal {
            Some(journal) => Ok(journal.remove()?),
            None => Ok(()),
        }
    }

    /// Writes into the journal, if there is one, and waits until it is on the disk. A failure ends all writing on the board.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), Error> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let written = journal.append(record);
        written.map_err(|error| self.party.fail(error.into()))
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
}
