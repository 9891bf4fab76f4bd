//! The difference of two charters in words.

use std::collections::{BTreeMap, BTreeSet};

use white_city_client::{
    Hash,
    wire::{Charter, charter::OpenerQuota},
};

/// Each change, as a sentence; also what stands in the way of a charter's following the other.
pub fn changes(present: &Charter, next: &Charter) -> Vec<String> {
    if present == next {
        return vec!["it is the charter in force".into()];
    }
    let mut lines = Vec::new();
    obstacles(present, next, &mut lines);
    replicas(present, next, &mut lines);
    openers(present, next, &mut lines);
    let numbers: [(&str, u64, u64); 7] = [
        ("protocol", present.protocol.into(), next.protocol.into()),
        (
            "most bytes of a session",
            present.max_session_bytes,
            next.max_session_bytes,
        ),
        (
            "most bytes of all sessions",
            present.max_board_bytes,
            next.max_board_bytes,
        ),
        (
            "strangers may open sessions (1 is yes)",
            present.anyone_may_open.into(),
            next.anyone_may_open.into(),
        ),
        (
            "live sessions of a stranger",
            present.anyone_max_live.into(),
            next.anyone_max_live.into(),
        ),
        (
            "bytes of a stranger",
            present.anyone_max_bytes,
            next.anyone_max_bytes,
        ),
        (
            "bits of a stranger's stamp",
            present.stamp_bits.into(),
            next.stamp_bits.into(),
        ),
    ];
    if present.protocol != next.protocol {
        lines.push(format!(
            "from the block after its enactment on, replicas whose program doesn't know protocol {} stop, and so do parties' clients",
            next.protocol
        ));
    }
    for (what, was, is) in numbers {
        if was != is {
            lines.push(format!("{what}: {was} becomes {is}"));
        }
    }
    if lines.is_empty() {
        lines.push("nothing but the term".into());
    }
    lines
}

fn obstacles(present: &Charter, next: &Charter, lines: &mut Vec<String>) {
    if present.term.checked_add(1) != Some(next.term) {
        lines.push(format!(
            "CAN'T FOLLOW: it is of term {}, the charter in force of term {}",
            next.term, present.term
        ));
    } else if next.previous != present.hash() {
        lines.push("CAN'T FOLLOW: it follows another charter than the one in force".into());
    }
}

fn replicas(present: &Charter, next: &Charter, lines: &mut Vec<String>) {
    let operators = |charter: &Charter| -> BTreeMap<Hash, Hash> {
        let replicas = charter.replicas.iter();
        replicas.map(|r| (r.validator, r.operator)).collect()
    };
    let (was, is) = (operators(present), operators(next));
    for (validator, operator) in &was {
        match is.get(validator) {
            None => lines.push(format!(
                "replica {validator} leaves, operated by {operator}"
            )),
            Some(other) if other != operator => lines.push(format!(
                "replica {validator}: its operator {operator} becomes {other}"
            )),
            Some(_) => {}
        }
    }
    for (validator, operator) in is.iter().filter(|(key, _)| !was.contains_key(*key)) {
        lines.push(format!("replica {validator} comes, operated by {operator}"));
    }
    if was.len() != is.len() {
        lines.push(format!(
            "replicas: {} become {}; {} of them may be malicious, {} before",
            was.len(),
            is.len(),
            next.faults(),
            present.faults()
        ));
    }
    let keys = |of: &BTreeMap<Hash, Hash>| -> BTreeSet<Hash> { of.keys().copied().collect() };
    let gone = keys(&was).difference(&keys(&is)).count();
    let most = usize::from(present.faults()).max(1);
    if gone > most {
        lines.push(format!(
            "CAN'T FOLLOW: {gone} validators leave, at most {most} may in one term"
        ));
    }
}

fn openers(present: &Charter, next: &Charter, lines: &mut Vec<String>) {
    let quotas = |charter: &Charter| -> BTreeMap<Hash, OpenerQuota> {
        let openers = charter.openers.iter().cloned();
        openers.map(|opener| (opener.key, opener)).collect()
    };
    let (was, is) = (quotas(present), quotas(next));
    for key in was.keys().filter(|key| !is.contains_key(*key)) {
        lines.push(format!(
            "opener {key} goes: it opens nothing more but as a stranger"
        ));
    }
    for (key, quota) in is {
        let (live, bytes) = (quota.max_live, quota.max_bytes);
        match was.get(&key) {
            None => lines.push(format!(
                "opener {key} comes: {live} live sessions, {bytes} bytes"
            )),
            Some(had) if *had != quota => lines.push(format!(
                "opener {key}: {live} live sessions and {bytes} bytes, {} and {} before",
                had.max_live, had.max_bytes
            )),
            Some(_) => {}
        }
    }
}
