//! Following one session: reading what is new, checking it, and noticing its end.

mod dispute;
mod ending;
mod forks;
mod pages;
mod reading;
mod receipts;
mod rereading;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{Stream, stream::unfold};
use tokio::{sync::watch, time::Instant};
use white_city_party::{End, Seen};
use white_city_wire::{
    Complain, Entry as WireEntry, Hash, IdentityKey, Signature, SignedEntry, Spec,
    board::Status,
    pb,
    tx::{Join, Open},
};

use crate::{
    Dispute, Error, SessionId, Verified,
    bounds::Bounds,
    client::Client,
    history::History,
    read::{Entry, SessionState},
    replicas::{Wake, Wakeups},
};

/// Rounds whose payloads are kept: a party that is in time needs no older one. Others are read again.
const ROUNDS_KEPT: usize = 4;
/// Pause between questions to all replicas, at least and at most.
const ASK_ALL: Bounds = Bounds::ms(200, 5_000);

/// Longest time for replicas at the beginning to reach the height that is asked for.
const CATCHING_UP: Duration = Duration::from_secs(10);

/// The progress of a session, for showing it. Times are the board's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The session's status.
    pub status: Status,
    /// The open round; 0 is joining.
    pub round: u32,
    /// Number of slots of the open round that are filled.
    pub filled: u16,
    /// Number of members that the open round has.
    pub members: u16,
    /// Indices of the parties that it waits for.
    pub waiting_for: Vec<u16>,
    /// Indices of the parties that left by name.
    pub left: Vec<u16>,
    /// When the round's time is over, board time in milliseconds; 0 while the clock hasn't started.
    pub deadline_ms: u64,
    /// The board's time, milliseconds.
    pub board_ms: u64,
    /// The height that was read.
    pub height: u64,
    /// Whether the deadline has passed and the last entries are called.
    pub last_call: bool,
    /// The party that complains and the one that it complains about, in a dispute: the deadline is then that of the answer. The
    /// session ends of it.
    pub dispute: Option<Dispute>,
}

/// A reader of one session, of any of its parties or of none.
pub struct Observer {
    client: Client,
    id: SessionId,
    /// The opening, and the opener's signature.
    opening: Arc<(Open, Signature)>,
    reader: Option<u16>,
    history: History,
    now: Option<Verified<SessionState>>,
    /// The state that the history was read in last, should another one show up.
    newest: Option<Verified<()>>,
    kept: BTreeMap<u32, Arc<[Entry]>>,
    /// Content of the round that was open when the session ended: joins in round 0, entries in the others.
    last_joins: Vec<(Join, Signature)>,
    last_entries: Vec<SignedEntry>,
    /// The complaint that the session waits for the answer to, once it was read; there is at most one.
    complaint: Option<Complain>,
    /// The end, once it has been confirmed.
    end: Option<End>,
    progress: watch::Sender<Option<Progress>>,
    wakeups: Wakeups,
    wake: Wake,
    /// When the session was read last.
    read_at: Instant,
    /// When all replicas should have been asked last, at the earliest.
    asked_since: Instant,
    /// The lowest height whose state is new enough.
    floor: u64,
    is_silent: bool,
    /// Whether a replica was asked last for a state that it hasn't reached yet.
    waits_for_state: bool,
}

impl Observer {
    /// Reads what is there, in a state of this height or higher; as `me`, with that party's p2p payloads.
    pub(crate) async fn new(
        client: Client,
        id: SessionId,
        me: Option<&IdentityKey>,
        height: u64,
    ) -> Result<Self, Error> {
        let begun = Instant::now();
        let (opening, _) = tokio::join!(
            client.opening_of(id),
            // Meanwhile: the first look needs it, and says so if nobody answers.
            client.replicas().asked_all(begun),
        );
        let opening = opening?;
        let spec = &opening.0.spec;
        let network = client.network().id;
        let checked = Arc::clone(&client.replicas().checked);
        let mut observer = Self {
            wakeups: client.wakeups(id),
            client,
            id,
            reader: me.and_then(|key| spec.index_of(key)),
            history: History::new(network, id, spec.clone()).sharing(checked),
            opening,
            last_joins: Vec::new(),
            last_entries: Vec::new(),
            now: None,
            newest: None,
            kept: BTreeMap::new(),
            complaint: None,
            end: None,
            progress: watch::Sender::new(None),
            wake: Wake::Timer,
            read_at: Instant::now(),
            asked_since: begun,
            floor: height,
            is_silent: false,
            waits_for_state: false,
        };
        let until = Instant::now() + CATCHING_UP;
        while let Err(error) = observer.sync().await {
            // All that one has seen, or a journal remembers, the others will reach.
            if !observer.waits_for_state || Instant::now() > until {
                return Err(error.or_erased());
            }
            observer.wait_news().await;
        }
        Ok(observer)
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// The spec: checked against the id, and the id against the opener's signature.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.opening.0.spec
    }

