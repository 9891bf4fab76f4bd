//! `white-city verify`: what a receipt proves, and whether a signature is the one that its session made.

use std::path::Path;

use serde_json::{Value, json};
use white_city_client::{
    Hash, IdentityKey, Receipt, SessionId, Spec, Trust,
    files::read_public,
    receipt::{Claim, Proven, RECEIPT_BYTES_MAX},
    wire::{
        board::{Status, Terminal},
        json as names,
    },
};
use white_city_eddsa::{Session, Subject, outcome_of, outcome_of_many};

use crate::{
    args::{NetworkArgs, VerifyArgs},
    failure::Failure,
    message::{self, Named},
    network,
    output::{Output, to_json},
    presets::{
        AGGREGATE, AggregateInput, KEYGEN, RESHARE, SIGN, SIGN_MANY, SignInput, SignManyInput,
        read_input,
    },
    receipt::proven_json,
    session::{meaning, roster_text},
};

/// Largest file of signatures, bytes.
const SIGNATURES_BYTES_MAX: u64 = 65_536;

/// Checks a file offline, and says what it proves.
pub fn run(args: &VerifyArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let (trust, pinned) = network::pinned(network)?;
    let min_era = args.min_era.unwrap_or(pinned);
    let (receipt, proven) = read(&args.file, &trust)?;
    let mut value = proven_json(&receipt, &proven, min_era);
    let mut lines = vec![proven.to_string()];
    if let Some(open) = &proven.open {
        output.speak_of(&open.spec.roster);
        lines.extend(meaning(&open.spec));
        lines.extend(group_text(&open.spec, output));
        lines.extend(roster_text(&open.spec, None, output));
        lines.extend(finished_by(&proven.claim).map(|by| {
            let by: Vec<String> = by.iter().map(|index| format!("party {index}")).collect();
            output.named(&format!("finished   by {}", by.join(", ")))
        }));
        let roster = open.spec.roster.iter();
        let called = roster.map(|key| output.people().name_of(key));
        add(&mut value, "spec", to_json(&names::Spec::from(open)));
        add(&mut value, "names", to_json(&called.collect::<Vec<_>>()));
    }
    if !args.signature.is_empty() {
        let signed = signed(args, &proven, &trust, output)?;
        lines.push(signed.text);
        add(&mut value, "signed", signed.value);
    }
    if proven.is_unrenewed(min_era) {
        lines.push(format!(
            "unrenewed: it rests on validators of an era before {min_era}, whose keys may have leaked since: renew it, or have it made \
             again"
        ));
        return Err(Failure::unrenewed(lines.join("\n"), value));
    }
    output.result(&value, &lines.join("\n"))
}

fn add(value: &mut Value, name: &str, part: Value) {
    if let Value::Object(value) = value {
        value.insert(name.into(), part);
    }
}

