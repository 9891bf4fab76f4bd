//! From messages to the payloads of one post, and back.

use std::collections::BTreeMap;

use round_based::{Incoming, MessageDestination, MessageType, Outgoing};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{DeliveryError, Position};
use crate::Inbox;

/// The author has said something in this post, to somebody.
const SPEAKS: u8 = 1;
/// The author's protocol has ended.
const ENDED: u8 = 2;
/// Messages in one post: they are numbered by a u16.
const MESSAGES_MAX: u32 = 1 << 16;

/// The messages that were sent since the last post.
#[derive(Default)]
pub(super) struct Outbox {
    /// The next message's number.
    count: u32,
    broadcast: Vec<u8>,
    p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

/// The payloads of one post.
pub(super) struct Payloads {
    pub(super) broadcast: Vec<u8>,
    pub(super) p2p: Vec<(u16, Zeroizing<Vec<u8>>)>,
}

impl Outbox {
    pub(super) const fn len(&self) -> u32 {
        self.count
    }

    /// Takes a message of party `me` of `n`, encoded. One to itself goes nowhere.
    pub(super) fn push<M>(
        &mut self,
        message: &Outgoing<M>,
        (me, n): (u16, u16),
    ) -> Result<(), DeliveryError>
    where
        M: Serialize + DeserializeOwned,
    {
        let max = MESSAGES_MAX;
        let number = u16::try_from(self.count).map_err(|_| DeliveryError::TooMany { max })?;
        let payload = match message.recipient {
            MessageDestination::OneParty(to) if to >= n => {
                return Err(DeliveryError::Recipient { to, n });
            }
            MessageDestination::OneParty(to) if to == me => return Ok(()),
            MessageDestination::OneParty(to) => self.p2p.entry(to).or_default(),
            MessageDestination::AllParties => &mut self.broadcast,
        };
        let encoded = encode(number, &message.msg)?;
        append(payload, &encoded);
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// The post, and nothing is left.
    pub(super) fn take(&mut self, has_ended: bool) -> Payloads {
        let taken = std::mem::take(self);
        let speaks = if taken.count > 0 { SPEAKS } else { 0 };
        let kind = speaks | if has_ended { ENDED } else { 0 };
        let mut broadcast = taken.broadcast;
        if kind != 0 {
            broadcast.insert(0, kind);
        }
        Payloads {
            broadcast,
            p2p: taken.p2p.into_iter().collect(),
        }
    }
}

/// Adds bytes to a payload, and leaves no copy of a secret behind where it has to grow.
fn append(payload: &mut Vec<u8>, more: &[u8]) {
    let needed = payload.len().saturating_add(more.len());
    if needed > payload.capacity() {
        let mut grown = Vec::with_capacity(needed.max(payload.len().saturating_mul(2)));
        grown.extend_from_slice(payload);
        drop(Zeroizing::new(std::mem::replace(payload, grown)));
    }
    payload.extend_from_slice(more);
}

/// A message with its number, as others will read it.
fn encode<M: Serialize + DeserializeOwned>(
    number: u16,
    message: &M,
) -> Result<Zeroizing<Vec<u8>>, DeliveryError> {
    let failed = |error: postcard::Error| DeliveryError::Encoding {
        reason: error.to_string(),
    };
    let numbered = (number, message);
    let size = postcard::ser_flavors::Size::default();
    let size = postcard::serialize_with_flavor(&numbered, size).map_err(failed)?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    postcard::to_slice(&numbered, &mut bytes).map_err(failed)?;
    // Others would take it for this party's fault.
    match postcard::take_from_bytes::<(u16, M)>(&bytes).map_err(failed)? {
        (_, []) => Ok(bytes),
        _ => Err(DeliveryError::Encoding {
            reason: "it reads less than it writes".into(),
        }),
    }
}

/// The messages that others have posted in a round.
pub(super) struct RoundMessages<M> {
    /// By sender, and in the order of sending.
    pub(super) messages: Vec<Incoming<M>>,
    /// Whether anybody said anything, to this party or not.
    pub(super) speaks: bool,
    /// Whether the protocols of all who posted have ended.
    pub(super) ended: bool,
}

/// Reads what a round holds for party `me`, whose own messages aren't in it.
pub(super) fn read<M: DeserializeOwned>(
    inbox: &Inbox,
    me: u16,
) -> Result<RoundMessages<M>, DeliveryError> {
    let mut heard = RoundMessages {
        messages: Vec::new(),
        speaks: false,
        ended: !inbox.posted.is_empty(),
    };
    for from in &inbox.posted {
        let read = Author {
            round: inbox.round,
            from: *from,
        };
        let broadcast = inbox.broadcasts.get(from).map_or(&[][..], Vec::as_slice);
        let p2p = inbox.p2p.get(from).map_or(&[][..], |bytes| bytes);
        let (kind, broadcast) = read.kind(broadcast)?;
        heard.speaks |= kind & SPEAKS != 0;
        heard.ended &= kind & ENDED != 0;
        if *from != me {
            heard.messages.extend(read.messages(broadcast, p2p, kind)?);
        }
    }
    Ok(heard)
}

/// The author and the round of a post that is read.
struct Author {
    round: u32,
    from: u16,
}

impl Author {
    fn malformed(&self, reason: impl ToString) -> DeliveryError {
        DeliveryError::Malformed {
            from: self.from,
            round: self.round,
            reason: reason.to_string(),
        }
    }

    fn kind<'a>(&self, broadcast: &'a [u8]) -> Result<(u8, &'a [u8]), DeliveryError> {
        match broadcast.split_first() {
            None => Ok((0, &[])),
            Some((kind @ (SPEAKS..=3), rest)) => Ok((*kind, rest)),
            Some((kind, _)) => Err(self.malformed(format!("kind {kind}, expected 1, 2 or 3"))),
        }
    }

    fn messages<M: DeserializeOwned>(
        &self,
        broadcast: &[u8],
        p2p: &[u8],
        kind: u8,
    ) -> Result<Vec<Incoming<M>>, DeliveryError> {
        if kind & SPEAKS == 0 && !(broadcast.is_empty() && p2p.is_empty()) {
            return Err(self.malformed("messages of one who says nothing"));
        }
        let mut messages = self.list(broadcast, MessageType::Broadcast)?;
        messages.extend(self.list(p2p, MessageType::P2P)?);
        messages.sort_by_key(|message| message.id);
        let twice = |pair: &[Incoming<M>]| matches!(pair, [one, two] if one.id == two.id);
        if messages.windows(2).any(twice) {
            return Err(self.malformed("two messages with one number"));
        }
        Ok(messages)
    }

    fn list<M: DeserializeOwned>(
        &self,
        mut bytes: &[u8],
        msg_type: MessageType,
    ) -> Result<Vec<Incoming<M>>, DeliveryError> {
        let mut messages = Vec::new();
        // Each takes at least the byte of its number.
        while !bytes.is_empty() {
            let (number, rest) =
                postcard::take_from_bytes::<u16>(bytes).map_err(|error| self.malformed(error))?;
            let (msg, rest) =
                postcard::take_from_bytes::<M>(rest).map_err(|error| self.malformed(error))?;
            bytes = rest;
            let position = Position {
                round: self.round,
                sender: self.from,
                number,
            };
            messages.push(Incoming {
                id: position.into(),
                sender: self.from,
                msg_type,
                msg,
            });
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests;
