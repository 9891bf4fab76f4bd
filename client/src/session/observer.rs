//! Following one session: reading what is new, checking it, and noticing its end.

mod agreement;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use white_city_wire::{Hash, IdentityKey, Spec, board::Status, tx::Open};

use crate::{
    AbortRecord, Error, SessionId,
    client::Client,
    history::History,
    read::{Entry, Lied, SessionRef, SessionView, Unproven, read_joins, read_open},
    replicas::{Endpoint, ReadError, Tally, Wake, Wakeups, gather},
};

/// Rounds whose payloads are kept: a party that is in time never needs an older one.
const ROUNDS_KEPT: usize = 4;
/// All replicas are asked at least this often.
const ASK_ALL: Duration = Duration::from_secs(5);

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A quorum finished with one outcome.
    Finished {
        /// The outcome's digest.
        outcome: Hash,
    },
    /// It ended without an outcome.
    Aborted(Box<AbortRecord>),
}

/// Where a session stands, for showing it. Times are the board's, and unproven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub status: Status,
    /// The open round; 0 is joining.
    pub round: u32,
    /// How many slots of the open round are filled.
    pub filled: u16,
    /// How many members the open round has.
    pub members: u16,
    /// Whom it waits for.
    pub waiting_for: Vec<u16>,
    /// Who left by name.
    pub left: Vec<u16>,
    /// When the round's time is over, board time in milliseconds; 0 while the clock hasn't started.
    pub deadline_ms: u64,
    /// The board's time, milliseconds.
    pub board_ms: u64,
    /// The height that was read.
    pub height: u64,
    /// Whether the deadline has passed and the last entries are called.
    pub last_call: bool,
}

/// A reader of one session, of any of its parties or of none.
pub struct Observer {
    client: Client,
    id: SessionId,
    open: Open,
    reader: Option<u16>,
    history: History,
    view: Option<Unproven<SessionView>>,
    kept: BTreeMap<u32, Vec<Entry>>,
    /// The end, once it has been confirmed.
    end: Option<End>,
    progress: watch::Sender<Option<Progress>>,
    wakeups: Wakeups,
    wake: Wake,
    /// When all replicas were asked last.
    asked_all: Option<Instant>,
    is_silent: bool,
}

impl Observer {
    /// Reads what is there; as `me`, with that party's p2p payloads.
    pub(crate) async fn new(
        client: Client,
        id: SessionId,
        me: Option<&IdentityKey>,
    ) -> Result<Self, Error> {
        let open = client.open_of(id).await?;
        let network = client.network().id;
        let mut observer = Self {
            wakeups: client.wakeups(),
            client,
            id,
            reader: me.and_then(|key| open.spec.index_of(key)),
            history: History::new(network, id, open.spec.clone()),
            open,
            view: None,
            kept: BTreeMap::new(),
            end: None,
            progress: watch::Sender::new(None),
            wake: Wake::Timer,
            asked_all: None,
            is_silent: false,
        };
        observer.sync().await?;
        Ok(observer)
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The spec: checked against the id, and the id against the opener's signature.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.open.spec
    }

    /// What opened the session, checked likewise.
    #[must_use]
    pub const fn open(&self) -> &Open {
        &self.open
    }

    /// What has been read and checked.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// What a replica said last about the session.
    #[must_use]
    pub const fn view(&self) -> Option<&Unproven<SessionView>> {
        self.view.as_ref()
    }

