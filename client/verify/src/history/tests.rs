use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use white_city_wire::{
    Kem, Signature, SignedTx,
    board::{Status, transcript_next, transcript_start},
    entry::{FinishHeader, PostHeader},
    limits::PROTOCOL,
    pb,
    reserve::reserved_bytes,
    tree::SlotTree,
    tx::{Action, Open, Post, bytes_to_sign, entry_to_pb, join_to_pb, open_to_pb},
};

use super::*;
use crate::{
    Trust,
    read::session::{check_join, check_open},
    testing::{identity, key, sign, spec},
};

pub(crate) const NETWORK: NetworkId = NetworkId([42; 32]);
const OUTCOME: Hash = Hash([5; 32]);

/// Four parties of which three have to be there, in four rounds, and what they sign.
pub(crate) struct Bench {
    keys: Vec<SigningKey>,
    pub(crate) open: Open,
    pub(crate) id: SessionId,
}

/// Trust in a network with this id.
pub(crate) fn trust(id: NetworkId) -> Trust {
    let network = crate::genesis::tests::network(4);
    Trust::new(white_city_wire::Network { id, ..network }).unwrap()
}

impl Bench {
    pub(crate) fn new() -> Self {
        let keys: Vec<_> = (1..=4).map(key).collect();
        let roster: Vec<_> = keys.iter().map(identity).collect();
        let open = Open {
            opener: roster[0],
            spec: spec(roster),
            nonce: [8; 32],
            open_by_ms: 9,
            stamp: 0,
        };
        let id = open.session_id(&NETWORK);
        Self { keys, open, id }
    }

    pub(crate) fn sign(&self, index: u16, action: &Action) -> Signature {
        sign(&self.keys[usize::from(index)], action, &NETWORK)
    }

    pub(crate) fn open_pb(&self) -> pb::Open {
        let signature = self.sign(0, &Action::Open(self.open.clone()));
        open_to_pb(&self.open, &signature)
    }

    pub(crate) fn join_pb(&self, index: u16) -> pb::Join {
        self.join_pb_with(index, self.open.spec.kem)
    }

    fn join_pb_with(&self, index: u16, kem: Kem) -> pb::Join {
        let seed = white_city_wire::payload::SessionSeed::new([index as u8; 32]);
        let key = seed.encryption_key(kem, &self.id, index);
        let join = Join {
            session: self.id,
            index,
            key: key.unwrap(),
        };
        join_to_pb(&join, &self.sign(index, &Action::Join(join.clone())))
    }

    fn join(&self, index: u16) -> (Join, Signature) {
        let join = self.join_pb(index);
        check_join(&join, self.id, &self.open.spec, &trust(NETWORK), None).unwrap()
    }

    /// The leaf of the session, running, with this past and these slots.
    pub(crate) fn leaf(&self, open_round: u32, transcript: Hash, slots_root: Hash) -> SessionLeaf {
        SessionLeaf {
            session: self.id,
            status: Status::Running,
            open_round,
            protocol: PROTOCOL,
            opener: 0,
            reserved_bytes: reserved_bytes(&self.open.spec),
            members: Bitmap::full(self.open.spec.parties()),
            transcript,
            slots_root,
            deadline_ms: 0,
            call_blocks: 0,
            callers: [0; 32],
            dispute: Hash::ZERO,
            terminal: Hash::ZERO,
            evidence: Hash::ZERO,
            left: Hash::ZERO,
        }
    }

    /// Proof and leaf of a board whose next closed round has these slots, whatever they hold: of validators who sign anything.
    fn board_with(&self, history: &History, slots: &[Option<Hash>]) -> (RoundProof, SessionLeaf) {
        let (round, before) = (history.open_round(), history.transcript());
        let root = slots_root(slots.iter().copied());
        let transcript = transcript_after(&before, round, &root);
        let proof = RoundProof {
            before,
            later_roots: Vec::new(),
        };
        (proof, self.leaf(round + 1, transcript, Hash::ZERO))
    }

