//! The inbox: what a party reads of a closed round, opened.

use std::collections::BTreeMap;

use white_city_verify::read::Entry;
use white_city_wire::{Entry as WireEntry, payload::PayloadKem};
use zeroize::Zeroizing;

use super::{Party, Seen};
use crate::Error;

/// One closed round for one party. Whoever isn't in it was absent or has finished, and is out.
#[derive(Default)]
pub struct Inbox {
    /// The round.
    pub round: u32,
    /// Indices of those who posted, ascending; this party too.
    pub posted: Vec<u16>,
    /// Broadcasts by author, this party's own too. A post may come without.
    pub broadcasts: BTreeMap<u16, Vec<u8>>,
    /// Plaintexts for this party by author.
    pub p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("round", &self.round)
            .field("posted", &self.posted)
            .finish_non_exhaustive()
    }
}

impl Inbox {
    /// The broadcasts of a round's entries, and these plaintexts.
    #[must_use]
    pub fn of(round: u32, entries: &[Entry], p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>) -> Self {
        let mut inbox = Self {
            round,
            p2p,
            ..Self::default()
        };
        for entry in entries {
            let WireEntry::Post(post) = &entry.signed.entry else {
                continue;
            };
            inbox.posted.push(post.index);
            if !entry.broadcast.is_empty() {
                inbox.broadcasts.insert(post.index, entry.broadcast.clone());
            }
        }
        inbox
    }
}

impl<K: PayloadKem> Party<K> {
    /// Opens what a party has sealed to this one in a round.
    ///
    /// # Errors
    /// [`Error::Payload`]; [`Error::NoJournal`] where this isn't the key that this party joined with.
    pub fn unseal(
        &self,
        seen: Seen<'_>,
        round: u32,
        from: u16,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let secret = self.joined_secret(seen)?;
        let context = self.payload_context(seen, round, from, self.place.index)?;
        secret
            .key
            .open(&context, ciphertext)
            .map_err(|_| Error::Payload { from, round })
    }
}
