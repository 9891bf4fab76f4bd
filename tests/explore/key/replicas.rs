//! What a state's name says of replicas and their operators: only how many are alike, not which.

use white_city_state_machine::Session;
use white_city_tests::network::replica;
use white_city_wire::{Hash, approve::Proposal, charter::Replica, limits::APPROVAL_PACE_MS};

use super::has_called;
use crate::{
    binder::Binder, charters::hostile_position, choices::board_ms, explorer::Node, world::World,
};

/// Appends who has counted in which last calls, and, where operators speak, the term with their words.
pub fn name(binder: &Binder, node: &Node, sessions: &[(u8, &Session)], name: &mut Vec<u8>) {
    let (world, board) = (&binder.world, &node.board);
    let charter = board.state.charter();
    let hostile = hostile_position(world, board);
    let rows = charter.replicas.iter().enumerate().map(|(place, keys)| {
        let called = sessions
            .iter()
            .map(|(_, session)| has_called(session, place));
        let mut row: Vec<u8> = called.map(u8::from).collect();
        row.insert(0, u8::from(hostile == Some(place)));
        if world.has_charters() {
            row.extend(kind(world, keys));
            let proven = board.state.term().is_proven(&keys.validator);
            row.push(u8::from(proven));
            let mut words = board.state.proposals().iter();
            let word = words.find(|word| usize::from(word.operator) == place);
            row.extend(word.map_or(vec![], |word| self::word(binder, word, board_ms(board))));
        }
        row
    });
    let mut rows: Vec<Vec<u8>> = rows.collect();
    rows.sort_unstable();
    name.extend(rows.concat());
    if world.has_charters() {
        term(binder, node, name);
    }
}

/// Which of the replicas' roles the keys have that drafts tell apart: the hostile one, the last, the spare.
fn kind(world: &World, keys: &Replica) -> [u8; 2] {
    let first = (world.hostile_replica || world.on.flaws).then_some(0);
    let special = first
        .into_iter()
        .chain([world.replicas - 1, world.replicas]);
    let special: Vec<Replica> = special.map(replica).collect();
    let place = |found: Option<usize>| found.map_or(3, |place| place as u8);
    [
        place(
            special
                .iter()
                .position(|one| one.validator == keys.validator),
        ),
        place(special.iter().position(|one| one.operator == keys.operator)),
    ]
}

/// What an operator approves, and how long it waits before it may approve another charter.
fn word(binder: &Binder, word: &Proposal, now: u64) -> Vec<u8> {
    let approves = match word.charter_hash {
        Hash::ZERO => 0,
        hash => binder.symbol(&hash),
    };
    let pace = (word.board_ms + APPROVAL_PACE_MS).saturating_sub(now);
    let pace = if binder.world.on.pace { pace } else { 0 };
    [&[202, approves][..], &pace.to_be_bytes()].concat()
}

/// The charter in force but for its replicas and what it follows, and what is left of every time.
fn term(binder: &Binder, node: &Node, name: &mut Vec<u8>) {
    let board = &node.board;
    let mut charter = board.state.charter().clone();
    charter.replicas.clear();
    charter.previous = Hash::ZERO;
    charter.until_ms = 0;
    name.extend(charter.hash().0);
    let height = board.height.saturating_sub(board.state.term().era_height);
    name.push(if board.state.term().eras > 0 {
        height.min(2) as u8
    } else {
        2
    });
    let now = board_ms(board);
    let left = binder
        .world
        .waits(board)
        .map(|due| (due + 1).saturating_sub(now));
    name.extend(left.max().unwrap_or(0).to_be_bytes());
}
