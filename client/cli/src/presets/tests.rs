use white_city_client::{Kem, LocalKey, Signer, genesis};

use super::*;
use crate::args::{Cli, Command, SessionCommand};

/// A board as the launcher makes them.
fn board() -> Network {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/receipts/genesis.json"
    );
    genesis::trust(path).unwrap().network().clone()
}

/// The spec of `session open` with this many parties and these arguments.
fn open(parties: u8, args: &[&str]) -> Result<Spec, Failure> {
    let keys: Vec<String> = (1..=parties)
        .map(|seed| {
            LocalKey::from_seed(&[seed; 32])
                .unwrap()
                .identity()
                .to_string()
        })
        .collect();
    let mut all = vec!["white-city", "session", "open", "--identity", "i"];
    for key in &keys {
        all.extend(["--party", key]);
    }
    all.extend(args);
    match Cli::read(all.iter().map(Into::into)).unwrap().command {
        Command::Session(SessionCommand::Open(args)) => spec(&args, &board()),
        other => panic!("{other:?}"),
    }
}

const KEY: &str = "5866666666666666666666666666666666666666666666666666666666666666";
/// The arguments that a key generation needs.
const KEYGEN_ARGS: [&str; 4] = ["--preset", "eddsa-keygen", "--threshold", "2"];
/// The arguments that a signature needs.
const SIGN_ARGS: [&str; 6] = [
    "--preset",
    "eddsa-sign",
    "--message",
    "m",
    "--public-key",
    KEY,
];

