//! The order in which a proposer offers transactions to a block: what sessions in last call wait for first, in their order, so that
//! nothing takes its room; then one of each session in turn, so that no session starves the others.

use std::collections::{BTreeMap, VecDeque};

/// Something to be packed.
pub struct Candidate<T> {
    /// Which session it is of; those that open one are a group of their own.
    pub session: Option<u32>,
    /// Its session's place in the order of last call, if it is something that last call waits for.
    pub last_call: Option<usize>,
    /// What it is.
    pub item: T,
}

/// Puts candidates in order: what last call waits for, and everything else.
pub fn order<T>(candidates: Vec<Candidate<T>>) -> (Vec<T>, Vec<T>) {
    let mut urgent: Vec<(usize, T)> = Vec::new();
    let mut others = Vec::new();
    for candidate in candidates {
        match candidate.last_call {
            Some(place) => urgent.push((place, candidate.item)),
            None => others.push(candidate),
        }
    }
    // Stable: what came first of a session stays first.
    urgent.sort_by_key(|(place, _)| *place);
    let urgent = urgent.into_iter().map(|(_, item)| item).collect();
    (urgent, in_turn(others))
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
    fn last_call_goes_first_in_its_order_and_the_others_take_turns() {
        let candidate = |session, last_call, item| Candidate {
            session,
            last_call,
            item,
        };
        let (urgent, others) = order(vec![
            candidate(Some(1), None, "a1"),
            candidate(Some(1), None, "a2"),
            candidate(Some(4), Some(1), "d1"),
            candidate(Some(1), None, "a3"),
            candidate(None, None, "open"),
            candidate(Some(2), None, "b1"),
            candidate(Some(3), Some(0), "c1"),
            candidate(Some(4), Some(1), "d2"),
            candidate(Some(3), Some(0), "c2"),
            candidate(Some(3), None, "evidence"),
        ]);
        assert_eq!(urgent, ["c1", "c2", "d1", "d2"]);
        assert_eq!(others, ["open", "a1", "b1", "evidence", "a2", "a3"]);
    }
}