    /// Takes in joins, from a board that has them.
    fn close_joining(
        &self,
        history: &mut History,
        joins: &[(Join, Signature)],
    ) -> Result<(), Contradiction> {
        let mut slots = vec![None; 4];
        for (join, _) in joins {
            slots[usize::from(join.index)] = Some(join.digest());
        }
        let (proof, leaf) = self.board_with(history, &slots);
        let closed = history.check_joining(joins, &proof, &leaf)?;
        history.push(closed);
        Ok(())
    }

    /// Takes in a round, from a board that has these entries.
    fn close_round(
        &self,
        history: &mut History,
        reader: Option<u16>,
        entries: &[Entry],
    ) -> Result<(), Contradiction> {
        let (proof, leaf) = self.board_with(history, &slots(entries));
        let closed = history.check_round(reader, entries, &proof, &leaf)?;
        history.push(closed);
        Ok(())
    }

    /// Checks the last round, from a board that has these entries.
    fn check_last(
        &self,
        history: &History,
        outcome: Option<&Hash>,
        entries: &[Entry],
    ) -> Result<(), Contradiction> {
        let root = slots_root(slots(entries));
        let leaf = self.leaf(history.open_round(), history.transcript(), root);
        history.check_last_round(outcome, entries, &leaf)
    }

    /// A history in which everybody has joined.
    pub(crate) fn joined(&self) -> History {
        let mut history = History::new(NETWORK, self.id, self.open.spec.clone());
        let joins: Vec<_> = (0..4).map(|index| self.join(index)).collect();
        self.close_joining(&mut history, &joins).unwrap();
        history
    }

    /// A post with a broadcast, and a payload for each other party, as a replica serves it to `reader`.
    fn item(&self, history: &History, index: u16, reader: u16) -> pb::InboxItem {
        let p2p: Vec<(u16, Vec<u8>)> = (0..4)
            .filter(|to| *to != index)
            .map(|to| (to, vec![to as u8; 50]))
            .collect();
        let (round, transcript) = (history.open_round(), history.transcript());
        let broadcast = format!("from {index}").into_bytes();
        let post = Post::new(self.id, round, (index, 4), transcript, broadcast, p2p);
        let signature = self.sign(index, &Action::Post(post.clone()));
        let path = SlotTree::new(post.p2p_leaves(4))
            .path(reader)
            .unwrap_or_default();
        let signed = SignedEntry {
            entry: WireEntry::Post(post.header.clone()),
            signature,
        };
        let sealed = post.p2p.iter().find(|(to, _)| *to == reader);
        pb::InboxItem {
            entry: Some(pb::inbox_item::Entry::Signed(entry_to_pb(&signed))),
            broadcast: post.broadcast.clone().into(),
            ciphertext: sealed
                .map_or_else(Vec::new, |(_, ciphertext)| ciphertext.clone())
                .into(),
            p2p_path: white_city_wire::read::join_hashes(&path).into(),
        }
    }

    fn post(&self, history: &History, index: u16, reader: u16) -> Entry {
        let item = self.item(history, index, reader);
        let Some(pb::inbox_item::Entry::Signed(signed)) = &item.entry else {
            panic!("a post");
        };
        Entry::from_pb(&item, signed).unwrap()
    }

    fn finish(&self, history: &History, index: u16, outcome: Hash) -> Entry {
        let finish = FinishHeader {
            session: self.id,
            round: history.open_round(),
            index,
            transcript: history.transcript(),
            outcome,
        };
        let signature = self.sign(index, &Action::Finish(finish.clone()));
        Entry {
            signed: SignedEntry {
                entry: WireEntry::Finish(finish),
                signature,
            },
            broadcast: Vec::new(),
            ciphertext: Vec::new(),
            p2p_path: Vec::new(),
        }
    }

    pub(crate) fn posts(&self, history: &History, indices: &[u16], reader: u16) -> Vec<Entry> {
        indices
            .iter()
            .map(|index| self.post(history, *index, reader))
            .collect()
    }
}

/// The slots of a board that has these entries.
fn slots(entries: &[Entry]) -> Vec<Option<Hash>> {
    let mut slots = vec![None; 4];
    for entry in entries {
        let (_, _, index) = entry.signed.entry.slot();
        if let Some(slot) = slots.get_mut(usize::from(index)) {
            *slot = Some(entry.signed.entry.digest());
        }
    }
    slots
}

