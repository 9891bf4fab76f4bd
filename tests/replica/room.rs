//! Bytes that a replica holds pending, and the accounts that they are on.

use white_city_replica::{Config, Store};
use white_city_tests::{network::rules, party::Party};
use white_city_wire::{
    AppState, Refusal, SessionId, SignedTx, Spec,
    tx::{Action, Open, Post},
};

use crate::chain::{Chain, naive};

/// Bytes that a transaction counts beside its own.
const OVERHEAD: u64 = 4 << 10;
/// Far more than anything here.
const PLENTY: u64 = 1 << 30;

fn unlimited() -> Config {
    Config {
        pending_bytes: PLENTY,
        pending_bytes_of_strangers: PLENTY,
        pending_bytes_per_opener: PLENTY,
        pending_bytes_per_session: PLENTY,
        pending_bytes_per_identity: PLENTY,
        ..naive()
    }
}

/// Rules with room for large posts in several sessions.
fn roomy(listed: &[(&Party, u32, u64)]) -> AppState {
    let mut rules = rules(listed);
    rules.params.max_tx = 400 << 10;
    let charter = &mut rules.charter;
    charter.max_session_bytes = 1 << 28;
    charter.max_board_bytes = 1 << 34;
    (charter.anyone_max_live, charter.anyone_max_bytes) = (100, 1 << 32);
    rules
}

/// Opens a session by the first of `parties`, and lets all of them join.
fn running(chain: &mut Chain, parties: &[Party], nonce: u8) -> SessionId {
    let open = Open {
        spec: Spec {
            max_bcast: 700 << 10,
            max_bytes: 1 << 27,
            round_ms: 50_000,
            ..white_city_tests::scene::spec(parties, u16::try_from(parties.len()).unwrap())
        },
        opener: *parties[0].key(),
        nonce: [nonce; 32],
        open_by_ms: 1_000_000_000 + 5_000,
        stamp: 0,
    };
    let id = open.session_id(&chain.network.id);
    let open = chain.tx(&parties[0], Action::Open(open));
    chain.block(&[open]);
    let joins = chain.joins(parties, id);
    chain.block(&joins);
    id
}

/// Posts of `bytes` payload of all parties but the first, whose index is encoded in less; each with what it counts.
fn posts(
    chain: &Chain,
    parties: &[Party],
    session: SessionId,
    bytes: usize,
) -> Vec<(Vec<u8>, u64)> {
    let n = u16::try_from(parties.len()).unwrap();
    let posts = (1..n).map(|index| {
        let post = chain.post(parties, session, index, &vec![7; bytes]);
        let counted = u64::try_from(post.len()).unwrap() + OVERHEAD;
        (post, counted)
    });
    posts.collect()
}

#[test]
fn bytes_are_bounded_in_all_and_of_strangers_openers_sessions_and_identities() {
    // Three parties with two sessions.
    let parties = Party::several(3);
    let limited = |of: &str, max: u64| {
        let mut config = unlimited();
        match of {
            "this identity" => config.pending_bytes_per_identity = max,
            "this session" => config.pending_bytes_per_session = max,
            "this session's opener" => config.pending_bytes_per_opener = max,
            "openers outside the genesis" => config.pending_bytes_of_strangers = max,
            _ => config.pending_bytes = max,
        }
        let mut chain = Chain::on(&config, roomy(&[]), Store::in_memory().unwrap());
        let sessions = [1, 2].map(|nonce| running(&mut chain, &parties, nonce));
        let all = sessions.map(|session| posts(&chain, &parties, session, 1_000));
        (chain, all)
    };
    let (_, [one, _]) = limited("everybody", PLENTY);
    let counted = one[0].1;
    for (of, is_all_of_one) in [
        ("this identity", false),
        ("this session", true),
        ("this session's opener", true),
        ("openers outside the genesis", true),
        ("everybody", true),
    ] {
        // Room for two of the same account, and for a byte less.
        for (max, is_taken) in [
            (2 * counted - 1, false),
            (2 * counted, true),
            (2 * counted + 1, true),
        ] {
            let (mut chain, [one, two]) = limited(of, max);
            let second = match is_all_of_one {
                true => &one[1],
                false => &two[0],
            };
            chain.replica.check_tx(&one[0].0).unwrap();
            // The same again counts once.
            chain.replica.check_tx(&one[0].0).unwrap();
            let taken = chain.replica.check_tx(&second.0);
            if is_taken {
                assert_eq!(taken, Ok(()), "{of}: {max}");
                continue;
            }
            let refused = Refusal::PendingBytes {
                of: match of {
                    "this identity" => "this identity",
                    "this session" => "this session",
                    "this session's opener" => "this session's opener",
                    "openers outside the genesis" => "openers outside the genesis",
                    _ => "everybody",
                },
                pending: counted,
                needed: counted,
                max,
            };
            assert_eq!(taken, Err(refused.clone()), "{of}");
            assert_eq!(refused.code(), 133);
            assert!(Refusal::is_transient(133));
            // A block makes room.
            chain.block(std::slice::from_ref(&one[0].0));
            chain.replica.check_tx(&second.0).unwrap();
        }
    }
}

