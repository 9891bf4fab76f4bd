//! One replica of a board with its engine, as one company runs it: its keys, the ceremony in which companies make a genesis together,
//! its configuration, and the supervision of its processes
//!
//! The program `white-city-node` is this for people. A test network is built of the same parts.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod backup;
pub mod card;
pub mod ceremony;
pub mod cometbft;
pub mod doctor;
mod error;
pub mod files;
pub mod fit;
pub mod genesis;
pub mod guard;
pub mod home;
pub mod join_file;
pub mod joining;
pub mod keys;
pub mod logs;
pub mod node;
pub mod node_config;
pub mod params;
pub mod process;
mod profile;
pub mod rpc;
pub mod rules;
pub mod running;
pub mod settings;
pub mod sharing;
pub mod supervisor;
#[cfg(test)]
mod testing;
pub mod watch;

pub use error::{Error, Tooling};
pub use profile::Profile;
pub use white_city_client::LocalKey;
