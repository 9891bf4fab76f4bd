//! Moves of parties and strangers that want to break something. None of it is ever signed by an honest party for its
//! own slot.

use white_city_state_machine::Session;
use white_city_wire::{
    Entry, Hash, Signature, SignedEntry, SignedTx,
    signing::signed_bytes,
    tx::{Action, Join, Open},
};

use super::{HONEST, PARTIES, World, moves::Move};
use crate::board::Candidate;

impl World {
    /// One hostile move.
    pub(super) fn hostile_move(&mut self, to: &mut Vec<Move>) {
        match self.rng.below(13) {
            0 | 1 => self.replay(to),
            2 => self.mutate(to),
            3 => {
                let len = usize::try_from(self.rng.below(200)).unwrap_or(0);
                let bytes = self.rng.bytes(len);
                to.push((Candidate::Bytes(bytes), false));
            }
            4 | 5 => self.impersonate(to),
            6 | 7 => self.equivocate(to),
            8 => self.misplace(to),
            9 | 10 => self.accuse(to),
            11 => self.join_again(to),
            _ => self.send_off(to),
        }
    }

    fn replay(&mut self, to: &mut Vec<Move>) {
        let Some(bytes) = self.rng.pick(&self.past).cloned() else {
            return;
        };
        if let Ok(tx) = SignedTx::decode(&bytes)
            && let Action::Complain(complain) = tx.unverified_action()
        {
            // It may have been early when it first came.
            self.contested.insert(complain.post.session);
        }
        to.push((Candidate::Bytes(bytes), false));
    }

    /// Somebody's word of leaving, which may have been refused when it first came.
    fn send_off(&mut self, to: &mut Vec<Move>) {
        let words: Vec<(usize, Action)> = self
            .sessions()
            .iter()
            .filter(|session| session.status().is_live())
            .flat_map(|session| {
                let id = session.id();
                let of_session = self.left.range((id, 0)..=(id, u16::MAX));
                of_session.map(|(_, said)| said.clone())
            })
            .collect();
        if let Some((party, action)) = self.rng.pick(&words).cloned() {
            self.push(to, party, action, false);
        }
    }

