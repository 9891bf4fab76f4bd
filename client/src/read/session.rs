//! One session: what opened it, how it stands, who left and who cheated.

use prost::Message as _;
use white_city_wire::{
    Bitmap, Hash, NetworkId, SessionId, Signature, SignedEntry, SignedTx, Spec,
    board::{Culprit, Offence, SessionLeaf, Status, Terminal, evidence_hash, left_hash},
    pb::{self, query::Question},
    proof::SessionProof,
    signing::{Purpose, signed_bytes},
    tree::slot_root,
    tx::{Action, Join, Leave, Open, entry_from_pb, join_from_pb, open_from_pb},
};

use super::{Lie, OrLie, Proven, Read, SessionRef, SignedDispute, body, hashes};
use crate::{
    checked::{Checked, Good},
    trust::Trust,
};

/// Asks what opened a session. Its id commits to all of it, and the opener has signed the id.
#[derive(Debug, Clone, Copy)]
pub struct ReadSpec(pub SessionId);

impl Read for ReadSpec {
    type Value = Open;

    fn question(&self) -> Question {
        Question::Spec(pb::SpecQuery {
            session: SessionRef::Id(self.0).to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<Open, Lie> {
        Ok(ReadSignedSpec(self.0).check(proven)?.0)
    }
}

/// As [`ReadSpec`], with the opener's signature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadSignedSpec(pub(crate) SessionId);

impl Read for ReadSignedSpec {
    type Value = (Open, Signature);

    fn question(&self) -> Question {
        ReadSpec(self.0).question()
    }

    fn check(&self, proven: &Proven<'_>) -> Result<(Open, Signature), Lie> {
        proven.session(self.0.into())?;
        let answer = body!(proven, Spec)?;
        let open = answer.open.clone().unwrap_or_default();
        let (open, id, signature) = check_open(open, proven.trust)?;
        if id != self.0 {
            return Err(Lie::new("the spec isn't this session's"));
        }
        Ok((open, signature))
    }
}

/// Checks the signature over what opened a session, and gives the id that is made of it.
pub(crate) fn check_open(
    open: pb::Open,
    trust: &Trust,
) -> Result<(Open, SessionId, Signature), Lie> {
    let network = trust.network().id;
    let (open, signature) = open_from_pb(open).or_lie("spec")?;
    let id = open.session_id(&network);
    let message = signed_bytes(Purpose::Open, &network, &Hash(id.0));
    if !open.opener.verify(&message, &signature) {
        return Err(Lie::new("the opener's signature doesn't verify"));
    }
    Ok((open, id, signature))
}

/// A session's number, leaf and terminal record: all that is left after erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its number.
    pub number: u32,
    /// What its leaf hashes.
    pub leaf: SessionLeaf,
    /// How it ended.
    pub terminal: Option<Terminal>,
}

/// Asks what is known of a session whose spec the reader doesn't have.
#[derive(Debug, Clone, Copy)]
pub struct ReadLeaf(pub SessionRef);

impl Read for ReadLeaf {
    type Value = SessionSummary;

    fn question(&self) -> Question {
        Question::Session(pb::SessionQuery {
            session: self.0.to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<SessionSummary, Lie> {
        let proof = proven.session(self.0)?;
        let answer = body!(proven, SessionNow)?;
        Ok(SessionSummary {
            number: proof.number,
            leaf: proof.leaf.clone(),
            terminal: check_terminal(answer.terminal.as_ref(), &proof.leaf)?,
        })
    }
}

fn check_terminal(
    terminal: Option<&pb::Terminal>,
    leaf: &SessionLeaf,
) -> Result<Option<Terminal>, Lie> {
    let terminal = terminal.map(Terminal::try_from);
    let terminal = terminal.transpose().or_lie("terminal record")?;
    if terminal.as_ref().map_or(Hash::ZERO, Terminal::hash) != leaf.terminal {
        return Err(Lie::new("the terminal record isn't the session's"));
    }
    Ok(terminal)
}

/// How a session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// Its number.
    pub number: u32,
    /// What its leaf hashes: status, open round, transcript, deadline and more.
    pub leaf: SessionLeaf,
    /// Leaves of the open round's slots in the order of the roster, zeros where empty. None once erased.
    pub slots: Vec<Hash>,
    /// How it ended.
    pub terminal: Option<Terminal>,
    /// Against whom there is signed evidence. None once erased.
    pub culprits: Vec<Culprit>,
    /// Who left by name, with the digest of the decline or abort, in the order of leaving. None once erased.
    pub left: Vec<(u16, Hash)>,
}

impl SessionState {
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

    /// Of these members of the open round those that it waits for: they neither filled their slots nor left. Nobody in a
    /// dispute, which waits for the accused.
    #[must_use]
    pub fn waiting_for(&self, members: &Bitmap) -> Vec<u16> {
        if !matches!(self.leaf.status, Status::Joining | Status::Running) {
            return Vec::new();
        }
        let (filled, left) = (self.filled(), self.leavers());
        members
            .iter()
            .filter(|index| !filled.contains(*index) && !left.contains(index))
            .collect()
    }

    /// Checks that what was answered is what the leaf hashes.
    pub(super) fn check(
        answer: &pb::SessionAnswer,
        proof: &SessionProof,
        spec: &Spec,
    ) -> Result<Self, Lie> {
        let leaf = proof.leaf.clone();
        let state = Self {
            number: proof.number,
            slots: hashes("slots", &answer.slots)?,
            terminal: check_terminal(answer.terminal.as_ref(), &leaf)?,
            culprits: culprits(&answer.culprits)?,
            left: left(&answer.left)?,
            leaf,
        };
        if state.leaf.status == Status::Erased {
            return Ok(Self {
                slots: Vec::new(),
                culprits: Vec::new(),
                left: Vec::new(),
                ..state
            });
        }
        state.check_slots(&state.slots, spec)?;
        check_culprits(&state.culprits, &state.leaf)?;
        check_left(&state.left, &state.leaf)?;
        state.check_record()?;
        Ok(state)
    }

    fn check_slots(&self, slots: &[Hash], spec: &Spec) -> Result<(), Lie> {
        // The tree is padded: without the spec's number of parties two rows of slots would have one root.
        if slots.len() != spec.roster.len() || slot_root(slots.to_vec()) != self.leaf.slots_root {
            return Err(Lie::new("the slots aren't those of the open round"));
        }
        Ok(())
    }

    /// The terminal record speaks of the open round's slots.
    fn check_record(&self) -> Result<(), Lie> {
        let Some(terminal) = &self.terminal else {
            return Ok(());
        };
        if terminal.status != self.leaf.status {
            return Err(Lie::new("status and terminal record differ"));
        }
        if terminal.filled != self.filled() || !terminal.filled.is_subset(&terminal.members) {
            return Err(Lie::new(
                "the terminal record's bitmaps aren't those of the open round",
            ));
        }
        Ok(())
    }
}

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

pub(crate) fn check_culprits(culprits: &[Culprit], leaf: &SessionLeaf) -> Result<(), Lie> {
    if evidence_hash(culprits) != leaf.evidence {
        return Err(Lie::new("the culprits aren't the session's"));
    }
    Ok(())
}

pub(crate) fn check_left(left: &[(u16, Hash)], leaf: &SessionLeaf) -> Result<(), Lie> {
    if left_hash(left) != leaf.left {
        return Err(Lie::new("those who left aren't the session's"));
    }
    Ok(())
}

/// Asks how a session stands.
#[derive(Debug, Clone, Copy)]
pub struct ReadSession<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
}

impl Read for ReadSession<'_> {
    type Value = SessionState;

    fn question(&self) -> Question {
        Question::Session(pb::SessionQuery {
            session: SessionRef::Id(self.id).to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<SessionState, Lie> {
        let proof = proven.session(self.id.into())?;
        SessionState::check(body!(proven, SessionNow)?, proof, self.spec)
    }
}

/// What speaks against parties of a session, and what those who left said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvidence {
    /// Against whom there is signed evidence, ascending by index; with the two signed entries where it is an equivocation.
    /// Whom the dispute convicts, its complaint and answer do.
    pub culprits: Vec<(Culprit, Option<[SignedEntry; 2]>)>,
    /// Who left by name, in the order of leaving, with what each has signed.
    pub left: Vec<(u16, Leave, Signature)>,
    /// The complaint and its answer, where there was one.
    pub dispute: Option<SignedDispute>,
}

/// Asks for the evidence that is on the board.
#[derive(Debug, Clone, Copy)]
pub struct ReadEvidence<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
}

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
        check_culprits(&culprits, leaf)?;
        let left = left(&answer.left)?;
        check_left(&left, leaf)?;
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
            let digests = (first.entry.digest(), second.entry.digest());
            let slot = (self.id, culprit.round, culprit.index);
            let is_it = digests == (culprit.a, culprit.b)
                && [&first, &second].iter().all(|entry| {
                    entry.entry.slot() == slot && entry.is_signed_by(key, self.network)
                });
            if is_it {
                return Ok([first, second]);
            }
        }
        let index = culprit.index;
        Err(Lie(format!(
            "no signed evidence against party {index} comes with its name"
        )))
    }

    /// What somebody who left has signed.
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

/// Checks a join under its author's key, unless `checked` says that its signature holds.
pub(crate) fn check_join(
    join: &pb::Join,
    id: SessionId,
    spec: &Spec,
    trust: &Trust,
    checked: Option<&Checked>,
) -> Result<(Join, Signature), Lie> {
    let (join, signature) = join_from_pb(join).or_lie("join")?;
    if join.session != id {
        return Err(Lie::new("a join of another session"));
    }
    let key = spec.key(join.index).or_lie("join")?;
    let network = &trust.network().id;
    let message = signed_bytes(Purpose::Join, network, &join.digest());
    let good = Good::of(key, &signature, &message);
    if checked.is_none_or(|checked| !checked.holds(&good)) {
        if !key.verify(&message, &signature) {
            return Err(Lie::new("join: its author's signature doesn't verify"));
        }
        checked.inspect(|checked| checked.note([good]));
    }
    Ok((join, signature))
}
