//! From arguments to a spec: protocols that this program runs, or any other.

use clap::ValueEnum;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use white_city_client::{Hash, Network, Spec, SpecBuilder, wire::limits};
use white_city_eddsa::{aggregate, keygen, refresh, sign};

use crate::{
    args::{OpenArgs, Preset},
    failure::Failure,
    message::{self, Named},
};

mod many;
mod reshare;

pub use many::SignManyInput;
pub use reshare::ReshareInput;

/// Makes a key of which some of the parties can sign together.
pub const KEYGEN: &str = "white-city/eddsa-keygen";
/// Gives such a key other shares.
pub const REFRESH: &str = "white-city/eddsa-refresh";
/// Gives such a key other holders, and another threshold.
pub const RESHARE: &str = "white-city/eddsa-reshare";
/// Signs with such a key.
pub const SIGN: &str = "white-city/eddsa-sign";
/// Signs many messages with such a key, in one session.
pub const SIGN_MANY: &str = "white-city/eddsa-sign-many";
/// Signs, all together, each with a key of its own.
pub const AGGREGATE: &str = "white-city/eddsa-aggregate-sign";
/// All of them.
pub const ALL: [&str; 6] = [KEYGEN, REFRESH, RESHARE, SIGN, SIGN_MANY, AGGREGATE];
/// Version of all of them.
pub const VERSION: u32 = 1;

/// The protocol that a preset is of.
pub const fn protocol(preset: Preset) -> &'static str {
    match preset {
        Preset::Keygen => KEYGEN,
        Preset::Refresh => REFRESH,
        Preset::Reshare => RESHARE,
        Preset::Sign => SIGN,
        Preset::SignMany => SIGN_MANY,
        Preset::AggregateSign => AGGREGATE,
    }
}

/// Input of [`KEYGEN`].
#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct KeygenInput {
    /// Number of signers that it takes.
    pub threshold: u16,
}

/// Input of [`REFRESH`].
#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct RefreshInput {
    /// The key.
    pub public_key: Hash,
}

/// Input of [`SIGN`].
#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct SignInput {
    /// The key to sign with.
    pub public_key: Hash,
    /// The message that is signed.
    #[serde(flatten)]
    pub message: Named,
}

/// Input of [`AGGREGATE`].
#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct AggregateInput {
    /// The signers' own public keys, in the order of the roster: whoever brings another one is named, and nothing is signed.
    pub public_keys: Vec<Hash>,
    /// The message that is signed.
    #[serde(flatten)]
    pub message: Named,
}

impl AggregateInput {
    /// The keys, and the one that the signature verifies under.
    pub fn keys(&self) -> Result<(Vec<[u8; 32]>, [u8; 32]), Failure> {
        let keys: Vec<[u8; 32]> = self.public_keys.iter().map(|key| key.0).collect();
        let key = aggregate_key(&keys)?;
        Ok((keys, key))
    }
}

/// The public key that the aggregated signatures of these signers verify under.
pub fn aggregate_key(keys: &[[u8; 32]]) -> Result<[u8; 32], Failure> {
    let key = aggregate::AggregateKey::new(keys);
    key.map(|key| key.public_key()).map_err(|error| {
        let what = match error.culprit() {
            Some(index) => {
                format!("the one of party {index}, counted from 0, isn't a public signing key")
            }
            None => error.to_string(),
        };
        Failure::usage(format!("--signing-key: {what}"))
    })
}

/// The rounds and the room that a protocol needs.
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

