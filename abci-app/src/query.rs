//! Answering queries from the last committed state and the store as it was then.
//!
//! The path `/v1` takes a protobuf `Query` and answers with a protobuf `Answer`; `info` names the direct port.
//! The paths under `/json` take no data and answer for people, with JSON in the response's `info`.

mod behind;
mod board;
mod json;
mod listing;

use std::sync::Arc;

use prost::Message;
use white_city_state_machine::Session;
use white_city_verify::Trust;
use white_city_wire::{
    Hash, Refusal, SessionId,
    limits::WIRE_VERSION,
    pb::{self, answer::Body as Found, query::Question},
    proof::SessionProof,
    protocol::Known,
    read::{DIRECT_PORT_HINT, DIRECT_URL_HINT, PAGE_BYTES, PageRoom, QUERY_PATH, decode_query},
    tree::short_path,
};

use crate::{
    committed::Committed,
    front::{Answer, Told},
    store::{Sealed, StoreError, StoredEntry},
    work::Work,
};
pub use json::program;

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// Answers a query. Bad ones get a numbered code and a text.
pub fn answer(
    known: Option<(&Committed, &Trust)>,
    work: &Work,
    rules: Known,
    hint: &str,
    path: &str,
    data: &[u8],
) -> Answer {
    let told = match known {
        None => Err(Refusal::NotReady),
        Some((committed, trust)) if path == QUERY_PATH => decode_query(data)
            .and_then(|question| ask(committed, trust, &question))
            .map(|answer| Told {
                value: answer.encode_to_vec(),
                info: hint.into(),
            }),
        Some((committed, _)) => json::answer(committed, work, rules, path).map(|info| Told {
            value: Vec::new(),
            info,
        }),
    };
    Answer {
        height: known.map_or(0, |(committed, _)| committed.tip.height),
        told,
    }
}

/// What answers say beside themselves of a direct port that is reached without TLS, if it is, and of an address where it is reached by
/// TLS, which may be empty.
pub fn hint(port: Option<u16>, url: &str) -> String {
    let port = port.map(|port| format!("{DIRECT_PORT_HINT}{port}"));
    let url = (!url.is_empty()).then(|| format!("{DIRECT_URL_HINT}{url}"));
    let hints: Vec<String> = port.into_iter().chain(url).collect();
    hints.join(" ")
}

/// Answers a question, with what proves the answer.
///
/// # Errors
/// A [`Refusal`] of the group of queries, or of those about sessions.
pub fn ask(
    committed: &Committed,
    trust: &Trust,
    question: &Question,
) -> Result<pb::Answer, Refusal> {
    if committed.tip.height == 0 || committed.tip.is_restored {
        // No header certifies the genesis, and of a restored state's header the proof isn't known.
        return Err(Refusal::NotReady);
    }
    let reader = Reader { committed };
    let mut proofs = (None, None);
    let body = match question {
        Question::Params(_) => Found::Params(reader.params()?),
        Question::Sessions(query) => Found::Sessions(reader.sessions(query)?),
        Question::Openers(query) => Found::Openers(reader.openers(query)),
        Question::Charter(_) => Found::Charter(reader.charter()?),
        Question::Links(query) => Found::Links(pb::LinksAnswer {
            links: trust.links_within(query.from_era, PAGE_BYTES),
        }),
        Question::Session(pb::SessionQuery { session })
        | Question::Spec(pb::SpecQuery { session })
        | Question::Roster(pb::RosterQuery { session })
        | Question::Round(pb::RoundQuery { session, .. })
        | Question::Inbox(pb::InboxQuery { session, .. })
        | Question::Transcript(pb::TranscriptQuery { session })
        | Question::Evidence(pb::EvidenceQuery { session })
        | Question::Terminal(pb::TerminalQuery { session }) => {
            let session = reader.find(session)?;
            proofs = reader.prove(&session, question)?;
            reader.about(&session, question)?
        }
    };
    Ok(pb::Answer {
        version: WIRE_VERSION,
        height: committed.tip.height,
        state: Some((&committed.state_proof()).into()),
        session: proofs.0,
        round: proofs.1,
        body: Some(body),
    })
}

