//! A seat: one session that is followed, by the only task that has its journal. What is asked of it waits there for its turn.

use std::mem::take;

use tokio::{
    select,
    sync::{mpsc, oneshot, watch},
};
use white_city_client::{End, Error, Hash, Inbox, Progress, Session};
use zeroize::Zeroizing;

/// Requests that wait for their turn, of one session.
const REQUESTS: usize = 64;

/// Something that a party does in a session, or wants of it.
pub(crate) enum Act {
    Join,
    Decline(u16),
    Abort {
        cause: u16,
        about: Option<u16>,
        detail: Hash,
    },
    Post {
        round: u32,
        broadcast: Vec<u8>,
        p2p: Vec<(u16, Zeroizing<Vec<u8>>)>,
    },
    Inbox(u32),
    Finish(Hash),
    Complain {
        round: u32,
        from: u16,
    },
    End,
    Randomness(String),
    Remember(String, Zeroizing<Vec<u8>>),
    Recall(String),
    /// Deletes the journal; with the outcome, also where the end is unknown.
    Forget(Option<Hash>),
}

impl Act {
    /// Whether it is done only when others have acted.
    pub(crate) const fn waits_for_others(&self) -> bool {
        matches!(self, Self::Inbox(_) | Self::End | Self::Post { .. })
    }
}

/// The result of an act.
pub(crate) enum Done {
    Nothing,
    Inbox(Box<Inbox>),
    End(End),
    Bytes(Zeroizing<Vec<u8>>),
}

struct Request {
    act: Act,
    reply: oneshot::Sender<Result<Done, Error>>,
}

/// A session that is followed. Its task ends, and lets go of the journal, some time after the last handle was dropped.
pub(crate) struct Seat {
    requests: mpsc::Sender<Request>,
    progress: watch::Receiver<Option<Progress>>,
    index: u16,
}

impl Seat {
    pub(crate) fn new(session: Session) -> Self {
        let (requests, received) = mpsc::channel(REQUESTS);
        let (progress, index) = (session.progress(), session.index());
        tokio::spawn(follow(session, received));
        Self {
            requests,
            progress,
            index,
        }
    }

    /// Does it, when it is its turn; `None` if the session isn't followed any more. Whoever doesn't wait for the answer any more stops it.
    pub(crate) async fn ask(&self, act: Act) -> Option<Result<Done, Error>> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request { act, reply }).await.ok()?;
        answer.await.ok()
    }

    pub(crate) fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.clone()
    }

    pub(crate) const fn index(&self) -> u16 {
        self.index
    }

    /// Whether nothing more happens in the session.
    pub(crate) fn has_ended(&self) -> bool {
        let now = self.progress.borrow();
        now.as_ref().is_some_and(|now| !now.status.is_live())
    }

    /// Whether its task has ended.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_closed()
    }
}

/// Follows a session, answers complaints about this party's payloads as they come, and does what is asked.
async fn follow(mut session: Session, mut requests: mpsc::Receiver<Request>) {
    session.never_wait();
    let mut waiting = Vec::new();
    loop {
        let request = select! {
            biased;
            request = requests.recv() => match request {
                Some(request) => Some(request),
                None => break,
            },
            () = session.wait_news(), if session.end().is_none() => None,
        };
        let begins = matches!(
            &request,
            Some(Request {
                act: Act::Join | Act::Decline(_),
                ..
            })
        );
        match request {
            Some(Request {
                act: Act::Forget(outcome),
                reply,
            }) => {
                let forgotten = match outcome {
                    Some(outcome) => session.forget_with(outcome),
                    None => session.forget(),
                };
                let _ = reply.send(forgotten.map(|()| Done::Nothing));
                return;
            }
            Some(request) => attempt(&mut session, request, &mut waiting).await,
            None => look(&mut session, &mut waiting).await,
        }
        if begins && !session.has_signed() {
            break;
        }
        for request in take(&mut waiting) {
            if request.reply.is_closed() {
                continue;
            }
            match is_due(&session, &request.act) {
                true => attempt(&mut session, request, &mut waiting).await,
                false => waiting.push(request),
            }
        }
    }
    if !session.has_signed() {
        // It was looked at, and nothing was said in it: there is nothing to remember.
        let _ = session.forget();
    }
}

/// Looks at the board. Whoever waits is told why that can't be done.
async fn look(session: &mut Session, waiting: &mut Vec<Request>) {
    if let Err(error) = session.sync().await {
        tracing::warn!(session = %session.id(), %error, "the session can't be followed at present");
        for request in take(waiting) {
            let _ = request.reply.send(Err(error.clone()));
        }
    }
}

/// Does what is asked, or has it wait for the others.
async fn attempt(session: &mut Session, request: Request, waiting: &mut Vec<Request>) {
    let Request { act, mut reply } = request;
    let done = select! {
        biased;
        done = perform(session, &act) => done,
        // Whatever was begun is gone on with by whoever asks for it again.
        () = reply.closed() => return,
    };
    match done {
        Err(Error::Waiting { .. }) => waiting.push(Request { act, reply }),
        done => {
            let _ = reply.send(done);
        }
    }
}

async fn perform(session: &mut Session, act: &Act) -> Result<Done, Error> {
    match act {
        Act::Join => session.join().await?,
        Act::Decline(reason) => session.decline(*reason).await?,
        Act::Abort {
            cause,
            about,
            detail,
        } => session.abort(*cause, *about, *detail).await?,
        Act::Post {
            round,
            broadcast,
            p2p,
        } => {
            session.wait_round_open(*round).await?;
            session.post(*round, broadcast.clone(), p2p.clone()).await?;
        }
        Act::Inbox(round) => return Ok(Done::Inbox(Box::new(session.inbox(*round).await?))),
        Act::Finish(outcome) => session.finish(*outcome).await?,
        Act::Complain { round, from } => session.complain(*round, *from).await?,
        Act::End => return Ok(Done::End(session.wait_end().await?)),
        Act::Randomness(purpose) => {
            let drawn = session.randomness(purpose);
            return Ok(Done::Bytes(Zeroizing::new(drawn.to_vec())));
        }
        Act::Remember(name, bytes) => session.remember(name, bytes)?,
        Act::Recall(name) => {
            let found = session
                .recall(name)
                .map(|bytes| Zeroizing::new(bytes.to_vec()));
            return Ok(found.map_or(Done::Nothing, Done::Bytes));
        }
        // Whoever has the session by value does it.
        Act::Forget(_) => {}
    }
    Ok(Done::Nothing)
}

/// Whether it is worth a try.
fn is_due(session: &Session, act: &Act) -> bool {
    let open = session.history().open_round();
    let is_over = session.end().is_some() || session.has_left();
    match act {
        Act::Inbox(round) => is_over || open > *round,
        Act::Post { round, .. } => is_over || open >= *round,
        Act::End => session.end().is_some(),
        _ => true,
    }
}
