use white_city_wire::{
    Hash, Signature, SignedTx,
    limits::{ROUNDS_MAX, TX_BYTES_MAX},
    tx::{Action, Post},
};

use super::*;
use crate::{LocalKey, Signer, parts::Parts};

fn builder(parties: u16) -> SpecBuilder {
    let key = |party: u16| {
        let [high, low] = party.to_be_bytes();
        let mut seed = [7; 32];
        (seed[0], seed[1]) = (high, low);
        LocalKey::from_seed(&seed).unwrap().identity()
    };
    SpecBuilder::new("white-city/test", 1, (0..parties).map(key).collect())
}

/// The builder for a board with this much room.
fn with_room(parties: u16, max_tx: u32, max_session: u64) -> SpecBuilder {
    let mut builder = builder(parties);
    builder.room = Room {
        max_tx,
        max_session,
        max_rounds: ROUNDS_MAX,
    };
    builder
}

fn kem(builder: SpecBuilder) -> Kem {
    builder.build().unwrap().kem
}

#[test]
fn keys_are_x_wing_where_the_largest_post_fits_into_a_transaction() {
    let small = |parties| with_room(parties, TX_BYTES_MAX, u64::MAX).payloads(0, 32);
    let most = (2..=1_024)
        .take_while(|parties| kem(small(*parties)) == Kem::XWing)
        .last();
    assert_eq!(most, Some(608));
    // Every board takes transactions of 256 KB.
    let anywhere = |parties| kem(builder(parties).payloads(0, 32));
    assert_eq!(anywhere(222), Kem::XWing);
    assert_eq!(anywhere(223), Kem::X25519);
    // What is asked for counts, whatever fits.
    assert_eq!(kem(small(608).kem(Kem::X25519)), Kem::X25519);
    assert_eq!(kem(small(609).kem(Kem::XWing)), Kem::XWing);
    // Nothing is sealed.
    assert_eq!(kem(builder(3).payloads(100, 0)), Kem::X25519);
}

#[test]
fn keys_are_x_wing_where_all_posts_fit_into_the_session() {
    // Three parties, two posts, one of them with payloads for two others, and a finish.
    let room = 3 * (2 * (256 + 100) + 2 * (32 + 1_136) + 256);
    let of = |max_session| {
        with_room(3, TX_BYTES_MAX, max_session)
            .payloads(100, 32)
            .posts(2, 1)
    };
    let spec = of(room).build().unwrap();
    assert_eq!((spec.kem, spec.max_bytes), (Kem::XWing, room));
    assert_eq!(spec.max_p2p, 32 + 1_136);
    let spec = of(room - 1).build().unwrap();
    let less = room - 3 * 2 * (1_136 - 48);
    assert_eq!((spec.kem, spec.max_bytes), (Kem::X25519, less));
    assert_eq!(spec.max_p2p, 32 + 48);
    // The session's own limit counts, where it is given.
    assert_eq!(kem(of(u64::MAX).max_bytes(room)), Kem::XWing);
    assert_eq!(kem(of(u64::MAX).max_bytes(room - 1)), Kem::X25519);
}

#[test]
fn a_transaction_is_as_large_as_it_was_said_to_be_at_most() {
    for (parties, broadcast, plaintext) in [(2, 1, 1), (3, 70_000, 20_000), (500, 0, 100)] {
        for kem in Kem::ALL {
            let builder = builder(parties).payloads(broadcast, plaintext);
            let sealed = vec![7; usize::try_from(builder.max_p2p(kem)).unwrap()];
            let to = (0..parties - 1).map(|to| (to, sealed.clone())).collect();
            let post = Post::new(
                SessionId([1; 32]),
                u32::MAX,
                (parties - 1, parties),
                Hash([2; 32]),
                vec![3; usize::try_from(broadcast).unwrap()],
                to,
            );
            let tx = SignedTx::new(Action::Post(post), Signature([4; 64])).unwrap();
            let (bytes, at_most) = (u64::from(tx.bytes()), builder.largest_tx_bytes(kem));
            assert!(bytes <= at_most, "{bytes} {at_most}");
            // It isn't said to be much larger than it is.
            assert!(
                at_most - bytes < 200 + 6 * u64::from(parties),
                "{bytes} {at_most}"
            );
        }
    }
}

fn rounds(sizes: &[(u32, u32)]) -> Vec<RoundBytes> {
    let of = |(broadcast, p2p): &(u32, u32)| RoundBytes {
        broadcast: *broadcast,
        p2p: *p2p,
    };
    sizes.iter().map(of).collect()
}

