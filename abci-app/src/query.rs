//! Answering queries from the last committed state and the store as it was then.
//!
//! The path `/v1` takes a protobuf `Query` and answers with a protobuf `Answer`. The paths under `/json` take no data
//! and answer for people, with JSON in the response's `info`.

mod json;

use prost::Message;
use tendermint_proto::v0_38::abci::{RequestQuery, ResponseQuery};
use white_city_state_machine::{Body, Session, Slot};
use white_city_wire::{
    Refusal, SessionId,
    board::slot_leaf,
    limits::WIRE_VERSION,
    pb::{self, answer::Body as Answer, query::Question},
    read::{PAGE_BYTES, QUERY_PATH, decode_query, join_hashes},
};

use crate::{
    app::Committed,
    store::{Sealed, StoreError, StoredEntry},
};

/// Most sessions in one page of a list.
const SESSIONS_PAGE: usize = 100;
/// Most slots that one page of a transcript hashes.
const TRANSCRIPT_PAGE_SLOTS: usize = 8_192;
/// Most openers in one page of a list.
const OPENERS_PAGE: usize = 100;

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// Answers a query. Bad ones get a numbered code and a text.
pub fn answer(committed: Option<&Committed>, request: &RequestQuery) -> ResponseQuery {
    let height = committed.map_or(0, |c| c.tip.height);
    let answered = match committed {
        None => Err(Refusal::NotReady),
        Some(committed) if request.path == QUERY_PATH => decode_query(&request.data)
            .and_then(|question| ask(committed, &question))
            .map(|answer| (answer.encode_to_vec(), String::new())),
        Some(committed) => json::answer(committed, &request.path).map(|info| (Vec::new(), info)),
    };
    let height = i64::try_from(height).unwrap_or(i64::MAX);
    match answered {
        Ok((value, info)) => ResponseQuery {
            value: value.into(),
            info,
            height,
            ..Default::default()
        },
        Err(refusal) => ResponseQuery {
            code: refusal.code(),
            log: refusal.to_string(),
            codespace: "white-city".into(),
            height,
            ..Default::default()
        },
    }
}

/// Answers a question.
///
/// # Errors
/// A [`Refusal`] of the group of queries, or of those about sessions.
pub fn ask(committed: &Committed, question: &Question) -> Result<pb::Answer, Refusal> {
    let reader = Reader { committed };
    let body = match question {
        Question::Params(_) => Answer::Params(reader.params()?),
        Question::Session(query) => Answer::Session(reader.session(&query.session)?),
        Question::Spec(query) => Answer::Spec(reader.spec(&query.session)?),
        Question::Roster(query) => Answer::Roster(reader.roster(&query.session)?),
        Question::Round(query) => Answer::Round(reader.round(query)?),
        Question::Inbox(query) => Answer::Inbox(reader.inbox(query)?),
        Question::Transcript(query) => Answer::Transcript(reader.transcript(query)?),
        Question::Evidence(query) => Answer::Evidence(reader.evidence(&query.session)?),
        Question::Terminal(query) => Answer::Terminal(reader.terminal(&query.session)?),
        Question::Sessions(query) => Answer::Sessions(reader.sessions(query)?),
        Question::Openers(query) => Answer::Openers(reader.openers(query)),
    };
    Ok(pb::Answer {
        version: WIRE_VERSION,
        height: committed.tip.height,
        board_ms: committed.peek().board_ms(),
        body: Some(body),
    })
}

struct Reader<'a> {
    committed: &'a Committed,
}

