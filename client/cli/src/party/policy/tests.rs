mod holders;

use std::sync::Mutex;

use white_city_client::{
    Hash, LocalKey, NetworkId, SessionId, Signer, SpecBuilder,
    groups::{Contacts, GroupKey, Member},
    wire::tx::Open,
};

use super::*;
use crate::{
    message::Named,
    party::request::Request,
    presets::{KEYGEN, KeygenInput, SIGN, SignInput},
};

const KEY: [u8; 32] = [9; 32];

fn someone(seed: u8) -> IdentityKey {
    LocalKey::from_seed(&[seed; 32]).unwrap().identity()
}

/// Alice, Bob and Carol are contacts and the treasury; Dave is a contact; the fifth is nobody.
fn people() -> People {
    let mut contacts = Contacts::default();
    let members = (1..)
        .zip(["alice", "bob", "carol", "dave"])
        .map(|(seed, name)| {
            let (name, key) = (name.parse::<Name>().unwrap(), someone(seed));
            contacts.add(name.clone(), key).unwrap();
            Member { name, key }
        });
    let mut members: Vec<Member> = members.collect();
    members.pop();
    let mut treasury = Group::new("treasury".parse().unwrap(), members).unwrap();
    let key = GroupKey {
        network: NetworkId([0; 32]),
        session: SessionId([1; 32]),
        protocol: KEYGEN.into(),
        public_key: Hash(KEY),
        outcome: Hash::ZERO,
        threshold: 2,
        share: None,
    };
    treasury.add_key(key).unwrap();
    People::of(contacts, vec![treasury])
}

fn policy(text: &str) -> Result<Policy, String> {
    Policy::from_toml(text, Path::new("/nowhere"), &people())
}

/// A policy of one rule, with these lines more.
fn rule(protocol: &str, lines: &str) -> Policy {
    let text =
        format!("version = 1\n[[rule]]\nname = \"r\"\nprotocols = [\"{protocol}\"]\n{lines}");
    policy(&text).unwrap()
}

fn request(protocol: &str, input: Vec<u8>, opener: u8, roster: &[u8]) -> Request {
    let roster = roster.iter().map(|seed| someone(*seed)).collect();
    let spec = SpecBuilder::new(protocol, 1, roster)
        .input(input)
        .corrupt(1)
        .build()
        .unwrap();
    let open = Open {
        spec,
        opener: someone(opener),
        nonce: [0; 32],
        open_by_ms: 1,
        stamp: 0,
    };
    Request::of(SessionId(open.nonce), open).unwrap_or_else(|why| panic!("{why}"))
}

fn keygen(threshold: u16, opener: u8, roster: &[u8]) -> Request {
    let input = serde_json::to_vec(&KeygenInput { threshold }).unwrap();
    request(KEYGEN, input, opener, roster)
}

fn signing_with(key: [u8; 32], message: &[u8], opener: u8, roster: &[u8]) -> Request {
    let input = Named::input(message, |message| {
        let public_key = Hash(key);
        let input = SignInput {
            public_key,
            message,
        };
        Ok(serde_json::to_vec(&input).unwrap())
    });
    request(SIGN, input.unwrap(), opener, roster)
}

fn signing(message: &[u8]) -> Request {
    signing_with(KEY, message, 1, &[1, 2])
}

/// Why the only rule doesn't fit; `None` if it does.
fn why(policy: &Policy, request: &Request) -> Option<String> {
    match policy.judge(request, 0, &Mutex::default()) {
        Verdict::Join { .. } => None,
        Verdict::No { why, .. } => Some(why[0].1.clone()),
    }
}

#[track_caller]
fn refused(policy: &Policy, request: &Request, what: &str) {
    let why = why(policy, request).expect("it fits");
    assert!(why.starts_with(&format!("{what}:")), "{why}");
}