    /// The opening of the session, checked likewise.
    #[must_use]
    pub fn open(&self) -> &Open {
        &self.opening.0
    }

    /// [`white_city_verify::execution_id`] of this session: 32 bytes that all its parties compute, and that no other session
    /// has, nor this one for another `purpose`. Protocols put it into their hashes.
    #[must_use]
    pub fn execution_id(&self, purpose: &str) -> Hash {
        white_city_verify::execution_id(&self.id, purpose)
    }

    /// The history that has been read and checked.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The session's state when it was read last.
    #[must_use]
    pub const fn now(&self) -> Option<&Verified<SessionState>> {
        self.now.as_ref()
    }

    /// Everything that was read, for the party that acts on it.
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen {
            history: &self.history,
            now: self.now.as_ref(),
            end: self.end.as_ref(),
        }
    }

    /// Whether the session was read so lately that there is no reason to look again first.
    pub(super) fn is_fresh(&self) -> bool {
        self.now.is_some() && self.read_at.elapsed() < ASK_ALL.least
    }

    /// The highest state that was read.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.now.as_ref().map_or(0, Verified::height)
    }

    /// Indices of the parties that the open round waits for; in a dispute the accused.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<u16> {
        self.now
            .as_ref()
            .map_or_else(Vec::new, |now| self.awaited(now))
    }

    fn awaited(&self, now: &SessionState) -> Vec<u16> {
        match self.dispute_of(now) {
            Some(dispute) => vec![dispute.accused],
            None => now.waiting_for(self.history.members()),
        }
    }

    /// The session's progress, with each change; `None` until it has been read.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Option<Progress>> {
        self.progress.subscribe()
    }

    /// The same as a stream, which ends with this handle. Whoever is slow gets the newest only.
    pub fn progress_stream(&self) -> impl Stream<Item = Progress> + Send + Unpin + use<> {
        let mut news = self.progress.subscribe();
        news.mark_changed();
        Box::pin(unfold(news, async |mut news| {
            loop {
                news.changed().await.ok()?;
                let now = news.borrow_and_update().clone();
                if let Some(now) = now {
                    return Some((now, news));
                }
            }
        }))
    }

    /// The end, if the session has ended.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Indices of the parties that have finished with the agreed outcome, ascending; nobody while the session lives.
    #[must_use]
    pub fn finished(&self) -> Vec<u16> {
        let Some(End::Finished { outcome: agreed }) = &self.end else {
            return Vec::new();
        };
        let entries = self.last_entries.iter();
        let finished = entries.filter_map(|signed| match &signed.entry {
            WireEntry::Finish(finish) => (finish.outcome == *agreed).then_some(finish.index),
            WireEntry::Post(_) => None,
        });
        let mut finished: Vec<u16> = finished.collect();
        finished.sort_unstable();
        finished
    }

    /// The proof of the transcript before the open round, if this is it.
    pub(super) fn anchor_at(&self, round: u32) -> Option<pb::Anchor> {
        let now = self.now.as_ref()?;
        (now.leaf.open_round == round).then(|| now.anchor())?
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until there is reason to look again.
    pub async fn wait_news(&mut self) {
        self.wake = self.wakeups.next().await;
    }

    /// Looks often for a while: something was just sent.
    pub(super) fn hurry(&mut self) {
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

    /// Since when all replicas must have been asked how far the board is: at first, after silence, and each quarter of the
    /// time that is left to the open round. A single one could show an old state for ever.
    fn asked_since(&self) -> Instant {
        let quarter = self.time_left().unwrap_or(Duration::MAX) / 4;
        let age = match self.wake {
            Wake::Timer => ASK_ALL.least,
            Wake::Block => ASK_ALL.clamp(quarter),
        };
        let now = Instant::now();
        // The clock may have begun later than that: then they are asked now.
        now.checked_sub(age).unwrap_or(now).max(self.asked_since)
    }

    /// Time that the open round has left, as far as is known; `None` while its clock hasn't started.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let now = self.now.as_ref()?;
        let deadline_ms = (now.leaf.deadline_ms > 0).then_some(now.leaf.deadline_ms)?;
        let left = Duration::from_millis(deadline_ms.saturating_sub(now.board_ms()));
        Some(left.saturating_sub(self.read_at.elapsed()))
    }

    fn announce(&self, now: &Verified<SessionState>) {
        let members = self.history.members();
        let live = now.leaf.status.is_live();
        let progress = Progress {
            status: now.leaf.status,
            round: now.leaf.open_round,
            filled: now.filled().count(),
            members: members.count(),
            waiting_for: self.awaited(now),
            left: now.leavers(),
            deadline_ms: if live { now.leaf.deadline_ms } else { 0 },
            board_ms: now.board_ms(),
            height: now.height(),
            last_call: now.leaf.call_blocks > 0,
            dispute: self.dispute_of(now),
        };
        self.progress.send_if_modified(|before| {
            let changed = before.as_ref() != Some(&progress);
            *before = Some(progress);
            changed
        });
    }
}
