//! Report of what was sent, and what came back.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use serde_json::json;

/// Counts by kind and by answer, shared by all senders.
#[derive(Clone)]
pub struct Report {
    began: Instant,
    counts: Arc<Mutex<Counts>>,
}

/// By kind, then by answer.
type Counts = BTreeMap<&'static str, BTreeMap<String, u64>>;

impl Report {
    /// Nothing has been sent.
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            counts: Arc::default(),
        }
    }

    /// Counts an answer.
    pub fn count(&self, kind: &'static str, answer: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = counts.entry(kind).or_default();
        *answers.entry(answer.to_owned()).or_default() += 1;
    }

    fn counts(&self) -> Counts {
        let counts = self.counts.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One JSON object on one line.
    pub fn json(&self) -> String {
        let kinds: serde_json::Map<_, _> = self
            .counts()
            .into_iter()
            .map(|(kind, answers)| (kind.to_owned(), json!(answers)))
            .collect();
        let seconds = self.began.elapsed().as_secs_f64();
        format!("{}\n", json!({ "seconds": seconds, "sent": kinds }))
    }

    /// A table for people.
    pub fn text(&self) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut text = format!(
            "in {seconds:.1} s\n{:<15} {:>9} {:>8}  answers\n",
            "kind", "sent", "a second"
        );
        for (kind, answers) in self.counts() {
            let sent: u64 = answers.values().sum();
            let answers: Vec<String> = answers
                .iter()
                .map(|(answer, count)| format!("{answer}: {count}"))
                .collect();
            let rate = sent as f64 / seconds;
            // Writing to a string can't fail.
            let _ = writeln!(
                text,
                "{kind:<15} {sent:>9} {rate:>8.0}  {}",
                answers.join(", ")
            );
        }
        text
    }
}
