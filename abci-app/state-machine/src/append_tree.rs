//! A numbered, append-only collection that is its own Merkle tree of depth 32, and that shares all that didn't
//! change with its clones: a clone is one pointer, a change copies one path.
//!
//! A value that never changes again can be frozen: the tree keeps no more of it than what its root needs, and of a whole frozen
//! subtree one hash.

use alloc::{sync::Arc, vec::Vec};

use white_city_wire::{
    Hash,
    limits::APPEND_TREE_DEPTH,
    tree::{empty_roots, node},
};

/// Values numbered from 0, with a root over their leaves.
#[derive(Debug)]
pub struct AppendTree<T> {
    top: Option<Arc<Node<T>>>,
    len: u64,
    empty: Arc<Vec<Hash>>,
}

#[derive(Debug)]
enum Node<T> {
    Inner {
        hash: Hash,
        left: Option<Arc<Self>>,
        right: Option<Arc<Self>>,
    },
    Leaf {
        hash: Hash,
        value: Arc<T>,
    },
    Frozen {
        hash: Hash,
    },
}

/// A subtree that is full and frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    /// Its height above the leaves, up to 32; a single value's is 0.
    pub level: u8,
    /// Its number among the subtrees of its level, from 0.
    pub index: u32,
    /// Its root.
    pub hash: Hash,
}

impl<T> Clone for AppendTree<T> {
    fn clone(&self) -> Self {
        Self {
            top: self.top.clone(),
            len: self.len,
            empty: Arc::clone(&self.empty),
        }
    }
}

impl<T> Default for AppendTree<T> {
    fn default() -> Self {
        Self {
            top: None,
            len: 0,
            empty: Arc::new(empty_roots()),
        }
    }
}

