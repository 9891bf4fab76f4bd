//! Moves become signed transactions here: once for each history, since signing is what costs most. And what was signed is written down,
//! for the properties and for the names of what slots hold.

mod contents;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use white_city_state_machine::Slot;
use white_city_tests::{
    board::Board,
    party::Party,
    simulator::{Entries, Sealed, SignedDigests},
};
use white_city_wire::{
    Entry, FinishHeader, Hash, NetworkId, SessionId, SignedEntry, VerifiedTx,
    hash::sha256,
    limits::NOBODY,
    stamp::{find, is_stamp},
    tx::{Action, Join, Leave, Open, Post, bytes_to_sign},
};

use crate::{
    moves::{Answer, Content, Move, Opening, What},
    world::{World, listed, stranger},
};

/// Stand-in for a post that nobody can open.
pub const UNREADABLE: u8 = 13;

/// Everything that is needed to name bytes and to check what is on the board.
pub struct Binder {
    /// The world.
    pub world: World,
    /// Everything that was ever signed, in whatever branch.
    pub signed: Arc<SignedDigests>,
    /// Likewise the entries.
    pub entries: Arc<Entries>,
    /// Likewise the payloads that open.
    pub sealed: Arc<Sealed>,
    /// Keys of the honest parties.
    pub honest: Arc<BTreeSet<[u8; 32]>>,
    parties: Vec<Party>,
    opens: BTreeMap<(u8, Opening), Open>,
    network: NetworkId,
    cache: BTreeMap<(Move, Hash, u64), Option<VerifiedTx>>,
    posts: BTreeMap<Hash, Post>,
    symbols: BTreeMap<Hash, u8>,
}

/// Place of a move.
struct At {
    id: SessionId,
    round: u32,
    transcript: Hash,
}

impl Binder {
    /// Nothing is signed yet.
    #[must_use]
    pub fn new(world: World, board: &Board) -> Self {
        let parties = world.parties();
        let honest = parties.iter().take(world.honest.into());
        let genesis_ms = board.time.millis();
        let mut opens = BTreeMap::new();
        let kinds = [
            Opening::Listed,
            Opening::Stranger,
            Opening::Forged,
            Opening::Expired,
            Opening::TooFar,
            Opening::TooManyRounds,
            Opening::TooManyBytes,
            Opening::TooMuchWork,
            Opening::Unstamped,
            Opening::Stamped,
        ];
        let network = board.network().id;
        for session in 0..world.sessions {
            for kind in kinds {
                let mut open = open(&world, session, kind, genesis_ms);
                open.stamp = stamp(&world, kind, &open.session_id(&network));
                opens.insert((session, kind), open);
            }
        }
        Self {
            signed: Arc::default(),
            entries: Arc::default(),
            sealed: Arc::default(),
            honest: Arc::new(honest.map(|party| *party.key().as_bytes()).collect()),
            network,
            cache: BTreeMap::new(),
            posts: BTreeMap::new(),
            symbols: BTreeMap::new(),
            parties,
            opens,
            world,
        }
    }

    /// The id of a world's session.
    #[must_use]
    pub fn id(&self, session: u8) -> SessionId {
        let kind = match session {
            1 | 2 if self.world.on.opening => Opening::Listed,
            _ => Opening::Stranger,
        };
        let open = self.opens.get(&(session, kind));
        open.map_or(SessionId([9; 32]), |open| open.session_id(&self.network))
    }

    /// Milliseconds until which the world's sessions may be opened.
    #[must_use]
    pub fn open_by_ms(&self) -> u64 {
        let open = self.opens.get(&(0, Opening::Stranger));
        open.map_or(0, |open| open.open_by_ms)
    }

    /// Meaning of a digest, whatever the history.
    #[must_use]
    pub fn symbol(&self, digest: &Hash) -> u8 {
        self.symbols.get(digest).copied().unwrap_or(u8::MAX)
    }

