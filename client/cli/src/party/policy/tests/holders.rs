//! Who may be given a key, and how many messages may be signed at once.

use white_city_client::Hash;

use super::{policy, refused, request, rule, someone, why};
use crate::{
    party::request::Request,
    presets::{RESHARE, ReshareInput, SIGN_MANY, SignManyInput},
};

/// A key that is one.
fn key() -> [u8; 32] {
    *someone(9).as_bytes()
}

fn reshare(threshold: u16, joins: &[u16], leaves: &[u16], roster: &[u8]) -> Request {
    let input = ReshareInput {
        public_key: Hash(key()),
        threshold,
        joins: joins.to_vec(),
        leaves: leaves.to_vec(),
    };
    request(RESHARE, serde_json::to_vec(&input).unwrap(), 1, roster)
}

fn signing_many(messages: usize) -> Request {
    let input = SignManyInput {
        public_key: Hash(key()),
        messages_hex: vec![hex::encode(b"pay 1"); messages],
    };
    request(SIGN_MANY, serde_json::to_vec(&input).unwrap(), 1, &[1, 2])
}

/// All that a rule has to say that gives keys to others.
fn lines() -> [String; 4] {
    [
        "openers = [\"alice\"]".into(),
        "members = [\"alice\", \"bob\", \"carol\"]".into(),
        format!("keys = [\"{}\"]", hex::encode(key())),
        "terms = { threshold = { min = 2 }, holders = { min = 2, max = 2 } }".into(),
    ]
}

#[test]
fn a_key_is_given_only_to_so_many_who_are_named_by_whom_is_named() {
    let policy = rule("eddsa-reshare", &lines().join("\n"));
    assert_eq!(why(&policy, &reshare(2, &[2], &[1], &[1, 2, 3])), None);
    refused(&policy, &reshare(2, &[2], &[], &[1, 2, 3]), "holders");
    refused(&policy, &reshare(2, &[2], &[1], &[1, 2, 4]), "members");
    let text = reshare(2, &[2], &[1], &[1, 2, 3]).to_text(&super::people());
    assert!(
        text.contains("first share: carol") && text.contains("away: bob"),
        "{text}"
    );
}

#[test]
fn a_rule_that_gives_keys_away_says_all_of_it_or_asks() {
    let head = "version = 1\n[[rule]]\nname = \"r\"\nprotocols = [\"eddsa-reshare\"]\n";
    let whole = |lines: &[String]| policy(&format!("{head}{}\n", lines.join("\n")));
    assert!(whole(&lines()).is_ok());
    for missing in 0..4 {
        let mut lines = lines().to_vec();
        let gone = lines.remove(missing);
        let said = whole(&lines).err().unwrap_or_default();
        assert!(said.contains("expected"), "{gone}: {said}");
        if !gone.starts_with("members") {
            lines.push("approver = { people = true }".into());
            assert!(whole(&lines).is_ok(), "{gone}");
        }
    }
    for (bound, none) in [
        ("threshold = { min = 2 }", "threshold = { max = 2 }"),
        ("min = 2, max", "max"),
    ] {
        let lines = lines().map(|line| line.replace(bound, none));
        assert!(whole(&lines).is_err(), "{none}");
    }
}

#[test]
fn a_session_signs_as_many_messages_as_the_rule_says_and_no_more() {
    let all = "members = \"any\"\nmessages = \"any\"\n";
    let head = "version = 1\n[[rule]]\nname = \"r\"\nprotocols = [\"eddsa-sign-many\"]\n";
    assert!(policy(&format!("{head}{all}")).is_err(), "how many?");
    let policy = rule(
        "eddsa-sign-many",
        &format!("{all}terms = {{ messages = {{ max = 3 }} }}"),
    );
    assert_eq!(why(&policy, &signing_many(2)), None);
    assert_eq!(why(&policy, &signing_many(3)), None);
    refused(&policy, &signing_many(4), "messages");
}