impl<T> AppendTree<T> {
    /// Number of values.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value with this number, unless it is frozen.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Arc<T>> {
        match self.find(number)? {
            Node::Leaf { value, .. } => Some(value),
            Node::Inner { .. } | Node::Frozen { .. } => None,
        }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.hash_of(self.top.as_ref(), APPEND_TREE_DEPTH)
    }

    /// The siblings of a leaf, from the leaf up; `None` also where parts of them are inside frozen subtrees.
    #[must_use]
    pub fn path(&self, number: u32) -> Option<Vec<Hash>> {
        self.path_with(number, |_, _| Err(())).ok()?
    }

    /// The siblings of a leaf, from the leaf up. Roots of subtrees inside frozen ones come from `frozen`, by level and index.
    ///
    /// # Errors
    /// What `frozen` fails with. `None` is for a number that has no value.
    pub fn path_with<E>(
        &self,
        number: u32,
        mut frozen: impl FnMut(u8, u32) -> Result<Hash, E>,
    ) -> Result<Option<Vec<Hash>>, E> {
        if u64::from(number) >= self.len {
            return Ok(None);
        }
        let mut path = Vec::with_capacity(usize::from(APPEND_TREE_DEPTH));
        let mut here = self.top.as_ref();
        for level in (0..APPEND_TREE_DEPTH).rev() {
            let Some(Node::Inner { left, right, .. }) = here.map(Arc::as_ref) else {
                path.push(frozen(level, sibling(number, level))?);
                continue;
            };
            let (next, beside) = if is_right(number, level) {
                (right, left)
            } else {
                (left, right)
            };
            path.push(self.hash_of(beside.as_ref(), level));
            here = next.as_ref();
        }
        path.reverse();
        Ok(Some(path))
    }

    /// Puts `value`, whose leaf is `leaf`, at `number`: a number that exists and isn't frozen, or the next one. Anything else
    /// changes nothing.
    pub fn set(&mut self, number: u32, leaf: Hash, value: Arc<T>) {
        let is_next = u64::from(number) == self.len;
        if !is_next && self.get(number).is_none() {
            return;
        }
        self.put((0, number), Node::Leaf { hash: leaf, value });
    }

    /// Puts a frozen subtree behind the last value; gives what is frozen above it then. One that doesn't begin there changes nothing.
    pub fn push_frozen(&mut self, frozen: Frozen) -> Vec<Frozen> {
        let Frozen { level, index, hash } = frozen;
        if level < APPEND_TREE_DEPTH && u64::from(index).checked_shl(level.into()) == Some(self.len)
        {
            return self.put((level, index), Node::Frozen { hash });
        }
        Vec::new()
    }

    /// Lets go of a value that never changes again. Gives the subtrees above it that are frozen from now on, from below: their roots,
    /// beside the leaves of frozen values, are what [`AppendTree::path_with`] asks for.
    pub fn freeze(&mut self, number: u32) -> Vec<Frozen> {
        match self.leaf(number) {
            Some(hash) => self.put((0, number), Node::Frozen { hash }),
            None => Vec::new(),
        }
    }

    /// The values that aren't frozen, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        let mut waiting: Vec<&Arc<Node<T>>> = self.top.iter().collect();
        core::iter::from_fn(move || {
            loop {
                match waiting.pop()?.as_ref() {
                    Node::Leaf { value, .. } => return Some(value),
                    Node::Frozen { .. } => {}
                    Node::Inner { left, right, .. } => {
                        waiting.extend(right.iter().chain(left));
                    }
                }
            }
        })
    }

    /// The leaf of a value that isn't frozen.
    fn leaf(&self, number: u32) -> Option<Hash> {
        match self.find(number)? {
            Node::Leaf { hash, .. } => Some(*hash),
            Node::Inner { .. } | Node::Frozen { .. } => None,
        }
    }

    /// The node with the value of this number in it, and no other value that isn't frozen.
    fn find(&self, number: u32) -> Option<&Node<T>> {
        let mut here = self.top.as_ref()?;
        let mut level = APPEND_TREE_DEPTH;
        while let Node::Inner { left, right, .. } = here.as_ref() {
            level = level.saturating_sub(1);
            here = if is_right(number, level) { right } else { left }.as_ref()?;
        }
        Some(here)
    }

    /// Puts a node at a level and an index; gives what is frozen above it from now on.
    fn put(&mut self, place: (u8, u32), node: Node<T>) -> Vec<Frozen> {
        let end = u64::from(place.1).saturating_add(1);
        self.len = self
            .len
            .max(end.checked_shl(place.0.into()).unwrap_or(self.len));
        let mut grown = Vec::new();
        let top = self.top.take();
        self.top = Some(self.with(top.as_ref(), APPEND_TREE_DEPTH, place, node, &mut grown));
        grown
    }

    fn with(
        &self,
        old: Option<&Arc<Node<T>>>,
        level: u8,
        place: (u8, u32),
        new: Node<T>,
        grown: &mut Vec<Frozen>,
    ) -> Arc<Node<T>> {
        if level <= place.0 {
            return Arc::new(new);
        }
        let (mut left, mut right) = match old.map(Arc::as_ref) {
            Some(Node::Inner { left, right, .. }) => (left.clone(), right.clone()),
            _ => (None, None),
        };
        let below = level.saturating_sub(1);
        let index = place.1.wrapping_shr(below.saturating_sub(place.0).into());
        let side = if is_right(index, 0) {
            &mut right
        } else {
            &mut left
        };
        *side = Some(self.with(side.as_ref(), below, place, new, grown));
        let hash = node(
            &self.hash_of(left.as_ref(), below),
            &self.hash_of(right.as_ref(), below),
        );
        let is_frozen =
            |side: &Option<Arc<_>>| matches!(side.as_deref(), Some(Node::<T>::Frozen { .. }));
        if is_frozen(&left) && is_frozen(&right) {
            let index = index.wrapping_shr(1);
            grown.push(Frozen { level, index, hash });
            return Arc::new(Node::Frozen { hash });
        }
        Arc::new(Node::Inner { hash, left, right })
    }

    fn hash_of(&self, node: Option<&Arc<Node<T>>>, level: u8) -> Hash {
        match node.map(Arc::as_ref) {
            Some(Node::Inner { hash, .. } | Node::Leaf { hash, .. } | Node::Frozen { hash }) => {
                *hash
            }
            None => self
                .empty
                .get(usize::from(level))
                .copied()
                .unwrap_or(Hash::ZERO),
        }
    }
}

/// The index of the subtree beside the one of this level with `number` in it.
fn sibling(number: u32, level: u8) -> u32 {
    number.wrapping_shr(level.into()) ^ 1
}

