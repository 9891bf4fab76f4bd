//! One question to several replicas, one after the other until one answers: whom to ask next, and when to stop waiting.

use std::{sync::Arc, time::Duration, vec};

use super::{Endpoint, FIRST_HEDGE, ReadError, Replicas, Tally};

/// See the module.
pub(super) struct Race {
    others: vec::IntoIter<Arc<Endpoint>>,
    /// Those that lied are asked when nobody else is left.
    liars: vec::IntoIter<Arc<Endpoint>>,
    waiting: Vec<Waiting>,
    /// How many have said that they don't have what is asked for.
    denials: usize,
    witnesses: usize,
}

/// One that was asked and hasn't answered yet.
struct Waiting {
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
            witnesses: replicas.witnesses,
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

    /// How long those that are on their way are waited for now.
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

    /// Whom to ask, too, since those that were asked are slow; `None` when there is no reason to wait for them.
    pub(super) fn help(&mut self) -> Option<Arc<Endpoint>> {
        for waiting in &mut self.waiting {
            waiting.is_overdue = true;
        }
        self.next_honest()
    }

    /// Whom to ask next, when nobody is on their way.
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
        self.waiting.push(Waiting {
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
        let is_it = |waiting: &Waiting| waiting.endpoint.name() == endpoint.name();
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
            Err(ReadError::Refused { .. } | ReadError::Behind) => {
                self.denials = self.denials.saturating_add(1);
            }
            Err(_) => {}
        }
    }
}
