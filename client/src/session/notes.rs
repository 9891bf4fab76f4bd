//! A protocol's own state, in the journal: for a protocol that draws its own randomness, or can't be run again from its start.

use white_city_party::journal::Record;

use super::Session;
use crate::Error;

impl Session {
    /// Remembers a protocol's own state under a name: in the journal, encrypted as all of it, and on the disk when this returns. What
    /// depends on it is posted after that. The last state of a name counts; the same one again writes nothing.
    ///
    /// For a protocol that draws its own randomness: it remembers what it needs to go on *before* the post that depends on it, and after a
    /// crash it finds that with [`Session::recall`]. Without a journal it is remembered as long as this handle lives.
    /// [`Session::forget`] takes it away with the journal.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that isn't 1 to 64 printable ASCII characters without spaces; [`Error::TooLarge`] for more than 1 MiB, or
    /// more than 64 MiB in one session, also of states that have been replaced; [`Error::Journal`].
    pub fn remember(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let Some(note) = self.party.remembered(name, bytes)? else {
            return Ok(());
        };
        let record = Record::Remembered(note.clone());
        let written = self.record(&record);
        record.wipe();
        written?;
        self.party.note(note);
        Ok(())
    }

    /// The state that was remembered last under a name, in this process or another one.
    #[must_use]
    pub fn recall(&self, name: &str) -> Option<&[u8]> {
        self.party.recall(name)
    }
}
