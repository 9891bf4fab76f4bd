//! Journals that lie on a disk: what anybody sees of one, and how it ends without its session.

use std::{fs::OpenOptions, io::ErrorKind, path::Path};

use white_city_wire::{IdentityKey, NetworkId, SessionId};

use super::{
    Header, JournalError, Lock, TryLockError, io_error, lock_named, read_header, sync_folder,
};
use crate::files::check_owner_only;

/// The facts that a journal tells without being opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The network.
    pub network: NetworkId,
    /// The session that it is of.
    pub session: SessionId,
    /// The party that it is of.
    pub identity: IdentityKey,
    /// Name of what opens it beside the identity.
    pub opened_with: &'static str,
    /// Its size, bytes.
    pub bytes: u64,
    /// A process goes on from it just now.
    pub is_in_use: bool,
}

fn other(path: &Path) -> JournalError {
    JournalError::Other {
        path: path.to_owned(),
        expected: "a journal, version 2",
    }
}

/// The facts that a journal tells without being opened.
///
/// # Errors
/// [`JournalError::Other`] for a file that is none; [`JournalError::File`].
pub fn read(path: &Path) -> Result<Kept, JournalError> {
    let io = |error| io_error(path, &error);
    let mut file = OpenOptions::new().read(true).open(path).map_err(io)?;
    let meta = check_owner_only(&file, path)?;
    if !meta.is_file() {
        return Err(other(path));
    }
    let header = Header::decode(&read_header(&mut file).map_err(io)?);
    let header = header.ok_or_else(|| other(path))?;
    let lock = Lock::decode(&header.lock).ok_or_else(|| other(path))?;
    // Shared: two who look at the same time don't take each other for its user.
    let is_in_use = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    Ok(Kept {
        network: header.id.network,
        session: header.id.session,
        identity: header.id.identity,
        opened_with: lock.opened_with(),
        bytes: meta.len(),
        is_in_use,
    })
}

/// Deletes the journal of a session, and with it the keys of this party: it needs neither the identity nor what unlocks it. In a
/// session that goes on this party can do nothing any more.
///
/// # Errors
/// [`JournalError::Locked`] while a process goes on from it; [`JournalError::Other`] for a file that is no journal of this session;
/// [`JournalError::File`].
pub fn forget(path: &Path, session: SessionId) -> Result<(), JournalError> {
    let io = |error| io_error(path, &error);
    loop {
        let file = OpenOptions::new().read(true).open(path).map_err(io)?;
        let Some(mut file) = lock_named(file, path)? else {
            continue;
        };
        let header = Header::decode(&read_header(&mut file.0).map_err(io)?);
        if header.is_none_or(|header| header.id.session != session) {
            return Err(other(path));
        }
        return match std::fs::remove_file(path) {
            Ok(()) => Ok(sync_folder(path)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io(error)),
        };
    }
}
