//! Two boards of one genesis, as replicas that all lie can show them: which charters operators' words enact there. `docs/proof` has proved
//! what is tried here.

use white_city_tests::{
    board::{Board, Candidate},
    charters::{approve, next, signed, word},
    network::{network, rules},
};
use white_city_wire::{Charter, VerifiedTx, approve::Word, limits::APPROVAL_PACE_MS};

fn board() -> Board {
    let mut rules = rules(&[]);
    rules.params.cap_ms = u32::try_from(2 * APPROVAL_PACE_MS).unwrap();
    Board::new(network(4, rules))
}

fn drafts(board: &Board) -> [Charter; 2] {
    [7, 8].map(|live| next(board, |charter| charter.anyone_max_live = live))
}

/// One block in which all of these are taken.
fn block(board: &mut Board, step_ms: u64, txs: &[VerifiedTx]) {
    let context = board.next_context(step_ms, 0);
    let candidates = txs.iter().cloned().map(Candidate::verified).collect();
    let executed = board.run(context, candidates);
    for outcome in executed.outcomes {
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    }
}

#[test]
fn what_operators_have_withdrawn_can_be_shown_on_another_board_as_if_it_stood() {
    let mut shown = board();
    let [first, second] = drafts(&shown);
    let mut approvals = Vec::new();
    // Nobody approves the first one while somebody else does.
    for position in 0..4 {
        approvals.push(approve(&shown, position, &first));
        block(&mut shown, 100, &approvals[usize::from(position)..]);
        let withdrawal = signed(&shown, position, word(&shown, position, Word::Withdraw));
        block(&mut shown, 100, &[withdrawal]);
    }
    let all: Vec<VerifiedTx> = (0..4).map(|p| approve(&shown, p, &second)).collect();
    block(&mut shown, APPROVAL_PACE_MS, &all);
    assert_eq!(shown.state.charter(), &second);
    // Another board shows the first word of each, and nothing later.
    let mut other = board();
    block(&mut other, 100, &approvals);
    assert_eq!(other.state.charter(), &first);
}

/// Whether both drafts can be enacted, each on a board of its own, if these operators approve both, and each of the others one of them.
fn both_are_enacted(corrupt: u16) -> bool {
    let [first, second] = drafts(&board());
    (0..1_u16 << 4).any(|approves_second| {
        let of_the_first = |p: u16| p < corrupt || approves_second & (1 << p) == 0;
        let of_the_second = |p: u16| p < corrupt || approves_second & (1 << p) != 0;
        let is_enacted = |charter: &Charter, approves: &dyn Fn(u16) -> bool| {
            let mut board = board();
            let who = (0..4).filter(|p| approves(*p));
            let words: Vec<VerifiedTx> = who.map(|p| approve(&board, p, charter)).collect();
            block(&mut board, 100, &words);
            board.state.charter() == charter
        };
        is_enacted(&first, &of_the_first) && is_enacted(&second, &of_the_second)
    })
}

#[test]
fn two_charters_succeed_one_only_if_more_than_f_operators_approve_both() {
    assert!(!both_are_enacted(0));
    assert!(!both_are_enacted(1));
    assert!(both_are_enacted(2));
}
