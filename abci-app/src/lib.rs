//! A replica of the board: the ABCI application that CometBFT drives.
//!
//! The rules are the state machine's; here are the connections, the store, and what a replica decides for itself:
//! what it takes into its mempool, what it proposes, what it answers.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod abci;
pub mod alarm;
pub mod app;
mod budget;
pub mod committed;
pub mod config;
mod credit;
pub mod direct;
mod engine;
pub mod execution;
pub mod fault;
mod files;
pub mod front;
pub mod genesis;
pub mod halt;
pub mod health;
pub mod joined;
mod known_keys;
pub mod links;
pub mod live;
pub mod metrics;
mod pace;
mod packing;
mod parked;
mod peers;
mod pending;
pub mod program;
pub mod query;
pub mod statesync;
pub mod store;
mod verified;
mod waiting;
pub mod work;

pub use app::Replica;
pub use config::Config;
pub use halt::Halt;
pub use store::Store;
