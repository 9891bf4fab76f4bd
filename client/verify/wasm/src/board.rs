//! A board that somebody looks at, and what was verified of it so far.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use white_city_verify::{
    Error, Trust, Verified,
    checked::Checked,
    history::History,
    read::{
        Lie, ListSessions, Read, ReadCharter, ReadEvidence, ReadInbox, ReadInboxOnce, ReadLeaf,
        ReadOpeners, ReadRoster, ReadRound, ReadSession, ReadSignedSpec, ReadStatus,
        SessionEvidence, check_decoded, is_ahead, shape,
    },
    trust::{BadLink, VerifiedHeader},
    wire::{
        SessionId, Spec, json as names,
        pb::{self, answer::Body},
    },
};

use crate::{
    followed::Followed,
    outcome::{Answered, FORK, NotProven, RULES},
    question::Asked,
    shown,
};

/// Headers that are kept.
const HEADERS: usize = 256;

/// See the module.
pub struct Board {
    trust: Trust,
    headers: BTreeMap<u64, Arc<VerifiedHeader>>,
    checked: Arc<Checked>,
    followed: Option<Followed>,
    /// Why nothing of this board may be acted on any more.
    alarm: Option<Alarm>,
}

/// Two histories, or rules that the verifier doesn't know.
#[derive(Debug, Clone)]
pub struct Alarm {
    by: &'static str,
    text: String,
}

impl From<Alarm> for NotProven {
    fn from(Alarm { by, text }: Alarm) -> Self {
        Self::Other { by, text }
    }
}

