//! Planted bugs: what a broken replica would show, made by altering what the properties observe. Nothing of this is
//! in production code. A property that doesn't report its planted bugs checks nothing.

mod bugs;
mod charter_bugs;
mod dispute_bugs;
mod more_bugs;
mod rare_bugs;

use white_city_state_machine::{Rules, Session, State};
use white_city_wire::board::OpenerLeaf;

use crate::simulator::Observed;

/// Alters a block as a bug would; `None` where this block gives no opportunity.
pub type Tamper = fn(&Observed) -> Option<Observed>;

/// A bug, and the property that has to report it.
pub struct Planted {
    /// Name of the property.
    pub invariant: &'static str,
    /// Description of the bug.
    pub bug: &'static str,
    /// The change itself.
    pub tamper: Tamper,
}

/// Every planted bug.
#[must_use]
pub fn planted() -> Vec<Planted> {
    let bugs = bugs::BUGS.iter().chain(more_bugs::BUGS);
    all(bugs.chain(dispute_bugs::BUGS).chain(charter_bugs::BUGS))
}

/// Planted bugs that only exploration finds.
#[must_use]
pub fn rare() -> Vec<Planted> {
    all(rare_bugs::BUGS.iter())
}

fn all(bugs: impl Iterator<Item = &'static (&'static str, &'static str, Tamper)>) -> Vec<Planted> {
    bugs.map(|(invariant, bug, tamper)| Planted {
        invariant,
        bug,
        tamper: *tamper,
    })
    .collect()
}

/// The parts that a state is restored from.
struct Parts {
    rules: Rules,
    paused_ms: u64,
    openers: Vec<OpenerLeaf>,
    sessions: Vec<Session>,
}

/// Changes the state after the block; `None` from the change means that there was nothing to change.
fn state(seen: &Observed, change: impl FnOnce(&mut Parts) -> Option<()>) -> Option<Observed> {
    let after = &seen.executed.after;
    let mut parts = Parts {
        rules: after.rules(),
        paused_ms: after.paused_ms(),
        openers: after
            .openers()
            .iter()
            .map(|o| OpenerLeaf::clone(o))
            .collect(),
        sessions: after.sessions().iter().map(|s| Session::clone(s)).collect(),
    };
    change(&mut parts)?;
    let network = after.network().clone();
    let mut seen = seen.clone();
    let state = State::restore(
        network,
        parts.rules,
        parts.paused_ms,
        parts.openers,
        parts.sessions,
    );
    seen.root = state.root();
    seen.executed.after = state;
    Some(seen)
}

/// Changes the first session for which `change` finds something to do, given what it was before the block.
fn session(
    seen: &Observed,
    change: impl Fn(&mut Session, Option<&Session>) -> Option<()>,
) -> Option<Observed> {
    let before = seen.executed.before.sessions();
    state(seen, |parts| {
        let mut sessions = parts.sessions.iter_mut();
        sessions.find_map(|session| {
            let old = before.get(session.number).map(AsRef::as_ref);
            let mut changed = session.clone();
            change(&mut changed, old)?;
            changed.refresh_leaf();
            *session = changed;
            Some(())
        })
    })
}

/// `Some` where a condition holds.
fn given(condition: bool) -> Option<()> {
    condition.then_some(())
}
