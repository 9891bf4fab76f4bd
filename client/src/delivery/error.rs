//! Why a protocol's messages can't be carried.

use white_city_wire::{Hash, hash::sha256};

use crate::{Error, Session};

/// Why messages can't be sent or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The session can't go on: it ended, this party is late, a post is too large, a payload can't be opened, …
    #[error(transparent)]
    Session(#[from] Error),
    /// A party's post isn't messages of this protocol.
    #[error("what party {from} posted in round {round} isn't messages of this protocol: {reason}")]
    Malformed {
        /// Its author.
        from: u16,
        /// The round.
        round: u32,
        /// The reason why it isn't.
        reason: String,
    },
    /// A message of this party's own can't be encoded, or couldn't be read by others. It wasn't sent.
    #[error("this party's own message can't be encoded so that others read it: {reason}")]
    Encoding {
        /// The codec's words.
        reason: String,
    },
    /// A message for nobody: there is no such index. It wasn't sent.
    #[error("a message for party {to}, expected an index below {n}")]
    Recipient {
        /// The index.
        to: u16,
        /// The roster's size.
        n: u16,
    },
    /// More messages than one post may hold.
    #[error("more than {max} messages in one post")]
    TooMany {
        /// The most.
        max: u32,
    },
    /// In this round nobody said anything, and not everybody's protocol has ended: all wait for each other, for ever.
    #[error("stuck: in round {round} nobody said anything, though not all have ended")]
    Stuck {
        /// The round.
        round: u32,
    },
}

impl DeliveryError {
    /// Index of the party that it is about. That is a claim, which proves nothing to others.
    #[must_use]
    pub const fn about(&self) -> Option<u16> {
        match self {
            Self::Malformed { from, .. }
            | Self::Session(Error::Payload { from, .. } | Error::Part { from, .. }) => Some(*from),
            _ => None,
        }
    }
}

/// Why a protocol didn't run to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError<E> {
    /// Its messages couldn't be carried.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The protocol's own error.
    #[error("the protocol failed: {0}")]
    Protocol(E),
}

impl Session {
    /// Ends the session because of an error of the delivery. A payload that can't be opened is complained about
    /// ([`Session::complain`]): its sender can be convicted. For anything else this party leaves, with a cause that the protocol
    /// defines: an abort about the party that the error names, if it names one, which is a claim. Its `detail` is the SHA-256 of
    /// the error's text.
    ///
    /// # Errors
    /// As [`Session::complain`] and [`Session::abort`].
    pub async fn give_up(&mut self, cause: u16, error: &DeliveryError) -> Result<(), Error> {
        if let DeliveryError::Session(Error::Payload { from, round }) = error {
            return self.complain(*round, *from).await;
        }
        let detail: Hash = sha256(error.to_string().as_bytes());
        self.abort(cause, error.about(), detail).await
    }
}
