//! A numbered, append-only collection that is its own Merkle tree of depth 32, and that shares all that didn't
//! change with its clones: a clone is one pointer, a change copies one path.

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

    /// The value with this number.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Arc<T>> {
        let mut here = self.top.as_ref()?;
        let mut level = APPEND_TREE_DEPTH;
        loop {
            match here.as_ref() {
                Node::Leaf { value, .. } => return Some(value),
                Node::Inner { left, right, .. } => {
                    level = level.saturating_sub(1);
                    here = if is_right(number, level) { right } else { left }.as_ref()?;
                }
            }
        }
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.hash_of(self.top.as_ref(), APPEND_TREE_DEPTH)
    }

    /// The siblings of a leaf, from the leaf up.
    #[must_use]
    pub fn path(&self, number: u32) -> Option<Vec<Hash>> {
        let mut path = Vec::with_capacity(usize::from(APPEND_TREE_DEPTH));
        let mut here = self.top.as_ref()?;
        let mut level = APPEND_TREE_DEPTH;
        while let Node::Inner { left, right, .. } = here.as_ref() {
            level = level.saturating_sub(1);
            let (next, sibling) = if is_right(number, level) {
                (right, left)
            } else {
                (left, right)
            };
            path.push(self.hash_of(sibling.as_ref(), level));
            here = next.as_ref()?;
        }
        path.reverse();
        Some(path)
    }

    /// Puts `value`, whose leaf is `leaf`, at `number`: a number that exists, or the next one. Anything else
    /// changes nothing.
    pub fn set(&mut self, number: u32, leaf: Hash, value: Arc<T>) {
        if u64::from(number) > self.len {
            return;
        }
        if u64::from(number) == self.len {
            self.len = self.len.saturating_add(1);
        }
        let top = self.top.take();
        self.top = Some(self.with(top.as_ref(), APPEND_TREE_DEPTH, number, leaf, value));
    }

    /// The values in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        (0..=u32::MAX).map_while(|number| self.get(number))
    }

    fn with(
        &self,
        old: Option<&Arc<Node<T>>>,
        level: u8,
        number: u32,
        leaf: Hash,
        value: Arc<T>,
    ) -> Arc<Node<T>> {
        if level == 0 {
            return Arc::new(Node::Leaf { hash: leaf, value });
        }
        let (mut left, mut right) = match old.map(Arc::as_ref) {
            Some(Node::Inner { left, right, .. }) => (left.clone(), right.clone()),
            _ => (None, None),
        };
        let below = level.saturating_sub(1);
        let side = if is_right(number, below) {
            &mut right
        } else {
            &mut left
        };
        *side = Some(self.with(side.as_ref(), below, number, leaf, value));
        Arc::new(Node::Inner {
            hash: node(
                &self.hash_of(left.as_ref(), below),
                &self.hash_of(right.as_ref(), below),
            ),
            left,
            right,
        })
    }

    fn hash_of(&self, node: Option<&Arc<Node<T>>>, level: u8) -> Hash {
        match node.map(Arc::as_ref) {
            Some(Node::Inner { hash, .. } | Node::Leaf { hash, .. }) => *hash,
            None => self
                .empty
                .get(usize::from(level))
                .copied()
                .unwrap_or(Hash::ZERO),
        }
    }
}

/// Whether, `level` steps above the leaves, the way to `number` turns right.
fn is_right(number: u32, level: u8) -> bool {
    number.wrapping_shr(level.into()) & 1 == 1
}

#[cfg(test)]
mod tests {
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
}
