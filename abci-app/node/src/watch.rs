//! A node whose engine stands still while the others go on: its process runs and answers as if nothing were wrong
//!
//! CometBFT ends up like that when it can't write to its disk: consensus stops, the rest goes on. It doesn't heal by itself, also
//! when there is space again; a restart does it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::rpc::Status;
use crate::supervisor::{Hold, Order, RunState};
use crate::{Error, join_file};

/// Number of times that heights are asked for in the time after which a node stands still.
const LOOKS: u32 = 6;

/// Watches the heights of replicas until it is dropped.
#[derive(Debug)]
pub struct Watch {
    task: JoinHandle<()>,
}

/// The last that was seen of a node that runs.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The process that had it, 0 where nobody knows.
    pid: u32,
    height: u64,
    /// Since when it has this height, as far as is known.
    since: Instant,
}

/// A replica that is watched.
pub struct Watched {
    /// The hold on it, where it is this machine's.
    pub hold: Option<Hold>,
    /// Its address.
    pub status: Status,
    /// A file that is there while it fetches a snapshot, and so has no height: it isn't restarted for that.
    pub joining: Option<PathBuf>,
}

impl Watched {
    /// The process of its engine if it is meant to go on, 0 where nobody knows.
    fn runs(&self) -> Option<u32> {
        let Some(hold) = &self.hold else {
            return Some(0);
        };
        let joins = self.joining.as_ref().is_some_and(|file| file.exists());
        let snapshot = hold.snapshot.borrow();
        (snapshot.state == RunState::Running && !joins).then_some(snapshot.node_pid)
    }
}

/// A node that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Still {
    index: usize,
    height: u64,
    others: u64,
}

impl Watch {
    /// Restarts each replica that there is a hold on and that stands still for so long, while at least so many of the others are ahead.
    pub fn start(replicas: Vec<Watched>, still: Duration, others: usize) -> Self {
        Self {
            task: tokio::spawn(watch(replicas, still, others)),
        }
    }
}

impl Watch {
    /// Restarts each of these replicas, by their addresses and homes, when it stands still while another one goes on; nobody, where
    /// there is one alone.
    ///
    /// # Errors
    /// [`Error::Rpc`] for an address that is none.
    pub fn among<'u>(
        replicas: impl Iterator<Item = (Hold, &'u String, PathBuf)>,
        still: Duration,
    ) -> Result<Option<Self>, Error> {
        let watched = replicas.map(|(hold, url, home)| {
            Ok(Watched {
                hold: Some(hold),
                status: Status::of(url)?,
                joining: Some(join_file::path(&home)),
            })
        });
        let watched: Vec<Watched> = watched.collect::<Result<_, Error>>()?;
        Ok((watched.len() > 1).then(|| Self::start(watched, still, 1)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(replicas: Vec<Watched>, still: Duration, others: usize) {
    let mut seen = vec![None; replicas.len()];
    loop {
        sleep(still / LOOKS).await;
        for (seen, replica) in seen.iter_mut().zip(&replicas) {
            let Some(pid) = replica.runs() else {
                *seen = None;
                continue;
            };
            if seen.is_some_and(|seen: Seen| seen.pid != pid) {
                // A process that was started again has its time again.
                *seen = None;
            }
            if let Ok(height) = replica.status.height().await {
                *seen = Some(look(*seen, (pid, height), Instant::now()));
            }
        }
        for found in stand_still(&seen, still, others, Instant::now()) {
            let order = Order::StandsStill {
                height: found.height,
                others: found.others,
            };
            if let Some(hold) = replicas.get(found.index).and_then(|one| one.hold.as_ref()) {
                // It may have ended by itself in the meantime.
                let _ = hold.order(order).await;
            }
        }
    }
}

fn look(before: Option<Seen>, (pid, height): (u32, u64), now: Instant) -> Seen {
    match before {
        Some(before) if before.height == height => before,
        _ => Seen {
            pid,
            height,
            since: now,
        },
    }
}

/// The nodes that have the same height as long ago, while so many others have gone on and are ahead: one alone may lie.
fn stand_still(seen: &[Option<Seen>], still: Duration, others: usize, now: Instant) -> Vec<Still> {
    let age = |one: &Seen| now.saturating_duration_since(one.since);
    let going = seen.iter().flatten().filter(|one| age(one) < still);
    let mut heights: Vec<u64> = going.map(|one| one.height).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    // The highest that so many have reached.
    let Some(&reached) = others.checked_sub(1).and_then(|k| heights.get(k)) else {
        return Vec::new();
    };
    let known = seen.iter().enumerate();
    let known = known.filter_map(|(index, seen)| Some((index, (*seen)?)));
    // One block may be on its way to everybody.
    let stands =
        known.filter(|(_, one)| age(one) >= still && one.height.saturating_add(1) < reached);
    stands
        .map(|(index, one)| Still {
            index,
            height: one.height,
            others: reached,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STILL: Duration = Duration::from_secs(30);
    const NOBODY: [usize; 0] = [];

    /// Heights, and for how many seconds they have been seen.
    fn found(seen: &[Option<(u64, u64)>]) -> Vec<usize> {
        found_by(1, seen)
    }

    fn found_by(others: usize, seen: &[Option<(u64, u64)>]) -> Vec<usize> {
        let start = Instant::now();
        let now = start + Duration::from_secs(1_000);
        let seen: Vec<_> = seen
            .iter()
            .map(|seen| {
                seen.map(|(height, seconds)| Seen {
                    pid: 1,
                    height,
                    since: now - Duration::from_secs(seconds),
                })
            })
            .collect();
        let found = stand_still(&seen, STILL, others, now);
        found.into_iter().map(|still| still.index).collect()
    }

    #[tokio::test]
    async fn one_stands_still_that_others_have_left_behind_for_long_enough() {
        assert_eq!(found(&[Some((5, 30)), Some((7, 1)), Some((7, 1))]), [0]);
        assert_eq!(found(&[Some((5, 29)), Some((7, 1))]), NOBODY);
        assert_eq!(found(&[Some((5, 30)), Some((6, 1))]), NOBODY);
        assert_eq!(found(&[Some((5, 99)), Some((2, 99)), Some((9, 0))]), [0, 1]);
    }

    #[tokio::test]
    async fn one_that_lies_about_its_height_is_not_enough_where_two_are_asked_for() {
        let liar = [Some((5, 30)), Some((u64::MAX - 1, 0)), Some((5, 1))];
        assert_eq!(found_by(2, &liar), NOBODY);
        assert_eq!(found_by(1, &liar), [0]);
        assert_eq!(
            found_by(2, &[Some((5, 30)), Some((9, 0)), Some((8, 1))]),
            [0]
        );
        assert_eq!(
            found_by(3, &[Some((5, 30)), Some((9, 0)), Some((8, 1))]),
            NOBODY
        );
        assert_eq!(found_by(0, &liar), NOBODY);
    }

    #[tokio::test]
    async fn nobody_stands_still_where_no_block_comes_or_nothing_is_known() {
        assert_eq!(
            found(&[Some((5, 99)), Some((9, 99)), Some((9, 30))]),
            NOBODY
        );
        assert_eq!(found(&[None, None]), NOBODY);
        assert_eq!(found(&[None, Some((9, 0))]), NOBODY);
    }

    #[tokio::test]
    async fn a_height_counts_from_when_it_was_first_seen() {
        let now = Instant::now();
        let first = look(None, (1, 3), now);
        let later = now + STILL;
        assert_eq!(look(Some(first), (1, 3), later).since, now);
        assert_eq!(look(Some(first), (1, 4), later).since, later);
    }
}
