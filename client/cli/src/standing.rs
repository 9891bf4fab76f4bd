//! Telling whoever waits that the board stands still, and which replicas don't answer.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;
use white_city_client::{Client, ReplicaHeight};

use crate::output::Output;

/// Time after which something is said, and between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// The board as somebody sees it who looks again and again.
#[derive(Debug)]
struct Seen {
    height: u64,
    since: Instant,
    /// What was said last.
    said: Option<String>,
}

/// Looks at the board until it isn't waited for any more.
pub async fn tell(client: &Client, output: &Output) -> Infallible {
    let heartbeat = Duration::from_millis(client.network().params.heartbeat_ms.into());
    let mut seen = Seen {
        height: client.height(),
        since: Instant::now(),
        said: None,
    };
    loop {
        sleep(LOOK).await;
        let heights = client.heights().await;
        if let Some((text, event)) = seen.look(&heights, LOOK + heartbeat, Instant::now()) {
            output.event(&event);
            output.note(&text);
        }
    }
}

impl Seen {
    /// What there is to say, if it is another thing than the last time.
    fn look(
        &mut self,
        heights: &[ReplicaHeight],
        patience: Duration,
        now: Instant,
    ) -> Option<(String, Value)> {
        let proven = heights.iter().filter_map(|one| one.height.as_ref().ok());
        let highest = proven.copied().max().unwrap_or(0);
        if highest > self.height {
            (self.height, self.since) = (highest, now);
        }
        let silent = heights.iter().filter_map(|one| {
            let reason = one.height.as_ref().err()?;
            Some((one.replica.as_str(), reason.as_str()))
        });
        let silent: Vec<(&str, &str)> = silent.collect();
        let still = now.saturating_duration_since(self.since);
        let stands = still >= patience;
        let mut key = String::new();
        if stands {
            key = format!("stands at {}", self.height);
        }
        for (replica, _) in &silent {
            key += &format!(" without {replica}");
        }
        let same = match &self.said {
            None => key.is_empty(),
            Some(said) => *said == key,
        };
        if same {
            return None;
        }
        self.said = Some(key);
        let standing_ms = u64::try_from(still.as_millis()).unwrap_or(u64::MAX);
        let event = json!({
            "event": "standing",
            "height": self.height,
            "standing_ms": if stands { standing_ms } else { 0 },
            "unreachable": silent.iter().map(|(replica, _)| *replica).collect::<Vec<_>>(),
        });
        Some((self.text(stands.then_some(still), &silent), event))
    }

    fn text(&self, still: Option<Duration>, silent: &[(&str, &str)]) -> String {
        let mut text = match still {
            Some(still) => format!(
                "the board hasn't moved for {} s, at height {}",
                still.as_secs(),
                self.height
            ),
            None => format!("the board goes on, at height {}", self.height),
        };
        for (replica, reason) in silent {
            text += &format!("; no answer from {replica}: {reason}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn heights(of: &[Option<u64>]) -> Vec<ReplicaHeight> {
        let one = |(k, height): (usize, &Option<u64>)| ReplicaHeight {
            replica: format!("http://replica{k}"),
            height: height.ok_or_else(|| "timed out".to_owned()),
        };
        of.iter().enumerate().map(one).collect()
    }

    #[test]
    fn a_board_that_stands_still_is_told_once_with_who_is_silent_and_again_when_it_goes_on() {
        let start = Instant::now();
        let mut seen = Seen {
            height: 5,
            since: start,
            said: None,
        };
        let mut look = |seconds: u64, of: &[Option<u64>]| {
            let now = start + Duration::from_secs(seconds);
            let told = seen.look(&heights(of), PATIENCE, now);
            told.map(|(text, event)| (text, event["standing_ms"].as_u64().unwrap()))
        };
        assert_eq!(look(10, &[Some(5), Some(4)]), None);
        let (text, ms) = look(20, &[Some(5), None]).unwrap();
        assert!(text.contains("20 s, at height 5"), "{text}");
        assert!(text.contains("http://replica1: timed out"), "{text}");
        assert_eq!(ms, 20_000);
        assert_eq!(look(30, &[Some(5), None]), None);
        let (text, ms) = look(40, &[Some(6), None]).unwrap();
        assert!(text.contains("goes on, at height 6; no answer"), "{text}");
        assert_eq!(ms, 0);
        let (text, _) = look(50, &[Some(7), Some(7)]).unwrap();
        assert_eq!(text, "the board goes on, at height 7");
        assert_eq!(look(60, &[Some(8), Some(8)]), None);
    }
}