#[test]
fn posts_that_fit_into_a_transaction_are_posts_as_ever() {
    let sizes = rounds(&[(100, 0), (0, 32)]);
    let spec = builder(3).any_size(&sizes).build().unwrap();
    let plain = builder(3).payloads(100, 32).posts(2, 1).max_rounds(3);
    let plain = plain.kem(spec.kem).max_bytes(spec.max_bytes).build();
    let plain = plain.unwrap();
    assert_eq!(spec, plain);
    assert_eq!(spec.protocol, "white-city/test");
}

#[test]
fn there_are_rounds_and_bytes_for_every_part_of_the_largest_post() {
    let sizes = rounds(&[(100, 0), (3 << 20, 200 << 10), (1, 0)]);
    for kem in Kem::ALL {
        let spec = with_room(16, TX_BYTES_MAX, u64::MAX)
            .any_size(&sizes)
            .kem(kem)
            .build()
            .unwrap();
        // 3 MiB and fifteen times 200 KiB, in parts of 700 KiB.
        assert_eq!(spec.protocol, "white-city/test+parts/1:9", "{kem:?}");
        assert_eq!(spec.max_rounds, 3 * 9 + 1);
        assert_eq!(spec.max_bcast, TX_BYTES_MAX - 256);
        assert_eq!(spec.max_p2p, (200 << 10) + kem.sealing_bytes());
        let least = 16 * ((3 << 20) + 15 * (200 << 10));
        assert!(
            (least..least * 11 / 10).contains(&spec.max_bytes),
            "{spec:?}"
        );
    }
    // Keys are X-Wing's where all of it fits into a session.
    let most = |bytes| with_room(16, TX_BYTES_MAX, bytes).any_size(&sizes);
    let x_wing = most(u64::MAX).build().unwrap();
    assert_eq!(x_wing.kem, Kem::XWing);
    assert_eq!(kem(most(x_wing.max_bytes)), Kem::XWing);
    assert_eq!(kem(most(x_wing.max_bytes - 1)), Kem::X25519);
    assert_eq!(
        kem(builder(3).any_size(&rounds(&[(1 << 20, 0)]))),
        Kem::X25519
    );
}

#[test]
fn parts_are_as_small_as_they_are_asked_to_be() {
    let sizes = |broadcast| rounds(&[(broadcast, 90)]);
    let of = |broadcast| {
        let spec = builder(3).payloads(100, 50).any_size(&sizes(broadcast));
        spec.kem(Kem::X25519).build()
    };
    let spec = of(98 * 7).unwrap();
    assert_eq!(spec.protocol, "white-city/test+parts/1:7");
    assert_eq!((spec.max_bcast, spec.max_p2p), (100, 50 + 48));
    assert_eq!(
        of(98 * 7 + 1).unwrap().protocol,
        "white-city/test+parts/1:8"
    );
    assert_eq!(spec.max_rounds, 8);
    let most = 98 * 65_535;
    assert_eq!(of(most).unwrap().max_rounds, 65_536);
    assert!(matches!(
        of(most + 1),
        Err(Error::Usage {
            what: "any_size",
            ..
        })
    ));
    let none = builder(3).payloads(2, 50).any_size(&sizes(1)).build();
    assert!(matches!(none, Err(Error::Usage { .. })), "{none:?}");
    // More rounds than any session may have.
    let too_many = builder(3)
        .payloads(100, 50)
        .any_size(&[sizes(most), sizes(1)].concat());
    assert!(matches!(too_many.build(), Err(Error::Spec(_))));
}

#[test]
fn a_name_has_room_for_what_is_said_about_parts_and_says_nothing_of_them_itself() {
    let named = |name: String| {
        let mut builder = builder(3).payloads(100, 50).any_size(&rounds(&[(200, 90)]));
        builder.spec.protocol = name;
        builder.build()
    };
    let long = named("x".repeat(64 - "+parts/1:3".len())).unwrap();
    assert_eq!(long.protocol.len(), 64);
    let too_long = Error::TooLarge {
        what: "the protocol's name with the number of parts behind it",
        bytes: 65,
        max: 64,
        limit: "a spec's protocol",
    };
    assert_eq!(
        named("x".repeat(65 - "+parts/1:3".len())).unwrap_err(),
        too_long
    );
    for name in ["x+parts/1:3", "x+parts/2:3", "x+parts/"] {
        let mut plain = builder(3);
        name.clone_into(&mut plain.spec.protocol);
        for refused in [named(name.to_owned()), plain.build()] {
            let is_refused = matches!(
                refused,
                Err(Error::Usage {
                    what: "protocol",
                    ..
                })
            );
            assert!(is_refused, "{refused:?}");
        }
    }
}

