//! Replies that can't be read, and none at all.

use super::{Change, Mutator, Sort, Transport, flip};
use crate::rng::Rng;

type TextChange = fn(&mut Vec<u8>, &mut Rng) -> Option<()>;

/// Changes of an encoded answer.
const BYTES: &[(&str, &str, TextChange)] = &[
    (
        "bytes-flipped",
        "an answer with one bit changed",
        |bytes, r| flip(bytes, r),
    ),
    ("bytes-cut", "an answer without its end", |bytes, r| {
        let len = u64::try_from(bytes.len()).ok().filter(|len| *len > 0)?;
        bytes.truncate(usize::try_from(r.below(len)).ok()?);
        Some(())
    }),
    (
        "bytes-garbage",
        "random bytes instead of an answer",
        |bytes, r| {
            *bytes = r.bytes(bytes.len());
            Some(())
        },
    ),
    (
        "bytes-moved",
        "a part of an answer copied over another part",
        |bytes, r| {
            let len = u64::try_from(bytes.len()).ok().filter(|len| *len > 0)?;
            let (from, to) = (r.below(len), r.below(len));
            let count = r.below(len - from.max(to)) + 1;
            let [from, to, count] = [from, to, count].map(|n| usize::try_from(n).unwrap_or(0));
            bytes.copy_within(from..from + count, to);
            Some(())
        },
    ),
];

/// Changes of a reply's JSON.
const TEXTS: &[(&str, &str, TextChange)] = &[
    ("json-truncated", "JSON that breaks off", |text, r| {
        let len = u64::try_from(text.len()).ok().filter(|len| *len > 0)?;
        text.truncate(usize::try_from(r.below(len)).ok()?);
        Some(())
    }),
    ("json-garbage", "random bytes instead of JSON", |text, r| {
        *text = r.bytes(text.len());
        Some(())
    }),
    ("json-empty", "an empty reply", |text, _| {
        text.clear();
        Some(())
    }),
    (
        "json-other-type",
        "JSON, but no reply of JSON-RPC",
        |text, r| {
            let others: [&[u8]; 4] = [b"[]", b"null", b"1e999", br#"{"result":{"response":[1]}}"#];
            *text = r.pick(&others)?.to_vec();
            Some(())
        },
    ),
    ("json-deep", "JSON that is nested very deep", |text, _| {
        *text = b"[".repeat(200_000);
        Some(())
    }),
];

const TRANSPORTS: [(&str, &str, Transport); 6] = [
    (
        "withheld-error",
        "an error instead of an answer",
        Transport::Error,
    ),
    (
        "withheld-closed",
        "a connection that ends within the reply",
        Transport::Close,
    ),
    ("endless", "a reply without an end", Transport::Endless),
    ("slow", "a reply that comes seconds later", Transport::Slow),
    (
        "tx-swallowed",
        "transactions are taken and forgotten",
        Transport::Swallow,
    ),
    (
        "tx-refused",
        "transactions are refused for good",
        Transport::Refuse,
    ),
];

pub(super) fn all() -> impl Iterator<Item = Mutator> {
    let row = |name, about, change| Mutator {
        name,
        about,
        sort: Sort::Silence,
        change,
    };
    let bytes = BYTES
        .iter()
        .map(move |(name, about, how)| row(name, about, Change::Bytes(*how)));
    let texts = TEXTS
        .iter()
        .map(move |(name, about, how)| row(name, about, Change::Text(*how)));
    let transports = TRANSPORTS.into_iter();
    let transports =
        transports.map(move |(name, about, how)| row(name, about, Change::Transport(how)));
    bytes.chain(texts).chain(transports)
}
