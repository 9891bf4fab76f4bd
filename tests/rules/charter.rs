//! Charters: who may approve which, when one is enacted, and what changes by it.

use white_city_tests::{
    board::{Board, Candidate, Executed, NO_SESSION},
    charters::{self, approval, approve, next, signed},
    network::{network, replica, rules},
    party::Party,
    scene::{Scene, open, spec},
};
use white_city_wire::{
    AppState, Charter, Hash, Refusal, Signature, VerifiedTx,
    approve::{Approve, Word},
    charter::{BadCharter, OpenerQuota},
    limits::APPROVAL_PACE_MS,
    protocol::NEXT,
};

fn board(k: u8) -> Board {
    board_with(k, rules(&[]))
}

fn board_with(k: u8, rules: AppState) -> Board {
    let mut board = Board::new(network(k, rules));
    block(&mut board, vec![]);
    board
}

fn block(board: &mut Board, txs: Vec<VerifiedTx>) -> Executed {
    let context = board.next_context(100, 0);
    board.run(context, txs.into_iter().map(Candidate::verified).collect())
}

fn results(executed: &Executed) -> Vec<Result<u32, Refusal>> {
    executed.outcomes.iter().map(|o| o.result.clone()).collect()
}

fn word(board: &Board, position: u16, word: Word) -> VerifiedTx {
    signed(board, position, charters::word(board, position, word))
}

/// One block in which these approve a charter.
fn approve_all(board: &mut Board, positions: &[u16], charter: &Charter) -> Executed {
    let txs = positions
        .iter()
        .map(|p| approve(board, *p, charter))
        .collect();
    let executed = block(board, txs);
    assert!(
        results(&executed).iter().all(Result::is_ok),
        "{:?}",
        results(&executed)
    );
    executed
}

/// A charter is refused for this reason when somebody approves it.
fn refused(board: &Board, charter: &Charter) -> Refusal {
    let executed = block(&mut board.clone(), vec![approve(board, 0, charter)]);
    results(&executed)[0].clone().unwrap_err()
}

fn opener(party: &Party, max_live: u32, max_bytes: u64) -> OpenerQuota {
    OpenerQuota {
        key: Hash(*party.key().as_bytes()),
        max_live,
        max_bytes,
    }
}

#[test]
fn a_charter_is_enacted_by_more_than_two_thirds_and_not_by_two_thirds() {
    for (k, enough) in [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (7, 5), (9, 7)] {
        let mut board = board(k);
        let charter = next(&board, |charter| charter.anyone_max_live = 7);
        let positions: Vec<u16> = (0..enough).collect();
        let (last, others) = positions.split_last().unwrap();
        approve_all(&mut board, others, &charter);
        assert_eq!(
            board.state.charter().term,
            0,
            "{k}: {} of them",
            others.len()
        );
        assert_eq!(board.state.proposals().len(), others.len());
        let height = board.height + 1;
        approve_all(&mut board, &[*last], &charter);
        let term = board.state.term();
        assert_eq!(
            (&*term.charter, term.charter_hash),
            (&charter, charter.hash())
        );
        assert_eq!((term.height, term.eras, term.era_height), (height, 0, 0));
        assert!(board.state.proposals().is_empty());
    }
}

#[test]
fn approvals_of_one_block_enact_and_count_once_as_they_stand_at_its_end() {
    let mut board = board(4);
    let (a, b) = (
        next(&board, |charter| charter.anyone_max_live = 7),
        next(&board, |charter| charter.anyone_max_live = 8),
    );
    // Three approve, and one takes it back in the same block.
    let mut txs: Vec<VerifiedTx> = (0..3).map(|p| approve(&board, p, &a)).collect();
    let withdrawal = Approve {
        term: 0,
        operator: 2,
        sequence: 2,
        word: Word::Withdraw,
    };
    txs.push(signed(&board, 2, withdrawal));
    let executed = block(&mut board, txs);
    assert_eq!(
        results(&executed),
        [
            Ok(NO_SESSION),
            Ok(NO_SESSION),
            Ok(NO_SESSION),
            Ok(NO_SESSION)
        ]
    );
    assert_eq!(board.state.charter().term, 0);
    let standing = board.state.proposals()[2];
    assert_eq!((standing.sequence, standing.charter_hash), (2, Hash::ZERO));
    assert_eq!(
        standing.board_ms, executed.board_ms,
        "of the approval before"
    );
    // Split between two charters nobody has enough; the fourth decides.
    approve_all(&mut board, &[3], &b);
    assert_eq!(board.state.charter().term, 0);
    let mut board = self::board(4);
    let txs = (0..4)
        .map(|p| approve(&board, p, if p == 1 { &b } else { &a }))
        .collect();
    block(&mut board, txs);
    assert_eq!(board.state.charter(), &a);
}

