//! Whether whoever runs this has said yes to who will hold a key.

use std::collections::BTreeSet;

use white_city_client::{IdentityKey, Session};

use crate::{
    failure::Failure,
    output::{NOT_JOINED, Output},
};

/// What a session wants.
pub struct Wanted<'a> {
    /// What is consented to, in words.
    pub name: &'static str,
    /// The holders of the key that it makes, in words.
    pub what: &'static str,
    /// The number of them that it takes to sign.
    pub threshold: u16,
    /// All of them.
    pub holders: &'a [IdentityKey],
    /// The question to a person.
    pub question: String,
    /// What else would have to be given, if nobody is asked.
    pub missing: Option<&'static str>,
}

/// Refuses another threshold or other holders than those `given`, and asks where they aren't. A party that has joined has said yes.
pub async fn to_holders(
    session: &Session,
    wanted: Wanted<'_>,
    (threshold, party): (Option<u16>, &[IdentityKey]),
    output: &Output,
) -> Result<(), Failure> {
    let Wanted { what, holders, .. } = wanted;
    if let Some(given) = threshold.filter(|given| *given != wanted.threshold) {
        return Err(Failure::usage(format!(
            "the session's key takes {} signers, expected {given}",
            wanted.threshold
        )));
    }
    let keys = |keys: &[IdentityKey]| -> BTreeSet<[u8; 32]> {
        keys.iter().map(|key| *key.as_bytes()).collect()
    };
    let (holders, given) = (keys(holders), keys(party));
    if !given.is_empty() && given != holders {
        let mut text = format!("{what} are others than the given parties");
        for (which, some, others) in [
            ("among them, but not given", &holders, &given),
            ("given, but not among them", &given, &holders),
        ] {
            let keys: Vec<String> = some.difference(others).map(hex::encode).collect();
            if !keys.is_empty() {
                text.push_str(&format!("; {which}: {}", keys.join(", ")));
            }
        }
        return Err(Failure::usage(text));
    }
    let says_all = threshold.is_some() && !given.is_empty() && wanted.missing.is_none();
    if says_all || session.has_signed() {
        return Ok(());
    }
    let missing = wanted.missing.map(|missing| format!("{missing}, "));
    let missing = missing.unwrap_or_default();
    let nobody = format!(
        "{}: expected {missing}--threshold and --party for each of {what}",
        wanted.name
    );
    output.consent(wanted.question, &nobody, NOT_JOINED).await
}
