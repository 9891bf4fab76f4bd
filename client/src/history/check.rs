//! What is checked of each entry before it becomes history.

use white_city_wire::{
    Entry as WireEntry, Hash, PostHeader, SignedEntry,
    entry::{bcast_hash, p2p_leaf},
    tree::{slot_root, slot_root_from_path},
};

use super::{Contradiction, History};
use crate::read::Entry;

impl History {
    /// The digests of all slots of a round with these entries, which nobody has checked.
    pub(crate) fn digests<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a SignedEntry>,
    ) -> Result<Vec<Option<Hash>>, Contradiction> {
        let mut digests = vec![None; usize::from(self.spec.parties())];
        for signed in entries {
            let (_, _, index) = signed.entry.slot();
            match digests.get_mut(usize::from(index)) {
                Some(slot @ None) => *slot = Some(signed.entry.digest()),
                _ => {
                    let what = "a second entry for one slot, or one past the roster";
                    return Err(Contradiction::Place { index, what });
                }
            }
        }
        Ok(digests)
    }

    /// Checks each entry of the round that follows.
    pub(super) fn check_entries(
        &self,
        reader: Option<u16>,
        entries: &[Entry],
    ) -> Result<(), Contradiction> {
        for entry in entries {
            self.check_signed(&entry.signed)?;
        }
        self.check_all_payloads(reader, entries)
    }

    /// Checks that the payloads which came along are what was signed.
    pub(super) fn check_all_payloads(
        &self,
        reader: Option<u16>,
        entries: &[Entry],
    ) -> Result<(), Contradiction> {
        for entry in entries {
            if let WireEntry::Post(post) = &entry.signed.entry {
                self.check_payloads(reader, post, entry)?;
            }
        }
        Ok(())
    }

    /// Place, membership, transcript, and then the signature under the key that the roster has at that index.
    pub(super) fn check_signed(&self, signed: &SignedEntry) -> Result<(), Contradiction> {
        let (session, round, index) = signed.entry.slot();
        let place = |what| Err(Contradiction::Place { index, what });
        if session != self.session {
            return place("another session");
        }
        if round != self.open_round() {
            return place("another round");
        }
        if !self.members().contains(index) {
            return Err(Contradiction::NotMember { index });
        }
        if signed.entry.transcript() != self.transcript() {
            return place("another transcript");
        }
        let key = self
            .spec
            .key(index)
            .map_err(|_| Contradiction::NotMember { index })?;
        if !signed.is_signed_by(key, &self.network) {
            return Err(Contradiction::Signature { index });
        }
        Ok(())
    }

    fn check_payloads(
        &self,
        reader: Option<u16>,
        post: &PostHeader,
        entry: &Entry,
    ) -> Result<(), Contradiction> {
        let index = post.index;
        let wrong = |what| Err(Contradiction::Payload { index, what });
        let length = u32::try_from(entry.broadcast.len()).unwrap_or(u32::MAX);
        if post.bcast_len != length || post.bcast_hash != bcast_hash(&entry.broadcast) {
            return wrong("broadcast");
        }
        let Some(reader) = reader else { return Ok(()) };
        if reader == index && !entry.ciphertext.is_empty() {
            return wrong("p2p payload");
        }
        let parties = self.spec.parties();
        let root = if entry.p2p_path.is_empty() && entry.ciphertext.is_empty() {
            // Nothing for anybody: the root itself proves it.
            Some(slot_root(vec![Hash::ZERO; usize::from(parties)]))
        } else {
            slot_root_from_path(
                p2p_leaf(&entry.ciphertext),
                reader,
                parties,
                &entry.p2p_path,
            )
        };
        if root != Some(post.p2p_root) {
            return wrong("p2p payload");
        }
        Ok(())
    }
}
