//! Contents of posts, evidence, complaints and answers.

use std::sync::Arc;

use white_city_state_machine::Slot;
use white_city_tests::{
    board::Board,
    complaints::{PayloadPlace, complain_about, ikm_e, reveal_of},
    party::Party,
};
use white_city_wire::{
    Complain, Entry, Hash, Reveal,
    entry::p2p_leaf,
    tx::{Action, Post},
};

use super::{At, Binder, UNREADABLE};
use crate::moves::{Aim, Answer, Content, Pair};

impl Binder {
    pub(super) fn post(
        &mut self,
        board: &Board,
        index: u16,
        at: &At,
        content: Content,
    ) -> Option<Post> {
        let mut transcript = at.transcript;
        let mut p2p = Vec::new();
        let broadcast = match content {
            Content::Plain | Content::OtherNetwork => b"plain".to_vec(),
            Content::Other => b"other".to_vec(),
            Content::OverSpec => vec![1; 3_001],
            Content::TooLarge => vec![1; 8_200],
            Content::Heavy => vec![1; 3_000],
            Content::OtherHistory => {
                transcript.0[0] ^= 1;
                b"plain".to_vec()
            }
            Content::ToOut => {
                let body = board.state.session(&at.id).ok()?.body.as_ref()?;
                let out = (0..self.world.n).find(|i| *i != index && !body.members.contains(*i))?;
                p2p.push((out, vec![1; 60]));
                Vec::new()
            }
            Content::Sealed | Content::Unreadable => {
                p2p = self.payloads(board, index, at, content == Content::Sealed)?;
                b"sealed".to_vec()
            }
        };
        let author = (index, self.world.n);
        let (session, round) = (at.id, at.round);
        Some(Post::new(
            session, round, author, transcript, broadcast, p2p,
        ))
    }

    fn payloads(
        &mut self,
        board: &Board,
        from: u16,
        at: &At,
        opens: bool,
    ) -> Option<Vec<(u16, Vec<u8>)>> {
        let body = board.state.session(&at.id).ok()?.body.as_ref()?;
        let mut sealed = Vec::new();
        for to in body.members.iter().filter(|to| *to != from) {
            let Some(Slot::Join { key, .. }) = body.slot(0, to) else {
                return None;
            };
            let place = PayloadPlace {
                network: self.network,
                session: at.id,
                spec: &body.spec,
                transcript: at.transcript,
                round: at.round + u32::from(!opens),
                from,
                to,
                key: key.clone(),
            };
            let plaintext = secret(from);
            let bytes = place.seal(&ikm_e(&plaintext), &plaintext);
            if opens {
                let known = Arc::make_mut(&mut self.sealed);
                known.insert(p2p_leaf(&bytes), (ikm_e(&plaintext), plaintext));
            }
            sealed.push((to, bytes));
        }
        (!sealed.is_empty()).then_some(sealed)
    }

    pub(super) fn evidence(
        &mut self,
        board: &Board,
        signer: &Party,
        index: u16,
        at: &At,
        pair: Pair,
    ) -> Option<Action> {
        let next = At {
            id: at.id,
            round: at.round + 1,
            transcript: at.transcript,
        };
        let plain = self.post(board, index, at, Content::Plain)?;
        let second = match pair {
            Pair::Equivocation | Pair::WrongOrder => self.post(board, index, at, Content::Other)?,
            Pair::Same => plain.clone(),
            Pair::TwoSlots => self.post(board, index, &next, Content::Plain)?,
        };
        let mut both = [plain, second].map(|post| Entry::Post(post.header));
        both.sort_by_key(Entry::digest);
        if pair == Pair::WrongOrder {
            both.reverse();
        }
        Some(Action::Evidence(
            both.map(|entry| self.note_entry(signer, entry)),
        ))
    }

    pub(super) fn complain(
        &self,
        board: &Board,
        index: u16,
        accused: u16,
        at: &At,
        aim: Aim,
    ) -> Option<Complain> {
        let body = board.state.session(&at.id).ok()?.body.as_ref()?;
        let stored = body.slot(at.round, accused).and_then(Slot::digest);
        // An honest party complains only about what it can't open.
        let opens = stored.is_some_and(|digest| self.symbol(&digest) != UNREADABLE);
        if self.world.is_honest(index) && aim == Aim::Stored && opens {
            return None;
        }
        let post = match aim {
            Aim::Stored => self.posts.get(&stored?)?.clone(),
            Aim::Invented if at.round == 0 => return None,
            Aim::Invented => {
                let junk = vec![(index, vec![7; 60])];
                let author = (accused, self.world.n);
                Post::new(at.id, at.round, author, at.transcript, vec![], junk)
            }
        };
        complain_about(&post, index, self.world.n)
    }

    pub(super) fn reveal(&self, board: &Board, index: u16, at: &At, answer: Answer) -> Reveal {
        let session = board.state.session(&at.id).ok();
        let body = session.and_then(|session| session.body.as_ref());
        let dispute = body.and_then(|body| body.dispute.as_ref());
        let complain = dispute.map_or_else(
            || {
                let last = At {
                    id: at.id,
                    round: at.round.checked_sub(1)?,
                    transcript: at.transcript,
                };
                let mut others = (0..self.world.n).filter(|other| *other != index);
                others.find_map(|other| self.complain(board, other, index, &last, Aim::Stored))
            },
            |dispute| Some(dispute.complain.clone()),
        );
        let accused = complain.as_ref().map_or(index, Complain::accused);
        let plaintext = match answer {
            Answer::Right | Answer::OtherComplaint => secret(accused),
            Answer::Wrong => b"something else".to_vec(),
            Answer::OverSpec => vec![1; 2_000],
        };
        let mut reveal = Reveal {
            session: at.id,
            complaint: Hash([1; 32]),
            index,
            ikm_e: ikm_e(&plaintext),
            plaintext: plaintext.clone(),
        };
        if let Some(complain) = complain.filter(|_| answer != Answer::OtherComplaint) {
            reveal = reveal_of(&complain, ikm_e(&plaintext), &plaintext);
            reveal.index = index;
        }
        reveal
    }
}

/// Plaintext that a party seals, for whomever.
fn secret(from: u16) -> Vec<u8> {
    [b"secret of ", &from.to_be_bytes()[..]].concat()
}
