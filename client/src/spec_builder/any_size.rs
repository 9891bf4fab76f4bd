//! Room for a protocol whose posts have any size: how many of the board's rounds it takes, and of which size.

use white_city_wire::{
    Kem, Spec,
    limits::{ENTRY_BYTES, PROTOCOL_BYTES_MAX},
};

use super::{SpecBuilder, count};
use crate::{
    Error,
    parts::{HEADER_BYTES, PAYLOAD_FRAME_BYTES, POST_FRAME_BYTES, Parts, Room, size},
};

/// The largest post of one round of a protocol, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundBytes {
    /// Its broadcast.
    pub broadcast: u32,
    /// Its plaintext for one recipient.
    pub p2p: u32,
}

/// The board's rounds that a protocol takes, with keys of one kind.
struct Needs {
    kem: Kem,
    /// The largest broadcast on the board, and the largest plaintext, bytes.
    payloads: (u32, u32),
    /// Most parts of a post; 1 where none is named.
    parts: u16,
    /// Number of rounds, with one to finish in.
    rounds: u32,
    /// Bytes of all entries.
    bytes: u64,
}

impl SpecBuilder {
    /// The rounds of the protocol, each with its largest post, which may be larger than a transaction: it goes over several of the board's
    /// rounds then ([`crate::parts`]), and the protocol's name says so. Where all posts fit, the session is one of plain posts. A post
    /// is all that is sent between two waits, messages of several of the protocol's own rounds, too.
    ///
    /// This takes the place of [`SpecBuilder::max_rounds`], [`SpecBuilder::posts`] and, unless it is said how large one part may be,
    /// [`SpecBuilder::payloads`]. There are rounds for as many parts of each post as the largest one has, whatever a liar says, and one to finish
    /// in; those that aren't needed never open, and cost nothing but a part of the opener's quota. `Delivery::run`
    /// takes a round more than its protocol, of one byte.
    ///
    /// That holds of the spec which this builder makes. Who joins a session that another has opened asks [`crate::Observer::check_room`].
    #[must_use]
    pub fn any_size(mut self, rounds: &[RoundBytes]) -> Self {
        self.any_size = Some(rounds.to_vec());
        self
    }

    pub(super) fn with_any_size(&self, rounds: &[RoundBytes]) -> Result<Self, Error> {
        let needs = match self.kem {
            Some(kem) => self.needs(rounds, kem),
            None => self.needs_of_largest_kem(rounds),
        };
        let needs = needs.ok_or_else(|| {
            let expected = "room for a byte of each payload in one part, and at most 65535 parts";
            Error::usage("any_size", expected)
        })?;
        let max_bytes = self.max_bytes.unwrap_or(needs.bytes);
        at_least("max_bytes", max_bytes, needs.bytes)?;
        let mut builder = self.clone();
        if needs.parts > 1 {
            builder.spec.protocol = named(&self.spec.protocol, needs.parts)?;
        }
        builder.kem = Some(needs.kem);
        (builder.spec.max_bcast, builder.p2p_plaintext) = needs.payloads;
        builder.spec.max_rounds = needs.rounds;
        builder.max_bytes = Some(max_bytes);
        Ok(builder)
    }

    /// X-Wing where it fits and isn't what makes parts necessary.
    fn needs_of_largest_kem(&self, rounds: &[RoundBytes]) -> Option<Needs> {
        let max_bytes = self.max_bytes.unwrap_or(self.room.max_session);
        let has_p2p = rounds.iter().any(|round| round.p2p > 0);
        let x25519 = self.needs(rounds, Kem::X25519)?;
        let x_wing = self.needs(rounds, Kem::XWing).filter(|needs| {
            let fits = needs.bytes <= max_bytes && needs.rounds <= self.room.max_rounds;
            has_p2p && fits && (needs.parts == 1 || x25519.parts > 1)
        });
        x_wing.or(Some(x25519))
    }

    /// `None` if no number of parts is enough.
    fn needs(&self, rounds: &[RoundBytes], kem: Kem) -> Option<Needs> {
        let largest = |of: fn(&RoundBytes) -> u32| rounds.iter().map(of).max().unwrap_or(0);
        let (broadcast, p2p) = (largest(|round| round.broadcast), largest(|round| round.p2p));
        let max = if self.is_sized {
            (self.spec.max_bcast, self.p2p_plaintext)
        } else {
            (u32::MAX, u32::MAX)
        };
        let whole = self.clone().payloads(broadcast, p2p);
        let fits = broadcast <= max.0 && p2p <= max.1;
        if fits && whole.largest_tx_bytes(kem) <= self.room.max_tx.into() {
            return Some(self.needs_in_parts(rounds, kem, (broadcast, p2p), 1));
        }
        let parts = self.part_bytes((broadcast, p2p), max, kem);
        let room = Room::new(
            parts.0,
            parts.1.saturating_add(kem.sealing_bytes()),
            self.room.max_tx,
            kem.sealing_bytes(),
        );
        let recipients = self.spec.parties().saturating_sub(1);
        let mut most = 1;
        for round in rounds {
            let count = room.count(size(round.broadcast), size(round.p2p), recipients)?;
            most = most.max(count);
        }
        Some(self.needs_in_parts(rounds, kem, parts, most))
    }

