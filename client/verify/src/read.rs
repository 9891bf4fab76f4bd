//! Reading the board: what can be asked, and how an answer is checked before anybody sees its value.
//!
//! An answer leads from the value to a header that the network's validators have signed ([`white_city_wire::proof`]).
//! [`check`] follows that way; each [`Read`] adds what its own kind of value needs. Nothing else makes a [`Verified`]: whoever
//! brings questions and answers to and fro uses these two.

mod charter;
mod dispute;
mod evidence;
mod inbox;
mod list;
mod round;
pub(crate) mod session;
pub mod shape;

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;

pub use charter::{CharterNow, ReadCharter};
pub use dispute::{Dispute, SignedDispute};
pub use evidence::{Convicted, ReadEvidence, SessionEvidence};
pub(crate) use evidence::{Parties, check_culprits, check_left, culprits, left};
pub(crate) use inbox::slots_of;
pub use inbox::{Entry, InboxPage, ReadInbox, ReadInboxOnce, ReadLaterPage};
pub use list::{
    BoardStatus, ListSessions, ReadOpeners, ReadSessionsPage, ReadStatus, SessionLine, SessionsPage,
};
pub use round::{ReadRoster, ReadRound, ReadTranscript, RoundStatus};
pub use session::{ReadLeaf, ReadSession, ReadSignedSpec, ReadSpec, SessionState, SessionSummary};
pub(crate) use session::{check_join, check_open};
use white_city_wire::{
    Hash, SessionId,
    pb::{self, answer::Body, query::Question},
    proof::{RoundProof, SessionProof, StateProof},
};

use crate::trust::{BadEra, Mark, Trust, VerifiedHeader};

/// The reason why an answer can't be true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lie(pub String);

impl Lie {
    /// As a sentence.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Anything wrong with an answer.
pub trait OrLie<T> {
    /// As a lie, with the part that it is about.
    ///
    /// # Errors
    /// [`Lie`] where it was an error.
    fn or_lie(self, what: &str) -> Result<T, Lie>;
}

impl<T, E: std::fmt::Display> OrLie<T> for Result<T, E> {
    fn or_lie(self, what: &str) -> Result<T, Lie> {
        self.map_err(|error| Lie(format!("{what}: {error}")))
    }
}

/// Kept from whoever could make a value without a check.
mod sealed {
    /// A trait that only the questions of this module have.
    pub trait Sealed {}
}
use sealed::Sealed;

/// A question, and how its answer is checked. Only those of this module are: what they make of an answer is a [`Verified`].
pub trait Read: Sealed {
    /// The value that the answer proves.
    type Value;

    /// The question as it travels.
    fn question(&self) -> Question;

    /// Checks what only this kind of answer has, and gives the value.
    ///
    /// # Errors
    /// [`Lie`] says what can't be true.
    fn check(&self, proven: &Proven<'_>) -> Result<Self::Value, Lie>;
}

/// An answer whose way from the header to the state has been checked, and to the session where there is one.
pub struct Proven<'a> {
    trust: &'a Trust,
    state: StateProof,
    session: Option<SessionProof>,
    round: Option<RoundProof>,
    body: &'a Body,
    height: u64,
    board_ms: u64,
}

impl Proven<'_> {
    /// Height and board time of the state.
    const fn at(&self) -> (u64, u64) {
        (self.height, self.board_ms)
    }

    fn board(&self) -> &white_city_wire::board::BoardRoot {
        &self.state.board
    }

    /// The session, if it is the one that was asked about.
    fn session(&self, asked: SessionRef) -> Result<&SessionProof, Lie> {
        let proof = self.session.as_ref();
        let proof = proof.ok_or_else(|| Lie::new("an answer without the session's proof"))?;
        let is_asked = match asked {
            SessionRef::Id(id) => proof.leaf.session == id,
            SessionRef::Number(number) => u64::from(proof.number) == number,
        };
        if is_asked {
            return Ok(proof);
        }
        Err(Lie::new("an answer about another session"))
    }
}

