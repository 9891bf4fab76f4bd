//! Merkle trees: fixed-shape ones over the slots of a round or the payloads of a post, and append-only ones of
//! depth 32 over sessions and openers. Inner node: SHA-256 of byte 1, left, right.

use alloc::{vec, vec::Vec};

use sha2::{Digest, Sha256};

use crate::{hash::Hash, limits::APPEND_TREE_DEPTH};

/// The parent of two nodes.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left.0);
    hasher.update(right.0);
    Hash(hasher.finalize().into())
}

/// Length of a path in the tree over `n` leaves: ⌈log2 n⌉, 0 for one leaf.
#[must_use]
pub fn depth(n: u16) -> u8 {
    (0..16).find(|d| u32::from(n) <= 1 << d).unwrap_or(16)
}

/// A tree over the slots of a round or the payloads of a post: exactly 2^⌈log2 n⌉ leaves, padded with zeros.
#[derive(Clone, Debug)]
pub struct SlotTree {
    /// From the padded leaves up to the root.
    levels: Vec<Vec<Hash>>,
}

impl SlotTree {
    /// Builds the tree. No leaves count as one empty leaf.
    #[must_use]
    pub fn new(mut leaves: Vec<Hash>) -> Self {
        leaves.resize(leaves.len().max(1).next_power_of_two(), Hash::ZERO);
        let mut levels = vec![leaves];
        while let Some(top) = levels.last().filter(|top| top.len() > 1) {
            let above = top.chunks(2).map(parent_of_chunk).collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.levels
            .last()
            .and_then(|top| top.first())
            .copied()
            .unwrap_or(Hash::ZERO)
    }

    /// Every node, level by level, from the padded leaves up to the root.
    pub fn nodes(&self) -> impl Iterator<Item = &Hash> {
        self.levels.iter().flatten()
    }

    /// The siblings of leaf `index` from the leaf up; `None` past the padded leaves.
    #[must_use]
    pub fn path(&self, index: u16) -> Option<Vec<Hash>> {
        let below_root = self.levels.len().saturating_sub(1);
        let mut position = usize::from(index);
        self.levels.first()?.get(position)?;
        self.levels
            .iter()
            .take(below_root)
            .map(|level| {
                let sibling = level.get(position ^ 1).copied();
                position >>= 1;
                sibling
            })
            .collect()
    }
}

fn parent_of_chunk(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node(left, right),
        _ => Hash::ZERO,
    }
}

/// The root of the tree over `leaves`.
#[must_use]
pub fn slot_root(leaves: Vec<Hash>) -> Hash {
    SlotTree::new(leaves).root()
}

/// The root of the tree over `n` empty slots.
#[must_use]
pub fn empty_slot_root(n: u16) -> Hash {
    filled_slot_root(n, [])
}

/// The root of the tree over `n` slots of which these are filled, ascending by index. What it costs follows from them, not from
/// `n`: an empty subtree's root is the same everywhere.
#[must_use]
pub fn filled_slot_root(n: u16, filled: impl IntoIterator<Item = (u16, Hash)>) -> Hash {
    let mut level: Vec<(u16, Hash)> = filled.into_iter().collect();
    let mut empty = Hash::ZERO;
    for _ in 0..depth(n) {
        level = level_above(&level, &empty);
        empty = node(&empty, &empty);
    }
    level.first().map_or(empty, |(_, root)| *root)
}

/// The parents of a level's nodes that aren't `empty`, with their positions.
fn level_above(level: &[(u16, Hash)], empty: &Hash) -> Vec<(u16, Hash)> {
    let mut above = Vec::with_capacity(level.len());
    let mut rest = level.iter().peekable();
    while let Some((position, hash)) = rest.next() {
        let parent = if position & 1 == 1 {
            node(empty, hash)
        } else {
            let right = rest.next_if(|(other, _)| *other == position | 1);
            node(hash, right.map_or(empty, |(_, right)| right))
        };
        above.push((position >> 1, parent));
    }
    above
}

/// The root that `path` leads to from `leaf` at `index` of `n`; `None` when the index or the length is wrong.
#[must_use]
pub fn slot_root_from_path(leaf: Hash, index: u16, n: u16, path: &[Hash]) -> Option<Hash> {
    (index < n && path.len() == usize::from(depth(n))).then(|| climb(leaf, u32::from(index), path))
}

fn climb(leaf: Hash, index: u32, path: &[Hash]) -> Hash {
    let mut position = index;
    path.iter().fold(leaf, |below, sibling| {
        let on_the_right = position & 1 == 1;
        position >>= 1;
        if on_the_right {
            node(sibling, &below)
        } else {
            node(&below, sibling)
        }
    })
}

