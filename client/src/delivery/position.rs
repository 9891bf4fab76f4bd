//! The place of a message on the board.

use round_based::MsgId;

/// The place of a message: what [`round_based::Incoming::id`] says. It leads to the post that carried it, and so to its author's
/// signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The board's round; the first one of those that the post came in, if it came in parts.
    pub round: u32,
    /// Its author.
    pub sender: u16,
    /// Its place among the messages of this post, from 0.
    pub number: u16,
}

impl From<Position> for MsgId {
    fn from(position: Position) -> Self {
        (u64::from(position.round) << 32)
            | (u64::from(position.sender) << 16)
            | u64::from(position.number)
    }
}

impl From<MsgId> for Position {
    fn from(id: MsgId) -> Self {
        let [a, b, c, d, sender @ .., e, f] = id.to_be_bytes();
        Self {
            round: u32::from_be_bytes([a, b, c, d]),
            sender: u16::from_be_bytes(sender),
            number: u16::from_be_bytes([e, f]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_an_id_and_back() {
        let position = Position {
            round: 65_536,
            sender: 1_023,
            number: u16::MAX,
        };
        assert_eq!(MsgId::from(position), 0x0001_0000_03ff_ffff);
        assert_eq!(Position::from(MsgId::from(position)), position);
    }
}
