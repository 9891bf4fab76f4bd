//! Last call: after the deadline f + 1 different proposers must have had nothing to add.

use white_city_tests::{
    board::{Board, Candidate},
    network::{network, rules, with_max_work},
    party::Party,
    scene::{Scene, open},
};
use white_city_wire::{Spec, VerifiedTx, board::Status, tx::Action};

/// A running session of 3 parties (quorum 2) on `k` replicas, at its deadline, with party 0's post in.
fn at_deadline(k: u8) -> Scene {
    let mut scene = Scene::open_with(network(k, rules(&[])), 3, 2, |_| {}).joined();
    scene.accept(vec![scene.post(0), scene.post(1)]);
    for _ in 0..5 {
        assert_eq!(scene.get().leaf.call_blocks, 0);
        scene.block(vec![]);
    }
    let board_ms = scene.board.time.millis() - scene.board.state.paused_ms();
    assert_eq!(scene.get().leaf.deadline_ms, board_ms);
    scene
}

fn callers(scene: &Scene) -> u32 {
    scene
        .get()
        .leaf
        .callers
        .iter()
        .map(|byte| byte.count_ones())
        .sum()
}

#[test]
fn at_the_deadline_itself_last_call_has_not_begun_and_a_millisecond_later_it_has() {
    let mut scene = at_deadline(1);
    assert_eq!((scene.round(), scene.get().leaf.call_blocks), (1, 0));
    scene.block_by(1, 0, vec![]);
    assert_eq!(scene.round(), 2);
}

#[test]
fn f_plus_one_different_proposers_end_last_call() {
    for (k, f) in [(1, 0), (3, 0), (4, 1), (6, 1), (7, 2)] {
        let mut scene = at_deadline(k);
        for proposer in 0..f {
            for _ in 0..3 {
                scene.block_by(100, proposer, vec![]);
                assert_eq!(scene.round(), 1, "{k} replicas, proposer {proposer}");
            }
        }
        let counted = u32::try_from(f).unwrap();
        assert_eq!(callers(&scene), counted);
        assert_eq!(scene.get().leaf.call_blocks, 3 * counted);
        scene.block_by(100, f, vec![]);
        assert_eq!((scene.round(), scene.members()), (2, vec![0, 1]));
        assert_eq!((callers(&scene), scene.get().leaf.call_blocks), (0, 0));
    }
}

#[test]
fn the_last_validators_bit_counts_as_well_and_an_unknown_proposer_does_not() {
    let mut scene = at_deadline(4);
    scene.block_by(100, 4, vec![]);
    assert_eq!((callers(&scene), scene.get().leaf.call_blocks), (0, 1));
    scene.block_by(100, 3, vec![]);
    assert_eq!(scene.get().leaf.callers[0], 0b1000);
}

#[test]
fn a_block_with_an_entry_of_the_session_counts_for_nobody() {
    let mut scene = Scene::open_with(network(4, rules(&[])), 4, 3, |_| {}).joined();
    scene.accept(vec![scene.post(0)]);
    for _ in 0..6 {
        scene.block(vec![]);
    }
    assert_eq!(callers(&scene), 1);
    assert_eq!(scene.block_by(100, 1, vec![scene.post(1)]), [Ok(0)]);
    assert_eq!((scene.round(), callers(&scene)), (1, 1));
    assert_eq!(scene.block_by(100, 1, vec![scene.finish(2, 1)]), [Ok(0)]);
    assert_eq!((scene.round(), callers(&scene)), (1, 1));
    assert_eq!(scene.get().leaf.call_blocks, 3);
    // What doesn't fill a slot doesn't hold a block back.
    let evidence = scene.evidence(3, [scene.header(3, 1, 0), scene.header(3, 1, 1)]);
    scene.block_by(100, 1, vec![evidence]);
    assert!(scene.get().terminal.is_some());
}

/// Two running sessions of 5 parties on 4 replicas, both past their deadlines in the next block; the first one's comes before the
/// second one's.
fn two_in_last_call(max_work: u32) -> [Scene; 2] {
    let mut rules = rules(&[]);
    rules.charter.anyone_max_bytes = 1_000_000;
    let network = with_max_work(&network(4, rules), max_work);
    let mut first = Scene::open_with(network, 5, 3, |spec| spec.max_bcast = 5_000);
    let mut spec = Spec::clone(&first.body().spec);
    spec.input = b"another".to_vec();
    let tx = open(&first.board, &Party::new(5), spec, [3; 32]);
    let mut second = first.clone();
    if let Action::Open(open) = tx.action() {
        second.session = open.session_id(&first.network_id());
    }
    first.accept(vec![tx]);
    first.accept((0..5).map(|i| first.join(i)).collect());
    second.board = first.board.clone();
    first.accept((0..5).map(|i| second.join(i)).collect());
    while deadline(&first, &second) == 0 || deadline(&first, &second) >= board_ms(&first) {
        first.block(vec![]);
    }
    second.board = first.board.clone();
    assert_eq!(
        (first.get().leaf.call_blocks, second.get().leaf.call_blocks),
        (2, 1)
    );
    assert_eq!((callers(&first), callers(&second)), (1, 1));
    [first, second]
}

