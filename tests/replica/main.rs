//! The replica's shell without CometBFT: store, proposals, mempool policy, socket.

mod around;
mod chain;
mod direct;
mod direct_tls;
mod disputes;
mod early;
mod health;
mod history;
mod killed;
mod mempool;
mod numbers;
mod proposals;
mod rest;
mod restart;
mod room;
mod snapshots;
mod socket;
mod stamps;
mod waiting;
mod work;
