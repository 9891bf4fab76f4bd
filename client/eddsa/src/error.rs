//! The errors of the protocols, and whose doing they were.

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Every message has one length, which follows from the session's parameters.
    #[error("{got} bytes instead of {expected}")]
    Length {
        /// The only valid length, in bytes.
        expected: usize,
        /// The length found, in bytes.
        got: usize,
    },
    /// The first byte is not the version that this library speaks.
    #[error("version {got} instead of {expected}")]
    Version {
        /// The version that this library speaks.
        expected: u8,
        /// The version found.
        got: u8,
    },
    /// Not the canonical encoding of a point of the curve other than the identity.
    #[error("not a canonical point, or the identity")]
    Point,
    /// Not a scalar below the group's order.
    #[error("not a canonical scalar")]
    Scalar,
    /// A number is outside of its range, or a list isn't ascending.
    #[error("a field is out of range")]
    Range,
    /// A secret share doesn't belong to the public commitments beside it.
    #[error("the secret share doesn't match its public commitments")]
    Mismatch,
}

/// Why a protocol function refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's own parameter is out of range.
    #[error("{what} is {got}, expected {min} to {max}")]
    Parameter {
        /// The parameter's name.
        what: &'static str,
        /// The value that was given.
        got: usize,
        /// The least allowed value.
        min: usize,
        /// The greatest allowed value.
        max: usize,
    },
    /// A roster or a list of signers names one party twice.
    #[error("party {index} is there twice")]
    Repeated {
        /// Position of the second occurrence.
        index: u16,
    },
    /// A signer that isn't a participant of the key.
    #[error("party {index} of the key generation holds no share of this key")]
    NotAParticipant {
        /// Index in the key generation's roster.
        index: u16,
    },
    /// The share belongs to another party than the session's own signer.
    #[error("the share belongs to party {got}, this signer is party {expected} of the key")]
    WrongShare {
        /// Key generation index at this party's place in the list of signers.
        expected: u16,
        /// Index in the share.
        got: u16,
    },
    /// The caller's key pair isn't the one that the expected keys have at this party's place.
    #[error("the key pair isn't the one expected of this party")]
    OwnKey,
    /// A message that the transport says this party sent isn't the one that it sent. Nobody is named: the journal or the board's
    /// history is wrong.
    #[error("this party's own message of round {round} came back changed or not at all")]
    OwnMessage {
        /// The round, from 1.
        round: u16,
    },
    /// A party that was not part of the preceding round, or not of the roster, sent something.
    #[error("party {party} sent a message of round {round}, in which it has no part")]
    Unexpected {
        /// Its index.
        party: u16,
        /// The round, from 1.
        round: u16,
    },
    /// A party without which the protocol can't go on sent nothing. Being absent is no crime: [`Error::culprit`] is `None`.
    #[error(
        "party {party} sent no message of round {round}, and the protocol can't go on without it"
    )]
    Absent {
        /// Its index.
        party: u16,
        /// The round, from 1.
        round: u16,
    },
    /// Too few parties sent a message.
    #[error("{got} parties in round {round}, expected at least {needed}")]
    TooFew {
        /// The round, from 1.
        round: u16,
        /// Number of those that did.
        got: usize,
        /// Number of those that are needed.
        needed: usize,
    },
    /// A message that isn't one.
    #[error("party {party} sent a malformed message: {reason}")]
    Malformed {
        /// Its sender.
        party: u16,
        /// The reason why it isn't one.
        reason: Malformed,
    },
    /// A revealed value isn't the one committed to.
    #[error("party {party} revealed something else than it had committed to")]
    BadOpening {
        /// Its sender.
        party: u16,
    },
    /// The proof that a dealer knows its secret is wrong.
    #[error("party {party} didn't prove that it knows its secret")]
    BadProof {
        /// Its sender.
        party: u16,
    },
    /// A point outside of the prime-order subgroup.
    #[error("party {party} sent a point outside of the prime-order subgroup")]
    Torsion {
        /// Its sender.
        party: u16,
    },
    /// A dealer that published its commitments sent this party no share.
    #[error("party {dealer} dealt without a share for this party")]
    MissingShare {
        /// The dealer.
        dealer: u16,
    },
    /// A share that contradicts its dealer's commitments. Only its recipient can see that.
    #[error("party {dealer} sent a share that contradicts its commitments")]
    BadShare {
        /// The dealer.
        dealer: u16,
    },
    /// A partial signature that is wrong.
    #[error("party {party} sent a wrong partial signature")]
    BadPartial {
        /// Its sender.
        party: u16,
    },
    /// A party brought another public key than was expected of it.
    #[error("party {party} brought another public key than expected")]
    WrongKey {
        /// Its index.
        party: u16,
    },
    /// A holder of a share dealt something else to the next holders.
    #[error("party {party} dealt something else than its share of the key")]
    OtherShare {
        /// The dealer.
        party: u16,
    },
    /// What was dealt to the next holders isn't the key. Those who deal know whose fault that is.
    #[error("what the holders dealt isn't the key")]
    OtherKey,
    /// The parties' points sum to the identity. Needs a collusion that nobody can attribute.
    #[error("the sum of all parties' points is the identity")]
    Identity,
    /// Every part was right and the signature is not: a fault of this program or this machine. The signature is not given out.
    #[error("the finished signature doesn't verify")]
    Signature,
    /// Stored or configured bytes (a key share, a public key) are wrong.
    #[error("the key is malformed: {0}")]
    Key(Malformed),
}

impl Error {
    /// The party whose message is at fault, as an index of this session's roster. `None` where nobody's message is: wrong parameters,
    /// absence, trouble of this party's own.
    #[must_use]
    pub fn culprit(&self) -> Option<u16> {
        match self {
            Self::Unexpected { party, .. }
            | Self::Malformed { party, .. }
            | Self::BadOpening { party }
            | Self::BadProof { party }
            | Self::Torsion { party }
            | Self::BadPartial { party }
            | Self::WrongKey { party }
            | Self::OtherShare { party } => Some(*party),
            Self::MissingShare { dealer } | Self::BadShare { dealer } => Some(*dealer),
            Self::Parameter { .. }
            | Self::Repeated { .. }
            | Self::NotAParticipant { .. }
            | Self::WrongShare { .. }
            | Self::OwnKey
            | Self::OwnMessage { .. }
            | Self::Absent { .. }
            | Self::TooFew { .. }
            | Self::OtherKey
            | Self::Identity
            | Self::Signature
            | Self::Key(_) => None,
        }
    }

    /// A malformed message of `party`.
    pub(crate) fn malformed(party: u16) -> impl Fn(Malformed) -> Self {
        move |reason| Self::Malformed { party, reason }
    }
}