impl Board {
    /// The board of a genesis, of which nothing was read.
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            headers: BTreeMap::new(),
            checked: Arc::default(),
            followed: None,
            alarm: None,
        }
    }

    /// The trust in its genesis, and what was learned from there.
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The session whose inboxes were read last.
    pub const fn followed(&self) -> Option<&Followed> {
        self.followed.as_ref()
    }

    /// Whether the board has one history by rules that are known. Once it hasn't, that stays.
    ///
    /// # Errors
    /// Why not.
    pub fn check_one(&self) -> Result<(), Alarm> {
        self.alarm.clone().map_or(Ok(()), Err)
    }

    fn noting<T>(&mut self, taken: Result<T, NotProven>) -> Result<T, NotProven> {
        if let Err(NotProven::Other { by, text }) = &taken
            && [FORK, RULES].contains(by)
        {
            let text = text.clone();
            self.alarm.get_or_insert(Alarm { by, text });
        }
        taken
    }

    /// Memory of what was checked once.
    pub const fn checked(&self) -> &Arc<Checked> {
        &self.checked
    }

    /// Takes a header as a replica's RPC gives it.
    pub(crate) fn header(&mut self, answer: &[u8]) -> Result<Answered, NotProven> {
        let taken = self.take_header(answer);
        self.noting(taken)
    }

    fn take_header(&mut self, answer: &[u8]) -> Result<Answered, NotProven> {
        let header = match self.trust.header_json(answer) {
            Ok(header) => header,
            Err(bad) if bad.is_ahead() => {
                return Err(self.wants_links(json!({ "or": bad.to_string() })));
            }
            Err(bad) => return Err(bad.into()),
        };
        let height = header.height();
        let near = height.saturating_sub(1)..=height.saturating_add(1);
        let mut known = self.headers.range(near).map(|(_, known)| known);
        if let Some(other) = known.find(|known| !known.is_of_one_chain_with(&header)) {
            let text = format!(
                "two histories: the validators have signed a block at height {} and one at height {height} that aren't of one chain",
                other.height()
            );
            return Err(NotProven::fork(text));
        }
        let shown = json!({
            "height": height,
            "time_ms": shown::time_ms(&header.time()),
            "hash": header.hash(),
            "protocol": header.protocol(),
        });
        self.headers
            .entry(height)
            .or_insert_with(|| Arc::new(header));
        while self.headers.len() > HEADERS {
            self.headers.pop_first();
        }
        Ok(Answered::Proven(shown))
    }

    fn wants_links(&self, mut wants: Value) -> NotProven {
        if let Value::Object(fields) = &mut wants {
            fields.insert("links".into(), json!(self.trust.confirmed_era()));
        }
        NotProven::Wants(wants)
    }

    /// Takes an answer as a replica gives it.
    pub(crate) fn answer(&mut self, asked: &Asked, answer: &[u8]) -> Result<Answered, NotProven> {
        let taken = self.take_answer(asked, answer);
        self.noting(taken)
    }

    fn take_answer(&mut self, asked: &Asked, answer: &[u8]) -> Result<Answered, NotProven> {
        match asked {
            Asked::Sessions { from_number } => return lines(*from_number, answer),
            Asked::Links { .. } => return self.learn(asked, answer),
            _ => {}
        }
        let height = shape::height(answer);
        let height = height.ok_or_else(|| Lie::new("an answer that can't be read"))?;
        let floor = asked.floor();
        if height < floor {
            let text = format!("height {height}, and another replica has shown height {floor}");
            return Err(NotProven::Other { by: "behind", text });
        }
        let header = self.headers.get(&height).map(Arc::clone);
        let header = header.ok_or_else(|| NotProven::Wants(json!({ "header": height })))?;
        let newer = self.trust.check_rules(&header);
        newer.map_err(|newer| NotProven::Other {
            by: RULES,
            text: newer.to_string(),
        })?;
        let decoded = shape::decode(&asked.question(), answer.to_vec().into())?;
        let taken = self.take(asked, &decoded, &header);
        let is_lie = matches!(taken, Err(NotProven::Refused(Error::Answer(_))));
        if is_lie && is_ahead(&self.trust, &decoded, &header) {
            return Err(self.wants_links(json!({})));
        }
        taken.map(Answered::Proven)
    }

    fn take(
        &mut self,
        asked: &Asked,
        answer: &pb::Answer,
        header: &Arc<VerifiedHeader>,
    ) -> Result<Value, NotProven> {
        let read = Reading {
            trust: self.trust.clone(),
            answer,
            header,
        };
        if let Some(session) = asked.summary_of() {
            return read.shown(&ReadLeaf(session), shown::summary);
        }
        match *asked {
            Asked::Charter {} => read.shown(&ReadCharter, shown::charter),
            Asked::Openers { from } => read.shown(&ReadOpeners { from }, |openers| {
                openers
                    .iter()
                    .map(|one| json!(shown::opener(one)))
                    .collect()
            }),
            Asked::Spec { session } => self.spec(session, read),
            Asked::Session { session } => self.of_spec(session, |_, spec| {
                read.shown(&ReadSession { id: session, spec }, shown::session)
            }),
            Asked::Joins { session } => self.of_spec(session, |_, spec| {
                read.shown(&ReadRoster { id: session, spec }, |joins| {
                    let mut slots = vec!['.'; spec.roster.len()];
                    for join in joins {
                        if let Some(slot) = slots.get_mut(usize::from(join.index)) {
                            *slot = 'J';
                        }
                    }
                    json!({ "round": 0, "slots": slots.into_iter().collect::<String>() })
                })
            }),
            Asked::Round { session, round } => self.of_spec(session, |_, spec| {
                let id = session;
                read.shown(&ReadRound { id, spec, round }, |status| {
                    let slots = shown::slots(&status.slots);
                    json!({ "round": round, "closed": status.closed, "slots": slots })
                })
            }),
            Asked::Inbox {
                session,
                round,
                from_index,
                reader,
                ..
            } => self.of_spec(session, |board, spec| {
                let inbox = ReadInbox {
                    id: session,
                    spec,
                    round,
                    reader,
                    from_index,
                };
                board.inbox(inbox, read)
            }),
            Asked::Evidence { session } => self.of_spec(session, |board, spec| {
                let evidence = read.check(&ReadEvidence { id: session, spec })?;
                let is_judged = board.is_judged(session, &evidence)?;
                let shown = shown::evidence(&evidence, is_judged);
                Ok(shown::proven(&evidence, &shown))
            }),
            _ => self.status(&read, header),
        }
    }

    /// The newest state of the board.
    fn status(&self, read: &Reading<'_>, header: &Arc<VerifiedHeader>) -> Result<Value, NotProven> {
        read.shown(&ReadStatus, |board| {
            json!({
                "era": self.trust.era_of(header),
                "newest_era": self.trust.newest_era(),
                "faults": self.trust.faults(),
                "session_count": board.sessions,
                "opener_count": board.openers,
                "paused_ms": board.paused_ms,
                "root": board.root,
                "charter": board.charter_hash,
            })
        })
    }
}

impl Board {
    /// Takes what opened a session, which stays.
    fn spec(&self, session: SessionId, read: Reading<'_>) -> Result<Value, NotProven> {
        let opening = read.check(&ReadSignedSpec(session))?;
        let shown = shown::proven(&opening, &json!(names::Spec::from(&opening.0)));
        let opening = Arc::new(opening.into_value());
        self.checked.note_opening(session, opening);
        Ok(shown)
    }

    /// What needs a session's spec.
    fn of_spec(
        &mut self,
        session: SessionId,
        take: impl FnOnce(&mut Self, &Spec) -> Result<Value, NotProven>,
    ) -> Result<Value, NotProven> {
        match self.checked.opening(&session) {
            Some(opening) => take(self, &opening.0.spec),
            None => Err(NotProven::Wants(json!({ "spec": session }))),
        }
    }

