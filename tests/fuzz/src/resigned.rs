//! The state machine, by transactions that say whatever the input says, under the signatures that they need: a fuzzer changes any
//! field of them, and can sign nothing.

mod recording;

use std::{collections::BTreeSet, sync::Arc};

use white_city_state_machine::{Block, Session};
use white_city_tests::{
    board::{Board, Candidate},
    complaints::PayloadPlace,
    invariants::{Invariant, all},
    network::{network, operator, rules},
    party::Party,
    simulator::{Entries, Observed, Sealed, SignedDigests, check},
};
use white_city_wire::{
    Entry, Hash, Network, SessionId, Signature, SignedEntry, SignedTx,
    approve::{Approve, Word},
    board::transcript_after,
    entry::p2p_leaf,
    signing::{Purpose, signed_bytes},
    tx::{Action, Join, bytes_to_sign},
};

use crate::Target;

/// Blocks of transactions that get the signatures which they need, and every property after each block.
pub const RESIGNED: Target = Target::new("resigned", recording::seeds, take)
    .within(64 << 20)
    .costing(50);

/// Number of validators.
const VALIDATORS: u8 = 4;
/// Operators whose keys are at hand: those of the genesis, and some that may come.
const OPERATORS: u8 = 8;
/// Most blocks that an input makes.
const BLOCKS: usize = 60;
/// Lengths from here on end a block; their lowest bits say how much later the next one is, who proposes it, and whether the validators
/// have voted for the one before.
const END: u16 = 0xff00;
/// Bit of such a length that says that they have.
const VOTED: u16 = 1 << 5;
/// Time between two blocks, ms: within a deadline, past it, and so long that the board counts as down.
const STEPS_MS: [u64; 4] = [100, 700, 2_600, 10_000];

/// The network of all inputs.
fn its_network() -> Arc<Network> {
    network(VALIDATORS, rules(&[]))
}

/// Parties whose keys are at hand: a roster's, the opener of a recorded scene, and operators.
fn parties() -> Vec<Party> {
    let mut parties = Party::several(5);
    parties.push(Party::new(1_000));
    parties.extend((0..OPERATORS).map(operator));
    parties
}

/// A board, and all that was signed for it.
struct World {
    board: Board,
    parties: Vec<Party>,
    invariants: Vec<Box<dyn Invariant>>,
    signed: SignedDigests,
    entries: Entries,
    sealed: Sealed,
    /// The last session that was opened, which whatever names none is about.
    last: Option<SessionId>,
    accepted: usize,
}

impl World {
    fn new() -> Self {
        Self {
            board: Board::new(its_network()),
            parties: parties(),
            invariants: all(),
            signed: SignedDigests::new(),
            entries: Entries::new(),
            sealed: Sealed::new(),
            last: None,
            accepted: 0,
        }
    }

    fn party(&self, key: &[u8; 32]) -> Option<&Party> {
        self.parties
            .iter()
            .find(|party| party.key().as_bytes() == key)
    }

    fn session(&self, id: &SessionId) -> Option<&Session> {
        self.board.state.session(id).ok().map(AsRef::as_ref)
    }

    /// Key of the party at this index of a session.
    fn key_at(&self, session: &SessionId, index: u16) -> Option<[u8; 32]> {
        let body = self.session(session)?.body.as_ref()?;
        Some(*body.spec.key(index).ok()?.as_bytes())
    }

    /// The session that is meant: the last one where there is none with this id.
    fn meant(&self, id: SessionId) -> SessionId {
        match self.session(&id) {
            Some(_) => id,
            None => self.last.unwrap_or(id),
        }
    }

    /// The transcript that is meant by an entry of a session: zeros mean the present one.
    fn transcript(&self, session: &SessionId, transcript: Hash) -> Hash {
        let present = self.session(session).map(|session| session.leaf.transcript);
        match transcript {
            Hash::ZERO => present.unwrap_or(transcript),
            other => other,
        }
    }

    fn mend_entry(&self, entry: &mut Entry) {
        let (session, transcript) = match entry {
            Entry::Post(post) => (&mut post.session, &mut post.transcript),
            Entry::Finish(finish) => (&mut finish.session, &mut finish.transcript),
        };
        *session = self.meant(*session);
        *transcript = self.transcript(session, *transcript);
    }

