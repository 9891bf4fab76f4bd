//! The other answers: spec, joins, lists.

use prost::Message as _;
use white_city_wire::{
    Hash, IdentityKey, NetworkId, SessionId, Signature, SignedTx, Spec,
    board::Status,
    pb,
    tx::{Action, Join, Leave, Open, join_from_pb, open_from_pb},
};

use super::{BoardStatus, SessionRef, Unproven, hash, hashes};
use crate::replicas::{Endpoint, ReadError};

/// Anything wrong with an answer.
pub(crate) trait Lied<T> {
    /// As a lie, with the part that it is about.
    fn or_lied(self, what: &str) -> Result<T, ReadError>;
}

impl<T, E: std::fmt::Display> Lied<T> for Result<T, E> {
    fn or_lied(self, what: &str) -> Result<T, ReadError> {
        self.map_err(|error| ReadError::Lied(format!("{what}: {error}")))
    }
}

/// The body of an answer, if it is of the kind that was asked for.
macro_rules! body {
    ($answer:expr, $kind:ident) => {
        match &$answer.body {
            Some(white_city_wire::pb::answer::Body::$kind(body)) => Ok(body),
            _ => Err($crate::replicas::ReadError::Lied(
                "an answer to another question".into(),
            )),
        }
    };
}
pub(crate) use body;

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: SessionId,
    /// What it is doing.
    pub status: Status,
    /// Name of its protocol; empty once erased.
    pub protocol: String,
}

/// Which slots of a round are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundStatus {
    /// The round.
    pub round: u32,
    /// Whether it has closed.
    pub closed: bool,
    /// Leaves of its slots in the order of the roster, zeros where empty.
    pub slots: Vec<Hash>,
}

impl SessionLine {
    /// One page, and the number at which the next one begins.
    pub(crate) async fn read_page(
        endpoint: &Endpoint,
        party: Option<&IdentityKey>,
        from_number: u64,
    ) -> Result<Unproven<(Vec<Self>, u64)>, ReadError> {
        let question = pb::query::Question::Sessions(pb::SessionsQuery {
            party: party.map_or_else(Vec::new, |party| party.as_bytes().to_vec()),
            from_number,
        });
        let answer = endpoint.ask(question).await?;
        let page = body!(answer, Sessions)?;
        let lines = page
            .sessions
            .iter()
            .map(|line| {
                Ok(Self {
                    number: line.number,
                    id: SessionId(hash("id", &line.id)?.0),
                    status: Status::from_number(line.status)
                        .ok_or_else(|| ReadError::Lied("sessions: unknown status".into()))?,
                    protocol: line.protocol.chars().filter(|c| !c.is_control()).collect(),
                })
            })
            .collect::<Result<Vec<_>, ReadError>>()?;
        let next = page.next_number;
        Ok(Unproven::new((lines, next), endpoint, &answer))
    }
}

impl RoundStatus {
    pub(crate) async fn read(
        endpoint: &Endpoint,
        session: SessionRef,
        round: u32,
    ) -> Result<Unproven<Self>, ReadError> {
        let question = pb::query::Question::Round(pb::RoundQuery {
            session: session.to_pb(),
            round,
        });
        let answer = endpoint.ask(question).await?;
        let status = body!(answer, Round)?;
        let status = Self {
            round: status.round,
            closed: status.closed,
            slots: hashes("slots", &status.slots)?,
        };
        Ok(Unproven::new(status, endpoint, &answer))
    }
}

impl BoardStatus {
    pub(crate) async fn read(
        endpoint: &Endpoint,
        network: &NetworkId,
    ) -> Result<Unproven<Self>, ReadError> {
        let answer = endpoint
            .ask(pb::query::Question::Params(pb::ParamsQuery {}))
            .await?;
        let params = body!(answer, Params)?;
        if params.network_id != network.0 {
            return Err(ReadError::Lied(format!(
                "it serves the network {}, the genesis describes {network}",
                hex::encode(params.network_id.get(..32).unwrap_or(&params.network_id)),
            )));
        }
        let status = Self {
            sessions: params.sessions,
            paused_ms: params.paused_ms,
            root: hash("root", &params.root)?,
        };
        Ok(Unproven::new(status, endpoint, &answer))
    }
}

