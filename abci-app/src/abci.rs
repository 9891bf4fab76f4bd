//! Serving an ABCI application to CometBFT: a unix or TCP socket, one thread a connection, one write a flush.

mod dispatch;
pub mod frame;
mod server;

pub use server::Server;