    /// The transaction that a move is in this state; `None` where there is nothing that it could be.
    pub fn bind(&mut self, board: &Board, mv: Move) -> Option<VerifiedTx> {
        if let What::Say(draft, flaw) = mv.what {
            return self.bind_word(board, mv, draft, flaw);
        }
        let session = board.state.session(&self.id(mv.session)).ok().cloned();
        let body = session.as_ref().and_then(|session| session.body.as_ref());
        let offset = match mv.what {
            What::Post(offset, _)
            | What::Finish(offset, _)
            | What::Evidence(offset, _)
            | What::Complain(offset, ..) => i64::from(offset),
            _ => 0,
        };
        let open = session
            .as_ref()
            .map_or(0, |session| session.leaf.open_round);
        let round = u32::try_from(i64::from(open) + offset).ok()?;
        let id = self.id(mv.session);
        let mut transcript = session.as_ref().map_or(Hash(id.0), |s| s.leaf.transcript);
        if let Some(closed) = body.and_then(|body| body.closed.get(usize::try_from(round).ok()?)) {
            transcript = closed.before;
        }
        let in_a_round = matches!(
            mv.what,
            What::Post(..) | What::Finish(..) | What::Evidence(..)
        );
        if in_a_round && round == 0 {
            return None;
        }
        let dispute = body.and_then(|body| body.dispute.as_ref());
        let members = body.map_or(0, |body| {
            let members = body.members.as_bytes().iter().map(|byte| u64::from(*byte));
            members.fold(0, |sum, byte| sum << 8 | byte)
        });
        let context = match mv.what {
            // Without a complaint, it answers the one that may come before it in the same block.
            What::Reveal(_) => {
                let last = round.checked_sub(1);
                let slot = body
                    .zip(last)
                    .and_then(|(body, last)| body.slot(last, mv.index));
                let posted = slot.and_then(Slot::digest).unwrap_or_default();
                dispute.map_or(posted, |dispute| dispute.complain.digest())
            }
            What::Complain(_, accused, _) => {
                let slot = body.and_then(|body| body.slot(round, accused)?.digest());
                slot.unwrap_or_default()
            }
            What::Join(_) | What::Decline | What::Abort(_) | What::Open(_) => Hash::ZERO,
            _ => transcript,
        };
        let extra = u64::from(round) << 32 | members;
        let extra = if context == Hash::ZERO { 0 } else { extra };
        if let Some(known) = self.cache.get(&(mv, context, extra)) {
            return known.clone();
        }
        let at = At {
            id,
            round,
            transcript,
        };
        let tx = self.make(board, mv, &at);
        self.cache.insert((mv, context, extra), tx.clone());
        tx
    }

    fn make(&mut self, board: &Board, mv: Move, at: &At) -> Option<VerifiedTx> {
        let session = at.id;
        let (index, n) = (mv.index, self.world.n);
        let signer = self.parties.get(usize::from(mv.by))?.clone();
        let mut network = self.network;
        let (action, symbol) = match mv.what {
            What::Open(kind) => return self.open(mv.session, kind),
            What::Say(..) => return None,
            What::Join(variant) => {
                let key = self.parties.get(usize::from(index)).unwrap_or(&signer);
                let key = key.encryption_key(variant);
                (
                    Action::Join(Join {
                        session,
                        index,
                        key,
                    }),
                    1 + variant,
                )
            }
            What::Decline => (leave(at, index, Leave::Decline { reason: 5 }), 40),
            What::Abort(reason) => {
                let leave_by = Leave::Abort {
                    cause: 9 + u16::from(reason),
                    about: NOBODY,
                    detail: Hash::ZERO,
                };
                (leave(at, index, leave_by), 41 + reason)
            }
            What::Post(_, content) => {
                if content == Content::OtherNetwork {
                    network = NetworkId(sha256(b"another network").0);
                }
                let post = self.post(board, index, at, content)?;
                self.posts.insert(post.header.digest(), post.clone());
                (Action::Post(post), content_symbol(content))
            }
            What::Finish(_, outcome) => {
                let header = FinishHeader {
                    session,
                    round: at.round,
                    index,
                    transcript: at.transcript,
                    outcome: sha256(&[outcome]),
                };
                (Action::Finish(header), 30 + outcome)
            }
            What::Evidence(_, pair) => (self.evidence(board, &signer, index, at, pair)?, 60),
            What::Complain(_, accused, aim) => {
                let complain = self.complain(board, index, accused, at, aim)?;
                (Action::Complain(complain), 50)
            }
            What::Reveal(answer) => {
                let reveal = self.reveal(board, index, at, answer);
                (Action::Reveal(reveal), 51 + answer_symbol(answer))
            }
        };
        self.note(&signer, &action, symbol, &network);
        let tx = signer.tx(action, &network);
        tx.verify(signer.key(), n, &network).ok()
    }