#[test]
fn listed_openers_have_room_that_strangers_dont_get() {
    let (listed, strangers) = (Party::several(2), Party::several(5));
    let strangers = &strangers[2..];
    let config = Config {
        pending_bytes_of_strangers: 6_000,
        ..unlimited()
    };
    let rules = roomy(&[(&listed[0], 10, 1 << 30)]);
    let mut chain = Chain::on(&config, rules, Store::in_memory().unwrap());
    let of_listed = running(&mut chain, &listed, 1);
    let of_strangers = running(&mut chain, strangers, 2);
    let [first, second] = [0, 1].map(|k| posts(&chain, strangers, of_strangers, 10)[k].0.clone());
    chain.replica.check_tx(&first).unwrap();
    assert_eq!(chain.replica.check_tx(&second).unwrap_err().code(), 133);
    for (post, _) in posts(&chain, &listed, of_listed, 1_000) {
        chain.replica.check_tx(&post).unwrap();
    }
}

#[test]
fn the_session_that_fills_what_all_share_makes_room_down_to_an_equal_part() {
    let (many, few) = (Party::several(9), Party::several(14));
    let few = &few[9..];
    for is_strangers in [true, false] {
        let mut config = unlimited();
        let mut chain = Chain::on(&config, roomy(&[]), Store::in_memory().unwrap());
        let session = running(&mut chain, &many, 1);
        let counted = posts(&chain, &many, session, 1_000)[0].1;
        match is_strangers {
            true => config.pending_bytes_of_strangers = 8 * counted,
            false => config.pending_bytes = 8 * counted,
        }
        let mut chain = Chain::on(&config, roomy(&[]), Store::in_memory().unwrap());
        let greedy = running(&mut chain, &many, 1);
        let modest = running(&mut chain, few, 2);
        for (post, _) in posts(&chain, &many, greedy, 1_000) {
            chain.replica.check_tx(&post).unwrap();
        }
        let of_few = posts(&chain, few, modest, 1_000);
        for (post, _) in &of_few {
            chain.replica.check_tx(post).unwrap();
        }
        // Four of each are left: nobody makes room for the greedy ones any more,
        let of_many = posts(&chain, &many, greedy, 1_000);
        let again: Vec<bool> = of_many
            .iter()
            .map(|(post, _)| chain.replica.check_tx(post).is_ok())
            .collect();
        assert_eq!(again.iter().filter(|taken| **taken).count(), 4);
        // and all of the others is still there, as the same again.
        let another = chain.post(few, modest, 1, b"another");
        assert_eq!(chain.replica.check_tx(&another).unwrap_err().code(), 129);
        for (post, _) in &of_few {
            chain.replica.check_tx(post).unwrap();
        }
    }
}

#[test]
fn a_proposal_is_made_of_what_fits_and_not_of_all_that_is_pending() {
    let parties = Party::several(13);
    let config = Config {
        proposal_wait_ms: 1,
        ..unlimited()
    };
    let mut chain = Chain::on(&config, roomy(&[]), Store::in_memory().unwrap());
    let session = running(&mut chain, &parties, 1);
    for (post, _) in posts(&chain, &parties, session, 300 << 10) {
        chain.replica.check_tx(&post).unwrap();
    }
    let mut items = 0;
    let proposing = allocation_counter::measure(|| {
        items = chain.propose(&[], 1 << 20).len();
    });
    assert_eq!(items, 4, "the seal and three of twelve");
    // Each is copied when it is put into a message, and when that is encoded.
    let most = 3 * 3 * (300 << 10);
    assert!(
        proposing.bytes_total < most,
        "{} bytes for three posts of 300 KB",
        proposing.bytes_total
    );
}

/// A post of the round after the open one.
fn early(
    chain: &Chain,
    parties: &[Party],
    session: SessionId,
    index: u16,
    bytes: usize,
) -> Vec<u8> {
    let Action::Post(post) = chain.post_action(parties, session, index, &vec![7; bytes]) else {
        panic!("a post")
    };
    let header = post.header;
    let n = u16::try_from(parties.len()).unwrap();
    let place = (index, n);
    let post = Post::new(session, 2, place, header.transcript, vec![7; bytes], vec![]);
    chain.tx(&parties[usize::from(index)], Action::Post(post))
}

