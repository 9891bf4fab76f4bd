//! Bugs in how the rules change.

use std::sync::Arc;

use white_city_state_machine::{Rules, Term};
use white_city_wire::{Bitmap, Charter, Hash, tx::Action};

use super::{Parts, Tamper, given, state};
use crate::simulator::Observed;

/// Property, bug, and how it is planted.
pub const BUGS: &[(&str, &str, Tamper)] = &[
    ("charters", "two thirds are enough", two_thirds),
    ("charters", "an approved charter isn't enacted", not_enacted),
    (
        "charters",
        "words outlive the term that they were said in",
        |seen| {
            given(!seen.executed.before.proposals().is_empty())?;
            enacted(seen, |parts, was| {
                parts.rules.proposals.clone_from(&was.proposals);
            })
        },
    ),
    ("charters", "a change of validators is no era", |seen| {
        given(seen.executed.after.term().eras != seen.executed.before.term().eras)?;
        enacted(seen, |parts, was| {
            (parts.rules.term.eras, parts.rules.term.era_height) =
                (was.term.eras, was.term.era_height);
        })
    }),
    ("charters", "every charter is an era", |seen| {
        given(seen.executed.after.term().eras == seen.executed.before.term().eras)?;
        enacted(seen, |parts, _| parts.rules.term.eras += 1)
    }),
    ("charters", "whoever comes counts as proven", |seen| {
        let after = seen.executed.after.term();
        let all = (0..after.charter.size()).fold(Bitmap::empty(256), Bitmap::with);
        given(after.proven() != all)?;
        enacted(seen, |parts, _| {
            parts.rules.term.proven = all.as_bytes().try_into().unwrap()
        })
    }),
    ("charters", "a vote proves nobody", |seen| {
        given(seen.executed.after.term().proven != seen.executed.before.term().proven)?;
        given(!is_enacted(seen))?;
        state(seen, |parts| {
            parts.rules.term.proven = seen.executed.before.term().proven;
            Some(())
        })
    }),
    ("charters", "a withdrawal is forgotten", forget_withdrawal),
    (
        "charters",
        "a withdrawal forgets when the operator approved",
        |seen| {
            state(seen, |parts| {
                let mut words = parts.rules.proposals.iter_mut();
                words.find(|word| word.charter_hash == Hash::ZERO)?.board_ms = 0;
                Some(())
            })
        },
    ),
    (
        "charters",
        "an opener stays listed that the charter doesn't list",
        |seen| {
            let before = seen.executed.before.charter().openers.clone();
            let after = seen.executed.after.charter().openers.clone();
            let gone = before
                .into_iter()
                .find(|was| after.iter().all(|is| is.key != was.key))?;
            state(seen, |parts| {
                let mut openers = parts.openers.iter_mut();
                let opener = openers.find(|opener| opener.key.as_bytes() == &gone.key.0)?;
                (opener.listed, opener.max_live, opener.max_bytes) =
                    (true, gone.max_live, gone.max_bytes);
                Some(())
            })
        },
    ),
    (
        "charters",
        "an opener's quota stays that of the term before",
        |seen| {
            let before = seen.executed.before.charter().openers.clone();
            enacted_if(seen, |parts, _| {
                let mut openers = parts.openers.iter_mut().filter(|opener| opener.listed);
                let opener = openers
                    .find(|opener| before.iter().all(|was| was.key.0 != *opener.key.as_bytes()))?;
                opener.listed = false;
                (opener.max_live, opener.max_bytes) = (0, 0);
                Some(())
            })
        },
    ),
    (
        "charters",
        "last call goes on under a new charter",
        |seen| {
            let before = seen.executed.before.sessions();
            enacted_if(seen, |parts, _| {
                let mut sessions = parts.sessions.iter_mut();
                sessions.find_map(|session| {
                    let old = before.get(session.number)?;
                    given(old.leaf.call_blocks > 0 && session.status().is_live())?;
                    session.leaf.call_blocks = old.leaf.call_blocks;
                    session.leaf.callers = old.leaf.callers;
                    Some(())
                })
            })
        },
    ),
    (
        "root",
        "the root names the next rules one block too early",
        |seen| {
            state(seen, |parts| {
                parts.rules.protocol += 1;
                Some(())
            })
        },
    ),
];

fn is_enacted(seen: &Observed) -> bool {
    seen.executed.before.term().charter_hash != seen.executed.after.term().charter_hash
}

fn enacted_if(
    seen: &Observed,
    change: impl FnOnce(&mut Parts, &Rules) -> Option<()>,
) -> Option<Observed> {
    given(is_enacted(seen))?;
    let was = seen.executed.before.rules();
    state(seen, |parts| change(parts, &was))
}

fn enacted(seen: &Observed, change: impl FnOnce(&mut Parts, &Rules)) -> Option<Observed> {
    enacted_if(seen, |parts, was| {
        change(parts, was);
        Some(())
    })
}

/// A charter that somebody approves in this block, if too few do.
fn two_thirds(seen: &Observed) -> Option<Observed> {
    given(!is_enacted(seen))?;
    let charter = seen
        .executed
        .applied()
        .find_map(|(tx, _)| match tx.action() {
            Action::Approve(approve) => match &approve.word {
                white_city_wire::approve::Word::Charter { charter, .. } => {
                    Some(Charter::clone(charter))
                }
                white_city_wire::approve::Word::Withdraw => None,
            },
            _ => None,
        })?;
    state(seen, |parts| {
        let height = seen.executed.context.height;
        parts.rules.term = parts.rules.term.next(Arc::new(charter), height);
        parts.rules.proposals.clear();
        Some(())
    })
}

fn not_enacted(seen: &Observed) -> Option<Observed> {
    enacted(seen, |parts, was| {
        parts.rules.term = Term::clone(&was.term);
    })
}

fn forget_withdrawal(seen: &Observed) -> Option<Observed> {
    let before = seen.executed.before.proposals().to_vec();
    state(seen, |parts| {
        let mut words = parts.rules.proposals.iter_mut();
        words.find_map(|word| {
            let old = before.iter().find(|old| old.operator == word.operator)?;
            given(word.charter_hash == Hash::ZERO && old.charter_hash != Hash::ZERO)?;
            *word = *old;
            Some(())
        })
    })
}
