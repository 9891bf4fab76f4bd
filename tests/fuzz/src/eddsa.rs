//! What parties of the multi-party EdDSA send each other, and the share that one keeps.

use white_city_eddsa::{
    KeyShare,
    message::{Commitment, KeyAndCommitment, Nonce, Opening, Partial, Share},
};

use crate::{Target, golden};

/// Messages of every kind.
pub const MESSAGES: Target = Target::new("eddsa-messages", messages, take_message);

/// Key shares, as they are stored.
pub const SHARES: Target = Target::new("eddsa-shares", shares, take_share);

/// Bytes of the golden messages, each with the words in front of it.
fn golden_lines() -> Vec<(String, Vec<u8>)> {
    let file = golden::read("../client/eddsa/tests/golden/messages.txt");
    let text = String::from_utf8(file).expect("golden messages are text");
    let lines = text.lines().filter_map(|line| {
        let (words, bytes) = line.rsplit_once(' ')?;
        Some((words.to_owned(), hex::decode(bytes).ok()?))
    });
    lines.collect()
}

fn messages() -> Vec<Vec<u8>> {
    let messages = golden_lines().into_iter();
    let messages = messages.filter(|(words, bytes)| words.contains("party") && !bytes.is_empty());
    messages.map(|(_, bytes)| bytes).collect()
}

fn shares() -> Vec<Vec<u8>> {
    let shares = golden_lines().into_iter();
    let shares = shares.filter(|(words, _)| words == "keygen share");
    shares.map(|(_, bytes)| bytes).collect()
}

/// Whether it is a message of some kind; each has one encoding.
fn take_message(input: &[u8]) -> bool {
    let degree = u16::try_from(input.len() / 32)
        .unwrap_or(u16::MAX)
        .saturating_sub(2);
    let again = [
        Commitment::decode(input)
            .ok()
            .map(|message| message.encode()),
        Opening::decode(input, degree)
            .ok()
            .map(|message| message.encode()),
        Share::decode(input)
            .ok()
            .map(|message| message.encode().to_vec()),
        Partial::decode(input).ok().map(|message| message.encode()),
        KeyAndCommitment::decode(input)
            .ok()
            .map(|message| message.encode()),
        Nonce::decode(input).ok().map(|message| message.encode()),
    ];
    let mut found = again.into_iter().flatten().peekable();
    let taken = found.peek().is_some();
    found.for_each(|again| assert_eq!(again, input));
    taken
}

fn take_share(input: &[u8]) -> bool {
    let share = KeyShare::from_bytes(input);
    if let Ok(share) = &share {
        assert_eq!(&**share.to_bytes(), input);
    }
    share.is_ok()
}
