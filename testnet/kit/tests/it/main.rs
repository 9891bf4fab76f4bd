//! The kit, and over it the delivery: what protocols of `round-based` get from a session.

mod delivery;
mod random;
mod random_plan;
mod resumed;
