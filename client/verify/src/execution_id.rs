//! The identifier that makes one run of a protocol different from every other one.

use white_city_wire::{Hash, SessionId, hash::Preimage};

/// 32 bytes that all parties of this session compute, and that no other session has, nor this one for another
/// `purpose`: the *execution id*, *session id* or *context* that protocols put into their hashes.
///
/// The session's id commits to the network, the opener, a nonce and the whole spec: the protocol, the roster in its
/// order, and the input. `purpose` tells several runs within one session apart; it has no format.
#[must_use]
pub fn execution_id(session: &SessionId, purpose: &str) -> Hash {
    Preimage::new("white-city/execution/1")
        .raw(&session.0)
        .lp(purpose.as_bytes())
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_session_and_another_purpose_have_another_id() {
        let id = execution_id(&SessionId([1; 32]), "keygen");
        assert_ne!(id, execution_id(&SessionId([2; 32]), "keygen"));
        assert_ne!(id, execution_id(&SessionId([1; 32]), "sign"));
        // Frozen: parties with different versions of this library run the same protocol.
        let frozen = "82678e7c5df3d6889184b637390a4c41f631dbb525f949c228dd406a06c48676";
        assert_eq!(id.to_string(), frozen);
    }
}
