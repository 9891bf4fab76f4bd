//! One question to several replicas, one after the other until one answers: whom to ask next, and when to stop waiting.

use std::{sync::Arc, time::Duration, vec};

use super::{Endpoint, FIRST_HEDGE, ReadError, Replicas, Tally};

/// See the module.
pub(super) struct Race {
    others: vec::IntoIter<Arc<Endpoint>>,
    /// Those that lied are asked when nobody else is left.
    liars: vec::IntoIter<Arc<Endpoint>>,
    waiting: Vec<Awaited>,
    /// Number of those that have said that they don't have what is asked for.
    denials: usize,
    witnesses: usize,
}

/// One that was asked and hasn't answered yet.
struct Awaited {
    endpoint: Arc<Endpoint>,
    /// Another one was asked meanwhile because it is slow.
    is_overdue: bool,
}

impl Race {
    pub(super) fn new(replicas: &Replicas, tally: &Tally) -> Self {
        let order = replicas.in_order().into_iter();
        let order = order.filter(|endpoint| tally.may_ask(endpoint));
        let (liars, others): (Vec<_>, Vec<_>) =
            order.partition(|endpoint| replicas.has_lied(endpoint));
        Self {
            others: others.into_iter(),
            liars: liars.into_iter(),
            waiting: Vec::new(),
            denials: 0,
            witnesses: replicas.witnesses(),
        }
    }

    /// So many deny it that one of them is honest, and whoever could still answer is known to be slow.
    pub(super) fn is_over(&self, replicas: &Replicas) -> bool {
        let mut waiting = self.waiting.iter();
        self.is_denied()
            && self.others.len() == 0
            && waiting.all(|waiting| replicas.is_late(&waiting.endpoint))
    }

    fn is_denied(&self) -> bool {
        self.denials >= self.witnesses
    }

    /// Time to wait for those that are on their way now.
    pub(super) fn hedge(&self, replicas: &Replicas) -> Duration {
        let mut waiting = self.waiting.iter();
        let hedge = replicas.hedge();
        match waiting.all(|waiting| replicas.was_heard(&waiting.endpoint)) {
            true => hedge,
            false => hedge.min(FIRST_HEDGE),
        }
    }

    /// Whether there is something to do about slow ones: to ask another one, or to stop.
    pub(super) fn has_help(&self) -> bool {
        self.others.len() > 0 || self.is_denied()
    }

    /// The next one to ask, too, since those that were asked are slow; `None` when there is no reason to wait for them.
    pub(super) fn help(&mut self) -> Option<Arc<Endpoint>> {
        for waiting in &mut self.waiting {
            waiting.is_overdue = true;
        }
        self.next_honest()
    }

    /// The next one to ask, when nobody is on their way.
    pub(super) fn next(&mut self) -> Option<Arc<Endpoint>> {
        self.next_honest().or_else(|| {
            let liar = self.liars.next();
            self.ask(liar)
        })
    }

    /// The next one that hasn't lied.
    pub(super) fn next_honest(&mut self) -> Option<Arc<Endpoint>> {
        let next = self.others.next();
        self.ask(next)
    }

    fn ask(&mut self, next: Option<Arc<Endpoint>>) -> Option<Arc<Endpoint>> {
        let endpoint = next?;
        self.waiting.push(Awaited {
            endpoint: Arc::clone(&endpoint),
            is_overdue: false,
        });
        Some(endpoint)
    }

    /// Notes that one has answered, and who was slower than it.
    pub(super) fn note_answer<T>(
        &mut self,
        replicas: &Replicas,
        endpoint: &Endpoint,
        answer: &Result<T, ReadError>,
    ) {
        let is_it = |waiting: &Awaited| waiting.endpoint.name() == endpoint.name();
        let was_overdue = self.waiting.iter().any(|one| is_it(one) && one.is_overdue);
        self.waiting.retain(|waiting| !is_it(waiting));
        match answer {
            Ok(_) => {
                if !was_overdue {
                    replicas.note_late(endpoint, false);
                }
                for slower in self.waiting.iter().filter(|waiting| waiting.is_overdue) {
                    replicas.note_late(&slower.endpoint, true);
                }
            }
            Err(ReadError::Refused { .. } | ReadError::Behind { .. }) => {
                self.denials = self.denials.saturating_add(1);
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::tests::replicas, *};
    use crate::read::Lie;

    const NO: Result<(), ReadError> = Err(ReadError::Behind {
        shown: 1,
        expected: 2,
    });

    fn name(endpoint: Option<Arc<Endpoint>>) -> Option<String> {
        endpoint.map(|endpoint| endpoint.name().to_owned())
    }

    #[test]
    fn one_that_lied_is_asked_when_nobody_else_is_left_and_one_that_was_set_aside_never() {
        let replicas = replicas(1);
        let all = replicas.in_order();
        let mut tally = Tally::default();
        for liar in &all[..2] {
            let lied = ReadError::Lied(Lie::new("no"));
            replicas.note(&mut Tally::default(), liar, lied).unwrap();
        }
        tally.set_aside(&all[0]);
        let mut race = Race::new(&replicas, &tally);
        assert_eq!(name(race.next()).as_deref(), Some("http://c:1"));
        assert!(race.has_help());
        assert_eq!(name(race.help()).as_deref(), Some("http://d:1"));
        assert!(!race.has_help(), "a liar is no help");
        assert_eq!(name(race.next()).as_deref(), Some("http://b:1"));
        assert_eq!(name(race.next()), None);
    }

    #[test]
    fn when_enough_deny_it_those_that_are_only_silent_are_waited_for_no_more() {
        let replicas = replicas(1);
        assert_eq!(replicas.witnesses(), 2);
        let mut race = Race::new(&replicas, &Tally::default());
        let asked: Vec<_> = std::iter::from_fn(|| race.next()).collect();
        assert_eq!(asked.len(), 4);
        race.note_answer(&replicas, &asked[0], &NO);
        // It may be the liar's word, and an honest one may be slow.
        assert!(!race.has_help() && !race.is_over(&replicas));
        let lied: Result<(), _> = Err(ReadError::Lied(Lie::new("no")));
        race.note_answer(&replicas, &asked[1], &lied);
        assert!(!race.has_help() && !race.is_over(&replicas));
        race.note_answer(&replicas, &asked[2], &NO);
        assert!(race.has_help() && !race.is_over(&replicas));
        assert_eq!(name(race.help()), None);
        replicas.note_late(&asked[3], true);
        assert!(race.is_over(&replicas));
    }

    #[test]
    fn who_lets_itself_be_waited_for_until_another_one_answers_is_late() {
        let replicas = replicas(1);
        let mut race = Race::new(&replicas, &Tally::default());
        assert_eq!(
            race.hedge(&replicas),
            replicas.hedge(),
            "nobody is on the way"
        );
        let first = race.next().unwrap();
        assert_eq!(race.hedge(&replicas), FIRST_HEDGE);
        let second = race.help().unwrap();
        let third = race.next_honest().unwrap();
        race.note_answer(&replicas, &second, &Ok(()));
        let late: BTreeSet<_> = [&first, &second, &third]
            .into_iter()
            .filter(|endpoint| replicas.is_late(endpoint))
            .map(|endpoint| endpoint.name())
            .collect();
        assert_eq!(late, BTreeSet::from([first.name()]));
        let mut race = Race::new(&replicas, &Tally::default());
        assert_eq!(name(race.next()).as_deref(), Some(second.name()));
        assert_eq!(race.hedge(&replicas), replicas.hedge(), "it was heard");
    }
}
