//! The client against replicas that lie, on boards that run in process.

mod checks;
mod forged;
mod liars;
mod limits;
mod record;
mod tampered;
mod world;
