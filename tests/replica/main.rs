//! The replica's shell without CometBFT: store, proposals, mempool policy, socket.

mod chain;
mod disputes;
mod early;
mod mempool;
mod proposals;
mod query_port;
mod restart;
mod socket;
mod waiting;
mod work;
