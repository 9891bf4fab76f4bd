//! The transport for protocols of the crate [`round_based`] (0.4): such a protocol runs over a [`Session`] unchanged.
//!
//! ```no_run
//! # use white_city_client::{Session, delivery::RunError};
//! # use round_based::{Mpc, MpcParty, ProtocolMessage, rounds_router::errors::CompleteRoundError};
//! # async fn keygen<M: Mpc<ProtocolMessage = u64>>(eid: &[u8], i: u16, n: u16, party: M) -> Result<u64, std::fmt::Error> {
//! #     Ok(1)
//! # }
//! # async fn party(session: &mut Session) -> Result<u64, RunError<std::fmt::Error>> {
//! let (eid, i, n) = (session.execution_id("keygen"), session.index(), session.n());
//! session.delivery().run(|party| keygen(eid.as_bytes(), i, n, party)).await
//! # }
//! ```
//!
//! # From messages to posts
//!
//! A party writes one post a round, however many messages its protocol sends, and however often it flushes. Messages are
//! collected; when the protocol waits for input and has read all that came, they are posted together, also when there are
//! none. Then the delivery waits until the board's round has closed, and hands out what the others sent in it: by sender,
//! and of one sender in the order of sending. So nothing comes twice, late, or in another order for somebody else.
//!
//! A round of the board isn't tied to a round of the protocol. A party that waits posts, so the board's rounds go on for all;
//! a message that comes early is kept by the protocol's router, as one over any other transport.
//!
//! | what a protocol does | what happens |
//! |---|---|
//! | it sends to itself, or to a party that is out | nobody is sent anything |
//! | it has nothing to say | an empty post, so that the round closes |
//! | it sends rounds 1 and 2 before it reads | both are in one post |
//! | it sends one message twice | both arrive; the protocol says what it thinks of it |
//! | it ends before others do | [`Delivery::run`] posts on until all have ended |
//! | it ends with messages that weren't posted | [`Delivery::run`] and [`Delivery::close`] post them |
//! | it sends more than fits into a transaction | where the spec allows parts ([`crate::SpecBuilder::any_size`]), the post goes over several rounds |
//! | all wait, and nobody says anything | [`DeliveryError::Stuck`] for everybody, in the same round |
//!
//! # What a protocol has to keep to
//!
//! *The same randomness and the same messages give the same posts.* A party that was interrupted runs its protocol again from
//! the start, with the same randomness, and catches up: what it posted before is on the board, and so is what it read.
//! So while a protocol listens it waits for nothing else (no timer, no other channel), and it draws randomness only from a
//! generator that can be seeded.
//!
//! Broadcasts are reliable, by consensus: protocols may leave their echo round out where their documentation allows it.
//! Should more replicas than tolerated be malicious, two groups of parties can be shown two histories, for one round. What a
//! party posts next, it has posted. Where that would give a secret away (a second signature share for one nonce), a round
//! without content has to come before; the delivery adds none, so such a protocol is written with `post` and `inbox`.
//!
//! # Bytes
//!
//! Messages are encoded by `postcard`: compact, without names of fields, its format documented and stable. It isn't
//! self-describing, so a type whose `Deserialize` asks for that (untagged or flattened ones) can't be read back. That is
//! noticed by the sender, before it posts: [`DeliveryError::Encoding`].
//!
//! Where a post comes in parts ([`crate::parts`]) these are its payloads when all of it is there.
//!
//! The message's number is its place among those that its author sent in that round, from 0 (LEB128):
//!
//! ```text
//! broadcast = kind byte: 1 says something, 2 its protocol has ended, 3 both ‖ messages        absent: neither
//! p2p       = messages
//! messages  = (number ‖ postcard)*
//! ```

mod engine;
mod error;
mod position;
mod post;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

pub use round_based;
use round_based::{Incoming, MpcParty, Outgoing, Sink, Stream};
use serde::{Serialize, de::DeserializeOwned};

use self::engine::Engine;
pub use self::{
    error::{DeliveryError, RunError},
    position::Position,
};
use crate::Session;

/// Carries the messages of one protocol, from one round of the session on. See the [module](self).
///
/// It borrows the session, which can be used again afterwards: to finish, or for another protocol from
/// [`Delivery::next_round`] on. Dropping it anywhere is safe; whatever was sent and not posted is lost then.
pub struct Delivery<'s, M> {
    engine: Arc<Mutex<Engine<'s, M>>>,
}

/// The stream of messages that come in.
pub struct Incomings<'s, M> {
    engine: Arc<Mutex<Engine<'s, M>>>,
}

/// The sink for messages that go out.
pub struct Outgoings<'s, M> {
    engine: Arc<Mutex<Engine<'s, M>>>,
}

/// Both directions of a [`Delivery`], as a protocol takes them.
pub type Link<'s, M> = (Incomings<'s, M>, Outgoings<'s, M>);

