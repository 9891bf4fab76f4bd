//! The kit, and over it the delivery: what protocols of `round-based` get from a session.

mod delivery;
mod parts;
mod random;
mod random_plan;
mod resumed;
