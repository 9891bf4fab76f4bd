//! Shares of the bytes a second that go through the direct port, for addresses that move a lot of them.
//!
//! A replica's processor goes with the bytes that it reads, hashes and copies, whoever's they are. An address that moves little never
//! waits, nor does one that is alone. Where others are there, too, those that move a lot wait for one another.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// The part of what is moved a second for all of them that each address has for itself.
const OWN_PART: u64 = 8;
/// Most that an address saves up of its own, bytes: as much as the largest transaction takes, and some.
const OWN_SAVED: u64 = 2 << 20;
/// Time for which an address counts as present after it has asked.
const PRESENT: Duration = Duration::from_secs(1);

/// Bytes that were moved, less what may be moved in the meantime.
#[derive(Debug, Clone, Copy)]
struct Level {
    bytes: u64,
    at: Instant,
}

impl Level {
    const fn new(at: Instant) -> Self {
        Self { bytes: 0, at }
    }

    fn lower(&mut self, now: Instant, per_second: u64) {
        let micros = now.saturating_duration_since(self.at).as_micros();
        let less = micros.saturating_mul(per_second.into()) / 1_000_000;
        self.bytes = self
            .bytes
            .saturating_sub(less.try_into().unwrap_or(u64::MAX));
        self.at = now;
    }
}

struct Address {
    own: Level,
    asked: Instant,
}

/// Accounts of the addresses, and the one of all that move a lot.
struct Accounts {
    together: Level,
    addresses: BTreeMap<IpAddr, Address>,
}

/// Account of the bytes that addresses have moved lately.
pub struct Flow {
    per_second: u64,
    accounts: Mutex<Accounts>,
}

impl Flow {
    /// So many bytes a second for all addresses that move a lot, together.
    pub fn new(per_second: u64) -> Self {
        Self {
            per_second: per_second.max(OWN_PART),
            accounts: Mutex::new(Accounts {
                together: Level::new(Instant::now()),
                addresses: BTreeMap::new(),
            }),
        }
    }

    /// Waits until an address may move something, no longer than until then; whether it may.
    pub async fn may_move(&self, address: &IpAddr, until: Instant) -> bool {
        while let Some(wait) = self.wait(address) {
            if wait > until {
                return false;
            }
            sleep_until(wait).await;
        }
        true
    }

    /// Until when an address has to wait, if it has to.
    fn wait(&self, address: &IpAddr) -> Option<Instant> {
        let now = Instant::now();
        let mut accounts = self.accounts();
        let has_own = accounts.address(address, now, self.per_second).own.bytes < OWN_SAVED;
        if has_own || accounts.is_alone(address, now) {
            return None;
        }
        accounts.together.lower(now, self.per_second);
        let over = accounts.together.bytes.checked_sub(self.per_second)?;
        let micros = (u128::from(over) + 1) * 1_000_000 / u128::from(self.per_second);
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        // No shorter than the timer's steps.
        Some(now + Duration::from_micros(micros.max(1_000)))
    }

    /// Counts what an address moves, whether it has waited or not.
    pub fn count(&self, address: &IpAddr, bytes: usize) {
        let now = Instant::now();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let mut accounts = self.accounts();
        let own = &mut accounts.address(address, now, self.per_second).own;
        if own.bytes < OWN_SAVED {
            own.bytes = own.bytes.saturating_add(bytes);
        } else if !accounts.is_alone(address, now) {
            accounts.together.lower(now, self.per_second);
            accounts.together.bytes = accounts.together.bytes.saturating_add(bytes);
        }
    }

    /// Forgets who isn't there, and hasn't moved anything lately.
    pub fn forget_old(&self) {
        let (now, per_second) = (Instant::now(), self.per_second);
        let mut accounts = self.accounts();
        accounts.addresses.retain(|_, address| {
            address.own.lower(now, per_second / OWN_PART);
            address.own.bytes > 0 || is_present(address, now)
        });
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accounts {
    /// The account of one address up to now; from here on it is present.
    fn address(&mut self, address: &IpAddr, now: Instant, per_second: u64) -> &mut Address {
        let new = || Address {
            own: Level::new(now),
            asked: now,
        };
        let found = self.addresses.entry(*address).or_insert_with(new);
        found.own.lower(now, per_second / OWN_PART);
        found.asked = now;
        found
    }

    fn is_alone(&self, address: &IpAddr, now: Instant) -> bool {
        let mut others = self.addresses.iter().filter(|(other, _)| *other != address);
        !others.any(|(_, other)| is_present(other, now))
    }
}

fn is_present(address: &Address, now: Instant) -> bool {
    now.saturating_duration_since(address.asked) < PRESENT
}

#[cfg(test)]
mod tests {
    use super::*;

    const PER_SECOND: u64 = 8 << 20;
    const PIECE: usize = 1 << 20;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    /// Number of pieces that each of these moves in so many seconds, as fast as it may.
    async fn moved(flow: &Flow, addresses: &[u8], seconds: u64) -> Vec<u64> {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut moved = vec![0; addresses.len()];
        while Instant::now() < until {
            for (moved, last) in moved.iter_mut().zip(addresses) {
                if flow.wait(&address(*last)).is_none() {
                    flow.count(&address(*last), PIECE);
                    *moved += 1;
                }
            }
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        moved
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_that_is_alone_never_waits() {
        let flow = Flow::new(PER_SECOND);
        assert_eq!(moved(&flow, &[1], 10).await, [1_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_move_a_lot_share_what_there_is_for_them() {
        for count in [2_u8, 4, 16] {
            let flow = Flow::new(PER_SECOND);
            let addresses: Vec<u8> = (0..count).collect();
            let moved = moved(&flow, &addresses, 10).await;
            let each_own = 2 + 10;
            let (least, most) = (80, 80 + 8 + u64::from(count) * (each_own + 1));
            let sum: u64 = moved.iter().sum();
            assert!((least..=most).contains(&sum), "{count}: {moved:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_moves_little_never_waits_beside_any_number_that_move_a_lot() {
        let flow = Flow::new(PER_SECOND);
        let many: Vec<u8> = (10..200).collect();
        for _ in 0..20 {
            moved(&flow, &many, 1).await;
            assert_eq!(flow.wait(&address(1)), None);
            flow.count(&address(1), PIECE);
        }
        assert!(many.iter().any(|last| flow.wait(&address(*last)).is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_when_there_is_room_or_when_it_has_been_too_long() {
        let flow = Flow::new(PER_SECOND);
        let (one, other) = (address(1), address(2));
        flow.count(&other, 0);
        for _ in 0..20 {
            flow.count(&one, PIECE);
        }
        // Two of its own, and eighteen of theirs: ten seconds' hundredths too many.
        let start = Instant::now();
        assert!(
            !flow
                .may_move(&one, start + Duration::from_millis(100))
                .await
        );
        assert!(flow.may_move(&other, start).await);
        assert_eq!(Instant::now(), start);
        assert!(flow.may_move(&one, start + Duration::from_secs(10)).await);
        let waited = Instant::now() - start;
        // The other one is gone after a second.
        assert!((900..=1_300).contains(&waited.as_millis()), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_forgotten() {
        let flow = Flow::new(PER_SECOND);
        flow.count(&address(1), 2 * PIECE);
        flow.count(&address(2), 1);
        for (seconds, left) in [(0, 2), (1, 1), (2, 0)] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            flow.forget_old();
            assert_eq!(flow.accounts().addresses.len(), left);
        }
    }
}
