//! The order in which a proposer offers transactions to a block: what sessions in last call wait for first, in their order, so that
//! nothing takes its room; then, again and again, of the session that has the least before it: no session's large entries
//! keep the small ones of others waiting, however many sessions have large ones.

use std::collections::BTreeMap;

/// Something to be packed.
pub struct Candidate<T> {
    /// Session that it is of; those that open one are a group of their own.
    pub session: Option<u32>,
    /// Its session's place in the order of last call, if it is something that last call waits for.
    pub last_call: Option<usize>,
    /// Bytes of a block that it takes.
    pub size: u64,
    /// The transaction itself.
    pub item: T,
}

/// Puts candidates in order: what last call waits for, and everything else.
pub fn order<T>(candidates: Vec<Candidate<T>>) -> (Vec<T>, Vec<T>) {
    let mut urgent: Vec<(usize, T)> = Vec::new();
    let mut others: Vec<(u64, T)> = Vec::new();
    let mut sizes: BTreeMap<Option<u32>, u64> = BTreeMap::new();
    for candidate in candidates {
        match candidate.last_call {
            Some(place) => urgent.push((place, candidate.item)),
            None => {
                let size = sizes.entry(candidate.session).or_default();
                *size = size.saturating_add(candidate.size);
                others.push((*size, candidate.item));
            }
        }
    }
    // Stable: what came first of a session stays first.
    urgent.sort_by_key(|(place, _)| *place);
    let urgent = urgent.into_iter().map(|(_, item)| item).collect();
    others.sort_by_key(|(size, _)| *size);
    let others = others.into_iter().map(|(_, item)| item).collect();
    (urgent, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(session: Option<u32>, size: u64, item: &str) -> Candidate<&str> {
        Candidate {
            session,
            last_call: None,
            size,
            item,
        }
    }

    fn in_last_call(session: u32, place: usize, item: &str) -> Candidate<&str> {
        Candidate {
            last_call: Some(place),
            ..of(Some(session), 1_000, item)
        }
    }

    #[test]
    fn last_call_goes_first_in_its_order_and_the_others_take_turns() {
        let (urgent, others) = order(vec![
            of(Some(1), 10, "a1"),
            of(Some(1), 10, "a2"),
            in_last_call(4, 1, "d1"),
            of(Some(1), 10, "a3"),
            of(None, 10, "open"),
            of(Some(2), 10, "b1"),
            in_last_call(3, 0, "c1"),
            in_last_call(4, 1, "d2"),
            in_last_call(3, 0, "c2"),
            of(Some(3), 10, "evidence"),
        ]);
        assert_eq!(urgent, ["c1", "c2", "d1", "d2"]);
        assert_eq!(others, ["a1", "open", "b1", "evidence", "a2", "a3"]);
    }

    #[test]
    fn a_round_of_small_entries_goes_before_large_ones_of_any_number_of_sessions() {
        let large = (0..100).map(|session| of(Some(session), 700_000, "large"));
        let small = (0..4).map(|_| of(Some(100), 300, "small"));
        let (_, others) = order(large.chain(small).collect());
        assert_eq!(others[..4], ["small"; 4]);
        assert_eq!(others.len(), 104);
    }
}