struct Reader<'a> {
    committed: &'a Committed,
}

impl Reader<'_> {
    fn about(&self, session: &Session, question: &Question) -> Result<Found, Refusal> {
        Ok(match question {
            Question::Spec(_) => Found::Spec(self.spec(session)?),
            Question::Roster(_) => Found::Roster(self.roster(session)?),
            Question::Round(query) => Found::Slots(self.round(session, query.round)?),
            Question::Inbox(query) => Found::Inbox(self.inbox(session, query)?),
            Question::Transcript(_) => Found::Transcript(self.transcript(session)?),
            Question::Evidence(_) => Found::Evidence(self.evidence(session)?),
            Question::Terminal(_) => Found::Terminal(terminal(session)?),
            _ => Found::SessionNow(self.session_now(session)?),
        })
    }

    /// From the root to the session, and from there to the round that is asked about, if it has closed.
    fn prove(
        &self,
        session: &Session,
        question: &Question,
    ) -> Result<(Option<pb::SessionProof>, Option<pb::RoundProof>), Refusal> {
        let sessions = self.committed.state.sessions();
        let snapshot = &self.committed.snapshot;
        let path =
            sessions.path_with(session.number, |level, index| snapshot.frozen(level, index))?;
        let path = path.ok_or(Refusal::NotFound("session"))?;
        let proof = SessionProof {
            number: session.number,
            leaf: session.leaf.clone(),
            path: short_path(session.number, sessions.len(), &path),
        };
        let round = match question {
            Question::Roster(_) => Some(0),
            Question::Round(query) => Some(query.round),
            Question::Inbox(query) => Some(query.round),
            _ => None,
        };
        let round = round
            .map(|round| self.prove_round(session, round))
            .transpose()?;
        let round = round.flatten().map(|round| (&round).into());
        Ok((Some((&proof).into()), round))
    }

    /// A session, from memory until its erasure, from the store since.
    fn find(&self, session: &Option<pb::SessionRef>) -> Result<Arc<Session>, Refusal> {
        let reference = session.as_ref().and_then(|session| session.r#ref.as_ref());
        let reference = reference
            .ok_or_else(|| Refusal::BadQuery("expected a session's id or number".into()))?;
        let (state, snapshot) = (&self.committed.state, &self.committed.snapshot);
        match reference {
            pb::session_ref::Ref::Id(id) => {
                let id = SessionId::from_slice(id).ok_or(Refusal::Field {
                    field: "session",
                    expected: "32 bytes",
                })?;
                let number = match state.number(&id) {
                    Ok(number) => number,
                    Err(unknown) => snapshot.erased_number(&id)?.ok_or(unknown)?,
                };
                self.numbered(number)?
                    .ok_or(Refusal::UnknownSession(Hash(id.0)))
            }
            pb::session_ref::Ref::Number(number) => {
                let number = u32::try_from(*number).map(|number| self.numbered(number));
                let session = number.ok().transpose()?.flatten();
                session.ok_or(Refusal::NotFound("session"))
            }
        }
    }

    fn numbered(&self, number: u32) -> Result<Option<Arc<Session>>, Refusal> {
        if let Some(session) = self.committed.state.sessions().get(number) {
            return Ok(Some(Arc::clone(session)));
        }
        Ok(self.committed.snapshot.erased(number)?.map(Arc::new))
    }

    fn spec(&self, session: &Session) -> Result<pb::SpecAnswer, Refusal> {
        let open = self.committed.snapshot.open(session.number)?;
        Ok(pb::SpecAnswer {
            open: Some(open.ok_or(Refusal::Erased)?),
        })
    }

    fn roster(&self, session: &Session) -> Result<pb::RosterAnswer, Refusal> {
        session.key(0)?;
        let entries = self
            .committed
            .snapshot
            .entries_of_round(session.number, 0)?;
        let joins = entries.into_iter().filter_map(|(_, entry)| entry.join);
        Ok(pb::RosterAnswer {
            joins: joins.collect(),
        })
    }

    fn inbox(&self, session: &Session, query: &pb::InboxQuery) -> Result<pb::InboxAnswer, Refusal> {
        session.key(0)?;
        let n = session.leaf.members.size();
        behind::check_round(session, query.round)?;
        let reader = u16::try_from(query.reader)
            .ok()
            .filter(|reader| *reader < n);
        let first = u16::try_from(query.from_index).unwrap_or(n).min(n);
        // After the end the open round's entries are what the record speaks of.
        let is_open = !is_closed(session, query.round) && session.status().is_live();
        let mut items = Vec::new();
        let mut room = PageRoom::default();
        let mut next_index = n;
        for index in if is_open { n } else { first }..n {
            if room.is_full() {
                next_index = index;
                break;
            }
            if let Some(item) = self.inbox_item(session, query.round, index, reader)? {
                room.put(&item);
                items.push(item);
            }
        }
        Ok(pb::InboxAnswer {
            round: query.round,
            items,
            next_index: next_index.into(),
            now: match first {
                0 => Some(self.session_now(session)?),
                _ => None,
            },
        })
    }

    fn inbox_item(
        &self,
        session: &Session,
        round: u32,
        index: u16,
        reader: Option<u16>,
    ) -> Result<Option<pb::InboxItem>, Refusal> {
        use pb::inbox_item::Entry;
        let Some(stored) = self.entry(session, round, index)? else {
            return Ok(None);
        };
        let sealed = match reader {
            Some(reader) => self
                .committed
                .snapshot
                .sealed(session.number, round, index, reader)?
                .unwrap_or_default(),
            None => Sealed::default(),
        };
        let entry = match (stored.join, stored.signed) {
            (Some(join), _) => Entry::Join(join),
            (None, Some(signed)) => Entry::Signed(signed),
            (None, None) => return Err(Refusal::Store("an empty entry".into())),
        };
        Ok(Some(pb::InboxItem {
            entry: Some(entry),
            broadcast: stored.broadcast,
            ciphertext: sealed.ciphertext.into(),
            p2p_path: sealed.path.into(),
        }))
    }

    fn evidence(&self, session: &Session) -> Result<pb::EvidenceAnswer, Refusal> {
        session.key(0)?;
        let now = self.session_now(session)?;
        Ok(pb::EvidenceAnswer {
            culprits: now.culprits,
            left: now.left,
            evidence: self.committed.snapshot.evidence(session.number)?,
            leaves: self.committed.snapshot.leaves(session.number)?,
            complain: stored_tx(self.committed.snapshot.complaint(session.number)?)?,
            reveal: stored_tx(self.committed.snapshot.reveal(session.number)?)?,
        })
    }

    fn entry(
        &self,
        session: &Session,
        round: u32,
        index: u16,
    ) -> Result<Option<StoredEntry>, Refusal> {
        Ok(self
            .committed
            .snapshot
            .entry(session.number, round, index)?)
    }
}

fn stored_tx(bytes: Option<Vec<u8>>) -> Result<Option<pb::Tx>, Refusal> {
    let tx = bytes.map(|bytes| pb::Tx::decode(bytes.as_slice()));
    tx.transpose()
        .map_err(|_| StoreError::Damaged("a dispute").into())
}

fn terminal(session: &Session) -> Result<pb::TerminalAnswer, Refusal> {
    let terminal = session.terminal.as_ref();
    let terminal = terminal.ok_or(Refusal::NotFound("end yet"))?;
    Ok(pb::TerminalAnswer {
        terminal: Some(terminal.into()),
    })
}

fn is_closed(session: &Session, round: u32) -> bool {
    round < session.leaf.open_round
}
