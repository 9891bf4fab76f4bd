//! The order in which a proposer offers transactions to a block: sessions in last call first, then one of each
//! session in turn, so that no session starves the others.

use std::collections::{BTreeMap, VecDeque};

/// Something to be packed.
pub struct Candidate<T> {
    /// Which session it is of; those that open one are a group of their own.
    pub session: Option<u32>,
    /// Whether its session is in last call.
    pub last_call: bool,
    /// What it is.
    pub item: T,
}

/// Puts candidates in order.
pub fn order<T>(candidates: Vec<Candidate<T>>) -> Vec<T> {
    let (urgent, others): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|candidate| candidate.last_call);
    let mut ordered = in_turn(urgent);
    ordered.extend(in_turn(others));
    ordered
}

fn in_turn<T>(candidates: Vec<Candidate<T>>) -> Vec<T> {
    let mut ordered = Vec::with_capacity(candidates.len());
    let mut queues: BTreeMap<Option<u32>, VecDeque<T>> = BTreeMap::new();
    for candidate in candidates {
        queues
            .entry(candidate.session)
            .or_default()
            .push_back(candidate.item);
    }
    while !queues.is_empty() {
        queues.retain(|_, queue| {
            ordered.extend(queue.pop_front());
            !queue.is_empty()
        });
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_call_goes_first_and_the_others_take_turns() {
        let candidate = |session, last_call, item| Candidate {
            session,
            last_call,
            item,
        };
        let ordered = order(vec![
            candidate(Some(1), false, "a1"),
            candidate(Some(1), false, "a2"),
            candidate(Some(1), false, "a3"),
            candidate(None, false, "open"),
            candidate(Some(2), false, "b1"),
            candidate(Some(3), true, "c1"),
            candidate(Some(3), true, "c2"),
        ]);
        assert_eq!(ordered, ["c1", "c2", "open", "a1", "b1", "a2", "a3"]);
    }
}
