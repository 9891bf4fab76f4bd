//! The evidence against parties of a session, and what those who left have said.

use prost::Message as _;
use white_city_wire::{
    Hash, NetworkId, SessionId, Signature, SignedEntry, SignedTx, Spec,
    board::{Culprit, Offence, SessionLeaf, evidence_hash, left_hash},
    entry::equivocation,
    pb::{self, query::Question},
    possible,
    tx::{Action, Leave, entry_from_pb},
};

use super::{Lie, OrLie, Proven, Read, Sealed, SessionRef, SignedDispute, body};

pub(crate) fn culprits(culprits: &[pb::Culprit]) -> Result<Vec<Culprit>, Lie> {
    let culprits = culprits.iter().map(Culprit::try_from);
    culprits.collect::<Result<_, _>>().or_lie("culprits")
}

pub(crate) fn left(left: &[pb::Leaver]) -> Result<Vec<(u16, Hash)>, Lie> {
    let bad = || Lie::new("left: not an index and 32 bytes");
    let left = left.iter().map(|leaver| {
        let index = u16::try_from(leaver.index).map_err(|_| bad())?;
        Ok((index, Hash::from_slice(&leaver.digest).ok_or_else(bad)?))
    });
    left.collect()
}

pub(crate) fn check_culprits(
    culprits: &[Culprit],
    leaf: &SessionLeaf,
    spec: &Spec,
) -> Result<(), Lie> {
    if evidence_hash(culprits) != leaf.evidence {
        return Err(Lie::new("the culprits aren't the session's"));
    }
    possible::check_culprits(culprits, leaf, spec.parties()).or_lie("culprits")
}

pub(crate) fn check_left(left: &[(u16, Hash)], leaf: &SessionLeaf, spec: &Spec) -> Result<(), Lie> {
    if left_hash(left) != leaf.left {
        return Err(Lie::new("those who left aren't the session's"));
    }
    possible::check_left(left, spec.parties()).or_lie("leavers")
}

/// The evidence against parties of a session, and what those who left said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvidence {
    /// Against whom there is signed evidence, ascending by index; with the two signed entries where it is an equivocation.
    /// Whom the dispute convicts, its complaint and answer do.
    pub culprits: Vec<(Culprit, Option<[SignedEntry; 2]>)>,
    /// The parties that left by name, in the order of leaving, with what each has signed.
    pub left: Vec<(u16, Leave, Signature)>,
    /// The complaint and its answer, where there was one.
    pub dispute: Option<SignedDispute>,
}

/// A culprit whose signed evidence has been read and checked: nobody has to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convicted(Culprit);

impl Convicted {
    /// Of evidence that [`History::convicted`](crate::history::History::convicted) has checked.
    pub(crate) const fn new(culprit: Culprit) -> Self {
        Self(culprit)
    }
}

impl std::ops::Deref for Convicted {
    type Target = Culprit;

    fn deref(&self) -> &Culprit {
        &self.0
    }
}

/// Asks for the evidence that is on the board.
#[derive(Debug, Clone, Copy)]
pub struct ReadEvidence<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
}

impl Sealed for ReadEvidence<'_> {}

impl Read for ReadEvidence<'_> {
    type Value = SessionEvidence;

    fn question(&self) -> Question {
        Question::Evidence(pb::EvidenceQuery {
            session: SessionRef::Id(self.id).to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<SessionEvidence, Lie> {
        let leaf = &proven.session(self.id.into())?.leaf;
        let answer = body!(proven, Evidence)?;
        let culprits = culprits(&answer.culprits)?;
        check_culprits(&culprits, leaf, self.spec)?;
        let left = left(&answer.left)?;
        check_left(&left, leaf, self.spec)?;
        let parties = Parties {
            id: self.id,
            spec: self.spec,
            network: &proven.trust.network().id,
        };
        let txs = (answer.complain.as_ref(), answer.reveal.as_ref());
        let dispute = parties.dispute(leaf, &culprits, txs)?;
        let culprits = culprits.into_iter().map(|culprit| {
            let pair = match culprit.offence {
                Offence::Equivocation => Some(parties.pair(&culprit, &answer.evidence)?),
                Offence::BadPayload | Offence::FalseComplaint => None,
            };
            Ok((culprit, pair))
        });
        let left = left
            .into_iter()
            .map(|(index, digest)| parties.word(index, &digest, &answer.leaves));
        Ok(SessionEvidence {
            culprits: culprits.collect::<Result<_, Lie>>()?,
            left: left.collect::<Result<_, Lie>>()?,
            dispute,
        })
    }
}

/// A session's parties, for checking what they have signed.
#[derive(Clone, Copy)]
pub(crate) struct Parties<'a> {
    pub(crate) id: SessionId,
    pub(crate) spec: &'a Spec,
    pub(crate) network: &'a NetworkId,
}

impl Parties<'_> {
    /// The two signed entries that convict a culprit.
    pub(crate) fn pair(
        self,
        culprit: &Culprit,
        evidence: &[pb::Evidence],
    ) -> Result<[SignedEntry; 2], Lie> {
        let key = self.spec.key(culprit.index).or_lie("evidence")?;
        for pair in evidence {
            let first = entry_from_pb(pair.first.as_ref()).or_lie("evidence")?;
            let second = entry_from_pb(pair.second.as_ref()).or_lie("evidence")?;
            let (session, _, _) = first.entry.slot();
            let pair = [first, second];
            let is_it = session == self.id
                && equivocation(&pair).as_ref() == Ok(culprit)
                && pair
                    .iter()
                    .all(|entry| entry.is_signed_by(key, self.network));
            if is_it {
                return Ok(pair);
            }
        }
        let index = culprit.index;
        Err(Lie(format!(
            "no signed evidence against party {index} comes with its name"
        )))
    }

    /// The words that somebody who left has signed.
    pub(crate) fn word(
        self,
        index: u16,
        digest: &Hash,
        leaves: &[pb::Tx],
    ) -> Result<(u16, Leave, Signature), Lie> {
        let word = leaves
            .iter()
            .find_map(|tx| self.check_leave(tx, (index, digest)));
        word.map(|(leave, signature)| (index, leave, signature))
            .ok_or_else(|| Lie(format!("what party {index} said when it left is missing")))
    }

    fn check_leave(
        self,
        tx: &pb::Tx,
        (author, digest): (u16, &Hash),
    ) -> Option<(Leave, Signature)> {
        let tx = SignedTx::decode(&tx.encode_to_vec()).ok()?;
        let Action::Leave {
            session,
            index,
            leave,
        } = tx.unverified_action().clone()
        else {
            return None;
        };
        if (session, index) != (self.id, author) || leave.digest(&session, index) != *digest {
            return None;
        }
        let key = self.spec.key(index).ok()?;
        let verified = tx.verify(key, self.spec.parties(), self.network).ok()?;
        Some((leave, *verified.signature()))
    }
}
