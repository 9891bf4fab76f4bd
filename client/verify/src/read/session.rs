//! One session: what opened it, how it stands, who left and who cheated.

use white_city_wire::{
    Bitmap, Hash, Network, SessionId, Signature, Spec,
    board::{Culprit, SessionLeaf, Status, Terminal},
    pb::{self, query::Question},
    proof::SessionProof,
    signing::{Purpose, signed_bytes},
    tree::slot_root,
    tx::{Join, Open, join_from_pb, open_from_pb},
};

use super::{
    Lie, OrLie, Proven, Read, Sealed, SessionRef, body,
    evidence::{check_culprits, check_left, culprits, left},
    hashes,
};
use crate::{
    checked::{Checked, Good},
    trust::Trust,
};

/// Asks what opened a session. Its id commits to all of it, and the opener has signed the id.
#[derive(Debug, Clone, Copy)]
pub struct ReadSpec(pub SessionId);

impl Sealed for ReadSpec {}

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
pub struct ReadSignedSpec(pub SessionId);

impl Sealed for ReadSignedSpec {}

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
    /// The content of its leaf.
    pub leaf: SessionLeaf,
    /// The record of its end.
    pub terminal: Option<Terminal>,
}

/// Asks what is known of a session whose spec the reader doesn't have.
#[derive(Debug, Clone, Copy)]
pub struct ReadLeaf(pub SessionRef);

impl Sealed for ReadLeaf {}

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
            terminal: check_terminal(answer.terminal.as_ref(), &proof.leaf, proven.at())?,
        })
    }
}

fn check_terminal(
    terminal: Option<&pb::Terminal>,
    leaf: &SessionLeaf,
    at: (u64, u64),
) -> Result<Option<Terminal>, Lie> {
    let terminal = terminal.map(Terminal::try_from);
    let terminal = terminal.transpose().or_lie("terminal record")?;
    if terminal.as_ref().map_or(Hash::ZERO, Terminal::hash) != leaf.terminal {
        return Err(Lie::new("the terminal record isn't the session's"));
    }
    let record = terminal.as_ref();
    record.map_or(Ok(()), |record| {
        let possible = record.check(leaf, at);
        possible.map_err(|what| Lie(format!("the terminal record {what}")))
    })?;
    Ok(terminal)
}

/// The state of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// Its number.
    pub number: u32,
    /// The content of its leaf: status, open round, transcript, deadline and more.
    pub leaf: SessionLeaf,
    /// Leaves of the open round's slots in the order of the roster, zeros where empty. None once erased.
    pub slots: Vec<Hash>,
    /// The record of its end.
    pub terminal: Option<Terminal>,
    /// Against whom the replicas say that there is signed evidence, which isn't here: a [`Convicted`](crate::Convicted) has been checked. None
    /// once erased.
    pub accused: Vec<Culprit>,
    /// The parties that left by name, with the digest of the decline or abort, in the order of leaving. None once erased.
    pub left: Vec<(u16, Hash)>,
}

impl SessionState {
    /// The parties whose slots of the open round are filled.
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

    /// Indices of the parties that left by name.
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
        (at, network): ((u64, u64), &Network),
        spec: &Spec,
    ) -> Result<Self, Lie> {
        let leaf = proof.leaf.clone();
        let possible = leaf.check_spec(spec);
        possible.map_err(|what| Lie(format!("the session {what}")))?;
        let state = Self {
            number: proof.number,
            slots: hashes("slots", &answer.slots)?,
            terminal: check_terminal(answer.terminal.as_ref(), &leaf, at)?,
            accused: culprits(&answer.culprits)?,
            left: left(&answer.left)?,
            leaf,
        };
        if let Some(terminal) = &state.terminal {
            // It was opened before it ended.
            let open_by_ms = 0..=terminal.board_ms.saturating_add(network.params.max_open_ms);
            let possible = terminal
                .check_spec(&state.leaf, spec)
                .and_then(|()| terminal.check_kept(&state.leaf, spec, open_by_ms));
            possible.map_err(|what| Lie(format!("the terminal record {what}")))?;
        }
        if state.leaf.status == Status::Erased {
            return Ok(Self {
                slots: Vec::new(),
                accused: Vec::new(),
                left: Vec::new(),
                ..state
            });
        }
        state.check_slots(&state.slots, spec)?;
        check_culprits(&state.accused, &state.leaf, spec)?;
        check_left(&state.left, &state.leaf, spec)?;
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
        if terminal.filled != self.filled() {
            return Err(Lie::new(
                "the terminal record's bitmaps aren't those of the open round",
            ));
        }
        Ok(())
    }
}

/// Asks how a session stands.
#[derive(Debug, Clone, Copy)]
pub struct ReadSession<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
}

impl Sealed for ReadSession<'_> {}

impl Read for ReadSession<'_> {
    type Value = SessionState;

    fn question(&self) -> Question {
        Question::Session(pb::SessionQuery {
            session: SessionRef::Id(self.id).to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<SessionState, Lie> {
        let proof = proven.session(self.id.into())?;
        SessionState::check(
            body!(proven, SessionNow)?,
            proof,
            (proven.at(), proven.trust.network()),
            self.spec,
        )
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
    join.check_kem(spec).or_lie("join")?;
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
