//! From real transactions to the specification's words.

use std::collections::BTreeMap;

use white_city_state_machine::{Session, Slot};
use white_city_tests::{board::Board, complaints::PayloadPlace};
use white_city_wire::{
    Complain, Entry, Hash, IdentityKey, Reveal, SessionId, Spec, VerifiedTx,
    entry::p2p_leaf,
    hash::sha256,
    tx::{Action, Leave, Open, Post},
};

use crate::{
    seen::{Meanings, history},
    value::{Value, bare, case, int, map, record},
};

/// Numbers for what is told: the same for the same bytes, and another for other bytes.
#[derive(Debug, Default)]
pub struct Numbers(BTreeMap<Vec<u8>, i64>);

impl Numbers {
    pub fn of(&mut self, bytes: &[u8]) -> Value {
        let next = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        Value::Int(*self.0.entry(bytes.to_vec()).or_insert(next))
    }
}

/// Tells the transactions of one board, in their order.
#[derive(Debug, Default)]
pub struct Teller {
    pub meanings: Meanings,
    numbers: Numbers,
    /// Complaints by their digests: as they are, and as they are written.
    complaints: BTreeMap<Hash, (Complain, Value)>,
    /// Sessions that the present block has opened.
    opened: BTreeMap<SessionId, (u32, Spec)>,
}

/// A session as a transaction finds it.
struct Place<'a> {
    board: &'a Board,
    number: i64,
    id: SessionId,
    session: Option<&'a Session>,
    spec: Option<Spec>,
}

/// A number that no session has.
const UNKNOWN: i64 = 1_000_000;

impl Teller {
    /// Forgets what the last block has opened.
    pub fn begin_block(&mut self) {
        self.opened.clear();
    }

    /// The transaction in the specification's words, for this board between two blocks.
    pub fn tell(&mut self, tx: &VerifiedTx, board: &Board) -> Value {
        let (number, by, says) = match tx.action() {
            Action::Open(open) => {
                let signer = self.numbers.of(tx.signer().as_bytes());
                (int(0), signer, case("Opens", self.opening(open, board)))
            }
            action => {
                let (id, _) = action.author().expect("somebody's word");
                let place = self.place(id, board);
                let by = place.index_of(tx.signer());
                (Value::Int(place.number), by, self.word(action, &place))
            }
        };
        record([
            ("by", by),
            ("session", number),
            ("bytes", int(tx.bytes())),
            ("says", says),
        ])
    }

    /// Notes that the block has opened a session.
    pub fn opened(&mut self, tx: &VerifiedTx, board: &Board, number: u32) {
        if let Action::Open(open) = tx.action() {
            let id = open.session_id(&board.network().id);
            self.opened.insert(id, (number, open.spec.clone()));
        }
    }

    fn opening(&mut self, open: &Open, board: &Board) -> Value {
        let id = open.session_id(&board.network().id);
        let spec = &open.spec;
        let spec = record([
            ("n", int(spec.parties())),
            ("m", int(spec.quorum)),
            ("t", int(spec.corrupt)),
            ("maxRounds", int(spec.max_rounds)),
            ("joinMs", int(spec.join_ms)),
            ("roundMs", int(spec.round_ms)),
            ("revealMs", int(spec.reveal_ms)),
            ("retentionMs", int(spec.retention_ms)),
        ]);
        let nonce = self.numbers.of(&id.0);
        let opener = self.numbers.of(open.opener.as_bytes());
        let opening = record([
            ("opener", opener),
            ("nonce", nonce),
            ("openBy", int(open.open_by_ms)),
            ("spec", spec),
        ]);
        self.meanings.learn(Hash(id.0), opening.clone());
        opening
    }

