//! Files that hold secrets: made for their owner only, never overwritten, complete or not there. And public ones.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use zeroize::Zeroizing;

/// Longest time that somebody else may have a file's lock, and the pause before it is tried again.
const LOCKED: Duration = Duration::from_secs(10);
const LOCKED_PAUSE: Duration = Duration::from_millis(5);

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there already, and files with secrets are never overwritten.
    #[error("{path} exists already and is not overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner can read or write the file.
    #[error("{path} has mode {mode:03o}, expected 600: only its owner may read and write it")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another process has its lock for longer than anybody needs it.
    #[error("{path} is locked by another process")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than anything of its kind.
    #[error("{path} is larger than {max} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, bytes.
        max: u64,
    },
}

impl FileError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Reads a public file of at most `max` bytes.
///
/// # Errors
/// [`FileError::Io`] or [`FileError::TooLarge`].
pub fn read_public(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::io(path))?;
    let mut bytes = Vec::new();
    read_up_to(file, path, max, &mut bytes)?;
    Ok(bytes)
}

/// Reads a secret file of at most `max` bytes, which only its owner may be able to read or write.
///
/// # Errors
/// [`FileError::Mode`], [`FileError::Io`] or [`FileError::TooLarge`].
pub fn read_secret(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(FileError::io(path))?;
    let meta = check_owner_only(&file, path)?;
    // Sized at once: growing would leave copies of the secret in freed memory.
    let size = usize::try_from(meta.len().min(max)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(2)));
    read_up_to(file, path, max, &mut bytes)?;
    Ok(bytes)
}

/// Refuses a file that others than its owner can read or write. Of the opened file, so that nobody can swap it between the
/// check and the reading.
pub(crate) fn check_owner_only(file: &File, path: &Path) -> Result<Metadata, FileError> {
    let meta = file.metadata().map_err(FileError::io(path))?;
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FileError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(meta)
}

fn read_up_to(file: impl Read, path: &Path, max: u64, to: &mut Vec<u8>) -> Result<(), FileError> {
    let got = file
        .take(max.saturating_add(1))
        .read_to_end(to)
        .map_err(FileError::io(path))?;
    if u64::try_from(got).unwrap_or(u64::MAX) > max {
        return Err(FileError::TooLarge {
            path: path.to_owned(),
            max,
        });
    }
    Ok(())
}

/// Writes a new secret file with mode 600. After a crash it is there with all of its bytes, or not at all.
///
/// # Errors
/// [`FileError::Exists`] when something has this name, or [`FileError::Io`].
pub fn create_secret(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    refuse_existing(path)?;
    let temporary = temporary_name(path)?;
    let named = write_new(&temporary, bytes).and_then(|()| rename_new(&temporary, path));
    if named.is_err() {
        // It may not have been made.
        let _ = fs::remove_file(&temporary);
    }
    named.map_err(|error| match error {
        // Of a name that nobody has given.
        FileError::Io { source, .. } => FileError::io(path)(source),
        other => other,
    })?;
    sync_folder(path)
}

/// Whether a file with this name, and a few letters more, could be made in its folder, before work is done whose result would be
/// lost otherwise. Leaves nothing behind.
///
/// # Errors
/// [`FileError::Io`].
pub fn probe(path: &Path) -> Result<(), FileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".probe");
    let probe = PathBuf::from(name);
    match create_secret(&probe, b"probe") {
        // Of somebody who was killed in between, or is about to remove it.
        Ok(()) | Err(FileError::Exists { .. }) => {}
        Err(error) => return Err(error),
    }
    match remove(&probe) {
        Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes a folder, and those that it is in, for their owner alone, where there is none.
///
/// # Errors
/// [`FileError::Io`].
pub fn make_private_folder(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(FileError::io(path))
}

/// Removes a file.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(FileError::io(path))?;
    sync_folder(path)
}

