//! Storage of the sealed payloads of one post, in one of two forms. Where most of the roster gets one, the p2p tree is
//! stored with them, and a reader's payload and path are found without reading the others. Where few do, that tree would
//! outweigh them by far (and what an entry counts against its author's share), so it is computed again when it is read.
//!
//! Layout: u8 form (0 sparse, 1 dense); u16 parties; u16 count; count × (u16 to, u32 end of its ciphertext); if dense the
//! nodes of the tree; the ciphertexts.

use white_city_wire::{
    Hash,
    entry::p2p_leaf,
    pb,
    read::join_hashes,
    tree::{SlotTree, depth},
    tx::Post,
};

const SPARSE: u8 = 0;
const DENSE: u8 = 1;
/// Bytes of one entry of the index.
const INDEX_BYTES: usize = 6;

/// The stored payloads of one post.
pub struct P2pBlob<'a> {
    parties: u16,
    index: &'a [[u8; INDEX_BYTES]],
    nodes: Option<&'a [u8]>,
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
        let dense = post.p2p.len() * 2 >= usize::from(parties);
        let mut blob = vec![if dense { DENSE } else { SPARSE }];
        blob.extend_from_slice(&parties.to_be_bytes());
        // A roster has at most 1 024 parties, and a transaction is far smaller than 4 GiB.
        blob.extend_from_slice(&u16::try_from(post.p2p.len()).unwrap_or(0).to_be_bytes());
        let mut end = 0_u32;
        for (to, ciphertext) in &post.p2p {
            end += u32::try_from(ciphertext.len()).unwrap_or(0);
            blob.extend_from_slice(&to.to_be_bytes());
            blob.extend_from_slice(&end.to_be_bytes());
        }
        if dense {
            let tree = SlotTree::new(post.p2p_leaves(parties));
            tree.nodes()
                .for_each(|node| blob.extend_from_slice(&node.0));
        }
        for (_, ciphertext) in &post.p2p {
            blob.extend_from_slice(ciphertext);
        }
        blob
    }

    /// Reads the layout; `None` when it is cut.
    #[must_use]
    pub fn new(blob: &'a [u8]) -> Option<Self> {
        let ([form], rest) = blob.split_first_chunk::<1>()?;
        let (parties, rest) = rest.split_first_chunk::<2>()?;
        let parties = u16::from_be_bytes(*parties);
        let (count, rest) = rest.split_first_chunk::<2>()?;
        let count = usize::from(u16::from_be_bytes(*count));
        let (index, rest) = rest.split_at_checked(count * INDEX_BYTES)?;
        let (index, _) = index.as_chunks();
        let (nodes, ciphertexts) = match *form {
            SPARSE => (None, rest),
            DENSE => {
                let leaves = 1_usize << depth(parties);
                let (nodes, rest) = rest.split_at_checked((2 * leaves - 1) * 32)?;
                (Some(nodes), rest)
            }
            _ => return None,
        };
        Some(Self {
            parties,
            index,
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
        let place = self
            .index
            .binary_search_by_key(&to, |entry| place_of(entry).0);
        let ciphertext = place.map_or(Some(&[][..]), |place| self.ciphertext(place))?;
        let path = match self.nodes {
            Some(nodes) => path_in(nodes, self.parties, to)?,
            None => join_hashes(&SlotTree::new(self.leaves()?).path(to)?),
        };
        Some(Sealed {
            ciphertext: ciphertext.to_vec(),
            path,
        })
    }

    /// Every payload, ascending by recipient.
    #[must_use]
    pub fn all(&self) -> Option<Vec<pb::Sealed>> {
        let places = self.index.iter().enumerate();
        let sealed = places.map(|(place, entry)| {
            Some(pb::Sealed {
                to: place_of(entry).0.into(),
                ciphertext: self.ciphertext(place)?.to_vec(),
            })
        });
        sealed.collect()
    }

    fn ciphertext(&self, place: usize) -> Option<&'a [u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => place_of(self.index.get(before)?).1,
            None => 0,
        };
        self.ciphertexts
            .get(start..place_of(self.index.get(place)?).1)
    }

    fn leaves(&self) -> Option<Vec<Hash>> {
        let mut leaves = vec![Hash::ZERO; usize::from(self.parties)];
        for (place, entry) in self.index.iter().enumerate() {
            let leaf = leaves.get_mut(usize::from(place_of(entry).0))?;
            *leaf = p2p_leaf(self.ciphertext(place)?);
        }
        Some(leaves)
    }
}

/// The recipient in an entry of the index, and where its ciphertext ends.
fn place_of(entry: &[u8; INDEX_BYTES]) -> (u16, usize) {
    let [a, b, c, d, e, f] = *entry;
    let end = u32::from_be_bytes([c, d, e, f]);
    (
        u16::from_be_bytes([a, b]),
        usize::try_from(end).unwrap_or(usize::MAX),
    )
}

/// The path of leaf `to` in a stored tree.
fn path_in(nodes: &[u8], parties: u16, to: u16) -> Option<Vec<u8>> {
    let mut path = Vec::new();
    let mut level_start = 0;
    let mut level_len = 1_usize << depth(parties);
    let mut position = usize::from(to);
    while level_len > 1 {
        let sibling = (level_start + (position ^ 1)) * 32;
        path.extend_from_slice(nodes.get(sibling..sibling + 32)?);
        level_start += level_len;
        level_len /= 2;
        position /= 2;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use white_city_wire::{SessionId, read::split_hashes, tree::slot_root_from_path};

    use super::*;

    /// A post with payloads of different sizes for `recipients`.
    fn post(parties: u16, recipients: impl Iterator<Item = u16>) -> Post {
        let payloads = recipients
            .map(|to| {
                (
                    to,
                    vec![u8::try_from(to % 256).unwrap(); 49 + usize::from(to % 7)],
                )
            })
            .collect();
        Post::new(
            SessionId::ZERO,
            1,
            (0, parties),
            Hash::ZERO,
            vec![],
            payloads,
        )
    }

    #[test]
    fn every_recipient_finds_its_payload_and_a_path_to_the_root_in_both_forms() {
        let mut forms = [0, 0];
        for parties in [2_u16, 3, 5, 8, 13] {
            for every in [1, 2, 3, 5] {
                let post = post(parties, (1..parties).filter(|to| to % every == 0));
                let blob = P2pBlob::encode(&post, parties);
                forms[usize::from(blob[0])] += 1;
                let read = P2pBlob::new(&blob).unwrap();
                for to in 0..parties {
                    let expected = post.p2p.iter().find(|(i, _)| *i == to);
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
                    // Never a panic.
                    let _ = P2pBlob::new(&blob[..cut]).and_then(|cut| cut.payload(parties - 1));
                }
            }
        }
        assert!(forms.iter().all(|count| *count > 3), "{forms:?}");
    }

    #[test]
    fn what_is_stored_stays_within_a_few_times_what_is_counted() {
        for recipients in [1, 10, 511, 512, 1_023] {
            let post = post(1_024, 1..=recipients);
            let counted = 256 + usize::try_from(post.header.p2p_bytes).unwrap();
            let stored = P2pBlob::encode(&post, 1_024).len();
            assert!(
                stored <= counted * 4,
                "{recipients} recipients: {stored} of {counted} bytes"
            );
        }
    }
}
