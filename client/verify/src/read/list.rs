//! The board as a whole: its numbers, its openers, and lists of sessions.

use bytes::Bytes;
use white_city_wire::{
    Hash, IdentityKey, SessionId,
    board::{OpenerLeaf, Status},
    pb::{self, answer::Body, query::Question},
    proof::is_opener_of,
    read::{OPENERS_PAGE, SESSIONS_LOOKED, SESSIONS_PAGE, Statuses},
};

use super::{Lie, OrLie, Proven, Read, Sealed, body, hashes, shape};

/// Numbers of the board itself. Its parameters are those of the genesis, or nothing of it would verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardStatus {
    /// Number of sessions that were opened.
    pub sessions: u64,
    /// Number of openers.
    pub openers: u64,
    /// Time that the board was down, milliseconds.
    pub paused_ms: u64,
    /// The state's root.
    pub root: Hash,
    /// Hash of the charter in force for the next block.
    pub charter_hash: Hash,
}

/// Asks for the board's numbers.
#[derive(Debug, Clone, Copy)]
pub struct ReadStatus;

impl Sealed for ReadStatus {}

impl Read for ReadStatus {
    type Value = BoardStatus;

    fn question(&self) -> Question {
        Question::Params(pb::ParamsQuery {})
    }

    fn check(&self, proven: &Proven<'_>) -> Result<BoardStatus, Lie> {
        let network = proven.trust.network();
        if body!(proven, Params)?.network_id != network.id.0 {
            return Err(Lie::new("it says that it serves another network"));
        }
        let board = proven.board();
        Ok(BoardStatus {
            sessions: board.sessions,
            openers: board.openers,
            paused_ms: board.paused_ms,
            root: board.hash(),
            charter_hash: board.charter_hash,
        })
    }
}

/// Asks for openers in the order of their numbers, a page of them.
#[derive(Debug, Clone, Copy)]
pub struct ReadOpeners {
    /// The first number.
    pub from: u32,
}

impl Sealed for ReadOpeners {}

impl Read for ReadOpeners {
    type Value = Vec<OpenerLeaf>;

    fn question(&self) -> Question {
        Question::Openers(pb::OpenersQuery { from: self.from })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<Vec<OpenerLeaf>, Lie> {
        let answer = body!(proven, Openers)?;
        let board = proven.board();
        let left = board.openers.saturating_sub(self.from.into());
        let expected = usize::try_from(left).map_or(OPENERS_PAGE, |left| left.min(OPENERS_PAGE));
        if answer.openers.len() != expected {
            return Err(Lie::new("openers: a page has as many as there are and fit"));
        }
        let openers = (self.from..).zip(&answer.openers);
        let openers = openers.map(|(number, opener)| {
            let path = hashes("path", &opener.path)?;
            let key = <&[u8; 32]>::try_from(opener.key.as_slice()).or_lie("opener")?;
            let opener = OpenerLeaf {
                key: IdentityKey::from_bytes(key).or_lie("opener")?,
                listed: opener.listed,
                max_live: opener.max_live,
                max_bytes: opener.max_bytes,
                live: opener.live,
                live_bytes: opener.live_bytes,
            };
            if !is_opener_of(&opener, number, &path, board) {
                return Err(Lie::new("the state has no such opener"));
            }
            Ok(opener)
        });
        openers.collect()
    }
}

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: SessionId,
    /// Its status.
    pub status: Status,
    /// Name of its protocol; empty once erased.
    pub protocol: String,
}

impl SessionLine {
    fn of(line: &pb::SessionLine) -> Result<Self, Lie> {
        Ok(Self {
            number: line.number,
            id: SessionId::from_slice(&line.id).ok_or_else(|| Lie::new("id: not 32 bytes"))?,
            status: Status::from_number(line.status)
                .ok_or_else(|| Lie::new("sessions: unknown status"))?,
            protocol: line.protocol.chars().filter(|c| !c.is_control()).collect(),
        })
    }
}

/// Asks for one page of a list of sessions. Nobody can prove a list by party to be complete, so nothing of it is proven.
#[derive(Debug, Clone, Copy)]
pub struct ListSessions<'a> {
    /// Only those with this party in their roster.
    pub party: Option<&'a IdentityKey>,
    /// The first number.
    pub from_number: u64,
}

