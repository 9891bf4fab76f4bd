//! The inbox: what a party reads of a closed round, opened.

pub use white_city_party::Inbox;

use super::{Session, on_all_cores::on_all_cores};
use crate::Error;

impl Session {
    /// Waits until a round has closed, and opens what it holds for this party. It can be asked for again.
    ///
    /// # Errors
    /// As [`Session::wait_round_closed`]; [`Error::Payload`] names the first sender whose payload can't be opened;
    /// [`Error::WrongRound`] for round 0; for a round that closed long ago as [`crate::Client::read`], and [`Error::Erased`].
    pub async fn inbox(&mut self, round: u32) -> Result<Inbox, Error> {
        if round == 0 {
            return Err(Error::WrongRound {
                asked: 0,
                expected: "a round from 1 on: joins have no payloads".into(),
            });
        }
        self.wait_round_closed(round).await?;
        let entries = self.observer.entries_of(round).await?;
        let seen = self.observer.seen();
        let sealed: Vec<_> = entries
            .iter()
            .filter(|entry| !entry.ciphertext.is_empty())
            .collect();
        let opened = on_all_cores(&sealed, |entry| {
            let (_, _, from) = entry.signed.entry.slot();
            let opened = self.party.unseal(seen, round, from, &entry.ciphertext);
            Ok::<_, Error>((from, opened?))
        });
        let p2p = opened.await.into_iter().collect::<Result<_, _>>()?;
        Ok(Inbox::of(round, &entries, p2p))
    }
}
