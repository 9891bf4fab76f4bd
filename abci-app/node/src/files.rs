//! Files that are whole or absent, private where they hold keys

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::Error;

/// Creates a directory that only its owner may enter, and its parents. Fine if it exists, but not if somebody else could
/// put files or links into it.
pub fn private_dir(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::io("create directory", path))?;
    let meta = fs::symlink_metadata(path).map_err(Error::io("read", path))?;
    if meta.is_dir() && meta.uid() == user()? && meta.mode() & 0o022 == 0 {
        return Ok(());
    }
    let reason = "it must be a directory of this user's that nobody else may write into";
    let error = std::io::Error::new(std::io::ErrorKind::PermissionDenied, reason);
    Err(Error::io("use directory", path)(error))
}

/// The user that this process runs as.
pub fn user() -> Result<u32, Error> {
    let me = Path::new("/proc/self");
    Ok(me.metadata().map_err(Error::io("read", me))?.uid())
}

/// Writes a file under a temporary name, syncs it and renames it: readers see the old one or the
/// new one. Readable by its owner only.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing useful can be said about a failed removal after a failed write.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(Error::io("write", path))
}

fn write_synced(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

/// Reads a text file of at most so many bytes.
///
/// # Errors
/// [`Error::Malformed`] for a larger one; [`Error::Io`].
pub fn read_at_most(path: &Path, most: u64) -> Result<String, Error> {
    let size = path.metadata().map_err(Error::io("read", path))?.len();
    if size > most {
        return Err(Error::Malformed {
            path: path.to_owned(),
            reason: format!("expected at most {most} bytes"),
        });
    }
    read(path)
}

/// Removes a file or a directory with all that is in it; fine if it is not there.
pub fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The last `lines` lines of a log, as far as they lie in its last 8 KiB; empty if it can't be
/// read.
pub fn tail(path: &Path, lines: usize) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path) {
        let size = file.metadata().map_or(0, |meta| meta.len());
        // A log that can't be read leaves the tail empty: it only decorates another error.
        let _ = file.seek(SeekFrom::Start(size.saturating_sub(8192)));
        let _ = file.read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..)
        .unwrap_or_default()
        .join("\n")
}

/// Whether a program of this name can be run.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_that_others_may_write_into_or_a_link_to_one_is_not_used() {
        let temp = tempfile::tempdir().unwrap();
        let shared = temp.path().join("shared");
        private_dir(&shared).unwrap();
        private_dir(&shared).unwrap();
        for (mode, good) in [(0o755, true), (0o775, false), (0o757, false), (0o700, true)] {
            fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(private_dir(&shared).is_ok(), good, "{mode:o}");
        }
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(&shared, &link).unwrap();
        assert!(private_dir(&link).is_err());
    }
}