impl Reader<'_> {
    fn params(&self) -> Result<pb::ParamsAnswer, Refusal> {
        let state = &self.committed.state;
        let network = state.network();
        let params_json = serde_json::to_string(&network.params);
        Ok(pb::ParamsAnswer {
            network_id: network.id.0.to_vec(),
            chain_id: network.chain_id.clone(),
            params_json: params_json.map_err(|error| Refusal::Store(error.to_string()))?,
            sessions: state.sessions().len(),
            openers: state.openers().len(),
            paused_ms: state.paused_ms(),
            root: state.root().0.to_vec(),
        })
    }

    fn find(&self, session: &Option<pb::SessionRef>) -> Result<&Session, Refusal> {
        let reference = session.as_ref().and_then(|session| session.r#ref.as_ref());
        let reference = reference
            .ok_or_else(|| Refusal::BadQuery("expected a session's id or number".into()))?;
        let state = &self.committed.state;
        match reference {
            pb::session_ref::Ref::Id(id) => {
                let id = SessionId::from_slice(id).ok_or(Refusal::Field {
                    field: "session",
                    expected: "32 bytes",
                })?;
                state.session(&id).map(AsRef::as_ref)
            }
            pb::session_ref::Ref::Number(number) => u32::try_from(*number)
                .ok()
                .and_then(|number| state.sessions().get(number))
                .map(AsRef::as_ref)
                .ok_or(Refusal::NotFound("session")),
        }
    }

    fn session(&self, session: &Option<pb::SessionRef>) -> Result<pb::SessionAnswer, Refusal> {
        let session = self.find(session)?;
        let leaf = &session.leaf;
        let body = session.body.as_ref();
        Ok(pb::SessionAnswer {
            number: session.number.into(),
            id: leaf.session.0.to_vec(),
            status: leaf.status.number().into(),
            open_round: leaf.open_round,
            transcript: leaf.transcript.0.to_vec(),
            slots: body.map_or_else(Vec::new, |body| slot_leaves(&body.slots)),
            deadline_ms: leaf.deadline_ms,
            call_blocks: leaf.call_blocks,
            callers: leaf.callers.to_vec(),
            dispute_hash: leaf.dispute.0.to_vec(),
            terminal: session.terminal.as_ref().map(pb::Terminal::from),
            culprits: body.map_or_else(Vec::new, |body| {
                body.culprits.iter().map(pb::Culprit::from).collect()
            }),
            left: body.map_or_else(Vec::new, |body| crate::store::leavers(&body.left)),
            members: body.map_or_else(Vec::new, |body| body.members.as_bytes().to_vec()),
        })
    }

    fn spec(&self, session: &Option<pb::SessionRef>) -> Result<pb::SpecAnswer, Refusal> {
        let number = self.find(session)?.number;
        let open = self.committed.snapshot.open(number)?;
        Ok(pb::SpecAnswer {
            open: Some(open.ok_or(Refusal::Erased)?),
        })
    }

    fn roster(&self, session: &Option<pb::SessionRef>) -> Result<pb::RosterAnswer, Refusal> {
        let session = self.find(session)?;
        let body = session.body()?;
        let joins = (0..body.spec.parties())
            .filter_map(|index| self.entry(session, 0, index).transpose())
            .map(|entry| Ok(entry?.join))
            .collect::<Result<Vec<_>, Refusal>>()?;
        Ok(pb::RosterAnswer {
            roster: body
                .spec
                .roster
                .iter()
                .map(|key| key.as_bytes().to_vec())
                .collect(),
            joins: joins.into_iter().flatten().collect(),
        })
    }

    fn round(&self, query: &pb::RoundQuery) -> Result<pb::RoundAnswer, Refusal> {
        let session = self.find(&query.session)?;
        let body = session.body()?;
        let slots = slots(body, query.round)?;
        Ok(pb::RoundAnswer {
            round: query.round,
            closed: is_closed(session, query.round),
            slots: slot_leaves(slots),
            kinds: slots.iter().map(kind).collect(),
        })
    }

    fn inbox(&self, query: &pb::InboxQuery) -> Result<pb::InboxAnswer, Refusal> {
        let session = self.find(&query.session)?;
        let body = session.body()?;
        let n = body.spec.parties();
        slots(body, query.round)?;
        // After the end the open round's entries are what the record speaks of.
        if !is_closed(session, query.round) && session.status().is_live() {
            return Err(Refusal::RoundNotClosed { round: query.round });
        }
        let reader = u16::try_from(query.reader)
            .ok()
            .filter(|reader| *reader < n);
        let first = u16::try_from(query.from_index).unwrap_or(n).min(n);
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut next_index = n;
        for index in first..n {
            if bytes >= PAGE_BYTES {
                next_index = index;
                break;
            }
            if let Some(item) = self.inbox_item(session, query.round, index, reader)? {
                bytes += u32::try_from(item.encoded_len()).unwrap_or(PAGE_BYTES);
                items.push(item);
            }
        }
        Ok(pb::InboxAnswer {
            round: query.round,
            items,
            next_index: next_index.into(),
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
            ciphertext: sealed.ciphertext,
            p2p_path: sealed.path,
        }))
    }

    fn transcript(&self, query: &pb::TranscriptQuery) -> Result<pb::TranscriptAnswer, Refusal> {
        let body = self.find(&query.session)?.body()?;
        // Each root is recomputed: what a query costs is bounded by the slots that it hashes.
        let page = (TRANSCRIPT_PAGE_SLOTS / body.slots.len().max(1)).max(1);
        let from = usize::try_from(query.from_round).unwrap_or(usize::MAX);
        let rounds = body.closed.iter().skip(from).take(page);
        let roots: Vec<_> = rounds
            .map(|slots| white_city_wire::board::slots_root(slots.iter().map(Slot::digest)))
            .collect();
        let read = u32::try_from(roots.len()).unwrap_or(u32::MAX);
        Ok(pb::TranscriptAnswer {
            from_round: query.from_round,
            roots: join_hashes(&roots),
            next_round: query.from_round.saturating_add(read),
        })
    }

    fn evidence(&self, session: &Option<pb::SessionRef>) -> Result<pb::EvidenceAnswer, Refusal> {
        let session = self.find(session)?;
        session.body()?;
        Ok(pb::EvidenceAnswer {
            evidence: self.committed.snapshot.evidence(session.number)?,
            leaves: self.committed.snapshot.leaves(session.number)?,
        })
    }

    fn terminal(&self, session: &Option<pb::SessionRef>) -> Result<pb::TerminalAnswer, Refusal> {
        let session = self.find(session)?;
        let terminal = session
            .terminal
            .as_ref()
            .ok_or(Refusal::NotFound("end yet"))?;
        Ok(pb::TerminalAnswer {
            terminal: Some(terminal.into()),
        })
    }

    fn sessions(&self, query: &pb::SessionsQuery) -> Result<pb::SessionsAnswer, Refusal> {
        let all = self.committed.state.sessions();
        let from = u32::try_from(query.from_number).unwrap_or(u32::MAX);
        let numbers: Vec<u32> = if query.party.is_empty() {
            (from..=u32::MAX)
                .take_while(|number| u64::from(*number) < all.len())
                .take(SESSIONS_PAGE)
                .collect()
        } else {
            let party =
                <&[u8; 32]>::try_from(query.party.as_slice()).map_err(|_| Refusal::Field {
                    field: "party",
                    expected: "32 bytes",
                })?;
            self.committed
                .snapshot
                .sessions_of(party, from, SESSIONS_PAGE)?
        };
        let next_number = match numbers.last() {
            Some(last) if numbers.len() == SESSIONS_PAGE => u64::from(*last).saturating_add(1),
            _ => all.len(),
        };
        let line = |session: &std::sync::Arc<Session>| pb::SessionLine {
            number: session.number.into(),
            id: session.id().0.to_vec(),
            status: session.status().number().into(),
            protocol: session
                .body
                .as_ref()
                .map_or_else(String::new, |b| b.spec.protocol.clone()),
        };
        Ok(pb::SessionsAnswer {
            sessions: numbers
                .into_iter()
                .filter_map(|n| all.get(n))
                .map(line)
                .collect(),
            next_number,
        })
    }

    fn openers(&self, query: &pb::OpenersQuery) -> pb::OpenersAnswer {
        let all = self.committed.state.openers();
        let openers: Vec<pb::Opener> = (query.from..=u32::MAX)
            .map_while(|number| all.get(number))
            .take(OPENERS_PAGE)
            .map(|opener| pb::Opener {
                key: opener.key.as_bytes().to_vec(),
                max_live: opener.max_live,
                max_bytes: opener.max_bytes,
                live: opener.live,
                live_bytes: opener.live_bytes,
            })
            .collect();
        let read = u32::try_from(openers.len()).unwrap_or(u32::MAX);
        pb::OpenersAnswer {
            openers,
            next: query.from.saturating_add(read),
        }
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

fn is_closed(session: &Session, round: u32) -> bool {
    round < session.leaf.open_round
}

fn slots(body: &Body, round: u32) -> Result<&[Slot], Refusal> {
    let position = usize::try_from(round).unwrap_or(usize::MAX);
    match body.closed.get(position) {
        Some(closed) => Ok(closed),
        None if position == body.closed.len() => Ok(&body.slots),
        None => Err(Refusal::NotFound("round")),
    }
}

fn slot_leaves(slots: &[Slot]) -> Vec<u8> {
    let leaves: Vec<_> = slots
        .iter()
        .map(|slot| slot_leaf(slot.digest().as_ref()))
        .collect();
    join_hashes(&leaves)
}

const fn kind(slot: &Slot) -> u8 {
    match slot {
        Slot::Empty => 0,
        Slot::Join(_) => 1,
        Slot::Post(_) => 2,
        Slot::Finish { .. } => 3,
    }
}
