//! Afterwards: whether a signature is the one that a session finished with.

use crate::{Error, Session, Signed, aggregate, sign};

/// What a session has signed, as its spec says it: enough to compute the outcome that belongs to a signature.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// With a key that a key generation has made.
    Threshold {
        /// The outcome of the session that made the key.
        key_outcome: &'a [u8; 32],
        /// Each signer's index in the roster of that session, in the order of this one's roster.
        signers: &'a [u16],
    },
    /// Each signer with a key of its own.
    Aggregate,
}

/// The outcome of a session that has made this signature, which is verified (strictly).
///
/// # Errors
/// [`Error::Signature`] where it isn't one of this message under this key.
pub fn outcome_of(
    session: &Session,
    subject: Subject<'_>,
    public_key: [u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<[u8; 32], Error> {
    let context = match subject {
        Subject::Threshold {
            key_outcome,
            signers,
        } => sign::context(session, key_outcome, signers, message),
        Subject::Aggregate => aggregate::context(session, message),
    };
    let (nonce, response) = signature.split_at(32);
    let half = |half: &[u8]| <[u8; 32]>::try_from(half).map_err(|_| Error::Signature);
    let (nonce, response) = (half(nonce)?, half(response)?);
    let signed = Signed::verified(&context, &nonce, &response, public_key, message, Vec::new());
    Ok(signed?.outcome())
}