fn read(file: &Path, trust: &Trust) -> Result<(Receipt, Proven), Failure> {
    // One byte more than a receipt may have, so that the receipt's own check says that it is too large.
    let max = u64::try_from(RECEIPT_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = read_public(file, max.saturating_add(1))?;
    let refused = |what: &dyn std::fmt::Display| {
        Failure::verification(format!("{} proves nothing: {what}", file.display()))
    };
    let receipt = Receipt::from_bytes(&bytes).map_err(|bad| refused(&bad))?;
    let proven = receipt.verify(trust).map_err(|bad| refused(&bad))?;
    Ok((receipt, proven))
}

fn group_text(spec: &Spec, output: &Output) -> Option<String> {
    if spec.prev_session == SessionId::ZERO {
        return None;
    }
    let group = output.people().group_of(&spec.prev_session);
    let group = group.map(|(group, _)| format!(", of the group {}", group.name));
    let group = group.unwrap_or_default();
    Some(format!("continues  {}{group}", spec.prev_session))
}

/// Who has finished with the outcome, as far as the receipt says it.
fn finished_by(claim: &Claim) -> Option<Vec<u16>> {
    let of = |end: &Terminal| -> Option<Vec<u16>> {
        (end.status == Status::Finished).then(|| end.filled.iter().collect())
    };
    match claim {
        Claim::End {
            finished: Some((_, parties)),
            ..
        } => Some(parties.iter().collect()),
        Claim::End { terminal, .. } => terminal.as_ref().and_then(of),
        Claim::Ceremony { terminal, .. } => of(terminal),
        _ => None,
    }
}

/// The outcome that a session has finished with.
fn outcome(claim: &Claim) -> Option<Hash> {
    let of = |end: &Terminal| (end.status == Status::Finished).then_some(end.outcome);
    match claim {
        Claim::End {
            finished: Some((outcome, _)),
            ..
        } => Some(*outcome),
        Claim::End { terminal, .. } => terminal.as_ref().and_then(of),
        Claim::Ceremony { terminal, .. } => of(terminal),
        _ => None,
    }
}

/// A signature that is the session's.
struct SignedBy {
    value: Value,
    text: String,
}

/// Checks that a signature is the one that the session has finished with.
fn signed(
    args: &VerifyArgs,
    proven: &Proven,
    trust: &Trust,
    output: &Output,
) -> Result<SignedBy, Failure> {
    let no = |what: &str| Failure::verification(format!("{}: {what}", args.file.display()));
    let mut signatures = Vec::new();
    for given in &args.signature {
        signatures.extend(read_signatures(given)?);
    }
    let finished = outcome(&proven.claim).ok_or_else(|| {
        no("it doesn't say that the session finished: expected a receipt of its end")
    })?;
    let (Some(open), Some(session)) = (&proven.open, proven.session) else {
        return Err(no("it doesn't say what the session was"));
    };
    let spec = &open.spec;
    let roster: Vec<[u8; 32]> = spec.roster.iter().map(|key| *key.as_bytes()).collect();
    let parties = Session::new(session.0, &roster, 0).map_err(|error| no(&error.to_string()))?;
    let of = Of {
        args,
        spec,
        parties: &parties,
        signatures: &signatures,
    };
    let (public_key, named, made) = of.made(trust, output)?;
    let public_key = hex::encode(public_key);
    let made = made.map_err(|error| match error {
        white_city_eddsa::Error::Signature => no(&format!(
            "the signature isn't one of the session's message under the key {public_key}"
        )),
        error => Failure::usage(format!("--signature: {error}")),
    })?;
    if Hash(made) != finished {
        return Err(no(
            "the signature is valid, but it isn't the one that the session finished with",
        ));
    }
    let all: Vec<String> = signatures.iter().map(hex::encode).collect();
    let mut value = match spec.protocol == SIGN_MANY {
        true => json!({ "signatures": all }),
        false => json!({ "signature": all.first() }),
    };
    add(&mut value, "public_key", json!(public_key));
    add(&mut value, "outcome", json!(finished));
    if let (Value::Object(value), Value::Object(named)) = (&mut value, named) {
        value.extend(named);
    }
    let text = format!("signature  is the one that this session made with the key {public_key}");
    Ok(SignedBy { value, text })
}

/// Signatures, and the session that they are said to be of.
struct Of<'a> {
    args: &'a VerifyArgs,
    spec: &'a Spec,
    parties: &'a Session,
    signatures: &'a [[u8; 64]],
}

/// The key, what the session's input says of the message, and the outcome of a session that has made the signatures.
type Made = ([u8; 32], Value, Result<[u8; 32], white_city_eddsa::Error>);

impl Of<'_> {
    fn made(&self, trust: &Trust, output: &Output) -> Result<Made, Failure> {
        let Self {
            args,
            spec,
            parties,
            signatures,
        } = self;
        let one = || match signatures {
            [signature] => Ok(signature),
            _ => Err(Failure::usage("--signature: the session made one")),
        };
        match &*spec.protocol {
            SIGN => {
                let input = read_input::<SignInput>(spec)?;
                let key = Key::find(args, spec, trust, output)?;
                let (message, signers) = (given(args, &input.message)?, key.places(&spec.roster)?);
                let subject = Subject::Threshold {
                    key_outcome: &key.outcome.0,
                    signers: &signers,
                };
                let key = input.public_key.0;
                let made = outcome_of(parties, subject, key, &message, one()?);
                Ok((key, to_json(&input.message), made))
            }
            SIGN_MANY => {
                let input = read_input::<SignManyInput>(spec)?;
                let key = Key::find(args, spec, trust, output)?;
                let (messages, signers) = (given_many(args, &input)?, key.places(&spec.roster)?);
                let (by, key) = ((&key.outcome.0, &*signers), input.public_key.0);
                let made = outcome_of_many(parties, by, key, &messages, signatures);
                Ok((key, json!({ "messages_hex": input.messages_hex }), made))
            }
            AGGREGATE => {
                let input = read_input::<AggregateInput>(spec)?;
                let ((_, key), message) = (input.keys()?, given(args, &input.message)?);
                let made = outcome_of(parties, Subject::Aggregate, key, &message, one()?);
                Ok((key, to_json(&input.message), made))
            }
            other => Err(Failure::verification(format!(
                "{}: the session ran {other:?}, which signs nothing",
                args.file.display()
            ))),
        }
    }
}

