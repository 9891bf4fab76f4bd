//! From the specification's words to signed transactions.

use std::collections::BTreeMap;

use white_city_state_machine::{Session, Slot};
use white_city_tests::{
    board::Board,
    complaints::{PayloadPlace, complain_about, ikm_e, reveal_of},
    party::Party,
    scene,
};
use white_city_wire::{
    Complain, Entry, FinishHeader, Hash, Reveal, SessionId, Spec, VerifiedTx,
    hash::sha256,
    limits::NOBODY,
    tx::{Action, Join, Leave, Open, Post},
};

use crate::{
    seen::Meanings,
    value::{Value, int},
};

/// Parties of all rosters: the first ones.
const PARTIES: u64 = 8;
/// The identity that opens sessions.
const OPENER: u64 = 1_000;

/// The parties, and the sessions that they know.
pub struct Binder {
    parties: Vec<Party>,
    opener: Party,
    /// What the specification calls an opening, and the session that it is.
    sessions: BTreeMap<Value, (SessionId, Spec)>,
    pub meanings: Meanings,
}

/// A session as a transaction finds it: in the specification, and on the board if it is there.
struct Place<'a> {
    board: &'a Board,
    id: SessionId,
    spec: Spec,
    closed: &'a [Value],
    real: Option<&'a Session>,
}

impl Binder {
    pub fn new() -> Self {
        Self {
            parties: Party::several(PARTIES),
            opener: Party::new(OPENER),
            sessions: BTreeMap::new(),
            meanings: Meanings::default(),
        }
    }

    /// The transaction that the specification means, on this board between two blocks; `before` is the specification's board.
    pub fn bind(&mut self, tx: &Value, before: &Value, board: &Board) -> VerifiedTx {
        let network = board.network().id;
        let (word, said) = tx.field("says").case();
        let said = said.expect("every word says something");
        if word == "Opens" {
            let open = self.open(said, board);
            let parties = open.spec.parties();
            let signer = match tx.field("by").number::<u16>() {
                0 => &self.opener,
                other => &self.parties[usize::from(other)],
            };
            return signer.verified(Action::Open(open), parties, &network);
        }
        let place = self.place(tx.field("session"), before, board);
        let action = match word {
            "Joins" => self.join(said, &place),
            "Enters" => self.entry(said, &place),
            "Leaves" => self.leave(said, &place),
            "Convicts" => {
                let by = &self.parties[tx.field("by").number::<usize>()];
                let mut pair = ["one", "other"].map(|name| {
                    let entry = header(&entry(said.field(name), &place));
                    by.entry(entry, &network)
                });
                pair.sort_by_key(|signed| signed.entry.digest());
                Action::Evidence(pair)
            }
            "Complains" => Action::Complain(self.complaint(said, &place)),
            "Reveals" => Action::Reveal(self.reveal(said, &place)),
            other => panic!("{other} isn't a word"),
        };
        let by = &self.parties[tx.field("by").number::<usize>()];
        by.verified(action, place.spec.parties(), &network)
    }

    fn open(&mut self, opening: &Value, board: &Board) -> Open {
        let said = |name| opening.field("spec").field(name);
        let n: usize = said("n").number();
        let mut spec = scene::spec(&self.parties[..n], said("m").number());
        spec.corrupt = said("t").number();
        spec.max_rounds = said("maxRounds").number();
        spec.join_ms = said("joinMs").number();
        spec.round_ms = said("roundMs").number();
        spec.reveal_ms = said("revealMs").number();
        spec.retention_ms = said("retentionMs").number();
        let open = Open {
            opener: *self.opener.key(),
            nonce: [opening.field("nonce").number(); 32],
            open_by_ms: opening.field("openBy").number(),
            stamp: 0,
            spec,
        };
        let id = open.session_id(&board.network().id);
        self.meanings.learn(Hash(id.0), opening.clone());
        self.sessions
            .insert(opening.clone(), (id, open.spec.clone()));
        open
    }

    fn place<'a>(&self, number: &Value, before: &'a Value, board: &'a Board) -> Place<'a> {
        let Some(session) = before.field("sessions").pairs().get(number) else {
            return Place {
                board,
                id: SessionId([9; 32]),
                spec: scene::spec(&self.parties[..4], 3),
                closed: &[],
                real: None,
            };
        };
        let (id, spec) = self.sessions[session.field("opening")].clone();
        Place {
            board,
            real: board.state.session(&id).ok().map(AsRef::as_ref),
            closed: session.field("closed").list(),
            id,
            spec,
        }
    }

    fn join(&mut self, said: &Value, place: &Place<'_>) -> Action {
        let index: u16 = said.field("index").number();
        let key = said.field("key");
        let join = Join {
            session: place.id,
            index,
            key: self.parties[usize::from(index)].encryption_key(key.number()),
        };
        let slot = crate::value::case("Join", key.clone());
        self.meanings.learn(join.digest(), slot);
        Action::Join(join)
    }

    fn entry(&mut self, said: &Value, place: &Place<'_>) -> Action {
        let action = entry(said, place);
        let slot = said.field("slot");
        self.meanings.learn(header(&action).digest(), slot.clone());
        if let (Action::Finish(finish), (_, Some(outcome))) = (&action, slot.case()) {
            self.meanings.learn(finish.outcome, outcome.clone());
        }
        action
    }

