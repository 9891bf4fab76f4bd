//! Knowing when to look again: when a block has changed the session, says whoever is followed; a timer covers its silence.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use white_city_wire::{SessionId, read::Standing};

use super::event::{BlockEvent, is_filled_further};
use crate::bounds::Bounds;

/// First and longest interval of looking without having been told: while nobody is followed.
const POLL: Bounds = Bounds::ms(50, 1_000);
/// The same while a replica is followed, which may be silent only because nothing happens.
const POLL_FOLLOWING: Bounds = Bounds::ms(400, 2_000);
/// Blocks wake a waiter at most once in this time: less than the fastest board takes for one.
const COALESCE: Duration = Duration::from_millis(5);
/// Time for which entries of others, in a round that hasn't closed by them, wait for more: most often the next block closes it.
const PARTIAL: Duration = Duration::from_millis(100);
/// Delay with which whoever is followed may tell of what a waiter has seen for itself.
const LATE: Duration = Duration::from_secs(1);
/// Number of times in a row that it may be later.
const LATE_TIMES: u32 = 3;
/// Blocks that are remembered for waiters that are busy meanwhile. Who misses more looks again anyway.
const BLOCKS_KEPT: usize = 16;
/// Largest number of changed sessions of them all that are remembered; a block that has more may have changed anything.
const CHANGES_KEPT: usize = 1 << 15;

/// The knowledge of followers, each by itself: of what one says nothing depends on what another one does.
#[derive(Debug)]
pub(crate) struct Seen(Vec<Feed>);

/// The blocks that one follower hears of from the replica that it follows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Feed {
    pub(crate) is_connected: bool,
    /// Number of blocks that were heard of.
    blocks: u64,
    /// The newest of them, the last one at the end; `None` for one that may have changed anything.
    recent: VecDeque<Option<Arc<BlockEvent>>>,
}

impl Seen {
    /// By so many followers.
    pub(crate) fn new(followers: usize) -> Self {
        Self(vec![Feed::default(); followers])
    }

    /// The blocks that are heard of by one of them.
    pub(crate) fn by(&mut self, follower: usize) -> Option<&mut Feed> {
        self.0.get_mut(follower)
    }

    fn is_connected(&self) -> bool {
        self.0.iter().any(|heard| heard.is_connected)
    }

    /// Whether each of them follows a replica: then one of those is honest.
    pub(super) fn are_all_connected(&self) -> bool {
        self.0.iter().all(|heard| heard.is_connected)
    }

    /// Number of blocks that each of them has heard of.
    pub(super) fn blocks(&self) -> Vec<u64> {
        self.0.iter().map(|heard| heard.blocks).collect()
    }

    /// The blocks that were heard of since each of them had heard of as many as `known`, which is what it has heard of now: `None` for
    /// those that may have changed anything.
    pub(super) fn since(&self, known: &mut Vec<u64>) -> Vec<Option<Arc<BlockEvent>>> {
        let known = std::mem::replace(known, self.blocks());
        let news = self.0.iter().zip(known).flat_map(|(heard, known)| {
            let new = usize::try_from(heard.blocks.saturating_sub(known)).unwrap_or(usize::MAX);
            // Some have been forgotten since: they may have changed anything.
            let forgotten = (new > heard.recent.len()).then_some(None);
            let recent = heard.recent.iter().rev().take(new);
            forgotten.into_iter().chain(recent.cloned())
        });
        news.collect()
    }
}

impl Feed {
    /// Notes a block, or that something has happened that isn't known.
    pub(crate) fn note(&mut self, block: Option<BlockEvent>) {
        self.blocks = self.blocks.saturating_add(1);
        // An event that doesn't follow on the one before says nothing of what happened in between.
        let before = self
            .recent
            .back()
            .and_then(Option::as_ref)
            .map(|b| b.height);
        let expected = before.and_then(|before| before.checked_add(1));
        let follows = |block: &BlockEvent| expected.is_none_or(|height| height == block.height);
        let block = block.filter(follows);
        let block = block.filter(|block| block.weight() <= CHANGES_KEPT);
        self.recent.push_back(block.map(Arc::new));
        while self.recent.len() > BLOCKS_KEPT || self.changes() > CHANGES_KEPT {
            self.recent.pop_front();
        }
    }

    fn changes(&self) -> usize {
        let blocks = self.recent.iter().flatten();
        blocks.map(|block| block.weight()).sum()
    }
}

