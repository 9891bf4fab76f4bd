//! Posts in parts: what a protocol posts in one round goes over several rounds of the board where it is larger than a transaction.
//!
//! The client library's `Rounds` and its delivery do all of it. Here are the bytes, and what a reader takes for the next part.
//!
//! # Which sessions have them
//!
//! Those whose spec says so, to which every party has consented by joining: at the end of the protocol's name,
//!
//! ```text
//! NAME+parts/1:MOST        MOST: most parts of one post, 1 to 65535, decimal, without leading zeros
//! ```
//!
//! `SpecBuilder::any_size` names it where the largest post needs more than one part, and nowhere
//! else: in any other session each post is one on the board, with the bytes that the protocol gave. A party that doesn't know
//! parts doesn't know a protocol of that name either, and doesn't join.
//!
//! # Bytes
//!
//! All members post one part in each of the board's rounds, until none of those who posted has more. Who has nothing more
//! posts neither broadcast nor payloads.
//!
//! ```text
//! broadcast = u16 number of parts that follow on this one ‖ the next bytes of the broadcast        absent: 0 and no bytes
//! p2p       = the next bytes for that party                                                     absent: none in this part
//! ```
//!
//! The number is public and the same for all, so all know after each round of the board whether another part comes, from whom, and
//! how many. It goes down by one with each part. Whoever says a number of *MOST* or more, or of more parts than
//! the session has rounds for, is named before anything of it is kept, and so is whoever says another number than the next lower one, or posts
//! anything after its last part. So a liar takes as many rounds as the spec allows one post, and as many bytes as the spec allows it in those.
//!
//! A post counts when all of it is there and its author still is: whoever misses one of the board's rounds is out, and nothing that it
//! has posted in this round of the protocol is delivered to anybody.

use std::ops::Range;

use zeroize::Zeroizing;

/// Separates the protocol's own name from what it says about parts.
pub const MARK: &str = "+parts/";
/// Version of the bytes, in the name.
const VERSION: &str = "1:";
/// Bytes of the number before each part of a broadcast.
pub const HEADER_BYTES: usize = 2;
/// Most bytes of a post's transaction beside its payloads.
pub const POST_FRAME_BYTES: usize = 256;
/// Most bytes of a post's transaction for each p2p payload beside it: its length twice, and the recipient.
pub const PAYLOAD_FRAME_BYTES: usize = 12;

/// A protocol's name that says something about parts, which isn't what this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} ends with another version of parts than this program knows")]
pub struct BadName {
    /// The name.
    pub name: String,
}

/// The parts in which a session's posts come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Most parts of one post, at least 1.
    pub most: u16,
}

impl Parts {
    /// The parts that a session has according to its protocol's name; `None` for a session whose posts come in one piece.
    ///
    /// # Errors
    /// [`BadName`] for parts of another version, or none.
    pub fn of(protocol: &str) -> Result<Option<Self>, BadName> {
        let Some((name, parts)) = protocol.rsplit_once(MARK) else {
            return Ok(None);
        };
        let most = parts.strip_prefix(VERSION).and_then(|most| {
            let number = most.parse::<u16>().ok()?;
            // The one way to write it.
            (number > 0 && number.to_string() == most && !name.is_empty()).then_some(number)
        });
        most.map(|most| Some(Self { most })).ok_or_else(|| BadName {
            name: protocol.to_owned(),
        })
    }

    /// The name of a session's protocol whose posts come in these parts.
    #[must_use]
    pub fn name(self, protocol: &str) -> String {
        format!("{protocol}{MARK}{VERSION}{}", self.most)
    }
}

/// A protocol's own name, without what a session's says about parts.
#[must_use]
pub fn protocol_of(name: &str) -> &str {
    match Parts::of(name) {
        Ok(Some(_)) => name.rsplit_once(MARK).map_or(name, |(own, _)| own),
        _ => name,
    }
}

/// Room in one part, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// For the number before the broadcast: whether a post may have more than one part.
    pub has_number: bool,
    /// For the broadcast, without the number before it.
    pub broadcast: usize,
    /// For one recipient, before it is sealed.
    pub p2p: usize,
    /// For all of it in a transaction.
    pub all: usize,
    /// Bytes of that room that each payload takes beside its own.
    pub around: usize,
}

