//! How many sessions each rule has let in of late.

use std::collections::{BTreeMap, VecDeque};

use white_city_client::SessionId;

use super::Rate;

/// When each rule has let sessions in, the oldest first, ms since 1970. A session counts once.
#[derive(Debug, Default)]
pub struct Rates(BTreeMap<String, VecDeque<(SessionId, u64)>>);

impl Rates {
    /// Whether a rule may let one more in.
    pub fn have_room(&self, rule: &str, rate: &Rate, now_ms: u64) -> bool {
        let per = u64::try_from(rate.per.as_millis()).unwrap_or(u64::MAX);
        let since = now_ms.saturating_sub(per);
        let let_in = self.0.get(rule).map_or(0, |times| {
            times.iter().rev().take_while(|(_, at)| *at > since).count()
        });
        let_in < usize::try_from(rate.sessions).unwrap_or(usize::MAX)
    }

    /// Notes one that was let in, and forgets what is older than `keep_ms`.
    pub fn note(&mut self, rule: &str, session: SessionId, now_ms: u64, keep_ms: u64) {
        let times = self.0.entry(rule.to_owned()).or_default();
        if times.iter().any(|(known, _)| *known == session) {
            return;
        }
        times.push_back((session, now_ms));
        let is_old = |at: u64| now_ms.saturating_sub(at) > keep_ms;
        while times.front().is_some_and(|(_, at)| is_old(*at)) {
            times.pop_front();
        }
    }

    /// Whether a session was let in by a rule already.
    pub fn has(&self, rule: &str, session: SessionId) -> bool {
        let times = self.0.get(rule);
        times.is_some_and(|times| times.iter().any(|(known, _)| *known == session))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rule_lets_in_so_many_in_so_long_and_others_dont_count() {
        let rate = Rate {
            sessions: 2,
            per: Duration::from_secs(10),
        };
        let mut rates = Rates::default();
        let room = |rates: &Rates, now| rates.have_room("a", &rate, now);
        rates.note("a", SessionId([1; 32]), 1_000, 10_000);
        rates.note("b", SessionId([3; 32]), 1_000, 10_000);
        assert!(room(&rates, 1_000));
        rates.note("a", SessionId([4; 32]), 5_000, 10_000);
        assert!(!room(&rates, 5_000) && !room(&rates, 10_999));
        assert!(room(&rates, 11_000));
        rates.note("a", SessionId([5; 32]), 11_000, 10_000);
        assert!(!room(&rates, 14_999) && room(&rates, 15_000));
        // One that is let in once more counts once.
        rates.note("a", SessionId([4; 32]), 5_000, 10_000);
        assert!(rates.has("a", SessionId([1; 32])) && !rates.has("b", SessionId([1; 32])));
        // What no rate looks back to is forgotten.
        rates.note("a", SessionId([6; 32]), 100_000, 10_000);
        assert_eq!(rates.0["a"].len(), 1);
    }
}