fn header(entry: &mut Entry) -> &mut white_city_wire::PostHeader {
    match &mut entry.signed.entry {
        WireEntry::Post(header) => header,
        WireEntry::Finish(_) => panic!("a post"),
    }
}

#[test]
fn what_the_parties_signed_becomes_history_with_the_boards_transcript() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let joins = (0..4).map(|index| Some(bench.join(index).0.digest()));
    assert_eq!(
        history.transcript(),
        transcript_start(&bench.id, &slots_root(joins))
    );
    for round in 1..4 {
        let before = history.transcript();
        let entries = bench.posts(&history, &[0, 1, 2, 3], 2);
        let digests = entries
            .iter()
            .map(|entry| Some(entry.signed.entry.digest()));
        let expected = transcript_next(&before, round, &slots_root(digests));
        bench.close_round(&mut history, Some(2), &entries).unwrap();
        assert_eq!(history.transcript(), expected);
        assert_eq!(history.transcript_before(round), Some(before));
        assert_eq!(history.members(), &Bitmap::full(4));
    }
}

#[test]
fn a_reader_without_a_part_checks_everything_but_p2p_payloads() {
    let bench = Bench::new();
    let (mut party, mut other) = (bench.joined(), bench.joined());
    let entries = bench.posts(&party, &[0, 1, 2, 3], 2);
    bench.close_round(&mut party, Some(2), &entries).unwrap();
    let mut entries = bench.posts(&other, &[0, 1, 2, 3], 2);
    for entry in &mut entries {
        (entry.ciphertext, entry.p2p_path) = (Vec::new(), Vec::new());
    }
    bench.close_round(&mut other, None, &entries).unwrap();
    assert_eq!(other.transcript(), party.transcript());
}

/// A way to change one entry.
type Tamper = (&'static str, fn(&mut Entry));

const TAMPERED: [Tamper; 22] = [
    ("first byte of the signature", |e| {
        e.signed.signature.0[0] ^= 1
    }),
    ("last byte of the signature", |e| {
        e.signed.signature.0[63] ^= 1
    }),
    ("session", |e| header(e).session.0[0] ^= 1),
    ("round before", |e| header(e).round -= 1),
    ("round after", |e| header(e).round += 1),
    ("another author", |e| header(e).index = 3),
    ("an author past the roster", |e| header(e).index = 4),
    ("transcript", |e| header(e).transcript.0[31] ^= 1),
    ("hash of the broadcast", |e| header(e).bcast_hash.0[0] ^= 1),
    ("length of the broadcast", |e| header(e).bcast_len += 1),
    ("p2p root", |e| header(e).p2p_root.0[0] ^= 1),
    ("p2p bytes", |e| header(e).p2p_bytes += 1),
    ("broadcast changed", |e| e.broadcast[0] ^= 1),
    ("broadcast longer", |e| e.broadcast.push(0)),
    ("broadcast hidden", |e| e.broadcast.clear()),
    ("payload changed", |e| e.ciphertext[0] ^= 1),
    ("payload hidden", |e| e.ciphertext.clear()),
    ("payload hidden with its path", |e| {
        e.ciphertext.clear();
        e.p2p_path.clear();
    }),
    ("path changed", |e| e.p2p_path[0].0[0] ^= 1),
    ("path cut", |e| e.p2p_path.truncate(1)),
    ("path longer", |e| e.p2p_path.push(Hash::ZERO)),
    ("path turned round", |e| e.p2p_path.reverse()),
];

#[test]
fn a_round_with_anything_changed_in_one_entry_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let before = history.transcript();
    for (what, tamper) in TAMPERED {
        let mut entries = bench.posts(&history, &[0, 1, 2], 3);
        tamper(&mut entries[1]);
        assert!(
            bench.close_round(&mut history, Some(3), &entries).is_err(),
            "{what}"
        );
        assert_eq!(
            (history.open_round(), history.transcript()),
            (1, before),
            "{what}"
        );
    }
    let untampered = bench.posts(&history, &[0, 1, 2], 3);
    assert_eq!(
        bench.close_round(&mut history, Some(3), &untampered),
        Ok(())
    );
}

