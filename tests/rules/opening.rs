//! Opening sessions: time, quotas, and what the genesis allows.

use white_city_tests::{
    board::{Board, Candidate},
    network::{network, rules},
    party::Party,
    scene::{Scene, open, open_until, spec},
};
use white_city_wire::{AppState, Kem, Refusal, Spec, VerifiedTx, reserve::reserved_bytes};

fn board(rules: AppState) -> Board {
    let mut board = Board::new(network(1, rules));
    let context = board.next_context(100, 0);
    board.run(context, vec![]);
    board
}

/// Runs one block, and says what became of each.
fn block(board: &mut Board, txs: Vec<VerifiedTx>) -> Vec<Result<u32, Refusal>> {
    let context = board.next_context(100, 0);
    let candidates = txs.into_iter().map(Candidate::verified).collect();
    let executed = board.run(context, candidates);
    executed.outcomes.into_iter().map(|o| o.result).collect()
}

fn small(max_bytes: u64) -> Spec {
    let mut spec = spec(&Party::several(2), 2);
    spec.max_bytes = max_bytes;
    spec
}

#[test]
fn a_session_is_opened_from_now_until_max_open_and_not_a_millisecond_more() {
    let board = board(rules(&[]));
    let now = board.time.millis() + 100;
    let far = now + board.network().params.max_open_ms;
    let opener = Party::new(50);
    let results = [now - 1, now, far, far + 1].map(|open_by_ms| {
        let tx = open_until(&board, &opener, small(10), [0; 32], open_by_ms);
        block(&mut board.clone(), vec![tx]).remove(0)
    });
    assert_eq!(
        results,
        [
            Err(Refusal::OpenExpired {
                open_by_ms: now - 1,
                board_ms: now
            }),
            Ok(0),
            Ok(0),
            Err(Refusal::OpenTooFar {
                open_by_ms: far + 1,
                max_ms: far
            }),
        ]
    );
}

#[test]
fn the_same_opening_again_is_stored_already_in_its_block_later_and_after_erasure() {
    let mut board = board(rules(&[]));
    let tx = open(&board, &Party::new(50), small(10), [0; 32]);
    let both = block(&mut board, vec![tx.clone(), tx.clone()]);
    assert_eq!(both, [Ok(0), Err(Refusal::AlreadyStored)]);
    for _ in 0..60 {
        assert_eq!(
            block(&mut board, vec![tx.clone()]),
            [Err(Refusal::AlreadyStored)]
        );
    }
    assert!(board.state.sessions().get(0).unwrap().body.is_none());
}

#[test]
fn an_opening_signed_by_somebody_else_than_its_opener_is_refused() {
    let mut board = board(rules(&[]));
    let tx = open(&board, &Party::new(50), small(10), [0; 32]);
    let forged = Party::new(51).verified(tx.action().clone(), 2, &board.network().id);
    let refusal = block(&mut board, vec![forged]).remove(0).unwrap_err();
    assert_eq!(refusal.code(), 34, "{refusal}");
    assert_eq!(board.state.openers().len(), 0);
}

#[test]
fn a_transaction_for_another_network_is_refused() {
    let mut board = board(rules(&[]));
    let mut elsewhere = rules(&[]);
    elsewhere.params.random.0[0] ^= 1;
    let other = Board::new(network(1, elsewhere));
    let open_by_ms = board.time.millis() + 500;
    let tx = open_until(&other, &Party::new(50), small(10), [0; 32], open_by_ms);
    assert_eq!(
        block(&mut board, vec![tx])[0].as_ref().unwrap_err().code(),
        34
    );
}

#[test]
fn an_unlisted_opener_is_refused_where_only_listed_ones_may_open() {
    let listed = Party::new(50);
    let mut closed = rules(&[(&listed, 1, 10_000)]);
    closed.charter.anyone_may_open = false;
    let mut board = board(closed);
    let txs = [Party::new(51), listed].map(|p| open(&board, &p, small(10), [0; 32]));
    let results = block(&mut board, txs.to_vec());
    assert_eq!(results, [Err(Refusal::NotAnOpener), Ok(0)]);
}

