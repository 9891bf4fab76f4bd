//! A party that crashes and starts again.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Lets futures run for a while, and then forgets them. A step is one poll: whatever a party does between two waits.
#[derive(Debug, Clone)]
pub struct Crashing {
    /// After how many steps each start crashes; the next one lasts.
    steps: Vec<u32>,
    crashes: u32,
}

impl Crashing {
    /// Crashes once after so many steps, for each of these numbers. With none it never does.
    #[must_use]
    pub fn after(steps: impl IntoIterator<Item = u32>) -> Self {
        let mut steps: Vec<u32> = steps.into_iter().collect();
        steps.reverse();
        Self { steps, crashes: 0 }
    }

    /// Number of its crashes.
    #[must_use]
    pub const fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Runs this start to its end, or to the crash that is due: then it is dropped where it was, and there is no result.
    pub async fn start<T>(&mut self, party: impl Future<Output = T>) -> Option<T> {
        let mut left = self.steps.pop();
        let mut party = pin!(party);
        let end = poll_fn(|cx| {
            match &mut left {
                Some(0) => return Poll::Ready(None),
                Some(left) => *left -= 1,
                None => {}
            }
            party.as_mut().poll(cx).map(Some)
        });
        let result = end.await;
        self.crashes += u32::from(result.is_none());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_crashes_after_each_of_its_steps_and_then_lasts() {
        let mut crashing = Crashing::after([0, 2]);
        let (mut begun, mut ended) = (0, 0);
        for _ in 0..3 {
            let party = async {
                begun += 1;
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                ended += 1;
            };
            crashing.start(party).await;
        }
        // The first start isn't even polled once, the second one is dropped before its last step.
        assert_eq!((begun, ended, crashing.crashes()), (2, 1, 2));
    }
}
