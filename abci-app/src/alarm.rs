//! A block for a deadline that has passed, on a board where nothing else makes one.
//!
//! What decides that a deadline has passed is board time, which only blocks move: the header time of a block is the median of what the
//! validators' clocks said when they voted for the block before. On an idle board that takes up to two heartbeats. So a replica
//! by whose own clock a deadline has passed puts an *alarm* into its engine's mempool, which makes a block for it. An alarm never enters
//! a block: proposals leave it out, and a block that has one is refused. With the next block it leaves the mempool. The first block
//! after a pause has an old time; its votes give the next one the right time, so two of them are needed.
//!
//! A clock decides nothing else here. A wrong or hostile one makes at most one block a second, and alone not even that: the
//! other replicas take no alarm that isn't due by their own clocks, and wait for no block.

use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::timeout;
use white_city_wire::Refusal;

use crate::{committed::Committed, engine};

/// Tag that an alarm begins with: no protobuf message does, and no seal. The height of the last block follows.
const TAG: [u8; 8] = *b"\0WCALARM";
/// Pause between two looks of a replica at its clock.
const LOOK: Duration = Duration::from_millis(50);
/// The longest that its engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Largest answer of its, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Number of alarms that may follow on one another at once.
const BURST: NonZeroU32 = NonZeroU32::new(2).unwrap();

/// An alarm after the block of this height.
#[must_use]
pub fn encode(height: u64) -> Vec<u8> {
    [TAG, height.to_be_bytes()].concat()
}

/// The height of an alarm, if that is what it is.
fn decode(bytes: &[u8]) -> Option<u64> {
    let (tag, height) = bytes.split_first_chunk()?;
    let height = height.try_into().ok().map(u64::from_be_bytes)?;
    (*tag == TAG).then_some(height)
}

/// Whether this is an alarm, for any height.
pub(crate) fn is_alarm(bytes: &[u8]) -> bool {
    decode(bytes).is_some()
}

/// Bound on the alarms that are taken, in rate and by height.
pub(crate) struct Gate {
    rate: DefaultDirectRateLimiter,
    /// Height of the last one that was taken.
    taken: Mutex<Option<u64>>,
}

impl Gate {
    /// One that has let nothing through.
    pub fn new() -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(BURST);
        Self {
            rate: RateLimiter::direct(quota),
            taken: Mutex::default(),
        }
    }

    /// Takes an alarm into the engine's mempool, if it is of the last block and due by this replica's clock, and not too many have been
    /// taken.
    ///
    /// # Errors
    /// [`Refusal::AlarmNotDue`].
    pub fn take(&self, committed: &Committed, bytes: &[u8]) -> Result<(), Refusal> {
        let height = committed.tip.height;
        if decode(bytes) != Some(height) || !is_due(committed) {
            return Err(Refusal::AlarmNotDue);
        }
        let mut taken = self.taken();
        if *taken != Some(height) {
            self.rate.check().map_err(|_| Refusal::AlarmNotDue)?;
            *taken = Some(height);
        }
        Ok(())
    }

    /// The height of the last block, if by this machine's clock one is due for it and none was taken: a block comes then.
    pub fn due(&self, committed: &Committed) -> Option<u64> {
        let height = committed.tip.height;
        (height > 0 && *self.taken() != Some(height) && is_due(committed)).then_some(height)
    }

    fn taken(&self) -> MutexGuard<'_, Option<u64>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether by this machine's clock a deadline has passed of a session that the board's last block still saw in time. Where last call has
/// begun, each block makes the next one.
fn is_due(committed: &Committed) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let state = &committed.state;
    let board_ms = now_ms.saturating_sub(state.paused_ms());
    state.past_deadline(board_ms).any(|number| {
        let session = state.sessions().get(number);
        session.is_some_and(|session| session.leaf.call_blocks == 0)
    })
}

/// Puts alarms into the mempool of the engine whose RPC is at `rpc`, on a thread of its own, whenever one is `due` for the height of the
/// last block.
///
/// # Errors
/// When the thread can't be started.
pub fn watch(due: impl Fn() -> Option<u64> + Send + 'static, rpc: String) -> std::io::Result<()> {
    engine::watch("alarm", LOOK, async move || {
        let Some(height) = due() else { return };
        // The engine asks this replica whether to take it. Its answer doesn't matter: the alarm is sent again as long as a block is due.
        let path = format!("/broadcast_tx_sync?tx=0x{}", hex::encode(encode(height)));
        let sent = engine::get(&rpc, &path, ANSWER_BYTES_MAX);
        match timeout(PATIENCE, sent).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an alarm didn't reach the engine"),
            Err(_) => tracing::debug!("an alarm didn't reach the engine in time"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_no_transaction_and_nothing_else_is_an_alarm() {
        let alarm = encode(7);
        assert_eq!(decode(&alarm), Some(7));
        assert!(
            white_city_wire::seal::Seal::is_seal(&alarm),
            "it begins like one"
        );
        assert_eq!(white_city_wire::seal::Seal::decode(&alarm), None);
        let longer = [&alarm[..], &[0]].concat();
        for other in [&alarm[..15], &longer, b"\0WCSEAL1\0\0\0\0\0\0\0\x07", b""] {
            assert!(!is_alarm(other), "{other:?}");
        }
    }
}
