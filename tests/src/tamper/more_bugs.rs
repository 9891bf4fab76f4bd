//! Bugs in what surrounds rounds: time, ends, quotas, evidence, commitments, refusals.

use std::sync::Arc;

use white_city_state_machine::{Session, State};
use white_city_wire::{
    Charter, Hash, IdentityKey, Refusal,
    board::{Cause, Culprit, Offence, OpenerLeaf, Status},
    tx::Action,
};

use super::{Tamper, given, session, state};
use crate::simulator::Observed;

/// Property, bug, and how it is planted.
pub const BUGS: &[(&str, &str, Tamper)] = &[
    (
        "memory",
        "an erased session changes once more",
        change_erased,
    ),
    (
        "memory",
        "an ended session counts a block of last call",
        change_ended,
    ),
    (
        "agreement",
        "two replicas have other deadlines",
        other_deadline,
    ),
    (
        "agreement",
        "two replicas accept other transactions",
        accept_refused,
    ),
    ("clock", "an outage is counted as time", forget_outage),
    (
        "clock",
        "an outage costs a session its deadline",
        outage_costs,
    ),
    ("culprits", "an honest party is framed", frame),
    ("culprits", "a culprit is forgotten", forgive),
    ("erasure", "a session is erased early", erase_early),
    ("erasure", "a session is never erased", never_erase),
    (
        "erasure",
        "erasure forgets the hash of the record",
        forget_record,
    ),
    (
        "history",
        "a late, early or foreign entry is accepted",
        accept_misplaced,
    ),
    (
        "honest_entries",
        "an honest entry is refused",
        refuse_honest,
    ),
    ("leaf", "the leaf's slots root is stale", stale_slots),
    (
        "leaf",
        "the leaf's terminal hash is missing",
        no_terminal_hash,
    ),
    ("numbering", "a session is opened twice", open_twice),
    ("numbering", "a session is lost", lose_session),
    ("paths", "the root isn't over the sessions", other_root),
    ("possible", "last call goes on after the end", keep_calling),
    ("quotas", "an end gives no place back", keep_live),
    ("quotas", "erasure gives no bytes back", keep_bytes),
    ("quotas", "an end gives no bytes back", keep_reserved),
    ("quotas", "a quota is exceeded", exceed),
    ("refusals", "a refused entry is counted", count_refused),
    ("root", "the root isn't the hash of the leaves", other_root),
    ("shares", "an entry isn't counted", free_entry),
    (
        "strangers",
        "strangers' bytes are forgotten",
        forget_strangers,
    ),
    ("terminal", "a record changes", change_record),
    ("terminal", "an ended session comes back", revive),
    ("terminal", "a record names another height", other_height),
];

fn other_deadline(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        given(s.body.is_some())?;
        s.leaf.deadline_ms += 1;
        Some(())
    })
}

fn accept_refused(seen: &Observed) -> Option<Observed> {
    let mut seen = seen.clone();
    let mut outcomes = seen.executed.outcomes.iter_mut();
    outcomes
        .find(|o| o.tx.is_some() && o.result.is_err())?
        .result = Ok(0);
    Some(seen)
}

fn accept_misplaced(seen: &Observed) -> Option<Observed> {
    use white_city_wire::tx::Action;
    let before = seen.executed.before.clone();
    let mut seen = seen.clone();
    seen.executed.outcomes.iter_mut().find_map(|outcome| {
        let misplaced = matches!(
            &outcome.result,
            Err(Refusal::RoundClosed { .. }
                | Refusal::RoundNotOpen { .. }
                | Refusal::Transcript { .. }
                | Refusal::Out(_)
                | Refusal::NotJoining)
        );
        given(misplaced)?;
        let id = match outcome.tx.as_ref()?.action() {
            Action::Post(post) => post.header.session,
            Action::Finish(finish) => finish.session,
            Action::Join(join) => join.session,
            _ => return None,
        };
        outcome.result = Ok(before.number(&id).ok()?);
        Some(())
    })?;
    Some(seen)
}