impl ListSessions<'_> {
    /// The question as it travels.
    #[must_use]
    pub fn question(&self) -> Question {
        Question::Sessions(pb::SessionsQuery {
            party: self
                .party
                .map_or_else(Vec::new, |party| party.as_bytes().to_vec()),
            from_number: self.from_number,
            ..Default::default()
        })
    }

    /// The page, and the number at which the next one begins if there is one.
    ///
    /// # Errors
    /// [`Lie`] for what can't be such a page.
    pub fn check(&self, answer: Bytes) -> Result<(Vec<SessionLine>, Option<u64>), Lie> {
        let answer = shape::decode(&self.question(), answer)?;
        let Some(Body::Sessions(page)) = &answer.body else {
            return Err(Lie::new("an answer to another question"));
        };
        let lines = page.sessions.iter().map(SessionLine::of);
        let lines = lines.collect::<Result<Vec<_>, Lie>>()?;
        let from_number = self.from_number;
        let first = lines.first().map_or(from_number, |line| line.number);
        let is_ascending = lines.is_sorted_by(|a, b| a.number < b.number);
        if first < from_number || !is_ascending || lines.len() > SESSIONS_PAGE {
            return Err(Lie::new("sessions that aren't those of the page"));
        }
        // Only the last page has room left.
        let last = lines.last().filter(|_| lines.len() == SESSIONS_PAGE);
        let next = last.map(|line| line.number.saturating_add(1));
        if next.is_some_and(|next| page.next_number != next) {
            return Err(Lie::new("a page after which sessions are left out"));
        }
        Ok((lines, next))
    }
}

/// A page of a list that goes down from the newest session: what its replica says, checked as far as it can be. That nothing is left out
/// nobody can prove, and what it names may be made up: that is read with proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionsPage {
    /// The sessions, the newest first.
    pub lines: Vec<SessionLine>,
    /// The number down to which the page has all that were asked for; the next page begins below it.
    pub down_to: u64,
}

/// Asks for one page of such a list.
#[derive(Debug, Clone, Copy)]
pub struct ReadSessionsPage<'a> {
    /// Only those with this party in their roster.
    pub party: Option<&'a IdentityKey>,
    /// Only those with one of these statuses.
    pub statuses: Statuses,
    /// The lowest number.
    pub from_number: u64,
    /// The highest one.
    pub down_from: u64,
}

impl Sealed for ReadSessionsPage<'_> {}

impl Read for ReadSessionsPage<'_> {
    type Value = SessionsPage;

    fn question(&self) -> Question {
        let party = self.party.map(|party| party.as_bytes().to_vec());
        Question::Sessions(pb::SessionsQuery {
            party: party.unwrap_or_default(),
            from_number: self.from_number,
            down_from: Some(self.down_from),
            statuses: self.statuses.bits(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<SessionsPage, Lie> {
        let page = body!(proven, Sessions)?;
        let lines = page.sessions.iter().map(SessionLine::of);
        let lines = lines.collect::<Result<Vec<_>, Lie>>()?;
        let down_to = page.next_number;
        // The numbers that the page is about: from here up to, but without, there.
        let (least, above) = (
            down_to.max(self.from_number),
            proven
                .board()
                .sessions
                .min(self.down_from.saturating_add(1)),
        );
        let is_of_page = |line: &SessionLine| (least..above).contains(&line.number);
        if down_to < self.from_number || !lines.iter().all(is_of_page) {
            return Err(Lie::new("sessions that aren't those of the page"));
        }
        if !lines.is_sorted_by(|a, b| a.number > b.number) {
            return Err(Lie::new("sessions that aren't listed from the newest down"));
        }
        if !lines.iter().all(|line| self.statuses.has(line.status)) {
            return Err(Lie::new("sessions of another status"));
        }
        let covered = above.saturating_sub(down_to);
        // Or somebody could be led through a list without an end in small steps.
        let is_short = lines.len() < SESSIONS_PAGE && covered < to_u64(SESSIONS_LOOKED);
        if down_to > self.from_number && is_short {
            return Err(Lie::new("a page that ends before it has to"));
        }
        if self.party.is_none() && self.statuses == Statuses::ALL && to_u64(lines.len()) != covered
        {
            return Err(Lie::new("sessions are left out, and numbers have no gaps"));
        }
        Ok(SessionsPage { lines, down_to })
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
