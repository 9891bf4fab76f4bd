//! Parties that are killed at every step, or come by once a round, and finish the same session.

mod disputed;
mod dumps;
mod gate;
mod kept;
mod killed;
mod memory;
mod once;
mod progress;
mod refused;
mod thief;
mod world;
