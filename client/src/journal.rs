//! A party's journal of one session, with which it goes on after a crash.
//!
//! An append-only file, encrypted under the identity and, wherever there is a vault, what opens that ([`crate::Client::resume_locked`]).
//! It holds the seeds of everything that this party draws at random in the session, and every join and entry that it has signed,
//! each written and synced *before* it is sent for the first time; and what the protocol wants to find again ([`crate::Session::remember`]).
//!
//! **What it gives away.** Whoever opens a journal and sees the board can run this party's protocol again: of a key generation that
//! is the share. So a journal is as secret as the share, and as short-lived as can be: [`crate::Session::forget`],
//! [`crate::Session::forget_with`]. What the protocol derives again from the seeds isn't in it, so that a journal of a signature, where
//! nonces also depend on the share, gives no share away even to whoever opens it.
//!
//! **Why a party that was killed can't equivocate, and reuses no nonce.** Whatever it ever sent for a slot is in the journal,
//! and for a slot that is in the journal nothing else is ever signed: it sends those bytes again. What isn't in the journal was
//! never sent. The protocol starts anew from the same randomness and reads the same inboxes: a history that doesn't extend every
//! transcript that it has signed for is refused as a fork. So the same nonce meets the same messages only.
//!
//! **Why there is only one writer.** The file is locked exclusively as long as the [`crate::Session`] lives; the operating system
//! gives the lock back when the process dies, however it dies. Two names of one file are one file to the lock. What no lock
//! can see is a *copy*: a journal (or a whole machine) that was restored from a snapshot, or that is used on two hosts, has
//! forgotten what was sent since. **Never back one up, and never restore one**; keep it on a disk of the machine that uses it. A
//! backup would outlive the keys that end with the journal, too.
//!
//! **What a crash can leave.** A record that was being written is at the end and incomplete, and was never acted on: it is cut
//! off. Everything else that doesn't fit (a changed byte, a record that is missing, moved or of another journal) is refused.

#[cfg(feature = "fuzzing")]
pub mod chosen;
mod kept;
mod lock;

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

pub use kept::{Kept, forget, read};
use lock::Lock;
pub use white_city_party::journal::JournalError;
use white_city_party::journal::{
    HEADER_BYTES, Header, JournalId, PREFIX_BYTES, RECORD_BYTES_MAX, Record, Sealer, Torn,
};
use zeroize::Zeroizing;

use crate::{
    files::{FileError, Locked, check_owner_only, create_secret, is_still, sync_folder},
    vault::{Unlock, VaultError},
};

impl From<FileError> for JournalError {
    fn from(error: FileError) -> Self {
        Self::File(error.to_string())
    }
}

/// The keys that a journal is encrypted under.
pub(crate) struct Keys<'a> {
    /// The identity's storage key.
    pub(crate) storage: Zeroizing<[u8; 32]>,
    /// The passphrase or key of the party's vault, if it has one.
    pub(crate) unlock: Option<&'a Unlock>,
}

/// An open, locked journal.
pub(crate) struct Journal {
    path: PathBuf,
    file: Locked,
    sealer: Sealer,
    is_broken: bool,
}

impl Journal {
    /// Opens a journal, or begins one where there is no file, and gives what it holds.
    pub(crate) fn open(
        path: &Path,
        id: &JournalId,
        keys: &Keys<'_>,
    ) -> Result<(Self, Vec<Record>), JournalError> {
        let (file, header) = open_locked(path, id, Lock::of(keys))?;
        let header = Header::decode(&header).filter(|header| header.id == *id);
        let other = |path: &Path| JournalError::Other {
            path: path.to_owned(),
            expected: "a journal, version 2, of this session, network and identity",
        };
        let header = header.ok_or_else(|| other(path))?;
        let lock = Lock::decode(&header.lock).ok_or_else(|| other(path))?;
        let secret = lock.secret(keys, &header.salt);
        let secret = secret.map_err(|error| unlock_error(path, &error))?;
        let mut journal = Self {
            path: path.to_owned(),
            file,
            sealer: Sealer::new(&header, &secret),
            is_broken: false,
        };
        let records = journal.read()?;
        Ok((journal, records))
    }