/// Gives a file another name, unless that is taken.
fn rename_new(from: &Path, to: &Path) -> Result<(), FileError> {
    rename_new_by(from, to, |from, to| {
        // Not every file system has this, and not every one has hard links.
        let renamed = renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
        renamed.map_err(io::Error::from)
    })
}

fn rename_new_by(
    from: &Path,
    to: &Path,
    rename: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), FileError> {
    let renamed = match rename(from, to) {
        // Unlike a usual rename, a hard link fails, too, when the name has been taken meanwhile.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        renamed => renamed,
    };
    renamed.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists {
            path: to.to_owned(),
        },
        _ => FileError::io(to)(source),
    })
}

/// Writes a new file that anybody may read, as far as the umask lets them. What is there already is never overwritten.
///
/// # Errors
/// [`FileError::Exists`] when something has this name, or [`FileError::Io`].
pub fn create_public(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    refuse_existing(path)?;
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    written
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(FileError::io(path))
}

/// A file whose lock ends with this value. Closing alone isn't enough: a process that is being started by another thread has a
/// copy of the descriptor until it runs its own program, and with it the lock.
pub(crate) struct Locked(pub(crate) File);

impl Drop for Locked {
    fn drop(&mut self) {
        // At the latest the lock ends with the last copy of the descriptor.
        let _ = self.0.unlock();
    }
}

/// Whether an open file is the one that has this name.
pub(crate) fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a file, and takes its lock as soon as nobody has it; `None` where there is no file of this name. Whoever has the lock may give the
/// name to another file.
///
/// # Errors
/// [`FileError::Locked`] when somebody has it for long; [`FileError::Io`].
pub(crate) fn open_locked(path: &Path) -> Result<Option<Locked>, FileError> {
    let until = Instant::now() + LOCKED;
    loop {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::io(path)(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                thread::sleep(LOCKED_PAUSE);
                continue;
            }
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(FileError::Locked { path });
            }
            Err(TryLockError::Error(error)) => return Err(FileError::io(path)(error)),
        }
        let file = Locked(file);
        // Whoever had it before may have put another file in the place of this one.
        if is_still(&file.0, path).map_err(FileError::io(path))? {
            return Ok(Some(file));
        }
    }
}

/// Reads what is left of an open file, at most `max` bytes.
pub(crate) fn read_open(file: &File, path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    read_up_to(file, path, max, &mut bytes)?;
    Ok(bytes)
}

/// Puts a public file into the place of another one, whose lock the caller has. After a crash one of the two is there, whole.
pub(crate) fn replace_locked(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut new = path.as_os_str().to_owned();
    // Nobody else has the lock: what is there was left by somebody who was killed.
    new.push(".new");
    let new = PathBuf::from(new);
    let mut options = OpenOptions::new();
    let written = options.write(true).create(true).truncate(true).open(&new);
    written
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(FileError::io(&new))?;
    fs::rename(&new, path).map_err(FileError::io(path))?;
    sync_folder(path)
}

/// Writes a new public file. After a crash it is there with all of its bytes, or not at all.
///
/// # Errors
/// [`FileError::Exists`] when something has this name, or [`FileError::Io`].
pub fn create_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    refuse_existing(path)?;
    let temporary = temporary_name(path)?;
    let named = create_public(&temporary, bytes).and_then(|()| rename_new(&temporary, path));
    if named.is_err() {
        // It may not have been made.
        let _ = fs::remove_file(&temporary);
    }
    named?;
    sync_folder(path)
}

/// Gives a file its final name, unless that is taken. It never has neither name.
///
/// # Errors
/// [`FileError::Exists`] or [`FileError::Io`].
pub fn promote(from: &Path, to: &Path) -> Result<(), FileError> {
    refuse_existing(to)?;
    rename_new(from, to)?;
    sync_folder(to)
}

/// Refuses a name that is taken, before work is done whose result could not be written.
///
/// # Errors
/// [`FileError::Exists`].
pub fn refuse_existing(path: &Path) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(_) => Err(FileError::Exists {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::io(path)(error)),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(FileError::io(path))?;
    file.set_permissions(Permissions::from_mode(0o600))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .map_err(FileError::io(path))
}

