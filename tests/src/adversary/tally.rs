//! Count of hostile deeds that were really done: a test that doesn't ask would pass as well without them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A file with a line `name count` for everything that was done.
#[derive(Debug)]
pub struct Tally {
    path: PathBuf,
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    /// Goes on counting where the file ends, if there is one.
    #[must_use]
    pub fn open(path: PathBuf) -> Self {
        let counts = Mutex::new(Self::read(&path));
        Self { path, counts }
    }

    /// Counts one, and writes it down.
    pub fn count(&self, name: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(name.into()).or_default() += 1;
        if let Err(error) = self.write(&counts) {
            tracing::error!(path = %self.path.display(), %error, "the tally can't be written");
        }
    }

    /// Whoever reads sees the counts of one moment.
    fn write(&self, counts: &BTreeMap<String, u64>) -> io::Result<()> {
        let lines: String = counts
            .iter()
            .map(|(name, count)| format!("{name} {count}\n"))
            .collect();
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, lines)?;
        fs::rename(&fresh, &self.path)
    }

    /// The counts in a file; none where there is no file.
    #[must_use]
    pub fn read(path: &Path) -> BTreeMap<String, u64> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .filter_map(|line| {
                let (name, count) = line.split_once(' ')?;
                Some((name.to_owned(), count.parse().ok()?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lies");
        assert!(Tally::read(&path).is_empty());
        for _ in 0..2 {
            let tally = Tally::open(path.clone());
            tally.count("garbage");
            tally.count("stall");
            tally.count("garbage");
        }
        let counts = Tally::read(&path);
        assert_eq!(counts["garbage"], 4);
        assert_eq!(counts["stall"], 2);
    }
}
