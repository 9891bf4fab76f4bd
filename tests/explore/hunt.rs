//! Planted bugs: the explorer alters each block as a bug would, and asks whether a property reports it. What it finds first has a
//! shortest trace.

use white_city_tests::{invariants::Invariant, simulator::Observed, tamper::Planted};

/// Bugs that are looked for.
pub struct Hunt {
    /// Those that weren't found yet.
    pub open: Vec<Planted>,
    /// Those that were.
    pub found: Vec<Found>,
    /// A place where a bug had its chance and no property reported it.
    pub missed: Vec<String>,
}

/// A bug that was found.
pub struct Found {
    /// Its effect.
    pub bug: &'static str,
    /// The world.
    pub world: &'static str,
    /// Blocks from the world's start to the altered one.
    pub blocks: usize,
    /// Properties that report it.
    pub by: Vec<&'static str>,
    /// The trace.
    pub words: String,
}

impl Hunt {
    /// Looks for these.
    #[must_use]
    pub const fn new(open: Vec<Planted>) -> Self {
        Self {
            open,
            found: Vec::new(),
            missed: Vec::new(),
        }
    }

    /// Plants each bug that wasn't found yet in a block, if the block gives it a chance.
    pub fn plant<'a>(
        &mut self,
        (world, blocks): (&'static str, usize),
        seen: &Observed,
        properties: impl Iterator<Item = &'a Box<dyn Invariant>> + Clone,
        own: impl Fn(&Observed) -> bool,
        way: impl Fn() -> String,
    ) {
        let (found, missed) = (&mut self.found, &mut self.missed);
        self.open.retain(|planted| {
            let Some(altered) = (planted.tamper)(seen) else {
                return true;
            };
            let reports = properties.clone().filter(|property| {
                // Those that execute the block again would report anything that is altered, but not a bug that all replicas have.
                let again = ["agreement", "refusals"].contains(&property.name());
                let mut property = property.copy();
                let counts = !again || property.name() == planted.invariant;
                counts && property.check(&altered).is_err()
            });
            let mut by: Vec<&str> = reports.map(|property| property.name()).collect();
            if own(&altered) {
                by.push("the explorer");
            }
            if by.is_empty() {
                missed.push(format!("{}\n{}", planted.bug, way()));
                return true;
            }
            found.push(Found {
                bug: planted.bug,
                world,
                blocks,
                by,
                words: way(),
            });
            false
        });
    }
}
