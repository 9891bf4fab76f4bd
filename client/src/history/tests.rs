use ed25519_dalek::{Signer as _, SigningKey};
use white_city_wire::{
    IdentityKey, Signature, SignedTx,
    entry::FinishHeader,
    pb,
    tree::SlotTree,
    tx::{Action, Open, Post, bytes_to_sign, entry_to_pb, join_to_pb, open_to_pb},
};

use super::*;
use crate::{
    SpecBuilder,
    read::{check_join, check_open},
};

pub(crate) const NETWORK: NetworkId = NetworkId([42; 32]);
const OUTCOME: Hash = Hash([5; 32]);

/// Four parties of which three have to be there, in four rounds, and what they sign.
pub(crate) struct Bench {
    keys: Vec<SigningKey>,
    pub(crate) open: Open,
    pub(crate) id: SessionId,
}

fn identity(key: &SigningKey) -> IdentityKey {
    IdentityKey::from_bytes(key.verifying_key().as_bytes()).unwrap()
}

impl Bench {
    pub(crate) fn new() -> Self {
        let keys: Vec<_> = (1..=4)
            .map(|seed| SigningKey::from_bytes(&[seed; 32]))
            .collect();
        let roster: Vec<_> = keys.iter().map(identity).collect();
        let open = Open {
            opener: roster[0],
            spec: SpecBuilder::new("test", 1, roster)
                .quorum(3)
                .max_rounds(4)
                .build()
                .unwrap(),
            nonce: [8; 32],
            open_by_ms: 9,
        };
        let id = open.session_id(&NETWORK);
        Self { keys, open, id }
    }

    fn sign(&self, index: u16, action: &Action) -> Signature {
        let bytes = bytes_to_sign(action, &NETWORK).unwrap();
        Signature(self.keys[usize::from(index)].sign(&bytes).to_bytes())
    }

    pub(crate) fn open_pb(&self) -> pb::Open {
        let signature = self.sign(0, &Action::Open(self.open.clone()));
        open_to_pb(&self.open, &signature)
    }

    pub(crate) fn join_pb(&self, index: u16) -> pb::Join {
        let seed = white_city_wire::payload::SessionSeed::new([index as u8; 32]);
        let (_, key) = seed.key_pair(&self.id, index);
        let join = Join {
            session: self.id,
            index,
            key: white_city_wire::keys::EncryptionKey::from_bytes(&key).unwrap(),
        };
        join_to_pb(&join, &self.sign(index, &Action::Join(join.clone())))
    }

    fn join(&self, index: u16) -> Join {
        check_join(&self.join_pb(index), self.id, &self.open.spec, &NETWORK).unwrap()
    }

    /// A history in which everybody has joined.
    pub(crate) fn joined(&self) -> History {
        let mut history = History::new(NETWORK, self.id, self.open.spec.clone());
        history
            .close_joining((0..4).map(|index| self.join(index)).collect())
            .unwrap();
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
            broadcast: post.broadcast.clone(),
            ciphertext: sealed.map_or_else(Vec::new, |(_, ciphertext)| ciphertext.clone()),
            p2p_path: white_city_wire::read::join_hashes(&path),
        }
    }

    fn post(&self, history: &History, index: u16, reader: u16) -> Entry {
        Entry::from_pb(&self.item(history, index, reader))
            .unwrap()
            .unwrap()
    }

    pub(crate) fn items(
        &self,
        history: &History,
        indices: &[u16],
        reader: u16,
    ) -> Vec<pb::InboxItem> {
        indices
            .iter()
            .map(|index| self.item(history, *index, reader))
            .collect()
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
    let joins = (0..4).map(|index| Some(bench.join(index).digest()));
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
        history.close_round(Some(2), &entries).unwrap();
        assert_eq!(history.transcript(), expected);
        assert_eq!(history.transcript_before(round), Some(before));
        assert_eq!(history.members(), &Bitmap::full(4));
    }
}

#[test]
fn a_reader_without_a_part_checks_everything_but_p2p_payloads() {
    let bench = Bench::new();
    let (mut party, mut other) = (bench.joined(), bench.joined());
    party
        .close_round(Some(2), &bench.posts(&party, &[0, 1, 2, 3], 2))
        .unwrap();
    let mut entries = bench.posts(&other, &[0, 1, 2, 3], 2);
    for entry in &mut entries {
        (entry.ciphertext, entry.p2p_path) = (Vec::new(), Vec::new());
    }
    other.close_round(None, &entries).unwrap();
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
        assert!(history.close_round(Some(3), &entries).is_err(), "{what}");
        assert_eq!(
            (history.open_round(), history.transcript()),
            (1, before),
            "{what}"
        );
    }
    let untampered = bench.posts(&history, &[0, 1, 2], 3);
    assert_eq!(history.close_round(Some(3), &untampered), Ok(()));
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
    assert_eq!(history.close_round(Some(3), &entries), refused);
    let bytes = bytes_to_sign(&post, &NetworkId([43; 32])).unwrap();
    entries[1].signed.signature = Signature(bench.keys[1].sign(&bytes).to_bytes());
    assert_eq!(history.close_round(Some(3), &entries), refused);
    entries[1].signed.signature = good;
    assert_eq!(history.close_round(Some(3), &entries), Ok(()));
}

#[test]
fn a_replica_can_neither_hide_so_many_entries_that_the_quorum_is_missing_nor_show_one_twice() {
    let bench = Bench::new();
    let mut history = bench.joined();
    let entries = bench.posts(&history, &[0, 2], 1);
    let refused = Contradiction::TooFew { got: 2, needed: 3 };
    assert_eq!(history.close_round(Some(1), &entries), Err(refused));
    let entries = bench.posts(&history, &[0, 2, 2, 3], 1);
    assert!(matches!(
        history.close_round(Some(1), &entries),
        Err(Contradiction::Place { index: 2, .. })
    ));
    assert_eq!(
        history.close_round(Some(1), &[]),
        Err(Contradiction::TooFew { got: 0, needed: 3 })
    );
}

