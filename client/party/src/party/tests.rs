use white_city_wire::{
    Complain, Kem, Refusal, SessionId,
    dispute::Verdict,
    entry::p2p_leaf,
    payload::{LibraryKem, SessionSeed},
    tree::SlotTree,
    tx::{Join, Post},
};
use zeroize::Zeroizing;

use super::{
    dispute::{check_acquitted, named_payload},
    *,
};
use crate::journal::Seeds;

const SECRET: &[u8] = b"for 1";

/// Payloads for parties 1 and 2 in round 1, as their author keeps them.
fn own() -> Filling {
    let sealed = vec![(1, vec![1; 50]), (2, vec![2; 50])];
    let post = Post::new(
        SessionId([1; 32]),
        1,
        (0, 3),
        Hash([2; 32]),
        b"hello".to_vec(),
        sealed,
    );
    let plaintext = |to: u16| (to, Zeroizing::new(format!("for {to}").into_bytes()));
    Filling {
        digest: post.header.digest(),
        action: Action::Post(post),
        plaintexts: Some(vec![plaintext(1), plaintext(2)]),
        tx: None,
        is_shown: true,
        is_checked: true,
    }
}

fn complaint(own: &Filling) -> Complain {
    let Action::Post(post) = &own.action else {
        panic!("a post")
    };
    Complain {
        post: post.header.clone(),
        index: 1,
        leaf: p2p_leaf(&[1; 50]),
        path: SlotTree::new(post.p2p_leaves(3)).path(1).unwrap(),
    }
}

#[test]
fn the_payload_that_a_complaint_names_is_revealed_and_no_other() {
    let own = own();
    let good = complaint(&own);
    assert_eq!(named_payload(&own, &good, 3), Ok(Some(SECRET)));
    let changes: [fn(&mut Complain); 10] = [
        |bad| bad.post.session.0[0] ^= 1,
        |bad| bad.post.transcript.0[0] ^= 1,
        |bad| bad.post.round = 2,
        |bad| bad.post.index = 1,
        |bad| bad.post.bcast_len += 1,
        |bad| bad.leaf = p2p_leaf(&[2; 50]),
        |bad| bad.path[0].0[0] ^= 1,
        |bad| bad.path.truncate(1),
        |bad| bad.index = 2,
        |bad| bad.index = 3,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        change(&mut bad);
        let refused = Err(Answer::NoMemory);
        assert_eq!(named_payload(&own, &bad, 3), refused, "{number}");
    }
}

#[test]
fn what_is_not_remembered_is_not_revealed() {
    let good = complaint(&own());
    let refused = Err(Answer::NoMemory);
    let mut forgot = own();
    forgot.plaintexts.as_mut().unwrap().remove(0);
    assert_eq!(named_payload(&forgot, &good, 3), refused);
    let mut from_journal = own();
    from_journal.plaintexts = None;
    assert_eq!(named_payload(&from_journal, &good, 3), Ok(None));
    let mut other = own();
    let Action::Post(post) = &mut other.action else {
        panic!("a post")
    };
    post.header.p2p_root.0[0] ^= 1;
    assert_eq!(named_payload(&other, &good, 3), refused);
    let mut damaged = own();
    let Action::Post(post) = &mut damaged.action else {
        panic!("a post")
    };
    post.p2p[0].1[0] ^= 1;
    assert_eq!(named_payload(&damaged, &good, 3), refused);
}

#[test]
fn only_the_key_that_a_party_has_joined_with_says_what_can_not_be_opened() {
    let session = SessionId([1; 32]);
    for kem in Kem::ALL {
        let secret = |byte: u8| {
            let seed = SessionSeed::new([byte; 32]);
            let public = seed.encryption_key(kem, &session, 2).unwrap();
            let seeds = Seeds {
                session: vec![byte; 32],
                protocol: vec![0; 32],
            };
            (
                Secret::<LibraryKem>::new(seeds, kem, &session, 2).unwrap(),
                public,
            )
        };
        let ((own, key), (other, _)) = (secret(1), secret(2));
        let join = Join {
            session,
            index: 2,
            key,
        };
        assert!(own.is_of(&join) && !other.is_of(&join));
    }
}

#[test]
fn what_would_convict_its_author_is_not_signed() {
    assert_eq!(check_acquitted(Ok(Verdict::FalseComplaint)), Ok(()));
    let convicts = check_acquitted(Ok(Verdict::BadPayload));
    assert_eq!(convicts, Err(Answer::Differs));
    let elsewhere = Refusal::NotTheAccused { accused: 1 };
    assert_eq!(check_acquitted(Err(elsewhere)), Err(Answer::Differs));
}