#[test]
fn an_opener_has_at_most_its_quota_of_live_sessions_and_an_end_makes_room() {
    let mut board = board(rules(&[]));
    let opener = Party::new(50);
    let txs = (0..4)
        .map(|i| open(&board, &opener, small(10), [i; 32]))
        .collect();
    let full = Err(Refusal::LiveQuota { live: 3, max: 3 });
    assert_eq!(block(&mut board, txs), [Ok(0), Ok(1), Ok(2), full]);
    // Nobody joins: deadline, one block of last call, then there is room.
    for _ in 0..12 {
        block(&mut board, vec![]);
    }
    let leaf = board.state.opener(opener.key()).unwrap().1.clone();
    assert_eq!(leaf.live, 0);
    assert!(leaf.live_bytes > 0, "bytes are given back at erasure only");
    let tx = open(&board, &opener, small(10), [4; 32]);
    assert_eq!(block(&mut board, vec![tx]), [Ok(3)]);
}

#[test]
fn an_openers_bytes_suffice_exactly_and_not_for_one_more() {
    let [first, second, third] = [400, 600, 601].map(|bytes| reserved_bytes(&small(bytes)));
    let listed = Party::new(50);
    let mut board = board(rules(&[(&listed, 9, first + second)]));
    let results = [600, 601].map(|bytes| {
        let txs = vec![
            open(&board, &listed, small(400), [0; 32]),
            open(&board, &listed, small(bytes), [1; 32]),
        ];
        block(&mut board.clone(), txs).remove(1)
    });
    let (needed, left) = (third, second);
    assert_eq!(results, [Ok(1), Err(Refusal::BytesQuota { needed, left })]);
    let txs = vec![open(&board, &listed, small(400), [0; 32])];
    block(&mut board, txs);
    assert_eq!(board.state.openers().get(0).unwrap().live_bytes, first);
}

#[test]
fn what_is_reserved_is_what_the_spec_allows() {
    let spec = small(1_000);
    // Entries; the largest plaintext, no larger than a party's share; a complaint; the spec; 2 parties with evidence against each; rounds 0
    // to 3.
    let expected = 1_000 + 500 + 1_024 + spec.own_bytes() + 2 * 1_024 + 4 * (128 + 2 * 80);
    assert_eq!(reserved_bytes(&spec), expected);
    let mut small_p2p = spec.clone();
    small_p2p.max_p2p = 499;
    assert_eq!(reserved_bytes(&small_p2p), expected - 1);
    // Larger keys: 1 792 bytes for a party instead of 512.
    let mut x_wing = spec.clone();
    x_wing.kem = Kem::XWing;
    assert_eq!(reserved_bytes(&x_wing), expected + 2 * (1_792 - 512));
    let mut endless = spec;
    endless.max_rounds = 65_536;
    endless.max_bytes = u64::MAX;
    assert_eq!(reserved_bytes(&endless), u64::MAX);
}

#[test]
fn strangers_share_what_the_genesis_openers_leave_and_listed_openers_keep_theirs() {
    let [first, second, third] = [400, 600, 601].map(|bytes| reserved_bytes(&small(bytes)));
    let listed = Party::new(50);
    let mut tight = rules(&[(&listed, 9, 10_000)]);
    tight.charter.max_board_bytes = 10_000 + first + second;
    let board = board(tight);
    let results = [(600, first + second), (601, first)].map(|(bytes, strangers)| {
        let txs = vec![
            open(&board, &Party::new(51), small(400), [0; 32]),
            open(&board, &Party::new(52), small(bytes), [0; 32]),
            open(&board, &listed, small(1_000), [0; 32]),
        ];
        let mut board = board.clone();
        let results = block(&mut board, txs);
        assert_eq!(board.state.reserved().strangers, strangers);
        results
    });
    assert_eq!(results[0], [Ok(0), Ok(1), Ok(2)]);
    let (needed, left) = (third, second);
    assert_eq!(
        results[1],
        [Ok(0), Err(Refusal::BoardFull { needed, left }), Ok(1)]
    );
}

