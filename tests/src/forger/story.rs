//! A session as its validators tell it.

use white_city_wire::{
    Bitmap, Entry, FinishHeader, Hash, Kem, NetworkId, SessionId, Signature, SignedEntry, SignedTx,
    Spec,
    board::{
        Cause, Culprit, Offence, SessionLeaf, Status, Terminal, evidence_hash, left_hash,
        slots_root, transcript_after,
    },
    limits::{NOBODY, PROTOCOL},
    pb,
    reserve::reserved_bytes,
    tx::{Action, Join, Leave, Open, Post},
};

use super::{Forger, telling::tx_pb};
use crate::{party::Party, scene};

/// An entry, and its broadcast.
pub(super) type Told = (SignedEntry, Vec<u8>);

/// A complaint and its answer.
#[derive(Debug, Clone)]
pub struct Dispute {
    /// The complaint.
    pub complain: SignedTx,
    /// The answer.
    pub reveal: Option<SignedTx>,
}

/// A session at one height. What its methods make is what a board would make of what the parties sign; every part can be
/// changed before [`Story::refresh`] puts its hashes into the leaf, and the leaf after it.
#[derive(Clone)]
pub struct Story {
    /// The height at which it is certified.
    pub height: u64,
    /// The roster, whose keys are at hand, too.
    pub parties: Vec<Party>,
    /// Its opening.
    pub open: Open,
    /// Its id.
    pub id: SessionId,
    pub(super) network: NetworkId,
    /// The leaf that is certified.
    pub leaf: SessionLeaf,
    /// The joins, in the order of the roster.
    pub joins: Vec<(Join, Signature)>,
    /// The entries of the rounds from 1 on, the open one's the last.
    pub rounds: Vec<Vec<Told>>,
    /// Digests that the slots of the open round hold.
    pub slots: Vec<Option<Hash>>,
    /// The transcript before each closed round, and its root.
    pub(super) closed: Vec<(Hash, Hash)>,
    /// Its terminal record.
    pub terminal: Option<Terminal>,
    /// Parties that evidence is said to be against.
    pub culprits: Vec<Culprit>,
    /// The evidence.
    pub evidence: Vec<[SignedEntry; 2]>,
    /// Parties that are said to have left, with the digest of what they said.
    pub left: Vec<(u16, Hash)>,
    /// Transactions that those who left have signed.
    pub words: Vec<SignedTx>,
    /// The dispute.
    pub dispute: Option<Dispute>,
}

impl Story {
    /// A session of `n` parties and this quorum, in which nobody has joined.
    #[must_use]
    pub fn new(forger: &Forger, n: u16, quorum: u16) -> Self {
        Self::of(forger, Kem::X25519, n, quorum)
    }

    /// The same with encryption keys of this kind.
    ///
    /// # Panics
    /// Without a party.
    #[must_use]
    pub fn of(forger: &Forger, kem: Kem, n: u16, quorum: u16) -> Self {
        let parties = Party::several(n.into());
        let mut spec = scene::spec(&parties, quorum);
        scene::of_kem(kem)(&mut spec);
        let opener = *parties.first().expect("a party").key();
        let network = forger.network().id;
        let open = Open {
            spec,
            opener,
            nonce: [1; 32],
            open_by_ms: 1,
            stamp: 0,
        };
        let id = open.session_id(&network);
        let mut story = Self {
            height: 5,
            leaf: SessionLeaf {
                session: id,
                status: Status::Joining,
                open_round: 0,
                protocol: PROTOCOL,
                opener: 0,
                reserved_bytes: reserved_bytes(&open.spec),
                members: Bitmap::full(n),
                transcript: Hash(id.0),
                slots_root: Hash::ZERO,
                deadline_ms: 0,
                call_blocks: 0,
                callers: [0; 32],
                dispute: Hash::ZERO,
                terminal: Hash::ZERO,
                evidence: Hash::ZERO,
                left: Hash::ZERO,
            },
            joins: Vec::new(),
            rounds: Vec::new(),
            slots: vec![None; usize::from(n)],
            closed: Vec::new(),
            terminal: None,
            culprits: Vec::new(),
            evidence: Vec::new(),
            left: Vec::new(),
            words: Vec::new(),
            dispute: None,
            parties,
            open,
            id,
            network,
        };
        story.refresh();
        story
    }

