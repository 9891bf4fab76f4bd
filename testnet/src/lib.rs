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
pub mod control;
pub mod demo;
mod error;
mod homes;
mod json;
mod links;
mod network;
mod options;
mod plan;
mod ports;
mod socket;
pub mod solo;
mod testnet;

pub use error::Error;
pub use homes::wipe_stopped;
pub use network::{ListedReplica, Network};
pub use options::{Application, Engine, Options};
pub use testnet::Testnet;
pub use white_city_node::{
    Error as NodeError, Profile, Tooling, cometbft, guard,
    node_config::COMETBFT_DEFAULTS,
    params::{GENESIS_DEFAULTS, default_app_state},
    rpc,
    supervisor::{RunState, Snapshot},
};
pub use white_city_wire::AppState;