#[test]
fn the_first_rule_that_fits_decides_and_where_none_does_each_says_why() {
    let text = r#"
        version = 1
        [[rule]]
        name = "keys"
        protocols = ["eddsa-keygen"]
        members = "any"
        [[rule]]
        name = "small"
        protocols = ["eddsa-sign"]
        members = "any"
        messages = { exact = ["pay 1"] }
        [[rule]]
        name = "all"
        protocols = ["eddsa-sign"]
        members = "any"
        openers = ["alice"]
        messages = "any"
    "#;
    let policy = policy(text).unwrap();
    let by = |request: &Request| match policy.judge(request, 0, &Mutex::default()) {
        Verdict::Join { rule, .. } => rule.name.clone(),
        Verdict::No { why, otherwise } => {
            assert_eq!(otherwise, Otherwise::Decline);
            why.into_iter()
                .map(|(rule, why)| format!("{rule} {why};"))
                .collect()
        }
    };
    assert_eq!(by(&keygen(2, 4, &[1, 2, 3])), "keys");
    assert_eq!(by(&signing_with(KEY, b"pay 1", 4, &[1, 2])), "small");
    assert_eq!(by(&signing_with(KEY, b"pay 2", 1, &[1, 2])), "all");
    let none = by(&signing_with(KEY, b"pay 2", 4, &[1, 2]));
    for part in ["keys protocol:", "small messages:", "all openers:"] {
        assert!(none.contains(part), "{none}");
    }
}

#[test]
fn a_group_signs_with_its_own_keys_among_itself_and_makes_them_all_together() {
    let signs = rule("eddsa-sign", "group = \"treasury\"\nmessages = \"any\"");
    assert_eq!(why(&signs, &signing(b"m")), None);
    refused(&signs, &signing_with(KEY, b"m", 1, &[1, 4]), "group");
    refused(&signs, &signing_with([8; 32], b"m", 1, &[1, 2]), "group");
    let makes = rule("eddsa-keygen", "group = \"treasury\"");
    assert_eq!(why(&makes, &keygen(2, 1, &[3, 2, 1])), None);
    refused(&makes, &keygen(2, 1, &[1, 2]), "group");
    refused(&makes, &keygen(2, 1, &[1, 2, 3, 4]), "group");
    let some = rule("eddsa-keygen", "members = [\"alice\", \"bob\", \"dave\"]");
    assert_eq!(why(&some, &keygen(2, 5, &[1, 4])), None);
    refused(&some, &keygen(2, 5, &[1, 3]), "members");
}

#[test]
fn terms_hold_at_their_bounds_and_not_past_them() {
    let with = |terms: &str| {
        rule(
            "eddsa-keygen",
            &format!("members = \"any\"\nterms = {terms}"),
        )
    };
    let three = keygen(2, 1, &[1, 2, 3]);
    for (name, value) in [
        ("parties", 3),
        ("threshold", 2),
        ("quorum", 3),
        ("corrupt", 1),
    ] {
        for (terms, fits) in [
            (format!("min = {value}"), true),
            (format!("max = {value}"), true),
            (format!("min = {}", value + 1), false),
            (format!("max = {}", value - 1), false),
        ] {
            let policy = with(&format!("{{ {name} = {{ {terms} }} }}"));
            match fits {
                true => assert_eq!(why(&policy, &three), None, "{name} {terms}"),
                false => refused(&policy, &three, name),
            }
        }
    }
    let (join, round) = (three.spec().join_ms, three.spec().round_ms);
    for (name, ms) in [("join_time", join), ("round_time", round)] {
        for (terms, fits) in [
            (format!("min = \"{ms}ms\", max = \"{ms}ms\""), true),
            (format!("min = \"{}ms\"", ms + 1), false),
            (format!("max = \"{}ms\"", ms - 1), false),
        ] {
            let policy = with(&format!("{{ {name} = {{ {terms} }} }}"));
            assert_eq!(why(&policy, &three).is_none(), fits, "{name} {terms}");
        }
    }
    assert_eq!(why(&with("{ fork_safe = true }"), &three), None);
    let forks = |policy: &Policy| {
        let roster = [1, 2, 3].map(someone).to_vec();
        let input = serde_json::to_vec(&KeygenInput { threshold: 2 }).unwrap();
        let spec = SpecBuilder::new(KEYGEN, 1, roster)
            .input(input)
            .quorum(2)
            .corrupt(1);
        let open = Open {
            spec: spec.build().unwrap(),
            ..three.open.clone()
        };
        why(policy, &Request::of(three.session, open).unwrap())
    };
    assert!(forks(&with("{}")).is_some_and(|why| why.starts_with("fork_safe:")));
    assert_eq!(forks(&with("{ fork_safe = false }")), None);
}

