//! Changes to what a party reads of a round: entries, payloads, their order and their completeness.

use white_city_wire::pb::{self, answer::Body};

use super::items::{
    a_finish, a_join, a_post, has_broadcast, has_ciphertext, has_path, index, is_post, is_signed,
    item, post, signature, signed,
};
use super::{
    AnswerChange, Field as _, Row, at, flip, lengthen, one, remove, repeat, shorten, swap,
    swap_hashes,
};

pub(super) fn inbox(answer: &mut pb::Answer) -> Option<&mut pb::InboxAnswer> {
    match answer.body.as_mut()? {
        Body::Inbox(inbox) => Some(inbox),
        _ => None,
    }
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    (
        "inbox-round",
        "the answer names another round",
        |a, _, r| {
            inbox(a)?.round ^= 1 << r.below(4);
            Some(())
        },
    ),
    ("inbox-hidden", "none of the entries", |a, _, _| {
        let items = &mut inbox(a)?.items;
        (!items.is_empty()).then(|| items.clear())
    }),
    ("post-missing", "one entry left out", |a, _, r| {
        remove(&mut inbox(a)?.items, r)
    }),
    ("post-twice", "one entry there twice", |a, _, r| {
        repeat(&mut inbox(a)?.items, r)
    }),
    ("post-order", "two entries in the wrong order", |a, _, r| {
        swap(&mut inbox(a)?.items, r)
    }),
    (
        "post-order-renamed",
        "two entries that exchange their authors",
        |a, _, r| {
            let items = &mut inbox(a)?.items;
            swap(items, r)?;
            let mut indices: Vec<u32> =
                items.iter_mut().filter_map(|i| index(i).copied()).collect();
            indices.sort_unstable();
            for (item, ascending) in items.iter_mut().zip(indices) {
                *index(item)? = ascending;
            }
            Some(())
        },
    ),
    (
        "post-moved",
        "an entry in another party's slot",
        |a, _, r| {
            *index(one(&mut inbox(a)?.items, r)?)? ^= 1 << r.below(17);
            Some(())
        },
    ),
    (
        "post-added",
        "an entry in a slot that is empty",
        |a, _, r| {
            let items = &mut inbox(a)?.items;
            let mut added = items.get(at(items, r)?)?.clone();
            let taken: Vec<u32> = items.iter_mut().filter_map(|i| index(i).copied()).collect();
            let free = (0..4).find(|index| !taken.contains(index))?;
            *index(&mut added)? = free;
            items.push(added);
            items.sort_by_key(|item| index(&mut item.clone()).copied());
            Some(())
        },
    ),
    ("post-nobody", "an item that is no entry", |a, _, r| {
        one(&mut inbox(a)?.items, r)?.entry.take().map(drop)
    }),
    (
        "post-without-header",
        "a signature without its entry",
        |a, _, r| signed(item(a, r, is_signed)?)?.header.take().map(drop),
    ),
    (
        "post-signature",
        "an entry or join with another signature",
        |a, _, r| flip(signature(one(&mut inbox(a)?.items, r)?)?, r),
    ),
    (
        "post-signature-cut",
        "a signature that is too short",
        |a, _, r| {
            let signature = signature(one(&mut inbox(a)?.items, r)?)?;
            signature.change(Vec::pop).map(drop)
        },
    ),
    (
        "post-signatures-swapped",
        "two parties' signatures exchanged",
        |a, _, r| {
            let items = &mut inbox(a)?.items;
            let second = at(items, r).filter(|second| *second > 0)?;
            let (before, rest) = items.split_at_mut(second);
            std::mem::swap(
                signature(before.last_mut()?)?,
                signature(rest.first_mut()?)?,
            );
            Some(())
        },
    ),
    (
        "post-session",
        "a post that names another session",
        |a, _, r| flip(&mut a_post(a, r)?.session, r),
    ),
    (
        "post-round",
        "a post that names another round",
        |a, _, r| {
            a_post(a, r)?.round ^= 1 << r.below(3);
            Some(())
        },
    ),
    (
        "post-transcript",
        "a post after another transcript",
        |a, _, r| flip(&mut a_post(a, r)?.transcript, r),
    ),
    (
        "post-bcast-hash",
        "a post with another broadcast's hash",
        |a, _, r| flip(&mut a_post(a, r)?.bcast_hash, r),
    ),
    (
        "post-bcast-len",
        "a post with another broadcast's length",
        |a, _, r| {
            a_post(a, r)?.bcast_len ^= 1 << r.below(20);
            Some(())
        },
    ),
    (
        "post-p2p-root",
        "a post with another root over its p2p payloads",
        |a, _, r| flip(&mut a_post(a, r)?.p2p_root, r),
    ),
    (
        "post-p2p-bytes",
        "a post with another size of its p2p payloads",
        |a, _, r| {
            a_post(a, r)?.p2p_bytes ^= 1 << r.below(20);
            Some(())
        },
    ),
    ("broadcast", "a changed broadcast", |a, _, r| {
        flip(&mut item(a, r, has_broadcast)?.broadcast, r)
    }),
    (
        "broadcast-rehashed",
        "a changed broadcast with its new hash in the header",
        |a, _, r| {
            let item = item(a, r, has_broadcast)?;
            flip(&mut item.broadcast, r)?;
            let hash = white_city_wire::entry::bcast_hash(&item.broadcast);
            post(item)?.bcast_hash = hash.0.to_vec().into();
            Some(())
        },
    ),
    (
        "broadcast-cut",
        "a broadcast without its last byte",
        |a, _, r| {
            item(a, r, has_broadcast)?
                .broadcast
                .change(Vec::pop)
                .map(drop)
        },
    ),
    (
        "broadcast-longer",
        "a broadcast with a byte more",
        |a, _, r| {
            let broadcast = &mut item(a, r, is_post)?.broadcast;
            broadcast.change(|broadcast| broadcast.push(0));
            Some(())
        },
    ),
    ("broadcast-hidden", "a broadcast withheld", |a, _, r| {
        item(a, r, has_broadcast)?.broadcast.clear();
        Some(())
    }),
    (
        "broadcasts-swapped",
        "two parties' broadcasts exchanged",
        |a, _, r| {
            let items = &mut inbox(a)?.items;
            let second = at(items, r).filter(|second| *second > 0)?;
            let (before, rest) = items.split_at_mut(second);
            std::mem::swap(
                &mut before.last_mut()?.broadcast,
                &mut rest.first_mut()?.broadcast,
            );
            Some(())
        },
    ),
    ("payload", "a changed p2p payload", |a, _, r| {
        flip(&mut item(a, r, has_ciphertext)?.ciphertext, r)
    }),
    ("payload-hidden", "a p2p payload withheld", |a, _, r| {
        item(a, r, has_ciphertext)?.ciphertext.clear();
        Some(())
    }),
    (
        "payload-hidden-with-path",
        "a p2p payload withheld, and its path",
        |a, _, r| {
            let item = item(a, r, has_ciphertext)?;
            item.ciphertext.clear();
            item.p2p_path.clear();
            Some(())
        },
    ),
    (
        "payload-added",
        "a p2p payload where none was sent, in a post or a finish",
        |a, _, r| {
            let item = item(a, r, |item| is_signed(item) && !has_ciphertext(item))?;
            item.ciphertext = r.bytes(60).into();
            Some(())
        },
    ),
    (
        "payloads-swapped",
        "two senders' p2p payloads exchanged",
        |a, _, r| {
            let items = &mut inbox(a)?.items;
            let second = at(items, r).filter(|second| *second > 0)?;
            let (before, rest) = items.split_at_mut(second);
            std::mem::swap(
                &mut before.last_mut()?.ciphertext,
                &mut rest.first_mut()?.ciphertext,
            );
            Some(())
        },
    ),
    ("payload-path", "another path to the p2p root", |a, _, r| {
        flip(&mut item(a, r, has_path)?.p2p_path, r)
    }),
    (
        "payload-path-cut",
        "a path to the p2p root without its end",
        |a, _, r| shorten(&mut item(a, r, has_path)?.p2p_path),
    ),
    (
        "payload-path-longer",
        "a path to the p2p root with one more sibling",
        |a, _, r| {
            lengthen(&mut item(a, r, is_signed)?.p2p_path, r);
            Some(())
        },
    ),
    (
        "payload-path-swapped",
        "a path to the p2p root in another order",
        |a, _, r| swap_hashes(&mut item(a, r, has_path)?.p2p_path, r),
    ),
    (
        "finish-outcome",
        "a finish with another outcome",
        |a, _, r| flip(&mut a_finish(a, r)?.outcome, r),
    ),
    (
        "finish-session",
        "a finish that names another session",
        |a, _, r| flip(&mut a_finish(a, r)?.session, r),
    ),
    (
        "finish-round",
        "a finish that names another round",
        |a, _, r| {
            a_finish(a, r)?.round ^= 1 << r.below(3);
            Some(())
        },
    ),
    (
        "finish-transcript",
        "a finish after another transcript",
        |a, _, r| flip(&mut a_finish(a, r)?.transcript, r),
    ),
    (
        "finish-broadcast",
        "a finish that comes with a broadcast",
        |a, _, r| {
            let item = item(a, r, |item| is_signed(item) && !is_post(item))?;
            item.broadcast = b"more".as_slice().into();
            Some(())
        },
    ),
    ("join-session", "a join of another session", |a, _, r| {
        flip(&mut a_join(a, r)?.session, r)
    }),
    (
        "join-key",
        "a join with another encryption key: whoever made it would read what is sealed",
        |a, _, r| {
            let key = crate::party::Party::new(r.next()).encryption_key(0);
            a_join(a, r)?.enc_pk = key.as_bytes().to_vec().into();
            Some(())
        },
    ),
    (
        "join-kem",
        "a join with a key of another kind",
        |a, _, r| {
            a_join(a, r)?.kem ^= 1 << r.below(3);
            Some(())
        },
    ),
    (
        "page-cut",
        "a page that ends before the entries that it has",
        |a, _, r| {
            let inbox = inbox(a)?;
            let last = index(inbox.items.last_mut()?).copied()?;
            inbox.next_index = u32::try_from(r.below(u64::from(last) + 1)).ok()?;
            Some(())
        },
    ),
    (
        "page-endless",
        "a next page that begins past the roster, or here again",
        |a, _, r| {
            inbox(a)?.next_index = if r.chance(50) { 0 } else { 5 };
            Some(())
        },
    ),
    (
        "page-shorter",
        "the last entries as if they were on another page, which never comes",
        |a, _, _| {
            let inbox = inbox(a)?;
            inbox.next_index = index(&mut inbox.items.pop()?)
                .copied()
                .filter(|index| *index > 0)?;
            Some(())
        },
    ),
    (
        "now-missing",
        "an inbox that doesn't say how the session stands",
        |a, _, _| inbox(a)?.now.take().map(drop),
    ),
];
