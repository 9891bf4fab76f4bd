//! The common part of all protocols: joining, exchanging rounds, blaming, finishing.

use std::path::PathBuf;

use white_city_client::{
    Client, End, Error, Hash, Inbox, Session, SessionId, vault::Unlock, wire::hash::sha256,
};
use white_city_eddsa::{
    Outgoing, Randomness,
    run::{Heard, Next, Run},
};

use crate::{
    args::PartyArgs, failure::Failure, journal, output::Output, presets::VERSION, progress,
    session::consent,
};

use super::receipt;

/// Causes of aborts of these protocols.
#[derive(Debug, Clone, Copy)]
enum AbortCause {
    /// A party's message is wrong; the abort is about it.
    Culprit = 1,
    /// The protocol can't go on, through nobody's fault that can be named.
    Stuck = 2,
}

/// This party in one session.
pub struct Party<'a> {
    pub session: Session,
    pub output: &'a Output,
    client: Client,
    /// The protocol's last round that was begun.
    round: u32,
    /// The outcome whose result is out of this process: on the disk, or printed.
    safe: Option<Hash>,
    /// Where a receipt is wanted.
    receipt: Option<PathBuf>,
}

impl<'a> Party<'a> {
    /// Looks at a session without joining it, or goes on with one that was interrupted.
    pub async fn enter(
        client: &Client,
        args: &PartyArgs,
        unlock: &Unlock,
        output: &'a Output,
    ) -> Result<Self, Failure> {
        let identity = &args.identity.identity;
        let journal = journal::path(args.journal.as_ref(), identity, args.session)?;
        let mut session = client.resume_locked(args.session, &journal, unlock).await?;
        consent(&session, output);
        if session.has_left() && session.end().is_none() {
            return Err(Error::Left.into());
        }
        if args.once {
            session.never_wait();
        }
        let version = session.spec().version;
        if version != VERSION {
            return Err(Failure::usage(format!(
                "the session runs version {version} of its protocol, expected {VERSION}"
            )));
        }
        Ok(Self {
            session,
            output,
            client: client.clone(),
            round: 0,
            safe: None,
            receipt: args.receipt.clone(),
        })
    }

    /// All randomness of the protocol.
    pub fn randomness(&self) -> Randomness {
        Randomness::from_seed(*self.session.randomness("white-city/eddsa"))
    }

    /// Notes that the result with this outcome is out of this process.
    pub const fn result_is_safe(&mut self, outcome: [u8; 32]) {
        self.safe = Some(Hash(outcome));
    }