    /// Puts right what a word names: the term and the charter that its charter follows, where it names none, and the signatures of
    /// those who become operators.
    fn mend_word(&self, approve: &mut Approve) {
        let term = self.board.state.term();
        approve.term = approve.term.min(term.charter.term);
        let Word::Charter { charter, newcomers } = &mut approve.word else {
            return;
        };
        if charter.previous == Hash::ZERO {
            charter.previous = term.charter_hash;
        }
        let message = signed_bytes(Purpose::Operate, &self.board.network().id, &charter.hash());
        let keys = charter.operators_new_to(&term.charter);
        for (signature, key) in newcomers.iter_mut().zip(keys) {
            if let Some(party) = self.party(&key.0) {
                *signature = party.sign(&message);
            }
        }
    }

    /// The action with what it names put right where that is nothing on the board.
    fn mended(&self, mut action: Action) -> Action {
        match &mut action {
            Action::Open(_) => {}
            Action::Approve(approve) => self.mend_word(approve),
            Action::Join(Join { session, .. }) | Action::Leave { session, .. } => {
                *session = self.meant(*session);
            }
            Action::Post(post) => {
                let mut entry = Entry::Post(post.header.clone());
                self.mend_entry(&mut entry);
                if let Entry::Post(header) = entry {
                    post.header = header;
                }
            }
            Action::Finish(finish) => {
                let mut entry = Entry::Finish(finish.clone());
                self.mend_entry(&mut entry);
                if let Entry::Finish(header) = entry {
                    *finish = header;
                }
            }
            Action::Evidence(pair) => pair
                .iter_mut()
                .for_each(|signed| self.mend_entry(&mut signed.entry)),
            Action::Complain(complain) => complain.post.session = self.meant(complain.post.session),
            Action::Reveal(reveal) => {
                reveal.session = self.meant(reveal.session);
                let dispute = self
                    .session(&reveal.session)
                    .and_then(|s| s.body.as_ref()?.dispute.as_ref());
                if let Some(dispute) = dispute.filter(|_| reveal.complaint == Hash::ZERO) {
                    reveal.complaint = dispute.complain.digest();
                }
            }
        }
        action
    }

    /// Signs an action with the key that the board will ask for, if it is at hand.
    fn sign(&mut self, action: Action) -> Option<SignedTx> {
        let network = self.board.network().id;
        if let Action::Evidence(pair) = action {
            let pair = pair.map(|signed| self.sign_entry(signed));
            return SignedTx::new(Action::Evidence(pair), Signature([0; 64])).ok();
        }
        let context = self.board.next_context(0, 0);
        let block = Block::begin(self.board.state.clone(), context);
        let key = match (&action, block.signer(&action)) {
            (Action::Open(open), _) => *open.opener.as_bytes(),
            (_, Ok((key, _))) => *key.as_bytes(),
            (_, Err(_)) => return None,
        };
        let bytes = bytes_to_sign(&action, &network)?;
        let signature = self.party(&key)?.sign(&bytes);
        self.note_signed(key, &action, signature)?;
        SignedTx::new(action, signature).ok()
    }

    /// Notes that a party has signed an action.
    fn note_signed(&mut self, key: [u8; 32], action: &Action, signature: Signature) -> Option<()> {
        let bytes = bytes_to_sign(action, &self.board.network().id)?;
        let digest = Hash::from_slice(bytes.get(bytes.len() - 32..)?)?;
        self.signed.insert((key, digest));
        let entry = match action {
            Action::Post(post) => Some(Entry::Post(post.header.clone())),
            Action::Finish(finish) => Some(Entry::Finish(finish.clone())),
            _ => None,
        };
        if let Some(entry) = entry {
            self.note(SignedEntry { entry, signature });
        }
        self.note_sealed(action);
        Some(())
    }

    /// Notes who has signed a transaction that stays as it is: a session that the same block opens can't be asked for the key.
    fn note_as_is(&mut self, tx: &SignedTx) {
        let network = self.board.network().id;
        let n = self.board.network().params.max_n;
        let signed = self.parties.iter().find_map(|party| {
            let tx = tx.clone().verify(party.key(), n, &network).ok()?;
            Some((*party.key().as_bytes(), tx))
        });
        if let Some((key, tx)) = signed {
            self.note_signed(key, tx.action(), *tx.signature());
        }
    }

    fn sign_entry(&mut self, signed: SignedEntry) -> SignedEntry {
        let (session, _, index) = signed.entry.slot();
        let party = self
            .key_at(&session, index)
            .and_then(|key| self.party(&key));
        let Some(party) = party else { return signed };
        let signed = party.entry(signed.entry, &self.board.network().id);
        self.note(signed.clone());
        signed
    }

    fn note(&mut self, signed: SignedEntry) {
        let slot = self.entries.entry(signed.entry.slot());
        slot.or_default().insert(signed.entry.digest(), signed);
    }