/// Whether, `level` steps above the leaves, the way to `number` turns right.
fn is_right(number: u32, level: u8) -> bool {
    number.wrapping_shr(level.into()) & 1 == 1
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use white_city_wire::{hash::sha256, tree::append_root_from_path};

    use super::*;

    fn leaf(i: u32) -> Hash {
        sha256(&i.to_be_bytes())
    }

    #[test]
    fn every_path_leads_to_the_root_and_clones_keep_theirs() {
        let mut tree = AppendTree::default();
        assert_eq!(tree.root(), empty_roots()[32]);
        let mut before = tree.clone();
        for i in 0..40 {
            tree.set(i, leaf(i), Arc::new(i));
            assert_eq!(before.len(), u64::from(i));
            assert!(before.get(i).is_none());
            for j in 0..=i {
                let path = tree.path(j).unwrap();
                assert_eq!(append_root_from_path(leaf(j), j, &path), Some(tree.root()));
                assert_ne!(
                    append_root_from_path(leaf(j), j + 1, &path),
                    Some(tree.root())
                );
            }
            before = tree.clone();
        }
        tree.set(7, leaf(1007), Arc::new(1007));
        assert_eq!(**tree.get(7).unwrap(), 1007);
        assert_eq!(**before.get(7).unwrap(), 7);
        assert_ne!(tree.root(), before.root());
        assert_eq!(tree.iter().count(), 40);
    }

    #[test]
    fn a_number_past_the_next_one_changes_nothing() {
        let mut tree = AppendTree::default();
        tree.set(1, leaf(1), Arc::new(1));
        assert!(tree.is_empty());
        assert_eq!(tree.root(), AppendTree::<u32>::default().root());
    }

    /// A tree of so many values, those of `frozen` frozen, with all that was frozen by level and index.
    fn frozen_tree(len: u32, order: &[u32]) -> (AppendTree<u32>, BTreeMap<(u8, u32), Hash>) {
        let mut tree = AppendTree::default();
        (0..len).for_each(|i| tree.set(i, leaf(i), Arc::new(i)));
        let mut stored = BTreeMap::new();
        for i in order {
            stored.insert((0, *i), leaf(*i));
            for Frozen { level, index, hash } in tree.freeze(*i) {
                assert_eq!(stored.insert((level, index), hash), None, "told once");
            }
        }
        (tree, stored)
    }

    fn nodes(tree: &AppendTree<u32>) -> usize {
        fn below(node: Option<&Arc<Node<u32>>>) -> usize {
            match node.map(Arc::as_ref) {
                None => 0,
                Some(Node::Inner { left, right, .. }) => {
                    1 + below(left.as_ref()) + below(right.as_ref())
                }
                Some(_) => 1,
            }
        }
        below(tree.top.as_ref())
    }

    #[test]
    fn what_is_frozen_keeps_its_root_and_paths_and_no_memory() {
        for len in [1_u32, 2, 3, 8, 37, 64] {
            let mut whole = AppendTree::default();
            (0..len).for_each(|i| whole.set(i, leaf(i), Arc::new(i)));
            // In an order that isn't theirs: 29 has no factor in common with any of the lengths but 1.
            let order: Vec<u32> = (0..len).map(|i| i * 29 % len).collect();
            for frozen in 0..=order.len() {
                let (tree, stored) = frozen_tree(len, &order[..frozen]);
                assert_eq!((tree.root(), tree.len()), (whole.root(), u64::from(len)));
                let left: Vec<u32> = tree.iter().map(|value| **value).collect();
                let expected = (0..len).filter(|i| !order[..frozen].contains(i));
                assert_eq!(left, expected.collect::<Vec<_>>());
                for i in 0..len {
                    let lookup = |level, index| stored.get(&(level, index)).copied().ok_or(());
                    assert_eq!(
                        tree.path_with(i, lookup),
                        Ok(whole.path(i)),
                        "{len} {frozen}"
                    );
                    assert_eq!(tree.get(i).is_some(), left.contains(&i));
                }
                assert_eq!(tree.path_with(len, |_, _| Err(())), Ok(None));
                assert!(nodes(&tree) <= 33 * (left.len() + 2));
            }
            let (tree, _) = frozen_tree(len, &order);
            assert!(nodes(&tree) <= 33 + 32, "{len}: {}", nodes(&tree));
        }
    }

    #[test]
    fn a_frozen_value_stays_as_it_is_and_others_follow_behind_it() {
        let (mut tree, _) = frozen_tree(4, &[0, 1, 2, 3]);
        let root = tree.root();
        tree.set(2, leaf(99), Arc::new(99));
        assert_eq!((tree.root(), tree.freeze(2)), (root, Vec::new()));
        tree.set(4, leaf(4), Arc::new(4));
        assert_eq!((tree.len(), tree.get(4).map(|four| **four)), (5, Some(4)));
    }

    #[test]
    fn frozen_subtrees_are_put_back_behind_one_another_only() {
        let (tree, stored) = frozen_tree(7, &[0, 1, 2, 3, 6]);
        let mut again = AppendTree::default();
        let push = |tree: &mut AppendTree<u32>, level, index| {
            let hash = stored[&(level, index)];
            tree.push_frozen(Frozen { level, index, hash });
        };
        push(&mut again, 2, 0);
        let before = again.root();
        push(&mut again, 0, 6);
        push(&mut again, 1, 0);
        assert_eq!((again.root(), again.len()), (before, 4));
        again.push_frozen(Frozen {
            level: 32,
            index: 0,
            hash: before,
        });
        assert_eq!(again.len(), 4);
        again.set(4, leaf(4), Arc::new(4));
        again.set(5, leaf(5), Arc::new(5));
        push(&mut again, 0, 6);
        assert_eq!((again.root(), again.len()), (tree.root(), 7));
    }
}
