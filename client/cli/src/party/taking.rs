//! One session of a service, from the first look at it to what came of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use white_city_client::{
    End, Error, SessionId,
    files::{create_whole, refuse_existing},
};

use super::{
    deciding::is_open_to,
    decision::{Decision, Reason, Says},
    service::Service,
    working,
};
use crate::{failure::Failure, output::Output};

impl Service {
    /// Looks after a session until nothing can be done for it any more.
    ///
    /// # Errors
    /// What may be otherwise the next time.
    pub async fn take(&self, id: SessionId) -> Result<(), Failure> {
        let decision = match self.folder.decision(id)? {
            Some(decision) => decision,
            None => {
                let Some(decision) = self.decide(id).await? else {
                    return self.folder.done_asking(id);
                };
                self.folder.decide(id, &decision)?;
                decision
            }
        };
        // An answer that people gave isn't needed any more, once this is on the disk.
        self.folder.done_asking(id)?;
        self.note_decision(id, &decision)?;
        match decision.says {
            Says::Decline(reason) => self.decline(id, reason).await?,
            Says::Join { .. } => {
                let ended = self.run(id).await;
                match ended {
                    (_, Err(failure)) if failure.is_passing => return Err(failure),
                    (took, ended) => self.end(id, ended, took).await?,
                }
            }
        }
        self.forget(id)
    }

    /// Writes a decision into the audit log, once.
    fn note_decision(&self, id: SessionId, decision: &Decision) -> Result<(), Failure> {
        if self.audit.is_noted(id) {
            return Ok(());
        }
        let mut line = decision.line.clone();
        if let (Value::Object(line), Says::Decline(reason)) = (&mut line, &decision.says) {
            line.insert("reason".into(), (*reason as u16).into());
        }
        self.note(id, decision.event(), line)
    }

    /// Runs the party, as soon as there is room; one that has begun already doesn't wait, as others wait for it.
    async fn run(&self, id: SessionId) -> (Duration, Result<Value, Failure>) {
        let _room = match self.folder.journal(id).exists() {
            true => None,
            false => {
                let _waiting = self.health.waiting();
                Some(self.room.acquire().await)
            }
        };
        let (began, output) = (Instant::now(), Output::served(id));
        let _running = self.health.running();
        let ended = working::run(self, id, &output).await;
        // A signature may exist although the session didn't finish.
        let ended = ended.map_err(|failure| match output.held() {
            Some(result) => failure.with_result(result),
            None => failure,
        });
        (began.elapsed(), ended)
    }

    /// Tells the others that this party won't join.
    async fn decline(&self, id: SessionId, reason: Reason) -> Result<(), Failure> {
        let mut session = match self.client.session(id).await {
            Ok(session) => session,
            Err(Error::Erased | Error::UnknownSession(_) | Error::NotMember { .. }) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if !is_open_to(&session) {
            return Ok(());
        }
        match session.decline(reason as u16).await {
            Ok(()) | Err(Error::Finished { .. } | Error::Aborted(_) | Error::Unknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes into the audit log, and counts it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn note(&self, session: SessionId, event: &str, more: Value) -> Result<(), Failure> {
        self.audit.note(session, event, more)?;
        self.health.decided(event);
        Ok(())
    }

    /// Writes down what came of a session, with its receipt.
    async fn end(
        &self,
        id: SessionId,
        ended: Result<Value, Failure>,
        took: Duration,
    ) -> Result<(), Failure> {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (event, mut more) = match ended {
            Ok(result) => ("finished", json!({ "result": result })),
            Err(failure) => {
                // The others shouldn't wait for whoever can't.
                if failure.code == 2 {
                    self.decline(id, Reason::Unable).await?;
                }
                let result = failure.held_result();
                (
                    "failed",
                    json!({ "error": failure.text, "exit_code": failure.code, "result": result }),
                )
            }
        };
        let receipt = self.receipt(id).await;
        if let Value::Object(more) = &mut more {
            more.insert("took_ms".into(), took_ms.into());
            let (receipt, missing) = match receipt {
                Ok(path) => (Some(path), None),
                Err(failure) => (None, Some(failure.text)),
            };
            more.insert("receipt".into(), json!(receipt));
            more.insert("receipt_missing".into(), json!(missing));
        }
        self.note(id, event, more)?;
        self.health.took(event, took);
        Ok(())
    }

    /// Takes away what was kept for going on.
    fn forget(&self, id: SessionId) -> Result<(), Failure> {
        self.folder.forget(id)?;
        self.audit.forget(id);
        self.let_go(id);
        Ok(())
    }

    /// Writes the receipt of an ended session, and says where.
    async fn receipt(&self, id: SessionId) -> Result<String, Failure> {
        let path = self.folder.receipt(id);
        let shown = path.display().to_string();
        if refuse_existing(&path).is_err() {
            return Ok(shown);
        }
        let observer = self.client.observe(id).await?;
        let receipt = match observer.end() {
            None => return Err(Failure::late("the session goes on without this party")),
            Some(End::Unknown(_)) => observer.end_receipt().await?,
            Some(_) => observer.ceremony_receipt().await?,
        };
        create_whole(&path, &receipt.to_bytes())?;
        Ok(shown)
    }
}
