//! Trees: every path proves its leaf at its place, and nothing else.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};
use white_city_state_machine::AppendTree;
use white_city_wire::{
    Hash,
    tree::{SlotTree, append_root_from_path, depth, node, slot_root, slot_root_from_path},
};

use crate::generators::hash;

/// The root by the definition: leaves padded to a power of two, then pairs.
fn by_definition(mut level: Vec<Hash>) -> Hash {
    level.resize(level.len().next_power_of_two(), Hash::ZERO);
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| node(&pair[0], &pair[1]))
            .collect();
    }
    level[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_slot_path_proves_its_leaf_at_its_place_only(
        leaves in vec(hash(), 1..70),
        at in any::<prop::sample::Index>(),
        wrong in hash(),
        level in any::<prop::sample::Index>(),
    ) {
        let n = u16::try_from(leaves.len()).unwrap();
        let i = u16::try_from(at.index(leaves.len())).unwrap();
        let leaf = leaves[usize::from(i)];
        let tree = SlotTree::new(leaves.clone());
        prop_assert_eq!(tree.root(), by_definition(leaves.clone()));
        prop_assert_eq!(tree.root(), slot_root(leaves));
        let mut path = tree.path(i).unwrap();
        prop_assert_eq!(path.len(), usize::from(depth(n)));
        prop_assert_eq!(slot_root_from_path(leaf, i, n, &path), Some(tree.root()));
        prop_assert_ne!(slot_root_from_path(wrong, i, n, &path), Some(tree.root()));
        prop_assert_eq!(slot_root_from_path(leaf, n, n, &path), None);
        if !path.is_empty() {
            let level = level.index(path.len());
            path[level] = wrong;
            prop_assert_ne!(slot_root_from_path(leaf, i, n, &path), Some(tree.root()));
            path.pop();
        } else {
            path.push(wrong);
        }
        prop_assert_eq!(slot_root_from_path(leaf, i, n, &path), None);
    }

    #[test]
    fn an_append_tree_is_the_same_whatever_was_written_in_between(
        leaves in vec(hash(), 1..24),
        rewrites in vec((any::<prop::sample::Index>(), hash()), 0..12),
        at in any::<prop::sample::Index>(),
    ) {
        let mut model = leaves.clone();
        let mut tree = AppendTree::default();
        for (number, leaf) in (0_u32..).zip(&leaves) {
            tree.set(number, *leaf, Arc::new(*leaf));
        }
        let old = tree.clone();
        for (index, leaf) in rewrites {
            let number = index.index(model.len());
            model[number] = leaf;
            tree.set(u32::try_from(number).unwrap(), leaf, Arc::new(leaf));
        }
        let mut fresh = AppendTree::default();
        for (number, leaf) in (0_u32..).zip(&model) {
            fresh.set(number, *leaf, Arc::new(*leaf));
        }
        prop_assert_eq!(tree.root(), fresh.root());
        let number = at.index(model.len());
        let path = tree.path(u32::try_from(number).unwrap()).unwrap();
        let number = u32::try_from(number).unwrap();
        let up = |number| append_root_from_path(model[usize::try_from(number).unwrap()], number, &path);
        prop_assert_eq!(up(number), Some(tree.root()));
        prop_assert_eq!(append_root_from_path(model[0], number, &path[1..]), None);
        prop_assert!(old.iter().map(|leaf| **leaf).eq(leaves.iter().copied()));
    }
}

#[test]
fn a_slot_tree_has_no_path_past_its_padded_leaves() {
    for size in 1..40_u16 {
        let tree = SlotTree::new(vec![Hash([1; 32]); usize::from(size)]);
        let padded = size.next_power_of_two();
        assert!(tree.path(padded - 1).is_some());
        for past in [0, 1, 7, 1_000] {
            assert_eq!(tree.path(padded + past), None, "{size} leaves");
        }
    }
}