#[test]
fn a_word_has_its_term_its_operator_and_its_number() {
    let mut board = board(4);
    let charter = next(&board, |charter| charter.anyone_max_live = 7);
    let with = |change: fn(&mut Approve)| {
        let mut approve = Approve {
            term: 0,
            operator: 0,
            sequence: 1,
            word: approval(&board, &charter),
        };
        change(&mut approve);
        let tx = signed(&board, 0, approve);
        results(&block(&mut board.clone(), vec![tx])).remove(0)
    };
    assert_eq!(with(|_| ()), Ok(NO_SESSION));
    let other_term = Refusal::Term { got: 1, present: 0 };
    assert_eq!(with(|a| a.term = 1), Err(other_term));
    assert_eq!(with(|a| a.operator = 4), Err(Refusal::NotAnOperator(4)));
    let key = board.state.charter().replicas[1].operator;
    assert_eq!(with(|a| a.operator = 1), Err(Refusal::BadSignature { key }));
    assert_eq!(
        with(|a| a.sequence = 2),
        Err(Refusal::Sequence { expected: 1 })
    );
    assert_eq!(
        with(|a| a.word = Word::Withdraw),
        Err(Refusal::NothingChanges)
    );
    // The same again is stored already, the same under another number changes nothing.
    let first = approve(&board, 0, &charter);
    block(&mut board, vec![first.clone()]);
    let again = results(&block(&mut board.clone(), vec![first])).remove(0);
    assert_eq!(again, Err(Refusal::AlreadyStored));
    let again = approve(&board, 0, &charter);
    let again = results(&block(&mut board.clone(), vec![again])).remove(0);
    assert_eq!(again, Err(Refusal::NothingChanges));
}

#[test]
fn an_operator_approves_another_charter_after_a_minute_and_may_withdraw_at_once() {
    let mut board = board(4);
    let [a, b] = [7, 8].map(|live| next(&board, |charter| charter.anyone_max_live = live));
    approve_all(&mut board, &[0], &a);
    let from_ms = board.state.proposals()[0].board_ms + APPROVAL_PACE_MS;
    assert_eq!(refused(&board, &b), Refusal::TooSoon { from_ms });
    let withdrawal = word(&board, 0, Word::Withdraw);
    assert_eq!(
        results(&block(&mut board, vec![withdrawal])),
        [Ok(NO_SESSION)]
    );
    // Withdrawn or not: otherwise it could approve as many as it likes.
    assert_eq!(refused(&board, &b), Refusal::TooSoon { from_ms });
    for (early, expected) in [(1, Err(Refusal::TooSoon { from_ms })), (0, Ok(NO_SESSION))] {
        let mut board = board.clone();
        // Steps below the cap, or the board's clock would stand still.
        loop {
            let now = board.time.millis() - board.state.paused_ms();
            let left = from_ms - early - now;
            let tx = if left <= 3_000 {
                vec![approve(&board, 0, &b)]
            } else {
                vec![]
            };
            let context = board.next_context(left.min(3_000), 0);
            let executed = board.run(context, tx.into_iter().map(Candidate::verified).collect());
            if let Some(outcome) = executed.outcomes.first() {
                assert_eq!(outcome.result, expected);
                break;
            }
        }
    }
}

#[test]
fn a_charter_that_can_not_follow_is_refused_by_its_reason() {
    let board = board(7);
    let charter = |change: fn(&mut Charter)| refused(&board, &next(&board, change));
    let says = |change: fn(&mut Charter), expected: &str| {
        let refusal = charter(change).to_string();
        assert!(refusal.contains(expected), "{refusal}, not {expected}");
    };
    says(|c| c.term = 2, "follow");
    says(|c| c.term = 0, "follow");
    says(|c| c.previous = Hash::ZERO, "follow");
    says(|c| c.until_ms = 0, "time");
    says(|c| c.protocol += 2, "protocol");
    says(|c| c.protocol -= 1, "protocol");
    says(|c| c.stamp_bits = 41, "stamp_bits");
}

