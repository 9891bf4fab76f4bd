//! Showing where a session stands while something runs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::watch;
use white_city_client::{Client, Progress, Stamping, wire::board::Status};
pub use white_city_gateway::shown::{dispute as dispute_json, progress as to_json};

use crate::{output::Output, standing};

/// Number of parties that are named before the rest is counted.
const NAMED: usize = 12;

/// Runs `work` and shows what happens to the session meanwhile, and if the board stands still.
pub async fn during<T>(
    output: &Output,
    client: &Client,
    mut news: watch::Receiver<Option<Progress>>,
    work: impl Future<Output = T>,
) -> T {
    let bar = bar(output);
    let mut last = String::new();
    news.mark_changed();
    let standing = async {
        match output.is_watched() {
            true => standing::tell(client, output).await,
            // A service looks at the board once for all of its parties.
            false => std::future::pending().await,
        }
    };
    tokio::pin!(work, standing);
    let result = loop {
        tokio::select! {
            biased;
            result = &mut work => break result,
            never = &mut standing => match never {},
            changed = news.changed() => {
                let now = news.borrow_and_update().clone();
                if let Some(now) = &now {
                    show(output, &bar, now, &mut last);
                }
                if changed.is_err() {
                    break work.await;
                }
            }
        }
    };
    bar.finish_and_clear();
    result
}

/// Pause between two lines about a stamp, where no line moves.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// Runs `work` and shows how far the stamp is that is computed meanwhile, if one is: a line that moves, or one every few seconds.
pub async fn while_stamping<T>(
    output: &Output,
    mut news: watch::Receiver<Option<Stamping>>,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    let mut shown: Option<(ProgressBar, Instant)> = None;
    loop {
        tokio::select! {
            biased;
            result = &mut work => return result,
            // Its sender is in the opening that the work has.
            Ok(()) = news.changed() => {
                let now = *news.borrow_and_update();
                shown = now.map(|now| show_stamping(output, shown.take(), &now));
            }
        }
    }
}

/// Shows how far a stamp is, with the line and the time when it was said in another way, of the last time.
fn show_stamping(
    output: &Output,
    shown: Option<(ProgressBar, Instant)>,
    now: &Stamping,
) -> (ProgressBar, Instant) {
    let is_first = shown.is_none();
    let (bar, mut said) = shown.unwrap_or_else(|| (bar(output), Instant::now()));
    let text = stamping_text(now);
    if is_first || said.elapsed() >= SAY_AGAIN {
        said = Instant::now();
        output.event(&stamping_json(now));
        if bar.is_hidden() {
            output.note(&text);
        }
    }
    bar.set_message(text);
    (bar, said)
}

/// A line that moves, where there is a terminal.
fn bar(output: &Output) -> ProgressBar {
    if !output.is_interactive() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}");
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        .with_finish(ProgressFinish::AndClear)
}

/// A stamp that is being computed, for machines.
pub fn stamping_json(now: &Stamping) -> Value {
    json!({
        "event": "stamping",
        "stamp_bits": now.bits,
        "hashes": now.hashes,
        "expected_hashes": now.expected_hashes(),
        "hashes_per_second": now.hashes_per_second(),
    })
}

fn stamping_text(now: &Stamping) -> String {
    let millions = |hashes: u64| format!("{}.{}", hashes / 1_000_000, hashes / 100_000 % 10);
    format!(
        "the board asks for a stamp of {} bits: {} of about {} million hashes, {} million a second, about {} in all",
        now.bits,
        millions(now.hashes),
        millions(now.expected_hashes()),
        millions(now.hashes_per_second()),
        seconds_text(now.expected().as_secs()),
    )
}

fn show(output: &Output, bar: &ProgressBar, now: &Progress, last: &mut String) {
    output.event(&to_json(now));
    let text = output.named(&to_text(now));
    bar.set_message(format!("{text}{}", time_left(now)));
    if bar.is_hidden() && *last != text {
        output.note(&text);
    }
    *last = text;
}

