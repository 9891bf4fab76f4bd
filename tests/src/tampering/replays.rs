//! True answers, and parts of them, where they don't belong.

use white_city_wire::pb::{self, answer::Body};

use super::{AnswerChange, Around, Change, Exchange, Mutator, Row, Sort, memory::same_kind};
use crate::rng::Rng;

/// The session that an answer is about.
fn session(answer: &pb::Answer) -> Option<&[u8]> {
    Some(&answer.session.as_ref()?.leaf.as_ref()?.id)
}

/// A part of another answer takes the place of this one's.
fn part(
    answer: &mut pb::Answer,
    around: &Around<'_>,
    rng: &mut Rng,
    fits: impl Fn(&pb::Answer, &Exchange) -> bool,
    take: impl Fn(&mut pb::Answer, pb::Answer),
) -> Option<()> {
    let other = around.memory.pick(rng, |other| fits(answer, other))?;
    take(answer, other.answer.clone());
    Some(())
}

/// An older answer to the same question.
fn older<'a>(answer: &pb::Answer, around: &Around<'a>, rng: &mut Rng) -> Option<&'a pb::Answer> {
    let older = |other: &Exchange| {
        other.question == *around.question && other.answer.height < answer.height
    };
    around.memory.pick(rng, older).map(|other| &other.answer)
}

pub(super) fn all() -> impl Iterator<Item = Mutator> {
    CHANGES.iter().map(|(name, about, change)| Mutator {
        name,
        about,
        sort: Sort::Stale,
        change: Change::Answer(*change),
    })
}

const CHANGES: &[Row<AnswerChange>] = &[
    (
        "latest-height",
        "a height that isn't the state's: lying about how far the board is",
        |a, _, r| {
            a.height += r.between(1, 100);
            Some(())
        },
    ),
    (
        "replay-old",
        "an older answer to the same question, with its own header",
        |a, around, r| {
            *a = older(a, around, r)?.clone();
            Some(())
        },
    ),
    (
        "replay-old-as-new",
        "an older answer under the height of the new one: right data with a stale seal",
        |a, around, r| {
            let height = a.height;
            *a = older(a, around, r)?.clone();
            a.height = height;
            Some(())
        },
    ),
    (
        "replay-new-as-old",
        "a new answer under the height of an older one",
        |a, around, r| {
            let other = around
                .memory
                .pick(r, |other| other.answer.height != a.height)?;
            a.height = other.answer.height;
            Some(())
        },
    ),
    (
        "replay-old-state",
        "right data with the proof of another height's state",
        |a, around, r| {
            part(
                a,
                around,
                r,
                |a, o| o.answer.state != a.state,
                |a, other| a.state = other.state,
            )
        },
    ),
    (
        "replay-old-body",
        "what an older answer said, with the proofs of the new one",
        |a, around, r| {
            a.body = older(a, around, r)?.body.clone();
            Some(())
        },
    ),
    (
        "replay-old-session",
        "the session's leaf of another height",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                session(a).is_some()
                    && session(a) == session(&o.answer)
                    && o.answer.session != a.session
            };
            part(a, around, r, fits, |a, other| a.session = other.session)
        },
    ),
    (
        "replay-other-question",
        "the whole answer to another question",
        |a, around, r| {
            let other = around
                .memory
                .pick(r, |other| !same_kind(&other.answer, a))?;
            *a = other.answer.clone();
            Some(())
        },
    ),
    (
        "replay-other-session",
        "the whole answer about another session",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                same_kind(a, &o.answer) && session(a).is_some() && session(a) != session(&o.answer)
            };
            part(a, around, r, fits, |a, other| *a = other)
        },
    ),
    (
        "replay-other-sessions-proof",
        "the proof of another session, with this one's data",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                session(a).is_some()
                    && session(&o.answer).is_some()
                    && session(a) != session(&o.answer)
            };
            part(a, around, r, fits, |a, other| a.session = other.session)
        },
    ),
    (
        "replay-other-sessions-data",
        "another session's data, with this one's proof",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                same_kind(a, &o.answer)
                    && session(a).is_some()
                    && session(a) != session(&o.answer)
                    && o.answer.body != a.body
            };
            part(a, around, r, fits, |a, other| a.body = other.body)
        },
    ),
    (
        "replay-other-round",
        "the whole answer about another round",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                session(a).is_some()
                    && session(a) == session(&o.answer)
                    && is_other_round(a, &o.answer)
            };
            part(a, around, r, fits, |a, other| *a = other)
        },
    ),
    (
        "replay-other-rounds-entries",
        "another round's entries or slots, under this round's number",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                session(a).is_some()
                    && session(a) == session(&o.answer)
                    && is_other_round(a, &o.answer)
                    && entries(a) != entries(&o.answer)
            };
            part(a, around, r, fits, |a, other| {
                match (a.body.as_mut(), other.body) {
                    (Some(Body::Inbox(inbox)), Some(Body::Inbox(other))) => {
                        inbox.items = other.items
                    }
                    (Some(Body::Slots(slots)), Some(Body::Slots(other))) => {
                        slots.slots = other.slots
                    }
                    _ => {}
                }
            })
        },
    ),
    (
        "replay-other-rounds-proof",
        "another round's proof",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                a.round.is_some() && o.answer.round.is_some() && o.answer.round != a.round
            };
            part(a, around, r, fits, |a, other| a.round = other.round)
        },
    ),
    (
        "replay-other-readers-payloads",
        "the p2p payloads of another reader, with their paths",
        |a, around, r| {
            let fits = |a: &pb::Answer, o: &Exchange| {
                session(a) == session(&o.answer)
                    && is_other_reader(around, o)
                    && payloads(a) != payloads(&o.answer)
            };
            part(a, around, r, fits, |a, other| {
                if let (Some(Body::Inbox(inbox)), Some(Body::Inbox(other))) =
                    (a.body.as_mut(), other.body)
                {
                    for (item, other) in inbox.items.iter_mut().zip(other.items) {
                        (item.ciphertext, item.p2p_path) = (other.ciphertext, other.p2p_path);
                    }
                }
            })
        },
    ),
];

fn round(answer: &pb::Answer) -> Option<u32> {
    match answer.body.as_ref()? {
        Body::Inbox(inbox) => Some(inbox.round),
        Body::Slots(slots) => Some(slots.round),
        _ => None,
    }
}

fn is_other_round(a: &pb::Answer, b: &pb::Answer) -> bool {
    same_kind(a, b) && round(a).is_some() && round(a) != round(b)
}

/// The parts of an answer that tell what its round holds: items, or slots.
fn entries(answer: &pb::Answer) -> Option<(&[pb::InboxItem], &[u8])> {
    match answer.body.as_ref()? {
        Body::Inbox(inbox) => Some((&inbox.items, &[])),
        Body::Slots(slots) => Some((&[], &slots.slots)),
        _ => None,
    }
}

fn payloads(answer: &pb::Answer) -> Vec<(&[u8], &[u8])> {
    match &answer.body {
        Some(Body::Inbox(inbox)) => {
            let items = inbox.items.iter();
            items
                .map(|item| (&item.ciphertext[..], &item.p2p_path[..]))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the same round was read by another party.
fn is_other_reader(around: &Around<'_>, other: &Exchange) -> bool {
    use pb::query::Question::Inbox;
    match (around.question, &other.question) {
        (Inbox(one), Inbox(two)) => {
            (&one.session, one.round) == (&two.session, two.round) && one.reader != two.reader
        }
        _ => false,
    }
}
