//! The sessions that haven't ended, by the keys in their rosters: what a party that asks for them is answered with costs no more than
//! that, however many have ended. It follows from the state.

use rpds::RedBlackTreeSetSync;
use white_city_state_machine::{Session, State};
use white_city_wire::IdentityKey;

/// Numbers of the live sessions of each identity.
#[derive(Clone)]
pub struct Live(RedBlackTreeSetSync<([u8; 32], u32)>);

impl Live {
    /// Those of a state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let sessions = state.sessions().iter();
        let mut live = Self(RedBlackTreeSetSync::new_sync());
        sessions.for_each(|session| live.put(session));
        live
    }

    /// Those after a block that has changed the sessions with these numbers.
    #[must_use]
    pub fn after(&self, state: &State, changed: &[u32]) -> Self {
        let changed = changed.iter();
        let changed = changed.filter_map(|number| state.sessions().get(*number));
        let mut live = self.clone();
        changed.for_each(|session| live.put(session));
        live
    }

    fn put(&mut self, session: &Session) {
        let is_live = session.status().is_live();
        let place = |key: &IdentityKey| (*key.as_bytes(), session.number);
        let is_known = |place| self.0.contains(&place) == is_live;
        let roster = session.roster();
        if roster.first().map(place).is_none_or(is_known) {
            return;
        }
        for place in roster.iter().map(place) {
            match is_live {
                true => self.0.insert_mut(place),
                false => drop(self.0.remove_mut(&place)),
            }
        }
    }

    /// Those of an identity with a number in this range, the highest first.
    pub fn down(&self, identity: &[u8; 32], from: u32, to: u32) -> impl Iterator<Item = u32> + '_ {
        let range = (*identity, from)..=(*identity, to);
        self.0.range(range).rev().map(|(_, number)| *number)
    }
}
