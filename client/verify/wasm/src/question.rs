//! Questions, in JSON: `{"of": "round", "session": …, "round": 3}`.

use serde::Deserialize;
use white_city_verify::{
    read::SessionRef,
    wire::{
        SessionId,
        limits::NOBODY,
        pb::{self, query::Question},
        read::encode_query,
    },
};

use crate::outcome::NotProven;

/// A question about a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Asked {
    /// Its numbers.
    Status {},
    /// The charter in force, and the operators' words about the next one.
    Charter {},
    /// A page of its openers.
    Openers { from: u32 },
    /// A page of its sessions, which nobody can prove.
    Sessions { from_number: u64 },
    /// What leads to the eras after this one.
    Links { from_era: u32 },
    /// What is known of a session without its spec.
    Leaf { session: SessionId },
    /// The same of the one with this number.
    Numbered { number: u64 },
    /// What opened a session.
    Spec { session: SessionId },
    /// How a session stands.
    Session { session: SessionId },
    /// Who has joined.
    Joins { session: SessionId },
    /// Which slots of a round are filled.
    Round { session: SessionId, round: u32 },
    /// The entries of a round, with what was sealed to this party (to nobody unless it is said), of this height or a later one.
    Inbox {
        session: SessionId,
        round: u32,
        from_index: u16,
        reader: Option<u16>,
        #[serde(default)]
        from_height: u64,
    },
    /// The evidence against parties, and what those said who left.
    Evidence { session: SessionId },
}

fn by_id(id: &SessionId) -> Option<pb::SessionRef> {
    Some(pb::SessionRef {
        r#ref: Some(pb::session_ref::Ref::Id(id.0.to_vec())),
    })
}

impl Asked {
    /// The question that this JSON is.
    pub fn from_json(json: &[u8]) -> Result<Self, NotProven> {
        serde_json::from_slice(json).map_err(|error| NotProven::Usage(error.to_string()))
    }

    /// The session whose summary is asked for.
    pub const fn summary_of(&self) -> Option<SessionRef> {
        match self {
            Self::Leaf { session } => Some(SessionRef::Id(*session)),
            Self::Numbered { number } => Some(SessionRef::Number(*number)),
            _ => None,
        }
    }

    /// The height below which an answer isn't taken.
    pub const fn floor(&self) -> u64 {
        match self {
            Self::Inbox { from_height, .. } => *from_height,
            _ => 0,
        }
    }

    /// The question as it travels.
    pub fn question(&self) -> Question {
        match self {
            Self::Status {} => Question::Params(pb::ParamsQuery {}),
            Self::Charter {} => Question::Charter(pb::CharterQuery {}),
            Self::Openers { from } => Question::Openers(pb::OpenersQuery { from: *from }),
            Self::Sessions { from_number } => Question::Sessions(pb::SessionsQuery {
                from_number: *from_number,
                ..Default::default()
            }),
            Self::Links { from_era } => Question::Links(pb::LinksQuery {
                from_era: *from_era,
            }),
            Self::Numbered { number } => Question::Session(pb::SessionQuery {
                session: Some(pb::SessionRef {
                    r#ref: Some(pb::session_ref::Ref::Number(*number)),
                }),
            }),
            Self::Leaf { session } | Self::Session { session } => {
                Question::Session(pb::SessionQuery {
                    session: by_id(session),
                })
            }
            Self::Spec { session } => Question::Spec(pb::SpecQuery {
                session: by_id(session),
            }),
            Self::Joins { session } => Question::Roster(pb::RosterQuery {
                session: by_id(session),
            }),
            Self::Round { session, round } => Question::Round(pb::RoundQuery {
                session: by_id(session),
                round: *round,
            }),
            Self::Inbox {
                session,
                round,
                from_index,
                reader,
                ..
            } => Question::Inbox(pb::InboxQuery {
                session: by_id(session),
                round: *round,
                reader: reader.unwrap_or(NOBODY).into(),
                from_index: (*from_index).into(),
            }),
            Self::Evidence { session } => Question::Evidence(pb::EvidenceQuery {
                session: by_id(session),
            }),
        }
    }

    /// The bytes of the question, in hex.
    pub fn to_hex(self) -> String {
        let bytes = encode_query(self.question());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
