//! Logs that don't fill the disk

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use tracing_subscriber::EnvFilter;

use crate::Error;

/// What a program logs: what `RUST_LOG` says, or else this.
#[must_use]
pub fn filter(default: &str) -> EnvFilter {
    // The library's parser panics over spaces before other letters.
    let said = std::env::var("RUST_LOG").ok().filter(|log| log.is_ascii());
    let filter = said.and_then(|log| EnvFilter::try_new(log).ok());
    filter.unwrap_or_else(|| EnvFilter::new(default))
}

/// Puts a log aside if it has grown to `bytes`: as `.1`, what was `.1` as `.2`, up to `.files`; the last one is dropped.
///
/// Its writer has it open for appending and goes on in the same file, which is emptied. What is written between the copy and that is
/// lost: a few lines at most.
///
/// # Errors
/// [`Error::Io`].
pub fn put_aside(log: &Path, bytes: u64, files: u32) -> Result<bool, Error> {
    let size = match fs::metadata(log) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("read", log)(error)),
    };
    if size < bytes {
        return Ok(false);
    }
    for number in (1..files).rev() {
        let from = numbered(log, number);
        if from.exists() {
            fs::rename(&from, numbered(log, number + 1)).map_err(Error::io("move", &from))?;
        }
    }
    // On a full disk nothing is put aside, but the log must not go on growing.
    let copied = fs::copy(log, numbered(log, 1));
    let emptied = OpenOptions::new().write(true).truncate(true).open(log);
    emptied.map_err(Error::io("empty", log))?;
    copied.map_err(Error::io("copy", log))?;
    Ok(true)
}

fn numbered(log: &Path, number: u32) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_is_put_aside_at_its_size_and_its_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("node.log");
        assert!(!put_aside(&log, 4, 2).unwrap());
        let mut writer = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&log)
            .unwrap();
        for (text, aside) in [("abc", false), ("d", true), ("efgh", true), ("ijklm", true)] {
            writer.write_all(text.as_bytes()).unwrap();
            assert_eq!(put_aside(&log, 4, 2).unwrap(), aside, "{text}");
        }
        writer.write_all(b"n").unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&log), "n");
        assert_eq!(read(&numbered(&log, 1)), "ijklm");
        assert_eq!(read(&numbered(&log, 2)), "efgh");
        assert!(!numbered(&log, 3).exists());
    }
}