/// Roots of the empty subtrees of heights 0 to 32.
#[must_use]
pub fn empty_roots() -> Vec<Hash> {
    let mut roots = vec![Hash::ZERO];
    let mut top = Hash::ZERO;
    for _ in 0..APPEND_TREE_DEPTH {
        top = node(&top, &top);
        roots.push(top);
    }
    roots
}

/// The root that a path of 32 siblings leads to from `leaf` at `number`; `None` when the length is wrong.
#[must_use]
pub fn append_root_from_path(leaf: Hash, number: u32, path: &[Hash]) -> Option<Hash> {
    (path.len() == usize::from(APPEND_TREE_DEPTH)).then(|| climb(leaf, number, path))
}

/// Of a path of 32 siblings in a tree of `count` leaves those that aren't empty: what a proof carries.
#[must_use]
pub fn short_path(number: u32, count: u64, path: &[Hash]) -> Vec<Hash> {
    let levels = (0..APPEND_TREE_DEPTH).zip(path);
    levels
        .filter(|(level, _)| has_sibling(number, *level, count))
        .map(|(_, sibling)| *sibling)
        .collect()
}

/// All 32 siblings, from those that [`short_path`] keeps; `None` when there are too few or too many, or no such leaf.
#[must_use]
pub fn full_path(number: u32, count: u64, short: &[Hash]) -> Option<Vec<Hash>> {
    let mut given = short.iter().copied();
    let path = (0..APPEND_TREE_DEPTH).zip(empty_roots());
    let path = path
        .map(|(level, empty)| {
            if has_sibling(number, level, count) {
                given.next()
            } else {
                Some(empty)
            }
        })
        .collect::<Option<Vec<Hash>>>()?;
    (given.next().is_none() && u64::from(number) < count).then_some(path)
}

/// Whether the sibling at this level above leaf `number` has any of the `count` leaves under it.
fn has_sibling(number: u32, level: u8, count: u64) -> bool {
    let sibling = (u64::from(number) >> level) ^ 1;
    (sibling << level) < count
}

/// The siblings of the first leaf, from the leaf up, in a tree over any number of leaves: an odd node goes up as it is, as
/// in CometBFT's trees.
#[must_use]
pub fn path_of_first(leaves: Vec<Hash>) -> Vec<Hash> {
    let mut path = Vec::new();
    let mut level = leaves;
    while let [_, sibling, ..] = level.as_slice() {
        path.push(*sibling);
        level = level.chunks(2).map(parent_or_last).collect();
    }
    path
}

fn parent_or_last(pair: &[Hash]) -> Hash {
    match pair {
        [last] => *last,
        _ => parent_of_chunk(pair),
    }
}

/// The root above the first leaf: every sibling is on the right.
#[must_use]
pub fn root_above_first(leaf: Hash, path: &[Hash]) -> Hash {
    path.iter()
        .fold(leaf, |below, sibling| node(&below, sibling))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(n: u16) -> Vec<Hash> {
        (0..n)
            .map(|i| crate::hash::sha256(&i.to_be_bytes()))
            .collect()
    }

    #[test]
    fn the_root_over_empty_slots_is_that_of_a_tree_of_them() {
        for n in [1, 2, 3, 4, 5, 33, 512, 1_024_u16] {
            let empty = vec![Hash::ZERO; usize::from(n)];
            assert_eq!(empty_slot_root(n), slot_root(empty), "{n}");
        }
    }

    #[test]
    fn every_path_leads_to_the_root_and_to_no_other_place() {
        for n in 1..=33_u16 {
            let tree = SlotTree::new(leaves(n));
            for i in 0..n {
                let path = tree.path(i).unwrap();
                assert_eq!(path.len(), usize::from(depth(n)));
                let leaf = leaves(n)[usize::from(i)];
                assert_eq!(slot_root_from_path(leaf, i, n, &path), Some(tree.root()));
                for other in (0..n).filter(|other| *other != i) {
                    assert_ne!(
                        slot_root_from_path(leaf, other, n, &path),
                        Some(tree.root())
                    );
                }
                assert_eq!(slot_root_from_path(leaf, n, n, &path), None);
                assert_eq!(
                    slot_root_from_path(
                        leaf,
                        i,
                        n,
                        &[&path[..], &path[..1.min(path.len())], &[Hash::ZERO]].concat()
                    ),
                    None
                );
            }
        }
    }

    #[test]
    fn one_leaf_is_its_own_root_and_padding_is_zero() {
        let leaf = leaves(1)[0];
        assert_eq!(slot_root(leaves(1)), leaf);
        let three = leaves(3);
        let by_hand = node(&node(&three[0], &three[1]), &node(&three[2], &Hash::ZERO));
        assert_eq!(slot_root(three), by_hand);
        assert_eq!(
            [
                depth(1),
                depth(2),
                depth(3),
                depth(4),
                depth(5),
                depth(1024)
            ],
            [0, 1, 2, 2, 3, 10]
        );
    }
}
