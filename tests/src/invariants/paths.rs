//! Promise 4, completeness: every session and every opener has a path to the root that is sealed.

use white_city_wire::{Hash, board::BoardRoot, tree::append_root_from_path};

use super::Property;
use crate::simulator::Observed;

/// Checks every path.
#[derive(Default, Clone)]
pub struct Paths;

impl Property for Paths {
    const NAME: &'static str = "paths";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let state = &seen.executed.after;
        let sealed = |sessions_root: Hash, openers_root: Hash| {
            let root = BoardRoot {
                sessions_root,
                openers_root,
                ..state.board_root()
            };
            root.hash() == seen.root
        };
        // A path costs 32 hashes: every session has its turn every few blocks.
        let turn = seen.executed.context.height % 4;
        let sessions = (0_u32..).zip(state.sessions().iter());
        for (number, session) in sessions.filter(|(number, _)| u64::from(*number) % 4 == turn) {
            let path = state.sessions().path(number).ok_or("no path")?;
            let up = |leaf| append_root_from_path(leaf, number, &path).unwrap_or_default();
            let proven = sealed(up(session.leaf.hash()), state.openers().root());
            ensure!(
                proven,
                "the path of session {number} doesn't lead to the root"
            );
            let mut other = session.leaf.clone();
            other.call_blocks += 1;
            let proven = sealed(up(other.hash()), state.openers().root());
            ensure!(
                !proven,
                "a wrong leaf of session {number} is proven as well"
            );
        }
        for (number, opener) in (0_u32..).zip(state.openers().iter()) {
            let path = state.openers().path(number).ok_or("no path")?;
            let up = append_root_from_path(opener.hash(), number, &path).unwrap_or_default();
            let proven = sealed(state.sessions().root(), up);
            ensure!(
                proven,
                "the path of opener {number} doesn't lead to the root"
            );
        }
        Ok(())
    }
}