/// The body of an answer, if it is of the kind that was asked for.
macro_rules! body {
    ($proven:expr, $kind:ident) => {
        match $proven.body {
            white_city_wire::pb::answer::Body::$kind(body) => Ok(body),
            _ => Err($crate::read::Lie::new("an answer to another question")),
        }
    };
}
use body;

/// Whether an answer is of a state that the header certifies, but of an era whose link isn't known.
#[must_use]
pub fn is_ahead(trust: &Trust, answer: &pb::Answer, header: &VerifiedHeader) -> bool {
    let state = answer.state.as_ref();
    let state =
        state.and_then(|state| StateProof::from_pb(state, trust.network(), trust.known()).ok());
    let sealed = state.filter(|state| state.data_hash() == header.data_hash());
    let of_era = sealed.map(|state| trust.check_era(header, &state.board));
    matches!(of_era, Some(Err(BadEra::Ahead(_))))
}

/// Checks an answer against the header of the height that it names.
///
/// # Errors
/// [`Lie`] says what can't be true.
pub fn check<R: Read + ?Sized>(
    read: &R,
    trust: &Trust,
    answer: &[u8],
    header: &Arc<VerifiedHeader>,
) -> Result<Verified<R::Value>, Lie> {
    check_decoded(
        read,
        trust,
        &shape::decode(&read.question(), Bytes::copy_from_slice(answer))?,
        header,
    )
}

/// The same for an answer that [`shape::decode`] has decoded.
///
/// # Errors
/// As [`check`].
pub fn check_decoded<R: Read + ?Sized>(
    read: &R,
    trust: &Trust,
    answer: &pb::Answer,
    header: &Arc<VerifiedHeader>,
) -> Result<Verified<R::Value>, Lie> {
    if answer.height != header.height() {
        return Err(Lie::new("an answer of another height than its header"));
    }
    trust.check_rules(header).or_lie("the header")?;
    let state = answer.state.as_ref();
    let state = state.ok_or_else(|| Lie::new("an answer without the state's proof"))?;
    let state = StateProof::from_pb(state, trust.network(), trust.known());
    let state = state.or_lie("the state's proof")?;
    let of_era = trust.check_era(header, &state.board);
    of_era.or_lie("the state")?;
    if state.data_hash() != header.data_hash() {
        return Err(Lie::new(
            "the state isn't the one that the header's block seals",
        ));
    }
    let session = answer.session.as_ref().map(SessionProof::try_from);
    let session = session.transpose().or_lie("the session's proof")?;
    if session
        .as_ref()
        .is_some_and(|proof| !proof.is_of(&state.board))
    {
        return Err(Lie::new("the state has no such session"));
    }
    let board_ms = state.board_ms(&header.time());
    if let Some(proof) = &session {
        let possible =
            proof
                .leaf
                .check(trust.replicas_in(state.board.eras), &state.board, board_ms);
        possible.or_lie("no board has such a session")?;
    }
    let round = answer.round.as_ref().map(RoundProof::try_from);
    let body = answer.body.as_ref();
    let proven = Proven {
        trust,
        state,
        session,
        round: round.transpose().or_lie("the round's proof")?,
        body: body.ok_or_else(|| Lie::new("an answer without a body"))?,
        height: header.height(),
        board_ms,
    };
    let value = read.check(&proven)?;
    let confirmed = trust.confirm(header, &proven.state.board);
    confirmed.or_lie("the state")?;
    Ok(Verified {
        value,
        proof: Arc::new(Proof {
            header: Arc::clone(header),
            state: proven.state,
            session: proven.session,
        }),
        said: None,
    })
}

/// A value that the network's validators have certified, and the state that it is of. Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    proof: Arc<Proof>,
    said: Option<Said>,
}

/// The replica that gave an answer, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    replica: String,
    exchange: Option<Exchange>,
}

