//! Reading a closed round once more: for a party that starts its protocol anew, after a crash.

use std::sync::Arc;

use super::{
    Observer,
    pages::{NotTaken, Source},
};
use crate::{
    Error, Verified,
    read::{Entry, InboxPage},
    replicas::Tally,
};

impl Observer {
    /// The entries of a round that has been read, with their payloads: from memory, or from the board again.
    pub(in crate::session) async fn entries_of(&self, round: u32) -> Result<Arc<[Entry]>, Error> {
        if let Some(kept) = self.kept.get(&round) {
            return Ok(Arc::clone(kept));
        }
        let replicas = self.client.replicas();
        let read = self.page(self.spec(), round, 0);
        let mut tally = Tally::default();
        loop {
            let page = replicas.read_noting(&read, self.height(), &mut tally).await;
            let mut page = page.map_err(Error::or_erased)?;
            let Some(endpoint) = replicas.named(page.replica()) else {
                return Err(Error::Unreachable(Vec::new()));
            };
            let exchange = page.take_exchange();
            match self.same_entries(page, round, &mut tally).await {
                Ok(entries) => return Ok(entries.into()),
                Err(error) => self.set_aside(&mut tally, Source { endpoint, exchange }, error)?,
            }
        }
    }

    /// All pages, if they are what this reader's history has for the round.
    async fn same_entries(
        &self,
        page: Verified<InboxPage>,
        round: u32,
        tally: &mut Tally,
    ) -> Result<Vec<Entry>, NotTaken> {
        let mut pages = self.all_pages(page, round, tally).await?;
        let entries = &pages.all.entries;
        let checked = self.history.check_again(round, self.reader, entries);
        pages.blame(checked, "round")?;
        Ok(pages.all.entries)
    }
}
