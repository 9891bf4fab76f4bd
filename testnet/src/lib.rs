//! A local network of replicas: CometBFT built, laid out, started, broken and healed
//!
//! [`Testnet`] is the network as a value, for tests; the program `white-city-testnet` is the same
//! for people. Every process is started through a guard ([`guard`]), so none outlives the
//! launcher, however that ends.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod binaries;
pub mod cometbft;
pub mod control;
pub mod demo;
mod error;
mod files;
mod genesis;
pub mod guard;
mod homes;
mod json;
mod keys;
mod links;
mod network;
mod node_config;
mod options;
mod params;
mod plan;
mod ports;
mod process;
mod profile;
pub mod rpc;
mod socket;
pub mod solo;
mod supervisor;
mod testnet;
mod watch;

pub use error::{Error, Tooling};
pub use homes::wipe_stopped;
pub use network::{ListedReplica, Network};
pub use node_config::COMETBFT_DEFAULTS;
pub use options::{Application, Engine, Options};
pub use params::{GENESIS_DEFAULTS, default_app_state};
pub use profile::Profile;
pub use supervisor::{RunState, Snapshot};
pub use testnet::Testnet;
pub use white_city_wire::AppState;