    /// Takes a page of a round into the history of its session, which is the one that is followed from now on.
    fn inbox(&mut self, inbox: ReadInbox<'_>, read: Reading<'_>) -> Result<Value, NotProven> {
        let ReadInbox {
            id, spec, reader, ..
        } = inbox;
        let place = (inbox.round, inbox.from_index);
        let checked = &self.checked;
        let page = read.check(&ReadInboxOnce { inbox, checked })?;
        let goes_on = |followed: &Followed| followed.is_of(id, reader) && !followed.is_anew(place);
        let followed = self.followed.take().filter(goes_on);
        let followed = followed.unwrap_or_else(|| {
            let network = self.trust.network().id;
            let history = History::new(network, id, spec.clone());
            Followed::new(history.sharing(Arc::clone(&self.checked)), reader)
        });
        let state = page.state();
        let followed = self.followed.insert(followed);
        let taken = followed.take(place, page)?;
        Ok(shown::proven(&state, &taken))
    }

    /// Whether a dispute was judged over the rounds that were read.
    fn is_judged(&self, id: SessionId, evidence: &SessionEvidence) -> Result<bool, Lie> {
        let followed = self.followed.as_ref();
        let followed = followed.filter(|followed| followed.history().session() == id);
        followed.map_or(Ok(false), |followed| followed.judge(evidence))
    }

    /// Learns eras. The links are under the signatures of those who hand over.
    fn learn(&self, asked: &Asked, answer: &[u8]) -> Result<Answered, NotProven> {
        let answer = shape::decode(&asked.question(), answer.to_vec().into())?;
        let Some(Body::Links(links)) = answer.body else {
            return Err(Lie::new("an answer to another question").into());
        };
        let learned = self.trust.learn(&links.links).map_err(|bad| match bad {
            BadLink::Fork(_) => NotProven::fork(bad.to_string()),
            bad => Lie::new(format!("links: {bad}")).into(),
        })?;
        let shown = json!({ "count": links.links.len(), "learned": learned });
        Ok(Answered::Proven(shown))
    }

    /// Shows an entry of the session that is followed.
    pub(crate) fn entry(&self, place: &[u8]) -> Result<Answered, NotProven> {
        let place = serde_json::from_slice(place);
        let (round, index) = place.map_err(|error| NotProven::Usage(error.to_string()))?;
        let followed = self.followed.as_ref();
        let entry = followed.and_then(|followed| followed.entry(round, index));
        Ok(Answered::Proven(json!(entry)))
    }
}

/// A page of sessions. Numbers have no gaps, so that nobody leaves one out unnoticed.
fn lines(from_number: u64, answer: &[u8]) -> Result<Answered, NotProven> {
    let party = None;
    let list = ListSessions { party, from_number };
    let (lines, next_number) = list.check(answer.to_vec().into())?;
    for (line, number) in lines.iter().zip(from_number..) {
        if line.number != number {
            return Err(Lie(format!("a list without session {number}")).into());
        }
    }
    let lines = lines.into_iter().map(|line| names::SessionLine {
        session: line.id,
        number: line.number,
        status: line.status,
        protocol: line.protocol,
    });
    let sessions = lines.collect();
    Ok(Answered::Said(json!(names::Sessions {
        sessions,
        next_number
    })))
}

/// An answer, and what it is held against.
struct Reading<'a> {
    trust: Trust,
    answer: &'a pb::Answer,
    header: &'a Arc<VerifiedHeader>,
}

impl Reading<'_> {
    fn check<R: Read>(&self, read: &R) -> Result<Verified<R::Value>, NotProven> {
        Ok(check_decoded(read, &self.trust, self.answer, self.header)?)
    }

    fn shown<R: Read>(
        &self,
        read: &R,
        show: impl FnOnce(&R::Value) -> Value,
    ) -> Result<Value, NotProven> {
        let verified = self.check(read)?;
        Ok(shown::proven(&verified, &show(&verified)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_histories_and_of_newer_rules_nothing_is_acted_on_any_more() {
        let genesis = include_bytes!("../../../../tests/golden/receipts/genesis.json");
        let board = || Board::new(Trust::genesis_json(genesis).unwrap());
        for by in [FORK, RULES] {
            let mut board = board();
            let text = "why".to_owned();
            assert!(
                board
                    .noting::<()>(Err(NotProven::Other { by, text }))
                    .is_err()
            );
            assert!(board.noting(Ok(())).is_ok());
            assert_eq!(board.check_one().unwrap_err().by, by);
        }
        let mut board = board();
        let text = "a block ago".to_owned();
        assert!(
            board
                .noting::<()>(Err(NotProven::Other { by: "behind", text }))
                .is_err()
        );
        assert!(board.check_one().is_ok());
    }
}
