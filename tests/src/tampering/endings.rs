//! The terminal record, field by field.

use white_city_wire::pb::{self, answer::Body};

use super::{AnswerChange, Row, flip};

/// The terminal record, in answers that have one.
fn place(answer: &mut pb::Answer) -> Option<&mut Option<pb::Terminal>> {
    match answer.body.as_mut()? {
        Body::SessionNow(now) => Some(&mut now.terminal),
        Body::Inbox(inbox) => Some(&mut inbox.now.as_mut()?.terminal),
        _ => None,
    }
}

fn terminal(answer: &mut pb::Answer) -> Option<&mut pb::Terminal> {
    place(answer)?.as_mut()
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    ("terminal-removed", "an end withheld", |a, _, _| {
        place(a)?.take().map(drop)
    }),
    (
        "terminal-added",
        "an abort of a session that lives",
        |a, _, _| {
            let place = place(a)?;
            let ended = pb::Terminal {
                status: 5,
                cause: 1,
                height: 1,
                board_ms: 1,
                by: 65_535,
                outcome: vec![0; 32],
                n: 4,
                members: vec![15],
                filled: vec![0],
            };
            place.is_none().then(|| *place = Some(ended))
        },
    ),
    (
        "terminal-status",
        "finished instead of aborted, or the other way round",
        |a, _, _| {
            terminal(a)?.status ^= 1;
            Some(())
        },
    ),
    ("terminal-cause", "another cause of the end", |a, _, r| {
        terminal(a)?.cause ^= 1 << r.below(4);
        Some(())
    }),
    ("terminal-height", "an end at another height", |a, _, r| {
        terminal(a)?.height ^= 1 << r.below(20);
        Some(())
    }),
    ("terminal-board-ms", "an end at another time", |a, _, r| {
        terminal(a)?.board_ms ^= 1 << r.below(40);
        Some(())
    }),
    ("terminal-by", "somebody else caused the end", |a, _, r| {
        terminal(a)?.by ^= 1 << r.below(16);
        Some(())
    }),
    ("terminal-outcome", "another outcome", |a, _, r| {
        flip(&mut terminal(a)?.outcome, r)
    }),
    ("terminal-n", "the record of another roster", |a, _, r| {
        terminal(a)?.n ^= 1 << r.below(4);
        Some(())
    }),
    ("terminal-members", "other members at the end", |a, _, r| {
        flip(&mut terminal(a)?.members, r)
    }),
    (
        "terminal-filled",
        "other slots filled at the end",
        |a, _, r| flip(&mut terminal(a)?.filled, r),
    ),
    (
        "terminal-bitmaps-swapped",
        "members and filled slots exchanged",
        |a, _, _| {
            let terminal = terminal(a)?;
            std::mem::swap(&mut terminal.members, &mut terminal.filled);
            Some(())
        },
    ),
];
