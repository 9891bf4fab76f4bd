//! A party's proof that it was in time.

use white_city_wire::{
    Entry, SignedEntry, SignedTx,
    pb::submission_receipt::Entry as Submitted,
    tx::{Action, entry_to_pb, join_to_pb},
};

use super::Session;
use crate::{Error, receipt::Receipt};

impl Session {
    /// That this party's own join or entry is on the board, as soon as [`Session::join`], [`Session::post`] or
    /// [`Session::finish`] has returned. Round 0 is joining.
    ///
    /// # Errors
    /// [`Error::NoJournal`] where this process has signed nothing for the round; [`Error::Receipt`] where the slot doesn't
    /// hold it; [`Error::Erased`]; as [`crate::Client::read`].
    pub async fn submission_receipt(&self, round: u32) -> Result<Receipt, Error> {
        let missing = || Error::NoJournal { round };
        let own = self.party.filling(round).ok_or_else(missing)?;
        let tx = SignedTx::decode(own.tx.as_ref().ok_or_else(missing)?);
        let tx = tx.and_then(|tx| {
            let network = self.client().network().id;
            tx.verify(&self.signer.identity(), self.n(), &network)
        });
        let signature = *tx.map_err(Error::Spec)?.signature();
        let signed = |entry| Submitted::Signed(entry_to_pb(&SignedEntry { entry, signature }));
        let submitted = match &own.action {
            Action::Join(join) => Submitted::Join(join_to_pb(join, &signature)),
            Action::Post(post) => signed(Entry::Post(post.header.clone())),
            Action::Finish(finish) => signed(Entry::Finish(finish.clone())),
            _ => return Err(missing()),
        };
        self.submission(round, self.index(), submitted).await
    }
}