/// A question and its answer as they travelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// A protobuf `Query`.
    pub question: Vec<u8>,
    /// A protobuf `Answer`.
    pub answer: Bytes,
}

/// A verified header and the paths from it that certify a value.
#[derive(Debug, PartialEq, Eq)]
struct Proof {
    header: Arc<VerifiedHeader>,
    state: StateProof,
    session: Option<SessionProof>,
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Verified<T> {
    /// The value.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }

    /// The state that the value is of, without the value.
    #[must_use]
    pub fn state(&self) -> Verified<()> {
        self.beside(())
    }

    /// Another value of the same answer.
    fn beside<U>(&self, value: U) -> Verified<U> {
        Verified {
            value,
            proof: Arc::clone(&self.proof),
            said: self.said.as_ref().map(|said| Said {
                replica: said.replica.clone(),
                exchange: None,
            }),
        }
    }

    /// The height of the state.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.proof.header.height()
    }

    /// The board time of the state, milliseconds.
    #[must_use]
    pub fn board_ms(&self) -> u64 {
        self.proof.state.board_ms(&self.proof.header.time())
    }

    /// The header that certifies the state.
    #[must_use]
    pub fn header(&self) -> &Arc<VerifiedHeader> {
        &self.proof.header
    }

    /// The state as one that nobody is to go back behind.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark::new(&self.proof.header, &self.proof.state)
    }

    /// The replica that gave the answer; empty where it came another way.
    #[must_use]
    pub fn replica(&self) -> &str {
        self.said.as_ref().map_or("", |said| &said.replica)
    }

    /// The leaf of the session that the value is about.
    #[must_use]
    pub fn leaf(&self) -> Option<&white_city_wire::board::SessionLeaf> {
        self.proof.session.as_ref().map(|session| &session.leaf)
    }

    /// The number of the session that the value is about.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        Some(self.proof.session.as_ref()?.number.into())
    }

    /// The proof of the session that the value is about, for a receipt.
    #[must_use]
    pub fn anchor(&self) -> Option<pb::Anchor> {
        Some(pb::Anchor {
            signed_header: self.proof.header.encode(),
            state: Some((&self.proof.state).into()),
            session: Some(self.proof.session.as_ref()?.into()),
        })
    }

    /// The same, with who gave the answer and what travelled. It proves nothing.
    #[must_use]
    pub fn said_by(mut self, replica: &str, exchange: Exchange) -> Self {
        self.said = Some(Said {
            replica: replica.to_owned(),
            exchange: Some(exchange),
        });
        self
    }

    /// The bytes that travelled, which are kept until they are taken.
    pub fn take_exchange(&mut self) -> Option<Exchange> {
        self.said.as_mut()?.exchange.take()
    }
}

impl Verified<InboxPage> {
    /// The session's state, where the page has it.
    #[must_use]
    pub fn now(&self) -> Option<Verified<SessionState>> {
        Some(self.beside(self.value.now.clone()?))
    }
}

/// The session that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRef {
    /// By its id.
    Id(SessionId),
    /// By its number.
    Number(u64),
}

impl SessionRef {
    pub(crate) fn to_pb(self) -> Option<pb::SessionRef> {
        let inner = match self {
            Self::Id(id) => pb::session_ref::Ref::Id(id.0.to_vec()),
            Self::Number(number) => pb::session_ref::Ref::Number(number),
        };
        Some(pb::SessionRef { r#ref: Some(inner) })
    }
}

impl From<SessionId> for SessionRef {
    fn from(id: SessionId) -> Self {
        Self::Id(id)
    }
}

impl std::fmt::Display for SessionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Number(number) => write!(f, "number {number}"),
        }
    }
}

/// Takes 32-byte values apart.
fn hashes(what: &str, bytes: &[u8]) -> Result<Vec<Hash>, Lie> {
    white_city_wire::read::split_hashes(bytes)
        .ok_or_else(|| Lie(format!("{what}: not a multiple of 32 bytes")))
}