    /// Writes a record and waits until it is on the disk.
    pub(crate) fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        if self.is_broken {
            let path = self.path.clone();
            return Err(JournalError::Broken { path });
        }
        let plaintext = record.to_bytes();
        let mut nonce = [0; 24];
        getrandom::fill(&mut nonce).map_err(|error| JournalError::Random(error.to_string()))?;
        let sealed = self.sealer.seal(&plaintext, nonce);
        let sealed = sealed.ok_or_else(|| JournalError::TooLarge {
            path: self.path.clone(),
            got: plaintext.len(),
            max: RECORD_BYTES_MAX,
        })?;
        let file = &mut self.file.0;
        let written = file.write_all(&sealed).and_then(|()| file.sync_data());
        self.is_broken = written.is_err();
        written.map_err(|error| io_error(&self.path, &error))
    }

    /// Deletes the file, and with it the keys of the session.
    pub(crate) fn remove(self) -> Result<(), JournalError> {
        std::fs::remove_file(&self.path).map_err(|error| io_error(&self.path, &error))?;
        Ok(sync_folder(&self.path)?)
    }

    /// Reads all records, and cuts off what was being written when the party was killed.
    fn read(&mut self) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        let mut offset = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
        let corrupt = |path: &Path, offset| JournalError::Corrupt {
            path: path.to_owned(),
            offset,
        };
        loop {
            match self.read_record() {
                Ok(None) => return Ok(records),
                Ok(Some(found)) => {
                    let record = Record::from_bytes(&found.plaintext);
                    records.push(record.ok_or_else(|| corrupt(&self.path, offset))?);
                    offset = offset.saturating_add(found.bytes);
                }
                Err(RecordError::Io(error)) => return Err(io_error(&self.path, &error)),
                Err(RecordError::Corrupt) => return Err(corrupt(&self.path, offset)),
                Err(RecordError::Torn) => {
                    tracing::warn!(
                        path = %self.path.display(),
                        offset,
                        "the journal ends in a record that wasn't finished: it is cut off"
                    );
                    self.cut(offset)
                        .map_err(|error| io_error(&self.path, &error))?;
                    return Ok(records);
                }
            }
        }
    }

    /// The next record; `None` at the end.
    fn read_record(&mut self) -> Result<Option<FoundRecord>, RecordError> {
        let mut prefix = [0; PREFIX_BYTES];
        match read_up_to(&mut self.file.0, &mut prefix)? {
            0 => return Ok(None),
            PREFIX_BYTES => {}
            _ => return Err(RecordError::Torn),
        }
        if prefix == [0; PREFIX_BYTES] {
            return Err(self.torn_if_zeros()?);
        }
        let size = self
            .sealer
            .body_bytes(&prefix)
            .ok_or(RecordError::Corrupt)?;
        let mut body = vec![0; size];
        if read_up_to(&mut self.file.0, &mut body)? < size {
            return Err(RecordError::Torn);
        }
        match self.sealer.open(&prefix, &body) {
            Ok(plaintext) => {
                let bytes = u64::try_from(prefix.len().saturating_add(size));
                Ok(Some(FoundRecord {
                    plaintext,
                    bytes: bytes.unwrap_or(u64::MAX),
                }))
            }
            // The file's size was on the disk before its last bytes.
            Err(Torn::Maybe) => Err(self.torn_if_zeros()?),
            Err(Torn::No) => Err(RecordError::Corrupt),
        }
    }

    /// After a loss of power a file can end in zeros that nobody wrote. A record isn't made of them.
    fn torn_if_zeros(&mut self) -> Result<RecordError, RecordError> {
        let mut chunk = [0; 4_096];
        loop {
            let got = read_up_to(&mut self.file.0, &mut chunk)?;
            let is_zeros = chunk.iter().take(got).all(|byte| *byte == 0);
            match (got, is_zeros) {
                (0, _) => return Ok(RecordError::Torn),
                (_, false) => return Ok(RecordError::Corrupt),
                _ => {}
            }
        }
    }

    fn cut(&mut self, offset: u64) -> io::Result<()> {
        let file = &mut self.file.0;
        file.set_len(offset)?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(offset)).map(|_| ())
    }
}

/// A record in the file.
struct FoundRecord {
    plaintext: Zeroizing<Vec<u8>>,
    /// Its size in the file.
    bytes: u64,
}

enum RecordError {
    Io(io::Error),
    /// The last record is incomplete.
    Torn,
    /// Something else was written here, or changed.
    Corrupt,
}

impl From<io::Error> for RecordError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn io_error(path: &Path, error: &io::Error) -> JournalError {
    JournalError::File(format!("{}: {error}", path.display()))
}

fn unlock_error(path: &Path, error: &VaultError) -> JournalError {
    let path = path.to_owned();
    match error {
        VaultError::OtherUnlock { expected } => JournalError::OtherUnlock { path, expected },
        other => JournalError::Unlock {
            path,
            reason: other.to_string(),
        },
    }
}

/// Opens the file, or makes it, takes its lock, and reads its header.
fn open_locked(path: &Path, id: &JournalId, lock: Lock) -> Result<(Locked, Vec<u8>), JournalError> {
    loop {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut salt = [0; 32];
                getrandom::fill(&mut salt)
                    .map_err(|error| JournalError::Random(error.to_string()))?;
                // It can be neither opened nor made: what it points to isn't there.
                if path.is_symlink() && !path.exists() {
                    let dangling = io::Error::other("a symbolic link to nothing");
                    return Err(io_error(path, &dangling));
                }
                let header = Header {
                    id: *id,
                    lock: lock.encode(),
                    salt,
                };
                match create_secret(path, &header.encode()) {
                    // Whoever was faster has the lock, or is about to take it.
                    Ok(()) | Err(FileError::Exists { .. }) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(io_error(path, &error)),
        };
        check_owner_only(&file, path)?;
        let Some(mut file) = lock_named(file, path)? else {
            continue;
        };
        let header = read_header(&mut file.0).map_err(|error| io_error(path, &error))?;
        return Ok((file, header));
    }
}

/// Takes the lock of an open file if nobody has it. `None` if it isn't the one of this name any more: between opening and locking
/// somebody may have removed it, and begun another one.
fn lock_named(file: File, path: &Path) -> Result<Option<Locked>, JournalError> {
    let file = lock_now(file, path)?;
    match is_still(&file.0, path) {
        Ok(is_still) => Ok(is_still.then_some(file)),
        Err(error) => Err(io_error(path, &error)),
    }
}

/// Takes the lock if nobody has it.
fn lock_now(file: File, path: &Path) -> Result<Locked, JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(Locked(file)),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(io_error(path, &error)),
    }
}

/// The header, as far as there is one.
fn read_header(file: &mut File) -> io::Result<Vec<u8>> {
    let mut header = vec![0; HEADER_BYTES];
    let got = read_up_to(file, &mut header)?;
    header.truncate(got);
    Ok(header)
}

/// Fills the buffer as far as the file goes.
fn read_up_to(file: &mut File, to: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = to.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => got = got.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests;
