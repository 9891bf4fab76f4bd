//! All that a party writes: a join, posts, a finish, or that it leaves.

use white_city_party::{Goal, journal::Record};
use white_city_wire::{Hash, limits::NOBODY, tx::Leave};
use zeroize::Zeroizing;

use super::{Session, on_all_cores::on_all_cores};
use crate::Error;

impl Session {
    /// Joins: consents to the spec and brings a fresh encryption key. Returns when the board shows it; called again, it
    /// sends the same bytes.
    ///
    /// # Errors
    /// [`Error::NoJournal`] when this party has joined before, in another process; [`Error::SlotTaken`] when another process
    /// was faster; [`Error::Late`]; [`Error::Aborted`];
    /// [`Error::Left`]; [`Error::Refused`]; [`Error::Parts`] for posts in parts of a version that this library doesn't know.
    pub async fn join(&mut self) -> Result<(), Error> {
        self.party.check_not_failed()?;
        let own = self.party.filling(0).map(|own| own.is_shown);
        if own == Some(true) {
            return Ok(());
        }
        if !self.observer.is_fresh() {
            self.sync().await?;
        }
        if own.is_some() {
            return self.show_slot(0).await;
        }
        self.party.join(self.observer.seen())?;
        self.sign_for_slot(0).await?;
        self.send_slot(0).await
    }

    /// Posts in a round: a broadcast (empty for none) and plaintexts for other members, which are sealed to the keys that they
    /// joined with. Returns when the board shows the post.
    ///
    /// A round that this party has posted in takes the same content again and nothing else: sealing is deterministic, so a
    /// protocol that starts anew from the same randomness posts what it posted before, and catches up.
    ///
    /// # Errors
    /// [`Error::WrongRound`] for any other round than the open one; [`Error::Differs`] when this party has posted something else
    /// in it; [`Error::Recipient`]; [`Error::TooLarge`] and [`Error::Usage`] when neither spec nor board has room for it
    /// (nothing is signed then); [`Error::Late`], [`Error::Out`], [`Error::Aborted`].
    pub async fn post(
        &mut self,
        round: u32,
        broadcast: Vec<u8>,
        p2p: Vec<(u16, Zeroizing<Vec<u8>>)>,
    ) -> Result<(), Error> {
        let seen = self.observer.seen();
        let bytes = self.party.check_post(seen, round, &broadcast, &p2p)?;
        let sealed = on_all_cores(&p2p, |(to, plaintext)| {
            Ok((*to, self.party.seal(seen, round, *to, plaintext)?))
        });
        let sealed = sealed.await.into_iter().collect::<Result<_, Error>>()?;
        let was_posted = self
            .party
            .post(seen, (round, bytes), broadcast, sealed, p2p)?;
        if was_posted {
            // A complaint may have waited for what the journal doesn't hold.
            self.answer_complaint().await;
            return self.show_slot(round).await;
        }
        self.sign_for_slot(round).await?;
        self.send_slot(round).await
    }

    /// Says that this party is done, with the digest of the outcome. Returns when the board shows it; [`Session::wait_end`]
    /// says whether the others agree. From here on an abort means *unknown*: others may have seen the session finished.
    /// The same outcome can be said again.
    ///
    /// # Errors
    /// [`Error::WrongRound`] when this party has posted in the open round; [`Error::Differs`] after another outcome; as
    /// [`Session::post`]; [`Error::Unknown`] instead of [`Error::Aborted`].
    pub async fn finish(&mut self, outcome: Hash) -> Result<(), Error> {
        let (round, was_said) = self.party.finish(self.observer.seen(), outcome)?;
        if was_said {
            return self.show_slot(round).await;
        }
        self.sign_for_slot(round).await?;
        self.send_slot(round).await
    }

    /// Declines to join, for a reason that the protocol defines. Returns when the board shows it.
    ///
    /// # Errors
    /// [`Error::SlotTaken`] after joining; [`Error::Refused`].
    pub async fn decline(&mut self, reason: u16) -> Result<(), Error> {
        self.leave(Leave::Decline { reason }).await
    }

    /// Leaves after joining, for a cause that the protocol defines. `about` is the party that it is about, as a claim;
    /// `detail` is free. Returns when the board shows it, or when the session has ended anyway.
    ///
    /// # Errors
    /// [`Error::Refused`] before joining; [`Error::Out`].
    pub async fn abort(
        &mut self,
        cause: u16,
        about: Option<u16>,
        detail: Hash,
    ) -> Result<(), Error> {
        let about = about.unwrap_or(NOBODY);
        self.leave(Leave::Abort {
            cause,
            about,
            detail,
        })
        .await
    }

    async fn leave(&mut self, leave: Leave) -> Result<(), Error> {
        if let Some((digest, tx)) = self.party.leaving() {
            // Leaving is said once.
            return self.send_until(tx, Goal::Left { digest }).await;
        }
        let (digest, action) = self.party.leave(leave);
        let tx = self.sign(action).await?;
        self.record(&Record::Leave(tx.to_vec()))?;
        self.party.keep_leave(digest, &tx);
        self.send_until(tx, Goal::Left { digest }).await
    }
}
