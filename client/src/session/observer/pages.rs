//! All pages of a round: the first one says how the session stands, and anybody may give the others.

use std::sync::Arc;

use super::Observer;
use crate::{
    Error, Verified,
    history::Contradiction,
    read::{
        Entry, Exchange, InboxPage, Lie, OrLie, ReadInbox, ReadInboxOnce, ReadLaterPage, ReadRound,
    },
    replicas::{Endpoint, ReadError, Tally},
};

/// A replica, and what it gave.
pub(super) struct Source {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) exchange: Option<Exchange>,
}

/// Why a round wasn't taken in.
pub(super) struct NotTaken {
    pub(super) error: ReadError,
    /// The source whose fault it is; where it is `None`, whoever gave the first page.
    pub(super) by: Option<Box<Source>>,
}

impl From<ReadError> for NotTaken {
    fn from(error: ReadError) -> Self {
        Self { error, by: None }
    }
}

impl From<Lie> for NotTaken {
    fn from(lie: Lie) -> Self {
        ReadError::from(lie).into()
    }
}

impl From<Error> for NotTaken {
    fn from(error: Error) -> Self {
        ReadError::Final(error).into()
    }
}

/// All of a round, as it came.
pub(super) struct Pages {
    pub(super) all: InboxPage,
    /// The first index of each page after the first one, and who gave it.
    later: Vec<(u16, Source)>,
}

impl Pages {
    /// The value that was found by checking all of it, or whose page contradicts it.
    pub(super) fn blame<T>(
        &mut self,
        checked: Result<T, Contradiction>,
        what: &str,
    ) -> Result<T, NotTaken> {
        let index = checked.as_ref().err().and_then(index_of);
        // Later pages hold what the round's slots say: what is about no party of theirs is about the first page.
        let later = index.and_then(|index| self.later.iter().rposition(|(from, _)| *from <= index));
        checked.or_lie(what).map_err(|lie| NotTaken {
            error: lie.into(),
            by: later.map(|at| Box::new(self.later.swap_remove(at).1)),
        })
    }
}

/// Index of the party whose entry it is about.
const fn index_of(contradiction: &Contradiction) -> Option<u16> {
    match contradiction {
        Contradiction::Place { index, .. }
        | Contradiction::NotMember { index }
        | Contradiction::Signature { index }
        | Contradiction::Payload { index, .. } => Some(*index),
        _ => None,
    }
}

impl Observer {
    pub(super) fn page<'a>(
        &'a self,
        spec: &'a white_city_wire::Spec,
        round: u32,
        from_index: u16,
    ) -> ReadInboxOnce<'a> {
        let inbox = ReadInbox {
            id: self.id,
            spec,
            round,
            reader: self.reader,
            from_index,
        };
        ReadInboxOnce {
            inbox,
            checked: &self.client.replicas().checked,
        }
    }

    /// Reads the other pages of a round, at most as many bytes as the spec has room for. Each of them is asked of anybody, so
    /// that who is slow costs no more than with the first one, and is checked by itself, so that who lies is named.
    pub(super) async fn all_pages(
        &self,
        first: Verified<InboxPage>,
        round: u32,
        tally: &mut Tally,
    ) -> Result<Pages, NotTaken> {
        let (spec, height, replicas) = (self.spec(), first.height(), self.client.replicas());
        let mut pages = Pages {
            all: first.into_value(),
            later: Vec::new(),
        };
        if pages.all.next_index.is_none() {
            return Ok(pages);
        }
        let id = self.id;
        let slots = ReadRound { id, spec, round };
        let slots = replicas.read_reached(&slots, height, tally).await?;
        while let Some(from_index) = pages.all.next_index {
            let read = ReadLaterPage {
                page: self.page(spec, round, from_index),
                slots: &slots.slots,
            };
            let mut page = replicas.read_reached(&read, height, tally).await?;
            let endpoint = replicas.named(page.replica());
            let endpoint = endpoint.ok_or(Error::Unreachable(Vec::new()))?;
            let exchange = page.take_exchange();
            let source = Source { endpoint, exchange };
            let page = page.into_value();
            let all = &mut pages.all;
            all.joins.extend(page.joins);
            all.entries.extend(page.entries);
            all.next_index = page.next_index;
            let bytes = all.entries.iter().map(Entry::bytes);
            if bytes.fold(0, u64::saturating_add) > spec.max_bytes {
                return Err(NotTaken {
                    error: Lie::new("more bytes than the spec allows").into(),
                    by: Some(Box::new(source)),
                });
            }
            pages.later.push((from_index, source));
        }
        Ok(pages)
    }

    /// Notes that an answer can't be used: whoever gave it isn't asked any more in this look.
    ///
    /// # Errors
    /// When asking another replica wouldn't help.
    pub(super) fn set_aside(
        &self,
        tally: &mut Tally,
        first: Source,
        NotTaken { error, by }: NotTaken,
    ) -> Result<(), Error> {
        let replicas = self.client.replicas();
        let Source { endpoint, exchange } = by.map_or(first, |by| *by);
        if let (ReadError::Lied(lie), Some(exchange)) = (&error, exchange) {
            replicas.remember(endpoint.name(), lie, exchange);
        }
        tally.set_aside(&endpoint);
        replicas.note(tally, &endpoint, error)
    }
}
