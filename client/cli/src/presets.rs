//! From arguments to a spec: protocols that this program runs, or any other.

use serde::{Deserialize, Serialize};
use white_city_client::{Hash, SEALING_BYTES, Spec, SpecBuilder, files::read_public, wire::limits};
use white_city_eddsa::{aggregate, keygen, sign};

use crate::{
    args::{OpenArgs, Preset},
    failure::Failure,
};

/// Makes a key of which some of the parties can sign together.
pub const KEYGEN: &str = "white-city/eddsa-keygen";
/// Signs with such a key.
pub const SIGN: &str = "white-city/eddsa-sign";
/// Signs, all together, each with a key of its own.
pub const AGGREGATE: &str = "white-city/eddsa-aggregate-sign";
/// Version of all three.
pub const VERSION: u32 = 1;

/// Input of [`KEYGEN`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeygenInput {
    /// How many signers it takes.
    pub threshold: u16,
}

/// Input of [`SIGN`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInput {
    /// The key to sign with.
    pub public_key: Hash,
    /// What is signed.
    pub message_hex: String,
}

/// Input of [`AGGREGATE`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregateInput {
    /// What is signed.
    pub message_hex: String,
}

/// What a protocol needs.
struct Needs {
    protocol: &'static str,
    input: Vec<u8>,
    /// Rounds in which parties post.
    rounds: u16,
    max_broadcast: u32,
    /// 0 for a protocol without p2p payloads.
    max_p2p: u32,
    corrupt: u16,
}

/// The spec that the arguments describe.
pub fn spec(args: &OpenArgs) -> Result<Spec, Failure> {
    let parties = u16::try_from(args.party.len())
        .ok()
        .filter(|parties| *parties <= limits::ROSTER_PARTIES_MAX)
        .ok_or_else(|| Failure::usage("at most 1024 parties"))?;
    let builder = match (args.preset, &args.protocol) {
        (Some(preset), _) => with_needs(args, parties, needs(args, preset, parties)?),
        (None, Some(protocol)) => any(args, protocol),
        (None, None) => return Err(Failure::usage("expected --preset or --protocol")),
    };
    let (join, round) = (args.join_timeout, args.round_timeout);
    let mut builder = builder
        .times(join, round, args.reveal_timeout)
        .retention(args.retention);
    if let Some(quorum) = args.quorum {
        builder = builder.quorum(quorum);
    }
    if let Some(corrupt) = args.corrupt {
        builder = builder.corrupt(corrupt);
    }
    if let Some(previous) = args.previous {
        builder = builder.previous(previous);
    }
    Ok(builder.build()?)
}

fn any(args: &OpenArgs, protocol: &str) -> SpecBuilder {
    let input = args.input_hex.clone().map_or_else(Vec::new, |hex| hex.0);
    let builder = SpecBuilder::new(protocol, args.protocol_version, args.party.clone())
        .max_rounds(args.max_rounds)
        .payloads(args.max_broadcast, args.max_p2p)
        .input(input);
    match args.max_bytes {
        Some(bytes) => builder.max_bytes(bytes),
        None => builder,
    }
}

fn with_needs(args: &OpenArgs, parties: u16, needs: Needs) -> SpecBuilder {
    let entries = u64::from(needs.rounds) + 1;
    let broadcasts = u64::from(needs.rounds) * u64::from(needs.max_broadcast);
    let p2p = match needs.max_p2p {
        0 => 0,
        bytes => u64::from(bytes.saturating_add(SEALING_BYTES)) * u64::from(parties),
    };
    let share = limits::ENTRY_BYTES * entries + broadcasts + p2p;
    SpecBuilder::new(needs.protocol, VERSION, args.party.clone())
        // The round after the last post is the one that finishes.
        .max_rounds(u32::from(needs.rounds) + 1)
        .payloads(needs.max_broadcast, needs.max_p2p)
        .max_bytes(share * u64::from(parties))
        .corrupt(needs.corrupt)
        .input(needs.input)
}

fn needs(args: &OpenArgs, preset: Preset, parties: u16) -> Result<Needs, Failure> {
    let all_others = parties.saturating_sub(1);
    if parties < 2 {
        return Err(Failure::usage("expected at least two --party"));
    }
    Ok(match preset {
        Preset::Keygen => {
            let threshold = args
                .threshold
                .filter(|threshold| (2..=parties).contains(threshold))
                .ok_or_else(|| {
                    Failure::usage(format!("--threshold: expected 2 to {parties} signers"))
                })?;
            if args.quorum.is_some_and(|quorum| quorum < threshold) {
                return Err(Failure::usage(format!(
                    "--quorum: expected at least the threshold, {threshold}: fewer can't use the key"
                )));
            }
            let degree = threshold.saturating_sub(1);
            Needs {
                protocol: KEYGEN,
                input: json(&KeygenInput { threshold })?,
                rounds: keygen::ROUNDS,
                max_broadcast: keygen::max_broadcast_bytes(degree),
                max_p2p: keygen::max_p2p_bytes(),
                corrupt: degree,
            }
        }
        Preset::Sign => {
            let public_key = args
                .public_key
                .ok_or_else(|| Failure::usage("--public-key: expected the key to sign with"))?;
            let input = SignInput {
                public_key: Hash(public_key),
                message_hex: message_hex(args)?,
            };
            Needs {
                protocol: SIGN,
                input: json(&input)?,
                rounds: sign::ROUNDS,
                // The key's degree is in no public key, but there are more signers than it.
                max_broadcast: sign::max_broadcast_bytes(all_others),
                max_p2p: sign::max_p2p_bytes(),
                corrupt: all_others,
            }
        }
        Preset::AggregateSign => {
            let message_hex = message_hex(args)?;
            Needs {
                protocol: AGGREGATE,
                input: json(&AggregateInput { message_hex })?,
                rounds: aggregate::ROUNDS,
                max_broadcast: aggregate::max_broadcast_bytes(),
                max_p2p: 0,
                corrupt: all_others,
            }
        }
    })
}

fn json(input: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(input).map_err(|error| Failure::other(error.to_string()))
}

fn message_hex(args: &OpenArgs) -> Result<String, Failure> {
    let message = match (&args.message, &args.message_hex, &args.message_file) {
        (Some(text), ..) => text.as_bytes().to_vec(),
        (_, Some(bytes), _) => bytes.0.clone(),
        (.., Some(file)) => read_public(file, limits::INPUT_BYTES_MAX.into())?,
        (None, None, None) => {
            return Err(Failure::usage(
                "what is to be signed? expected --message, --message-hex or --message-file",
            ));
        }
    };
    Ok(hex::encode(message))
}

/// Reads a preset's input.
pub fn read_input<'a, T: Deserialize<'a>>(spec: &'a Spec) -> Result<T, Failure> {
    serde_json::from_slice(&spec.input).map_err(|error| {
        Failure::usage(format!(
            "the session's input isn't this protocol's: {error}"
        ))
    })
}

#[cfg(test)]
mod tests;
