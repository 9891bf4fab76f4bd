//! Values of every kind that travels.

use proptest::{collection::vec, prelude::*};
use white_city_tests::{complaints::complain_about, party::Party};
use white_city_wire::{
    Complain, Entry, FinishHeader, Hash, Kem, PostHeader, Reveal, SessionId, Spec,
    limits::NOBODY,
    tx::{Action, Join, Leave, Open, Post},
};

/// Size of every roster here.
pub const PARTIES: u16 = 5;

pub fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn session() -> impl Strategy<Value = SessionId> {
    any::<[u8; 32]>().prop_map(SessionId)
}

fn spec() -> impl Strategy<Value = Spec> {
    let parts = (
        (
            "[ -~]{1,64}",
            any::<u32>(),
            1..=6_u64,
            any::<u16>(),
            any::<u16>(),
        ),
        (1..=65_536_u32, 1_u64.., 1_u64.., 1_u64.., 1_u64..),
        (
            any::<u32>(),
            any::<u32>(),
            any::<u64>(),
            vec(any::<u8>(), 0..200),
            session(),
        ),
    );
    parts.prop_map(|(head, times, limits)| {
        let n = u16::try_from(head.2).unwrap();
        let least = n / 2 + 1;
        Spec {
            protocol: head.0,
            version: head.1,
            kem: Kem::X25519,
            roster: Party::several(head.2).iter().map(|p| *p.key()).collect(),
            quorum: least + head.3 % (n - least + 1),
            corrupt: head.4 % n,
            max_rounds: times.0,
            join_ms: times.1,
            round_ms: times.2,
            reveal_ms: times.3,
            retention_ms: times.4,
            max_bcast: limits.0,
            max_p2p: limits.1,
            max_bytes: limits.2,
            input: limits.3,
            prev_session: limits.4,
        }
    })
}

fn post() -> impl Strategy<Value = Action> {
    let payload = proptest::option::of(vec(any::<u8>(), 49..120));
    let parts = (
        session(),
        1_u32..,
        0..PARTIES,
        hash(),
        vec(any::<u8>(), 0..100),
    );
    (parts, vec(payload, usize::from(PARTIES))).prop_map(
        |((session, round, index, t, bcast), all)| {
            let p2p = (0..PARTIES).zip(all).filter(|(to, _)| *to != index);
            let p2p = p2p
                .filter_map(|(to, payload)| Some((to, payload?)))
                .collect();
            Action::Post(Post::new(session, round, (index, PARTIES), t, bcast, p2p))
        },
    )
}

fn finish() -> impl Strategy<Value = FinishHeader> {
    (session(), 1_u32.., 0..1_024_u16, hash(), hash()).prop_map(
        |(session, round, index, transcript, outcome)| FinishHeader {
            session,
            round,
            index,
            transcript,
            outcome,
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let header = (finish(), hash(), any::<u32>(), any::<u32>()).prop_map(|(f, root, len, p2p)| {
        Entry::Post(PostHeader {
            session: f.session,
            round: f.round,
            index: f.index,
            transcript: f.transcript,
            bcast_hash: f.outcome,
            bcast_len: len,
            p2p_root: root,
            p2p_bytes: p2p,
        })
    });
    prop_oneof![header, finish().prop_map(Entry::Finish)]
}

/// A complaint about a payload that is in the post.
fn complain() -> impl Strategy<Value = Complain> {
    let post = post().prop_filter_map("a post with a payload", |action| match action {
        Action::Post(post) if !post.p2p.is_empty() => Some(post),
        _ => None,
    });
    (post, any::<prop::sample::Index>()).prop_map(|(post, which)| {
        let (index, _) = post.p2p[which.index(post.p2p.len())];
        complain_about(&post, index, PARTIES).unwrap()
    })
}

fn reveal() -> impl Strategy<Value = Reveal> {
    let parts = (session(), hash(), 0..1_024_u16, any::<[u8; 32]>());
    (parts, vec(any::<u8>(), 1..200)).prop_map(|((session, complaint, index, ikm_e), plaintext)| {
        Reveal {
            session,
            complaint,
            index,
            ikm_e,
            plaintext,
        }
    })
}

/// Every kind of transaction.
pub fn action() -> impl Strategy<Value = Action> {
    let place = || (session(), 0..1_024_u16);
    let open = (spec(), any::<[u8; 32]>(), any::<u64>()).prop_map(|(spec, nonce, open_by_ms)| {
        Action::Open(Open {
            spec,
            opener: *Party::new(0).key(),
            nonce,
            open_by_ms,
            stamp: 0,
        })
    });
    let join = (place(), any::<u8>()).prop_map(|((session, index), variant)| {
        let key = Party::new(0).encryption_key(variant);
        Action::Join(Join {
            session,
            index,
            key,
        })
    });
    let decline = any::<u16>().prop_map(|reason| Leave::Decline { reason });
    let about = prop_oneof![0..1_024_u16, Just(NOBODY)];
    let abort = (any::<u16>(), about, hash()).prop_map(|(cause, about, detail)| Leave::Abort {
        cause,
        about,
        detail,
    });
    let leave = (place(), prop_oneof![decline, abort]).prop_map(|((session, index), leave)| {
        Action::Leave {
            session,
            index,
            leave,
        }
    });
    let evidence = [entry(), entry()].prop_map(|pair| {
        let network = white_city_wire::NetworkId([7; 32]);
        Action::Evidence(pair.map(|entry| Party::new(0).entry(entry, &network)))
    });
    let finish = finish().prop_map(Action::Finish);
    let complain = complain().prop_map(Action::Complain);
    let reveal = reveal().prop_map(Action::Reveal);
    prop_oneof![
        open,
        join,
        leave,
        post(),
        finish,
        evidence,
        complain,
        reveal
    ]
}