/// Why to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// There is a new block that matters.
    Block,
    /// Nothing was heard for a while: whom we follow may be behind or silent.
    Timer,
}

/// One waiter's view of a follower.
pub(crate) struct Wakeups {
    seen: watch::Receiver<Seen>,
    session: SessionId,
    /// The session's standing when the waiter looked last.
    standing: Option<Standing>,
    /// Number of blocks that the waiter knows about, of those that each follower has heard of.
    blocks: Vec<u64>,
    /// It knows of news and hasn't looked yet, or was stopped while it looked.
    has_news: bool,
    /// When it first heard that its round was filled further, and of nothing else, since it looked.
    partial: Option<Instant>,
    pause: Duration,
    /// Before then, blocks wake nobody.
    not_before: Instant,
    woken_by: Wake,
    /// Since when whoever is followed hasn't told of what the waiter saw for itself.
    untold: Option<Instant>,
    /// Number of times that this has happened since it told of something first.
    late_times: u32,
}

impl Wakeups {
    pub(crate) fn new(seen: watch::Receiver<Seen>, session: SessionId) -> Self {
        let blocks = seen.borrow().blocks();
        Self {
            seen,
            session,
            standing: None,
            blocks,
            has_news: false,
            partial: None,
            pause: POLL.least,
            not_before: Instant::now(),
            woken_by: Wake::Timer,
            untold: None,
            late_times: 0,
        }
    }

    /// Waits until there is reason to look again: a block that has changed the session, or a pause that grows while none does.
    pub(crate) async fn next(&mut self) -> Wake {
        self.woken_by = self.wait().await;
        self.woken_by
    }

    async fn wait(&mut self) -> Wake {
        // Whoever is followed may send events as fast as it likes.
        sleep_until(self.not_before).await;
        let until = Instant::now() + self.pause;
        loop {
            if self.is_news() {
                self.untold = None;
                self.late_times = 0;
                self.pause = self.poll().most;
                self.not_before = Instant::now() + COALESCE;
                return Wake::Block;
            }
            let filled = self.partial.map(|since| since + PARTIAL);
            tokio::select! {
                changed = self.seen.changed() => if changed.is_err() {
                    // Nobody follows any more: only the timer is left.
                    sleep_until(until).await;
                    return self.slower();
                },
                () = sleep_until(filled.unwrap_or(until)), if filled.is_some() => self.has_news = true,
                () = sleep_until(until) => return self.slower(),
            }
        }
    }

    /// Whether a block that the waiter hasn't heard of yet may have changed the session.
    fn is_news(&mut self) -> bool {
        let news = self.seen.borrow_and_update().since(&mut self.blocks);
        for block in news {
            let Some(block) = block else {
                self.has_news = true;
                continue;
            };
            let now = block.sessions.get(&self.session);
            if now.is_some() {
                self.untold = None;
            }
            match (now, &self.standing) {
                (None, _) => {}
                (Some(now), Some(before)) if now == before => {}
                (Some(now), Some(before)) if is_filled_further(now, before) => {
                    self.partial.get_or_insert_with(Instant::now);
                }
                (Some(_), _) => self.has_news = true,
            }
        }
        self.has_news
    }

    /// The waiter has looked to the end, whatever it saw: there are no news that it hasn't tried to read.
    pub(crate) const fn has_looked(&mut self) {
        self.has_news = false;
        self.partial = None;
    }

    fn slower(&mut self) -> Wake {
        self.pause = self.poll().doubled(self.pause);
        Wake::Timer
    }

    /// Looks often again, because something was just sent.
    pub(crate) fn hurry(&mut self) {
        self.pause = self.poll().least;
    }

    /// The waiter has seen this: what says no more than this is no news.
    pub(crate) fn has_read(&mut self, standing: Standing) {
        let before = self.standing.replace(standing);
        if self.woken_by == Wake::Timer && before.is_some_and(|before| before != standing) {
            self.untold.get_or_insert_with(Instant::now);
            self.late_times = self.late_times.saturating_add(1);
        }
    }

