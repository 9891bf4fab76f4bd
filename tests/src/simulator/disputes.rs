//! Complaints and reveals: what honest parties do with payloads, and what others do that want somebody convicted.

use white_city_state_machine::{Session, Slot};
use white_city_wire::{
    Complain, Hash, Kem,
    board::Status,
    entry::p2p_leaf,
    tx::{Action, Post},
};

use super::{HONEST, World, moves::Move};
use crate::complaints::{PayloadPlace, complain_about, ikm_e, reveal_of};

impl World {
    /// Payload of a party for another: sealed, or garbage by one that isn't honest.
    pub(super) fn payload(&mut self, session: &Session, from: u16, to: u16) -> Vec<u8> {
        let len = usize::try_from(self.rng.between(1, 70)).unwrap_or(1);
        let plaintext = self.rng.bytes(len);
        let honest = self.party_at(session, from).is_some_and(|p| p < HONEST);
        let place = place(self.network_id(), session, from, to);
        let Some(mut place) = place.filter(|_| honest || self.rng.chance(50)) else {
            let kem = session.body.as_ref().map_or(Kem::X25519, |b| b.spec.kem);
            // Some is too small to be sealed at all.
            let sealing = if self.rng.chance(90) {
                kem.sealing_bytes()
            } else {
                0
            };
            return self.rng.bytes(len + sealing as usize);
        };
        let rightly = honest || self.rng.chance(70);
        if !rightly {
            place.round += 1;
        }
        let ikm_e = ikm_e(&plaintext);
        let sealed = place.seal(&ikm_e, &plaintext);
        if rightly {
            let sealed_here = std::sync::Arc::make_mut(&mut self.sealed);
            sealed_here.insert(p2p_leaf(&sealed), (ikm_e, plaintext));
        }
        sealed
    }

    /// A complaint, right or wrong, or its answer.
    pub(super) fn dispute(&mut self, to: &mut Vec<Move>) {
        let Some(session) = self.some_session() else {
            return;
        };
        if session.status() == Status::Dispute && self.rng.chance(60) {
            return self.answer(to, &session);
        }
        let Some((complain, party)) = self.some_complaint(&session) else {
            return;
        };
        let honest = party < HONEST;
        let opens = self.sealed.contains_key(&complain.leaf);
        if (honest && opens) || self.says_no_more(&session, complain.index) {
            return;
        }
        let Some(body) = &session.body else { return };
        let index = complain.index;
        let may = body.members.contains(index) && !body.has_left(index);
        let first = self.contested.insert(session.id());
        let fresh = self.busy.insert((session.id(), index));
        let running = session.status() == Status::Running;
        let must = honest && may && running && first && fresh;
        let complain = if honest {
            complain
        } else {
            self.twisted(complain)
        };
        self.push(to, party, Action::Complain(complain), must);
    }

    /// A complaint about something that its author has really been sent in a round that has closed, or nearly.
    fn some_complaint(&mut self, session: &Session) -> Option<(Complain, usize)> {
        let body = session.body.as_ref()?;
        let n = body.spec.parties();
        let early = u32::from(self.rng.chance(30));
        let mut found = Vec::new();
        for round in 1..session.leaf.open_round + early {
            for from in 0..n {
                let Some(Slot::Post(digest)) = body.slot(round, from) else {
                    continue;
                };
                let Some(post) = self.posts.get(digest) else {
                    continue;
                };
                found.extend((0..n).filter_map(|index| complain_about(post, index, n)));
            }
        }
        // An honest party knows that a round is open.
        let complain = self.rng.pick(&found)?.clone();
        let party = self.party_at(session, complain.index)?;
        let closed = complain.post.round < session.leaf.open_round;
        (closed || party >= HONEST).then_some((complain, party))
    }

    /// Most often the same; or one that names pieces which don't belong together.
    fn twisted(&mut self, mut complain: Complain) -> Complain {
        match self.rng.below(12) {
            0 => complain.post.transcript.0[0] ^= 1,
            1 => complain.leaf.0[0] ^= 1,
            2 => complain.post.round += 1,
            3 => complain.post.index ^= 1,
            4 => complain.post.p2p_bytes ^= 1,
            _ => return complain,
        }
        if complain.post.index == complain.index {
            complain.post.index ^= 1;
        }
        complain
    }

    /// The accused reveals what it has sealed, or something else unless it is honest; sometimes somebody else does.
    pub(super) fn answer(&mut self, to: &mut Vec<Move>, session: &Session) {
        let dispute = session.body.as_ref().and_then(|body| body.dispute.as_ref());
        let Some(complain) = dispute.map(|dispute| dispute.complain.clone()) else {
            return;
        };
        // Some accused sleep, or have lost their journal.
        if complain.digest().0[0] < 80 {
            return;
        }
        let accused = complain.accused();
        let Some(party) = self.party_at(session, accused) else {
            return;
        };
        let known = self.sealed.get(&complain.leaf).cloned();
        let honest = party < HONEST;
        let (ikm_e, plaintext) = match known {
            Some(known) if honest || self.rng.chance(50) => known,
            _ => (self.rng.bytes32(), self.rng.bytes(20)),
        };
        let mut reveal = reveal_of(&complain, ikm_e, &plaintext);
        if honest {
            let fresh = self.busy.insert((session.id(), accused));
            return self.push(to, party, Action::Reveal(reveal), fresh);
        }
        let signer = match self.rng.below(10) {
            0..=2 => {
                reveal.complaint = Hash(self.rng.bytes32());
                party
            }
            3 => {
                reveal.index ^= 1;
                let other = self.party_at(session, reveal.index);
                other.filter(|p| *p >= HONEST).unwrap_or(HONEST)
            }
            4 => HONEST,
            // Too late, perhaps.
            5 | 6 => return,
            _ => party,
        };
        self.push(to, signer, Action::Reveal(reveal), false);
    }

    /// Remembers a post for complaints.
    pub(super) fn note_post(&mut self, post: &Post) {
        self.posts.insert(post.header.digest(), post.clone());
    }
}

fn place(
    network: white_city_wire::NetworkId,
    session: &Session,
    from: u16,
    to: u16,
) -> Option<PayloadPlace<'_>> {
    let body = session.body.as_ref()?;
    let Some(Slot::Join { key, .. }) = body.slot(0, to) else {
        return None;
    };
    // Whoever writes in somebody's name may have no place in the roster.
    body.spec.key(from).ok()?;
    Some(PayloadPlace {
        network,
        session: session.id(),
        spec: &body.spec,
        transcript: session.leaf.transcript,
        round: session.leaf.open_round,
        from,
        to,
        key: key.clone(),
    })
}