impl Room {
    /// The room under these limits: of a broadcast and of a sealed payload, of a transaction, and what sealing adds.
    #[must_use]
    pub fn new(max_bcast: u32, max_p2p: u32, max_tx: u32, sealing: u32) -> Self {
        let [bcast, p2p, tx, sealing] = [max_bcast, max_p2p, max_tx, sealing].map(size);
        Self {
            has_number: bcast >= HEADER_BYTES,
            broadcast: bcast.saturating_sub(HEADER_BYTES),
            p2p: p2p.saturating_sub(sealing),
            all: tx.saturating_sub(POST_FRAME_BYTES + HEADER_BYTES),
            around: sealing.saturating_add(PAYLOAD_FRAME_BYTES),
        }
    }

    /// Takes the next part off what is left: the broadcast first, then what is for each recipient, in this order.
    fn cut(&self, left: &mut Part) -> Part {
        let mut room = self.all;
        let broadcast = take(&mut left.broadcast, self.broadcast.min(room));
        room = room.saturating_sub(broadcast.len());
        let mut p2p = Vec::new();
        for (to, bytes) in left.p2p.iter_mut().filter(|(_, bytes)| !bytes.is_empty()) {
            let most = self.p2p.min(room.saturating_sub(self.around));
            if most == 0 {
                break;
            }
            let taken = take(bytes, most);
            room = room.saturating_sub(self.around.saturating_add(taken.len()));
            p2p.push((*to, taken));
        }
        Part { broadcast, p2p }
    }

    /// Gives away all parts of a post, at least one; at most `most`, or how many bytes these hold.
    fn cut_all(&self, mut left: Part, most: u16, mut give: impl FnMut(Part)) -> Result<u16, usize> {
        // What follows has to be said.
        let most = if self.has_number { most } else { most.min(1) };
        let whole = left.bytes();
        for number in 1..=most {
            let before = left.bytes();
            let part = self.cut(&mut left);
            if part.bytes() == 0 && before > 0 {
                return Err(whole.saturating_sub(before));
            }
            give(part);
            if left.bytes() == 0 {
                return Ok(number);
            }
        }
        Err(whole.saturating_sub(left.bytes()))
    }

    /// Number of parts of a post of this size to so many recipients; `None` if no number of parts is enough.
    pub fn count(&self, broadcast: usize, p2p: usize, recipients: u16) -> Option<u16> {
        let whole = Part {
            broadcast: 0..broadcast,
            p2p: (0..recipients).map(|to| (to, 0..p2p)).collect(),
        };
        self.cut_all(whole, u16::MAX, drop).ok()
    }
}

/// Bytes of the payloads of a post that are in one part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    broadcast: Range<usize>,
    p2p: Vec<(u16, Range<usize>)>,
}

impl Part {
    fn bytes(&self) -> usize {
        let p2p = self.p2p.iter().map(|(_, bytes)| bytes.len());
        p2p.fold(self.broadcast.len(), usize::saturating_add)
    }
}

fn take(left: &mut Range<usize>, most: usize) -> Range<usize> {
    let end = left.start.saturating_add(left.len().min(most));
    let taken = left.start..end;
    left.start = end;
    taken
}

/// A number of bytes as a size.
pub fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A post of more parts than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyParts {
    /// Its payloads' size, bytes.
    pub bytes: usize,
    /// Bytes of it that fit.
    pub fit: usize,
}

/// Payloads for others: to whom, and the plaintext.
pub type Payloads = Vec<(u16, Zeroizing<Vec<u8>>)>;

/// One post of a protocol, cut into parts.
pub struct Outgoing {
    broadcast: Vec<u8>,
    p2p: Payloads,
    parts: Vec<Part>,
}

impl Outgoing {
    /// Cuts a post into as few parts as there is room for, always in the same way, in whichever order the payloads come.
    ///
    /// # Errors
    /// [`TooManyParts`] for more than `most`.
    pub fn new(
        broadcast: Vec<u8>,
        mut p2p: Payloads,
        room: &Room,
        most: u16,
    ) -> Result<Self, TooManyParts> {
        // Another order would give another first part, to a party that goes on after a crash.
        p2p.sort_unstable_by_key(|(to, _)| *to);
        let whole = Part {
            broadcast: 0..broadcast.len(),
            p2p: p2p
                .iter()
                .map(|(to, bytes)| (*to, 0..bytes.len()))
                .collect(),
        };
        let bytes = whole.bytes();
        let mut parts = Vec::new();
        room.cut_all(whole, most, |part| parts.push(part))
            .map_err(|fit| TooManyParts { bytes, fit })?;
        Ok(Self {
            broadcast,
            p2p,
            parts,
        })
    }

