//! All that a party writes: a join, posts, a finish, or that it leaves.

use std::sync::Arc;

use white_city_wire::{
    Bitmap, Hash, IdentityKey, Signature, SignedTx,
    entry::FinishHeader,
    limits::{ENTRY_BYTES, NOBODY},
    payload::PayloadContext,
    tx::{Action, Join, Leave, Post},
};
use zeroize::Zeroizing;

use super::{Secret, Session, on_all_cores::on_all_cores, slot::Goal};
use crate::{Error, journal::Record, kem::PartyKem};

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
        if !self.observer.is_fresh() {
            self.sync().await?;
        }
        if self.signed.contains_key(&0) {
            return self.show_slot(0).await;
        }
        self.check_may_write(0)?;
        if self.observer.history().open_round() > 0 {
            return self.check_own_slot(0);
        }
        let (seed, kem) = (&self.secret.seed, self.spec().kem);
        let public = seed.encryption_key(kem, &self.id(), self.index);
        let public = public.map_err(|bad| Error::Random(bad.to_string()))?;
        let join = Join {
            session: self.id(),
            index: self.index,
            key: public,
        };
        let action = Action::Join(join);
        self.sign_for_slot(0, action, Vec::new()).await?;
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
        let signed = self.signed.get(&round).map(|own| own.digest);
        match signed {
            Some(_) => self.check_not_failed()?,
            None => self.check_next_round(round)?,
        }
        let bytes = self.check_room(round, &broadcast, &p2p)?;
        let post = self.sealed_post(round, broadcast, &p2p).await?;
        if let Some(signed) = signed {
            if post.header.digest() != signed {
                return Err(Error::Differs { round });
            }
            if let Some(own) = self.signed.get_mut(&round) {
                own.plaintexts.get_or_insert(p2p);
            }
            // A complaint may have waited for what the journal doesn't hold.
            self.answer_complaint().await;
            return self.show_slot(round).await;
        }
        self.check_share("the entry", bytes)?;
        let action = Action::Post(post);
        self.check_transaction(&action)?;
        self.sign_for_slot(round, action, p2p).await?;
        self.send_slot(round).await
    }

    async fn sealed_post(
        &self,
        round: u32,
        broadcast: Vec<u8>,
        p2p: &[(u16, Zeroizing<Vec<u8>>)],
    ) -> Result<Post, Error> {
        let sealed = on_all_cores(p2p, |(to, plaintext)| {
            Ok((*to, self.seal(round, *to, plaintext)?))
        });
        let sealed = sealed.await.into_iter().collect::<Result<_, Error>>()?;
        let transcript = self.transcript_before(round)?;
        let place = (self.index, self.n());
        Ok(Post::new(
            self.id(),
            round,
            place,
            transcript,
            broadcast,
            sealed,
        ))
    }

    /// Says that this party is done, with the digest of the outcome. Returns when the board shows it; [`Session::wait_end`]
    /// says whether the others agree. From here on an abort means *unknown*: others may have seen the session finished.
    /// The same outcome can be said again.
    ///
    /// # Errors
    /// [`Error::WrongRound`] when this party has posted in the open round; [`Error::Differs`] after another outcome; as
    /// [`Session::post`]; [`Error::Unknown`] instead of [`Error::Aborted`].
    pub async fn finish(&mut self, outcome: Hash) -> Result<(), Error> {
        let finished = self
            .signed
            .iter()
            .find_map(|(round, own)| match &own.action {
                Action::Finish(finish) => Some((*round, finish.outcome)),
                _ => None,
            });
        if let Some((round, said)) = finished {
            if said != outcome {
                return Err(Error::Differs { round });
            }
            return self.show_slot(round).await;
        }
        let round = self.observer.history().open_round();
        self.check_next_round(round)?;
        self.check_share("the entry", ENTRY_BYTES)?;
        let finish = FinishHeader {
            session: self.id(),
            round,
            index: self.index,
            transcript: self.transcript_before(round)?,
            outcome,
        };
        let action = Action::Finish(finish);
        self.sign_for_slot(round, action, Vec::new()).await?;
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
        if let Some((digest, tx)) = self.leave.clone() {
            // Leaving is said once.
            return self.send_until(tx, Goal::Left { digest }).await;
        }
        let (session, index) = (self.id(), self.index);
        let digest = leave.digest(&session, index);
        let action = Action::Leave {
            session,
            index,
            leave,
        };
        let tx = self.sign(action).await?;
        self.record(&Record::Leave(tx.to_vec()))?;
        self.leave = Some((digest, Arc::clone(&tx)));
        self.send_until(tx, Goal::Left { digest }).await
    }

    /// Whether this round can be written into now.
    fn check_next_round(&mut self, round: u32) -> Result<(), Error> {
        self.check_not_failed()?;
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        let open = self.observer.history().open_round();
        let wrong = |expected: String| Error::WrongRound {
            asked: round,
            expected,
        };
        if open == 0 {
            return Err(wrong("to wait until joining has closed".into()));
        }
        if self.signed.contains_key(&open) {
            return Err(wrong(format!(
                "to wait until round {open} has closed: this party has written"
            )));
        }
        if round != open {
            return Err(wrong(format!("round {open}, which is open")));
        }
        self.check_may_write(round)?;
        self.check_own_slots_before(round)
    }

    fn check_may_write(&mut self, round: u32) -> Result<(), Error> {
        if let Some(ended) = self.ended() {
            return Err(ended);
        }
        // Before asking whether it is a member, which a party that has left isn't for long.
        if self.has_left() {
            return Err(Error::Left);
        }
        if !self.observer.history().members().contains(self.index) {
            return Err(Error::Out { round });
        }
        if self.own_slot(round).is_some() {
            return Err(self.fail(Error::NoJournal { round }));
        }
        Ok(())
    }

    /// Checks a post against the spec before anything is signed, since a slot is signed for once. Gives what it counts.
    fn check_room(
        &self,
        round: u32,
        broadcast: &[u8],
        p2p: &[(u16, Zeroizing<Vec<u8>>)],
    ) -> Result<u64, Error> {
        let spec = self.spec();
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length(broadcast) > spec.max_bcast.into() {
            return Err(Error::TooLarge {
                what: "the broadcast",
                bytes: length(broadcast),
                max: spec.max_bcast.into(),
                limit: "the spec's max_bcast",
            });
        }
        let mut bytes = ENTRY_BYTES.saturating_add(length(broadcast));
        let members = self.observer.history().members_of(round);
        for payload @ (_, plaintext) in p2p {
            self.check_recipient(members, p2p, payload)?;
            let sealed = length(plaintext).saturating_add(spec.kem.sealing_bytes().into());
            if sealed > spec.max_p2p.into() {
                return Err(Error::TooLarge {
                    what: "the sealed payload for one party",
                    bytes: sealed,
                    max: spec.max_p2p.into(),
                    limit: "the spec's max_p2p",
                });
            }
            bytes = bytes.saturating_add(sealed);
        }
        Ok(bytes)
    }

    /// Whether one of a post's payloads is something, and for another member, who gets no other one.
    pub(super) fn check_recipient(
        &self,
        members: &Bitmap,
        p2p: &[(u16, Zeroizing<Vec<u8>>)],
        (to, plaintext): &(u16, Zeroizing<Vec<u8>>),
    ) -> Result<(), Error> {
        if plaintext.is_empty() {
            let expected = "at least one byte: to send nothing, leave it out";
            return Err(Error::usage("p2p payload", expected));
        }
        let twice = p2p.iter().filter(|(other, _)| other == to).count() > 1;
        if *to == self.index || twice || !members.contains(*to) {
            return Err(Error::Recipient { to: *to });
        }
        Ok(())
    }

    pub(super) fn check_share(&self, what: &'static str, bytes: u64) -> Result<(), Error> {
        let left = self.spec().share_bytes().saturating_sub(self.used_bytes());
        if bytes > left {
            return Err(Error::TooLarge {
                what,
                bytes,
                max: left,
                limit: "what is left of this party's share of the spec's max_bytes",
            });
        }
        Ok(())
    }

    /// Whether the transaction would fit, before anything is signed for the slot.
    fn check_transaction(&self, action: &Action) -> Result<(), Error> {
        let unsigned = SignedTx::new(action.clone(), Signature([0; 64])).map_err(Error::Spec)?;
        let max = self.client().network().params.max_tx;
        if unsigned.bytes() > max {
            return Err(Error::TooLarge {
                what: "the post as one transaction",
                bytes: unsigned.bytes().into(),
                max: max.into(),
                limit: "the genesis's max_tx",
            });
        }
        Ok(())
    }

    /// The transcript that entries of a round name.
    fn transcript_before(&self, round: u32) -> Result<Hash, Error> {
        let before = self.observer.history().transcript_before(round);
        before.ok_or_else(|| Error::WrongRound {
            asked: round,
            expected: "a round that is open or closed".into(),
        })
    }

    fn seal(&self, round: u32, to: u16, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let secret = self.joined_secret()?;
        let join = self.observer.history().join(to);
        let key = &join.ok_or(Error::Recipient { to })?.key;
        let context = self.payload_context(round, self.index, to)?;
        secret
            .seed
            .seal::<PartyKem>(&context, key, plaintext)
            .map_err(|_| Error::Recipient { to })
    }

    /// The secret with which this party has joined.
    pub(super) fn joined_secret(&self) -> Result<&Secret, Error> {
        let joined = self.observer.history().round(0);
        let joined = joined.and_then(|joined| *joined.digests.get(usize::from(self.index))?);
        let own = self.signed.get(&0).map(|own| own.digest);
        if own.is_some() && joined == own {
            return Ok(&self.secret);
        }
        Err(Error::NoJournal { round: 0 })
    }

    /// The place that a payload belongs to.
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
        let join = history.join(to).ok_or(Error::Recipient { to })?;
        Ok(PayloadContext {
            network: self.client().network().id,
            session: self.id(),
            transcript: self.transcript_before(round)?,
            round,
            from,
            to,
            from_key: key(from)?,
            to_key: key(to)?,
            to_join: join.digest(),
        })
    }
}