#[test]
fn an_entry_signed_by_somebody_else_or_for_another_network_is_refused() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let mut entries = bench.posts(&history, &[0, 1, 2], 3);
    let post = Action::Post(Post {
        header: header(&mut entries[1]).clone(),
        broadcast: Vec::new(),
        p2p: Vec::new(),
    });
    let good = entries[1].signed.signature;
    assert_eq!(bench.sign(1, &post), good, "the same bytes are signed");
    entries[1].signed.signature = bench.sign(0, &post);
    let refused = Err(Contradiction::Signature { index: 1 });
    assert_eq!(bench.close_round(&mut history, Some(3), &entries), refused);
    let bytes = bytes_to_sign(&post, &NetworkId([43; 32])).unwrap();
    entries[1].signed.signature = Signature(bench.keys[1].sign(&bytes).to_bytes());
    assert_eq!(bench.close_round(&mut history, Some(3), &entries), refused);
    entries[1].signed.signature = good;
    assert_eq!(bench.close_round(&mut history, Some(3), &entries), Ok(()));
}

#[test]
fn a_replica_can_neither_hide_so_many_entries_that_the_quorum_is_missing_nor_show_one_twice() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let entries = bench.posts(&history, &[0, 2], 1);
    let refused = Contradiction::TooFew { got: 2, needed: 3 };
    assert_eq!(
        bench.close_round(&mut history, Some(1), &entries),
        Err(refused)
    );
    let entries = bench.posts(&history, &[0, 2, 2, 3], 1);
    assert!(matches!(
        bench.close_round(&mut history, Some(1), &entries),
        Err(Contradiction::Place { index: 2, .. })
    ));
    assert_eq!(
        bench.close_round(&mut history, Some(1), &[]),
        Err(Contradiction::TooFew { got: 0, needed: 3 })
    );
}

#[test]
fn hiding_one_entry_gives_another_transcript_so_nothing_after_it_verifies() {
    let bench = Bench::new();
    let (mut all, mut hidden) = (bench.joined(), bench.joined());
    let entries = bench.posts(&all, &[0, 1, 2, 3], 0);
    bench.close_round(&mut all, Some(0), &entries).unwrap();
    let entries = bench.posts(&hidden, &[0, 1, 2], 0);
    bench.close_round(&mut hidden, Some(0), &entries).unwrap();
    assert_ne!(all.transcript(), hidden.transcript());
    let next = bench.posts(&all, &[0, 1, 2], 0);
    assert!(matches!(
        bench.close_round(&mut hidden, Some(0), &next),
        Err(Contradiction::Place {
            what: "another transcript",
            ..
        })
    ));
}

#[test]
fn what_the_board_has_closed_is_neither_less_nor_more_nor_after_another_past() {
    let bench = Bench::new();
    let history = bench.joined();
    let entries = bench.posts(&history, &[0, 1, 2, 3], 0);
    let (proof, leaf) = bench.board_with(&history, &slots(&entries));
    let check = |entries: &[Entry], proof, leaf| history.check_round(Some(0), entries, proof, leaf);
    assert!(check(&entries, &proof, &leaf).is_ok());
    let refused = Err(Contradiction::Transcript);
    assert_eq!(check(&entries[..3], &proof, &leaf), refused);
    let (of_three, leaf_of_three) = bench.board_with(&history, &slots(&entries[..3]));
    assert_eq!(check(&entries, &of_three, &leaf_of_three), refused);
    let turned: Vec<_> = entries.iter().rev().cloned().collect();
    assert!(matches!(
        check(&turned, &proof, &leaf),
        Err(Contradiction::Place { .. })
    ));
    // Validators who have signed another past, from which the same round leads on.
    let before = Hash([9; 32]);
    let root = slots_root(slots(&entries));
    let other = bench.leaf(2, transcript_after(&before, 1, &root), Hash::ZERO);
    let proof = RoundProof {
        before,
        later_roots: Vec::new(),
    };
    assert_eq!(
        check(&entries, &proof, &other),
        Err(Contradiction::Fork { root })
    );
    let of_later = bench.leaf(3, other.transcript, Hash::ZERO);
    assert_eq!(check(&entries, &proof, &of_later), refused);
}

