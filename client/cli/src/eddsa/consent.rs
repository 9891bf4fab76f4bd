//! Whether whoever runs this has said yes to a key generation.

use std::collections::BTreeSet;

use white_city_client::Session;

use crate::{
    args::KeygenArgs,
    failure::Failure,
    output::{NOT_JOINED, Output},
};

/// Refuses a key generation with another threshold or roster than the given ones, and asks where they aren't given. A party that
/// has joined has said yes.
pub async fn to_keygen(
    session: &Session,
    threshold: u16,
    args: &KeygenArgs,
    output: &Output,
) -> Result<(), Failure> {
    if let Some(wanted) = args.threshold.filter(|wanted| *wanted != threshold) {
        return Err(Failure::usage(format!(
            "the session makes a key that takes {threshold} signers, expected {wanted}"
        )));
    }
    let roster: BTreeSet<[u8; 32]> = session
        .spec()
        .roster
        .iter()
        .map(|key| *key.as_bytes())
        .collect();
    let given: BTreeSet<[u8; 32]> = args.party.iter().map(|key| *key.as_bytes()).collect();
    if !given.is_empty() && given != roster {
        let mut text = "the session makes a key with others than the given parties".to_owned();
        for (what, some, others) in [
            ("in it, but not given", &roster, &given),
            ("given, but not in it", &given, &roster),
        ] {
            let keys: Vec<String> = some.difference(others).map(hex::encode).collect();
            if !keys.is_empty() {
                text.push_str(&format!("; {what}: {}", keys.join(", ")));
            }
        }
        return Err(Failure::usage(text));
    }
    if (args.threshold.is_some() && !given.is_empty()) || session.has_signed() {
        return Ok(());
    }
    let question = format!(
        "make a key with these {} parties, of whom {threshold} can sign? yes or no: ",
        roster.len()
    );
    let nobody = "this key generation: expected --threshold and --party for each of the roster";
    output.consent(question, nobody, NOT_JOINED).await
}