    /// Notes what a reveal shows, if it is what the payload was rightly sealed from.
    fn note_sealed(&mut self, action: &Action) {
        let Action::Reveal(reveal) = action else {
            return;
        };
        let leaf = self.resealed(reveal.session, &reveal.ikm_e, &reveal.plaintext);
        if let Some(leaf) = leaf {
            let shown = (reveal.ikm_e, reveal.plaintext.clone());
            self.sealed.insert(leaf, shown);
        }
    }

    /// The leaf of this plaintext, sealed in the place that a session's complaint is about.
    fn resealed(&self, session: SessionId, ikm_e: &[u8; 32], plaintext: &[u8]) -> Option<Hash> {
        let body = self.session(&session)?.body.as_ref()?;
        let complain = &body.dispute.as_ref()?.complain;
        let (round, to) = (complain.post.round, complain.index);
        let Some(white_city_state_machine::Slot::Join { key, .. }) = body.slot(0, to) else {
            return None;
        };
        let closed = (0_u32..)
            .zip(&body.closed)
            .take_while(|(number, _)| *number < round);
        let transcript = closed.fold(Hash(session.0), |so_far, (number, closed)| {
            transcript_after(&so_far, number, &closed.root)
        });
        let place = PayloadPlace {
            network: self.board.network().id,
            session,
            spec: &body.spec,
            transcript,
            round,
            from: complain.post.index,
            to,
            key: key.clone(),
        };
        (!plaintext.is_empty()).then(|| p2p_leaf(&place.seal(ikm_e, plaintext)))
    }

    /// The candidate that bytes are meant as.
    fn candidate(&mut self, bytes: &[u8]) -> Candidate {
        let Ok(tx) = SignedTx::decode(bytes) else {
            return Candidate::Bytes(bytes.to_vec());
        };
        let action = self.mended(tx.unverified_action().clone());
        match self.sign(action) {
            Some(tx) => Candidate::Bytes(tx.encode()),
            None => {
                self.note_as_is(&tx);
                Candidate::Bytes(bytes.to_vec())
            }
        }
    }

    fn run(&mut self, candidates: Vec<Candidate>, end: u16) {
        let step_ms = STEPS_MS[usize::from(end & 3)];
        let mut context = self.board.next_context(step_ms, usize::from(end >> 2 & 7));
        if end & VOTED != 0 {
            context.voted = [u8::MAX; 32];
        }
        let must_be_taken = vec![false; candidates.len()];
        let executed = self.board.run(context, candidates);
        let opened = executed.applied().filter_map(|(tx, _)| match tx.action() {
            Action::Open(open) => Some(open.session_id(&self.board.network().id)),
            _ => None,
        });
        self.last = opened.last().or(self.last);
        self.accepted += executed.applied().count();
        let seen = Observed {
            root: executed.after.root(),
            executed,
            must_be_taken,
            signed: Arc::new(self.signed.clone()),
            entries: Arc::new(self.entries.clone()),
            sealed: Arc::new(self.sealed.clone()),
            honest: Arc::new(BTreeSet::new()),
        };
        if let Err(what) = check(&mut self.invariants, &seen) {
            panic!("height {}: {what}", self.board.height);
        }
    }
}

/// Whether the board accepts anything.
fn take(input: &[u8]) -> bool {
    play(input).accepted > 0
}

/// The world after the blocks that an input makes.
fn play(mut input: &[u8]) -> World {
    let mut world = World::new();
    let mut candidates = Vec::new();
    let mut blocks = 0;
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = u16::from_be_bytes(*length);
        if length >= END {
            world.run(std::mem::take(&mut candidates), length);
            blocks += 1;
            input = rest;
        } else {
            let (bytes, rest) = rest.split_at(usize::from(length).min(rest.len()));
            let candidate = world.candidate(bytes);
            candidates.push(candidate);
            input = rest;
        }
        if blocks == BLOCKS {
            break;
        }
    }
    world.run(candidates, END);
    world
}

#[cfg(test)]
mod tests {
    use super::{play, recording::seeds};

    #[test]
    fn operators_sign_what_inputs_say_and_change_the_rules() {
        let worlds: Vec<_> = seeds().iter().map(|seed| play(seed)).collect();
        let most = |of: fn(&super::World) -> u32| worlds.iter().map(of).max();
        assert_eq!(most(|world| world.board.state.charter().term), Some(2));
        assert_eq!(most(|world| world.board.state.term().eras), Some(2));
        assert_eq!(most(|world| world.board.state.charter().protocol), Some(3));
        let withdrawn = |world: &super::World| {
            let mut words = world.board.state.proposals().iter();
            words.any(|word| word.sequence == 2)
        };
        assert!(worlds.iter().any(withdrawn));
    }
}
