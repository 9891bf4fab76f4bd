//! Finding what there is to change in an inbox.

use prost::bytes::Bytes;
use white_city_wire::pb::{self, inbox_item::Entry, signed_entry::Header};

use super::{at, inbox::inbox};
use crate::rng::Rng;

/// One of the items for which there is something to do.
pub(super) fn item<'a>(
    answer: &'a mut pb::Answer,
    rng: &mut Rng,
    fits: impl Fn(&pb::InboxItem) -> bool,
) -> Option<&'a mut pb::InboxItem> {
    let items = inbox(answer)?.items.iter_mut();
    let mut fitting: Vec<_> = items.filter(|item| fits(item)).collect();
    let at = at(&fitting, rng)?;
    Some(fitting.swap_remove(at))
}

pub(super) fn signed(item: &mut pb::InboxItem) -> Option<&mut pb::SignedEntry> {
    match item.entry.as_mut()? {
        Entry::Signed(signed) => Some(signed),
        Entry::Join(_) => None,
    }
}

pub(super) fn post(item: &mut pb::InboxItem) -> Option<&mut pb::PostHeader> {
    match signed(item)?.header.as_mut()? {
        Header::Post(post) => Some(post),
        Header::Finish(_) => None,
    }
}

pub(super) fn finish(item: &mut pb::InboxItem) -> Option<&mut pb::FinishHeader> {
    match signed(item)?.header.as_mut()? {
        Header::Finish(finish) => Some(finish),
        Header::Post(_) => None,
    }
}

pub(super) fn a_post<'a>(
    answer: &'a mut pb::Answer,
    rng: &mut Rng,
) -> Option<&'a mut pb::PostHeader> {
    post(item(answer, rng, is_post)?)
}

pub(super) fn a_finish<'a>(
    answer: &'a mut pb::Answer,
    rng: &mut Rng,
) -> Option<&'a mut pb::FinishHeader> {
    finish(item(answer, rng, |item| {
        post(&mut item.clone()).is_none() && is_signed(item)
    })?)
}

pub(super) fn a_join<'a>(answer: &'a mut pb::Answer, rng: &mut Rng) -> Option<&'a mut pb::Join> {
    match item(answer, rng, |item| !is_signed(item))?.entry.as_mut()? {
        Entry::Join(join) => Some(join),
        Entry::Signed(_) => None,
    }
}

pub(super) fn is_signed(item: &pb::InboxItem) -> bool {
    matches!(item.entry, Some(Entry::Signed(_)))
}

pub(super) fn is_post(item: &pb::InboxItem) -> bool {
    matches!(&item.entry, Some(Entry::Signed(signed)) if matches!(signed.header, Some(Header::Post(_))))
}

/// The index of whoever wrote it.
pub(super) fn index(item: &mut pb::InboxItem) -> Option<&mut u32> {
    match item.entry.as_mut()? {
        Entry::Join(join) => Some(&mut join.index),
        Entry::Signed(signed) => match signed.header.as_mut()? {
            Header::Post(post) => Some(&mut post.index),
            Header::Finish(finish) => Some(&mut finish.index),
        },
    }
}

pub(super) fn signature(item: &mut pb::InboxItem) -> Option<&mut Bytes> {
    match item.entry.as_mut()? {
        Entry::Join(join) => Some(&mut join.signature),
        Entry::Signed(signed) => Some(&mut signed.signature),
    }
}

pub(super) fn has_broadcast(item: &pb::InboxItem) -> bool {
    !item.broadcast.is_empty()
}

pub(super) fn has_ciphertext(item: &pb::InboxItem) -> bool {
    !item.ciphertext.is_empty()
}

pub(super) fn has_path(item: &pb::InboxItem) -> bool {
    !item.p2p_path.is_empty()
}
