//! The client against replicas that lie, on boards that run in process.

mod behind;
mod certified;
mod checks;
mod complaints;
mod convicted;
mod direct;
mod eras;
mod forged;
mod handover;
mod inflated;
mod late;
mod liars;
mod limits;
mod listed;
mod numbers;
mod record;
mod requests;
mod tampered;
mod trust_files;
mod villain;
mod world;
mod written;
