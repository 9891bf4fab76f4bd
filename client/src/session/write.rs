//! What a party writes: a join, posts, a finish, or that it leaves.

use white_city_wire::{
    Hash, IdentityKey,
    entry::FinishHeader,
    keys::EncryptionKey,
    limits::{ENTRY_BYTES, NOBODY},
    payload::{PayloadContext, SessionSeed},
    tx::{Action, Join, Leave, Post},
};
use zeroize::Zeroizing;

use super::{Secret, Session, slot::Goal};
use crate::{Error, SessionState, spec_builder::SEALING_BYTES};

impl Session {
    /// Joins: consents to the spec and brings a fresh encryption key. Returns when the board shows it; called again, it
    /// sends the same bytes.
    ///
    /// # Errors
    /// [`Error::NoJournal`] when this party has joined before, in another process; [`Error::SlotTaken`] when another process
    /// was faster; [`Error::Late`]; [`Error::Aborted`];
    /// [`Error::Left`]; [`Error::Refused`].
    pub async fn join(&mut self) -> Result<(), Error> {
        self.check_not_failed()?;
        if self.signed.get(&0).is_some_and(|own| own.is_shown) {
            return Ok(());
        }
        self.sync().await?;
        if self.observer.history().open_round() > 0 {
            self.check_may_write(0)?;
            return self.check_own_slot(0);
        }
        if self.signed.contains_key(&0) {
            return self.send_slot(0).await;
        }
        self.check_may_write(0)?;
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *random).map_err(|error| Error::Random(error.to_string()))?;
        let seed = SessionSeed::new(*random);
        let (key, public) = seed.key_pair(&self.id(), self.index);
        let public =
            EncryptionKey::from_bytes(&public).map_err(|bad| Error::Random(bad.to_string()))?;
        let join = Join {
            session: self.id(),
            index: self.index,
            key: public,
        };
        // Kept with what is signed, even if nobody waits for the signer any more.
        self.secret = Some(Secret { seed, key });
        let signed = self.sign_for_slot(0, Action::Join(join)).await;
        if signed.is_err() {
            self.secret = None;
        }
        signed?;
        self.send_slot(0).await
    }

    /// Posts in the open round: a broadcast (empty for none) and plaintexts for other members, which are sealed to the keys
    /// that they joined with. Returns the round when the board shows the post.
    ///
    /// # Errors
    /// [`Error::WrongRound`] while joining or when this round was posted in; [`Error::Recipient`]; [`Error::Usage`] when the spec
    /// has no room for it (nothing is signed then); [`Error::Late`], [`Error::Out`], [`Error::Aborted`].
    pub async fn post(
        &mut self,
        broadcast: Vec<u8>,
        p2p: Vec<(u16, Zeroizing<Vec<u8>>)>,
    ) -> Result<u32, Error> {
        let round = self.next_round()?;
        let bytes = self.check_room(&broadcast, &p2p)?;
        let sealed = p2p
            .iter()
            .map(|(to, plaintext)| Ok((*to, self.seal(round, *to, plaintext)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let transcript = self.observer.history().transcript();
        let place = (self.index, self.n());
        let post = Post::new(self.id(), round, place, transcript, broadcast, sealed);
        self.sign_for_slot(round, Action::Post(post)).await?;
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        self.send_slot(round).await?;
        Ok(round)
    }

    /// Says that this party is done, with the digest of the outcome. Returns when the board shows it; [`Session::wait_end`]
    /// says whether the others agree. From here on an abort means *unknown*: others may have seen the session finished.
    ///
    /// # Errors
    /// As [`Session::post`]; [`Error::Unknown`] instead of [`Error::Aborted`].
    pub async fn finish(&mut self, outcome: Hash) -> Result<(), Error> {
        let round = self.next_round()?;
        self.check_share(ENTRY_BYTES)?;
        let finish = FinishHeader {
            session: self.id(),
            round,
            index: self.index,
            transcript: self.observer.history().transcript(),
            outcome,
        };
        self.sign_for_slot(round, Action::Finish(finish)).await?;
        self.used_bytes = self.used_bytes.saturating_add(ENTRY_BYTES);
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
        let (session, index) = (self.id(), self.index);
        let digest = leave.digest(&session, index);
        let action = Action::Leave {
            session,
            index,
            leave,
        };
        let tx = self.sign(action).await?;
        self.left = true;
        self.send_until(tx, Goal::Left { digest }).await
    }

    /// The round that can be written into now.
    fn next_round(&mut self) -> Result<u32, Error> {
        self.check_not_failed()?;
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        let round = self.observer.history().open_round();
        if round == 0 {
            return Err(Error::WrongRound {
                asked: 1,
                expected: "to wait until joining has closed".into(),
            });
        }
        if self.signed.contains_key(&round) {
            return Err(Error::WrongRound {
                asked: round,
                expected: format!("to wait until round {round} has closed: this party has written"),
            });
        }
        self.check_may_write(round)?;
        self.check_own_slots_before(round)?;
        Ok(round)
    }

    fn check_may_write(&mut self, round: u32) -> Result<(), Error> {
        if self.left {
            return Err(Error::Left);
        }
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        if !self.observer.history().members().contains(self.index) {
            return Err(Error::Out { round });
        }
        let has_left = |now: &SessionState| now.leavers().contains(&self.index);
        if self.observer.now().is_some_and(|now| has_left(now)) {
            return Err(Error::Left);
        }
        if self.own_slot(round).is_some() {
            return Err(self.fail(Error::NoJournal { round }));
        }
        if round > 0 && self.secret.is_none() {
            return Err(self.fail(Error::NoJournal { round: 0 }));
        }
        Ok(())
    }

    /// Checks a post against the spec before anything is signed, since a slot is signed for once. Gives what it counts.
    fn check_room(
        &self,
        broadcast: &[u8],
        p2p: &[(u16, Zeroizing<Vec<u8>>)],
    ) -> Result<u64, Error> {
        let spec = self.spec();
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length(broadcast) > spec.max_bcast.into() {
            let expected = format!("at most {} bytes, by the spec", spec.max_bcast);
            return Err(Error::usage("broadcast", expected));
        }
        let mut bytes = ENTRY_BYTES.saturating_add(length(broadcast));
        for (to, plaintext) in p2p {
            let sealed = length(plaintext).saturating_add(SEALING_BYTES.into());
            if plaintext.is_empty() || sealed > spec.max_p2p.into() {
                let most = spec.max_p2p.saturating_sub(SEALING_BYTES);
                let expected = format!("1 to {most} bytes, by the spec");
                return Err(Error::usage("p2p payload", expected));
            }
            let twice = p2p.iter().filter(|(other, _)| other == to).count() > 1;
            if *to == self.index || twice || !self.observer.history().members().contains(*to) {
                return Err(Error::Recipient { to: *to });
            }
            bytes = bytes.saturating_add(sealed);
        }
        self.check_share(bytes)?;
        Ok(bytes)
    }

    fn check_share(&self, bytes: u64) -> Result<(), Error> {
        let left = self.spec().share_bytes().saturating_sub(self.used_bytes);
        if bytes > left {
            let expected = format!("at most {left} bytes, this party's share, it counts {bytes}");
            return Err(Error::usage("entry", expected));
        }
        Ok(())
    }

    fn seal(&self, round: u32, to: u16, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let secret = self.secret.as_ref().ok_or(Error::NoJournal { round: 0 })?;
        let join = self.observer.history().join(to);
        let key = join.ok_or(Error::Recipient { to })?.key;
        let context = self.payload_context(round, self.index, to)?;
        secret
            .seed
            .seal(&context, &key, plaintext)
            .map_err(|_| Error::Recipient { to })
    }

    /// Where a payload belongs.
    pub(super) fn payload_context(
        &self,
        round: u32,
        from: u16,
        to: u16,
    ) -> Result<PayloadContext<'_>, Error> {
        let history = self.observer.history();
        let key = |index: u16| -> Result<&IdentityKey, Error> {
            self.spec()
                .key(index)
                .map_err(|_| Error::Recipient { to: index })
        };
        let wrong_round = || Error::WrongRound {
            asked: round,
            expected: "a round that is open or closed".into(),
        };
        let join = history.join(to).ok_or(Error::Recipient { to })?;
        Ok(PayloadContext {
            network: self.client().network().id,
            session: self.id(),
            transcript: history.transcript_before(round).ok_or_else(wrong_round)?,
            round,
            from,
            to,
            from_key: key(from)?,
            to_key: key(to)?,
            to_join: join.digest(),
        })
    }
}