impl Session {
    /// The transport for one protocol with messages of type `M`, from round 1 on. The session must be running
    /// ([`Session::wait_ready`]).
    pub fn delivery<M>(&mut self) -> Delivery<'_, M> {
        Delivery {
            engine: Arc::new(Mutex::new(Engine::new(self, 1))),
        }
    }
}

impl<'s, M: Serialize + DeserializeOwned + Send> Delivery<'s, M> {
    /// Begins in this round instead: for the second protocol of a session. Without effect once something was posted.
    #[must_use]
    pub fn from_round(self, round: u32) -> Self {
        lock(&self.engine).begin_in(round);
        self
    }

    /// The first round that this delivery hasn't used.
    #[must_use]
    pub fn next_round(&self) -> u32 {
        lock(&self.engine).round()
    }

    /// The error of this delivery, however the protocol put it.
    #[must_use]
    pub fn failure(&self) -> Option<DeliveryError> {
        lock(&self.engine).failure().cloned()
    }

    /// Runs a protocol to its end, and the session's rounds until the protocols of all parties have ended: others may need
    /// more rounds, and no round closes without this party. That everybody has ended is said in a round of its own,
    /// so the spec has to allow one more than the protocol needs, and another one to finish in.
    ///
    /// A result that this party has is lost when the others can't end. Who wants it all the same gives the protocol
    /// `&mut delivery` ([`MpcParty::connected`]) and calls [`Delivery::wait_all_ended`] or [`Delivery::close`] afterwards.
    ///
    /// # Errors
    /// [`RunError::Delivery`] when nothing could be sent or read any more, [`RunError::Protocol`] otherwise. A party that can't
    /// go on says so, or the others wait for it: [`Session::abort`], or [`Session::give_up`].
    pub async fn run<T, E, F>(
        &mut self,
        protocol: impl FnOnce(MpcParty<M, Link<'s, M>>) -> F,
    ) -> Result<T, RunError<E>>
    where
        F: Future<Output = Result<T, E>>,
    {
        let result = protocol(MpcParty::connected(self.link())).await;
        if let Some(failure) = self.failure() {
            return Err(RunError::Delivery(failure));
        }
        let value = result.map_err(RunError::Protocol)?;
        self.wait_all_ended().await.map_err(RunError::Delivery)?;
        Ok(value)
    }

    /// For a protocol that has ended: posts what it sent last, if that wasn't posted, and waits until that round has closed.
    ///
    /// This is enough, and a round cheaper than [`Delivery::wait_all_ended`], where the protocols of all parties end in the same
    /// round and every party closes.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn close(self) -> Result<(), DeliveryError> {
        poll_fn(|cx| lock(&self.engine).poll_close(cx)).await
    }

    /// For a protocol that has ended: posts what it sent last, and goes on posting until all have ended.
    ///
    /// # Errors
    /// [`DeliveryError`]; [`DeliveryError::Stuck`] when the others can't go on.
    pub async fn wait_all_ended(&mut self) -> Result<(), DeliveryError> {
        poll_fn(|cx| lock(&self.engine).poll_all_ended(cx)).await
    }

    fn link(&self) -> Link<'s, M> {
        let [one, two] = [(); 2].map(|()| Arc::clone(&self.engine));
        (Incomings { engine: one }, Outgoings { engine: two })
    }
}

impl<'s, M> round_based::Delivery<M> for Delivery<'s, M>
where
    M: Serialize + DeserializeOwned + Send,
{
    type Send = Outgoings<'s, M>;
    type Receive = Incomings<'s, M>;
    type SendError = DeliveryError;
    type ReceiveError = DeliveryError;

    fn split(self) -> (Self::Receive, Self::Send) {
        self.link()
    }
}

/// As the delivery itself, which is still there afterwards to be closed.
impl<'s, M> round_based::Delivery<M> for &mut Delivery<'s, M>
where
    M: Serialize + DeserializeOwned + Send,
{
    type Send = Outgoings<'s, M>;
    type Receive = Incomings<'s, M>;
    type SendError = DeliveryError;
    type ReceiveError = DeliveryError;

    fn split(self) -> (Self::Receive, Self::Send) {
        self.link()
    }
}

impl<M> Stream for Incomings<'_, M>
where
    M: Serialize + DeserializeOwned + Send,
{
    type Item = Result<Incoming<M>, DeliveryError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        lock(&self.engine).poll_next(cx).map(Some)
    }
}

impl<M> Sink<Outgoing<M>> for Outgoings<'_, M>
where
    M: Serialize + DeserializeOwned + Send,
{
    type Error = DeliveryError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Outgoing<M>) -> Result<(), DeliveryError> {
        lock(&self.engine).send(&message)
    }

    /// A post is complete when the protocol waits for input, not at each flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        Poll::Ready(Ok(()))
    }
}

/// A protocol that panicked doesn't stop whoever catches that from looking.
fn lock<'a, 's, M>(engine: &'a Mutex<Engine<'s, M>>) -> MutexGuard<'a, Engine<'s, M>> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}
