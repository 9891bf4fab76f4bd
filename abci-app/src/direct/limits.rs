//! Limits of each address at the direct port: requests a second, and bad transactions before it is made to wait.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;
use white_city_wire::Refusal;

/// Seconds of requests that an address may make at once.
const REQUESTS_SAVED: u32 = 2;
/// Every so many bytes of an answer count as one more request.
const REQUEST_BYTES: usize = 16 << 10;
/// Seconds of bad transactions that an address may hand over at once.
const BAD_SAVED: u32 = 16;
/// Time that an address waits that has handed over too many bad ones.
const PENALTY: Duration = Duration::from_secs(1);
/// An address in version 6 is whoever has the same leading bits: a single customer has that many.
const PREFIX_V6: u32 = 64;

/// The limits of a direct port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at once; more are closed, and their clients ask by way of CometBFT. Each takes a file.
    pub connections: u32,
    /// Most of them from one address.
    pub connections_per_address: u32,
    /// Requests a second from one address.
    pub requests_per_second: u32,
    /// Bad transactions a second from one address.
    pub bad_per_second: u32,
    /// Bytes a second, of requests and of answers, of addresses that move a lot of them where others are there, too.
    pub bytes_per_second: u32,
}

/// The address that a peer counts as, for limits.
pub fn address_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::MAX << (Ipv6Addr::BITS - PREFIX_V6);
            Ipv6Addr::from_bits(v6.to_bits() & prefix).into()
        }
        v4 => v4,
    }
}

/// Counts of each address: requests, and bad transactions that it has handed over.
pub struct Rates {
    requests: DefaultKeyedRateLimiter<IpAddr>,
    bad: DefaultKeyedRateLimiter<IpAddr>,
    /// Addresses that wait, and until when.
    waiting: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Rates {
    pub fn new(limits: &Limits) -> Self {
        let limiter = |per_second: u32, saved: u32| {
            let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::per_second(number(per_second));
            RateLimiter::keyed(quota.allow_burst(number(per_second.saturating_mul(saved))))
        };
        Self {
            requests: limiter(limits.requests_per_second, REQUESTS_SAVED),
            bad: limiter(limits.bad_per_second, BAD_SAVED),
            waiting: Mutex::default(),
        }
    }

    /// Counts a request; whether it may be answered now.
    pub fn may_ask(&self, address: &IpAddr) -> bool {
        self.requests.check_key(address).is_ok()
    }

    /// Counts a large answer as several requests: what a few bytes ask for may be a page of 1 MiB, or the roots of thousands of rounds.
    pub fn note_answered(&self, address: &IpAddr, bytes: usize) {
        let more = bytes / REQUEST_BYTES;
        // When nothing is left, the rest is forgotten.
        let _ = (0..more).all(|_| self.may_ask(address));
    }

    /// Until when an address has to wait before it may hand over anything.
    pub fn waits_until(&self, address: &IpAddr) -> Option<Instant> {
        let until = self.waiting().get(address).copied();
        until.filter(|until| Instant::now() < *until)
    }

    /// Counts what came of a transaction that was handed over.
    pub fn note_handed(&self, address: &IpAddr, code: u32) {
        if is_bad(code) && self.bad.check_key(address).is_err() {
            let until = Instant::now() + PENALTY;
            if self.waiting().insert(*address, until).is_none() {
                tracing::info!(%address, "bad transactions at the direct port: their sender has to wait");
            }
        }
    }

    /// Forgets whom there is nothing to know of any more.
    pub fn forget_old(&self) {
        self.requests.retain_recent();
        self.bad.retain_recent();
        let now = Instant::now();
        self.waiting().retain(|_, until| now < *until);
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a transaction with this code was one that nobody need have sent. What may be taken later is none, nor is what the board has,
/// or what came for a round that isn't open.
const fn is_bad(code: u32) -> bool {
    code != 0
        && !Refusal::is_transient(code)
        && !Refusal::is_stored(code)
        && !Refusal::is_round_not_open(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        connections: 1,
        connections_per_address: 1,
        requests_per_second: 10,
        bad_per_second: 2,
        bytes_per_second: 1,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_a_machine_or_the_network_of_a_customer() {
        for (one, other, is_same) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            let same = address_of(ip(one)) == address_of(ip(other));
            assert_eq!(same, is_same, "{one} {other}");
        }
    }

    #[test]
    fn each_address_has_requests_of_its_own() {
        let rates = Rates::new(&LIMITS);
        let (one, other) = (ip("10.0.0.1"), ip("10.0.0.2"));
        let asked = (0..100).filter(|_| rates.may_ask(&one)).count();
        // Two seconds' worth, and what comes while it is counted.
        assert!((20..=22).contains(&asked), "{asked}");
        assert!(rates.may_ask(&other));
    }

    #[test]
    fn large_answers_count_as_several_requests() {
        for (bytes, left) in [
            (0, 20),
            (REQUEST_BYTES - 1, 20),
            (REQUEST_BYTES, 19),
            (10 * REQUEST_BYTES, 10),
            (1_000 * REQUEST_BYTES, 0),
        ] {
            let rates = Rates::new(&LIMITS);
            let address = ip("10.0.0.1");
            rates.note_answered(&address, bytes);
            let asked = (0..100).filter(|_| rates.may_ask(&address)).count();
            // And what comes while it is counted.
            assert!((left..=left + 2).contains(&asked), "{bytes}: {asked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_hands_over_bad_transactions_waits_and_nobody_else_does() {
        let rates = Rates::new(&LIMITS);
        let (bad, good) = (ip("10.0.0.1"), ip("10.0.0.2"));
        for _ in 0..1_000 {
            for code in [0, 32, 64, 67, 68, 128, 133] {
                rates.note_handed(&good, code);
            }
        }
        let taken = (0..100).take_while(|_| {
            rates.note_handed(&bad, 34);
            rates.waits_until(&bad).is_none()
        });
        assert!((32..=33).contains(&taken.count()));
        assert_eq!(rates.waits_until(&good), None);
        tokio::time::advance(PENALTY).await;
        assert_eq!(rates.waits_until(&bad), None);
        rates.forget_old();
        assert!(rates.waiting().is_empty());
    }
}
