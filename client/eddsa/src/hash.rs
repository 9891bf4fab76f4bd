//! Tagged hashes. Tag and parts carry their length (u64, big-endian), so that no two lists of parts give the same input.

use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

fn absorb<D: Digest>(tag: &str, parts: &[&[u8]]) -> D {
    let mut hash = D::new();
    for part in std::iter::once(&tag.as_bytes()).chain(parts) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    hash
}

/// 32 bytes that commit to `parts` under `tag`.
pub(crate) fn digest(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    absorb::<Sha256>(tag, parts).finalize().into()
}

/// 64 bytes, to be reduced to a scalar without bias.
pub(crate) fn wide(tag: &str, parts: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    Zeroizing::new(absorb::<Sha512>(tag, parts).finalize().into())
}

/// RFC 8032's challenge, before its reduction: untagged, because every verifier computes it.
pub(crate) fn challenge(nonce: &[u8; 32], key: &[u8; 32], message: &[u8]) -> [u8; 64] {
    Sha512::new()
        .chain_update(nonce)
        .chain_update(key)
        .chain_update(message)
        .finalize()
        .into()
}

/// RFC 8032's expansion of a seed into scalar bytes (not yet clamped) and prefix.
pub(crate) fn expand(seed: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    Zeroizing::new(Sha512::digest(seed).into())
}
