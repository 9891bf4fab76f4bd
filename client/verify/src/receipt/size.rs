//! The limits of what a file may hold, looked at before anything is decoded.

use white_city_wire::limits::{ROSTER_PARTIES_MAX, ROUNDS_MAX};

use super::BadReceipt;
use crate::{
    shape::{self, JOIN_BYTES_MAX, Limit, Misshapen, limit},
    trust::{LINK, LINKS_MAX},
};

/// Largest receipt other than a ceremony, bytes: two transcripts of 65 536 rounds with all that belongs to them.
const SMALL_BYTES_MAX: usize = 8 << 20;
/// Largest anchor or spec, bytes.
const PART_BYTES_MAX: usize = 1 << 20;

const PARTIES: usize = ROSTER_PARTIES_MAX as usize;
const WHOLE: usize = super::RECEIPT_BYTES_MAX;

const RECEIPT: [Limit; 9] = [
    limit(1, 1, 0, 0),
    limit(2, 1, 0, 32),
    limit(3, 1, 0, SMALL_BYTES_MAX),
    limit(4, 1, 0, SMALL_BYTES_MAX),
    limit(5, 1, 0, WHOLE).of(&CEREMONY),
    limit(6, 1, 0, SMALL_BYTES_MAX),
    limit(7, 1, 0, SMALL_BYTES_MAX),
    limit(8, 1, 0, SMALL_BYTES_MAX),
    limit(9, LINKS_MAX, 64, WHOLE).of(&LINK),
];

const CEREMONY: [Limit; 11] = [
    limit(1, 1, 0, PART_BYTES_MAX),
    limit(2, 1, 0, PART_BYTES_MAX),
    limit(3, PARTIES, 64, JOIN_BYTES_MAX),
    limit(4, ROUNDS_MAX as usize, 0, WHOLE).of(&ENTRIES),
    limit(5, 1, 0, 1_024),
    limit(6, PARTIES, 32, 256),
    limit(7, PARTIES, 32, 256),
    limit(8, PARTIES, 64, 1_024),
    limit(9, PARTIES, 64, 512),
    limit(10, 1, 64, 1_024),
    limit(11, 1, 64, PART_BYTES_MAX),
];

const ENTRIES: [Limit; 1] = [limit(1, PARTIES, 64, 512)];

impl From<Misshapen> for BadReceipt {
    fn from(misshapen: Misshapen) -> Self {
        match misshapen {
            Misshapen::TooLarge { got } => Self::TooLarge { got },
            Misshapen::Encoding(what) => Self::Encoding(what),
        }
    }
}

/// Checks a file without its checksum.
pub(super) fn check(message: &[u8]) -> Result<(), BadReceipt> {
    Ok(shape::check(message, &RECEIPT)?)
}
