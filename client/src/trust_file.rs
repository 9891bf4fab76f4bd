//! Trust files on a disk: read with everything in them verified again, and written so that they only go forward.
//!
//! A file holds the genesis, every link between eras that is known, the highest state that was verified, and addresses of replicas. It is
//! public; but whoever can change it chooses whom this party trusts, so keep it where the identity is. Whoever brings an *older* copy back
//! takes away what was learned since: no file can show that. A journal notices it ([`crate::Error::Fork`], [`crate::Error::Behind`]), and so
//! does the board as soon as it shows its present state.

use std::path::{Path, PathBuf};

use crate::{
    files::{FileError, create_whole, open_locked, read_open, read_public, replace_locked},
    trust::{BadTrustFile, TRUST_FILE_BYTES_MAX, TrustFile},
};

/// Why a trust file isn't read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFileError {
    /// The operating system refused, or the file is too large.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something in it doesn't hold, or doesn't go with what is known.
    #[error("trust file {}: {reason}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: BadTrustFile,
    },
}

impl TrustFileError {
    pub(crate) fn bad(path: &Path, reason: BadTrustFile) -> Self {
        let path = path.to_owned();
        Self::Bad { path, reason }
    }

    /// Why what is in it isn't taken; `None` if it wasn't looked at.
    #[must_use]
    pub const fn reason(&self) -> Option<&BadTrustFile> {
        match self {
            Self::File(_) => None,
            Self::Bad { reason, .. } => Some(reason),
        }
    }
}

const fn bytes_max() -> u64 {
    TRUST_FILE_BYTES_MAX as u64
}

/// Reads a trust file, and verifies everything in it.
///
/// # Errors
/// [`TrustFileError`].
pub fn read(path: impl AsRef<Path>) -> Result<TrustFile, TrustFileError> {
    let path = path.as_ref();
    from_bytes(path, &read_public(path, bytes_max())?)
}

/// Reads a trust file's bytes, which were found under this name.
///
/// # Errors
/// [`TrustFileError::Bad`].
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<TrustFile, TrustFileError> {
    TrustFile::from_bytes(bytes).map_err(|reason| TrustFileError::bad(path, reason))
}

/// Keeps what is known in a file, and gives all that the file knows then. Where there is none it is made; otherwise the two are merged, under
/// the file's lock: it never has fewer eras or a lower state than before, and whoever is killed leaves the one or the other, whole. Waits
/// some seconds for whoever has the lock, and blocks the thread meanwhile.
///
/// # Errors
/// [`TrustFileError::File`]; [`TrustFileError::Bad`] for a file that doesn't verify, is of another network, or of another history: then it
/// stays as it is.
pub fn keep(path: &Path, known: &TrustFile) -> Result<TrustFile, TrustFileError> {
    let bad = |reason| TrustFileError::bad(path, reason);
    // What a symbolic link points to goes forward, and not the link.
    let named = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    loop {
        let Some(file) = open_locked(&named)? else {
            match create_whole(&named, &known.to_bytes().map_err(bad)?) {
                Ok(()) => return Ok(known.clone()),
                // Somebody else was faster.
                Err(FileError::Exists { .. }) if named.exists() => continue,
                Err(error) => return Err(error.into()),
            }
        };
        let mut all = from_bytes(path, &read_open(&file.0, &named, bytes_max())?)?;
        if all.merge(known).map_err(bad)? {
            replace_locked(&named, &all.to_bytes().map_err(bad)?)?;
        }
        return Ok(all);
    }
}