#[test]
fn a_block_has_room_for_any_number_of_strangers_and_numbers_them_in_their_order() {
    let mut open_to_all = rules(&[]);
    open_to_all.charter.max_board_bytes = 1 << 40;
    let mut board = board(open_to_all);
    let strangers: Vec<Party> = (100..400).map(Party::new).collect();
    let twice = |nonce: u8| strangers.iter().map(move |party| (party, nonce));
    let txs = twice(0).chain(twice(1));
    let txs = txs.map(|(party, nonce)| open(&board, party, small(10), [nonce; 32]));
    let txs = txs.collect();
    let results = block(&mut board, txs);
    let numbers: Vec<Result<u32, Refusal>> = (0..600).map(Ok).collect();
    assert_eq!(results, numbers);
    for (number, party) in (0..).zip(&strangers) {
        let (found, leaf) = board.state.opener(party.key()).unwrap();
        assert_eq!((found, leaf.live), (number, 2));
    }
    let all = 600 * reserved_bytes(&small(10));
    assert_eq!(board.state.reserved().strangers, all);
}

/// Sets a field of a spec.
type Change = fn(&mut Spec, u64);

#[test]
fn a_spec_may_be_as_large_as_the_genesis_allows_and_no_larger() {
    let changes: [(&str, Change, u64); 7] = [
        (
            "max_rounds",
            |s, x| s.max_rounds = u32::try_from(x).unwrap(),
            8,
        ),
        ("max_bytes", |s, x| s.max_bytes = x, 100_000),
        ("join_ms", |s, x| s.join_ms = x, 100_000),
        ("round_ms", |s, x| s.round_ms = x, 100_000),
        ("reveal_ms", |s, x| s.reveal_ms = x, 100_000),
        ("retention_ms", |s, x| s.retention_ms = x, 100_000),
        (
            "roster",
            |s, x| {
                s.roster = Party::several(x).iter().map(|p| *p.key()).collect();
                s.quorum = s.parties();
            },
            16,
        ),
    ];
    let mut open_to_all = rules(&[]);
    open_to_all.charter.anyone_max_bytes = u64::MAX;
    open_to_all.charter.max_board_bytes = u64::MAX;
    let board = board(open_to_all);
    for (field, change, max) in changes {
        for (value, good) in [(max - 1, true), (max, true), (max + 1, false)] {
            let mut spec = small(10);
            change(&mut spec, value);
            let tx = open(&board, &Party::new(50), spec, [0; 32]);
            let result = block(&mut board.clone(), vec![tx]).remove(0);
            let expected = if good {
                Ok(0)
            } else {
                let got = value;
                Err(Refusal::OverParams { field, got, max })
            };
            assert_eq!(result, expected, "{field} = {value}");
        }
    }
}

#[test]
fn a_transaction_has_at_most_max_tx_bytes() {
    let mut scene = Scene::running(2, 2);
    let base = scene.post_of(0, vec![1; 1_000], vec![]).bytes() - 1_000;
    let max_tx = base + 1_900;
    let mut tight = rules(&[]);
    tight.params.max_tx = max_tx;
    scene = Scene::open_with(network(1, tight), 2, 2, |_| {}).joined();
    let [below, at, above] = [1_899, 1_900, 1_901].map(|len| {
        let tx = scene.post_of(0, vec![1; len], vec![]);
        (tx.bytes(), scene.refusal(tx))
    });
    assert_eq!((below, at), ((max_tx - 1, None), (max_tx, None)));
    assert_eq!(above.0, max_tx + 1);
    assert_eq!(above.1.unwrap().code(), 16);
}
