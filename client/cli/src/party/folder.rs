//! The folder of a service: what it has decided, what it waits for people with, and what came of it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use white_city_client::{
    Error, SessionId,
    files::{FileError, create_secret, make_private_folder, read_secret, remove_unfinished},
    journal,
};

use crate::failure::Failure;

/// Largest note beside a share, bytes.
const NOTE_BYTES_MAX: u64 = 4 << 10;
/// Folders in it.
const FOLDERS: [&str; 5] = ["decided", "journals", "queue", "receipts", "shares"];

/// A service's folder, for its owner alone.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// The lock on it, for as long as the service runs.
pub struct Lock {
    _file: File,
}

impl Folder {
    /// One that is there already.
    ///
    /// # Errors
    /// Where there is none.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let folder = Self(path.to_owned());
        if !folder.queue().is_dir() {
            return Err(Failure::usage(format!(
                "{}: no folder of a service: expected the --dir of white-city party serve",
                path.display()
            )));
        }
        Ok(folder)
    }

    /// Makes what isn't there, and takes the lock.
    ///
    /// # Errors
    /// When it can't be made, or another service has it.
    pub fn make(path: &Path) -> Result<(Self, Lock), Failure> {
        for folder in [""].iter().chain(&FOLDERS) {
            let folder = path.join(folder);
            make_private_folder(&folder)?;
            let bad = |what: &dyn std::fmt::Display| {
                Failure::usage(format!("{}: {what}", folder.display()))
            };
            let mode = fs::metadata(&folder).map_err(|error| bad(&error))?.mode() & 0o777;
            // Whoever can write into it decides what is signed.
            if mode & 0o077 != 0 {
                return Err(bad(&format!(
                    "mode {mode:03o}, expected 700: it is its owner's alone"
                )));
            }
        }
        let lock = path.join("lock");
        let bad = |what: String| Failure::usage(format!("{}: {what}", lock.display()));
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock);
        let file = file.map_err(|error| bad(error.to_string()))?;
        match file.try_lock() {
            Ok(()) => {
                // Of one that was killed. People answer into the queue also while no service runs.
                for folder in FOLDERS.iter().filter(|folder| **folder != "queue") {
                    remove_unfinished(&path.join(folder))?;
                }
                Ok((Self(path.to_owned()), Lock { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Err(bad("another service has this folder".into())),
            Err(TryLockError::Error(error)) => Err(bad(error.to_string())),
        }
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    /// The journal of a session.
    pub fn journal(&self, session: SessionId) -> PathBuf {
        self.0.join("journals").join(session.to_string())
    }

    /// The share that a session makes.
    pub fn share(&self, session: SessionId) -> PathBuf {
        self.0.join("shares").join(session.to_string())
    }

    /// All shares.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn shares(&self) -> Result<Vec<PathBuf>, Failure> {
        let shares = self.0.join("shares");
        let mut found = files(&shares)?;
        found.retain(|path| path.extension().is_none());
        Ok(found)
    }

    /// The share that a session has made and that nobody has confirmed.
    pub fn unconfirmed(&self, session: SessionId) -> PathBuf {
        self.0.join("shares").join(format!("{session}.unconfirmed"))
    }

    /// A note beside the share that a session has made: `supersedes`, the session whose shares aren't signed with any more, or `group`,
    /// which the key isn't noted in yet.
    fn note_file(&self, session: SessionId, what: &str) -> PathBuf {
        self.0.join("shares").join(format!("{session}.{what}"))
    }

    /// Writes such a note, unless it is there.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_note(&self, session: SessionId, what: &str, text: &str) -> Result<(), Failure> {
        match create_secret(&self.note_file(session, what), text.as_bytes()) {
            Ok(()) | Err(FileError::Exists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is such a note.
    pub fn has_note(&self, session: SessionId, what: &str) -> bool {
        self.note_file(session, what).exists()
    }

    /// Takes such a note away.
    ///
    /// # Errors
    /// When it can't be taken away.
    pub fn end_note(&self, session: SessionId, what: &str) -> Result<(), Failure> {
        take_away(&self.note_file(session, what))
    }

    /// All notes of a kind: the session that made the share, and the text.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn notes(&self, what: &str) -> Result<Vec<(SessionId, String)>, Failure> {
        let mut notes = Vec::new();
        for path in files(&self.0.join("shares"))? {
            let is_note = path.extension().is_some_and(|kind| kind == what);
            let session = path
                .file_stem()
                .and_then(|name| SessionId::from_hex(name.to_str()?));
            if let Some(session) = session.filter(|_| is_note) {
                let text = read_secret(&path, NOTE_BYTES_MAX)?;
                notes.push((session, String::from_utf8_lossy(&text).into_owned()));
            }
        }
        Ok(notes)
    }

    /// The receipt of a session.
    pub fn receipt(&self, session: SessionId) -> PathBuf {
        self.0.join("receipts").join(session.to_string())
    }

    /// The decision to join a session that isn't over yet.
    pub fn decided(&self, session: SessionId) -> PathBuf {
        self.0.join("decided").join(session.to_string())
    }

    /// The message of such a session that only names it.
    pub fn message(&self, session: SessionId) -> PathBuf {
        self.0.join("decided").join(format!("{session}.message"))
    }

    /// Sessions that were decided on and aren't over yet.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn all_decided(&self) -> Result<Vec<SessionId>, Failure> {
        let found = files(&self.0.join("decided"))?;
        Ok(found.iter().filter_map(|path| session_of(path)).collect())
    }

    /// Takes away what was kept for going on with a session that is over and in the audit log. Where the others may have seen the session
    /// finish, the share that isn't confirmed stays with its journal, for whoever looks at it.
    ///
    /// The decision goes last: whoever is killed on the way does this again at the next start.
    ///
    /// # Errors
    /// When something can't be taken away.
    pub fn forget(&self, session: SessionId) -> Result<(), Failure> {
        let journal = self.journal(session);
        if journal.exists() && !self.unconfirmed(session).exists() {
            journal::forget(&journal, session)
                .map_err(|error| Failure::from(Error::from(error)))?;
        }
        take_away(&journal.with_extension("result"))?;
        take_away(&self.message(session))?;
        take_away(&self.decided(session))
    }

    /// The folder of what people are asked.
    pub fn queue(&self) -> PathBuf {
        self.0.join("queue")
    }

    /// The session that people are asked about.
    pub fn asked(&self, session: SessionId) -> PathBuf {
        self.queue().join(session.to_string())
    }

    /// What they have said.
    pub fn said(&self, session: SessionId) -> PathBuf {
        self.queue().join(format!("{session}.answer"))
    }

    /// Sessions that people are asked about.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn all_asked(&self) -> Result<Vec<SessionId>, Failure> {
        let found = files(&self.queue())?;
        Ok(found.iter().filter_map(|path| session_of(path)).collect())
    }
}

fn session_of(path: &Path) -> Option<SessionId> {
    SessionId::from_hex(path.file_name()?.to_str()?)
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let bad = |error| Failure::usage(format!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(bad)? {
        found.push(entry.map_err(bad)?.path());
    }
    found.sort();
    Ok(found)
}

/// Takes a file away that may have gone already.
///
/// # Errors
/// When it can't be taken away.
pub fn take_away(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::usage(format!("{}: {error}", path.display())).passing())
        }
        _ => Ok(()),
    }
}