    /// Writes the receipt that is wanted, and forgets the session's keys if nobody needs them any more: the result is safe, there will be
    /// none, or nothing was signed.
    pub async fn close<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let (Ok(_), Some(path)) = (&result, &self.receipt) {
            receipt::keep(path, &self.session, self.output).await;
        }
        let aborted = matches!(self.session.end(), Some(End::Aborted(_)));
        if result.is_ok() || aborted || !self.session.has_signed() {
            let forgotten = match self.safe {
                Some(outcome) => self.session.forget_with(outcome),
                // Where others may have seen the session finished the journal stays.
                None => self.session.forget(),
            };
            if let Err(error) = forgotten {
                self.output.warning(&format!("the journal stays: {error}"));
            }
        }
        result
    }

    /// The protocol's name.
    pub fn protocol(&self) -> &str {
        &self.session.spec().protocol
    }

    /// Refuses a session of another protocol.
    pub fn check_protocol(&self, expected: &str) -> Result<(), Failure> {
        match self.protocol() {
            got if got == expected => Ok(()),
            got => Err(Failure::usage(format!(
                "the session runs {got:?}, expected {expected:?}"
            ))),
        }
    }

    /// Refuses a session that goes on without somebody where `what` needs all parties, or doesn't say `which` shares it is about.
    pub fn check_all_of(&self, what: &str, which: &str) -> Result<(), Failure> {
        let spec = self.session.spec();
        if spec.quorum < spec.parties() {
            return Err(Failure::usage(format!(
                "the session goes on with {} of {} parties: {what} needs all of them",
                spec.quorum,
                spec.parties()
            )));
        }
        if spec.prev_session == SessionId::ZERO {
            return Err(Failure::usage(format!(
                "the session doesn't say which shares {which}: expected the session that made them as the one that it continues"
            )));
        }
        Ok(())
    }

    /// This party as the protocol knows it: the session's id and roster are in all its hashes.
    pub fn eddsa_session(&self) -> Result<white_city_eddsa::Session, Failure> {
        let spec = self.session.spec();
        let roster: Vec<[u8; 32]> = spec.roster.iter().map(|key| *key.as_bytes()).collect();
        let id = self.session.id().0;
        white_city_eddsa::Session::new(id, &roster, self.session.index())
            .map_err(|error| Failure::usage(error.to_string()))
    }

    /// Joins, and waits for the others.
    pub async fn join(&mut self) -> Result<(), Failure> {
        let news = self.session.progress();
        let session = &mut self.session;
        let joined = async {
            session.join().await?;
            session.wait_ready().await
        };
        match progress::during(self.output, &self.client, news, joined).await {
            // Whoever has been in it gets its result from the same command.
            Err(error @ Error::Finished { .. }) if !self.session.has_signed() => {
                Err(Failure::late(format!(
                    "{error}: a party that was in it has its result from the run that finished it, and gets it once more by the \
                     same command, with the same --out or --journal"
                )))
            }
            joined => Ok(joined?),
        }
    }

    /// Posts what the protocol gave out, and waits for what the others posted.
    pub async fn exchange(&mut self, outgoing: Outgoing) -> Result<Inbox, Failure> {
        let news = self.session.progress();
        let session = &mut self.session;
        self.round += 1;
        let round = self.round;
        let exchanged = async {
            let p2p = outgoing.p2p.into_iter().collect();
            session.post(round, outgoing.broadcast, p2p).await?;
            session.inbox(round).await
        };
        match progress::during(self.output, &self.client, news, exchanged).await {
            Ok(inbox) => Ok(inbox),
            Err(Error::Payload { from, round }) => Err(self.complain(round, from).await),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a protocol from its first post to its result.
    pub async fn run<T>(
        &mut self,
        (first, post): (impl Into<Run<T>>, Outgoing),
    ) -> Result<T, Failure> {
        let (mut run, mut outgoing) = (first.into(), post);
        loop {
            let inbox = self.exchange(outgoing).await?;
            let heard = Heard {
                posted: inbox.posted.into_iter().collect(),
                broadcasts: inbox.broadcasts,
                p2p: inbox.p2p,
            };
            match self.checked(run.close(&heard)).await? {
                Next::Post(next, post) => (run, outgoing) = (next, post),
                Next::Made(made) => return Ok(made),
            }
        }
    }

    /// Says that a payload can't be opened, and waits for what its sender says to that. The session ends of it.
    async fn complain(&mut self, round: u32, from: u16) -> Failure {
        let text = format!("its payload of round {round} can't be opened");
        self.output
            .warning(&format!("complaining about party {from}: {text}"));
        let news = self.session.progress();
        let session = &mut self.session;
        let judged = async {
            session.complain(round, from).await?;
            session.wait_end().await
        };
        match progress::during(self.output, &self.client, news, judged).await {
            Ok(End::Aborted(record)) => Failure::protocol(from, format!("{text}: {record}")),
            Ok(_) => Failure::protocol(from, text),
            Err(error) => error.into(),
        }
    }

    /// The value that a protocol function gave; if it refused, everybody is told why and about whom.
    pub async fn checked<T>(
        &mut self,
        result: Result<T, white_city_eddsa::Error>,
    ) -> Result<T, Failure> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let text = error.to_string();
        match error.culprit() {
            Some(culprit) => {
                self.abort(AbortCause::Culprit, Some(culprit), &text).await;
                Err(Failure::protocol(culprit, text))
            }
            None => {
                self.abort(AbortCause::Stuck, None, &text).await;
                Err(match error {
                    // This party's own journal, or this program, is wrong.
                    white_city_eddsa::Error::OwnMessage { .. }
                    | white_city_eddsa::Error::Signature => Failure::other(text),
                    _ => Failure::aborted(text),
                })
            }
        }
    }

    /// Leaves, with the hash of the reason.
    async fn abort(&mut self, cause: AbortCause, about: Option<u16>, text: &str) {
        let detail = sha256(text.as_bytes());
        // The numbers are the enum's own.
        let cause = cause as u16;
        if let Err(error) = self.session.abort(cause, about, detail).await {
            self.output
                .warning(&format!("the others could not be told: {error}"));
        }
    }

    /// Finishes with this outcome, and waits until the session has finished with the same one.
    pub async fn finish(&mut self, outcome: [u8; 32]) -> Result<(), Failure> {
        let outcome = Hash(outcome);
        let news = self.session.progress();
        let session = &mut self.session;
        let finished = async {
            match session.finish(outcome).await {
                // A quorum was faster.
                Ok(()) | Err(Error::Finished { .. }) => session.wait_end().await,
                Err(error) => Err(error),
            }
        };
        match progress::during(self.output, &self.client, news, finished).await? {
            End::Finished { outcome: agreed } if agreed == outcome => Ok(()),
            End::Finished { outcome: agreed } => Err(Failure::verification(format!(
                "the others finished with the outcome {agreed}, this party has {outcome}"
            ))),
            End::Aborted(record) | End::Unknown(record) => Err(Error::Unknown(record).into()),
        }
    }
}
