//! Harness of the tests that span the crates of White City. The programs that stand in for a replica, attack a network and tamper with
//! answers are in `bin`.
//!
//! - [`rng`]: the randomness of all of it, from one seed.
//! - [`network`], [`party`], [`board`]: small networks, signing parties, and a board that runs blocks.
//! - [`scene`]: one session on one board, for tests of single rules.
//! - [`charters`]: charters that may follow, and operators' words about them.
//! - [`complaints`]: sealed payloads, complaints about them, and reveals.
//! - [`simulator`]: many sessions, honest and hostile parties, everything decided by one seed.
//! - [`invariants`]: properties that have to hold after every block of the simulator.
//! - [`tamper`]: planted bugs, each of which an invariant has to report.
//! - [`adversary`]: names of all that the program `white-city-hostile` can do to a running network.
//! - [`tampering`]: every change to a replica's answers, by name, and a proxy that makes them in front of one that runs.
//! - [`tls`]: certificates and proxies of tests.
//! - [`forger`]: all replicas malicious: every validator's key, and sessions that never were.
//! - [`steps`]: killing a process at each step by which it changes files.

pub mod adversary;
pub mod board;
pub mod charters;
pub mod complaints;
pub mod forger;
pub mod invariants;
pub mod network;
pub mod party;
pub mod rng;
pub mod scene;
pub mod simulator;
pub mod steps;
pub mod tamper;
pub mod tampering;
pub mod tls;