/// Indices, the first of them.
pub fn parties(indices: &[u16]) -> String {
    let named: Vec<String> = indices.iter().take(NAMED).map(u16::to_string).collect();
    let rest = indices.len().saturating_sub(NAMED);
    match rest {
        0 => named.join(", "),
        _ => format!("{} and {rest} more", named.join(", ")),
    }
}

/// The same with what they are.
pub fn named(indices: &[u16]) -> String {
    let one = if indices.len() == 1 {
        "party"
    } else {
        "parties"
    };
    format!("{one} {}", parties(indices))
}

fn to_text(now: &Progress) -> String {
    let phase = match now.status {
        Status::Joining => "joining".to_owned(),
        Status::Running => format!("round {}", now.round),
        other => {
            let dispute = now.dispute.as_ref().map(|dispute| format!(": {dispute}"));
            return format!("{}{}", other.name(), dispute.unwrap_or_default());
        }
    };
    let mut text = format!("{phase}: {} of {}", now.filled, now.members);
    if !now.waiting_for.is_empty() {
        text.push_str(&format!(", waiting for {}", named(&now.waiting_for)));
    }
    if !now.left.is_empty() {
        text.push_str(&format!(", left: {}", named(&now.left)));
    }
    if now.last_call {
        text.push_str(", last call");
    }
    text
}

fn time_left(now: &Progress) -> String {
    if now.deadline_ms == 0 || now.last_call {
        return String::new();
    }
    let seconds = now.deadline_ms.saturating_sub(now.board_ms) / 1_000;
    format!(", {} left", seconds_text(seconds))
}

/// A duration in its two largest units.
pub fn seconds_text(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_names_the_round_who_is_missing_and_the_time_left() {
        let now = Progress {
            status: Status::Running,
            round: 2,
            filled: 3,
            members: 5,
            waiting_for: vec![1, 4],
            left: Vec::new(),
            deadline_ms: 190_000,
            board_ms: 60_000,
            height: 7,
            last_call: false,
            dispute: None,
        };
        assert_eq!(to_text(&now), "round 2: 3 of 5, waiting for parties 1, 4");
        let one_left = Progress {
            waiting_for: vec![1],
            left: vec![4],
            ..now.clone()
        };
        assert_eq!(
            to_text(&one_left),
            "round 2: 3 of 5, waiting for party 1, left: party 4"
        );
        assert_eq!(time_left(&now), ", 2 min 10 s left");
        let last_call = Progress {
            last_call: true,
            ..now
        };
        assert_eq!(
            to_text(&last_call),
            "round 2: 3 of 5, waiting for parties 1, 4, last call"
        );
        assert_eq!(time_left(&last_call), "");
    }

    #[test]
    fn a_stamp_says_how_far_it_is_and_how_long_one_takes() {
        let now = Stamping {
            bits: 24,
            hashes: 12_340_000,
            elapsed: Duration::from_secs(8),
        };
        assert_eq!(
            stamping_text(&now),
            "the board asks for a stamp of 24 bits: 12.3 of about 16.7 million hashes, 1.5 million a second, about 10 s in all"
        );
    }

    #[tokio::test]
    async fn stamps_are_shown_while_the_work_goes_on_and_its_result_is_given() {
        let (sender, news) = watch::channel(None);
        let output = Output::new(true);
        let work = async {
            for hashes in 1..4 {
                let now = Stamping {
                    bits: 9,
                    hashes,
                    elapsed: Duration::from_millis(1),
                };
                sender.send_replace(Some(now));
                tokio::task::yield_now().await;
            }
            // Nobody computes any more, and then nobody ever will: the work goes on all the same.
            sender.send_replace(None);
            tokio::task::yield_now().await;
            drop(sender);
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(while_stamping(&output, news, work).await, 7);
    }

    #[test]
    fn many_missing_parties_are_counted() {
        let all: Vec<u16> = (0..14).collect();
        assert!(parties(&all).ends_with("11 and 2 more"));
        assert_eq!(parties(&[3]), "3");
    }
}
