//! Changes to lists of sessions that go down. They aren't among the mutators of all answers: a list is the only answer that isn't proven, so
//! some of them are found only by reading what is listed.

use white_city_wire::{
    hash::sha256,
    pb::{self, answer::Body, query::Question},
};

use super::{AnswerChange, Change, Mutator, Row, Sort};

const FINISHED: u32 = 4;
const RUNNING: u32 = 2;

const CHANGES: &[Row<AnswerChange>] = &[
    (
        "list-made-up",
        "lists sessions that there aren't",
        |answer, _, rng| {
            let (page, _) = page(answer)?;
            for line in &mut page.sessions {
                line.id = sha256(&rng.bytes32()).0.to_vec();
            }
            Some(())
        },
    ),
    (
        "list-beyond",
        "lists one more session than the board has",
        |answer, _, rng| {
            let (page, sessions) = page(answer)?;
            let line = pb::SessionLine {
                number: sessions,
                id: rng.bytes32().to_vec(),
                status: RUNNING,
                protocol: "x".into(),
            };
            page.sessions.insert(0, line);
            Some(())
        },
    ),
    (
        "list-foreign",
        "lists for a party what it isn't in",
        |answer, around, _| {
            let all = around.memory.answers().find_map(|kept| {
                match (&kept.question, &kept.answer.body) {
                    (Question::Sessions(query), Some(Body::Sessions(page)))
                        if query.party.is_empty() =>
                    {
                        Some(page.clone())
                    }
                    _ => None,
                }
            });
            let (page, _) = page(answer)?;
            *page = all?;
            Some(())
        },
    ),
    (
        "list-status",
        "lists what has finished as running",
        |answer, _, _| {
            let (page, _) = page(answer)?;
            let ended = |line: &&mut pb::SessionLine| line.status == FINISHED;
            page.sessions.iter_mut().find(ended)?.status = RUNNING;
            Some(())
        },
    ),
    (
        "list-repeated",
        "lists the same sessions again and again",
        |answer, around, _| {
            let again = around.memory.answers().find_map(|kept| {
                match (&kept.question, &kept.answer.body) {
                    (Question::Sessions(query), Some(Body::Sessions(page)))
                        if query.down_from == Some(u64::MAX - 1) =>
                    {
                        Some(page.clone())
                    }
                    _ => None,
                }
            });
            let (page, _) = page(answer)?;
            let (first, again) = (page.sessions.first()?.number, again?);
            (again.sessions.first()?.number != first).then(|| *page = again)
        },
    ),
    (
        "list-endless",
        "ends each page before it has begun",
        |answer, around, _| {
            let Question::Sessions(query) = around.question else {
                return None;
            };
            let (page, sessions) = page(answer)?;
            page.sessions.clear();
            page.next_number = query.down_from?.min(sessions.checked_sub(1)?);
            Some(())
        },
    ),
];

/// A page, and the number of the board's sessions.
fn page(answer: &mut pb::Answer) -> Option<(&mut pb::SessionsAnswer, u64)> {
    let sessions = answer.state.as_ref()?.sessions;
    match answer.body.as_mut()? {
        Body::Sessions(page) => Some((page, sessions)),
        _ => None,
    }
}

/// Every way to lie in a list.
#[must_use]
pub fn list_mutators() -> Vec<Mutator> {
    let changes = CHANGES.iter();
    let changes = changes.map(|(name, about, change)| Mutator {
        name,
        about,
        sort: Sort::Lie,
        change: Change::Answer(*change),
    });
    changes.collect()
}
