//! Afterwards: whether a signature is the one that a session finished with.

use crate::session::in_range;
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
    outcome(&context, public_key, message, signature)
}

/// The outcome of a session that has made these signatures of these messages, in their order, by [`sign::many`]; each is verified (strictly).
///
/// # Errors
/// [`Error::Parameter`] unless there are as many signatures as messages; [`Error::Signature`] where one isn't of its message under this key.
pub fn outcome_of_many<M: AsRef<[u8]>>(
    session: &Session,
    (key_outcome, signers): (&[u8; 32], &[u16]),
    public_key: [u8; 32],
    messages: &[M],
    signatures: &[[u8; 64]],
) -> Result<[u8; 32], Error> {
    let count = in_range(
        "number of messages",
        messages.len(),
        1,
        sign::many::MESSAGES_MAX,
    )?;
    in_range("number of signatures", signatures.len(), count, count)?;
    let contexts = sign::many::contexts(session, key_outcome, signers, messages);
    let outcomes = contexts.iter().zip(messages).zip(signatures);
    let outcomes = outcomes.map(|((context, message), signature)| {
        outcome(context, public_key, message.as_ref(), signature)
    });
    let outcomes: Vec<[u8; 32]> = outcomes.collect::<Result<_, _>>()?;
    Ok(sign::many::outcome(&outcomes))
}

fn outcome(
    context: &[u8; 32],
    public_key: [u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<[u8; 32], Error> {
    let (nonce, response) = signature.split_at(32);
    let half = |half: &[u8]| <[u8; 32]>::try_from(half).map_err(|_| Error::Signature);
    let (nonce, response) = (half(nonce)?, half(response)?);
    let signed = Signed::verified(context, &nonce, &response, public_key, message, Vec::new());
    Ok(signed?.outcome())
}
