//! What tests of several modules begin with.

use crate::node::Start;

/// What a node is told that nobody dials.
pub fn start(name: &str) -> Start {
    Start {
        name: name.into(),
        dialled: "192.0.2.1:26656".into(),
        rpc_url: "http://192.0.2.1:26657".into(),
        p2p: "0.0.0.0:26656".parse().unwrap(),
        rpc: "0.0.0.0:26657".parse().unwrap(),
        direct: "0.0.0.0:26660".into(),
    }
}