/// The spec that the arguments describe, for this board.
pub fn spec(args: &OpenArgs, network: &Network) -> Result<Spec, Failure> {
    let parties = u16::try_from(args.party.len())
        .ok()
        .filter(|parties| *parties <= limits::ROSTER_PARTIES_MAX)
        .ok_or_else(|| Failure::usage("at most 1024 parties"))?;
    let builder = match (args.preset, &args.protocol) {
        (Some(preset), _) => {
            refuse_untaken(args, preset)?;
            with_needs(args, needs(args, preset, parties)?)
        }
        (None, Some(protocol)) => any(args, protocol),
        (None, None) => return Err(Failure::usage("expected --preset or --protocol")),
    };
    let (join, round) = (args.join_timeout, args.round_timeout);
    let mut builder = builder
        .for_board(network)
        .times(join, round, args.reveal_timeout)
        .retention(args.retention);
    if let Some(quorum) = args.quorum {
        builder = builder.quorum(quorum);
    }
    if let Some(corrupt) = args.corrupt {
        builder = builder.corrupt(corrupt);
    }
    if let Some(kem) = args.kem {
        builder = builder.kem(kem.into());
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

fn with_needs(args: &OpenArgs, needs: Needs) -> SpecBuilder {
    let rounds = u32::from(needs.rounds);
    SpecBuilder::new(needs.protocol, VERSION, args.party.clone())
        // The round after the last post is the one that finishes.
        .max_rounds(rounds + 1)
        .payloads(needs.max_broadcast, needs.max_p2p)
        // No protocol here sends p2p payloads twice.
        .posts(rounds, u32::from(needs.max_p2p > 0))
        .corrupt(needs.corrupt)
        .input(needs.input)
}

fn needs(args: &OpenArgs, preset: Preset, parties: u16) -> Result<Needs, Failure> {
    let all_others = parties.saturating_sub(1);
    if parties < 2 {
        return Err(Failure::usage("expected at least two --party"));
    }
    Ok(match preset {
        Preset::Keygen => keygen_needs(args, parties)?,
        Preset::Refresh => refresh_needs(args, parties)?,
        Preset::Reshare => reshare::needs(args, parties)?,
        Preset::Sign => {
            let public_key = public_key(args)?;
            let input = Named::input(&message(args)?, |message| {
                let public_key = Hash(public_key);
                json(&SignInput {
                    public_key,
                    message,
                })
            });
            Needs {
                protocol: SIGN,
                input: input?,
                rounds: sign::ROUNDS,
                // The key's degree is in no public key, but there are more signers than it.
                max_broadcast: sign::max_broadcast_bytes(all_others),
                max_p2p: sign::max_p2p_bytes(),
                corrupt: all_others,
            }
        }
        Preset::SignMany => many::needs(args, parties)?,
        Preset::AggregateSign => {
            check_signing_keys(args, parties)?;
            let input = Named::input(&message(args)?, |message| {
                let public_keys = args.signing_key.iter().map(|key| Hash(*key)).collect();
                json(&AggregateInput {
                    public_keys,
                    message,
                })
            });
            Needs {
                protocol: AGGREGATE,
                input: input?,
                rounds: aggregate::ROUNDS,
                max_broadcast: aggregate::max_broadcast_bytes(),
                max_p2p: 0,
                corrupt: all_others,
            }
        }
    })
}

fn keygen_needs(args: &OpenArgs, parties: u16) -> Result<Needs, Failure> {
    let threshold = args
        .threshold
        .filter(|threshold| (2..=parties).contains(threshold))
        .ok_or_else(|| {
            let most = match parties {
                2 => "2".to_owned(),
                _ => format!("2 to {parties}"),
            };
            Failure::usage(format!("--threshold: expected {most} signers"))
        })?;
    if args.quorum.is_some_and(|quorum| quorum < threshold) {
        return Err(Failure::usage(format!(
            "--quorum: expected at least the threshold, {threshold}: fewer can't use the key"
        )));
    }
    let degree = threshold.saturating_sub(1);
    Ok(Needs {
        protocol: KEYGEN,
        input: json(&KeygenInput { threshold })?,
        rounds: keygen::ROUNDS,
        max_broadcast: keygen::max_broadcast_bytes(degree),
        max_p2p: keygen::max_p2p_bytes(),
        corrupt: degree,
    })
}

fn refresh_needs(args: &OpenArgs, parties: u16) -> Result<Needs, Failure> {
    let all_others = parties.saturating_sub(1);
    let public_key = Hash(public_key(args)?);
    all_and_the_same_shares(args, parties)?;
    Ok(Needs {
        protocol: REFRESH,
        input: json(&RefreshInput { public_key })?,
        rounds: refresh::ROUNDS,
        // The key's degree is in no public key, but there are more parties than it.
        max_broadcast: refresh::max_broadcast_bytes(all_others),
        max_p2p: refresh::max_p2p_bytes(),
        corrupt: all_others,
    })
}

/// Refuses a session that goes on without somebody, or doesn't say which shares it is about.
fn all_and_the_same_shares(args: &OpenArgs, parties: u16) -> Result<(), Failure> {
    if args.quorum.is_some_and(|quorum| quorum < parties) {
        return Err(Failure::usage("--quorum: this preset needs all parties"));
    }
    if args.previous.is_none() {
        return Err(Failure::usage(
            "--previous: expected the session that made the shares, so that nobody brings others",
        ));
    }
    Ok(())
}

fn public_key(args: &OpenArgs) -> Result<[u8; 32], Failure> {
    let key = args.public_key;
    key.ok_or_else(|| Failure::usage("--public-key: expected the key"))
}

/// Refuses what the preset doesn't take: whoever gives it thinks that it counts.
fn refuse_untaken(args: &OpenArgs, preset: Preset) -> Result<(), Failure> {
    let (is_keygen, is_aggregate) = (preset == Preset::Keygen, preset == Preset::AggregateSign);
    let is_reshare = preset == Preset::Reshare;
    let (is_many, signs) = (
        preset == Preset::SignMany,
        matches!(preset, Preset::Sign | Preset::AggregateSign),
    );
    let has_threshold = is_keygen || is_reshare;
    let untaken = [
        ("--threshold", args.threshold.is_some(), has_threshold),
        ("--messages", args.messages.is_some(), is_many),
        ("--joins", !args.joins.is_empty(), is_reshare),
        ("--leaves", !args.leaves.is_empty(), is_reshare),
        ("--message", args.message.is_some(), signs),
        ("--message-hex", args.message_hex.is_some(), signs),
        ("--message-file", args.message_file.is_some(), signs),
        ("--public-key", args.public_key.is_some(), !is_keygen),
        ("--signing-key", !args.signing_key.is_empty(), is_aggregate),
    ];
    let untaken = untaken
        .iter()
        .find(|(_, is_given, is_taken)| *is_given && !is_taken);
    untaken.map_or(Ok(()), |(flag, ..)| {
        let preset = preset.to_possible_value();
        let preset = preset.as_ref().map_or("", |preset| preset.get_name());
        Err(Failure::usage(format!(
            "{flag}: the preset {preset} takes none"
        )))
    })
}

fn json(input: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(input).map_err(|error| Failure::other(error.to_string()))
}

fn message(args: &OpenArgs) -> Result<Vec<u8>, Failure> {
    let message = message::given(
        args.message.as_ref(),
        args.message_hex.as_ref(),
        args.message_file.as_ref(),
    )?;
    message.ok_or_else(|| {
        Failure::usage("what is to be signed? expected --message, --message-hex or --message-file")
    })
}

/// Whether each party has a key, they make one together, and it is the one that is wanted.
fn check_signing_keys(args: &OpenArgs, parties: u16) -> Result<(), Failure> {
    let keys = args.signing_key.len();
    if keys != usize::from(parties) {
        return Err(Failure::usage(format!(
            "--signing-key: expected one for each of the {parties} parties, in their order, not {keys}"
        )));
    }
    // The input is JSON: 64 digits, quotes and a comma for each, and a message.
    let most = limits::INPUT_BYTES_MAX / 68;
    if u32::from(parties) > most {
        return Err(Failure::usage(format!(
            "--signing-key: a session has room for {most} of them at most"
        )));
    }
    let key = aggregate_key(&args.signing_key)?;
    match args.public_key {
        Some(wanted) if wanted != key => Err(Failure::usage(format!(
            "--public-key: these parties sign under {}",
            hex::encode(key)
        ))),
        _ => Ok(()),
    }
}

/// Reads a preset's input, of which nothing is left over.
pub fn read_input<T: Serialize + DeserializeOwned>(spec: &Spec) -> Result<T, Failure> {
    let wrong =
        |what: String| Failure::usage(format!("the session's input isn't this protocol's: {what}"));
    let all: Value =
        serde_json::from_slice(&spec.input).map_err(|error| wrong(error.to_string()))?;
    let read = T::deserialize(&all).map_err(|error| wrong(error.to_string()))?;
    // Whoever looks at the input would think that all of it counts.
    let known = serde_json::to_value(&read).map_err(|error| wrong(error.to_string()))?;
    if known != all {
        return Err(wrong(format!("expected {known} and nothing else")));
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