fn refuse_honest(seen: &Observed) -> Option<Observed> {
    let mut seen = seen.clone();
    let place = seen.must_be_taken.iter().position(|must| *must)?;
    seen.executed.outcomes.get_mut(place)?.result = Err(Refusal::NotReady);
    Some(seen)
}

fn outage(seen: &Observed) -> Option<()> {
    given(seen.executed.before.paused_ms() != seen.executed.after.paused_ms())
}

fn forget_outage(seen: &Observed) -> Option<Observed> {
    outage(seen)?;
    state(seen, |parts| {
        parts.paused_ms = seen.executed.before.paused_ms();
        Some(())
    })
}

fn outage_costs(seen: &Observed) -> Option<Observed> {
    outage(seen)?;
    session(seen, |s, old| {
        let old = old?;
        let same = s.status() == old.status() && s.leaf.open_round == old.leaf.open_round;
        given(same && old.leaf.deadline_ms > 0)?;
        s.leaf.deadline_ms -= 1;
        Some(())
    })
}

fn frame(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        let culprits = &mut s.body.as_mut()?.culprits;
        given(culprits.is_empty())?;
        culprits.push(Culprit {
            index: 0,
            offence: Offence::Equivocation,
            round: 1,
            a: Hash([1; 32]),
            b: Hash([2; 32]),
        });
        Some(())
    })
}

fn change_erased(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.status() == Status::Erased)?;
        s.leaf.call_blocks = 1;
        Some(())
    })
}

fn change_ended(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.terminal.is_some() && s.body.is_some())?;
        s.leaf.call_blocks = 1;
        Some(())
    })
}

fn forgive(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(!old?.body.as_ref()?.culprits.is_empty())?;
        s.body.as_mut()?.culprits.clear();
        Some(())
    })
}

fn erase_early(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        given(s.terminal.is_some() && s.body.is_some())?;
        s.body = None;
        s.leaf.status = Status::Erased;
        Some(())
    })
}

fn never_erase(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(s.body.is_none() && old?.body.is_some())?;
        *s = old?.clone();
        Some(())
    })
}

fn forget_record(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(s.body.is_none() && old?.body.is_some())?;
        // The root of one empty slot is zeros.
        s.leaf.slots_root = Hash([1; 32]);
        Some(())
    })
}

/// Changes a leaf without recomputing its hashes.
fn stale(
    seen: &Observed,
    change: impl Fn(&mut white_city_state_machine::Session) -> Option<()>,
) -> Option<Observed> {
    state(seen, |parts| parts.sessions.iter_mut().find_map(change))
}

fn stale_slots(seen: &Observed) -> Option<Observed> {
    stale(seen, |s| {
        given(s.body.is_some())?;
        s.leaf.slots_root.0[0] ^= 1;
        Some(())
    })
}

fn no_terminal_hash(seen: &Observed) -> Option<Observed> {
    stale(seen, |s| {
        given(s.terminal.is_some())?;
        s.leaf.terminal = Hash::ZERO;
        Some(())
    })
}

fn open_twice(seen: &Observed) -> Option<Observed> {
    state(seen, |parts| {
        let mut again = parts.sessions.first()?.clone();
        again.number = u32::try_from(parts.sessions.len()).ok()?;
        parts.sessions.push(again);
        Some(())
    })
}

fn lose_session(seen: &Observed) -> Option<Observed> {
    state(seen, |parts| parts.sessions.pop().map(drop))
}

fn other_root(seen: &Observed) -> Option<Observed> {
    given(!seen.executed.after.sessions().is_empty())?;
    let mut seen = seen.clone();
    seen.root.0[5] ^= 1;
    Some(seen)
}

fn keep_live(seen: &Observed) -> Option<Observed> {
    let ended = |number| {
        let now = seen.executed.after.sessions().get(number)?;
        let was = seen.executed.before.sessions().get(number)?;
        given(was.terminal.is_none() && now.terminal.is_some())
    };
    state(seen, |parts| {
        let session = parts.sessions.iter().find(|s| ended(s.number).is_some())?;
        parts
            .openers
            .get_mut(usize::try_from(session.leaf.opener).ok()?)?
            .live += 1;
        Some(())
    })
}