fn board_ms(scene: &Scene) -> u64 {
    scene.board.time.millis() - scene.board.state.paused_ms()
}

/// The second session's deadline, on the first one's board.
fn deadline(board: &Scene, of: &Scene) -> u64 {
    board.board.session(&of.session).leaf.deadline_ms
}

/// Whether a block by the second validator counts for each of the two when it has these.
fn counts([first, second]: &[Scene; 2], txs: Vec<VerifiedTx>) -> [bool; 2] {
    let mut board = first.clone();
    let refused: Vec<_> = board
        .block_by(100, 1, txs)
        .into_iter()
        .filter(Result::is_err)
        .collect();
    assert_eq!(refused, []);
    [first, second].map(|of| {
        let leaf = &board.board.session(&of.session).leaf;
        // With it there are f + 1, and the round closes, for too few have posted.
        leaf.call_blocks == 0
    })
}

/// A post of this many bytes as it stands in a block.
fn post_of_bytes(scene: &Scene, i: u16, bytes: u32) -> VerifiedTx {
    let beside = scene.post_of(i, vec![0; 3_000], vec![]).bytes() - 3_000;
    let len = usize::try_from(bytes - beside).unwrap();
    let post = scene.post_of(i, vec![0; len], vec![]);
    assert_eq!(post.bytes(), bytes);
    post
}

#[test]
fn entries_of_a_session_before_it_take_its_room_from_full_block_bytes_on() {
    let two = two_in_last_call(8_192);
    let full = rules(&[]).params.full_block;
    assert_eq!(counts(&two, vec![]), [true, true]);
    for (bytes, second) in [(full - 1, true), (full, false)] {
        let post = post_of_bytes(&two[0], 0, bytes);
        assert_eq!(counts(&two, vec![post]), [false, second], "{bytes}");
    }
}

#[test]
fn entries_of_a_session_before_it_take_its_room_from_so_much_work_on_that_no_reveal_fits() {
    let two = two_in_last_call(8 + 3);
    let posts = |n: u16| (0..n).map(|i| two[0].post(i)).collect();
    assert_eq!(counts(&two, posts(3)), [false, true]);
    assert_eq!(counts(&two, posts(4)), [false, false]);
}

#[test]
fn nothing_behind_a_session_takes_its_room_and_nothing_that_is_not_in_last_call_does() {
    let two = two_in_last_call(8);
    let full = rules(&[]).params.full_block;
    // An entry of a session with a later deadline.
    let post = post_of_bytes(&two[1], 0, full);
    assert_eq!(counts(&two, vec![post]), [true, false]);
    // What the sessions themselves don't wait for.
    let evidence =
        |scene: &Scene, i| scene.evidence(i, [scene.header(i, 1, 0), scene.header(i, 1, 1)]);
    let evidence = (0..5).map(|i| evidence(&two[0], i)).collect();
    assert_eq!(counts(&two, evidence), [true, true]);
    // A new session, and the joins of it.
    let mut spec = white_city_tests::scene::spec(&two[0].parties, 3);
    spec.input = vec![0; usize::try_from(full).unwrap()];
    let open = open(&two[0].board, &Party::new(6), spec, [4; 32]);
    let mut third = two[0].clone();
    if let Action::Open(open) = open.action() {
        third.session = open.session_id(&third.network_id());
    }
    let mut txs = vec![open];
    txs.extend((0..5).map(|i| third.join(i)));
    assert_eq!(counts(&two, txs), [true, true]);
}

#[test]
fn at_one_deadline_the_lower_number_comes_first() {
    let mut rules = rules(&[]);
    rules.charter.anyone_max_bytes = 1_000_000;
    let mut first = Scene::open_with(with_max_work(&network(4, rules), 8), 3, 2, |_| {});
    let mut spec = Spec::clone(&first.body().spec);
    spec.join_ms -= 100;
    let tx = open(&first.board, &Party::new(5), spec, [3; 32]);
    let mut second = first.clone();
    if let Action::Open(open) = tx.action() {
        second.session = open.session_id(&first.network_id());
    }
    first.accept(vec![tx]);
    while deadline(&first, &second) == 0 || deadline(&first, &second) >= board_ms(&first) {
        first.block(vec![]);
    }
    assert_eq!(deadline(&first, &second), first.get().leaf.deadline_ms);
    second.board = first.board.clone();
    let two = [first, second];
    assert_eq!(counts(&two, vec![two[0].join(0)]), [false, false]);
    assert_eq!(counts(&two, vec![two[1].join(0)]), [true, false]);
}