    fn place<'a>(&self, id: SessionId, board: &'a Board) -> Place<'a> {
        let session = board.state.session(&id).ok().map(AsRef::as_ref);
        let body = session.and_then(|session| session.body.as_ref());
        let spec = body.map(|body| Spec::clone(&body.spec));
        let opened = self.opened.get(&id);
        let number = session.map(|session| session.number);
        let number = number.or_else(|| opened.map(|(number, _)| *number));
        Place {
            board,
            number: number.map_or(UNKNOWN, i64::from),
            id,
            session,
            spec: spec.or_else(|| opened.map(|(_, spec)| spec.clone())),
        }
    }

    fn word(&mut self, action: &Action, place: &Place<'_>) -> Value {
        match action {
            Action::Open(_) => unreachable!("told before"),
            Action::Approve(_) => unreachable!("the recorded boards keep their charters"),
            Action::Join(join) => {
                let key = self.numbers.of(join.key.as_bytes());
                self.meanings
                    .learn(join.digest(), case("Join", key.clone()));
                case("Joins", record([("index", int(join.index)), ("key", key)]))
            }
            Action::Post(post) => {
                let slot = self.post(post);
                self.meanings.learn(post.header.digest(), slot.clone());
                let entry = Entry::Post(post.header.clone());
                case("Enters", self.entry(&entry, slot, place))
            }
            Action::Finish(finish) => {
                let entry = Entry::Finish(finish.clone());
                let slot = self.slot(&entry);
                self.meanings.learn(entry.digest(), slot.clone());
                case("Enters", self.entry(&entry, slot, place))
            }
            Action::Leave { index, leave, .. } => {
                let word = match leave {
                    Leave::Decline { reason } => case("Decline", int(*reason)),
                    Leave::Abort { .. } => {
                        let digest = leave.digest(&SessionId::ZERO, 0);
                        case("Abort", self.numbers.of(&digest.0))
                    }
                };
                let digest = leave.digest(&place.id, *index);
                self.meanings.learn(digest, word.clone());
                case("Leaves", record([("index", int(*index)), ("leave", word)]))
            }
            Action::Evidence(pair) => {
                let [one, other] = [0, 1].map(|k: usize| {
                    let entry = &pair[k].entry;
                    let slot = self.slot(entry);
                    self.entry(entry, slot, place)
                });
                case("Convicts", record([("one", one), ("other", other)]))
            }
            Action::Complain(complain) => case("Complains", self.complaint(complain, place)),
            Action::Reveal(reveal) => case("Reveals", self.reveal(reveal, place)),
        }
    }

    fn post(&mut self, post: &Post) -> Value {
        let header = &post.header;
        let words = [&header.bcast_hash.0[..], &header.bcast_len.to_be_bytes()].concat();
        let p2p = post.p2p.iter().map(|(to, payload)| {
            let leaf = p2p_leaf(payload);
            (*to, self.numbers.of(&leaf.0))
        });
        let p2p: Vec<(u16, Value)> = p2p.collect();
        let words = self.numbers.of(&words);
        case("Post", record([("words", words), ("p2p", map(p2p))]))
    }

    /// Content of a slot that this entry would fill. A post that nobody has sent is known by its header.
    fn slot(&mut self, entry: &Entry) -> Value {
        match entry {
            Entry::Finish(finish) => {
                let outcome = self.numbers.of(&finish.outcome.0);
                self.meanings.learn(finish.outcome, outcome.clone());
                case("Finish", outcome)
            }
            Entry::Post(header) => self.meanings.get(header.digest()).unwrap_or_else(|| {
                let words = self.numbers.of(&header.digest().0);
                case("Post", record([("words", words), ("p2p", map([]))]))
            }),
        }
    }

    fn entry(&mut self, entry: &Entry, slot: Value, place: &Place<'_>) -> Value {
        let (_, round, index) = entry.slot();
        record([
            ("index", int(index)),
            ("round", int(round)),
            (
                "after",
                self.transcript(entry.transcript(), place, Style::Written),
            ),
            ("slot", slot),
        ])
    }

    fn complaint(&mut self, complain: &Complain, place: &Place<'_>) -> Value {
        let header = Entry::Post(complain.post.clone());
        let post = self.meanings.get(header.digest()).unwrap_or_else(|| {
            let words = self.numbers.of(&header.digest().0);
            let payload = self.numbers.of(&complain.leaf.0);
            let p2p = map([(complain.index, payload)]);
            case("Post", record([("words", words), ("p2p", p2p)]))
        });
        let [meant, written] = [Style::Meant, Style::Written].map(|style| {
            record([
                ("index", int(complain.index)),
                ("accused", int(complain.accused())),
                ("round", int(complain.post.round)),
                (
                    "after",
                    self.transcript(complain.post.transcript, place, style),
                ),
                ("post", post.clone()),
            ])
        });
        self.meanings.learn(complain.digest(), meant);
        let known = (complain.clone(), written.clone());
        self.complaints.insert(complain.digest(), known);
        written
    }

    fn reveal(&mut self, reveal: &Reveal, place: &Place<'_>) -> Value {
        let seals = match self.sealed_again(reveal, place) {
            Some(leaf) => leaf,
            None => sha256(&reveal.plaintext),
        };
        let seals = self.numbers.of(&seals.0);
        let known = self.complaints.get(&reveal.complaint);
        let written = known
            .filter(|_| place.session.is_some_and(|session| session.body.is_some()))
            .map(|(_, written)| written.clone());
        let of = |complaint| {
            record([
                ("index", int(reveal.index)),
                ("complaint", complaint),
                ("seals", seals.clone()),
            ])
        };
        let meant = of(self.meanings.of(reveal.complaint));
        self.meanings.learn(reveal.digest(), meant);
        of(written.unwrap_or_else(|| nobodys_complaint(self.numbers.of(&reveal.complaint.0))))
    }

    /// Leaf of what comes of sealing again what a reveal shows.
    fn sealed_again(&self, reveal: &Reveal, place: &Place<'_>) -> Option<Hash> {
        let (complain, _) = self.complaints.get(&reveal.complaint)?;
        let body = place.session?.body.as_ref()?;
        let Some(Slot::Join { key, .. }) = body.slot(0, complain.index) else {
            return None;
        };
        let payload = PayloadPlace {
            network: place.board.network().id,
            session: complain.post.session,
            spec: &body.spec,
            transcript: complain.post.transcript,
            round: complain.post.round,
            from: complain.accused(),
            to: complain.index,
            key: key.clone(),
        };
        let sealed = (!reveal.plaintext.is_empty())
            .then(|| payload.seal(&reveal.ikm_e, &reveal.plaintext))?;
        Some(p2p_leaf(&sealed))
    }

    fn transcript(&mut self, transcript: Hash, place: &Place<'_>, style: Style) -> Value {
        let body = place.session.and_then(|session| session.body.as_ref());
        let Some((session, body)) = place.session.zip(body) else {
            let begins = place.number != UNKNOWN && transcript == Hash(place.id.0);
            return if begins && place.session.is_none() {
                case("Seen", Value::List(Vec::new()))
            } else {
                case("Elsewhere", self.numbers.of(&transcript.0))
            };
        };
        let closed = body.closed.iter().map(|round| round.before);
        let mut all = closed.chain([session.leaf.transcript]);
        match all.position(|known| known == transcript) {
            Some(round) if style == Style::Written => Value::Expression(format!(
                "upTo(board.sessions.get({}), {round})",
                place.number
            )),
            Some(round) => case("Seen", history(body, round, &self.meanings)),
            None => case("Elsewhere", self.numbers.of(&transcript.0)),
        }
    }
}

/// How a history is given: as the value, or as the expression that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Meant,
    Written,
}

/// A complaint that nobody has made, of this number.
fn nobodys_complaint(number: Value) -> Value {
    record([
        ("index", int(-1)),
        ("accused", int(-1)),
        ("round", int(-1)),
        ("after", case("Elsewhere", number)),
        ("post", bare("Vacant")),
    ])
}

impl Place<'_> {
    /// The signer's index; that of nobody, if it isn't in the roster.
    fn index_of(&self, signer: &IdentityKey) -> Value {
        let index = self.spec.as_ref().and_then(|spec| spec.index_of(signer));
        index.map_or(int(-1), int)
    }
}
