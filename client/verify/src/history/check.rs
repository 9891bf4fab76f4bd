//! The checks of each entry before it becomes history.

use white_city_wire::{
    Entry as WireEntry, Hash, IdentityKey, PostHeader, SignedEntry,
    entry::{bcast_hash, p2p_leaf},
    signing::signed_bytes,
    tree::slot_root_from_path,
};

use super::{Contradiction, History};
use crate::{checked::Good, read::Entry};

impl History {
    /// The digests of all slots of a round with these entries, which nobody has checked.
    pub(crate) fn digests(
        &self,
        entries: impl Iterator<Item = (u16, Hash)>,
    ) -> Result<Vec<Option<Hash>>, Contradiction> {
        let mut digests = vec![None; usize::from(self.spec.parties())];
        let mut last = None;
        for (index, digest) in entries {
            match digests.get_mut(usize::from(index)) {
                Some(slot) if last < Some(index) => *slot = Some(digest),
                _ => {
                    let what = "past the roster, or not after the entry before it";
                    return Err(Contradiction::Place { index, what });
                }
            }
            last = Some(index);
        }
        Ok(digests)
    }

    /// Checks each entry of the round that follows, and its broadcast. `digests` are those of all slots.
    ///
    /// Signatures are checked one by one, by the strict rule that consensus and receipts apply, since what passes is kept: a batch
    /// takes what its own author has made so that a single check refuses it, and the receipts of whoever kept that would fail.
    pub(super) fn check_entries(
        &self,
        entries: &[Entry],
        digests: &[Option<Hash>],
    ) -> Result<(), Contradiction> {
        for entry in entries {
            self.check_place(&entry.signed)?;
            check_broadcast(entry)?;
        }
        let mut good = Vec::new();
        let entries = entries.iter().map(|entry| &entry.signed);
        for (signed, digest) in entries.clone().zip(digests.iter().flatten()) {
            let (_, _, index) = signed.entry.slot();
            let key = self.key(index)?;
            let message = signed_bytes(signed.entry.purpose(), &self.network, digest);
            let this = Good::of(key, &signed.signature, &message);
            if self.checked.holds(&this) {
                continue;
            }
            if !key.verify(&message, &signed.signature) {
                return Err(Contradiction::Signature { index });
            }
            good.push(this);
        }
        self.checked.note(good);
        entries
            .clone()
            .try_for_each(|signed| self.check_form(signed))
    }

    /// Place, membership, transcript, and then the signature under the key that the roster has at that index.
    pub(super) fn check_signed(&self, signed: &SignedEntry) -> Result<(), Contradiction> {
        self.check_place(signed)?;
        self.check_signature(signed)?;
        self.check_form(signed)
    }

    /// Whether a board takes what its author has signed.
    fn check_form(&self, signed: &SignedEntry) -> Result<(), Contradiction> {
        let (_, _, index) = signed.entry.slot();
        match &signed.entry {
            WireEntry::Post(post) => post
                .check(&self.spec)
                .map_err(|what| Contradiction::Entry { index, what }),
            WireEntry::Finish(_) => Ok(()),
        }
    }

    fn check_place(&self, signed: &SignedEntry) -> Result<(), Contradiction> {
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
        Ok(())
    }

    fn check_signature(&self, signed: &SignedEntry) -> Result<(), Contradiction> {
        let (_, _, index) = signed.entry.slot();
        let key = self.key(index)?;
        if !signed.is_signed_by(key, &self.network) {
            return Err(Contradiction::Signature { index });
        }
        Ok(())
    }

    fn key(&self, index: u16) -> Result<&IdentityKey, Contradiction> {
        let key = self.spec.key(index);
        key.map_err(|_| Contradiction::NotMember { index })
    }

    /// Checks what came for the reader.
    pub(super) fn check_payload(
        &self,
        reader: Option<u16>,
        entry: &Entry,
    ) -> Result<(), Contradiction> {
        let (_, _, index) = entry.signed.entry.slot();
        let is_empty = entry.p2p_path.is_empty() && entry.ciphertext.is_empty();
        let is_it = match (&entry.signed.entry, reader) {
            (WireEntry::Post(post), Some(reader)) => {
                let is_own = reader == index;
                (!is_own || entry.ciphertext.is_empty()) && self.is_sealed_in(post, reader, entry)
            }
            // Nobody has asked for it, or a finish has none.
            (WireEntry::Post(_), None) | (WireEntry::Finish(_), _) => is_empty,
        };
        if is_it {
            return Ok(());
        }
        let what = "p2p payload";
        Err(Contradiction::Payload { index, what })
    }

    /// Whether the post has this payload, or none, for the reader.
    fn is_sealed_in(&self, post: &PostHeader, reader: u16, entry: &Entry) -> bool {
        let parties = self.spec.parties();
        let root = if entry.p2p_path.is_empty() && entry.ciphertext.is_empty() {
            // Nothing for anybody: the root itself proves it.
            Some(self.nothing_sealed)
        } else {
            let leaf = p2p_leaf(&entry.ciphertext);
            slot_root_from_path(leaf, reader, parties, &entry.p2p_path)
        };
        root == Some(post.p2p_root)
    }
}

/// Checks that the broadcast is the one that was signed; a finish has none.
///
/// # Errors
/// [`Contradiction::Payload`].
pub fn check_broadcast(entry: &Entry) -> Result<(), Contradiction> {
    let broadcast = &entry.broadcast;
    let is_it = match &entry.signed.entry {
        WireEntry::Post(post) => {
            u32::try_from(broadcast.len()) == Ok(post.bcast_len)
                && post.bcast_hash == bcast_hash(broadcast)
        }
        WireEntry::Finish(_) => broadcast.is_empty(),
    };
    if is_it {
        return Ok(());
    }
    let (_, _, index) = entry.signed.entry.slot();
    let what = "broadcast";
    Err(Contradiction::Payload { index, what })
}
