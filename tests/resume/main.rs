//! Parties that are killed at every step, or come by once a round, and finish the same session; and the operators' commands.

mod aggregate;
mod consent;
mod disputed;
mod dumps;
mod gate;
mod gateway;
mod groups;
mod kept;
mod killed;
mod many;
mod memory;
mod once;
mod opened;
mod operated;
mod progress;
mod refreshed;
mod refused;
mod reshared;
mod results;
mod script;
mod served;
mod thief;
mod trusted;
mod world;