#[test]
fn joins_are_those_that_the_board_has_closed_and_begin_with_the_sessions_id() {
    let bench = Bench::new();
    let history = History::new(NETWORK, bench.id, bench.open.spec.clone());
    let joins: Vec<_> = (0..4).map(|index| bench.join(index)).collect();
    let digests: Vec<_> = joins.iter().map(|(join, _)| Some(join.digest())).collect();
    let (proof, leaf) = bench.board_with(&history, &digests);
    assert!(history.check_joining(&joins, &proof, &leaf).is_ok());
    let refused = Err(Contradiction::Transcript);
    assert_eq!(history.check_joining(&joins[1..], &proof, &leaf), refused);
    let before = Hash([9; 32]);
    let root = slots_root(digests);
    let other = bench.leaf(1, transcript_after(&before, 0, &root), Hash::ZERO);
    let proof = RoundProof {
        before,
        later_roots: Vec::new(),
    };
    assert_eq!(history.check_joining(&joins, &proof, &other), refused);
    let joined = bench.joined();
    assert_eq!(
        joined.check_joining(&joins, &proof, &other),
        Err(Contradiction::PastLastRound)
    );
}

#[test]
fn nothing_comes_along_that_nobody_has_signed() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let mut entries = bench.posts(&history, &[0, 1, 2], 3);
    // A reader without a part has asked for no payloads.
    let refused = Err(Contradiction::Payload {
        index: 0,
        what: "p2p payload",
    });
    assert_eq!(bench.close_round(&mut history, None, &entries), refused);
    entries = bench.posts(&history, &[0, 1, 2], 2);
    entries[2].ciphertext = vec![0; 50];
    let refused = Err(Contradiction::Payload {
        index: 2,
        what: "p2p payload",
    });
    assert_eq!(bench.close_round(&mut history, Some(2), &entries), refused);
    entries = bench.posts(&history, &[0, 1, 2], 3);
    entries.push(bench.finish(&history, 3, OUTCOME));
    entries[3].ciphertext = vec![0; 50];
    let refused = Err(Contradiction::Payload {
        index: 3,
        what: "p2p payload",
    });
    assert_eq!(bench.close_round(&mut history, Some(3), &entries), refused);
    entries[3].ciphertext.clear();
    entries[3].broadcast = vec![0];
    let refused = Err(Contradiction::Payload {
        index: 3,
        what: "broadcast",
    });
    assert_eq!(bench.close_round(&mut history, Some(3), &entries), refused);
    entries[3].broadcast.clear();
    assert_eq!(bench.close_round(&mut history, Some(3), &entries), Ok(()));
}

#[test]
fn the_last_rounds_entries_are_those_that_the_board_shows() {
    let bench = Bench::new();
    let history = bench.joined();
    let entries = bench.posts(&history, &[0, 1], 3);
    let root = slots_root(slots(&entries));
    let leaf = bench.leaf(1, history.transcript(), root);
    assert_eq!(history.check_last_round(None, &entries, &leaf), Ok(()));
    let refused = Err(Contradiction::Transcript);
    assert_eq!(
        history.check_last_round(None, &entries[1..], &leaf),
        refused
    );
    assert_eq!(history.check_last_round(None, &[], &leaf), refused);
    let mut changed = entries.clone();
    changed[0].broadcast[0] ^= 1;
    let refused = Err(Contradiction::Payload {
        index: 0,
        what: "broadcast",
    });
    assert_eq!(history.check_last_round(None, &changed, &leaf), refused);
}

#[test]
fn whoever_was_absent_does_not_come_back() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let entries = bench.posts(&history, &[0, 1, 3], 0);
    bench.close_round(&mut history, Some(0), &entries).unwrap();
    assert!(!history.members().contains(2));
    let back = bench.posts(&history, &[0, 1, 2, 3], 0);
    assert_eq!(
        bench.close_round(&mut history, Some(0), &back),
        Err(Contradiction::NotMember { index: 2 })
    );
}

