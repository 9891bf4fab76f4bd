//! How the sealed payloads of one post are stored: a reader's payload and its path are found without reading the
//! others. Layout: u16 parties; parties + 1 offsets, u32; the nodes of the p2p tree; the ciphertexts.

use white_city_wire::{
    tree::{SlotTree, depth},
    tx::Post,
};

/// The stored payloads of one post.
pub struct P2pBlob<'a> {
    parties: u16,
    offsets: &'a [u8],
    nodes: &'a [u8],
    ciphertexts: &'a [u8],
}

/// One recipient's payload of one post.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sealed {
    /// Encapsulated key and ciphertext, empty where there is none.
    pub ciphertext: Vec<u8>,
    /// The siblings up to the post's p2p root, 32 bytes each, from the leaf up.
    pub path: Vec<u8>,
}

impl<'a> P2pBlob<'a> {
    /// Lays out a post's payloads for a roster of `parties`.
    #[must_use]
    pub fn encode(post: &Post, parties: u16) -> Vec<u8> {
        let tree = SlotTree::new(post.p2p_leaves(parties));
        let mut blob = parties.to_be_bytes().to_vec();
        let mut offset = 0_u32;
        let mut payloads = post.p2p.iter().peekable();
        for index in 0..parties {
            blob.extend_from_slice(&offset.to_be_bytes());
            if let Some((_, ciphertext)) = payloads.next_if(|(to, _)| *to == index) {
                // A transaction is far smaller than 4 GiB.
                offset += u32::try_from(ciphertext.len()).unwrap_or(0);
            }
        }
        blob.extend_from_slice(&offset.to_be_bytes());
        tree.nodes()
            .for_each(|node| blob.extend_from_slice(&node.0));
        for (_, ciphertext) in &post.p2p {
            blob.extend_from_slice(ciphertext);
        }
        blob
    }

    /// Reads the layout; `None` when it is cut.
    #[must_use]
    pub fn new(blob: &'a [u8]) -> Option<Self> {
        let (parties, rest) = blob.split_first_chunk::<2>()?;
        let parties = u16::from_be_bytes(*parties);
        let (offsets, rest) = rest.split_at_checked((usize::from(parties) + 1) * 4)?;
        let leaves = 1_usize << depth(parties);
        let (nodes, ciphertexts) = rest.split_at_checked((2 * leaves - 1) * 32)?;
        Some(Self {
            parties,
            offsets,
            nodes,
            ciphertexts,
        })
    }

    /// One recipient's payload; `None` past the roster.
    #[must_use]
    pub fn payload(&self, to: u16) -> Option<Sealed> {
        if to >= self.parties {
            return None;
        }
        let to = usize::from(to);
        let ciphertext = self
            .ciphertexts
            .get(self.offset(to)?..self.offset(to + 1)?)?;
        let mut path = Vec::new();
        let mut level_start = 0;
        let mut level_len = 1_usize << depth(self.parties);
        let mut position = to;
        while level_len > 1 {
            let sibling = (level_start + (position ^ 1)) * 32;
            path.extend_from_slice(self.nodes.get(sibling..sibling + 32)?);
            level_start += level_len;
            level_len /= 2;
            position /= 2;
        }
        Some(Sealed {
            ciphertext: ciphertext.to_vec(),
            path,
        })
    }

    fn offset(&self, position: usize) -> Option<usize> {
        let bytes = self.offsets.get(position * 4..position * 4 + 4)?;
        usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
    }
}

#[cfg(test)]
mod tests {
    use white_city_wire::{
        Hash, SessionId, entry::p2p_leaf, read::split_hashes, tree::slot_root_from_path,
    };

    use super::*;

    #[test]
    fn every_recipient_finds_its_payload_and_a_path_to_the_root() {
        for parties in [2_u16, 3, 5, 8, 13] {
            let payloads: Vec<(u16, Vec<u8>)> = (1..parties)
                .filter(|to| to % 3 != 0)
                .map(|to| (to, vec![u8::try_from(to).unwrap(); 48 + usize::from(to)]))
                .collect();
            let post = Post::new(
                SessionId::ZERO,
                1,
                (0, parties),
                Hash::ZERO,
                vec![],
                payloads.clone(),
            );
            let blob = P2pBlob::encode(&post, parties);
            let read = P2pBlob::new(&blob).unwrap();
            for to in 0..parties {
                let expected = payloads.iter().find(|(i, _)| *i == to);
                let Sealed { ciphertext, path } = read.payload(to).unwrap();
                assert_eq!(
                    Some(&ciphertext),
                    expected.map(|(_, c)| c).or(Some(&vec![]))
                );
                let path = split_hashes(&path).unwrap();
                let root = slot_root_from_path(p2p_leaf(&ciphertext), to, parties, &path);
                assert_eq!(root, Some(post.header.p2p_root));
            }
            assert!(read.payload(parties).is_none());
            for cut in 0..blob.len() {
                let cut = P2pBlob::new(&blob[..cut]);
                // Never a panic, and never another payload.
                if let Some(Sealed { ciphertext, .. }) =
                    cut.and_then(|cut| cut.payload(parties - 1))
                {
                    assert_eq!(ciphertext, read.payload(parties - 1).unwrap().ciphertext);
                }
            }
        }
    }
}
