//! Reading a closed round once more: for a party that starts its protocol anew, after a crash.

use std::sync::Arc;

use super::Observer;
use crate::{
    Error, Verified,
    read::{Entry, InboxPage, OrLie},
    replicas::{Endpoint, ReadError, Tally},
};

impl Observer {
    /// The entries of a round that has been read, with their payloads: from memory, or from the board again.
    pub(in crate::session) async fn entries_of(&self, round: u32) -> Result<Arc<[Entry]>, Error> {
        if let Some(kept) = self.kept.get(&round) {
            return Ok(Arc::clone(kept));
        }
        let replicas = self.client.replicas();
        let read = self.next_page(self.spec(), round, self.reader, 0);
        let mut tally = Tally::default();
        loop {
            let page = replicas.read_noting(&read, self.height(), &mut tally).await;
            let mut page = page.map_err(Error::or_erased)?;
            let Some(endpoint) = replicas.named(page.replica()) else {
                return Err(Error::Unreachable(Vec::new()));
            };
            let exchange = page.take_exchange();
            match self.same_entries(&endpoint, page, round).await {
                Ok(entries) => return Ok(entries.into()),
                Err(error) => self.set_aside(&mut tally, &endpoint, error, exchange)?,
            }
        }
    }

    /// All pages, if they are what this reader's history has for the round.
    async fn same_entries(
        &self,
        endpoint: &Endpoint,
        page: Verified<InboxPage>,
        round: u32,
    ) -> Result<Vec<Entry>, ReadError> {
        let all = self.all_pages(endpoint, page.into_value(), round, self.reader);
        let entries = all.await?.entries;
        self.history
            .check_again(round, self.reader, &entries)
            .or_lie("round")?;
        Ok(entries)
    }
}
