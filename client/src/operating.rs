//! Operating the board: an operator's word about the next charter.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};
use white_city_verify::{
    Verified,
    read::{CharterNow, ReadCharter},
};
use white_city_wire::{
    Charter, Hash, Signature, SignedTx,
    approve::{Approve, Word},
    tx::Action,
};

use crate::{
    Client, Error,
    sending::{Target, TxKind, Usual, View, send},
};

/// Time for which a word is sent again while it is refused for now.
const PATIENCE: Duration = Duration::from_secs(15);

/// Number of the refusal of a word, while another one of the same operator waits for its block.
const PENDING: u32 = 129;
/// Pause between two looks for what becomes of that.
const LOOK: Duration = Duration::from_millis(200);

/// Fate of an operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It stands, and others have to say the same.
    Stands,
    /// Enough have said so: the charter is in force.
    Enacted,
}

/// A word that the board is to show.
struct Shown<'a> {
    client: &'a Client,
    term: u32,
    operator: u16,
    sequence: u32,
    charter: Hash,
    until: Instant,
    said: Option<Said>,
}

impl Client {
    /// The charter in force, and the operators' words about the next one, from the highest state that any replica proves.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn charter(&self) -> Result<Verified<CharterNow>, Error> {
        self.newest(&ReadCharter).await
    }

    /// Approves a charter as the operator that signs, and waits until the board shows it. `newcomers` are the signatures of those of
    /// its operators who are none now, in its order ([`LocalKey::accepts`](crate::LocalKey::accepts)). To say the same again changes nothing.
    ///
    /// The board is the only memory of what an operator has said: a program on another machine, or one from a backup, asks it, too. So
    /// another charter than the one that the board shows as approved is never approved in passing: [`Client::withdraw`] comes first.
    ///
    /// # Errors
    /// [`Error::Usage`] if the signer is no operator of the charter in force; [`Error::OtherCharter`] if its approval of another one
    /// stands, or came first; [`Error::Spec`] for a charter that no board takes;
    /// [`Error::Refused`] with the rule that it breaks; [`Error::Sign`]; as [`Client::read`].
    pub async fn approve(
        &self,
        charter: Charter,
        newcomers: Vec<Signature>,
    ) -> Result<Said, Error> {
        let charter = Box::new(charter);
        self.say(Word::Charter { charter, newcomers }).await
    }

    /// Takes back what the operator that signs has approved in this term.
    ///
    /// # Errors
    /// As [`Client::approve`].
    pub async fn withdraw(&self) -> Result<Said, Error> {
        self.say(Word::Withdraw).await
    }

    async fn say(&self, word: Word) -> Result<Said, Error> {
        let signer = self.signer()?;
        let mine = Hash(*signer.identity().as_bytes());
        let now = self.charter().await?.into_value();
        let mut replicas = now.charter.replicas.iter();
        let position = replicas.position(|replica| replica.operator == mine);
        let position = position.and_then(|position| u16::try_from(position).ok());
        let operator = position
            .ok_or_else(|| Error::usage("signer", "an operator of the charter in force"))?;
        let last = now.word_of(operator);
        let approve = Approve {
            term: now.charter.term,
            operator,
            sequence: last.map_or(0, |last| last.sequence).saturating_add(1),
            word,
        };
        let charter = approve.charter_hash();
        if charter == now.charter.hash() {
            return Ok(Said::Enacted);
        }
        // A program that was interrupted says it once more.
        let standing = last.map_or(Hash::ZERO, |last| last.charter_hash);
        if standing == charter {
            return Ok(Said::Stands);
        }
        if ![charter, standing].contains(&Hash::ZERO) {
            return Err(Error::OtherCharter { standing });
        }
        let mut shown = Shown {
            client: self,
            term: approve.term,
            operator,
            sequence: approve.sequence,
            charter,
            until: Instant::now() + PATIENCE,
            said: None,
        };
        let action = Action::Approve(approve);
        let signature = signer.sign(&action, &self.network().id).await?;
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        let tx = Arc::new(tx.encode());
        let sent = send(self.replicas(), &tx, TxKind::Word, &mut shown).await;
        match sent {
            Ok(_) => Ok(shown.said.unwrap_or(Said::Stands)),
            Err(refused @ Error::Refused { .. }) => shown.beside(refused).await,
            Err(other) => Err(other),
        }
    }
}

impl Shown<'_> {
    /// Finds out whether a word was refused for another one of this operator, which somebody with its key has said: what the board shows
    /// of it is a better reason.
    async fn beside(&mut self, refused: Error) -> Result<Said, Error> {
        let waits = matches!(refused, Error::Refused { code: PENDING, .. });
        loop {
            if self.look().await? {
                return Ok(self.said.unwrap_or(Said::Stands));
            }
            if !waits || Instant::now() > self.until {
                return Err(refused);
            }
            sleep(LOOK).await;
        }
    }
}

impl Target for Shown<'_> {
    fn begin(&mut self) {}

    fn view(&self, usual: Usual) -> View {
        View::of_no_round(usual, Instant::now() > self.until)
    }

    async fn look(&mut self) -> Result<bool, Error> {
        let now = self.client.charter().await?;
        self.said = if now.charter.hash() == self.charter {
            Some(Said::Enacted)
        } else if now.charter.term != self.term {
            let expected = format!("term {}, not {}", self.term, now.charter.term);
            return Err(Error::usage("the board's charter", expected));
        } else {
            let word = now.word_of(self.operator);
            let word = word.filter(|word| word.sequence >= self.sequence);
            match word.map(|word| word.charter_hash) {
                Some(standing) if standing == self.charter => Some(Said::Stands),
                // Somebody with this key was faster: its word has this one's number, so this one counts for nothing any more.
                Some(standing) => return Err(Error::OtherCharter { standing }),
                None => None,
            }
        };
        Ok(self.said.is_some())
    }

    async fn wait(&mut self, until: Instant) -> Result<bool, Error> {
        sleep_until(until).await;
        match self.look().await {
            Err(Error::Unreachable(_) | Error::Behind { .. }) => Ok(false),
            other => other,
        }
    }
}
