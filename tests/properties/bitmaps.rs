//! Bitmaps: one encoding, and the laws of sets.

use std::collections::BTreeSet;

use proptest::prelude::*;
use white_city_wire::Bitmap;

fn of(size: u16, set: &BTreeSet<u16>) -> Bitmap {
    set.iter().fold(Bitmap::empty(size), |map, i| map.with(*i))
}

proptest! {
    #[test]
    fn a_bitmap_is_the_set_that_was_put_in(
        size in 0..1_030_u16,
        set in proptest::collection::btree_set(0..1_040_u16, 0..60),
    ) {
        let map = of(size, &set);
        let inside: Vec<u16> = set.iter().copied().filter(|i| *i < size).collect();
        prop_assert_eq!(map.iter().collect::<Vec<_>>(), inside.clone());
        prop_assert_eq!(usize::from(map.count()), inside.len());
        for i in 0..1_040 {
            prop_assert_eq!(map.contains(i), inside.contains(&i));
        }
        prop_assert_eq!(map.as_bytes().len(), usize::from(size).div_ceil(8));
        let pairs: Bitmap = (0..size).map(|i| (i, map.contains(i))).collect();
        prop_assert_eq!(&pairs, &map);
        prop_assert_eq!(Bitmap::from_bytes(size, map.as_bytes()), Some(map));
    }

    #[test]
    fn bytes_are_a_bitmap_only_when_length_and_spare_bits_are_right(
        size in 0..40_u16,
        bytes in proptest::collection::vec(any::<u8>(), 0..6),
    ) {
        let length = bytes.len() == usize::from(size).div_ceil(8);
        let spare = (0..8 * bytes.len()).any(|bit| {
            bit >= usize::from(size) && bytes[bit / 8] >> (bit % 8) & 1 == 1
        });
        let read = Bitmap::from_bytes(size, &bytes);
        prop_assert_eq!(read.is_some(), length && !spare);
        if let Some(map) = read {
            prop_assert_eq!(map.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn a_subset_is_a_subset(
        a in proptest::collection::btree_set(0..64_u16, 0..64),
        b in proptest::collection::btree_set(0..64_u16, 0..64),
    ) {
        let both: BTreeSet<u16> = a.intersection(&b).copied().collect();
        prop_assert!(of(64, &both).is_subset(&of(64, &a)));
        prop_assert_eq!(of(64, &a).is_subset(&of(64, &b)), a.is_subset(&b));
    }
}