#[test]
fn messages_fit_as_a_whole_or_not_at_all() {
    let with = |messages: &str| {
        rule(
            "eddsa-sign",
            &format!("members = \"any\"\nmessages = {messages}"),
        )
    };
    let pattern = with(r#"{ pattern = "pay [0-9]{1,3} to (bob|carol)" }"#);
    assert_eq!(why(&pattern, &signing(b"pay 100 to bob")), None);
    for other in [
        &b"pay 1000 to bob"[..],
        b"pay 1 to bob\n",
        b"please pay 1 to bob",
        b"pay 1 to bobby",
        b"\xff",
        b"",
        b"pay 1 to carol\npay 100 to bob",
    ] {
        refused(&pattern, &signing(other), "messages");
    }
    let exact = with(r#"{ exact = ["one"], hex = ["ff00"] }"#);
    assert_eq!(why(&exact, &signing(b"one")), None);
    assert_eq!(why(&exact, &signing(&[0xff, 0])), None);
    refused(&exact, &signing(b"one "), "messages");
    // What only names its message isn't signed unseen, whatever the rule.
    let long = vec![b'x'; 100_000];
    refused(&with("\"any\""), &signing(&long), "messages");
    refused(&with(r#"{ pattern = "x*" }"#), &signing(&long), "messages");
}

#[test]
fn a_long_message_is_signed_once_it_lies_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let text = "version = 1\n[[rule]]\nname = \"r\"\nprotocols = [\"eddsa-sign\"]\nmembers = \"any\"\nmessages = { folder = \"in\" }";
    let policy = Policy::from_toml(text, dir.path(), &people()).unwrap();
    let folder = dir.path().join("in");
    std::fs::create_dir(&folder).unwrap();
    for message in [vec![b'x'; 100_000], b"short".to_vec()] {
        let request = signing(&message);
        refused(&policy, &request, "messages");
        let name = white_city_client::wire::hash::sha256(&message).to_string();
        std::fs::write(folder.join(&name), [&message[..], b"!"].concat()).unwrap();
        if message.len() > 1_000 {
            assert!(
                why(&policy, &request).is_some(),
                "another message of this name"
            );
        }
        std::fs::write(folder.join(&name), &message).unwrap();
        match policy.judge(&request, 0, &Mutex::default()) {
            Verdict::Join { message: given, .. } => {
                assert_eq!(given.is_some(), message.len() > 1_000);
                let read = given.map(|path| std::fs::read(path).unwrap());
                assert!(read.is_none_or(|read| read == message));
            }
            Verdict::No { why, .. } => panic!("{}", why[0].1),
        }
    }
}

#[test]
fn a_rule_can_name_the_keys_that_it_signs_with() {
    let named = |key: [u8; 32]| {
        let key = hex::encode(key);
        rule(
            "eddsa-sign",
            &format!("members = \"any\"\nmessages = \"any\"\nkeys = [\"{key}\"]"),
        )
    };
    assert_eq!(why(&named(KEY), &signing(b"m")), None);
    refused(&named([8; 32]), &signing(b"m"), "keys");
}

#[test]
fn a_rate_counts_what_was_let_in_and_hours_the_time() {
    let limited = rule(
        "eddsa-keygen",
        "members = \"any\"\nrate = { sessions = 1, per = \"10s\" }\nhours = [\"Thu 00:00-01:00\"]",
    );
    let request = keygen(2, 1, &[1, 2]);
    let rates = Mutex::<Rates>::default();
    let fits = |now, rates: &Mutex<Rates>| {
        matches!(limited.judge(&request, now, rates), Verdict::Join { .. })
    };
    assert!(fits(0, &rates));
    let other = SessionId([7; 32]);
    rates.lock().unwrap().note("r", other, 5_000, 10_000);
    assert!(!fits(6_000, &rates) && fits(15_000, &rates));
    assert!(!fits(3_600_000, &rates), "the hour is over");
}

#[test]
fn a_policy_that_says_too_little_or_what_nobody_knows_is_refused() {
    let head = "version = 1\n[[rule]]\nname = \"r\"\n";
    let good = "protocols = [\"eddsa-sign\"]\nmembers = \"any\"\n";
    let bad = [
        ("version = 2", "expected 1"),
        ("version = 1\nsessions_max = 0", "sessions_max"),
        ("version = 1\nsessions = 3", "unknown field"),
        (&format!("{head}members = \"any\""), "protocols"),
        (
            &format!("{head}protocols = [\"dsa\"]\nmembers = \"any\""),
            "eddsa-keygen",
        ),
        (
            &format!("{head}protocols = [\"eddsa-keygen\"]"),
            "with whom?",
        ),
        (&format!("{head}{good}"), "what may be signed?"),
        (&format!("{head}{good}messages = \"all\""), "any"),
        (
            &format!("{head}{good}messages = {{ pattern = \"(\" }}"),
            "pattern",
        ),
        (
            &format!("{head}{good}messages = {{ pattern = \"a)|(?:b\" }}"),
            "pattern",
        ),
    ];
    refuses(&bad);
    assert!(policy(&format!("{head}{good}approver = {{ people = true }}")).is_ok());
}

#[test]
fn a_policy_whose_conditions_are_none_is_refused() {
    let head = "version = 1\n[[rule]]\nname = \"r\"\n";
    let good = "protocols = [\"eddsa-sign\"]\nmembers = \"any\"\n";
    let bad: &[(&str, &str)] = &[
        (
            &format!("{head}{good}messages = \"any\"\nopeners = [\"eve\"]"),
            "no contact's name",
        ),
        (
            &format!("{head}{good}messages = \"any\"\ngroup = \"nobody\""),
            "nobody knows",
        ),
        (
            &format!("{head}{good}messages = \"any\"\nat_once = 0"),
            "at_once",
        ),
        (
            &format!("{head}{good}messages = \"any\"\nkeys = [\"11\"]"),
            "64 hex digits",
        ),
        (
            &format!(
                "{head}protocols = [\"eddsa-aggregate-sign\"]\ngroup = \"treasury\"\nmessages = \"any\""
            ),
            "no key of the group",
        ),
        (
            &format!("{head}{good}messages = \"any\"\nhours = [\"always\"]"),
            "hours",
        ),
        (
            &format!("{head}{good}approver = {{ people = true, url = \"http://localhost/\" }}"),
            "one of",
        ),
        (
            &format!("{head}{good}approver = {{ url = \"http://example.org/\" }}"),
            "url",
        ),
        (
            &format!("{head}{good}approver = {{ program = [\"bin/sh\"] }}"),
            "absolute path",
        ),
        (
            &format!("{head}{good}approver = {{ program = [\"/etc/passwd\"] }}"),
            "that can be run",
        ),
        (
            &format!("{head}{good}approver = {{ people = true, time_limit = \"soon\" }}"),
            "whole number",
        ),
        (
            &format!("{head}{good}messages = \"any\"\nrate = {{ sessions = 1 }}"),
            "per",
        ),
        (
            &format!(
                "{head}{good}messages = \"any\"\n[[rule]]\nname = \"r\"\n{good}messages = \"any\""
            ),
            "two rules",
        ),
    ];
    refuses(bad);
}

/// Each of these is refused, and the words are in the reason.
fn refuses(bad: &[(&str, &str)]) {
    for (text, expected) in bad {
        let why = policy(text)
            .err()
            .unwrap_or_else(|| panic!("taken: {text}"));
        assert!(why.contains(expected), "{text}: {why}");
    }
}