    /// The spec.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.open.spec
    }

    pub(super) fn n(&self) -> u16 {
        self.spec().parties()
    }

    fn party(&self, index: u16) -> &Party {
        self.parties.get(usize::from(index)).expect("a party")
    }

    fn fill(&mut self, index: u16, digest: Hash) {
        *self.slots.get_mut(usize::from(index)).expect("a slot") = Some(digest);
    }

    /// Puts the hashes of all parts into the leaf.
    pub fn refresh(&mut self) {
        self.leaf.slots_root = slots_root(self.slots.iter().copied());
        self.leaf.terminal = self.terminal.as_ref().map_or(Hash::ZERO, Terminal::hash);
        if let Some(terminal) = &self.terminal {
            self.leaf.members.clone_from(&terminal.members);
        }
        self.leaf.evidence = evidence_hash(&self.culprits);
        self.leaf.left = left_hash(&self.left);
        self.leaf.dispute = match self
            .dispute
            .as_ref()
            .map(|d| d.complain.unverified_action())
        {
            Some(Action::Complain(complain)) => complain.digest(),
            _ => Hash::ZERO,
        };
    }

    /// These parties join.
    #[must_use]
    pub fn join(mut self, indices: &[u16]) -> Self {
        for index in indices {
            let join = Join {
                session: self.id,
                index: *index,
                key: self.party(*index).encryption_key_of(self.open.spec.kem, 0),
            };
            let tx = self.sign(*index, Action::Join(join.clone()));
            self.fill(*index, join.digest());
            self.joins.push((join, signature_of(&tx)));
        }
        self.refresh();
        self
    }

    /// Anything under a party's signature.
    #[must_use]
    pub fn sign(&self, index: u16, action: Action) -> SignedTx {
        self.party(index).tx(action, &self.network)
    }

    /// An entry under its author's signature.
    #[must_use]
    pub fn signed(&self, entry: Entry) -> SignedEntry {
        let (_, _, index) = entry.slot();
        self.party(index).entry(entry, &self.network)
    }

    /// The open round closes, and the next one is open.
    #[must_use]
    pub fn close(mut self) -> Self {
        let root = slots_root(self.slots.iter().copied());
        self.leaf.members = self.filled();
        let leaf = &mut self.leaf;
        self.closed.push((leaf.transcript, root));
        leaf.transcript = transcript_after(&leaf.transcript, leaf.open_round, &root);
        leaf.open_round += 1;
        leaf.status = Status::Running;
        self.slots = vec![None; self.slots.len()];
        self.rounds.push(Vec::new());
        self.refresh();
        self
    }

    /// A post in the open round.
    #[must_use]
    pub fn post_of(&self, index: u16, broadcast: &[u8]) -> Post {
        Post::new(
            self.id,
            self.leaf.open_round,
            (index, self.n()),
            self.leaf.transcript,
            broadcast.to_vec(),
            Vec::new(),
        )
    }

    /// A finish in the open round.
    #[must_use]
    pub fn finish_of(&self, index: u16, outcome: Hash) -> Entry {
        Entry::Finish(FinishHeader {
            session: self.id,
            round: self.leaf.open_round,
            index,
            transcript: self.leaf.transcript,
            outcome,
        })
    }

    /// Puts an entry with this broadcast into its author's slot of the open round, whatever it is.
    pub fn put(&mut self, signed: SignedEntry, broadcast: Vec<u8>) {
        let (_, _, index) = signed.entry.slot();
        self.fill(index, signed.entry.digest());
        let round = self.rounds.last_mut().expect("a round that runs");
        round.push((signed, broadcast));
        self.refresh();
    }

    /// These parties post.
    #[must_use]
    pub fn post(mut self, indices: &[u16]) -> Self {
        for index in indices {
            let post = self.post_of(*index, b"words");
            let signed = self.signed(Entry::Post(post.header));
            self.put(signed, post.broadcast);
        }
        self
    }

    /// These parties finish with one outcome.
    #[must_use]
    pub fn finish(mut self, indices: &[u16], outcome: Hash) -> Self {
        for index in indices {
            let signed = self.signed(self.finish_of(*index, outcome));
            self.put(signed, Vec::new());
        }
        self
    }

    /// Everybody joins, and these parties post in each of the rounds before `round`, which is open then.
    #[must_use]
    pub fn in_round(self, round: u32, members: &[u16]) -> Self {
        let everybody: Vec<u16> = (0..self.n()).collect();
        let joined = self.join(&everybody).close();
        (1..round).fold(joined, |story, _| story.post(members).close())
    }

    /// These slots of the open round.
    #[must_use]
    pub fn filled(&self) -> Bitmap {
        let slots = (0_u16..).zip(&self.slots);
        slots.map(|(index, slot)| (index, slot.is_some())).collect()
    }

    /// The session ends one height earlier, with these members.
    #[must_use]
    pub fn end(mut self, (status, cause): (Status, Cause), outcome: Hash, members: &[u16]) -> Self {
        let mut bitmap = Bitmap::empty(self.n());
        for index in members {
            bitmap.insert(*index);
        }
        let height = self.height - 1;
        let terminal = Terminal {
            status,
            cause,
            height,
            board_ms: Forger::board_ms(height),
            by: NOBODY,
            outcome,
            members: bitmap,
            filled: self.filled(),
        };
        self.leaf.status = status;
        self.leaf.deadline_ms = terminal.board_ms + self.spec().retention_ms;
        self.terminal = Some(terminal);
        self.refresh();
        self
    }

    /// The session ends because too few have filled their slots.
    #[must_use]
    pub fn too_few(self, members: &[u16]) -> Self {
        self.end((Status::Aborted, Cause::TooFew), Hash::ZERO, members)
    }

    /// The session finishes.
    #[must_use]
    pub fn finished(self, outcome: Hash, members: &[u16]) -> Self {
        self.end((Status::Finished, Cause::None), outcome, members)
    }

    /// A change of the terminal record.
    #[must_use]
    pub fn with_record(mut self, change: impl FnOnce(&mut Terminal)) -> Self {
        change(self.terminal.as_mut().expect("an end"));
        self.refresh();
        self
    }

    /// A change of anything; the leaf follows.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.refresh();
        self
    }

    /// A change of the leaf alone.
    #[must_use]
    pub fn with_leaf(mut self, change: impl FnOnce(&mut SessionLeaf)) -> Self {
        change(&mut self.leaf);
        self
    }

    /// A party is said to be convicted by this pair of entries, as it is given.
    #[must_use]
    pub fn accused_by(mut self, pair: [SignedEntry; 2]) -> Self {
        let (_, round, index) = pair[0].entry.slot();
        self.culprits.push(Culprit {
            index,
            offence: Offence::Equivocation,
            round,
            a: pair[0].entry.digest(),
            b: pair[1].entry.digest(),
        });
        self.evidence.push(pair);
        self.refresh();
        self
    }

    /// A party leaves, and the record of the end names it.
    #[must_use]
    pub fn leave(mut self, index: u16, leave: Leave) -> Self {
        self.left.push((index, leave.digest(&self.id, index)));
        let session = self.id;
        self.words.push(self.sign(
            index,
            Action::Leave {
                session,
                index,
                leave,
            },
        ));
        self.refresh();
        self
    }
}

pub(super) fn signature_of(tx: &SignedTx) -> Signature {
    let bytes = match tx_pb(tx).body {
        Some(pb::tx::Body::Open(open)) => open.signature.clone(),
        Some(pb::tx::Body::Join(join)) => join.signature.to_vec(),
        _ => Vec::new(),
    };
    Signature::from_slice(&bytes).expect("the signature of an opening or a join")
}