fn keep_bytes(seen: &Observed) -> Option<Observed> {
    let erased = |number| {
        let now = seen.executed.after.sessions().get(number)?;
        let was = seen.executed.before.sessions().get(number)?;
        given(was.body.is_some() && now.body.is_none())
    };
    state(seen, |parts| {
        let session = parts.sessions.iter().find(|s| erased(s.number).is_some())?;
        let opener = parts
            .openers
            .get_mut(usize::try_from(session.leaf.opener).ok()?)?;
        opener.live_bytes += session.leaf.reserved_bytes;
        Some(())
    })
}

fn keep_calling(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        s.terminal.as_ref()?;
        s.leaf.call_blocks = 1;
        Some(())
    })
}

fn keep_reserved(seen: &Observed) -> Option<Observed> {
    let was = |number| {
        let before = seen.executed.before.sessions().get(number);
        before.filter(|session| session.status().is_live())
    };
    state(seen, |parts| {
        let ended = |s: &&mut Session| s.terminal.is_some() && was(s.number).is_some();
        let session = parts.sessions.iter_mut().find(ended)?;
        let kept = was(session.number)?.leaf.reserved_bytes - session.leaf.reserved_bytes;
        session.leaf.reserved_bytes += kept;
        let opener = usize::try_from(session.leaf.opener).ok()?;
        parts.openers.get_mut(opener)?.live_bytes += kept;
        Some(())
    })
}

fn exceed(seen: &Observed) -> Option<Observed> {
    let mut opened = seen
        .executed
        .applied()
        .filter_map(|(tx, _)| match tx.action() {
            Action::Open(open) => Some(open.opener),
            _ => None,
        });
    let live =
        |state: &State, key: &IdentityKey| state.opener(key).map_or(0, |(_, opener)| opener.live);
    let (before, after) = (&seen.executed.before, &seen.executed.after);
    let key = opened.find(|key| live(after, key) > live(before, key))?;
    let mut seen = seen.clone();
    // The charter that it was opened under allowed none.
    let mut rules = seen.executed.before.rules();
    let mut charter = Charter::clone(&rules.term.charter);
    (charter.anyone_max_live, charter.anyone_max_bytes) = (0, 0);
    rules.term.charter = Arc::new(charter);
    let before = &seen.executed.before;
    let openers = before.openers().iter().map(|opener| {
        let mut opener = OpenerLeaf::clone(opener);
        if opener.key == key {
            (opener.max_live, opener.max_bytes) = (0, 0);
        }
        opener
    });
    let sessions = before
        .sessions()
        .iter()
        .map(|session| Session::clone(session));
    seen.executed.before = State::restore(
        before.network().clone(),
        rules,
        before.paused_ms(),
        openers.collect::<Vec<_>>(),
        sessions.collect::<Vec<_>>(),
    );
    Some(seen)
}

fn count_refused(seen: &Observed) -> Option<Observed> {
    given(seen.executed.outcomes.iter().any(|o| o.result.is_err()))?;
    session(seen, |s, _| {
        *s.body.as_mut()?.used_bytes.first_mut()? += 256;
        Some(())
    })
}

fn free_entry(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        let used = s.body.as_mut()?.used_bytes.iter_mut();
        *used.into_iter().find(|used| **used > 0)? -= 1;
        Some(())
    })
}

fn forget_strangers(seen: &Observed) -> Option<Observed> {
    state(seen, |parts| {
        let strangers = parts.openers.iter_mut().skip(1);
        strangers.into_iter().find(|o| o.live_bytes > 0)?.live_bytes = 0;
        Some(())
    })
}

fn change_record(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.terminal.is_some())?;
        s.terminal.as_mut()?.cause = Cause::NoReveal;
        Some(())
    })
}

fn revive(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.terminal.is_some() && s.body.is_some())?;
        s.terminal = None;
        s.leaf.status = Status::Running;
        Some(())
    })
}

fn other_height(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.terminal.is_none())?;
        s.terminal.as_mut()?.height += 1;
        Some(())
    })
}
