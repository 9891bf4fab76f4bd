//! What a session is doing, as one replica says.

use white_city_wire::{
    Bitmap, Hash, Refusal, SessionId,
    board::{Culprit, Status, Terminal},
    pb,
};

use super::{SessionRef, Unproven, body, hash, hashes};
use crate::replicas::{Endpoint, ReadError};

/// A session's leaf with what it hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: SessionId,
    /// What it is doing.
    pub status: Status,
    /// The open round; after the end, the round that was open; 0 is joining.
    pub open_round: u32,
    /// The last closed round's transcript; the session id while joining.
    pub transcript: Hash,
    /// Leaves of the open round's slots in the order of the roster, zeros where empty.
    pub slots: Vec<Hash>,
    /// Board time, milliseconds; 0 while the clock hasn't started; after the end, when payloads are erased.
    pub deadline_ms: u64,
    /// Blocks since last call began, 0 for none.
    pub call_blocks: u32,
    /// Digest of the complaint, zeros without one.
    pub dispute: Hash,
    /// How it ended.
    pub terminal: Option<Terminal>,
    /// Against whom there is signed evidence.
    pub culprits: Vec<Culprit>,
    /// Who left by name, with the digest of the decline or abort, in the order of leaving.
    pub left: Vec<(u16, Hash)>,
    /// Who may fill the open round's slots.
    pub members: Bitmap,
}

impl SessionView {
    /// Whose slots of the open round are filled.
    #[must_use]
    pub fn filled(&self) -> Bitmap {
        (0_u16..)
            .zip(&self.slots)
            .map(|(index, leaf)| (index, *leaf != Hash::ZERO))
            .collect()
    }

    /// The leaf of one slot of the open round; zeros where it is empty or there is none.
    #[must_use]
    pub fn slot(&self, index: u16) -> Hash {
        let slot = self.slots.get(usize::from(index));
        slot.copied().unwrap_or(Hash::ZERO)
    }

    /// Who left by name.
    #[must_use]
    pub fn leavers(&self) -> Vec<u16> {
        self.left.iter().map(|(index, _)| *index).collect()
    }

