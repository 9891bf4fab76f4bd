//! Many messages at once: a signature for each, in the rounds of one.
//!
//! Each message has a nonce of its own, drawn, committed to and revealed as [`sign`](super) does it; a post holds what it would post for each message, one
//! behind the other, in the messages' order. So what `sign` says of nonces, rounds and culprits holds for each of them, and the session gives all signatures or
//! none.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::{Job, begin};
use crate::message::{Commitment, Opening, Partial, Share};
use crate::session::{in_range, opaque_debug};
use crate::{Backend, Dalek, Error, KeyShare, Outgoing, Randomness, Session, Signed, hash};

/// The number of rounds in which parties post; round 3 has no content.
pub const ROUNDS: u16 = super::ROUNDS;
/// The greatest number of messages.
pub const MESSAGES_MAX: u16 = 256;

const CONTEXT: &str = "white-city/eddsa/sign-many/context/1";
const OUTCOME: &str = "white-city/eddsa/sign-many/outcome/1";

/// The largest broadcast of any round, in bytes, for so many messages and a key of this degree.
#[must_use]
pub const fn max_broadcast_bytes(messages: u16, degree: u16) -> u32 {
    // `as`: widening, and `From` isn't const.
    super::max_broadcast_bytes(degree).saturating_mul(messages as u32)
}

/// The largest p2p plaintext, in bytes, for so many messages.
#[must_use]
pub const fn max_p2p_bytes(messages: u16) -> u32 {
    // `as`: widening, and `From` isn't const.
    super::max_p2p_bytes().saturating_mul(messages as u32)
}

/// Begins: gives what to post in round 1.
///
/// `signers`: for each index of this session's roster, the index in the roster of the key. `messages`: what is signed, 1 to
/// [`MESSAGES_MAX`] of any length, in an order that all signers know.
///
/// # Errors
/// As [`sign::start`](super::start), and [`Error::Parameter`] for too many messages, or none.
pub fn start<M: AsRef<[u8]>>(
    session: &Session,
    key: &KeyShare,
    signers: &[u16],
    messages: &[M],
    randomness: Randomness,
) -> Result<(Round1<Dalek>, Outgoing), Error> {
    start_with(session, key, signers, messages, randomness)
}

/// [`start`] on a backend of choice.
///
/// # Errors
/// As [`start`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "randomness serves once: taking it says so"
)]
pub fn start_with<B: Backend, M: AsRef<[u8]>>(
    session: &Session,
    key: &KeyShare,
    signers: &[u16],
    messages: &[M],
    randomness: Randomness,
) -> Result<(Round1<B>, Outgoing), Error> {
    in_range("number of messages", messages.len(), 1, MESSAGES_MAX)?;
    let contexts = contexts(session, &key.outcome(), signers, messages);
    let mut each = Vec::with_capacity(messages.len());
    for (message, context) in messages.iter().zip(contexts) {
        let job = Job::new(session.clone(), key, signers, message.as_ref(), context)?;
        each.push(begin(job, key, &randomness));
    }
    let (each, outgoing): (Vec<_>, Vec<_>) = each.into_iter().unzip();
    Ok((Round1(each), joined(outgoing)))
}

/// For each message, the hash of all that the session is about, and of which of the messages it is.
pub(crate) fn contexts<M: AsRef<[u8]>>(
    session: &Session,
    key_outcome: &[u8; 32],
    signers: &[u16],
    messages: &[M],
) -> Vec<[u8; 32]> {
    let signers: Vec<u8> = signers.iter().flat_map(|s| s.to_be_bytes()).collect();
    let all: Vec<[u8; 32]> = messages
        .iter()
        .map(|message| hash::digest("white-city/eddsa/sign-many/message/1", &[message.as_ref()]))
        .collect();
    let context = |(position, _)| {
        let position: [u8; 2] = u16::to_be_bytes(position);
        session.context(
            CONTEXT,
            &[key_outcome, &signers, all.as_flattened(), &position],
        )
    };
    (0..).zip(messages).map(context).collect()
}

/// The outcome of a session that has made these signatures, each by its own outcome.
pub(crate) fn outcome(outcomes: &[[u8; 32]]) -> [u8; 32] {
    hash::digest(OUTCOME, &[outcomes.as_flattened()])
}

/// One post out of one for each message.
fn joined(each: Vec<Outgoing>) -> Outgoing {
    let mut all = Outgoing::default();
    let count = each.len();
    for outgoing in each {
        all.broadcast.extend_from_slice(&outgoing.broadcast);
        for (party, payload) in outgoing.p2p {
            // Sized at once: growing would leave copies of the secret in freed memory.
            let size = count.saturating_mul(payload.len());
            let joined = all.p2p.entry(party);
            let joined = joined.or_insert_with(|| Zeroizing::new(Vec::with_capacity(size)));
            joined.extend_from_slice(&payload);
        }
    }
    all
}

