//! Last call: after a deadline, blocks count until f + 1 different proposers had no entry of the session to add.
//! So no single replica can make an honest party late.
//!
//! Sessions in last call have an order, by deadline and number, in which honest proposers pack their entries before anything else.
//! So only what comes before a session in that order can have taken its room, and nothing that comes later can: a block counts for
//! a session if there was room for one more entry behind those of the sessions before it.

use alloc::{collections::BTreeMap, vec::Vec};

use white_city_wire::{
    Bitmap, Params,
    board::SessionLeaf,
    limits::{ENTRY_WORK_MAX, LAST_CALLS_MAX},
};

use crate::state::State;

/// The sessions in last call in one block: the first [`LAST_CALLS_MAX`], fixed before its transactions, with what the block carries of
/// each.
#[derive(Debug, Default)]
pub struct LastCall {
    /// Session number to place in the order.
    places: BTreeMap<u32, usize>,
    /// By place.
    carried: Vec<Carried>,
}

/// Entries and reveals of one session in a block.
#[derive(Debug, Clone, Copy, Default)]
struct Carried {
    bytes: u64,
    work: u64,
}

impl LastCall {
    /// Of a block at `board_ms`, whose clock has started.
    pub fn fix(state: &State, board_ms: u64) -> Self {
        let most = usize::try_from(LAST_CALLS_MAX).unwrap_or(usize::MAX);
        let due = state.past_deadline(board_ms).take(most);
        let places: BTreeMap<u32, usize> = due.zip(0_usize..).collect();
        Self {
            carried: alloc::vec![Carried::default(); places.len()],
            places,
        }
    }

    /// A session's place in the order.
    pub fn place(&self, number: u32) -> Option<usize> {
        self.places.get(&number).copied()
    }

    /// The numbers of the sessions, in no particular order that matters.
    pub fn numbers(&self) -> Vec<u32> {
        self.places.keys().copied().collect()
    }

    /// Notes an entry or a reveal that the block carries, of any session.
    pub fn carry(&mut self, number: u32, bytes: u32, work: u32) {
        let place = self.place(number);
        if let Some(carried) = place.and_then(|place| self.carried.get_mut(place)) {
            carried.bytes = carried.bytes.saturating_add(bytes.into());
            carried.work = carried.work.saturating_add(work.into());
        }
    }

    /// For each session whether the block counts for its proposer: it carries nothing of it, and what it carries of the sessions
    /// before it leaves room.
    pub fn counting(&self, params: &Params) -> BTreeMap<u32, bool> {
        let full_block = u64::from(params.full_block);
        let max_work = u64::from(params.max_work.saturating_sub(ENTRY_WORK_MAX));
        let mut ahead = Carried::default();
        let by_place = self.carried.iter().map(|own| {
            let has_room = ahead.bytes < full_block && ahead.work <= max_work;
            ahead.bytes = ahead.bytes.saturating_add(own.bytes);
            ahead.work = ahead.work.saturating_add(own.work);
            own.work == 0 && has_room
        });
        let counts: Vec<bool> = by_place.collect();
        let of = |place: usize| counts.get(place).copied().unwrap_or(false);
        let numbers = self.places.iter();
        numbers
            .map(|(number, place)| (*number, of(*place)))
            .collect()
    }
}

/// Counts a block for a session, for `caller` where it counts for its proposer; says whether its last call is over: more than `faults`
/// different proposers had nothing to add.
pub fn count(leaf: &mut SessionLeaf, caller: Option<u16>, faults: u16) -> bool {
    leaf.call_blocks = leaf.call_blocks.saturating_add(1);
    let mut callers = Bitmap::from_bytes(256, &leaf.callers).unwrap_or(Bitmap::empty(256));
    if let Some(proposer) = caller {
        callers.insert(proposer);
    }
    leaf.callers
        .iter_mut()
        .zip(callers.as_bytes())
        .for_each(|(to, from)| *to = *from);
    callers.count() > faults
}