    fn mutate(&mut self, to: &mut Vec<Move>) {
        let Some(mut bytes) = self.rng.pick(&self.past).cloned() else {
            return;
        };
        let len = u64::try_from(bytes.len()).unwrap_or(1).max(1);
        let at = usize::try_from(self.rng.below(len)).unwrap_or(0);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << self.rng.below(8);
        }
        to.push((Candidate::Bytes(bytes), false));
    }

    /// A session, an index of a hostile party in it, and that party.
    fn hostile_party(&mut self) -> Option<(Session, u16, usize)> {
        let session = self.some_session()?;
        let n = session.body.as_ref()?.spec.parties();
        let indices: Vec<u16> = (0..n)
            .filter(|i| self.party_at(&session, *i).is_some_and(|p| p >= HONEST))
            .collect();
        let index = *self.rng.pick(&indices)?;
        let party = self.party_at(&session, index)?;
        Some((session, index, party))
    }

    /// Something in another party's name, under one's own key; verified, as a broken replica would let it through.
    fn impersonate(&mut self, to: &mut Vec<Move>) {
        let Some(session) = self.some_session() else {
            return;
        };
        let Some(body) = &session.body else { return };
        let n = body.spec.parties();
        let index = u16::try_from(self.rng.below(u64::from(n) + 1)).unwrap_or(0);
        let spare = u64::try_from(PARTIES - HONEST).unwrap_or(1);
        let hostile = HONEST + usize::try_from(self.rng.below(spare)).unwrap_or(0);
        if self.party_at(&session, index) == Some(hostile) {
            return;
        }
        let action = match self.new_entry(&session, index) {
            Action::Post(_) | Action::Finish(_) if session.leaf.open_round == 0 => {
                Action::Join(Join {
                    session: session.id(),
                    index,
                    key: self.parties[hostile].encryption_key_of(body.spec.kem, 0),
                })
            }
            action => action,
        };
        let network = self.network_id();
        let Some(tx) = self.sign(hostile, action) else {
            return;
        };
        if self.rng.chance(50) {
            to.push((Candidate::Bytes(tx.encode()), false));
        } else if let Ok(tx) = tx.verify(self.parties[hostile].key(), n, &network) {
            to.push((Candidate::verified(tx), false));
        }
    }

    /// A session on another opener's account, verified under one's own key.
    pub(super) fn open_for_another(&mut self, to: &mut Vec<Move>, opener: usize, open: Open) {
        let thief = (opener + 1) % PARTIES;
        let parties = open.spec.parties();
        let network = self.network_id();
        let Some(tx) = self.sign(thief, Action::Open(open)) else {
            return;
        };
        if let Ok(tx) = tx.verify(self.parties[thief].key(), parties, &network) {
            to.push((Candidate::verified(tx), false));
        }
    }

    /// Two different entries for one slot.
    fn equivocate(&mut self, to: &mut Vec<Move>) {
        let Some((session, index, party)) = self.hostile_party() else {
            return;
        };
        if session.leaf.open_round == 0 {
            return;
        }
        for _ in 0..2 {
            let action = self.new_entry(&session, index);
            self.push(to, party, action, false);
        }
    }

    /// An entry for another round, another history or another session, or one that is too large.
    fn misplace(&mut self, to: &mut Vec<Move>) {
        let Some((session, index, party)) = self.hostile_party() else {
            return;
        };
        let n = session.body.as_ref().map_or(1, |body| body.spec.parties());
        let Action::Post(post) = self.new_entry(&session, index) else {
            return;
        };
        let (mut round, mut transcript) = (post.header.round, post.header.transcript);
        let (mut id, mut broadcast, mut p2p) = (post.header.session, post.broadcast, post.p2p);
        match self.rng.below(6) {
            0 => round += 1,
            1 => round = round.saturating_sub(1),
            2 => transcript = Hash(self.rng.bytes32()),
            3 => id.0[0] ^= 1,
            4 => broadcast = vec![0; 1_501],
            _ => {
                p2p = (0..n)
                    .filter(|i| *i != index)
                    .map(|i| (i, vec![0; 60]))
                    .collect()
            }
        }
        let post =
            white_city_wire::tx::Post::new(id, round, (index, n), transcript, broadcast, p2p);
        self.push(to, party, Action::Post(post), false);
    }

    fn join_again(&mut self, to: &mut Vec<Move>) {
        let Some((session, index, party)) = self.hostile_party() else {
            return;
        };
        let variant = u8::try_from(self.rng.below(3)).unwrap_or(0);
        let Some(body) = &session.body else { return };
        let key = self.parties[party].encryption_key_of(body.spec.kem, variant);
        let session = session.id();
        let join = Action::Join(Join {
            session,
            index,
            key,
        });
        self.push(to, party, join, false);
    }

    /// Evidence: real, against an honest party, of one entry twice, or in the wrong order.
    fn accuse(&mut self, to: &mut Vec<Move>) {
        let real: Vec<_> = self
            .entries
            .values()
            .filter(|slot| slot.len() > 1)
            .cloned()
            .collect();
        let single: Vec<_> = self
            .entries
            .values()
            .filter(|slot| slot.len() == 1)
            .cloned()
            .collect();
        let slots = if self.rng.chance(60) { real } else { single };
        let Some(slot) = self.rng.pick(&slots) else {
            return;
        };
        let mut pair: Vec<SignedEntry> = slot.values().take(2).cloned().collect();
        if pair.len() == 1 {
            let framed = self.framed(&pair[0]);
            pair.push(framed);
            pair.sort_by_key(|entry| entry.entry.digest());
        }
        if self.rng.chance(10) {
            pair.reverse();
        }
        if let Ok(pair) = <[SignedEntry; 2]>::try_from(pair)
            && let Ok(tx) = SignedTx::new(Action::Evidence(pair), Signature([0; 64]))
        {
            to.push((Candidate::Bytes(tx.encode()), false));
        }
    }

    /// Second entry that a framer adds to a real one: the same again, or another one under its own signature.
    fn framed(&mut self, real: &SignedEntry) -> SignedEntry {
        let mut entry = real.entry.clone();
        if self.rng.chance(70) {
            match &mut entry {
                Entry::Post(header) => header.bcast_len ^= 1,
                Entry::Finish(header) => header.outcome.0[0] ^= 1,
            }
        }
        let bytes = signed_bytes(entry.purpose(), &self.network_id(), &entry.digest());
        if self.rng.chance(50) {
            let signature = real.signature;
            return SignedEntry { entry, signature };
        }
        let signature = self.parties[HONEST].sign(&bytes);
        let made = SignedEntry { entry, signature };
        // Where the slot is the framer's own, this is an equivocation.
        self.note_entry(HONEST, made.clone());
        made
    }
}
