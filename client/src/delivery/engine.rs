//! One round after the other, driven by whoever waits for input.

use std::{
    collections::VecDeque,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use round_based::{Incoming, Outgoing};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    DeliveryError,
    post::{self, Outbox, Payloads, RoundMessages},
};
use crate::{Error, Inbox, Session};

/// A session that is posting and reading; it comes back with what it read.
type Exchange<'s> =
    Pin<Box<dyn Future<Output = (&'s mut Session, Result<(Inbox, u32), Error>)> + Send + 's>>;

enum Board<'s> {
    Idle(&'s mut Session),
    Busy(Exchange<'s>),
    /// Only while one becomes the other.
    Gone,
}

/// The part that both directions of a delivery share.
pub(super) struct Engine<'s, M> {
    board: Board<'s>,
    me: u16,
    n: u16,
    /// The round to post in next.
    round: u32,
    outbox: Outbox,
    inbox: VecDeque<Incoming<M>>,
    /// Whether the protocol had another turn to send before this party posts.
    gave_way: bool,
    /// Whether the last round has shown that all have ended.
    all_ended: bool,
    failure: Option<DeliveryError>,
}

impl<'s, M> Engine<'s, M> {
    pub(super) fn new(session: &'s mut Session, round: u32) -> Self {
        let (me, n) = (session.index(), session.n());
        Self {
            board: Board::Idle(session),
            me,
            n,
            round,
            outbox: Outbox::default(),
            inbox: VecDeque::new(),
            gave_way: false,
            all_ended: false,
            failure: None,
        }
    }

    pub(super) const fn round(&self) -> u32 {
        self.round
    }

    pub(super) const fn begin_in(&mut self, round: u32) {
        if matches!(self.board, Board::Idle(_)) && self.round == 1 {
            self.round = round;
        }
    }

    pub(super) const fn failure(&self) -> Option<&DeliveryError> {
        self.failure.as_ref()
    }
}

impl<M: Serialize + DeserializeOwned> Engine<'_, M> {
    pub(super) fn send(&mut self, message: &Outgoing<M>) -> Result<(), DeliveryError> {
        self.check()?;
        let sent = self.outbox.push(message, (self.me, self.n));
        sent.map_err(|failure| self.fail(failure))
    }

    /// The next message. Rounds go by until there is one.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Incoming<M>, DeliveryError>> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                self.gave_way = false;
                return Poll::Ready(Ok(message));
            }
            self.check()?;
            // A protocol may listen and send at the same time: what it sends in this turn belongs to this post.
            if matches!(self.board, Board::Idle(_)) && !self.gave_way {
                self.gave_way = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_round(cx, false));
            self.gave_way = false;
        }
    }

    /// Posts what is left, if anything is.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DeliveryError>> {
        loop {
            self.check()?;
            if matches!(self.board, Board::Idle(_)) && self.outbox.len() == 0 {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_round(cx, true));
        }
    }

    /// Rounds go by until all have ended. What others send meanwhile, nobody reads.
    pub(super) fn poll_all_ended(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), DeliveryError>> {
        loop {
            self.check()?;
            if self.all_ended {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_round(cx, true));
            self.inbox.clear();
        }
    }

    fn check(&self) -> Result<(), DeliveryError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn fail(&mut self, failure: DeliveryError) -> DeliveryError {
        self.failure.get_or_insert(failure).clone()
    }

    /// One round of the protocol: the post, and what others posted. Or the one that was begun before.
    fn poll_round(&mut self, cx: &mut Context<'_>, has_ended: bool) -> Poll<()> {
        self.board = match mem::replace(&mut self.board, Board::Gone) {
            Board::Idle(session) => {
                let payloads = self.outbox.take(has_ended);
                Board::Busy(Box::pin(exchange(session, self.round, payloads)))
            }
            begun => begun,
        };
        // Never, unless a poll has panicked: it is gone only within this function.
        let Board::Busy(exchange) = &mut self.board else {
            return Poll::Pending;
        };
        let (session, inbox) = ready!(exchange.as_mut().poll(cx));
        self.board = Board::Idle(session);
        let taken = inbox
            .map_err(DeliveryError::from)
            .and_then(|(inbox, next)| {
                self.take(post::read(&inbox, self.me)?)?;
                Ok(next)
            });
        match taken {
            Ok(next) => self.round = next,
            Err(failure) => drop(self.fail(failure)),
        }
        Poll::Ready(())
    }

    fn take(&mut self, heard: RoundMessages<M>) -> Result<(), DeliveryError> {
        if !heard.speaks && !heard.ended {
            return Err(DeliveryError::Stuck { round: self.round });
        }
        self.all_ended = heard.ended;
        self.inbox.extend(heard.messages);
        Ok(())
    }
}

/// Posts and reads one round of the protocol, and says which of the board's comes after it. It can be asked for again, so it may be
/// dropped anywhere.
async fn exchange(
    session: &mut Session,
    round: u32,
    payloads: Payloads,
) -> (&mut Session, Result<(Inbox, u32), Error>) {
    let Payloads { broadcast, mut p2p } = payloads;
    let members = session.history().members_of(round);
    // Whoever is out reads nothing any more.
    p2p.retain(|(to, _)| members.contains(*to));
    let read = session.exchange(round, broadcast, p2p).await;
    (session, read)
}

impl<M> Drop for Engine<'_, M> {
    fn drop(&mut self) {
        let lost = self.outbox.len();
        if lost > 0 && self.failure.is_none() {
            tracing::warn!(
                lost,
                "messages were sent and never posted: run the protocol by Delivery::run, or close the delivery"
            );
        }
    }
}
