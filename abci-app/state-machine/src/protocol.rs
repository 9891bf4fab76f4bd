//! The rules that depend on the protocol's number: here, and nowhere else, is what one number does and another one doesn't.

use white_city_wire::protocol::NEXT;

/// Time by which every phase of a session is longer than its spec says, ms: the one rule of the number that is there for tests.
pub const fn longer_ms(protocol: u32) -> u64 {
    if protocol >= NEXT { 1 } else { 0 }
}
