//! Answers to queries that an honest replica would never give.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tendermint_proto::v0_38::abci::{RequestQuery, ResponseQuery};
use white_city_tests::rng::Rng;
use white_city_wire::Refusal;

/// Most questions whose first answer is remembered.
const FIRST_MAX: usize = 100_000;
/// Size of a random answer, bytes.
const RANDOM_BYTES: usize = 300;

/// The first answer to each question, and where random ones come from.
pub struct Answers {
    first: Mutex<BTreeMap<(String, Vec<u8>), ResponseQuery>>,
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
    pub fn old(&self, request: &RequestQuery, present: ResponseQuery) -> (ResponseQuery, bool) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let question = (request.path.clone(), request.data.to_vec());
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
    pub fn random(&self) -> ResponseQuery {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        ResponseQuery {
            value: rng.bytes(RANDOM_BYTES).into(),
            info: hex::encode(rng.bytes32()),
            height: i64::try_from(rng.below(1_000)).unwrap_or(0),
            ..ResponseQuery::default()
        }
    }
}

/// A refusal of anything.
pub fn refused() -> ResponseQuery {
    let refusal = Refusal::NotFound("thing");
    ResponseQuery {
        code: refusal.code(),
        log: refusal.to_string(),
        codespace: "white-city".into(),
        ..ResponseQuery::default()
    }
}