#[test]
fn hiding_one_entry_gives_another_transcript_so_nothing_after_it_verifies() {
    let bench = Bench::new();
    let (mut all, mut hidden) = (bench.joined(), bench.joined());
    all.close_round(Some(0), &bench.posts(&all, &[0, 1, 2, 3], 0))
        .unwrap();
    hidden
        .close_round(Some(0), &bench.posts(&hidden, &[0, 1, 2], 0))
        .unwrap();
    assert_ne!(all.transcript(), hidden.transcript());
    let next = bench.posts(&all, &[0, 1, 2], 0);
    assert!(matches!(
        hidden.close_round(Some(0), &next),
        Err(Contradiction::Place {
            what: "another transcript",
            ..
        })
    ));
}

#[test]
fn whoever_was_absent_does_not_come_back() {
    let bench = Bench::new();
    let mut history = bench.joined();
    history
        .close_round(Some(0), &bench.posts(&history, &[0, 1, 3], 0))
        .unwrap();
    assert!(!history.members().contains(2));
    let back = bench.posts(&history, &[0, 1, 2, 3], 0);
    assert_eq!(
        history.close_round(Some(0), &back),
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
    with.close_round(Some(0), &mixed).unwrap();
    without.close_round(Some(0), &posts).unwrap();
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
    assert_eq!(history.check_finish(&OUTCOME, &good), Ok(()));
    assert!(history.check_finish(&other, &good).is_err());
    assert!(history.check_finish(&OUTCOME, &good[..2]).is_err());
    assert!(
        history
            .check_finish(&OUTCOME, &finishes([OUTCOME, OUTCOME, other]))
            .is_err()
    );
    let mut posted = good[..2].to_vec();
    posted.push(bench.post(&history, 2, 0));
    assert!(history.check_finish(&OUTCOME, &posted).is_err());
    let mut forged = good.clone();
    forged[2].signed.signature.0[5] ^= 1;
    assert_eq!(
        history.check_finish(&OUTCOME, &forged),
        Err(Contradiction::Signature { index: 2 })
    );
}

#[test]
fn no_posts_win_the_last_round() {
    let bench = Bench::new();
    let mut history = bench.joined();
    for _ in 1..4 {
        let entries = bench.posts(&history, &[0, 1, 2], 0);
        history.close_round(Some(0), &entries).unwrap();
    }
    let entries = bench.posts(&history, &[0, 1, 2], 0);
    assert_eq!(
        history.close_round(Some(0), &entries),
        Err(Contradiction::PastLastRound)
    );
    let last: Vec<_> = (0..3)
        .map(|index| bench.finish(&history, index, OUTCOME))
        .collect();
    assert_eq!(
        history.check_finish(&OUTCOME, &last),
        Ok(()),
        "but it can be finished in"
    );
}

#[test]
fn joining_closes_with_a_quorum_of_joins_each_once() {
    let bench = Bench::new();
    let close = |indices: &[u16]| {
        let mut history = History::new(NETWORK, bench.id, bench.open.spec.clone());
        let joins = indices.iter().map(|index| bench.join(*index)).collect();
        history
            .close_joining(joins)
            .map(|()| history.members().clone())
    };
    assert_eq!(
        close(&[0, 1]),
        Err(Contradiction::TooFew { got: 2, needed: 3 })
    );
    assert!(matches!(
        close(&[0, 1, 1]),
        Err(Contradiction::Place { index: 1, .. })
    ));
    let expected: Bitmap = [(0, true), (1, false), (2, true), (3, true)]
        .into_iter()
        .collect();
    assert_eq!(close(&[3, 0, 2]), Ok(expected));
}

/// A way to change a join.
type TamperJoin = (&'static str, fn(&mut pb::Join));

const TAMPERED_JOINS: [TamperJoin; 7] = [
    ("session", |j| j.session[0] ^= 1),
    ("index", |j| j.index = 2),
    ("index past the roster", |j| j.index = 4),
    ("kind of key", |j| j.kem = 2),
    // Another valid key: whoever could swap it would read what is sealed to it.
    ("key", |j| j.enc_pk = [&[9_u8][..], &[0; 31]].concat()),
    ("weak key", |j| j.enc_pk = vec![0; 32]),
    ("signature", |j| j.signature[9] ^= 1),
];

#[test]
fn a_join_with_anything_changed_is_refused() {
    let bench = Bench::new();
    let check = |join: &pb::Join| check_join(join, bench.id, &bench.open.spec, &NETWORK);
    assert!(check(&bench.join_pb(1)).is_ok());
    for (what, tamper) in TAMPERED_JOINS {
        let mut join = bench.join_pb(1);
        tamper(&mut join);
        assert!(check(&join).is_err(), "{what}");
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
    assert!(check_open(bench.open_pb(), bench.id, &NETWORK).is_ok());
    assert!(check_open(bench.open_pb(), bench.id, &NetworkId([43; 32])).is_err());
    for (what, tamper) in TAMPERED_OPENS {
        let mut open = bench.open_pb();
        tamper(&mut open);
        assert!(check_open(open, bench.id, &NETWORK).is_err(), "{what}");
    }
    let tx = SignedTx::new(Action::Open(bench.open.clone()), Signature([0; 64]));
    assert!(
        tx.is_ok(),
        "the tampered ones are refused for what they say, not for their form"
    );
}
