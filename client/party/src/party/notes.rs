//! A protocol's own state, in the journal: for a protocol that draws its own randomness, or can't be run again from its start.

use std::collections::BTreeMap;

use white_city_wire::payload::PayloadKem;
use zeroize::Zeroizing;

use super::Party;
use crate::{Error, journal::Remembered};

/// Longest name, bytes.
const NAME_BYTES_MAX: usize = 64;
/// Largest state under one name, bytes.
const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most that a journal takes of all states together, also of those that have been replaced: it is only ever appended to, bytes.
const NOTES_BYTES_MAX: usize = 64 << 20;

/// All that a protocol has had remembered in one session.
#[derive(Default)]
pub struct Notes {
    newest: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// Bytes that were written, names included.
    written: usize,
}

impl Notes {
    pub(super) fn take(&mut self, note: Remembered) {
        self.written = self.written.saturating_add(weight(&note.name, &note.bytes));
        let bytes = Zeroizing::new(note.bytes);
        self.newest.insert(note.name, bytes);
    }

    /// Whether there is room for it.
    fn check(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let is_printable = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !is_printable {
            let expected = "1 to 64 printable ASCII characters without spaces";
            return Err(Error::usage("name", expected));
        }
        let too_large = |bytes: usize, max: usize, limit| Error::TooLarge {
            what: "what is to be remembered",
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            max: u64::try_from(max).unwrap_or(u64::MAX),
            limit,
        };
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(too_large(bytes.len(), NOTE_BYTES_MAX, "for one name"));
        }
        let all = self.written.saturating_add(weight(name, bytes));
        if all > NOTES_BYTES_MAX {
            let limit = "a journal, in which all that was ever remembered stays";
            return Err(too_large(all, NOTES_BYTES_MAX, limit));
        }
        Ok(())
    }
}

/// Bytes that a state counts; a little more than none, however small it is.
const fn weight(name: &str, bytes: &[u8]) -> usize {
    name.len().saturating_add(bytes.len()).saturating_add(128)
}

impl<K: PayloadKem> Party<K> {
    /// The record of a protocol's own state under a name, to be kept before [`Party::note`] takes it; `None` where the same is remembered.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that isn't 1 to 64 printable ASCII characters without spaces; [`Error::TooLarge`] for more than 1 MiB, or
    /// more than 64 MiB in one session, also of states that have been replaced.
    pub fn remembered(&self, name: &str, bytes: &[u8]) -> Result<Option<Remembered>, Error> {
        if self.recall(name) == Some(bytes) {
            return Ok(None);
        }
        self.notes.check(name, bytes)?;
        Ok(Some(Remembered {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        }))
    }

    /// Takes a state that was kept.
    pub fn note(&mut self, note: Remembered) {
        self.notes.take(note);
    }

    /// The state that was remembered last under a name, here or elsewhere.
    #[must_use]
    pub fn recall(&self, name: &str) -> Option<&[u8]> {
        self.notes.newest.get(name).map(|bytes| bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes_are_taken_up_to_their_limits() {
        let notes = Notes::default();
        let refused = |name: &str, bytes: usize| notes.check(name, &vec![0; bytes]).is_err();
        assert!(!refused("a", 0) && !refused(&"n".repeat(NAME_BYTES_MAX), NOTE_BYTES_MAX));
        for name in ["", "a b", "\u{fc}", "a\n", &"n".repeat(NAME_BYTES_MAX + 1)] {
            assert!(refused(name, 1), "{name:?}");
        }
        assert!(refused("a", NOTE_BYTES_MAX + 1));
    }

    #[test]
    fn what_was_replaced_counts_because_it_stays_in_the_journal() {
        let mut notes = Notes::default();
        let note = |name: &str, bytes: usize| Remembered {
            name: name.to_owned(),
            bytes: vec![7; bytes],
        };
        while notes.written + weight("a", &[0; NOTE_BYTES_MAX]) <= NOTES_BYTES_MAX {
            assert_eq!(notes.check("a", &[0; NOTE_BYTES_MAX]), Ok(()));
            notes.take(note("a", NOTE_BYTES_MAX));
        }
        let refused = notes.check("a", &[0; NOTE_BYTES_MAX]);
        assert!(
            matches!(refused, Err(Error::TooLarge { .. })),
            "{refused:?}"
        );
        let left = NOTES_BYTES_MAX - notes.written - weight("a", &[]);
        assert_eq!(notes.check("a", &vec![0; left]), Ok(()));
        assert!(notes.check("a", &vec![0; left + 1]).is_err());
        notes.take(note("a", 1));
        assert_eq!(notes.newest["a"].as_slice(), [7]);
    }
}