/// The part of each party's post that is about the message at `position`. A post of another length than it should have has no such part: it is
/// malformed for each of them.
fn part<'a, T: AsRef<[u8]>>(
    posts: &'a BTreeMap<u16, T>,
    (position, count): (usize, usize),
    size: usize,
) -> BTreeMap<u16, &'a [u8]> {
    let all = count.saturating_mul(size);
    let part = |(party, bytes): (&u16, &'a T)| {
        let bytes = Some(bytes.as_ref()).filter(|bytes| bytes.len() == all);
        let part = bytes.and_then(|bytes| bytes.chunks_exact(size).nth(position));
        (*party, part.unwrap_or_default())
    };
    posts.iter().map(part).collect()
}

/// Takes the next step for each message.
fn each<S, T>(
    steps: Vec<S>,
    mut step: impl FnMut(S, (usize, usize)) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let count = steps.len();
    let steps = steps.into_iter().enumerate();
    steps
        .map(|(position, one)| step(one, (position, count)))
        .collect()
}

/// Round 1 is open, its message is made.
pub struct Round1<B: Backend>(Vec<super::Round1<B>>);

impl<B: Backend> Round1<B> {
    /// As [`sign`](super::Round1::close).
    ///
    /// # Errors
    /// As there.
    pub fn close<T: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
    ) -> Result<(Round2<B>, Outgoing), Error> {
        let closed = each(self.0, |round, at| {
            let degree = round.domain.degree;
            let (round, outgoing) = round.close(&part(broadcasts, at, Commitment::BYTES))?;
            Ok(((round, degree), outgoing))
        })?;
        let (rounds, outgoing): (Vec<_>, Vec<_>) = closed.into_iter().unzip();
        Ok((Round2(rounds), joined(outgoing)))
    }
}

/// Round 2 is open, its messages are made. With each, the degree of the nonce's polynomial.
pub struct Round2<B: Backend>(Vec<(super::Round2<B>, u16)>);

impl<B: Backend> Round2<B> {
    /// As [`sign`](super::Round2::close).
    ///
    /// # Errors
    /// As there.
    pub fn close<T: AsRef<[u8]>, S: AsRef<[u8]>>(
        self,
        broadcasts: &BTreeMap<u16, T>,
        p2p: &BTreeMap<u16, S>,
    ) -> Result<Round3<B>, Error> {
        let closed = each(self.0, |(round, degree), at| {
            let openings = part(broadcasts, at, Opening::bytes(degree));
            round.close(&openings, &part(p2p, at, Share::BYTES))
        });
        closed.map(Round3)
    }
}

/// Round 3 is open; it has no message. It must have closed, for everybody in the same way, before this value is used.
pub struct Round3<B: Backend>(Vec<super::Round3<B>>);

impl<B: Backend> Round3<B> {
    /// As [`sign`](super::Round3::close).
    ///
    /// # Errors
    /// As there.
    pub fn close(self, confirmed: &BTreeSet<u16>) -> Result<(Round4<B>, Outgoing), Error> {
        let closed = each(self.0, |round, _| round.close(confirmed))?;
        let (rounds, outgoing): (Vec<_>, Vec<_>) = closed.into_iter().unzip();
        Ok((Round4(rounds), joined(outgoing)))
    }
}

/// Round 4 is open, its message is made. Holds no secret any more.
pub struct Round4<B: Backend>(Vec<super::Round4<B>>);

impl<B: Backend> Round4<B> {
    /// As [`sign`](super::Round4::close): gives all signatures, in the messages' order.
    ///
    /// # Errors
    /// As there, of the first message that can't be signed.
    pub fn close<T: AsRef<[u8]>>(self, broadcasts: &BTreeMap<u16, T>) -> Result<SignedMany, Error> {
        let signed = each(self.0, |round, at| {
            round.close(&part(broadcasts, at, Partial::BYTES))
        })?;
        let outcomes: Vec<[u8; 32]> = signed.iter().map(Signed::outcome).collect();
        Ok(SignedMany {
            outcome: outcome(&outcomes),
            signed,
        })
    }
}

/// The signatures of all messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMany {
    signed: Vec<Signed>,
    outcome: [u8; 32],
}

impl SignedMany {
    /// The signatures, in the messages' order.
    #[must_use]
    pub fn signed(&self) -> &[Signed] {
        &self.signed
    }

    /// A digest of all of it: the same for every party of the session.
    #[must_use]
    pub fn outcome(&self) -> [u8; 32] {
        self.outcome
    }

    /// Parties whose partial signatures were wrong and not needed, for any of the messages: ascending.
    #[must_use]
    pub fn culprits(&self) -> Vec<u16> {
        let all = self.signed.iter().flat_map(|signed| &signed.culprits);
        all.copied()
            .collect::<BTreeSet<u16>>()
            .into_iter()
            .collect()
    }
}

opaque_debug!(Round1, Round2, Round3, Round4);
