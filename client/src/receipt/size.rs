//! How much a file may hold, looked at before anything is decoded: many tiny messages would take hundreds of times their
//! size in memory.

use white_city_wire::limits::{ROSTER_PARTIES_MAX, ROUNDS_MAX};

use super::BadReceipt;

/// Largest receipt other than a ceremony, bytes: two transcripts of 65 536 rounds with all that belongs to them.
const SMALL_BYTES_MAX: usize = 8 << 20;
/// Largest anchor or spec, bytes.
const PART_BYTES_MAX: usize = 1 << 20;
/// The field of a receipt that holds a ceremony.
const CEREMONY: usize = 5;
/// The field of a ceremony that holds its rounds.
const ROUNDS: usize = 4;

/// How often a field may come, and how many bytes it may have each time.
struct Limit {
    field: usize,
    count: usize,
    bytes: std::ops::RangeInclusive<usize>,
}

const fn limit(field: usize, count: usize, least: usize, most: usize) -> Limit {
    Limit {
        field,
        count,
        bytes: least..=most,
    }
}

const PARTIES: usize = ROSTER_PARTIES_MAX as usize;
const WHOLE: usize = super::RECEIPT_BYTES_MAX;

const RECEIPT: [Limit; 8] = [
    limit(1, 1, 0, 0),
    limit(2, 1, 0, 32),
    limit(3, 1, 0, SMALL_BYTES_MAX),
    limit(4, 1, 0, SMALL_BYTES_MAX),
    limit(CEREMONY, 1, 0, WHOLE),
    limit(6, 1, 0, SMALL_BYTES_MAX),
    limit(7, 1, 0, SMALL_BYTES_MAX),
    limit(8, 1, 0, SMALL_BYTES_MAX),
];

const CEREMONY_PARTS: [Limit; 11] = [
    limit(1, 1, 0, PART_BYTES_MAX),
    limit(2, 1, 0, PART_BYTES_MAX),
    limit(3, PARTIES, 64, 256),
    limit(ROUNDS, ROUNDS_MAX as usize, 0, WHOLE),
    limit(5, 1, 0, 1_024),
    limit(6, PARTIES, 32, 256),
    limit(7, PARTIES, 32, 256),
    limit(8, PARTIES, 64, 1_024),
    limit(9, PARTIES, 64, 512),
    limit(10, 1, 64, 1_024),
    limit(11, 1, 64, PART_BYTES_MAX),
];

const ENTRIES: [Limit; 1] = [limit(1, PARTIES, 64, 512)];

/// Checks a file without its checksum.
pub(super) fn check(message: &[u8]) -> Result<(), BadReceipt> {
    for (field, bytes) in checked(message, &RECEIPT)? {
        if field == CEREMONY {
            check_ceremony(bytes)?;
        }
    }
    Ok(())
}

fn check_ceremony(ceremony: &[u8]) -> Result<(), BadReceipt> {
    for (field, bytes) in checked(ceremony, &CEREMONY_PARTS)? {
        if field == ROUNDS {
            checked(bytes, &ENTRIES)?;
        }
    }
    Ok(())
}

/// The fields of a message, if each is within its limits.
fn checked<'a>(mut rest: &'a [u8], limits: &[Limit]) -> Result<Vec<(usize, &'a [u8])>, BadReceipt> {
    let mut found = Vec::new();
    let mut counts = vec![0_usize; limits.len()];
    while !rest.is_empty() {
        let (field, bytes) = next(&mut rest)?;
        let known = limits.iter().zip(&mut counts);
        let (limit, count) = known
            .into_iter()
            .find(|(limit, _)| limit.field == field)
            .ok_or(BadReceipt::Encoding("an unknown field"))?;
        *count = count.saturating_add(1);
        if *count > limit.count {
            return Err(BadReceipt::Encoding("a field that comes too often"));
        }
        if bytes.len() > *limit.bytes.end() {
            return Err(BadReceipt::TooLarge { got: bytes.len() });
        }
        if bytes.len() < *limit.bytes.start() {
            return Err(BadReceipt::Encoding("a part without content"));
        }
        found.push((field, bytes));
    }
    Ok(found)
}

/// The next field: its number and, unless it is a number, its bytes.
fn next<'a>(rest: &mut &'a [u8]) -> Result<(usize, &'a [u8]), BadReceipt> {
    let broken = || BadReceipt::Encoding("not protobuf");
    let key = prost::decode_length_delimiter(&mut *rest).map_err(|_| broken())?;
    let length = match key & 7 {
        0 => {
            prost::decode_length_delimiter(&mut *rest).map_err(|_| broken())?;
            0
        }
        2 => prost::decode_length_delimiter(&mut *rest).map_err(|_| broken())?,
        _ => return Err(BadReceipt::Encoding("a field of an unknown type")),
    };
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(broken)?;
    *rest = after;
    Ok((key >> 3, bytes))
}