    /// The highest state that was read.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.view.as_ref().map_or(0, Unproven::height)
    }

    /// Whom the open round waits for, as far as the replica that was asked last knows.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<u16> {
        self.view
            .as_ref()
            .map_or_else(Vec::new, |view| view.unproven_value().waiting_for())
    }

    /// Where the session stands, with each change; `None` until it has been read.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }

    /// The end, if the session has ended.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The end as an error of whoever wanted to go on.
    pub(super) fn ended(&self) -> Option<Error> {
        Some(match self.end.clone()? {
            End::Finished { outcome } => Error::Finished { outcome },
            End::Aborted(record) => Error::Aborted(record),
        })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn kept(&self, round: u32) -> Option<&[Entry]> {
        self.kept.get(&round).map(Vec::as_slice)
    }

    /// Waits until there is reason to look again.
    pub async fn wait_news(&mut self) {
        self.wake = self.wakeups.next().await;
    }

    /// Looks often for a while: something was just sent.
    pub(super) const fn hurry(&mut self) {
        self.wakeups.hurry();
    }

    /// Waits until the session has ended.
    ///
    /// # Errors
    /// As [`Observer::sync`].
    pub async fn wait_end(&mut self) -> Result<End, Error> {
        loop {
            self.sync().await?;
            if let Some(end) = self.end.clone() {
                return Ok(end);
            }
            self.wait_news().await;
        }
    }

    /// Reads and checks what is new. After silence, and now and then, all replicas are asked and the one that is furthest
    /// goes first, since the one that was followed may be behind or hold things back.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody answers at the beginning (later it is tried again), [`Error::ReplicaLied`] when
    /// all replicas gave answers that can't be true, [`Error::Erased`].
    pub async fn sync(&mut self) -> Result<(), Error> {
        if self.end.is_some() {
            return Ok(());
        }
        let replicas = Arc::clone(self.client.replicas());
        let is_due = self.asked_all.is_none_or(|at| at.elapsed() > ASK_ALL);
        let order = if is_due || self.wake == Wake::Timer {
            self.asked_all = Some(Instant::now());
            self.wake = Wake::Block;
            self.furthest_first().await
        } else {
            replicas.in_order()
        };
        let mut tally = Tally::default();
        for endpoint in order {
            match self.sync_from(&endpoint).await {
                Ok(()) => {
                    replicas.prefer(&endpoint);
                    self.is_silent = false;
                    return Ok(());
                }
                Err(error) => replicas.note(&mut tally, &endpoint, error)?,
            }
        }
        if self.view.is_none() || replicas.all_lied(&tally) {
            return Err(tally.into_error());
        }
        if !self.is_silent {
            self.is_silent = true;
            tracing::warn!(reasons = %tally.reasons(), "no replica has anything newer; trying again");
        }
        Ok(())
    }

    /// The replicas, those that claim the most progress first. A round that isn't there can't be claimed for long: its
    /// entries are signed.
    async fn furthest_first(&self) -> Vec<Arc<Endpoint>> {
        let order = self.client.replicas().in_order();
        let asked = order.iter().map(async |endpoint| {
            let view = SessionView::read(endpoint, SessionRef::Id(self.id)).await?;
            let view = view.into_unproven_value();
            // Not by filled slots: nobody signs that they are.
            let progress = (view.open_round, !view.status.is_live());
            Ok::<_, ReadError>((progress, Arc::clone(endpoint)))
        });
        let answers = gather(self.client.replicas().witnesses, asked).await;
        let mut answers: Vec<_> = answers.into_iter().flatten().collect();
        answers.sort_by_key(|(progress, _)| std::cmp::Reverse(*progress));
        let mut furthest: Vec<_> = answers.into_iter().map(|(_, endpoint)| endpoint).collect();
        let silent = order
            .into_iter()
            .filter(|e| furthest.iter().all(|other| other.name() != e.name()));
        let silent: Vec<_> = silent.collect();
        furthest.extend(silent);
        self.client.replicas().liars_last(&mut furthest);
        furthest
    }

    async fn sync_from(&mut self, endpoint: &Endpoint) -> Result<(), ReadError> {
        let view = SessionView::read(endpoint, SessionRef::Id(self.id)).await?;
        let seen = view.unproven_value();
        if seen.status == Status::Erased {
            self.confirm(seen).await?;
            return Err(ReadError::Final(Error::Erased));
        }
        if seen.slots.len() != self.spec().roster.len() {
            return Err(ReadError::Lied("slots of another roster".into()));
        }
        if seen.open_round < self.history.open_round() {
            return Err(ReadError::Behind);
        }
        if self.history.open_round() < seen.open_round {
            self.read_rounds(endpoint, seen).await?;
        }
        if seen.transcript != self.history.transcript() {
            return Err(ReadError::Lied(
                "another transcript than the one that follows from the rounds".into(),
            ));
        }
        if !seen.filled().is_subset(self.history.members()) {
            return Err(ReadError::Lied(
                "a slot of somebody who is out is filled".into(),
            ));
        }
        if let Some(terminal) = &seen.terminal {
            self.end = Some(self.read_end(endpoint, seen, terminal).await?);
        }
        self.announce(&view);
        self.view = Some(view);
        Ok(())
    }

    /// Reads the rounds up to the open one into a copy, and takes over as many as enough replicas state the same transcript for.
    async fn read_rounds(
        &mut self,
        endpoint: &Endpoint,
        seen: &SessionView,
    ) -> Result<(), ReadError> {
        let (mut history, mut kept) = (self.history.clone(), self.kept.clone());
        while history.open_round() < seen.open_round {
            let next = self.read_next_round(endpoint, &mut history, &mut kept);
            next.await?;
        }
        if seen.transcript != history.transcript() {
            return Err(ReadError::Lied(
                "another transcript than the one that follows from the rounds".into(),
            ));
        }
        let confirmed = self.confirmed_round(&history).await;
        if confirmed > self.history.open_round() {
            history.cut(confirmed);
            kept.retain(|round, _| *round < confirmed);
            (self.history, self.kept) = (history, kept);
        }
        if self.history.open_round() < seen.open_round {
            // They are probably about to get there.
            self.wakeups.hurry();
            let reason = "too few other replicas confirm the rounds that it states";
            return Err(ReadError::Unreachable(reason.into()));
        }
        Ok(())
    }

    /// Up to which open round enough replicas have what `history` has. A later transcript stands for all before it.
    async fn confirmed_round(&self, history: &History) -> u32 {
        let witnesses = self.client.replicas().witnesses;
        let order = self.client.replicas().in_order();
        let asked = order
            .iter()
            .map(|e| SessionView::read(e, SessionRef::Id(self.id)));
        let mut agreeing: Vec<u32> = Vec::new();
        for view in gather(witnesses, asked).await.into_iter().flatten() {
            let view = view.into_unproven_value();
            if history.transcript_before(view.open_round) == Some(view.transcript) {
                agreeing.push(view.open_round);
            }
        }
        agreeing.sort_by_key(|round| std::cmp::Reverse(*round));
        let last = witnesses.checked_sub(1).and_then(|at| agreeing.get(at));
        last.copied().unwrap_or(0)
    }

    async fn read_next_round(
        &self,
        endpoint: &Endpoint,
        history: &mut History,
        kept: &mut BTreeMap<u32, Vec<Entry>>,
    ) -> Result<(), ReadError> {
        let round = history.open_round();
        let spec = self.spec();
        if round == 0 {
            let network = self.client.network().id;
            let joins = read_joins(endpoint, self.id, spec, &network).await?;
            return history.close_joining(joins).or_lied("joins");
        }
        let entries = Entry::read_round(endpoint, self.id, round, self.reader, spec).await?;
        history
            .close_round(self.reader, &entries)
            .or_lied("round")?;
        kept.insert(round, entries);
        while kept.len() > ROUNDS_KEPT {
            kept.pop_first();
        }
        Ok(())
    }

    fn announce(&self, view: &Unproven<SessionView>) {
        let seen = view.unproven_value();
        let now = Progress {
            status: seen.status,
            round: seen.open_round,
            filled: seen.filled().count(),
            members: seen.members.count(),
            waiting_for: seen.waiting_for(),
            left: seen.leavers(),
            deadline_ms: if seen.status.is_live() {
                seen.deadline_ms
            } else {
                0
            },
            board_ms: view.board_ms(),
            height: view.height(),
            last_call: seen.call_blocks > 0,
        };
        self.progress.send_if_modified(|before| {
            let changed = before.as_ref() != Some(&now);
            *before = Some(now);
            changed
        });
    }
}

impl Client {
    /// What opened a session, from the first replica whose answer the id and the opener's signature prove.
    pub(crate) async fn open_of(&self, id: SessionId) -> Result<Open, Error> {
        let mut tally = Tally::default();
        for endpoint in self.replicas().in_order() {
            match read_open(&endpoint, id, &self.network().id).await {
                Ok(open) => return Ok(open),
                Err(error) => self.replicas().note(&mut tally, &endpoint, error)?,
            }
        }
        Err(match tally.into_error() {
            Error::Refused { code: 32 | 146, .. } => Error::UnknownSession(id.to_string()),
            Error::Refused { code: 51, .. } => Error::Erased,
            other => other,
        })
    }
}