#[test]
fn whoever_finished_while_the_others_posted_is_out_but_in_the_transcript() {
    let bench = Bench::new();
    let (mut with, mut without) = (bench.joined(), bench.joined());
    let posts = bench.posts(&with, &[0, 1, 2], 0);
    let mut mixed = posts.clone();
    mixed.push(bench.finish(&with, 3, OUTCOME));
    bench.close_round(&mut with, Some(0), &mixed).unwrap();
    bench.close_round(&mut without, Some(0), &posts).unwrap();
    assert_eq!(with.members(), without.members());
    assert_ne!(with.transcript(), without.transcript());
}

#[test]
fn an_outcome_needs_a_quorum_of_signed_finishes() {
    let bench = Bench::new();
    let history = bench.joined();
    let finishes = |outcomes: [Hash; 3]| -> Vec<Entry> {
        (0..3)
            .zip(outcomes)
            .map(|(index, outcome)| bench.finish(&history, index, outcome))
            .collect()
    };
    let other = Hash([6; 32]);
    let good = finishes([OUTCOME; 3]);
    assert_eq!(bench.check_last(&history, Some(&OUTCOME), &good), Ok(()));
    assert!(bench.check_last(&history, Some(&other), &good).is_err());
    assert!(
        bench
            .check_last(&history, Some(&OUTCOME), &good[..2])
            .is_err()
    );
    assert!(
        bench
            .check_last(
                &history,
                Some(&OUTCOME),
                &finishes([OUTCOME, OUTCOME, other])
            )
            .is_err()
    );
    let mut posted = good[..2].to_vec();
    posted.push(bench.post(&history, 2, 0));
    assert!(bench.check_last(&history, Some(&OUTCOME), &posted).is_err());
    let mut forged = good.clone();
    forged[2].signed.signature.0[5] ^= 1;
    assert_eq!(
        bench.check_last(&history, Some(&OUTCOME), &forged),
        Err(Contradiction::Signature { index: 2 })
    );
}

#[test]
fn no_posts_win_the_last_round() {
    let bench = Bench::new();
    let mut history = bench.joined();
    for _ in 1..4 {
        let entries = bench.posts(&history, &[0, 1, 2], 0);
        bench.close_round(&mut history, Some(0), &entries).unwrap();
    }
    let entries = bench.posts(&history, &[0, 1, 2], 0);
    assert_eq!(
        bench.close_round(&mut history, Some(0), &entries),
        Err(Contradiction::PastLastRound)
    );
    let last: Vec<_> = (0..3)
        .map(|index| bench.finish(&history, index, OUTCOME))
        .collect();
    assert_eq!(
        bench.check_last(&history, Some(&OUTCOME), &last),
        Ok(()),
        "but it can be finished in"
    );
}

#[test]
fn joining_closes_with_a_quorum_of_joins_each_once() {
    let bench = Bench::new();
    let close = |indices: &[u16]| {
        let mut history = History::new(NETWORK, bench.id, bench.open.spec.clone());
        let joins: Vec<_> = indices.iter().map(|index| bench.join(*index)).collect();
        let closed = bench.close_joining(&mut history, &joins);
        closed.map(|()| history.members().clone())
    };
    assert_eq!(
        close(&[0, 1]),
        Err(Contradiction::TooFew { got: 2, needed: 3 })
    );
    for misplaced in [&[0, 1, 1][..], &[3, 0, 2]] {
        assert!(matches!(close(misplaced), Err(Contradiction::Place { .. })));
    }
    let expected: Bitmap = [(0, true), (1, false), (2, true), (3, true)]
        .into_iter()
        .collect();
    assert_eq!(close(&[0, 2, 3]), Ok(expected));
}

