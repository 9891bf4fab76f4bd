//! The project's EdDSA (`docs/spec/eddsa.md`): a key that parties make, and a signature with it. Each call runs the protocol again from the
//! party's own randomness over all rounds that have closed, and does what comes next.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use white_city_eddsa::{
    KeyShare, Outgoing, Randomness, Session, Signed, keygen,
    run::{Heard, Next, Run},
    sign,
};
use white_city_party::{Error, OwnKey};
use white_city_verify::wire::{Hash, SessionId, Spec, hash::sha256, limits::NOBODY, tx};
use white_city_wasm::board::Board;
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    given,
    seat::{Read, Seat},
};

const KEYGEN: &str = "white-city/eddsa-keygen";
const SIGN: &str = "white-city/eddsa-sign";
/// Version of both.
const VERSION: u32 = 1;
/// Causes of aborts, as the command line has them: somebody's message is wrong; the protocol can't go on.
const CULPRIT: u16 = 1;
const STUCK: u16 = 2;

/// What a party brings: for a signature its share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Has {
    share: Option<Share>,
}

/// A share of a key, as it was made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    /// The session that made it.
    session: SessionId,
    /// The roster that made the key.
    roster: Vec<Hash>,
    /// The share's own bytes, in hex.
    share: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeygenInput {
    threshold: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInput {
    public_key: Hash,
    message_hex: String,
}

/// What the protocol has come to.
enum Stage {
    Post(Outgoing),
    Made { outcome: [u8; 32], made: Value },
}

type Started<T> = (Run<T>, Outgoing);

/// Does what comes next, by the session's own protocol.
pub fn next(
    seat: &mut Seat,
    board: &Board,
    key: &OwnKey,
    has: Has,
    random: &[u8],
) -> Result<Value, Failure> {
    let read = seat.read(board)?;
    let spec = read.seen().history.spec().clone();
    if spec.version != VERSION {
        let text = format!("the session runs version {} of its protocol", spec.version);
        return Err(Failure::usage(text));
    }
    match spec.protocol.as_str() {
        KEYGEN => {
            let input: KeygenInput = given::exactly(&spec.input)?;
            let degree = input.threshold.saturating_sub(1);
            let (me, seed) = (me(seat, &spec)?, seed(seat));
            let (first, post) = keygen::start(me, degree, spec.quorum, seed).map_err(usage)?;
            let started = (Run::from(first), post);
            go_on(seat, &read, key, started, random, |share| {
                (share.outcome(), share_shown(share, &read, &spec))
            })
        }
        SIGN => {
            let started = signing(seat, &spec, has)?;
            go_on(seat, &read, key, started, random, |signed| {
                (signed.outcome(), signed_shown(signed))
            })
        }
        other => Err(Failure::usage(format!(
            "the session runs {other:?}, expected {KEYGEN:?} or {SIGN:?}"
        ))),
    }
}

fn me(seat: &Seat, spec: &Spec) -> Result<Session, Failure> {
    let roster: Vec<[u8; 32]> = spec.roster.iter().map(|key| *key.as_bytes()).collect();
    let place = seat.party.place();
    Session::new(place.session.0, &roster, place.index).map_err(usage)
}

fn seed(seat: &Seat) -> Randomness {
    Randomness::from_seed(*seat.party.randomness("white-city/eddsa"))
}

/// A session or a share that isn't what it has to be.
fn usage(error: white_city_eddsa::Error) -> Failure {
    Failure::usage(error.to_string())
}

/// Begins to sign with the share that the session is about.
fn signing(seat: &Seat, spec: &Spec, has: Has) -> Result<Started<Signed>, Failure> {
    let input: SignInput = given::exactly(&spec.input)?;
    let share = has
        .share
        .ok_or_else(|| Failure::usage("a signature needs the share of the key"))?;
    let text = Zeroizing::new(share.share);
    let bytes = Zeroizing::new(given::bytes(&text)?);
    let own = KeyShare::from_bytes(&bytes).map_err(usage)?;
    if own.public_key() != input.public_key.0 {
        return Err(Failure::usage("the share belongs to another key"));
    }
    if spec.prev_session != SessionId::ZERO && spec.prev_session != share.session {
        return Err(Failure::usage("the share was made in another session"));
    }
    let signers = spec.roster.iter().map(|key| {
        let position = share
            .roster
            .iter()
            .position(|member| member.0 == *key.as_bytes())?;
        u16::try_from(position).ok()
    });
    let signers: Option<Vec<u16>> = signers.collect();
    let signers = signers.ok_or_else(|| Failure::usage("a signer has no share of the key"))?;
    let message = given::bytes(&input.message_hex)?;
    let started = sign::start(me(seat, spec)?, &own, &signers, &message, seed(seat));
    let (first, post) = started.map_err(usage)?;
    Ok((first.into(), post))
}

/// Joins, or runs over all rounds that have closed and does what comes then.
fn go_on<T>(
    seat: &mut Seat,
    read: &Read<'_>,
    key: &OwnKey,
    started: Started<T>,
    random: &[u8],
    made: impl FnOnce(&T) -> ([u8; 32], Value),
) -> Result<Value, Failure> {
    let open = read.seen().history.open_round();
    if open == 0 {
        return seat.join(read.board, key, random);
    }
    let stage = match run_to(seat, read, started, open)? {
        Ok(Next::Post(_, outgoing)) => Stage::Post(outgoing),
        Ok(Next::Made(result)) => {
            let (outcome, made) = made(&result);
            Stage::Made { outcome, made }
        }
        Err(error) => return leave(seat, read, key, &error, random),
    };
    // What it has come to is known also when the session has ended.
    let ended = seat.party.ended(read.seen());
    match stage {
        Stage::Post(outgoing) => {
            let p2p = outgoing.p2p.into_iter().collect();
            seat.post_bytes(read, key, (open, outgoing.broadcast, p2p), random)
        }
        Stage::Made { outcome, made } => {
            let outcome = Hash(outcome);
            let mut done = match ended {
                Some(Error::Finished { outcome: agreed }) if agreed == outcome => {
                    json!({ "finished": true })
                }
                Some(ended) => return Err(ended.into()),
                None => seat.finish(read.board, key, outcome, random)?,
            };
            if let Value::Object(fields) = &mut done {
                fields.insert("made".into(), made);
            }
            Ok(done)
        }
    }
}

/// Runs over the rounds before the open one.
fn run_to<T>(
    seat: &mut Seat,
    read: &Read<'_>,
    (run, outgoing): Started<T>,
    open: u32,
) -> Result<Result<Next<T>, white_city_eddsa::Error>, Failure> {
    let mut next = Next::Post(run, outgoing);
    for round in 1..open {
        let Next::Post(run, _) = next else {
            break;
        };
        let inbox = seat.opened(read, round)?;
        let heard = Heard {
            posted: inbox.posted.into_iter().collect(),
            broadcasts: inbox.broadcasts,
            p2p: inbox.p2p,
        };
        match run.close(&heard) {
            Ok(then) => next = then,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(next))
}

/// Leaves because of a protocol's error, with the hash of its text: about somebody, if it is somebody's fault.
fn leave(
    seat: &mut Seat,
    read: &Read<'_>,
    key: &OwnKey,
    error: &white_city_eddsa::Error,
    random: &[u8],
) -> Result<Value, Failure> {
    if let Some(ended) = seat.party.ended(read.seen()) {
        return Err(ended.into());
    }
    let text = error.to_string();
    let culprit = error.culprit();
    let leave = tx::Leave::Abort {
        cause: culprit.map_or(STUCK, |_| CULPRIT),
        about: culprit.unwrap_or(NOBODY),
        detail: sha256(text.as_bytes()),
    };
    let mut done = seat.leave(read.board, key, leave, random)?;
    if let Value::Object(fields) = &mut done {
        fields.insert("broken".into(), json!({ "about": culprit, "text": text }));
    }
    Ok(done)
}

fn share_shown(share: &KeyShare, read: &Read<'_>, spec: &Spec) -> Value {
    let roster = spec.roster.iter().map(|key| Hash(*key.as_bytes()));
    json!({
        "kind": "share",
        "public_key": hex::encode(share.public_key()),
        "signers_min": share.signers_min(),
        "share": {
            "session": read.followed.history().session(),
            "roster": roster.collect::<Vec<_>>(),
            "share": hex::encode(&*share.to_bytes()),
        },
    })
}

fn signed_shown(signed: &Signed) -> Value {
    json!({
        "kind": "signature",
        "public_key": hex::encode(signed.public_key),
        "signature": hex::encode(signed.signature),
        "culprits": signed.culprits,
    })
}
