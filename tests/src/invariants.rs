//! Properties that have to hold after every block, each in a file. Each is shown to find a planted bug (`crate::tamper`).

use white_city_state_machine::{Body, Session, State};

use crate::simulator::Observed;

/// Says what is wrong unless a condition holds.
macro_rules! ensure {
    ($good:expr, $($what:tt)+) => {
        if !$good {
            return Err(format!($($what)+));
        }
    };
}

mod agreement;
mod authorship;
mod before_closing;
mod bytes;
mod charters;
mod clock;
mod closed_rounds;
mod closing;
mod culprits;
mod disputes;
mod erasure;
mod history;
mod honest_entries;
mod last_call;
mod leaf;
mod leavers;
mod members;
mod memory;
mod numbering;
mod paths;
mod possible;
mod quotas;
mod refusals;
mod root;
mod shares;
mod slots;
mod strangers;
mod terminal;

/// One property, with what it remembers from block to block.
pub trait Property: Default + Clone + 'static {
    /// Its name, the name of its file.
    const NAME: &'static str;

    /// Checks one block.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&mut self, seen: &Observed) -> Result<(), String>;
}

/// A property of which the type is forgotten.
pub trait Invariant {
    /// Its name.
    fn name(&self) -> &'static str;
    /// Checks one block.
    ///
    /// # Errors
    /// What is wrong.
    fn check(&mut self, seen: &Observed) -> Result<(), String>;
    /// A copy with the same memory.
    fn copy(&self) -> Box<dyn Invariant>;
}

impl<P: Property> Invariant for P {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        Property::check(self, seen)
    }

    fn copy(&self) -> Box<dyn Invariant> {
        Box::new(self.clone())
    }
}

/// Every property.
#[must_use]
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(agreement::Agreement::default()),
        Box::new(authorship::Authorship),
        Box::new(charters::Charters::default()),
        Box::new(clock::Clock::default()),
        Box::new(closed_rounds::ClosedRounds::default()),
        Box::new(closing::Closing),
        Box::new(culprits::Culprits::default()),
        Box::new(disputes::Disputes),
        Box::new(erasure::Erasure::default()),
        Box::new(history::History),
        Box::new(honest_entries::HonestEntries),
        Box::new(last_call::LastCall::default()),
        Box::new(leaf::Leaf),
        Box::new(leavers::Leavers),
        Box::new(members::Members),
        Box::new(memory::Memory::default()),
        Box::new(numbering::Numbering),
        Box::new(paths::Paths),
        Box::new(possible::Possible),
        Box::new(quotas::Quotas),
        Box::new(refusals::Refusals),
        Box::new(root::Root),
        Box::new(shares::Shares::default()),
        Box::new(slots::Slots),
        Box::new(strangers::Strangers),
        Box::new(terminal::TerminalRecord::default()),
    ]
}

/// The property with this name.
#[must_use]
pub fn named(name: &str) -> Option<Box<dyn Invariant>> {
    all().into_iter().find(|invariant| invariant.name() == name)
}

/// The sessions that aren't erased.
fn bodies(state: &State) -> impl Iterator<Item = (&Session, &Body)> {
    state
        .sessions()
        .iter()
        .filter_map(|session| Some((session.as_ref(), session.body.as_ref()?)))
}

/// The same session before the block, if it existed and wasn't erased.
fn body_before(seen: &Observed, number: u32) -> Option<&Body> {
    let session = seen.executed.before.sessions().get(number)?;
    session.body.as_ref()
}
