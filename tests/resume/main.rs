//! Parties that are killed at every step, or come by once a round, and finish the same session; and the operators' commands.

mod aggregate;
mod consent;
mod disputed;
mod dumps;
mod gate;
mod gateway;
mod kept;
mod killed;
mod memory;
mod once;
mod opened;
mod operated;
mod progress;
mod refused;
mod results;
mod script;
mod thief;
mod trusted;
mod world;