    /// The largest payloads of one part: as large as the protocol's, and as a transaction may have, and as was asked for.
    fn part_bytes(&self, whole: (u32, u32), max: (u32, u32), kem: Kem) -> (u32, u32) {
        let around = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = self.room.max_tx.saturating_sub(around(POST_FRAME_BYTES));
        let header = around(HEADER_BYTES);
        let sealing = around(PAYLOAD_FRAME_BYTES).saturating_add(kem.sealing_bytes());
        let broadcast = whole.0.saturating_add(header).min(room).min(max.0);
        // Each part says how many follow, also when nothing is broadcast.
        let broadcast = broadcast.max(header);
        let room = room.saturating_sub(header).saturating_sub(sealing);
        (broadcast, whole.1.min(room).min(max.1))
    }

    fn needs_in_parts(
        &self,
        rounds: &[RoundBytes],
        kem: Kem,
        payloads: (u32, u32),
        parts: u16,
    ) -> Needs {
        let named = (parts > 1).then_some(Parts { most: parts });
        let share = share(rounds, (self.others(), kem, payloads.1), named);
        Needs {
            kem,
            payloads,
            parts,
            rounds: rounds_of(rounds, parts),
            bytes: share.saturating_mul(self.spec.parties().into()),
        }
    }
}

/// The name of a session's protocol whose posts come in so many parts.
fn named(protocol: &str, most: u16) -> Result<String, Error> {
    let name = Parts { most }.name(protocol);
    let bytes = count(name.len());
    if bytes > PROTOCOL_BYTES_MAX.into() {
        return Err(Error::TooLarge {
            what: "the protocol's name with the number of parts behind it",
            bytes,
            max: PROTOCOL_BYTES_MAX.into(),
            limit: "a spec's protocol",
        });
    }
    Ok(name)
}

/// The board's rounds for so many parts of each post, and one to finish in.
fn rounds_of(rounds: &[RoundBytes], parts: u16) -> u32 {
    let number = u32::try_from(rounds.len()).unwrap_or(u32::MAX);
    number.saturating_mul(parts.into()).saturating_add(1)
}

/// Most bytes of one party's entries, with a finish: its payloads for each of the others are sealed to a key of this kind, and have so
/// many bytes at most before that.
fn share(rounds: &[RoundBytes], to: (u64, Kem, u32), parts: Option<Parts>) -> u64 {
    let (others, kem, p2p) = to;
    let sealing = u64::from(kem.sealing_bytes());
    // Where a part is full, a payload is cut once more than its own size asks for.
    let (most, around) = match parts {
        Some(parts) => (parts.most, count(HEADER_BYTES).saturating_add(sealing)),
        None => (1, 0),
    };
    let one = |round: &RoundBytes| {
        let pieces = u64::from(round.p2p.div_ceil(p2p.max(1)));
        let p2p = sealing
            .saturating_mul(pieces)
            .saturating_add(round.p2p.into());
        p2p.saturating_mul(others)
            .saturating_add(round.broadcast.into())
            .saturating_add(
                ENTRY_BYTES
                    .saturating_add(around)
                    .saturating_mul(most.into()),
            )
    };
    let posts = rounds.iter().map(one).fold(0, u64::saturating_add);
    posts.saturating_add(ENTRY_BYTES)
}

fn at_least(what: &'static str, has: u64, needed: u64) -> Result<(), Error> {
    if has < needed {
        return Err(Error::NoRoom { what, has, needed });
    }
    Ok(())
}

/// Whether a spec, on a board with transactions of so many bytes, has room for the rounds of a protocol.
pub(crate) fn check_room(spec: &Spec, max_tx: u32, rounds: &[RoundBytes]) -> Result<(), Error> {
    let parts = Parts::of(&spec.protocol)?;
    let (sealing, others) = (spec.kem.sealing_bytes(), spec.parties().saturating_sub(1));
    let room = Room::new(spec.max_bcast, spec.max_p2p, max_tx, sealing);
    for round in rounds {
        match parts {
            Some(Parts { most }) => {
                let parts = room.count(size(round.broadcast), size(round.p2p), others);
                let needed = parts.map_or(u64::from(u16::MAX).saturating_add(1), u64::from);
                at_least("the number of parts", most.into(), needed)?;
            }
            None => check_whole(spec, max_tx, *round)?,
        }
    }
    let most = parts.map_or(1, |parts| parts.most);
    let needed = rounds_of(rounds, most).into();
    at_least("max_rounds", spec.max_rounds.into(), needed)?;
    let p2p = spec.max_p2p.saturating_sub(sealing);
    let needed = share(rounds, (others.into(), spec.kem, p2p), parts);
    at_least("a party's share of max_bytes", spec.share_bytes(), needed)
}

/// Whether a spec has room for a post in one piece.
fn check_whole(spec: &Spec, max_tx: u32, round: RoundBytes) -> Result<(), Error> {
    let others = u64::from(spec.parties()).saturating_sub(1);
    let sealed = match round.p2p {
        0 => 0,
        bytes => u64::from(bytes).saturating_add(spec.kem.sealing_bytes().into()),
    };
    at_least("max_bcast", spec.max_bcast.into(), round.broadcast.into())?;
    at_least("max_p2p", spec.max_p2p.into(), sealed)?;
    let p2p = match sealed {
        0 => 0,
        bytes => bytes.saturating_add(count(PAYLOAD_FRAME_BYTES)),
    };
    let tx = count(POST_FRAME_BYTES)
        .saturating_add(round.broadcast.into())
        .saturating_add(p2p.saturating_mul(others));
    at_least("the genesis's max_tx", max_tx.into(), tx)
}
