//! A hundred thousand answers that were tampered with, of which the client takes none.

use std::{
    collections::BTreeMap, fmt::Debug, sync::Arc, thread::available_parallelism, time::Instant,
};

use prost::Message as _;
use white_city_client::{
    Verified,
    read::{
        InboxPage, Read, ReadEvidence, ReadLeaf, ReadOpeners, ReadRoster, ReadRound, ReadSession,
        ReadSpec, ReadStatus, ReadTranscript, check,
    },
    trust::VerifiedHeader,
    wire::{
        SessionId,
        board::Status,
        hash::sha256,
        pb::{self, answer::Body},
        read::decode_answer,
    },
};
use white_city_tests::{
    rng::Rng,
    tampering::{Around, Change, Mutator, mutators},
};

use crate::record::{Asked, Record, What, record};

/// Least number of answers that are tampered with.
const TAMPERED_MIN: usize = 100_000;
/// Least number of answers that each mutator has to have changed. Some find few answers that they can be applied to.
const EACH_MIN: usize = 100;
/// Number of answers that are looked at to change one.
const TRIES: usize = 60;

/// The value that a client takes for the truth, or why it doesn't: as the client reads, by question, header and floor.
fn taken(
    record: &Record,
    asked: &Asked,
    answer: &[u8],
    header: Option<&Arc<VerifiedHeader>>,
) -> Result<String, String> {
    let height = decode_answer(answer)
        .map_err(|error| error.to_string())?
        .height;
    if height < asked.answer.height {
        return Err("old".into());
    }
    let header = header
        .or_else(|| record.headers.get(&height))
        .ok_or("no header of that height")?;
    let spec = |id| &record.specs[&id];
    let reader = Reader {
        record,
        answer,
        header,
    };
    match asked.what {
        What::Status => reader.read(&ReadStatus),
        What::Openers => reader.read(&ReadOpeners { from: 0 }),
        What::Spec(id) => reader.read(&ReadSpec(id)),
        What::Leaf(session) => reader.read(&ReadLeaf(session)),
        What::Session(id) => reader.read(&ReadSession { id, spec: spec(id) }),
        What::Roster(id) => reader.read(&ReadRoster { id, spec: spec(id) }),
        What::Transcript(id) => reader.read(&ReadTranscript(id)),
        What::Evidence(id) => reader.read(&ReadEvidence { id, spec: spec(id) }),
        What::Round(id, round) => reader.read(&ReadRound {
            id,
            spec: spec(id),
            round,
        }),
        What::Inbox(id, round, whose) => reader.round(id, round, whose),
    }
}

struct Reader<'a> {
    record: &'a Record,
    answer: &'a [u8],
    header: &'a Arc<VerifiedHeader>,
}

impl Reader<'_> {
    fn check<R: Read>(&self, read: &R) -> Result<Verified<R::Value>, String> {
        check(read, &self.record.trust, self.answer, self.header).map_err(|lie| lie.to_string())
    }

    fn read<R: Read<Value: Debug>>(&self, read: &R) -> Result<String, String> {
        let value = self.check(read)?;
        Ok(format!("{:?} {}", *value, value.board_ms()))
    }

    /// A whole round, as whoever follows a session reads it.
    fn round(&self, id: SessionId, round: u32, whose: Option<u16>) -> Result<String, String> {
        let page = self
            .check(&self.record.inbox(id, round, whose))?
            .into_value();
        if page.next_index.is_some() {
            return Err("another page is to come".into());
        }
        let now = page
            .now
            .as_ref()
            .ok_or("it doesn't say how the session stands")?;
        let leaf = &now.leaf;
        let history = &self.record.histories[&(id, round)];
        if leaf.open_round == round {
            return self.last_round(&page, id, round);
        }
        let proof = page
            .proof
            .as_ref()
            .ok_or("a closed round without its proof")?;
        let closed = match round {
            0 => history.check_joining(&page.joins, proof, leaf),
            _ => history.check_round(whose, &page.entries, proof, leaf),
        };
        let closed = closed.map_err(|error| error.to_string())?;
        Ok(format!("{closed:?} {:?} {now:?}", page.entries))
    }

    /// The open round, or the one in which the session ended: nobody opens its p2p payloads.
    fn last_round(&self, page: &InboxPage, id: SessionId, round: u32) -> Result<String, String> {
        let now = page
            .now
            .as_ref()
            .ok_or("it doesn't say how the session stands")?;
        let history = &self.record.histories[&(id, round)];
        if now.leaf.transcript != history.transcript() {
            return Err("a fork".into());
        }
        if now
            .terminal
            .as_ref()
            .is_some_and(|end| end.members != *history.members())
        {
            return Err("other members".into());
        }
        if now.terminal.is_some() && round > 0 {
            let outcome = now.terminal.as_ref().map(|end| end.outcome);
            let outcome = outcome.filter(|_| now.leaf.status == Status::Finished);
            let checked = history.check_last_round(outcome.as_ref(), &page.entries, &now.leaf);
            checked.map_err(|error| error.to_string())?;
        }
        Ok(format!("{now:?}"))
    }
}