/// Random part of the name that a file has while it is written, bytes.
const RANDOM_BYTES: usize = 8;

/// Takes away what was being written into a folder by processes that were killed. Nobody may write into it meanwhile.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove_unfinished(folder: &Path) -> Result<(), FileError> {
    for file in fs::read_dir(folder).map_err(FileError::io(folder))? {
        let path = file.map_err(FileError::io(folder))?.path();
        let is_unfinished = || {
            let stem = path.file_stem()?.to_str()?;
            let (_, random) = stem.rsplit_once('.')?;
            let is_random = random.len() == 2 * RANDOM_BYTES && hex::decode(random).is_ok();
            (path.extension()? == "tmp" && is_random).then_some(())
        };
        if is_unfinished().is_some() {
            remove(&path)?;
        }
    }
    Ok(())
}

fn temporary_name(path: &Path) -> Result<PathBuf, FileError> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| FileError::io(path)(io::Error::other(error.to_string())))?;
    let mut name = path
        .file_name()
        .ok_or_else(|| FileError::io(path)(io::ErrorKind::InvalidInput.into()))?
        .to_owned();
    name.push(format!(".{}.tmp", hex::encode(random)));
    Ok(path.with_file_name(name))
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_file_is_its_owners_alone_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create_secret(&path, b"one").unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(matches!(
            create_secret(&path, b"two"),
            Err(FileError::Exists { .. })
        ));
        assert_eq!(&**read_secret(&path, 3).unwrap(), b"one");
        let left: Vec<_> = dir.path().read_dir().unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file stays behind");
    }

    #[test]
    fn a_dangling_link_counts_as_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(
            create_secret(&path, b"one"),
            Err(FileError::Exists { .. })
        ));
    }

    #[test]
    fn one_of_two_ways_to_give_a_name_is_enough_and_neither_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        let none = |_: &Path, _: &Path| Err(io::ErrorKind::InvalidInput.into());
        type Way = fn(&Path, &Path) -> Result<(), FileError>;
        let ways: [Way; 2] = [
            |from, to| rename_new(from, to),
            |from, to| rename_new_by(from, to, |_, _| Err(io::ErrorKind::Unsupported.into())),
        ];
        for way in ways {
            fs::write(&from, b"one").unwrap();
            way(&from, &to).unwrap();
            assert!(!from.exists());
            fs::write(&from, b"two").unwrap();
            assert!(matches!(way(&from, &to), Err(FileError::Exists { .. })));
            assert_eq!(fs::read(&to).unwrap(), b"one");
            assert_eq!(fs::read(&from).unwrap(), b"two", "it keeps its name");
            fs::remove_file(&to).unwrap();
        }
        let nowhere = dir.path().join("nowhere/to");
        assert!(matches!(
            rename_new_by(&from, &nowhere, none),
            Err(FileError::Io { .. })
        ));
    }

    #[test]
    fn a_folder_that_takes_no_file_is_noticed_and_a_probe_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        probe(&dir.path().join("file")).unwrap();
        assert!(probe(&dir.path().join("nowhere/file")).is_err());
        assert!(probe(&dir.path().join("f".repeat(250))).is_err());
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_secret_that_others_can_read_or_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create_secret(&path, b"one").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(read_secret(&path, 3), Err(FileError::Mode { mode: m, .. }) if m == mode)
            );
        }
        for mode in [0o600, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(read_secret(&path, 3).is_ok());
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_refused_past_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        create_secret(&path, b"four").unwrap();
        assert_eq!(read_public(&path, 4).unwrap(), b"four");
        assert!(matches!(
            read_public(&path, 3),
            Err(FileError::TooLarge { max: 3, .. })
        ));
        assert!(matches!(
            read_secret(&path, 3),
            Err(FileError::TooLarge { max: 3, .. })
        ));
    }
}
