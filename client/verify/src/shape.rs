//! The limits of what a message may hold, looked at before it is decoded: many tiny parts would take hundreds of times their size
//! in memory.

use std::ops::RangeInclusive;

use prost::encoding::decode_varint;

/// Largest join, with an X-Wing key, bytes.
pub const JOIN_BYTES_MAX: usize = 1_408;

/// The limits of one field: times that it may come, bytes that it may have each time, and parts that it may consist of.
pub struct Limit {
    field: usize,
    count: usize,
    bytes: RangeInclusive<usize>,
    /// None where it isn't a message, or one that holds nothing several times.
    parts: &'static [Self],
}

/// A field's number, how often it may come, and how many bytes it has at least and at most; a number has none.
#[must_use]
pub const fn limit(field: usize, count: usize, least: usize, most: usize) -> Limit {
    Limit {
        field,
        count,
        bytes: least..=most,
        parts: &[],
    }
}

impl Limit {
    /// The same for a message with these fields and no others.
    #[must_use]
    pub const fn of(mut self, parts: &'static [Self]) -> Self {
        self.parts = parts;
        self
    }
}

/// Why a message isn't decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misshapen {
    /// A part that is larger than it may be.
    #[error("a part of {got} bytes, more than it may have")]
    TooLarge {
        /// Its size, bytes.
        got: usize,
    },
    /// Not what such a message consists of.
    #[error("{0}")]
    Encoding(&'static str),
}

/// Whether each field of a message is within its limits, and comes no more often than it may.
///
/// # Errors
/// [`Misshapen`].
pub fn check(mut rest: &[u8], limits: &[Limit]) -> Result<(), Misshapen> {
    let mut counts = vec![0_usize; limits.len()];
    while !rest.is_empty() {
        let (field, bytes) = next(&mut rest)?;
        let known = limits.iter().zip(&mut counts);
        let (limit, count) = known
            .into_iter()
            .find(|(limit, _)| limit.field == field)
            .ok_or(Misshapen::Encoding("an unknown field"))?;
        *count = count.saturating_add(1);
        if *count > limit.count {
            return Err(Misshapen::Encoding("a field that comes too often"));
        }
        if bytes.len() > *limit.bytes.end() {
            return Err(Misshapen::TooLarge { got: bytes.len() });
        }
        if bytes.len() < *limit.bytes.start() {
            return Err(Misshapen::Encoding("a part without content"));
        }
        if !limit.parts.is_empty() {
            check(bytes, limit.parts)?;
        }
    }
    Ok(())
}

/// The next field: its number and, unless it is a number, its bytes. Numbers have 64 bits, also where lengths have 32.
fn next<'a>(rest: &mut &'a [u8]) -> Result<(usize, &'a [u8]), Misshapen> {
    let broken = || Misshapen::Encoding("not protobuf");
    let number = |rest: &mut &'a [u8]| decode_varint(rest).map_err(|_| broken());
    let key = number(rest)?;
    let length = match key & 7 {
        0 => number(rest).map(|_| 0)?,
        2 => usize::try_from(number(rest)?).map_err(|_| broken())?,
        _ => return Err(Misshapen::Encoding("a field of an unknown type")),
    };
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(broken)?;
    *rest = after;
    let field = usize::try_from(key >> 3).map_err(|_| broken())?;
    Ok((field, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: [Limit; 1] = [limit(1, 2, 1, 2)];
    const LIMITS: [Limit; 2] = [limit(1, 1, 0, 0), limit(2, 3, 0, 6).of(&PARTS)];

    #[test]
    fn each_field_comes_as_often_and_is_as_large_as_it_may() {
        const NUMBER: [u8; 2] = [1 << 3, 7];
        const LARGEST: [u8; 8] = [2 << 3 | 2, 6, 1 << 3 | 2, 1, 0, 1 << 3 | 2, 1, 0];
        let whole = [&NUMBER[..], &LARGEST, &LARGEST, &LARGEST].concat();
        assert_eq!(check(&whole, &LIMITS), Ok(()));
        assert_eq!(check(&[], &LIMITS), Ok(()));
        for (field, what) in [
            (&NUMBER[..], "a field that comes too often"),
            (&LARGEST, "a field that comes too often"),
            (&[3 << 3, 1], "an unknown field"),
            (&[1 << 3 | 5, 0, 0, 0, 0], "a field of an unknown type"),
            (&[2 << 3 | 2, 1], "not protobuf"),
        ] {
            let more = [&whole, field].concat();
            assert_eq!(check(&more, &LIMITS), Err(Misshapen::Encoding(what)));
        }
        let within = |parts: &[u8]| {
            let length = u8::try_from(parts.len()).unwrap();
            check(&[&[2 << 3 | 2, length], parts].concat(), &LIMITS)
        };
        assert_eq!(within(&[]), Ok(()));
        assert_eq!(within(&[1 << 3 | 2, 2, 0, 0]), Ok(()));
        let empty = within(&[1 << 3 | 2, 0]);
        assert_eq!(empty, Err(Misshapen::Encoding("a part without content")));
        let large = within(&[1 << 3 | 2, 3, 0, 0, 0]);
        assert_eq!(large, Err(Misshapen::TooLarge { got: 3 }));
        assert_eq!(within(&[0; 7]), Err(Misshapen::TooLarge { got: 7 }));
    }
}