    /// The payloads of a part on the board, by its place, from 0: none past the last one.
    #[must_use]
    pub fn part(&self, place: usize) -> (Vec<u8>, Payloads) {
        let Some(part) = self.parts.get(place) else {
            return Default::default();
        };
        let following = self.parts.len().saturating_sub(place.saturating_add(1));
        let following = u16::try_from(following).unwrap_or(u16::MAX);
        let own = self.broadcast.get(part.broadcast.clone()).unwrap_or(&[]);
        let number = following.to_be_bytes();
        let broadcast = match (following, own) {
            (0, []) => Vec::new(),
            _ => [number.as_slice(), own].concat(),
        };
        let payload = |(to, range): &(u16, Range<usize>)| {
            let (_, bytes) = self.p2p.iter().find(|(other, _)| other == to)?;
            let bytes = bytes.get(range.clone())?.to_vec();
            Some((*to, Zeroizing::new(bytes)))
        };
        (broadcast, part.p2p.iter().filter_map(payload).collect())
    }

    /// Bytes of all parts' payloads on the board.
    pub fn bytes(&self, sealing: usize) -> u64 {
        let last = self.parts.len().saturating_sub(1);
        let of = |(place, part): (usize, &Part)| {
            let sealed = part.p2p.len().saturating_mul(sealing);
            let is_silent = place == last && part.broadcast.is_empty();
            let header = if is_silent { 0 } else { HEADER_BYTES };
            header.saturating_add(sealed.saturating_add(part.bytes()))
        };
        let parts = self.parts.iter().enumerate();
        let bytes = parts.map(of).fold(0, usize::saturating_add);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Number of parts.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.parts.len()
    }
}

/// Why a post isn't the next part of what its author posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPart {
    /// No number, or an empty part of a post that nothing follows on, which isn't written.
    #[error("it doesn't begin with the number of parts that follow")]
    Number,
    /// More parts than a post may have here.
    #[error("too large: it is the first of {parts} parts, at most {most} are allowed")]
    TooLarge {
        /// Number of its parts, as it says.
        parts: u32,
        /// The most, by the session's protocol and by the rounds that were left.
        most: u16,
    },
    /// Another number than the next lower one.
    #[error("it says that {got} parts follow, expected {expected}")]
    Following {
        /// The number that it says.
        got: u16,
        /// The one that comes after the part before.
        expected: u16,
    },
    /// Something after the last part.
    #[error("it posts more after its last part")]
    AfterLast,
}

/// One post of a party that comes in parts.
#[derive(Default)]
pub struct Incoming {
    /// Number of parts that follow; `None` before the first one.
    following: Option<u16>,
    broadcast: Vec<Vec<u8>>,
    p2p: Vec<Zeroizing<Vec<u8>>>,
}

impl Incoming {
    /// Takes the next part, of a post that has at most `most`: its broadcast on the board, empty for none, the plaintext for this reader, and
    /// whether it has payloads for anybody at all, which everybody sees.
    ///
    /// # Errors
    /// [`BadPart`]; nothing of it is kept then.
    pub fn take(
        &mut self,
        most: u16,
        broadcast: &[u8],
        (p2p, has_p2p): (Option<Zeroizing<Vec<u8>>>, bool),
    ) -> Result<(), BadPart> {
        let (following, own) = match broadcast {
            [] => (0, broadcast),
            [0, 0] | [_] => return Err(BadPart::Number),
            [high, low, own @ ..] => (u16::from_be_bytes([*high, *low]), own),
        };
        match self.following {
            None if following >= most => {
                return Err(BadPart::TooLarge {
                    parts: u32::from(following).saturating_add(1),
                    most,
                });
            }
            Some(0) if !broadcast.is_empty() || has_p2p => return Err(BadPart::AfterLast),
            Some(before @ 1..) if following != before.saturating_sub(1) => {
                return Err(BadPart::Following {
                    got: following,
                    expected: before.saturating_sub(1),
                });
            }
            _ => {}
        }
        self.following = Some(following);
        if !own.is_empty() {
            self.broadcast.push(own.to_vec());
        }
        self.p2p.extend(p2p);
        Ok(())
    }

    /// Whether all of it is there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        matches!(self.following, Some(0))
    }

    /// The broadcast and the plaintext for this reader; empty for none.
    #[must_use]
    pub fn into_payloads(self) -> (Vec<u8>, Zeroizing<Vec<u8>>) {
        let p2p = self.p2p.iter().map(|part| part.len());
        let p2p = p2p.fold(0, usize::saturating_add);
        // Sized at once: growing would leave copies of a secret in freed memory.
        let mut whole = Zeroizing::new(Vec::with_capacity(p2p));
        self.p2p
            .iter()
            .for_each(|part| whole.extend_from_slice(part));
        (self.broadcast.concat(), whole)
    }
}

#[cfg(test)]
mod tests;
