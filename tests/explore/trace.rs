//! A trace in words.

use std::fmt::Write as _;

use white_city_state_machine::{Session, Slot};
use white_city_tests::board::{Board, Candidate};
use white_city_wire::board::Status;

use crate::{
    binder::Binder,
    choices::{Choice, Step, start},
    world::World,
};

/// Tells what happens block by block, and what it comes to in the real state machine.
#[must_use]
pub fn words(world: &World, path: &[Choice]) -> String {
    let mut board = Board::new(world.network());
    let mut binder = Binder::new(*world, &board);
    let mut words = String::new();
    for (number, choice) in (1..).zip(start(world).iter().chain(path)) {
        let txs = choice.txs.iter().filter_map(|mv| binder.bind(&board, *mv));
        let candidates = txs.map(Candidate::verified).collect();
        let context = choice.context(world, &board);
        board.run(context, candidates);
        let when = match choice.step {
            Step::Still => "at once",
            Step::At => "at the last moment of the deadline",
            Step::Past => "a millisecond past the deadline",
            Step::Outage => "after an outage",
        };
        let moves: Vec<String> = choice.txs.iter().map(ToString::to_string).collect();
        let what = match moves.as_slice() {
            [] => "nothing".into(),
            moves => moves.join("; "),
        };
        let maker = match (choice.hostile, choice.proposer) {
            (true, Some(named)) => {
                format!(" by the hostile replica in the name of replica {named}")
            }
            (true, None) => " by the hostile replica in nobody's name".into(),
            (false, Some(0)) if world.replicas == 1 => String::new(),
            (false, Some(proposer)) => format!(" by replica {proposer}"),
            (false, None) => " in nobody's name".into(),
        };
        let sessions: Vec<String> = board.state.sessions().iter().map(|s| state(s)).collect();
        let punctual = choice
            .punctual
            .map_or(String::new(), |mask| format!(" [punctual: {mask:b}]"));
        let voted = if choice.voted {
            " [everybody has voted]"
        } else {
            ""
        };
        let _ = writeln!(
            words,
            "  {number}. {when}, block{maker}: {what}{punctual}{voted} -> {}{}",
            sessions.join(", "),
            term(world, &board)
        );
    }
    words
}

/// The term, and how many words stand in it, where operators speak.
fn term(world: &World, board: &Board) -> String {
    if !world.has_charters() {
        return String::new();
    }
    let (term, words) = (board.state.term(), board.state.proposals().len());
    format!(
        " [term {}, era {}, {} operators, {words} words]",
        term.charter.term,
        term.eras,
        term.charter.size()
    )
}

/// State of a session, in a few words.
fn state(session: &Session) -> String {
    let slots = session.body.as_ref().map_or(String::new(), |body| {
        let kinds = body.slots.iter().map(|slot| match slot {
            Slot::Empty => '.',
            Slot::Join { .. } => 'j',
            Slot::Post(_) => 'p',
            Slot::Finish { .. } => 'f',
        });
        kinds.collect()
    });
    let round = session.leaf.open_round;
    match (session.status(), &session.terminal) {
        (Status::Joining, _) => format!("joining {slots}"),
        (Status::Running, _) => format!("round {round} {slots}"),
        (Status::Dispute, _) => format!("dispute in round {round} {slots}"),
        (status, Some(record)) => format!("{status:?}, {:?}", record.cause),
        (status, None) => format!("{status:?}"),
    }
}