/// A way to change a join.
type TamperJoin = (&'static str, fn(&mut pb::Join));

const TAMPERED_JOINS: [TamperJoin; 8] = [
    ("session", |j| flip(&mut j.session, 0)),
    ("index", |j| j.index = 2),
    ("index past the roster", |j| j.index = 4),
    ("kind of key", |j| j.kem = 2),
    ("kind of key that there isn't", |j| j.kem = 3),
    // Another valid key: whoever could swap it would read what is sealed to it.
    ("key", |j| {
        j.enc_pk = [&[9_u8][..], &[0; 31]].concat().into()
    }),
    ("weak key", |j| j.enc_pk = vec![0; 32].into()),
    ("signature", |j| flip(&mut j.signature, 9)),
];

fn flip(bytes: &mut Bytes, at: usize) {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    *bytes = changed.into();
}

#[test]
fn a_join_with_anything_changed_is_refused() {
    let bench = Bench::new();
    let check =
        |join: &pb::Join| check_join(join, bench.id, &bench.open.spec, &trust(NETWORK), None);
    assert!(check(&bench.join_pb(1)).is_ok());
    for (what, tamper) in TAMPERED_JOINS {
        let mut join = bench.join_pb(1);
        tamper(&mut join);
        assert!(check(&join).is_err(), "{what}");
    }
}

#[test]
fn a_join_with_a_key_of_another_kind_than_the_specs_is_refused_whoever_has_signed_it() {
    for (kem, other) in [(Kem::X25519, Kem::XWing), (Kem::XWing, Kem::X25519)] {
        let mut bench = Bench::new();
        bench.open.spec.kem = kem;
        let check = |kem| {
            let join = bench.join_pb_with(1, kem);
            check_join(&join, bench.id, &bench.open.spec, &trust(NETWORK), None).map(|_| ())
        };
        assert_eq!(check(kem), Ok(()));
        assert!(check(other).is_err(), "{other}");
    }
}

#[test]
fn a_posts_payloads_are_no_smaller_than_what_is_sealed_to_a_key_of_the_session() {
    let mut bench = Bench::new();
    for (kem, min) in [(Kem::X25519, 49), (Kem::XWing, 1_137)] {
        bench.open.spec.kem = kem;
        let header = |p2p_bytes| PostHeader {
            session: bench.id,
            round: 1,
            index: 0,
            transcript: Hash::ZERO,
            bcast_hash: Hash::ZERO,
            bcast_len: 0,
            p2p_root: Hash([1; 32]),
            p2p_bytes,
        };
        let check = |bytes| header(bytes).check(&bench.open.spec).is_ok();
        assert_eq!([min - 1, min, min + 1].map(check), [false, true, true]);
    }
}

/// A way to change what opened a session.
type TamperOpen = (&'static str, fn(&mut pb::Open));

const TAMPERED_OPENS: [TamperOpen; 11] = [
    ("nothing at all", |o| *o = pb::Open::default()),
    ("protocol", |o| o.spec.as_mut().unwrap().protocol.push('x')),
    ("quorum", |o| o.spec.as_mut().unwrap().quorum = 4),
    ("roster's order", |o| {
        o.spec.as_mut().unwrap().roster.swap(0, 1)
    }),
    ("roster cut", |o| {
        drop(o.spec.as_mut().unwrap().roster.pop())
    }),
    ("input", |o| o.spec.as_mut().unwrap().input.push(1)),
    ("previous session", |o| {
        o.spec.as_mut().unwrap().prev_session[0] ^= 1
    }),
    ("opener", |o| {
        o.opener = o.spec.as_ref().unwrap().roster[1].clone()
    }),
    ("nonce", |o| o.nonce[0] ^= 1),
    ("open_by", |o| o.open_by_ms += 1),
    ("signature", |o| o.signature[0] ^= 1),
];

#[test]
fn a_spec_with_anything_changed_is_not_the_sessions() {
    let bench = Bench::new();
    let is_of_the_session = |open, trust: &Trust| {
        let checked = check_open(open, trust);
        checked.is_ok_and(|(_, id, _)| id == bench.id)
    };
    assert!(is_of_the_session(bench.open_pb(), &trust(NETWORK)));
    let elsewhere = trust(NetworkId([43; 32]));
    assert!(!is_of_the_session(bench.open_pb(), &elsewhere));
    for (what, tamper) in TAMPERED_OPENS {
        let mut open = bench.open_pb();
        tamper(&mut open);
        assert!(!is_of_the_session(open, &trust(NETWORK)), "{what}");
    }
    let tx = SignedTx::new(Action::Open(bench.open.clone()), Signature([0; 64]));
    assert!(
        tx.is_ok(),
        "the tampered ones are refused for what they say, not for their form"
    );
}