/// The message that the session signed, which has to be the one that was given, if one was.
fn given(args: &VerifyArgs, named: &Named) -> Result<Vec<u8>, Failure> {
    if args.messages.is_some() {
        return Err(Failure::usage("--messages: the session signed one message"));
    }
    let given = message::given(
        args.message.as_ref(),
        args.message_hex.as_ref(),
        args.message_file.as_ref(),
    )?;
    let message = named.resolve(given.as_deref());
    message.map_err(|failure| {
        Failure::verification(format!("{}: {}", args.file.display(), failure.text))
    })
}

/// The messages that the session signed.
fn given_many(args: &VerifyArgs, input: &SignManyInput) -> Result<Vec<Vec<u8>>, Failure> {
    if args.message.is_some() || args.message_hex.is_some() || args.message_file.is_some() {
        return Err(Failure::usage(
            "the session signed many messages: expected --messages",
        ));
    }
    let given = args.messages.as_deref().map(message::many).transpose()?;
    let messages = input.messages(given.as_deref());
    messages.map_err(|failure| {
        Failure::verification(format!("{}: {}", args.file.display(), failure.text))
    })
}

/// 64 bytes in hex; or a file of them, as they are, or in hex, one a line.
fn read_signatures(given: &str) -> Result<Vec<[u8; 64]>, Failure> {
    let from_hex = |text: &str| {
        let bytes = hex::decode(text.trim()).ok()?;
        <[u8; 64]>::try_from(bytes).ok()
    };
    if let Some(signature) = from_hex(given) {
        return Ok(vec![signature]);
    }
    let bytes = read_public(Path::new(given), SIGNATURES_BYTES_MAX)?;
    if let Ok(raw) = <[u8; 64]>::try_from(&*bytes) {
        return Ok(vec![raw]);
    }
    let lines = std::str::from_utf8(&bytes).ok();
    let lines = lines.and_then(|text| text.lines().map(from_hex).collect::<Option<Vec<_>>>());
    lines.filter(|signatures| !signatures.is_empty()).ok_or_else(|| {
        Failure::usage(format!(
            "{given}: expected a signature, 64 bytes or 128 hex digits, or such digits on each line"
        ))
    })
}

/// What a signing session says of its key by the session that made it.
struct Key {
    outcome: Hash,
    roster: Vec<IdentityKey>,
}

impl Key {
    /// From a receipt, or from the group that has made it.
    fn find(
        args: &VerifyArgs,
        spec: &Spec,
        trust: &Trust,
        output: &Output,
    ) -> Result<Self, Failure> {
        let made_in = spec.prev_session;
        let Some(file) = &args.key_receipt else {
            let known = output.people().group_of(&made_in);
            let known = known.map(|(group, key)| Self {
                outcome: key.outcome,
                roster: group.roster(),
            });
            return known.ok_or_else(|| {
                let what = match made_in == SessionId::ZERO {
                    true => "the session names none that made its key".to_owned(),
                    false => format!("no group here has the key of session {made_in}"),
                };
                Failure::usage(format!(
                    "{what}: expected --key-receipt, a receipt of the end of the session that made the key"
                ))
            });
        };
        let no = |what: String| Failure::verification(format!("{}: {what}", file.display()));
        let (_, proven) = read(file, trust)?;
        let is_it = made_in == SessionId::ZERO || proven.session == Some(made_in);
        if !is_it {
            return Err(no(format!(
                "it isn't about session {made_in}, which made the key"
            )));
        }
        match (outcome(&proven.claim), proven.open) {
            (Some(outcome), Some(open)) if [KEYGEN, RESHARE].contains(&&*open.spec.protocol) => {
                Ok(Self {
                    outcome,
                    roster: open.spec.roster,
                })
            }
            _ => Err(no(
                "it doesn't say that a session finished that makes keys".into()
            )),
        }
    }

    /// The places of signers in the roster that made the key.
    fn places(&self, signers: &[IdentityKey]) -> Result<Vec<u16>, Failure> {
        let places = signers.iter().map(|signer| {
            let place = self.roster.iter().position(|key| key == signer);
            let place = place.and_then(|place| u16::try_from(place).ok());
            let stranger = || format!("{signer} was not in the roster that made the key");
            place.ok_or_else(|| Failure::verification(stranger()))
        });
        places.collect()
    }
}
