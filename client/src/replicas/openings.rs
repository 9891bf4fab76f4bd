//! Knowing when to look for new sessions: when a block has opened one for the party, says whoever is followed.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use white_city_wire::{IdentityKey, read::KEY_HINT_BYTES};

use super::{event::KeyHint, wakeups::Seen};
use crate::bounds::Bounds;

/// Longest time without a look while so many replicas are followed that one of them is honest, and else.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_ALONE: Duration = Duration::from_secs(1);
/// Pause after a look that found nothing of what whoever is followed had told of: it may tell of whatever it likes.
const BARREN: Bounds = Bounds::ms(50, 2_000);

/// One party's view of the followers.
pub(crate) struct Openings {
    seen: watch::Receiver<Seen>,
    party: KeyHint,
    /// Number of blocks that are known, of those that each follower has heard of.
    blocks: Vec<u64>,
    /// Somebody has told of news, and nobody has looked since.
    has_news: bool,
    /// The last look was for news.
    was_told: bool,
    looked: Instant,
    pause: Duration,
}

impl Openings {
    pub(crate) fn new(seen: watch::Receiver<Seen>, party: &IdentityKey) -> Self {
        let blocks = seen.borrow().blocks();
        let mut hint = [0; KEY_HINT_BYTES];
        let bytes = hint.iter_mut().zip(party.as_bytes());
        bytes.for_each(|(hint, byte)| *hint = *byte);
        Self {
            seen,
            party: hint,
            blocks,
            // What came before is news, too.
            has_news: true,
            was_told: false,
            looked: Instant::now(),
            pause: Duration::ZERO,
        }
    }

    /// Waits until there is reason to look.
    pub(crate) async fn next(&mut self) {
        loop {
            let is_news = self.is_news();
            let longest = match is_news {
                true => self.pause,
                false => self.longest(),
            };
            tokio::select! {
                () = sleep_until(self.looked + longest) => return,
                changed = self.seen.changed(), if !is_news => if changed.is_err() {
                    // Nobody follows any more: only the timer is left.
                    return sleep_until(self.looked + LOOK_ALONE).await;
                },
            }
        }
    }

    fn longest(&self) -> Duration {
        match self.seen.borrow().are_all_connected() {
            true => LOOK,
            false => LOOK_ALONE,
        }
    }

    fn is_news(&mut self) -> bool {
        let news = self.seen.borrow_and_update().since(&mut self.blocks);
        self.has_news |= news.iter().any(|block| {
            let parties = block.as_ref().map(|block| &block.parties);
            parties.is_none_or(|parties| parties.contains(&self.party))
        });
        self.has_news
    }

    /// A look begins: what is told of from now on is worth another one.
    pub(crate) fn look(&mut self) {
        self.was_told = self.is_news();
        self.has_news = false;
    }

    /// A look has ended, and has found something, or not.
    pub(crate) fn has_looked(&mut self, has_found: bool) {
        self.looked = Instant::now();
        self.pause = match self.was_told && !has_found {
            true => BARREN.doubled(self.pause),
            false => Duration::ZERO,
        };
    }

    /// A look has failed: the next one comes in a while.
    pub(crate) fn has_failed(&mut self) {
        (self.has_news, self.was_told) = (true, true);
        self.has_looked(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Signer as _, replicas::BlockEvent};

    fn party(number: u8) -> IdentityKey {
        let key = crate::LocalKey::from_seed(&[number; 32]).unwrap();
        key.identity()
    }

    fn block(height: u64, parties: &[IdentityKey]) -> Option<BlockEvent> {
        let hint = |party: &IdentityKey| party.as_bytes()[..KEY_HINT_BYTES].try_into().unwrap();
        Some(BlockEvent {
            height,
            parties: parties.iter().map(hint).collect(),
            ..BlockEvent::default()
        })
    }

    fn waiter() -> (watch::Sender<Seen>, Openings) {
        let mut seen = Seen::new(2);
        for follower in 0..2 {
            seen.by(follower).unwrap().is_connected = true;
        }
        let (sender, receiver) = watch::channel(seen);
        let mut openings = Openings::new(receiver, &party(1));
        assert!(openings.is_news(), "nobody has looked yet");
        openings.look();
        openings.has_looked(true);
        (sender, openings)
    }

    #[tokio::test(start_paused = true)]
    async fn blocks_wake_whom_they_open_a_session_for() {
        let (sender, mut openings) = waiter();
        let mut tell = |follower, block| {
            sender.send_modify(|seen| seen.by(follower).unwrap().note(block));
            let is_news = openings.is_news();
            openings.look();
            is_news
        };
        assert!(!tell(0, block(5, &[])));
        assert!(!tell(0, block(6, &[party(2), party(3)])));
        assert!(tell(1, block(9, &[party(2), party(1)])));
        assert!(!tell(0, block(7, &[])));
        assert!(tell(0, block(9, &[])), "block 8 is missing");
        assert!(tell(1, None), "nobody knows what happened");
        assert!(!tell(1, block(20, &[])));
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_comes_at_once_with_news_and_now_and_then_without() {
        let (sender, mut openings) = waiter();
        let began = Instant::now();
        openings.next().await;
        assert!(began.elapsed() >= LOOK);
        openings.look();
        openings.has_looked(true);
        sender.send_modify(|seen| seen.by(1).unwrap().note(block(3, &[party(1)])));
        let began = Instant::now();
        openings.next().await;
        assert!(began.elapsed() < BARREN.least, "at once");
        openings.look();
        openings.has_looked(false);
        sender.send_modify(|seen| seen.by(0).unwrap().is_connected = false);
        let began = Instant::now();
        openings.next().await;
        assert!(began.elapsed() >= LOOK_ALONE && began.elapsed() < LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_tells_of_what_there_isnt_is_heeded_more_and_more_seldom() {
        let (sender, mut openings) = waiter();
        let began = Instant::now();
        for height in 1..=20 {
            let told = block(height, &[party(1)]);
            sender.send_modify(|seen| seen.by(0).unwrap().note(told));
            openings.next().await;
            openings.look();
            openings.has_looked(false);
        }
        assert!(began.elapsed() > BARREN.most * 12, "{:?}", began.elapsed());
        openings.next().await;
        openings.look();
        openings.has_looked(false);
        sender.send_modify(|seen| seen.by(1).unwrap().note(block(1, &[party(1)])));
        let began = Instant::now();
        openings.next().await;
        assert!(began.elapsed() < BARREN.least, "it was quiet for a while");
    }
}
