//! Room for a protocol whose posts have any size: how many of the board's rounds it takes, and of which size.

use white_city_wire::{Kem, limits::ENTRY_BYTES};

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
    /// rounds then ([`crate::parts`]), and the protocol's name says so. Where all posts fit, the session is one of plain posts.
    ///
    /// This takes the place of [`SpecBuilder::max_rounds`], [`SpecBuilder::posts`] and, unless it is said how large one part may be,
    /// [`SpecBuilder::payloads`]. There are rounds for as many parts of each post as the largest one has, whatever a liar says, and one to finish
    /// in; those that aren't needed never open, and cost nothing but a part of the opener's quota. `Delivery::run`
    /// takes a round more than its protocol, of one byte.
    #[must_use]
    pub fn any_size(mut self, rounds: &[RoundBytes]) -> Self {
        self.any_size = Some(rounds.to_vec());
        self
    }

    pub(super) fn with_any_size(&self, rounds: &[RoundBytes]) -> Result<Self, Error> {
        let has_p2p = rounds.iter().any(|round| round.p2p > 0);
        let needs = match self.kem {
            Some(kem) => self.needs(rounds, kem),
            None => {
                let max_bytes = self.max_bytes.unwrap_or(self.room.max_session);
                let x_wing = self.needs(rounds, Kem::XWing);
                let x_wing = x_wing.filter(|needs| has_p2p && needs.bytes <= max_bytes);
                x_wing.or_else(|| self.needs(rounds, Kem::X25519))
            }
        };
        let needs = needs.ok_or_else(|| {
            let expected = "room for a byte of each payload in one part, and at most 65535 parts";
            Error::usage("any_size", expected)
        })?;
        let mut builder = self.clone();
        if needs.parts > 1 {
            let parts = Parts { most: needs.parts };
            builder.spec.protocol = parts.name(&self.spec.protocol);
        }
        builder.kem = Some(needs.kem);
        (builder.spec.max_bcast, builder.p2p_plaintext) = needs.payloads;
        builder.spec.max_rounds = needs.rounds;
        builder.max_bytes = self.max_bytes.or(Some(needs.bytes));
        Ok(builder)
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
        let sealing = u64::from(kem.sealing_bytes());
        // Where a part is full, a payload is cut once more than its own size asks for.
        let part = ENTRY_BYTES
            .saturating_add(count(HEADER_BYTES))
            .saturating_add(sealing);
        let one = |round: &RoundBytes| {
            let pieces = u64::from(round.p2p.div_ceil(payloads.1.max(1)));
            let p2p = sealing
                .saturating_mul(pieces)
                .saturating_add(round.p2p.into());
            p2p.saturating_mul(self.others())
                .saturating_add(round.broadcast.into())
                .saturating_add(part.saturating_mul(parts.into()))
        };
        let posts = rounds.iter().map(one).fold(0, u64::saturating_add);
        let number = u32::try_from(rounds.len()).unwrap_or(u32::MAX);
        Needs {
            kem,
            payloads,
            parts,
            rounds: number.saturating_mul(parts.into()).saturating_add(1),
            bytes: posts
                .saturating_add(ENTRY_BYTES)
                .saturating_mul(self.spec.parties().into()),
        }
    }
}