#[test]
fn a_charters_form_is_checked_at_its_limits() {
    let board = board(4);
    let bad = |change: &dyn Fn(&mut Charter)| {
        let mut charter = next(&board, |_| ());
        change(&mut charter);
        match refused(&board, &charter) {
            Refusal::BadCharter(bad) => bad,
            other => panic!("{other}"),
        }
    };
    let field = |bad: BadCharter| match bad {
        BadCharter::Field { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(bad(&|c| c.replicas.clear())), "replicas");
    assert_eq!(
        bad(&|c| c.replicas.reverse()),
        BadCharter::Order("replicas")
    );
    let twice = |c: &mut Charter| c.replicas[0].operator = c.replicas[1].operator;
    let key = board.state.charter().replicas[1].operator;
    assert_eq!(bad(&twice), BadCharter::Twice(key));
    let both = |c: &mut Charter| c.replicas[0].operator = c.replicas[0].validator;
    assert!(matches!(bad(&both), BadCharter::Twice(_)));
    let openers = |count: u64| {
        move |c: &mut Charter| {
            c.openers = (0..count)
                .map(|i| opener(&Party::new(900 + i), 1, 1))
                .collect();
            c.sort();
        }
    };
    let unsorted = |c: &mut Charter| {
        openers(3)(c);
        c.openers.reverse();
    };
    assert_eq!(bad(&unsorted), BadCharter::Order("openers"));
    let overflowing = |c: &mut Charter| {
        c.max_board_bytes = u64::MAX;
        c.openers = (0..2)
            .map(|i| opener(&Party::new(900 + i), 1, 1 << 63))
            .collect();
        c.sort();
    };
    assert_eq!(field(bad(&overflowing)), "max_board_bytes");
    let weak = |c: &mut Charter| {
        c.openers = vec![OpenerQuota {
            key: Hash([0; 32]),
            max_live: 1,
            max_bytes: 1,
        }]
    };
    assert!(matches!(bad(&weak), BadCharter::Key { role: "opener", .. }));
}

#[test]
fn at_most_a_third_of_the_keys_leave_at_once_and_one_at_least_may() {
    for (k, most) in [(1, 1), (3, 1), (4, 1), (6, 1), (7, 2), (10, 3)] {
        let board = board(k);
        let replaced = |count: u16, role: fn(&mut white_city_wire::charter::Replica, u8)| {
            next(&board, |charter| {
                for (i, replica) in (100..).zip(charter.replicas.iter_mut().take(count.into())) {
                    role(replica, i);
                }
            })
        };
        let operators = |count| replaced(count, |r, i| r.operator = replica(i).operator);
        let validators = |count| replaced(count, |r, i| r.validator = replica(i).validator);
        for (charters, words) in [
            (&operators as &dyn Fn(u16) -> Charter, "operators leave"),
            (&validators, "validators leave"),
        ] {
            let charter = charters(most);
            let executed = block(&mut board.clone(), vec![approve(&board, 0, &charter)]);
            assert_eq!(results(&executed), [Ok(NO_SESSION)], "{k}: {words}");
            if most < u16::from(k) {
                let refusal = refused(&board, &charters(most + 1)).to_string();
                assert!(refusal.contains(words), "{k}: {refusal}");
            }
        }
    }
}

#[test]
fn nobody_becomes_an_operator_without_signing_the_charter() {
    let board = board(4);
    let charter = next(&board, |c| c.replicas[1].operator = replica(100).operator);
    let Word::Charter { newcomers, .. } = approval(&board, &charter) else {
        panic!("a charter");
    };
    assert_eq!(newcomers.len(), 1);
    let with = |newcomers: Vec<Signature>| {
        let word = self::word(
            &board,
            0,
            Word::Charter {
                charter: Box::new(charter.clone()),
                newcomers,
            },
        );
        results(&block(&mut board.clone(), vec![word])).remove(0)
    };
    assert_eq!(with(newcomers.clone()), Ok(NO_SESSION));
    let count = Err(Refusal::Charter(
        "it doesn't come with one signature of each new operator",
    ));
    assert_eq!(with(vec![]), count);
    assert_eq!(with([newcomers.clone(), newcomers.clone()].concat()), count);
    let key = replica(100).operator;
    assert_eq!(
        with(vec![Signature([7; 64])]),
        Err(Refusal::BadSignature { key })
    );
    // Its signature over another charter is none over this one.
    let other = next(&board, |c| {
        (c.replicas[1].operator, c.anyone_max_live) = (key, 9)
    });
    let Word::Charter { newcomers, .. } = approval(&board, &other) else {
        panic!("a charter");
    };
    assert_eq!(with(newcomers), Err(Refusal::BadSignature { key }));
}

/// Has everybody approve, and goes on for two blocks.
fn enact(board: &mut Board, change: impl FnOnce(&mut Charter)) {
    let charter = next(board, change);
    let all: Vec<u16> = (0..board.state.charter().size()).collect();
    approve_all(board, &all, &charter);
    assert_eq!(board.state.charter(), &charter);
    for _ in 0..2 {
        block(board, vec![]);
    }
}

/// Puts the validator of replica `new` into the place of that of replica `old`.
fn replace(charter: &mut Charter, old: u8, new: u8) {
    let old = replica(old).validator;
    let place = charter.replicas.iter_mut().find(|r| r.validator == old);
    place.unwrap().validator = replica(new).validator;
}

#[test]
fn another_set_of_validators_is_an_era_and_newcomers_have_to_vote_before_the_next_come() {
    let mut board = board(4);
    enact(&mut board, |c| c.anyone_max_live = 9);
    assert_eq!(
        (board.state.term().eras, board.state.term().era_height),
        (0, 0)
    );
    let height = board.height + 1;
    enact(&mut board, |c| replace(c, 0, 10));
    let term = board.state.term().clone();
    assert_eq!(
        (term.charter.term, term.eras, term.era_height),
        (2, 1, height)
    );
    assert!(!term.is_proven(&replica(10).validator) && term.is_proven(&replica(1).validator));
    // A second one that nobody has seen vote is one too many.
    let two = next(&board, |c| replace(c, 1, 11));
    assert_eq!(
        refused(&board, &two),
        Refusal::Charter("too many of its validators haven't been seen to vote")
    );
    // Without the first one it would be fine.
    let instead = next(&board, |c| replace(c, 10, 11));
    let executed = block(&mut board.clone(), vec![approve(&board, 0, &instead)]);
    assert_eq!(results(&executed), [Ok(NO_SESSION)]);
    // Its vote stands in a block: it is proven from then on, and the next may come.
    let mut context = board.next_context(100, 0);
    context.voted = board
        .state
        .charter()
        .positions_of(&[replica(10).address(), [9; 20]]);
    board.run(context, vec![]);
    assert!(board.state.term().is_proven(&replica(10).validator));
    enact(&mut board, |c| replace(c, 1, 11));
    assert_eq!(board.state.term().eras, 2);
    assert!(
        board.state.term().is_proven(&replica(10).validator),
        "carried over by key"
    );
    // Whoever was away comes back unproven.
    let mut context = board.next_context(100, 0);
    context.voted = [0xff; 32];
    board.run(context, vec![]);
    enact(&mut board, |c| replace(c, 11, 1));
    assert!(!board.state.term().is_proven(&replica(1).validator));
}

#[test]
fn validators_do_not_change_in_the_block_after_a_change_and_other_rules_may() {
    let mut board = board(4);
    let first = next(&board, |c| replace(c, 0, 10));
    approve_all(&mut board, &[0, 1, 2], &first);
    let again = next(&board, |c| replace(c, 10, 0));
    assert_eq!(
        refused(&board, &again),
        Refusal::Charter("the validators have changed in one of the last two blocks")
    );
    let rules = next(&board, |c| c.anyone_max_live = 9);
    approve_all(&mut board, &[0, 1, 2], &rules);
    assert_eq!(
        (board.state.charter().term, board.state.term().eras),
        (2, 1)
    );
    let again = next(&board, |c| replace(c, 10, 0));
    approve_all(&mut board, &[0, 1, 2], &again);
    assert_eq!(
        (board.state.charter().term, board.state.term().eras),
        (3, 2)
    );
}

#[test]
fn a_block_is_executed_under_the_number_in_force_and_the_next_one_under_the_next() {
    let mut board = board(4);
    let charter = next(&board, |c| c.protocol += 1);
    let executed = approve_all(&mut board, &[0, 1, 2], &charter);
    assert_eq!(
        (
            executed.after.board_root().protocol,
            executed.after.charter().protocol
        ),
        (2, 3)
    );
    let executed = block(&mut board, vec![]);
    assert_eq!(executed.after.board_root().protocol, 3);
}

/// What the number that is there for tests does otherwise, it does from the block after the enactment on; and what was opened under the
/// number before stays of that one.
#[test]
fn the_block_after_the_enactment_is_the_first_by_the_next_rules_and_sessions_keep_their_number() {
    let mut board = board(4);
    let [old, new] = [50, 51].map(Party::new);
    let opened = |board: &mut Board, opener: &Party| {
        let tx = open(board, opener, spec(&Party::several(2), 2), [1; 32]);
        let results = results(&block(board, vec![tx]));
        *results[0].as_ref().unwrap()
    };
    let of = |board: &Board, number: u32| board.state.sessions().get(number).unwrap().leaf.clone();
    // Opened two blocks before: the clock starts in the enacting block, which knows nothing of what it brings.
    let first = opened(&mut board, &old);
    let charter = next(&board, |c| c.protocol = NEXT);
    let executed = approve_all(&mut board, &[0, 1, 2], &charter);
    let joining = spec(&Party::several(2), 2).join_ms;
    assert_eq!(of(&board, first).deadline_ms, executed.board_ms + joining);
    // By the next rules, what the last block opened waits a millisecond longer.
    let second = opened(&mut board, &new);
    assert_eq!(
        of(&board, second).protocol,
        NEXT,
        "opened by the next rules"
    );
    let executed = block(&mut board, vec![]);
    assert_eq!(
        of(&board, second).deadline_ms,
        executed.board_ms + joining + 1
    );
    assert_eq!(of(&board, first).protocol, 2, "a session keeps its number");
    assert_eq!(board.state.protocol(), NEXT);
}

/// One that the enacting block opens is of the number before, and its clock is of the next one.
#[test]
fn a_session_that_the_enacting_block_opens_is_of_the_number_before() {
    let mut board = board(4);
    let charter = next(&board, |c| c.protocol = NEXT);
    let mut txs: Vec<VerifiedTx> = (0..3).map(|p| approve(&board, p, &charter)).collect();
    let opened = spec(&Party::several(2), 2);
    let joining = opened.join_ms;
    txs.push(open(&board, &Party::new(50), opened, [1; 32]));
    let executed = block(&mut board, txs);
    let number = results(&executed)[3].clone().unwrap();
    let executed = block(&mut board, vec![]);
    let leaf = &board.state.sessions().get(number).unwrap().leaf;
    assert_eq!(leaf.protocol, 2);
    assert_eq!(leaf.deadline_ms, executed.board_ms + joining + 1);
}

#[test]
fn a_stamp_is_asked_of_strangers_who_may_open_sessions_and_of_nobody_else() {
    let [listed, stranger] = [60, 61].map(Party::new);
    let mut charter = board_with(1, rules(&[(&listed, 2, 100_000)]))
        .state
        .charter()
        .clone();
    charter.stamp_bits = 12;
    let bits = |charter: &Charter| [&listed, &stranger].map(|p| charter.stamp_bits_of(p.key()));
    assert_eq!(bits(&charter), [0, 12]);
    charter.anyone_may_open = false;
    assert_eq!(bits(&charter), [0, 0]);
}

#[test]
fn openers_follow_the_charter_and_what_they_hold_stays() {
    let [kept, gone, new, stranger] = [60, 61, 62, 63].map(Party::new);
    let mut board = board_with(1, rules(&[(&kept, 2, 100_000), (&gone, 2, 100_000)]));
    let small = || {
        let mut spec = spec(&Party::several(2), 2);
        spec.max_bytes = 10;
        spec
    };
    for (nonce, party) in (0..).zip([&kept, &gone, &stranger]) {
        let tx = open(&board, party, small(), [nonce; 32]);
        assert!(results(&block(&mut board, vec![tx]))[0].is_ok());
    }
    let held = |board: &Board, party: &Party| {
        let (number, leaf) = board.state.opener(party.key()).unwrap();
        (
            number,
            leaf.listed,
            leaf.max_live,
            leaf.live,
            leaf.live_bytes,
        )
    };
    let bytes = held(&board, &gone).4;
    assert_eq!(board.state.reserved().strangers, bytes);
    enact(&mut board, |c| {
        c.openers = vec![opener(&kept, 5, 200_000), opener(&new, 1, 50_000)];
        c.anyone_may_open = false;
    });
    assert_eq!(
        held(&board, &kept),
        (held(&board, &kept).0, true, 5, 1, bytes)
    );
    assert_eq!(
        held(&board, &gone),
        (held(&board, &gone).0, false, 0, 1, bytes)
    );
    assert_eq!(held(&board, &new), (3, true, 1, 0, 0), "appended");
    assert_eq!(board.state.reserved().strangers, 2 * bytes);
    for (party, expected) in [
        (&kept, Ok(3)),
        (&new, Ok(3)),
        (&gone, Err(Refusal::NotAnOpener)),
        (&stranger, Err(Refusal::NotAnOpener)),
    ] {
        let tx = open(&board, party, small(), [9; 32]);
        assert_eq!(results(&block(&mut board.clone(), vec![tx])), [expected]);
    }
    // Sessions of whoever isn't listed any more end as all do.
    for _ in 0..30 {
        block(&mut board, vec![]);
    }
    assert_eq!((held(&board, &gone).3, held(&board, &stranger).3), (0, 0));
}

#[test]
fn openers_that_a_block_brings_have_their_numbers_before_those_that_its_charter_appends() {
    let [listed, stranger] = [60, 61].map(Party::new);
    let mut board = board(1);
    let charter = next(&board, |c| c.openers = vec![opener(&listed, 1, 50_000)]);
    let mut small = spec(&Party::several(2), 2);
    small.max_bytes = 10;
    let txs = vec![
        approve(&board, 0, &charter),
        open(&board, &stranger, small, [1; 32]),
    ];
    block(&mut board, txs);
    let number = |party: &Party| board.state.opener(party.key()).unwrap().0;
    assert_eq!((number(&stranger), number(&listed)), (0, 1));
}

#[test]
fn what_is_over_a_limit_stays_and_only_new_openings_are_refused() {
    let party = Party::new(60);
    let mut board = board(1);
    let mut small = spec(&Party::several(2), 2);
    small.max_bytes = 10;
    for nonce in 0..2 {
        let tx = open(&board, &party, small.clone(), [nonce; 32]);
        assert!(results(&block(&mut board, vec![tx]))[0].is_ok());
    }
    enact(&mut board, |c| {
        (c.anyone_max_live, c.anyone_max_bytes, c.max_board_bytes) = (1, 1, 1)
    });
    let tx = open(&board, &party, small, [9; 32]);
    let refused = results(&block(&mut board, vec![tx])).remove(0);
    assert_eq!(refused, Err(Refusal::LiveQuota { live: 2, max: 1 }));
    assert_eq!(board.state.opener(party.key()).unwrap().1.live, 2);
}

#[test]
fn last_call_begins_anew_when_a_charter_is_enacted_and_nobody_is_late_by_it() {
    let mut scene = Scene::open_with(network(4, rules(&[])), 3, 2, |_| {}).joined();
    let posts: Vec<_> = (0..2).map(|i| scene.post(i)).collect();
    scene.block(posts);
    // Past the deadline, with one proposer that has nothing to add: one more would end it.
    while scene.get().leaf.call_blocks == 0 {
        scene.block_by(100, 0, vec![]);
    }
    assert_eq!((scene.round(), scene.get().leaf.call_blocks), (1, 1));
    let charter = next(&scene.board, |c| c.anyone_max_live = 9);
    let words = (0..3).map(|p| approve(&scene.board, p, &charter)).collect();
    scene.block_by(100, 0, words);
    let leaf = &scene.get().leaf;
    assert_eq!((leaf.call_blocks, leaf.callers), (0, [0; 32]));
    assert!(leaf.deadline_ms > 0, "its deadline stays");
    // It counts anew: one block isn't enough, a second proposer is.
    scene.block_by(100, 1, vec![]);
    assert_eq!((scene.round(), scene.get().leaf.call_blocks), (1, 1));
    scene.block_by(100, 2, vec![]);
    assert_eq!(scene.round(), 2);
}

#[test]
fn a_session_that_ends_in_the_enacting_block_stays_ended() {
    let mut scene = Scene::open_with(network(4, rules(&[])), 3, 2, |_| {}).joined();
    let charter = next(&scene.board, |c| c.anyone_max_live = 9);
    let mut txs: Vec<_> = (0..3).map(|p| approve(&scene.board, p, &charter)).collect();
    txs.extend((0..3).map(|i| scene.finish(i, 1)));
    scene.block_by(100, 0, txs);
    assert_eq!(scene.board.state.charter().term, 1);
    assert!(scene.get().terminal.is_some());
}

#[test]
fn an_approval_costs_as_much_as_its_keys() {
    let board = board(4);
    let charter = next(&board, |c| c.openers = vec![opener(&Party::new(60), 1, 1)]);
    assert_eq!(approve(&board, 0, &charter).work(), 1 + 2 * 4 + 1);
    let withdrawal = Approve {
        term: 0,
        operator: 0,
        sequence: 1,
        word: Word::Withdraw,
    };
    assert_eq!(signed(&board, 0, withdrawal).work(), 1);
}