    fn open(&mut self, session: u8, kind: Opening) -> Option<VerifiedTx> {
        let open = self.opens.get(&(session, kind))?.clone();
        let signer = match kind {
            Opening::Listed | Opening::Stamped => listed(),
            Opening::Forged => self.parties.first()?.clone(),
            _ => stranger(session),
        };
        let parties = open.spec.parties();
        let action = Action::Open(open);
        let network = self.network;
        self.note(&signer, &action, 70, &network);
        let tx = signer.tx(action, &network);
        tx.verify(signer.key(), parties, &network).ok()
    }

    fn note(&mut self, signer: &Party, action: &Action, symbol: u8, network: &NetworkId) {
        let Some(bytes) = bytes_to_sign(action, network) else {
            return;
        };
        let digest = bytes.len().checked_sub(32).and_then(|at| bytes.get(at..));
        if let Some(digest) = digest.and_then(Hash::from_slice) {
            let signed = Arc::make_mut(&mut self.signed);
            signed.insert((*signer.key().as_bytes(), digest));
            self.symbols.entry(digest).or_insert(symbol);
        }
        let entry = match action {
            Action::Post(post) => Entry::Post(post.header.clone()),
            Action::Finish(finish) => Entry::Finish(finish.clone()),
            _ => return,
        };
        self.note_entry(signer, entry);
    }

    fn note_entry(&mut self, signer: &Party, entry: Entry) -> SignedEntry {
        let signed = signer.entry(entry, &self.network);
        let slot = signed.entry.slot();
        let own = self.parties.get(usize::from(slot.2));
        if own.is_some_and(|own| own.key() == signer.key()) {
            let slots = Arc::make_mut(&mut self.entries);
            let slot = slots.entry(slot).or_default();
            slot.insert(signed.entry.digest(), signed.clone());
        }
        signed
    }
}

fn leave(at: &At, index: u16, leave: Leave) -> Action {
    Action::Leave {
        session: at.id,
        index,
        leave,
    }
}

fn content_symbol(content: Content) -> u8 {
    match content {
        Content::Plain => 10,
        Content::Other => 11,
        Content::Sealed => 12,
        Content::Unreadable => UNREADABLE,
        Content::Heavy => 14,
        _ => 19,
    }
}

fn answer_symbol(answer: Answer) -> u8 {
    match answer {
        Answer::Right => 0,
        _ => 1,
    }
}

/// The stamp of an opening: a right one where it needs one, unless it is about its being wrong.
fn stamp(world: &World, kind: Opening, id: &SessionId) -> u64 {
    let right = find(id, world.stamp_bits).unwrap_or(0);
    match kind {
        Opening::Listed => 0,
        Opening::Stamped => 1,
        Opening::Unstamped => (0..).find(|stamp| !is_stamp(id, *stamp, 1)).unwrap_or(0),
        _ => right,
    }
}

fn open(world: &World, session: u8, kind: Opening, genesis_ms: u64) -> Open {
    let opener = match kind {
        Opening::Listed | Opening::Stamped => listed(),
        _ => stranger(session),
    };
    let mut spec = world.spec();
    let mut open_by_ms = genesis_ms + world.open_by_ms();
    match kind {
        Opening::Expired => open_by_ms = genesis_ms - 1,
        Opening::TooFar => open_by_ms = genesis_ms + 1_000_000_000,
        Opening::TooManyRounds => spec.max_rounds = 9,
        Opening::TooManyBytes => spec.max_bytes *= 3,
        Opening::TooMuchWork => spec = world.crowded(),
        _ => {}
    }
    Open {
        spec,
        opener: *opener.key(),
        nonce: [session; 32],
        open_by_ms,
        stamp: 0,
    }
}