/// Reads what opened a session. Nothing of it is unproven: the id commits to all of it, and the opener signed the id.
pub(crate) async fn read_open(
    endpoint: &Endpoint,
    id: SessionId,
    network: &NetworkId,
) -> Result<Open, ReadError> {
    let question = pb::query::Question::Spec(pb::SpecQuery {
        session: SessionRef::Id(id).to_pb(),
    });
    let answer = endpoint.ask(question).await?;
    let answer = body!(answer, Spec)?;
    let open = answer.open.clone();
    check_open(open.unwrap_or_default(), id, network)
}

pub(crate) fn check_open(
    open: pb::Open,
    id: SessionId,
    network: &NetworkId,
) -> Result<Open, ReadError> {
    let (open, signature) = open_from_pb(open).or_lied("spec")?;
    if open.session_id(network) != id {
        return Err(ReadError::Lied("the spec isn't this session's".into()));
    }
    let tx = SignedTx::new(Action::Open(open.clone()), signature).or_lied("spec")?;
    tx.verify(&open.opener, open.spec.parties(), network)
        .or_lied("the opener's signature")?;
    Ok(open)
}

/// Reads the joins so far, each checked under its author's key; that there are no others is unproven.
pub(crate) async fn read_joins(
    endpoint: &Endpoint,
    id: SessionId,
    spec: &Spec,
    network: &NetworkId,
) -> Result<Vec<Join>, ReadError> {
    let question = pb::query::Question::Roster(pb::RosterQuery {
        session: SessionRef::Id(id).to_pb(),
    });
    let answer = endpoint.ask(question).await?;
    let roster = body!(answer, Roster)?;
    if roster.joins.len() > spec.roster.len() {
        return Err(ReadError::Lied("more joins than parties".into()));
    }
    let joins = roster.joins.iter();
    joins
        .map(|join| check_join(join, id, spec, network))
        .collect()
}

/// Reads what those who left said, each under its author's key; what doesn't verify is left out.
pub(crate) async fn read_leaves(
    endpoint: &Endpoint,
    id: SessionId,
    spec: &Spec,
    network: &NetworkId,
) -> Result<Vec<(u16, Leave)>, ReadError> {
    let question = pb::query::Question::Evidence(pb::EvidenceQuery {
        session: SessionRef::Id(id).to_pb(),
    });
    let answer = endpoint.ask(question).await?;
    let evidence = body!(answer, Evidence)?;
    let leaves = evidence.leaves.iter().take(spec.roster.len());
    Ok(leaves
        .filter_map(|tx| check_leave(tx, id, spec, network))
        .collect())
}

fn check_leave(
    tx: &pb::Tx,
    id: SessionId,
    spec: &Spec,
    network: &NetworkId,
) -> Option<(u16, Leave)> {
    let tx = SignedTx::decode(&tx.encode_to_vec()).ok()?;
    let Action::Leave {
        session,
        index,
        leave,
    } = tx.unverified_action().clone()
    else {
        return None;
    };
    let key = spec.key(index).ok()?;
    tx.verify(key, spec.parties(), network).ok()?;
    (session == id).then_some((index, leave))
}

pub(crate) fn check_join(
    join: &pb::Join,
    id: SessionId,
    spec: &Spec,
    network: &NetworkId,
) -> Result<Join, ReadError> {
    let (join, signature): (Join, Signature) = join_from_pb(join).or_lied("join")?;
    if join.session != id {
        return Err(ReadError::Lied("a join of another session".into()));
    }
    let key = spec.key(join.index).or_lied("join")?;
    let tx = SignedTx::new(Action::Join(join.clone()), signature).or_lied("join")?;
    tx.verify(key, spec.parties(), network)
        .or_lied("signature of a join")?;
    Ok(join)
}
