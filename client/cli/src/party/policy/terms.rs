//! Bounds on what a session's opener chose.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Deserializer, de};
use white_city_client::Spec;

use crate::{args::duration, party::request::Request};

/// Bounds on a session's terms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    parties: Option<Range>,
    threshold: Option<Range>,
    /// Those who hold a key from then on, where it is given to others.
    holders: Option<Range>,
    /// Messages that one session signs.
    messages: Option<Range>,
    quorum: Option<Range>,
    corrupt: Option<Range>,
    join_time: Option<Times>,
    round_time: Option<Times>,
    /// How long payloads stay after the end.
    retention: Option<Times>,
    /// Most bytes of all entries together.
    max_bytes: Option<u64>,
    /// Whether sessions have to be fork-safe; they have, unless this says otherwise.
    #[serde(default = "fork_safe")]
    fork_safe: bool,
}

const fn fork_safe() -> bool {
    true
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            parties: None,
            threshold: None,
            holders: None,
            messages: None,
            quorum: None,
            corrupt: None,
            join_time: None,
            round_time: None,
            retention: None,
            max_bytes: None,
            fork_safe: true,
        }
    }
}

/// Numbers from one to another; both count.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    #[serde(default)]
    min: u16,
    #[serde(default = "no_bound")]
    max: u16,
}

const fn no_bound() -> u16 {
    u16::MAX
}

/// Times from one to another; both count.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    #[serde(default, deserialize_with = "time")]
    min: Option<Duration>,
    #[serde(default, deserialize_with = "time")]
    max: Option<Duration>,
}

impl Terms {
    /// Whether they say how many signers and how many holders a key has at least.
    pub fn bounds_holders(&self) -> bool {
        let least = |range: &Option<Range>| range.is_some_and(|range| range.min > 0);
        least(&self.threshold) && least(&self.holders)
    }

    /// Whether they say how many messages a session signs at most.
    pub fn bounds_messages(&self) -> bool {
        self.messages.is_some_and(|range| range.max < no_bound())
    }

    /// Whether a session's are within them.
    ///
    /// # Errors
    /// Which isn't.
    pub fn fit(&self, request: &Request) -> Result<(), String> {
        let spec = request.spec();
        within("parties", self.parties, spec.parties())?;
        within("quorum", self.quorum, spec.quorum)?;
        within("corrupt", self.corrupt, spec.corrupt)?;
        if let Some(threshold) = request.what.threshold() {
            within("threshold", self.threshold, threshold)?;
        }
        let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        if let Some(holders) = request.what.holders() {
            within("holders", self.holders, number(holders.len()))?;
        }
        let messages = request.what.messages().len();
        if messages > 0 {
            within("messages", self.messages, number(messages))?;
        }
        timely("join_time", self.join_time, spec.join_ms)?;
        timely("round_time", self.round_time, spec.round_ms)?;
        timely("retention", self.retention, spec.retention_ms)?;
        if let Some(most) = self.max_bytes.filter(|most| spec.max_bytes > *most) {
            return Err(expected("max_bytes", spec.max_bytes, 0, most));
        }
        match self.fork_safe && !Spec::is_fork_safe(spec) {
            true => Err("fork_safe: two groups of its parties may end differently".into()),
            false => Ok(()),
        }
    }
}

fn within(what: &str, range: Option<Range>, value: u16) -> Result<(), String> {
    match range {
        Some(Range { min, max }) if !(min..=max).contains(&value) => {
            Err(expected(what, value, min, max))
        }
        _ => Ok(()),
    }
}

fn timely(what: &str, times: Option<Times>, ms: u64) -> Result<(), String> {
    let Some(Times { min, max }) = times else {
        return Ok(());
    };
    let (min, max) = (min.unwrap_or_default(), max.unwrap_or(Duration::MAX));
    match (min..=max).contains(&Duration::from_millis(ms)) {
        true => Ok(()),
        false => Err(expected(
            what,
            format!("{ms} ms"),
            min.as_millis(),
            max.as_millis(),
        )),
    }
}

fn expected(what: &str, value: impl Display, min: impl Display, max: impl Display) -> String {
    format!("{what}: {value}, expected {min} to {max}")
}

/// A time, where one is given.
pub fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    some_time(from).map(Some)
}

/// A time.
pub fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    duration(&String::deserialize(from)?).map_err(de::Error::custom)
}