#[test]
fn what_comes_too_early_is_kept_only_if_its_session_will_take_as_much() {
    let mut chain = Chain::new(&naive());
    let parties = Party::several(5);
    let session = chain.running(&parties);
    let code = |tx: &[u8]| chain.replica.check_tx(tx).unwrap_err().code();
    // The spec takes broadcasts of 2 000 bytes, payloads of 1 000, and a fifth of 50 000 in all.
    for (bytes, expected) in [(1_999, 67), (2_000, 67), (2_001, 80)] {
        assert_eq!(code(&early(&chain, &parties, session, 0, bytes)), expected);
    }
    let with_payloads = |bytes: usize| {
        let Action::Post(post) = chain.post_action(&parties, session, 1, b"") else {
            panic!("a post")
        };
        let p2p = [0, 2, 3, 4].map(|to| (to, vec![7; bytes])).to_vec();
        let transcript = post.header.transcript;
        let post = Post::new(session, 2, (1, 5), transcript, vec![], p2p);
        chain.tx(&parties[1], Action::Post(post))
    };
    for (bytes, expected) in [(999, 67), (1_000, 67), (1_001, 80)] {
        assert_eq!(code(&with_payloads(bytes)), expected);
    }
}

#[test]
fn what_comes_too_early_counts_against_its_authors_share() {
    let mut chain = Chain::on(&naive(), roomy(&[]), Store::in_memory().unwrap());
    let parties = Party::several(4);
    let open = |max_bytes| Open {
        spec: Spec {
            max_bytes,
            ..white_city_tests::scene::spec(&parties, 4)
        },
        opener: *parties[0].key(),
        nonce: [1; 32],
        open_by_ms: 1_000_000_000 + 5_000,
        stamp: 0,
    };
    let open = open(4 * 1_256);
    let session = open.session_id(&chain.network.id);
    let open = chain.tx(&parties[0], Action::Open(open));
    chain.block(&[open]);
    let joins = chain.joins(&parties, session);
    chain.block(&joins);
    for (index, bytes, expected) in [(1, 1_001, 81), (2, 1_000, 67), (3, 999, 67)] {
        let tx = early(&chain, &parties, session, index, bytes);
        assert_eq!(chain.replica.check_tx(&tx).unwrap_err().code(), expected);
    }
    // What the open round has taken is gone.
    let post = chain.post(&parties, session, 1, &[7; 100]);
    chain.block(&[post]);
    for (bytes, expected) in [(645, 81), (644, 67)] {
        let tx = early(&chain, &parties, session, 1, bytes);
        assert_eq!(chain.replica.check_tx(&tx).unwrap_err().code(), expected);
    }
}

#[test]
fn the_session_that_parks_the_most_makes_room_for_the_others() {
    let (many, few) = (Party::several(7), Party::several(11));
    let few = &few[7..];
    let config = |parked_bytes| Config {
        parked_bytes,
        proposal_wait_ms: 1,
        ..unlimited()
    };
    let size = {
        let mut chain = Chain::on(&config(PLENTY), roomy(&[]), Store::in_memory().unwrap());
        let session = running(&mut chain, &many, 1);
        u64::try_from(early(&chain, &many, session, 1, 1_000).len()).unwrap()
    };
    let config = config(6 * size);
    // One replica is a block behind the other one.
    let mut chains = [0, 1].map(|_| Chain::on(&config, roomy(&[]), Store::in_memory().unwrap()));
    let [(greedy, modest), same] = chains
        .each_mut()
        .map(|chain| (running(chain, &many, 1), running(chain, few, 2)));
    assert_eq!((greedy, modest), same);
    let [behind, ahead] = &mut chains;
    let firsts: Vec<Vec<u8>> = [(&many[..], greedy), (few, modest)]
        .into_iter()
        .flat_map(|(parties, session)| {
            (0..)
                .zip(parties)
                .map(move |(index, _)| (parties, session, index))
        })
        .map(|(parties, session, index)| ahead.post(parties, session, index, b"first"))
        .collect();
    let block = ahead.propose(&firsts, 1 << 20);
    ahead.decide(block.clone()).unwrap();
    let send = |parties: &[Party], session| {
        for index in 1..u16::try_from(parties.len()).unwrap() {
            let early = early(ahead, parties, session, index, 1_000);
            assert_eq!(behind.replica.check_tx(&early).unwrap_err().code(), 67);
        }
    };
    // The modest ones come first, and are the oldest.
    send(few, modest);
    send(&many, greedy);
    behind.decide(block).unwrap();
    let proposed = behind.propose(&[], 1 << 20);
    let of = |session: SessionId| {
        let txs = proposed[1..].iter().map(|tx| SignedTx::decode(tx).unwrap());
        txs.filter(|tx| tx.unverified_action().author().unwrap().0 == session)
            .count()
    };
    assert_eq!((of(modest), of(greedy)), (3, 3));
}
