//! The encodings are frozen: `tests/golden/messages.txt` holds what fixed seeds give.

use std::fmt::Write as _;

use proptest::prelude::*;
use white_city_eddsa::message::{Commitment, KeyAndCommitment, Nonce, Opening, Partial, Share};
use white_city_eddsa::{KeyShare, Malformed};

use crate::harness::{
    Posts, Resharing, aggregate_parties, agreed, keygen_parties, keys, many_parties,
    refresh_parties, run, sign_parties,
};

fn record(out: &mut String, protocol: &str, round: u16, posts: &Posts) {
    for (party, post) in posts {
        let name = format!("{protocol} round {round} party {party}");
        writeln!(out, "{name} broadcast {}", hex::encode(&post.broadcast)).unwrap();
        for (to, payload) in &post.p2p {
            writeln!(out, "{name} to {to} {}", hex::encode(payload.as_slice())).unwrap();
        }
    }
}

#[test]
fn every_message_is_byte_for_byte_what_it_was() {
    let mut out = String::new();
    run(keygen_parties(1, 3, 1, 3), |round, posts| {
        record(&mut out, "keygen", round, posts)
    });
    let keys = keys(3, 1);
    writeln!(
        out,
        "keygen share {}",
        hex::encode(keys[0].to_bytes().as_slice())
    )
    .unwrap();
    writeln!(out, "keygen outcome {}", hex::encode(keys[0].outcome())).unwrap();
    let results = run(
        sign_parties(2, &keys, &[2, 0], b"message"),
        |round, posts| {
            record(&mut out, "sign", round, posts);
        },
    );
    let signed = agreed(results, b"message");
    writeln!(out, "sign signature {}", hex::encode(signed.signature)).unwrap();
    writeln!(out, "sign outcome {}", hex::encode(signed.outcome())).unwrap();
    let results = run(aggregate_parties(3, 3, b"message"), |round, posts| {
        record(&mut out, "aggregate", round, posts);
    });
    let signed = agreed(results, b"message");
    writeln!(out, "aggregate signature {}", hex::encode(signed.signature)).unwrap();
    writeln!(out, "aggregate outcome {}", hex::encode(signed.outcome())).unwrap();
    let mut refreshed = run(refresh_parties(4, &keys, &[1, 2, 0]), |round, posts| {
        record(&mut out, "refresh", round, posts);
    });
    let new = refreshed.remove(&0).unwrap().unwrap();
    writeln!(
        out,
        "refresh share {}",
        hex::encode(new.to_bytes().as_slice())
    )
    .unwrap();
    writeln!(out, "refresh outcome {}", hex::encode(new.outcome())).unwrap();
    let parties = many_parties(6, &keys, &[2, 0], &[b"one", b"two"]);
    let results = run(parties, |round, posts| {
        record(&mut out, "sign-many", round, posts);
    });
    let signed = results[&0].as_ref().unwrap();
    for one in signed.signed() {
        writeln!(out, "sign-many signature {}", hex::encode(one.signature)).unwrap();
    }
    writeln!(out, "sign-many outcome {}", hex::encode(signed.outcome())).unwrap();
    // Of three holders one is gone, one leaves; two join.
    let resharing = Resharing {
        parties: 4,
        keys: &keys,
        dealers: [(1, 2), (3, 0)].into(),
        recipients: [0, 1, 2].into(),
        degree: 2,
    };
    let mut reshared = run(resharing.all(5), |round, posts| {
        record(&mut out, "reshare", round, posts);
    });
    let new = reshared.remove(&2).unwrap().unwrap();
    let share = new.share.unwrap();
    writeln!(
        out,
        "reshare share {}",
        hex::encode(share.to_bytes().as_slice())
    )
    .unwrap();
    writeln!(out, "reshare outcome {}", hex::encode(new.outcome)).unwrap();
    assert_eq!(out, include_str!("../golden/messages.txt"), "\n{out}");
}

/// The group's order, and one less.
fn order() -> ([u8; 32], [u8; 32]) {
    let mut order = [0; 32];
    let text = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    hex::decode_to_slice(text, &mut order).unwrap();
    let mut below = order;
    below[0] -= 1;
    (order, below)
}

#[test]
fn scalars_are_accepted_up_to_the_order_less_one() {
    let (order, below) = order();
    let mut above = order;
    above[0] += 1;
    for good in [[0; 32], below] {
        assert!(Share::decode(&Share(good).encode()).is_ok());
        assert!(Partial::decode(&Partial(good).encode()).is_ok());
    }
    for bad in [order, above, [0xff; 32]] {
        assert_eq!(
            Share::decode(&Share(bad).encode()).err(),
            Some(Malformed::Scalar)
        );
        assert_eq!(
            Partial::decode(&Partial(bad).encode()),
            Err(Malformed::Scalar)
        );
        let opening = Opening {
            blind: [0; 32],
            points: vec![[0; 32]; 2],
            proof_nonce: [0; 32],
            proof_response: bad,
        };
        assert_eq!(
            Opening::decode(&opening.encode(), 1),
            Err(Malformed::Scalar)
        );
    }
}

#[test]
fn other_lengths_and_versions_are_refused() {
    for length in [0, 1, 32, 34, 64, 66] {
        let reason = |expected| {
            Some(Malformed::Length {
                expected,
                got: length,
            })
        };
        let bytes = vec![1; length];
        assert_eq!(Commitment::decode(&bytes).err(), reason(33));
        assert_eq!(Partial::decode(&bytes).err(), reason(33));
        assert_eq!(Share::decode(&bytes).err(), reason(33));
        assert_eq!(Nonce::decode(&bytes).err(), reason(65));
        assert_eq!(KeyAndCommitment::decode(&bytes).err(), reason(65));
        assert_eq!(Opening::decode(&bytes, 1).err(), reason(1 + 32 * 5));
    }
    for version in [0, 2, 255] {
        let bytes = [[version].as_slice(), &[0; 32]].concat();
        let expected = Malformed::Version {
            expected: 1,
            got: version,
        };
        assert_eq!(Commitment::decode(&bytes), Err(expected));
    }
}

proptest! {
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        mut bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..400),
            proptest::collection::vec(any::<u8>(), 33),
            proptest::collection::vec(any::<u8>(), 65),
            proptest::collection::vec(any::<u8>(), 1 + 32 * 6),
        ],
        versioned in any::<bool>(),
        degree in 1_u16..4,
    ) {
        if let (true, Some(version)) = (versioned, bytes.first_mut()) {
            *version = 1;
        }
        if let Ok(message) = Commitment::decode(&bytes) { prop_assert_eq!(message.encode(), bytes.clone()); }
        if let Ok(message) = Opening::decode(&bytes, degree) { prop_assert_eq!(message.encode(), bytes.clone()); }
        if let Ok(message) = Share::decode(&bytes) { prop_assert_eq!(message.encode().to_vec(), bytes.clone()); }
        if let Ok(message) = Partial::decode(&bytes) { prop_assert_eq!(message.encode(), bytes.clone()); }
        if let Ok(message) = KeyAndCommitment::decode(&bytes) { prop_assert_eq!(message.encode(), bytes.clone()); }
        if let Ok(message) = Nonce::decode(&bytes) { prop_assert_eq!(message.encode(), bytes.clone()); }
        prop_assert!(KeyShare::from_bytes(&bytes).is_err());
    }
}