/// A board of one replica with so many sessions that nobody joins, whose deadline the next block is past.
fn many_unjoined(count: u32) -> Board {
    let mut rules = rules(&[]);
    rules.charter.anyone_max_live = u32::MAX;
    rules.charter.anyone_max_bytes = u64::MAX;
    rules.charter.max_board_bytes = u64::MAX;
    let mut board = Board::new(network(1, rules));
    let opener = Party::new(5);
    let spec = white_city_tests::scene::spec(&Party::several(2), 2);
    let opens = (0..count).map(|number| {
        let mut nonce = [0; 32];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        Candidate::verified(open(&board, &opener, spec.clone(), nonce))
    });
    let opens = opens.collect();
    let context = board.next_context(100, 0);
    let executed = board.run(context, opens);
    assert!(
        executed
            .outcomes
            .iter()
            .all(|outcome| outcome.result.is_ok())
    );
    for step_ms in [100, 1_000] {
        let context = board.next_context(step_ms, 0);
        board.run(context, vec![]);
    }
    board
}

fn with_status(board: &Board, status: Status) -> Vec<u32> {
    let sessions = board.state.sessions().iter();
    let found = sessions.filter(|session| session.status() == status);
    found.map(|session| session.number).collect()
}

#[test]
fn a_block_goes_on_with_the_last_call_of_4096_sessions_and_erases_as_many() {
    let mut board = many_unjoined(4_098);
    let parties = Party::several(2);
    let late = board.state.sessions().get(4_097).unwrap().id();
    let mut scene = Scene {
        board: board.clone(),
        parties,
        session: late,
    };
    // One that has to wait takes its entries all the same, and closes when nobody is awaited.
    let joins = vec![scene.join(0), scene.join(1)];
    assert_eq!(scene.block_by(1, 0, joins), [Ok(4_097), Ok(4_097)]);
    assert_eq!(scene.round(), 1);
    let waiting = |board: &Board| with_status(board, Status::Joining);
    assert_eq!(waiting(&scene.board), [4_096]);
    // One that a block touches without settling it waits for its turn.
    let mut touched = Scene {
        board: board.clone(),
        ..scene.clone()
    };
    let join = touched.join(0);
    touched.block_by(1, 0, vec![join]);
    assert_eq!(waiting(&touched.board), [4_096, 4_097]);
    assert_eq!(touched.get().leaf.call_blocks, 0);

    let context = board.next_context(1, 0);
    board.run(context, vec![]);
    assert_eq!(waiting(&board), [4_096, 4_097]);
    let context = board.next_context(1, 0);
    board.run(context, vec![]);
    assert_eq!(with_status(&board, Status::Aborted).len(), 4_098);
    // Two of them ended a millisecond later; erasure is due for all at once.
    let context = board.next_context(2_010, 0);
    board.run(context, vec![]);
    assert_eq!(with_status(&board, Status::Aborted), [4_096, 4_097]);
    let context = board.next_context(1, 0);
    board.run(context, vec![]);
    assert_eq!(with_status(&board, Status::Erased).len(), 4_098);
}

#[test]
fn a_refused_transaction_fills_no_block_and_holds_nothing_back() {
    let mut scene = at_deadline(1);
    let again = scene.post(0);
    assert!(scene.block_by(1, 0, vec![again])[0].is_err());
    assert_eq!(scene.round(), 2);
}

#[test]
fn an_entry_in_last_call_gets_in_and_closes_the_round_when_it_was_the_last_one() {
    let mut scene = at_deadline(4);
    scene.block_by(100, 0, vec![]);
    assert_eq!(scene.block_by(100, 1, vec![scene.post(2)]), [Ok(0)]);
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1, 2]));
}

#[test]
fn joining_has_a_last_call_too() {
    let mut scene = Scene::open_with(network(4, rules(&[])), 3, 2, |_| {});
    scene.accept(vec![scene.join(0), scene.join(1)]);
    for _ in 0..11 {
        scene.block(vec![]);
    }
    assert_eq!((callers(&scene), scene.round()), (1, 0));
    assert_eq!(scene.block_by(100, 1, vec![scene.join(2)]), [Ok(0)]);
    assert_eq!((scene.round(), scene.members()), (1, vec![0, 1, 2]));
}

#[test]
fn at_the_deadline_itself_nothing_begins_even_when_the_block_touches_the_session() {
    let mut scene = at_deadline(1);
    let evidence = scene.evidence(2, [scene.header(2, 1, 0), scene.header(2, 1, 1)]);
    assert_eq!(scene.block_by(0, 0, vec![evidence]), [Ok(0)]);
    assert_eq!((scene.round(), scene.get().leaf.call_blocks), (1, 0));
}
