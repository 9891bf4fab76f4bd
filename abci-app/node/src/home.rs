//! A home's directory: its lock, and what may be deleted of it

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::Error;
use crate::files::remove;

/// What a validator signed last, in a home: with it, it can never sign twice.
pub const LAST_SIGNED: &str = "data/priv_validator_state.json";

/// Checks that nothing of an earlier run is still ending: a process that was killed leaves its programs to their guards.
///
/// # Errors
/// [`Error::Locked`].
pub async fn check_ended(home: &Path, socket: &Path) -> Result<(), Error> {
    match tokio::net::UnixStream::connect(socket).await {
        Ok(_) => Err(Error::Locked {
            dir: home.to_owned(),
            holder: ": the programs of an earlier run are still ending, try again in some seconds"
                .into(),
        }),
        Err(_) => Ok(()),
    }
}

/// Takes the directory for this process.
pub fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        // Until the lock is taken its content is another process's.
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(Error::io("write", &path))?;
            writeln!(file, "{}", std::process::id()).map_err(Error::io("write", &path))?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The number only decorates the message.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() {
                String::new()
            } else {
                format!(" (process {holder})")
            };
            Err(Error::Locked {
                dir: dir.to_owned(),
                holder,
            })
        }
        Err(std::fs::TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}

/// Waits until nobody holds a directory any more.
pub async fn released(dir: &Path, within: Duration) -> Result<(), Error> {
    let path = &dir.join("lock");
    crate::process::poll(
        "the process that holds the directory to end",
        within,
        || async move {
            let file = match File::open(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ok(())),
                other => other.map_err(Error::io("open", path))?,
            };
            Ok(file.try_lock_shared().map_err(|error| error.to_string()))
        },
    )
    .await
}

/// Deletes what a replica has of the chain, but neither its keys nor what it signed last: with
/// that it can never sign twice.
pub fn wipe(home: &Path) -> Result<(), Error> {
    // In the first folder is nothing else than the chain, in the second one there may be.
    let is_engines = |name: &str| name != "priv_validator_state.json";
    // With what was interrupted: a restore, or the making of a store.
    let remains = ["board.restoring", "board.making"];
    let is_replicas = |name: &str| {
        name.starts_with("board.redb") || name == "snapshots" || remains.contains(&name)
    };
    for (dir, is_of_the_chain) in [
        ("data", &is_engines as &dyn Fn(&str) -> bool),
        ("app", &is_replicas),
    ] {
        let dir = home.join(dir);
        for entry in dir.read_dir().map_err(Error::io("read", &dir))? {
            let entry = entry.map_err(Error::io("read", &dir))?;
            if is_of_the_chain(&entry.file_name().to_string_lossy()) {
                remove(&entry.path())?;
            }
        }
    }
    Ok(())
}