/// An answer without what no value is made of: whoever changes only that hasn't tampered with anything.
fn matters(what: What, mut answer: pb::Answer) -> pb::Answer {
    let open_round = answer
        .session
        .as_ref()
        .and_then(|proof| Some(proof.leaf.as_ref()?.open_round));
    match (&mut answer.body, what) {
        // The genesis says what the network is; the state, how it stands.
        (Some(Body::Params(params)), _) => {
            (params.chain_id, params.params_json) = Default::default()
        }
        // The next page is asked for by what was read.
        (Some(Body::Openers(openers)), _) => openers.next = 0,
        // Without the spec only the leaf and the terminal record can be checked, and nothing else is handed out.
        (Some(Body::SessionNow(now)), What::Leaf(_)) => {
            (now.slots, now.culprits, now.left) = Default::default();
        }
        (Some(Body::Inbox(inbox)), What::Inbox(_, round, _)) if open_round == Some(round) => {
            let has_ended = inbox.now.as_ref().is_some_and(|now| now.terminal.is_some());
            // Nobody reads entries of a round that is open, nor opens payloads of one that never closed; of joins the
            // terminal record says it all.
            inbox.items.retain(|_| has_ended && round > 0);
            for item in &mut inbox.items {
                (item.ciphertext, item.p2p_path) = Default::default();
            }
        }
        _ => {}
    }
    answer
}

/// Tampers with one answer; `None` where there is nothing to change.
fn tampered(
    record: &Record,
    mutator: &Mutator,
    asked: &Asked,
    rng: &mut Rng,
) -> Option<Result<String, String>> {
    let honest = asked.answer.encode_to_vec();
    let bytes = match mutator.change {
        Change::Answer(change) => {
            let mut answer = asked.answer.clone();
            let around = Around {
                question: &asked.question,
                memory: &record.memory,
            };
            change(&mut answer, &around, rng)?;
            answer.encode_to_vec()
        }
        Change::Bytes(change) => {
            let mut bytes = honest.clone();
            change(&mut bytes, rng)?;
            bytes
        }
        Change::Header(change) => {
            let original = record.memory.header(asked.answer.height)?;
            let mut header = original.clone();
            change(&mut header, &record.memory, rng)?;
            return (header != *original).then(|| {
                let verified = record
                    .trust
                    .verify(header)
                    .map_err(|error| error.to_string())?;
                taken(record, asked, &honest, Some(&Arc::new(verified)))
            });
        }
        Change::Text(_) | Change::Transport(_) => return None,
    };
    let read = decode_answer(&bytes[..]).map(|answer| matters(asked.what, answer));
    if read == Ok(matters(asked.what, asked.answer.clone())) {
        return None;
    }
    Some(taken(record, asked, &bytes, None))
}

/// Applies one mutator so many times, if it can be, and says how often it could.
fn apply(record: &Record, mutator: &Mutator, times: usize) -> usize {
    let seed = sha256(mutator.name.as_bytes()).0;
    let mut rng = Rng::new(
        seed.iter()
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte)),
    );
    let mut applied = 0;
    for _ in 0..times * TRIES {
        let asked = rng.pick(&record.asked).unwrap();
        let Some(taken) = tampered(record, mutator, asked, &mut rng) else {
            continue;
        };
        if let Ok(value) = taken {
            panic!("{} of {:?} is taken: {value}", mutator.name, asked.what);
        }
        applied += 1;
        if applied == times {
            break;
        }
    }
    applied
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_thousand_tampered_answers_none_is_taken() {
    let record = record().await;
    let began = Instant::now();
    for asked in &record.asked {
        let honest = taken(&record, asked, &asked.answer.encode_to_vec(), None);
        assert!(
            honest.is_ok(),
            "without tampering: {:?}: {honest:?}",
            asked.what
        );
    }
    let mutators = mutators()
        .into_iter()
        .filter(|mutator| !matches!(mutator.change, Change::Text(_) | Change::Transport(_)));
    let mutators: Vec<Mutator> = mutators.collect();
    let times = TAMPERED_MIN / mutators.len() * 5 / 4;
    let applied = in_parallel(&mutators, |mutator| apply(&record, mutator, times));
    let total: usize = applied.values().sum();
    println!(
        "{total} answers of {} kinds to {} questions, none taken, {:?}; the rarest kind: {:?}",
        applied.len(),
        record.asked.len(),
        began.elapsed(),
        applied.iter().min_by_key(|(_, count)| **count)
    );
    let rare: Vec<_> = applied
        .iter()
        .filter(|(_, count)| **count < EACH_MIN)
        .collect();
    assert!(rare.is_empty(), "hardly applied: {rare:?}");
    assert!(total >= TAMPERED_MIN, "{total}");
}

fn in_parallel(
    mutators: &[Mutator],
    apply: impl Fn(&Mutator) -> usize + Sync,
) -> BTreeMap<&'static str, usize> {
    let threads = available_parallelism().map_or(1, usize::from);
    let apply = &apply;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let own = mutators.iter().skip(worker).step_by(threads);
                scope.spawn(move || {
                    own.map(|mutator| (mutator.name, apply(mutator)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    })
}
