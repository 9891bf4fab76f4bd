//! Answers to queries that an honest replica would never give.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use prost::Message as _;
use white_city_replica::front::{Answer, Told};
use white_city_tests::rng::Rng;
use white_city_wire::{
    Refusal,
    pb::{self, answer::Body, query::Question},
    read::{decode_answer, decode_query},
};

/// Most questions whose first answer is remembered.
const FIRST_MAX: usize = 100_000;
/// Size of a random answer, bytes.
const RANDOM_BYTES: usize = 300;

/// The first answer to each question, and where random ones come from.
pub struct Answers {
    first: Mutex<BTreeMap<(String, Vec<u8>), Answer>>,
    rng: Mutex<Rng>,
}

impl Answers {
    /// Nothing is remembered yet.
    pub fn new() -> Self {
        Self {
            first: Mutex::default(),
            rng: Mutex::new(Rng::new(u64::from(std::process::id()))),
        }
    }

    /// The first answer to this question, which is `present` where it wasn't asked before; and whether it is another
    /// answer than that.
    pub fn old(&self, path: &str, data: &[u8], present: Answer) -> (Answer, bool) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let question = (path.to_owned(), data.to_vec());
        match first.get(&question) {
            Some(old) => (old.clone(), *old != present),
            None => {
                if first.len() < FIRST_MAX {
                    first.insert(question, present.clone());
                }
                (present, false)
            }
        }
    }

    /// Random bytes at some height.
    pub fn random(&self) -> Answer {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let told = Told {
            value: rng.bytes(RANDOM_BYTES),
            info: hex::encode(rng.bytes32()),
        };
        Answer {
            height: rng.below(1_000),
            told: Ok(told),
        }
    }
}

/// A refusal of anything.
pub fn refused() -> Answer {
    Answer {
        height: 0,
        told: Err(Refusal::NotFound("thing")),
    }
}

/// The honest answer, without any session where it is a list; `None` where there is nothing to leave out.
pub fn hidden(data: &[u8], honest: &Answer) -> Option<Answer> {
    let Ok(Question::Sessions(query)) = decode_query(data) else {
        return None;
    };
    let told = honest.told.as_ref().ok()?;
    let mut answer = decode_answer(&told.value[..]).ok()?;
    let Some(Body::Sessions(page)) = &mut answer.body else {
        return None;
    };
    if page.sessions.is_empty() {
        return None;
    }
    *page = pb::SessionsAnswer {
        sessions: Vec::new(),
        next_number: query.from_number,
    };
    Some(Answer {
        height: honest.height,
        told: Ok(Told {
            value: answer.encode_to_vec(),
            info: told.info.clone(),
        }),
    })
}
