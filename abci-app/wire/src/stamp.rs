//! Stamps: proof of work for the opening of a session, checked before anything dear is.

use crate::hash::{Preimage, SessionId};

/// Whether `stamp` is one for the session, of at least so many leading zero bits.
#[must_use]
pub fn is_stamp(session: &SessionId, stamp: u64, bits: u8) -> bool {
    let hash = Preimage::new("white-city/stamp/2")
        .raw(&session.0)
        .u64(stamp)
        .finish();
    let (head, _) = hash.0.split_first_chunk::<8>().unwrap_or((&[0xff; 8], &[]));
    u64::from_be_bytes(*head).leading_zeros() >= u32::from(bits)
}

/// The least stamp of the session, which takes about `2^bits` hashes to find; `None` where none has so many bits.
#[must_use]
pub fn find(session: &SessionId, bits: u8) -> Option<u64> {
    (0..=u64::MAX).find(|stamp| is_stamp(session, *stamp, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_has_as_many_bits_as_it_is_asked_for() {
        let session = SessionId([7; 32]);
        for bits in 0..=12 {
            let stamp = find(&session, bits).unwrap();
            assert!(is_stamp(&session, stamp, bits));
            assert!((0..stamp).all(|below| !is_stamp(&session, below, bits)));
            let other = SessionId([8; 32]);
            assert!(bits < 8 || !is_stamp(&other, stamp, bits));
        }
        assert_eq!(find(&session, 0), Some(0));
    }
}