#[test]
fn parts_say_how_many_follow_also_where_nothing_is_broadcast() {
    let sizes = rounds(&[(0, 100_000)]);
    for asked in [0, 1, 2] {
        let spec = builder(3)
            .payloads(asked, 4_096)
            .any_size(&sizes)
            .build()
            .unwrap();
        assert_eq!(spec.protocol, "white-city/test+parts/1:25");
        assert_eq!(spec.max_bcast, 2);
        assert_eq!(check_room(&spec, TX_BYTES_MAX, &sizes), Ok(()));
    }
}

#[test]
fn keys_never_make_parts_necessary() {
    // Two others; a byte more would be too much.
    let fitting = |kem: Kem| (TX_BYTES_MIN - 256) / 2 - 12 - kem.sealing_bytes();
    let of = |bytes| builder(3).any_size(&rounds(&[(0, bytes)])).build().unwrap();
    let named = |bytes| {
        let spec = of(bytes);
        (spec.kem, spec.protocol.contains('+'))
    };
    assert_eq!(named(fitting(Kem::XWing)), (Kem::XWing, false));
    assert_eq!(named(fitting(Kem::XWing) + 1), (Kem::X25519, false));
    assert_eq!(named(fitting(Kem::X25519)), (Kem::X25519, false));
    // Then there are parts anyway.
    assert_eq!(named(fitting(Kem::X25519) + 1), (Kem::XWing, true));
    // Unless X-Wing needs more rounds than the board has.
    let rounds = rounds(&[(0, 300_000); 3]);
    let least = |max_rounds| {
        let mut builder = builder(500).any_size(&rounds);
        builder.room.max_rounds = max_rounds;
        builder.build().unwrap()
    };
    let x_wing = least(ROUNDS_MAX);
    assert_eq!(x_wing.kem, Kem::XWing);
    assert_eq!(least(x_wing.max_rounds).kem, Kem::XWing);
    assert_eq!(least(x_wing.max_rounds - 1).kem, Kem::X25519);
}

#[test]
fn a_spec_has_room_for_its_rounds_and_not_with_any_limit_lower() {
    let in_parts = rounds(&[(392, 90), (0, 200), (1, 0)]);
    let whole = rounds(&[(100, 50), (0, 50)]);
    for rounds in [in_parts, whole] {
        let spec = builder(3).payloads(100, 50).any_size(&rounds);
        let spec = spec.build().unwrap();
        let check = |spec: &Spec| check_room(spec, TX_BYTES_MIN, &rounds);
        assert_eq!(check(&spec), Ok(()));
        let lower = |change: fn(&mut Spec)| {
            let mut spec = spec.clone();
            change(&mut spec);
            let error = check(&spec).unwrap_err();
            assert!(matches!(error, Error::NoRoom { has, needed, .. } if has < needed));
        };
        lower(|spec| spec.max_rounds -= 1);
        lower(|spec| spec.max_bytes -= 1);
        lower(|spec| spec.max_bcast -= 1);
        lower(|spec| spec.max_p2p -= 1);
        // Nor on a board with smaller transactions.
        assert!(check_room(&spec, 300, &rounds).is_err());
        // Nor where the name says less.
        if let Ok(Some(Parts { most })) = Parts::of(&spec.protocol) {
            let mut spec = spec.clone();
            spec.protocol = Parts { most: most - 1 }.name("white-city/test");
            let no_room = Error::NoRoom {
                what: "the number of parts",
                has: u64::from(most) - 1,
                needed: most.into(),
            };
            assert_eq!(check(&spec), Err(no_room));
            spec.protocol = "white-city/test+parts/2:9".into();
            assert!(matches!(check(&spec), Err(Error::Parts(_))));
        }
        // Nor is one made with fewer bytes.
        let builder = builder(3).payloads(100, 50).any_size(&rounds);
        let made = |bytes| builder.clone().kem(spec.kem).max_bytes(bytes).build();
        assert_eq!(made(spec.max_bytes).unwrap(), spec);
        let no_room = Error::NoRoom {
            what: "max_bytes",
            has: spec.max_bytes - 1,
            needed: spec.max_bytes,
        };
        assert_eq!(made(spec.max_bytes - 1).unwrap_err(), no_room);
    }
}
