//! Reading what is new: rounds that have closed, one by one, and how the session stands.

use std::sync::Arc;

use tokio::time::Instant;
use white_city_wire::{
    board::{SessionLeaf, Status},
    pb,
    read::Standing,
};

use super::{
    Observer, ROUNDS_KEPT,
    pages::{NotTaken, Source},
};
use crate::{
    Error, SessionState, Verified,
    history::{ClosedRound, Contradiction},
    read::{Entry, InboxPage, Lie},
    replicas::{ReadError, Tally, Wake},
};

/// A page that was taken in.
enum Taken {
    /// A round; there may be another one.
    Round,
    /// The session's state.
    Now,
}

impl Observer {
    /// Reads and checks what is new.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody answers at the beginning, and [`Error::Behind`] when all are behind what this client has seen
    /// before (later it is tried again); [`Error::ReplicaLied`] when all
    /// replicas gave answers that can't be true; [`Error::Fork`]; [`Error::Erased`].
    pub async fn sync(&mut self) -> Result<(), Error> {
        let looked = self.look().await;
        self.wakeups.has_looked();
        looked
    }

    async fn look(&mut self) -> Result<(), Error> {
        if self.end.is_some() {
            return Ok(());
        }
        let replicas = Arc::clone(self.client.replicas());
        let found = replicas.asked_all(self.asked_since()).await;
        // Silence is a reason to ask them once: from now on the time that is left says when.
        self.wake = Wake::Block;
        match found {
            Ok(height) => self.floor = self.floor.max(height),
            Err(fork @ Error::Fork(_)) => return Err(fork),
            // Whoever is asked next says why.
            Err(_) => {}
        }
        let mut tally = Tally::default();
        loop {
            match self.step(&mut tally).await {
                Ok(Taken::Round) => {}
                Ok(Taken::Now) => {
                    self.is_silent = false;
                    return Ok(());
                }
                Err(error) => return self.give_up(error, &tally),
            }
        }
    }

    /// Whether it is an error that nothing new was read.
    fn give_up(&mut self, error: Error, tally: &Tally) -> Result<(), Error> {
        self.waits_for_state = tally.is_any_behind;
        let waits = match &error {
            Error::Unreachable(_) | Error::Refused { .. } | Error::Behind { .. } => true,
            Error::ReplicaLied { .. } | Error::OtherNetwork { .. } => {
                !self.client.replicas().all_lied(tally)
            }
            _ => false,
        };
        if self.now.is_none() || !waits {
            return Err(error);
        }
        if !self.is_silent {
            self.is_silent = true;
            tracing::warn!(%error, "no replica has anything newer; trying again");
        }
        Ok(())
    }

    /// Takes in the next page that verifies, from one replica after the other.
    async fn step(&mut self, tally: &mut Tally) -> Result<Taken, Error> {
        let replicas = Arc::clone(self.client.replicas());
        let opening = Arc::clone(&self.opening);
        loop {
            let read = self.page(&opening.0.spec, self.history.open_round(), 0);
            let mut page = replicas.read_noting(&read, self.floor, tally).await?;
            let endpoint = replicas.named(page.replica());
            let Some(endpoint) = endpoint else {
                return Err(Error::Unreachable(Vec::new()));
            };
            let exchange = page.take_exchange();
            match self.take(page, tally).await {
                Ok(taken) => {
                    replicas.prefer(&endpoint);
                    return Ok(taken);
                }
                Err(error) => self.set_aside(tally, Source { endpoint, exchange }, error)?,
            }
        }
    }

    async fn take(
        &mut self,
        page: Verified<InboxPage>,
        tally: &mut Tally,
    ) -> Result<Taken, NotTaken> {
        let Some(now) = page.now() else {
            return Err(Lie::new("it doesn't say how the session stands").into());
        };
        let leaf = now.leaf.clone();
        self.check_past(&leaf, &page)?;
        if leaf.status == Status::Erased {
            return Err(Error::Erased.into());
        }
        if leaf.open_round == self.history.open_round() {
            self.take_now(now, page, tally).await?;
            return Ok(Taken::Now);
        }
        let round = self.history.open_round();
        let closed = self.check_round(page, &leaf, tally).await?;
        let (closed, entries) = closed;
        self.history.push(closed);
        self.newest = Some(now.state());
        self.floor = self.floor.max(now.height());
        if round > 0 {
            self.kept.insert(round, entries.into());
        }
        while self.kept.len() > ROUNDS_KEPT {
            self.kept.pop_first();
        }
        if leaf.open_round == self.history.open_round() && now.terminal.is_none() {
            // The answer that brought the round says how the session stands, too.
            self.check_filled(&now)?;
            self.settle(now, tally).await?;
            return Ok(Taken::Now);
        }
        Ok(Taken::Round)
    }

    async fn check_round(
        &self,
        page: Verified<InboxPage>,
        leaf: &SessionLeaf,
        tally: &mut Tally,
    ) -> Result<(ClosedRound, Vec<Entry>), NotTaken> {
        let proof = page
            .proof
            .clone()
            .ok_or_else(|| Lie::new("a closed round without its proof"))?;
        let state = page.state();
        let round = self.history.open_round();
        let mut pages = self.all_pages(page, round, tally).await?;
        let checked = match round {
            0 => self.history.check_joining(&pages.all.joins, &proof, leaf),
            _ => self
                .history
                .check_round(self.reader, &pages.all.entries, &proof, leaf),
        };
        if let Err(Contradiction::Fork { root }) = &checked {
            let side = pb::ForkSide {
                anchor: state.anchor(),
                proof: Some((&proof).into()),
                round_root: root.0.to_vec(),
            };
            return Err(self.fork_to(round, side).into());
        }
        Ok((pages.blame(checked, "round")?, pages.all.entries))
    }

    async fn take_now(
        &mut self,
        now: Verified<SessionState>,
        page: Verified<InboxPage>,
        tally: &mut Tally,
    ) -> Result<(), NotTaken> {
        self.check_filled(&now)?;
        if let Some(terminal) = now.terminal.clone() {
            let pages = self.all_pages(page, now.leaf.open_round, tally).await?;
            let ended = self.check_end(&now, &terminal, pages, tally).await?;
            (self.last_joins, self.last_entries) = (ended.joins, ended.entries);
            self.end = Some(ended.end);
        }
        self.settle(now, tally).await
    }

    /// Nobody who is out has a slot.
    fn check_filled(&self, now: &SessionState) -> Result<(), ReadError> {
        if now.filled().is_subset(self.history.members()) {
            return Ok(());
        }
        Err(Lie::new("a slot of somebody who is out is filled").into())
    }

    /// Takes in how the session stands, in the round that follows this history.
    async fn settle(
        &mut self,
        now: Verified<SessionState>,
        tally: &mut Tally,
    ) -> Result<(), NotTaken> {
        self.read_complaint(&now, tally).await?;
        self.announce(&now);
        self.wakeups.has_read(Standing {
            status: now.leaf.status.number(),
            open_round: now.leaf.open_round,
            filled: now.filled().count().into(),
            left: counted(now.left.len()),
            culprits: counted(now.accused.len()),
            number: now.number,
        });
        self.floor = self.floor.max(now.height());
        self.read_at = Instant::now();
        self.newest = Some(now.state());
        self.now = Some(now);
        Ok(())
    }
}

fn counted(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