    /// Whoever keeps news to itself is trusted no more than nobody.
    fn poll(&self) -> Bounds {
        let is_late = self.untold.is_some_and(|since| since.elapsed() >= LATE);
        let is_told = !is_late && self.late_times <= LATE_TIMES;
        match is_told && self.seen.borrow().is_connected() {
            true => POLL_FOLLOWING,
            false => POLL,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const MINE: SessionId = SessionId([1; 32]);

    const fn standing(filled: u32) -> Standing {
        Standing {
            status: 2,
            open_round: 1,
            filled,
            left: 0,
            culprits: 0,
            number: 0,
        }
    }

    fn block(height: u64, session: SessionId, filled: u32) -> Option<BlockEvent> {
        let sessions = BTreeMap::from([(session, standing(filled))]);
        Some(BlockEvent {
            height,
            sessions,
            ..BlockEvent::default()
        })
    }

    fn waiter() -> (watch::Sender<Seen>, Wakeups) {
        let mut seen = Seen::new(2);
        seen.by(0).unwrap().is_connected = true;
        let (sender, receiver) = watch::channel(seen);
        (sender, Wakeups::new(receiver, MINE))
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_fills_is_looked_at_when_it_closes_or_a_little_later() {
        let (sender, mut wakeups) = waiter();
        wakeups.has_read(standing(1));
        wakeups.hurry();
        let tell = |height, now| {
            let sessions = BTreeMap::from([(MINE, now)]);
            sender.send_modify(|seen| {
                seen.by(0).unwrap().note(Some(BlockEvent {
                    height,
                    sessions,
                    ..BlockEvent::default()
                }))
            });
        };
        let began = Instant::now();
        tell(5, standing(2));
        assert!(!wakeups.is_news());
        tell(6, standing(3));
        assert_eq!(wakeups.next().await, Wake::Block);
        assert!(began.elapsed() >= PARTIAL);
        wakeups.has_looked();
        wakeups.has_read(standing(3));
        tell(7, standing(4));
        let began = Instant::now();
        let closed = Standing {
            open_round: 2,
            ..standing(0)
        };
        tell(8, closed);
        assert_eq!(wakeups.next().await, Wake::Block);
        assert!(began.elapsed() < PARTIAL);
        wakeups.has_looked();
        wakeups.has_read(closed);
        for (height, other) in [
            Standing { left: 1, ..closed },
            Standing {
                culprits: 1,
                ..closed
            },
            Standing {
                status: 3,
                ..closed
            },
        ]
        .into_iter()
        .enumerate()
        {
            tell(9 + height as u64, other);
            assert!(wakeups.is_news(), "{other:?}");
            wakeups.has_looked();
        }
    }

    #[tokio::test]
    async fn a_flood_of_events_wakes_at_most_once_in_a_while() {
        let (sender, mut wakeups) = waiter();
        let began = Instant::now();
        for block in 0..4 {
            for _ in 0..100 {
                sender.send_modify(|seen| seen.by(0).unwrap().note(None));
            }
            assert_eq!(wakeups.next().await, Wake::Block);
            assert!(began.elapsed() >= COALESCE * block);
        }
    }

    #[tokio::test]
    async fn blocks_wake_whose_session_they_change() {
        let other = SessionId([2; 32]);
        let (sender, mut wakeups) = waiter();
        let tell = |wakeups: &mut Wakeups, block| {
            sender.send_modify(|seen| seen.by(0).unwrap().note(block));
            let is_news = wakeups.is_news();
            assert_eq!(wakeups.is_news(), is_news, "until the waiter has looked");
            wakeups.has_looked();
            is_news
        };
        let woken = &mut wakeups;
        assert!(!tell(woken, block(5, other, 1)));
        assert!(tell(woken, block(6, MINE, 1)));
        assert!(!tell(woken, block(7, other, 2)));
        assert!(tell(woken, block(9, other, 3)), "block 8 is missing");
        assert!(tell(woken, None), "nobody knows what happened");
        woken.has_read(standing(4));
        assert!(!tell(woken, block(20, MINE, 4)), "what was read already");
        assert!(!tell(woken, block(21, MINE, 5)), "not at once");
        for height in 22..=22 + BLOCKS_KEPT as u64 {
            sender.send_modify(|seen| seen.by(0).unwrap().note(block(height, other, 1)));
        }
        assert!(wakeups.is_news(), "too many at once to remember");
        wakeups.has_looked();
        assert!(!wakeups.is_news());
    }

    #[tokio::test]
    async fn each_follower_is_heard_and_what_both_say_is_news_once() {
        let (sender, mut wakeups) = waiter();
        let tell = |follower, block| {
            sender.send_modify(|seen| seen.by(follower).unwrap().note(block));
        };
        let other = SessionId([2; 32]);
        // One of them tells of blocks that there never were.
        tell(0, block(1_000_000, other, 1));
        assert!(!wakeups.is_news());
        tell(1, block(5, MINE, 1));
        assert!(wakeups.is_news());
        wakeups.has_looked();
        wakeups.has_read(standing(1));
        tell(0, block(1_000_001, MINE, 1));
        assert!(!wakeups.is_news(), "the waiter knows it already");
        tell(1, block(6, other, 1));
        assert!(!wakeups.is_news());
        tell(0, block(7, other, 1));
        assert!(wakeups.is_news(), "blocks are missing at that one");
    }

    #[tokio::test]
    async fn blocks_that_change_many_sessions_are_remembered_as_far_as_there_is_room() {
        let (sender, mut wakeups) = waiter();
        let mut tell = |height, changes: usize| {
            let sessions = (0..changes).map(|number| {
                let mut id = [2; 32];
                id[..8].copy_from_slice(&(number as u64).to_be_bytes());
                (SessionId(id), standing(1))
            });
            let sessions = sessions.collect();
            let block = Some(BlockEvent {
                height,
                sessions,
                ..BlockEvent::default()
            });
            sender.send_modify(|seen| seen.by(0).unwrap().note(block));
            let is_news = wakeups.is_news();
            wakeups.has_looked();
            let seen = sender.borrow();
            (is_news, seen.0[0].recent.len(), seen.0[0].changes())
        };
        assert_eq!(tell(5, CHANGES_KEPT), (false, 1, CHANGES_KEPT));
        assert_eq!(tell(6, 1), (false, 1, 1));
        assert_eq!(tell(7, CHANGES_KEPT + 1), (true, 2, 1), "too many to say");
    }

    #[tokio::test]
    async fn whoever_keeps_news_to_itself_is_waited_for_no_longer_than_nobody() {
        let (sender, mut wakeups) = waiter();
        wakeups.has_read(standing(1));
        assert_eq!(wakeups.poll(), POLL_FOLLOWING);
        assert_eq!(wakeups.next().await, Wake::Timer);
        wakeups.has_read(standing(1));
        assert_eq!(wakeups.poll(), POLL_FOLLOWING, "there was nothing to tell");
        assert_eq!(wakeups.next().await, Wake::Timer);
        wakeups.has_read(standing(2));
        assert_eq!(wakeups.poll(), POLL_FOLLOWING, "it may be a little late");
        sender.send_modify(|seen| seen.by(0).unwrap().note(block(6, MINE, 2)));
        assert!(!wakeups.is_news(), "the waiter knows it already");
        assert_eq!(wakeups.untold, None);
        for filled in 3..=5 {
            assert_eq!(wakeups.poll(), POLL_FOLLOWING, "but not each time");
            wakeups.woken_by = Wake::Timer;
            wakeups.has_read(standing(filled));
            sender.send_modify(|seen| {
                seen.by(0)
                    .unwrap()
                    .note(block(4 + filled as u64, MINE, filled))
            });
            assert!(!wakeups.is_news());
        }
        assert_eq!(wakeups.poll(), POLL);
        wakeups.late_times = 0;
        wakeups.untold = Some(Instant::now() - LATE);
        assert_eq!(wakeups.poll(), POLL);
        sender.send_modify(|seen| seen.by(0).unwrap().note(block(10, MINE, 6)));
        assert_eq!(wakeups.next().await, Wake::Block);
        wakeups.has_looked();
        wakeups.has_read(standing(6));
        assert_eq!(wakeups.poll(), POLL_FOLLOWING, "it tells again");
    }

    #[tokio::test]
    async fn blocks_of_others_dont_put_the_timer_off() {
        let (sender, mut wakeups) = waiter();
        wakeups.hurry();
        let telling = tokio::spawn(async move {
            for height in 1.. {
                sender.send_modify(|seen| {
                    seen.by(0)
                        .unwrap()
                        .note(block(height, SessionId([2; 32]), 1))
                });
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let woken = tokio::time::timeout(POLL_FOLLOWING.least * 20, wakeups.next()).await;
        assert_eq!(woken, Ok(Wake::Timer));
        telling.abort();
    }
}
