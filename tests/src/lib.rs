//! Tests that span the crates of White City: the harness that they share.
//!
//! - [`network`], [`party`], [`board`]: small networks, signing parties, and a board that runs blocks.
//! - [`scene`]: one session on one board, for tests of single rules.
//! - [`dispute`]: sealed payloads, complaints about them, and reveals.
//! - [`simulator`]: many sessions, honest and hostile parties, everything decided by one seed.
//! - [`adversary`]: what the program `white-city-hostile` can do to a running network.
//! - [`invariants`]: what has to hold after every block, one property a file.
//! - [`tampering`]: a replica that changes its answers, in many ways.
//! - [`tamper`]: planted bugs, each of which an invariant has to report.
//! - [`forger`]: all replicas malicious: every validator's key, and sessions that never were.

pub mod adversary;
pub mod board;
pub mod dispute;
pub mod forger;
pub mod invariants;
pub mod network;
pub mod party;
pub mod rng;
pub mod scene;
pub mod simulator;
pub mod tamper;
pub mod tampering;