    /// Whom the open round waits for: members that neither filled their slots nor left.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<u16> {
        if !self.status.is_live() {
            return Vec::new();
        }
        let (filled, left) = (self.filled(), self.leavers());
        self.members
            .iter()
            .filter(|index| !filled.contains(*index) && !left.contains(index))
            .collect()
    }

    pub(crate) async fn read(
        endpoint: &Endpoint,
        session: SessionRef,
    ) -> Result<Unproven<Self>, ReadError> {
        let question = pb::query::Question::Session(pb::SessionQuery {
            session: session.to_pb(),
        });
        let answer = endpoint.ask(question).await?;
        let view = body!(answer, Session)?;
        let view = Self::from_pb(view)?;
        if let SessionRef::Id(id) = session
            && view.id != id
        {
            return Err(ReadError::Lied("an answer about another session".into()));
        }
        Ok(Unproven::new(view, endpoint, &answer))
    }

    pub(crate) fn from_pb(answer: &pb::SessionAnswer) -> Result<Self, ReadError> {
        let lied = |what: &str| ReadError::Lied(format!("session: {what}"));
        let refused = |refusal: Refusal| ReadError::Lied(format!("session: {refusal}"));
        let slots = hashes("slots", &answer.slots)?;
        let parties = u16::try_from(slots.len()).map_err(|_| lied("too many slots"))?;
        let index = |index: u32| {
            u16::try_from(index)
                .ok()
                .filter(|index| *index < parties)
                .ok_or_else(|| lied("an index past the roster"))
        };
        let view = Self {
            number: answer.number,
            id: SessionId(hash("id", &answer.id)?.0),
            status: Status::from_number(answer.status).ok_or_else(|| lied("unknown status"))?,
            open_round: answer.open_round,
            transcript: hash("transcript", &answer.transcript)?,
            deadline_ms: answer.deadline_ms,
            call_blocks: answer.call_blocks,
            dispute: hash("dispute_hash", &answer.dispute_hash)?,
            terminal: answer
                .terminal
                .as_ref()
                .map(Terminal::try_from)
                .transpose()
                .map_err(refused)?,
            culprits: answer
                .culprits
                .iter()
                .map(Culprit::try_from)
                .collect::<Result<_, _>>()
                .map_err(refused)?,
            left: answer
                .left
                .iter()
                .map(|leaver| Ok((index(leaver.index)?, hash("left", &leaver.digest)?)))
                .collect::<Result<_, ReadError>>()?,
            members: Bitmap::from_bytes(parties, &answer.members)
                .ok_or_else(|| lied("members: not a bitmap of the roster's size"))?,
            slots,
        };
        view.check_itself()?;
        Ok(view)
    }

    /// What has to hold whatever the session is.
    fn check_itself(&self) -> Result<(), ReadError> {
        let lied = |what: &str| Err(ReadError::Lied(format!("session: {what}")));
        if self.status.is_live() == self.terminal.is_some() {
            return lied("a terminal record goes with an ended session, and only with one");
        }
        if (self.status == Status::Joining) != (self.open_round == 0) && self.status.is_live() {
            return lied("round 0 goes with joining, and only with it");
        }
        if !self.filled().is_subset(&self.members) {
            return lied("a slot of a party that isn't a member is filled");
        }
        let Some(terminal) = &self.terminal else {
            return Ok(());
        };
        if self.status == Status::Erased {
            return Ok(());
        }
        if terminal.status != self.status {
            return lied("status and terminal record differ");
        }
        if terminal.members != self.members || terminal.filled != self.filled() {
            return lied("the terminal record's bitmaps aren't those of the open round");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use white_city_wire::read::join_hashes;

    use super::*;

    /// Round 2 of a session of three: party 1 is out, party 0 has filled its slot, party 2 has left.
    fn running() -> pb::SessionAnswer {
        pb::SessionAnswer {
            number: 7,
            id: vec![1; 32],
            status: 2,
            open_round: 2,
            transcript: vec![2; 32],
            slots: join_hashes(&[Hash([9; 32]), Hash::ZERO, Hash::ZERO]),
            dispute_hash: vec![0; 32],
            left: vec![pb::Leaver {
                index: 2,
                digest: vec![3; 32],
            }],
            members: vec![0b101],
            ..Default::default()
        }
    }

    fn aborted() -> pb::SessionAnswer {
        pb::SessionAnswer {
            status: 5,
            terminal: Some(pb::Terminal {
                status: 5,
                cause: 3,
                by: 2,
                outcome: vec![0; 32],
                n: 3,
                members: vec![0b101],
                filled: vec![0b001],
                ..Default::default()
            }),
            ..running()
        }
    }

    #[test]
    fn a_view_says_whom_the_round_waits_for() {
        let mut answer = running();
        let view = SessionView::from_pb(&answer).unwrap();
        assert_eq!(
            view.waiting_for(),
            [] as [u16; 0],
            "who is out or has left isn't awaited"
        );
        assert_eq!(view.leavers(), [2]);
        answer.left.clear();
        let view = SessionView::from_pb(&answer).unwrap();
        assert_eq!(view.waiting_for(), [2]);
        assert!(view.filled().contains(0));
        assert_eq!((view.slot(0), view.slot(3)), (Hash([9; 32]), Hash::ZERO));
        assert!(
            SessionView::from_pb(&aborted())
                .unwrap()
                .waiting_for()
                .is_empty()
        );
    }

    /// A way to change an answer.
    type Tamper = (&'static str, fn(&mut pb::SessionAnswer));

    const CONTRADICTIONS: [Tamper; 15] = [
        ("id", |a| a.id.truncate(31)),
        ("unknown status", |a| a.status = 7),
        ("slots cut", |a| a.slots.truncate(95)),
        ("slots of another size", |a| a.slots.truncate(64)),
        ("members of another size", |a| a.members = vec![0b1101]),
        ("a filled slot of somebody who is out", |a| {
            a.members = vec![0b100]
        }),
        ("a leaver past the roster", |a| a.left[0].index = 3),
        ("live with a terminal record", |a| a.status = 2),
        ("ended without a terminal record", |a| a.terminal = None),
        ("another ending than the record's", |a| a.status = 4),
        ("a record with other members", |a| {
            a.terminal.as_mut().unwrap().members = vec![0b111]
        }),
        ("a record with other slots", |a| {
            a.terminal.as_mut().unwrap().filled = vec![0b101]
        }),
        ("a record of another size", |a| {
            a.terminal.as_mut().unwrap().n = 4
        }),
        ("unknown cause", |a| a.terminal.as_mut().unwrap().cause = 99),
        ("transcript", |a| a.transcript.push(0)),
    ];

    #[test]
    fn a_view_that_contradicts_itself_is_refused() {
        for (what, tamper) in CONTRADICTIONS {
            let mut answer = aborted();
            tamper(&mut answer);
            assert!(
                matches!(SessionView::from_pb(&answer), Err(ReadError::Lied(_))),
                "{what}"
            );
        }
        let joining = |status, open_round| {
            let answer = pb::SessionAnswer {
                status,
                open_round,
                ..running()
            };
            SessionView::from_pb(&answer).is_ok()
        };
        assert!(joining(1, 0) && joining(2, 1));
        assert!(!joining(1, 1) && !joining(2, 0));
    }

    #[test]
    fn an_erased_session_keeps_its_record_and_has_no_slots() {
        let answer = pb::SessionAnswer {
            status: 6,
            slots: Vec::new(),
            members: Vec::new(),
            left: Vec::new(),
            ..aborted()
        };
        let view = SessionView::from_pb(&answer).unwrap();
        assert_eq!(view.terminal.unwrap().by(), Some(2));
    }
}