#[test]
fn keygen_says_how_many_sign_and_has_a_round_to_finish_in() {
    let spec = open(5, &["--preset", "eddsa-keygen", "--threshold", "3"]).unwrap();
    assert_eq!((spec.protocol.as_str(), spec.version), (KEYGEN, VERSION));
    assert_eq!(spec.input, br#"{"threshold":3}"#);
    assert_eq!(
        read_input::<KeygenInput>(&spec).unwrap(),
        KeygenInput { threshold: 3 }
    );
    assert_eq!((spec.quorum, spec.corrupt), (5, 2));
    assert_eq!(spec.max_rounds, u32::from(keygen::ROUNDS) + 1);
    assert_eq!(spec.max_bcast, keygen::max_broadcast_bytes(2));
    assert_eq!(spec.max_p2p, keygen::max_p2p_bytes() + 1_136);
    assert!(spec.is_fork_safe());
}

#[test]
fn shares_are_sealed_to_x_wing_keys_unless_others_are_asked_for_or_nothing_is_sealed() {
    let kem = |parties, args: &[&str], more: &[&str]| {
        let spec = open(parties, &[args, more].concat()).unwrap();
        assert_eq!(spec.max_p2p - spec.kem.sealing_bytes(), 33);
        spec.kem
    };
    for args in [&KEYGEN_ARGS[..], &SIGN_ARGS] {
        for parties in [2, 200] {
            assert_eq!(kem(parties, args, &[]), Kem::XWing);
            assert_eq!(kem(parties, args, &["--kem", "x25519"]), Kem::X25519);
            assert_eq!(kem(parties, args, &["--kem", "x-wing"]), Kem::XWing);
        }
    }
    let aggregate = open_aggregate(3, 3, &["--message", "m"]).unwrap();
    assert_eq!(aggregate.kem, Kem::X25519);
}

#[test]
fn a_share_of_the_bytes_has_room_for_every_post_of_a_preset_and_its_finish() {
    for (args, p2p_rounds) in [(&SIGN_ARGS[..], 1), (&[], 0), (&KEYGEN_ARGS[..], 1)] {
        for parties in [2, 7, 50] {
            let aggregate = aggregate(parties, &["--message", "m"]);
            let aggregate: Vec<&str> = aggregate.iter().map(String::as_str).collect();
            let args = if args.is_empty() { &aggregate } else { args };
            let spec = open(parties, args).unwrap();
            let posts = u64::from(spec.max_rounds) - 1;
            let p2p = u64::from(spec.max_p2p) * u64::from(parties - 1) * p2p_rounds;
            let needed = 256 * (posts + 1) + posts * u64::from(spec.max_bcast) + p2p;
            assert!(spec.share_bytes() >= needed, "{args:?} {parties}");
        }
    }
}

#[test]
fn signing_says_what_and_with_which_key() {
    let args = [
        "--preset",
        "eddsa-sign",
        "--message",
        "hello",
        "--public-key",
        KEY,
    ];
    let spec = open(2, &args).unwrap();
    assert_eq!(spec.protocol, SIGN);
    let input: SignInput = read_input(&spec).unwrap();
    assert_eq!(input.message.resolve(None).unwrap(), b"hello");
    assert_eq!(input.public_key.to_string(), KEY);
}

/// Arguments of an aggregated signature, with a signing key for each party.
fn aggregate(parties: u8, more: &[&str]) -> Vec<String> {
    let mut args = vec!["--preset".to_owned(), "eddsa-aggregate-sign".to_owned()];
    for seed in 1..=parties {
        let key = aggregate::KeyPair::from_seed(&[seed; 32]).public_key();
        args.extend(["--signing-key".to_owned(), hex::encode(key)]);
    }
    args.extend(more.iter().map(|more| (*more).to_owned()));
    args
}

fn open_aggregate(parties: u8, keys: u8, more: &[&str]) -> Result<Spec, Failure> {
    let args = aggregate(keys, more);
    open(
        parties,
        &args.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

#[test]
fn an_aggregated_signature_names_each_signers_key() {
    let message = ["--message-hex", "00ff"];
    let spec = open_aggregate(3, 3, &message).unwrap();
    assert_eq!((spec.protocol.as_str(), spec.corrupt), (AGGREGATE, 2));
    let input: AggregateInput = read_input(&spec).unwrap();
    let (keys, key) = input.keys().unwrap();
    assert_eq!(keys.len(), 3);
    assert_eq!(input.message.resolve(None).unwrap(), [0, 0xff]);
    let with_key =
        |key: &str| open_aggregate(3, 3, &[&message[..], &["--public-key", key]].concat());
    assert!(with_key(&hex::encode(key)).is_ok());
    assert_eq!(with_key(KEY).unwrap_err().code, 2);
    for keys in [0, 2, 4] {
        assert_eq!(
            open_aggregate(3, keys, &message).unwrap_err().code,
            2,
            "{keys}"
        );
    }
    // As many keys as there is room for, beside a message that is only named.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("message");
    std::fs::write(&file, vec![7; 100_000]).unwrap();
    let message = ["--message-file", file.to_str().unwrap()];
    let spec = open_aggregate(240, 240, &message).unwrap();
    assert!(read_input::<AggregateInput>(&spec).is_ok());
    let failure = open_aggregate(241, 241, &message).unwrap_err();
    assert!(failure.text.contains("240"), "{}", failure.text);
}

#[test]
fn an_input_of_which_something_is_left_over_is_refused() {
    let read = |input: &str| {
        let mut spec = open(3, &["--preset", "eddsa-keygen", "--threshold", "3"]).unwrap();
        spec.input = input.as_bytes().to_vec();
        (
            read_input::<KeygenInput>(&spec).is_ok(),
            read_input::<SignInput>(&spec).is_ok(),
        )
    };
    assert_eq!(read(r#"{"threshold":3}"#), (true, false));
    assert_eq!(read(r#"{"threshold":3,"more":1}"#), (false, false));
    let sign = |rest: &str| read(&format!(r#"{{"public_key":"{KEY}",{rest}}}"#));
    let hash = format!(r#""message_sha256":"{KEY}","message_bytes":3"#);
    assert_eq!(sign(r#""message_hex":"00""#), (false, true));
    assert_eq!(sign(&hash), (false, true));
    assert_eq!(
        sign(&format!(r#""message_hex":"00",{hash}"#)),
        (false, false)
    );
    assert_eq!(sign(r#""message_hex":"00","more":1"#), (false, false));
}

#[test]
fn what_a_preset_lacks_is_a_usage_error() {
    let bad: [(u8, &[&str]); 7] = [
        (3, &["--preset", "eddsa-keygen"]),
        (3, &["--preset", "eddsa-keygen", "--threshold", "1"]),
        (3, &["--preset", "eddsa-keygen", "--threshold", "4"]),
        (1, &["--preset", "eddsa-keygen", "--threshold", "1"]),
        (3, &["--preset", "eddsa-sign", "--message", "m"]),
        (3, &["--preset", "eddsa-sign", "--public-key", KEY]),
        (3, &["--preset", "eddsa-aggregate-sign", "--message", "m"]),
    ];
    for (parties, args) in bad {
        assert_eq!(open(parties, args).unwrap_err().code, 2, "{args:?}");
    }
    assert!(open(3, &["--preset", "eddsa-keygen", "--threshold", "2"]).is_ok());
    assert!(open(3, &["--preset", "eddsa-keygen", "--threshold", "3"]).is_ok());
}

#[test]
fn any_other_protocol_brings_its_own_limits() {
    let args = "--protocol my/protocol --protocol-version 7 --max-rounds 9 --max-broadcast 10 --max-p2p 20 \
        --max-bytes 30000 --input-hex 0aff --quorum 2 --corrupt 1 --round-timeout 2s";
    let spec = open(3, &args.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!((spec.protocol.as_str(), spec.version), ("my/protocol", 7));
    assert_eq!((spec.max_rounds, spec.max_bcast, spec.max_p2p), (9, 10, 68));
    assert_eq!(spec.kem, Kem::X25519);
    assert_eq!((spec.max_bytes, spec.input), (30_000, vec![0x0a, 0xff]));
    assert_eq!((spec.quorum, spec.corrupt, spec.round_ms), (2, 1, 2_000));
    let too_small = open(3, &["--protocol", "p", "--quorum", "1"]);
    assert_eq!(too_small.unwrap_err().code, 2);
}

#[test]
fn a_key_that_too_few_might_have_shares_of_is_not_made() {
    let keygen = |quorum| {
        let preset = ["--preset", "eddsa-keygen", "--threshold", "3"];
        open(5, &[&preset[..], &["--quorum", quorum]].concat())
    };
    assert_eq!(keygen("2").unwrap_err().code, 2);
    assert_eq!(keygen("3").unwrap().quorum, 3);
}

#[test]
fn what_a_preset_does_not_take_is_refused_and_not_ignored() {
    for (preset, more) in [
        (&KEYGEN_ARGS[..], ["--message", "m"]),
        (&KEYGEN_ARGS, ["--message-hex", "00"]),
        (&KEYGEN_ARGS, ["--message-file", "/dev/null"]),
        (&KEYGEN_ARGS, ["--public-key", KEY]),
        (&KEYGEN_ARGS, ["--signing-key", KEY]),
        (&SIGN_ARGS, ["--threshold", "2"]),
        (&SIGN_ARGS, ["--signing-key", KEY]),
    ] {
        assert!(open(3, preset).is_ok());
        let failure = open(3, &[preset, &more].concat()).unwrap_err();
        let text = format!("{}: the preset {} takes none", more[0], preset[1]);
        assert_eq!((failure.code, failure.text), (2, text));
    }
}