    fn leave(&mut self, said: &Value, place: &Place<'_>) -> Action {
        let (index, session) = (said.field("index").number(), place.id);
        let word = said.field("leave");
        let leave = match word.case() {
            ("Decline", Some(reason)) => Leave::Decline {
                reason: reason.number(),
            },
            (_, Some(cause)) => Leave::Abort {
                cause: cause.number(),
                about: NOBODY,
                detail: Hash::ZERO,
            },
            (_, None) => panic!("a leaver's word"),
        };
        self.meanings
            .learn(leave.digest(&session, index), word.clone());
        Action::Leave {
            session,
            index,
            leave,
        }
    }

    fn complaint(&mut self, said: &Value, place: &Place<'_>) -> Complain {
        let Action::Post(post) = slot_action(
            place,
            said.field("post"),
            (said.field("round").number(), said.field("accused").number()),
            place.transcript(said.field("after")),
        ) else {
            panic!("a complaint is about a post")
        };
        let index = said.field("index").number();
        let complain = complain_about(&post, index, place.spec.parties());
        let complain = complain.expect("a payload for the one that complains");
        self.meanings.learn(complain.digest(), said.clone());
        complain
    }

    fn reveal(&mut self, said: &Value, place: &Place<'_>) -> Reveal {
        let complain = self.complaint(said.field("complaint"), place);
        let plaintext = plaintext(said.field("seals").number());
        let mut reveal = reveal_of(&complain, ikm_e(&plaintext), &plaintext);
        reveal.index = said.field("index").number();
        self.meanings.learn(reveal.digest(), said.clone());
        reveal
    }
}

/// The plaintext of a payload that opens.
fn plaintext(payload: u8) -> Vec<u8> {
    vec![payload; 4]
}

fn header(action: &Action) -> Entry {
    match action {
        Action::Post(post) => Entry::Post(post.header.clone()),
        Action::Finish(header) => Entry::Finish(header.clone()),
        other => panic!("{other:?} is no entry"),
    }
}

fn entry(said: &Value, place: &Place<'_>) -> Action {
    let slot = (said.field("round").number(), said.field("index").number());
    let transcript = place.transcript(said.field("after"));
    slot_action(place, said.field("slot"), slot, transcript)
}

fn slot_action(
    place: &Place<'_>,
    content: &Value,
    (round, index): (u32, u16),
    transcript: Hash,
) -> Action {
    let session = place.id;
    match content.case() {
        ("Finish", Some(outcome)) => Action::Finish(FinishHeader {
            session,
            round,
            index,
            transcript,
            outcome: sha256(&[outcome.number()]),
        }),
        ("Post", Some(post)) => {
            let words: u8 = post.field("words").number();
            let p2p = post.field("p2p").pairs().iter();
            let p2p = p2p.map(|(to, payload)| {
                let to = to.number();
                let at = (round, index, to, transcript);
                (to, place.payload(at, payload.number()))
            });
            let author = (index, place.spec.parties());
            let broadcast = vec![words; 10];
            Action::Post(Post::new(
                session,
                round,
                author,
                transcript,
                broadcast,
                p2p.collect(),
            ))
        }
        (other, _) => panic!("{other} is no entry"),
    }
}

impl Place<'_> {
    /// The hash of the history that an author has seen. What never was one on this board has some other hash.
    fn transcript(&self, after: &Value) -> Hash {
        let ("Seen", Some(rounds)) = after.case() else {
            return sha256(after.to_string().as_bytes());
        };
        let rounds = rounds.list();
        let real = self.real.filter(|_| self.closed.starts_with(rounds));
        let of = |real: &Session| {
            let body = real.body.as_ref()?;
            let closed = body.closed.get(rounds.len());
            Some(closed.map_or(real.leaf.transcript, |round| round.before))
        };
        match real.and_then(of) {
            Some(transcript) => transcript,
            None if rounds.is_empty() => Hash(self.id.0),
            None => sha256(after.to_string().as_bytes()),
        }
    }

    /// Numbers from 0 on are plaintexts that are sealed rightly, if the recipient has a key; others are garbage.
    fn payload(
        &self,
        (round, from, to, transcript): (u32, u16, u16, Hash),
        number: i64,
    ) -> Vec<u8> {
        let body = self.real.and_then(|real| real.body.as_ref());
        let join = body.and_then(|body| body.slot(0, to));
        let (Some(Slot::Join { key, .. }), Ok(number)) = (join, u8::try_from(number)) else {
            return sha256(&number.to_be_bytes()).0.repeat(2);
        };
        let place = PayloadPlace {
            network: self.board.network().id,
            session: self.id,
            spec: &self.spec,
            transcript,
            round,
            from,
            to,
            key: key.clone(),
        };
        let plaintext = plaintext(number);
        place.seal(&ikm_e(&plaintext), &plaintext)
    }
}

/// The name of a refusal, as an outcome of the specification.
pub fn outcome<T>(result: &Result<T, white_city_wire::Refusal>) -> Value {
    match result {
        Ok(_) => crate::value::bare("Taken"),
        Err(refusal) => {
            let text = format!("{refusal:?}");
            let end = text.find(|c: char| !c.is_ascii_alphanumeric());
            let name = &text[..end.unwrap_or(text.len())];
            crate::value::case("Refused", Value::Text(name.to_owned()))
        }
    }
}

/// The specification's number of a validator; past the end for none.
pub fn proposer(board: &Board, position: Option<u16>) -> Value {
    int(position.unwrap_or(board.state.charter().size()))
}
