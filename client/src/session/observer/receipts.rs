//! Making receipts of a session.

use white_city_wire::{
    Hash, SignedEntry,
    pb::{self, receipt::Body, submission_receipt::Entry as Submitted},
    tx::{entry_to_pb, join_to_pb, open_to_pb},
};

use super::Observer;
use crate::{
    Error,
    read::{ReadEvidence, ReadLeaf, ReadRound, RoundStatus, Verified},
    receipt::{BadReceipt, Receipt, ceremony_pb, evidence_pb, finishes_pb, slot_pb},
};

impl Observer {
    /// Everything that was signed in the session, without payloads, and how it ended.
    ///
    /// # Errors
    /// [`Error::Receipt`] while the session lives; [`Error::Erased`] once it is erased; as [`crate::Client::read`].
    pub async fn ceremony_receipt(&self) -> Result<Receipt, Error> {
        let now = self.now().filter(|now| now.terminal.is_some());
        let now = now.ok_or(Error::Receipt(BadReceipt::Live("the session hasn't ended")))?;
        let (id, spec) = (self.id, self.spec());
        // Evidence is taken after the end, too, so the state that certifies it is the newest.
        let read = ReadEvidence { id, spec };
        let evidence = self.client.newest(&read).await;
        let evidence = evidence.map_err(Error::or_erased)?;
        let last = (self.last_joins.as_slice(), self.last_entries.as_slice());
        let receipt = pb::CeremonyReceipt {
            anchor: evidence.anchor(),
            open: Some(self.open_pb()),
            terminal: now.terminal.as_ref().map(Into::into),
            ..ceremony_pb(&self.history, last, &evidence, id)
        };
        self.checked(Body::Ceremony(receipt))
    }

    /// A receipt of the session's end: the replicas' word and, where it finished, the word of the parties, which needs no replica.
    ///
    /// # Errors
    /// [`Error::Receipt`] while the session lives; as [`crate::Client::read`].
    pub async fn end_receipt(&self) -> Result<Receipt, Error> {
        let read = ReadLeaf(self.id.into());
        let summary = self.client.read(&read, self.height()).await?;
        let terminal = summary.terminal.as_ref();
        let terminal =
            terminal.ok_or(Error::Receipt(BadReceipt::Live("the session hasn't ended")))?;
        let receipt = pb::EndReceipt {
            anchor: summary.anchor(),
            open: Some(self.open_pb()),
            terminal: Some(terminal.into()),
            finishes: finishes_pb(terminal, &self.last_entries, self.spec().parties()),
        };
        self.checked(Body::End(receipt))
    }

    /// That a party's join or entry is on the board. The round has closed, or the session has ended in it.
    ///
    /// # Errors
    /// [`Error::Receipt`] where the slot is empty or the round is open; [`Error::Erased`]; as [`crate::Client::read`].
    pub async fn submission_receipt_of(&self, round: u32, index: u16) -> Result<Receipt, Error> {
        let missing = || Error::Receipt(BadReceipt::Missing("entry: none was read for this slot"));
        let closed = self.history.round(round);
        if closed.is_none() && (round != self.history.open_round() || self.end.is_none()) {
            return Err(missing());
        }
        let submitted = if round == 0 {
            let joins = closed.map_or(&self.last_joins, |closed| &closed.joins);
            let join = joins.iter().find(|(join, _)| join.index == index);
            join.map(|(join, by)| Submitted::Join(join_to_pb(join, by)))
        } else {
            let entries = closed.map_or(&self.last_entries, |closed| &closed.entries);
            let own = |signed: &&SignedEntry| signed.entry.slot().2 == index;
            let signed = entries.iter().find(own);
            signed.map(|signed| Submitted::Signed(entry_to_pb(signed)))
        };
        self.submission(round, index, submitted.ok_or_else(missing)?)
            .await
    }

    pub(in crate::session) async fn submission(
        &self,
        round: u32,
        index: u16,
        entry: Submitted,
    ) -> Result<Receipt, Error> {
        let status = self.round_status(round).await?;
        self.checked(Body::Submission(pb::SubmissionReceipt {
            anchor: status.anchor(),
            open: Some(self.open_pb()),
            entry: Some(entry),
            slot: slot_pb(&status, index),
        }))
    }

    /// That a party's slot was empty when its round closed, or when the session ended in it because parties were late.
    ///
    /// # Errors
    /// [`Error::Receipt`] where the slot is filled, the round is open, or nobody was late in it; [`Error::Erased`]; as
    /// [`crate::Client::read`].
    pub async fn absence_receipt(&self, round: u32, index: u16) -> Result<Receipt, Error> {
        let status = self.round_status(round).await?;
        let is_empty = status.slots.get(usize::from(index)) == Some(&Hash::ZERO);
        if !is_empty {
            return Err(Error::Receipt(BadReceipt::Missing("empty slot")));
        }
        let terminal = if status.closed {
            None
        } else {
            let read = ReadLeaf(self.id.into());
            let ended = self.client.read(&read, self.height()).await?;
            ended.terminal.as_ref().map(Into::into)
        };
        self.checked(Body::Absence(pb::AbsenceReceipt {
            terminal,
            anchor: status.anchor(),
            open: Some(self.open_pb()),
            round,
            index: index.into(),
            slot: slot_pb(&status, index),
        }))
    }

    /// That a party signed two different entries for one slot.
    ///
    /// # Errors
    /// [`Error::Receipt`] where the board knows of none; [`Error::Erased`]; as [`crate::Client::read`].
    pub async fn equivocation_receipt(&self, index: u16) -> Result<Receipt, Error> {
        let (id, spec) = (self.id, self.spec());
        let read = ReadEvidence { id, spec };
        let evidence = self.client.newest(&read).await;
        let evidence = evidence.map_err(Error::or_erased)?;
        let culprits = evidence.culprits.iter();
        let mut of_party = culprits.filter(|(culprit, _)| culprit.index == index);
        let pair = of_party.find_map(|(_, pair)| pair.as_ref());
        let pair = pair.ok_or(Error::Receipt(BadReceipt::Missing(
            "equivocation: the board knows of none by this party",
        )))?;
        self.checked(Body::Equivocation(pb::EquivocationReceipt {
            open: Some(self.open_pb()),
            evidence: Some(evidence_pb(pair)),
        }))
    }

    async fn round_status(&self, round: u32) -> Result<Verified<RoundStatus>, Error> {
        let (id, spec) = (self.id, self.spec());
        let read = ReadRound { id, spec, round };
        self.client
            .read(&read, self.height())
            .await
            .map_err(Error::or_erased)
    }

    fn open_pb(&self) -> pb::Open {
        let (open, signature) = &*self.opening;
        open_to_pb(open, signature)
    }

    /// A receipt that is handed out verifies.
    fn checked(&self, body: Body) -> Result<Receipt, Error> {
        let trust = self.client.trust();
        let receipt = Receipt::new(trust, body);
        receipt.verify(trust).map_err(Error::Receipt)?;
        Ok(receipt)
    }
}
