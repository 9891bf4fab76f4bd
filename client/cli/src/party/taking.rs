//! One session of a service, from the first look at it to what came of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;
use white_city_client::{
    End, Error, Receipt, Session, SessionId,
    files::{create_secret, refuse_existing},
    wire::board::Status,
};

use super::{
    approver::{self, Answer},
    audit::now_ms,
    folder::take_away,
    policy::{Approver, How, Otherwise, Rule, Verdict},
    queue::Asked,
    request::Request,
    service::Service,
    working,
};
use crate::failure::Failure;

/// Times that an approver is asked that says neither yes nor no.
const ASKED_TIMES: u32 = 3;
/// Pause before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Time between two looks for what people have said.
const LOOK: Duration = Duration::from_millis(300);
/// Time between two looks whether the session still waits for this party.
const LOOK_AT_BOARD: Duration = Duration::from_secs(5);

/// Why a party declines: the number that the others see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No rule of the policy fits.
    Policy = 1,
    /// An approver or a person said no.
    Refused = 2,
    /// Nobody said yes in time.
    Unanswered = 3,
    /// This party can't compute it: another protocol, or no share of the key.
    Unable = 4,
}

/// A rule's yes, and the message where the session only names it.
type Yes = (String, Option<Vec<u8>>);

impl Service {
    /// Looks after a session until nothing can be done for it any more.
    ///
    /// # Errors
    /// What may be otherwise the next time.
    pub async fn take(&self, session: SessionId) -> Result<(), Failure> {
        if !self.folder.decided(session).exists() {
            let Some((rule, message)) = self.decide(session).await? else {
                return Ok(());
            };
            self.begin(session, &rule, message)?;
        }
        let waiting = self.health.waiting();
        let room = self.room.acquire().await;
        drop(waiting);
        let began = Instant::now();
        let worked = {
            let _running = self.health.running();
            working::run(self, session).await
        };
        drop(room);
        match worked {
            // The board can't be reached, or the disk takes nothing: the journal has what is needed.
            Err(failure) if [1, 3].contains(&failure.code) => Err(failure),
            ended => self.end(session, ended, began.elapsed()).await,
        }
    }

    /// The yes to a session, if it gets one; what doesn't is declined or left alone.
    async fn decide(&self, id: SessionId) -> Result<Option<Yes>, Failure> {
        let _deciding = self.health.deciding();
        let mut session = match self.client.session(id).await {
            Ok(session) => session,
            // A replica may list what isn't there, or isn't this party's.
            Err(Error::Erased | Error::UnknownSession(_) | Error::NotMember { .. }) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if !is_open_to(&session) {
            return Ok(None);
        }
        let told = self.told();
        let request = match Request::of(id, session.open().clone()) {
            Ok(request) => request,
            Err(why) => {
                let more = json!({ "why": why });
                self.decline(&mut session, Reason::Unable, more).await?;
                return Ok(None);
            }
        };
        let verdict = {
            let rates = self.rates();
            told.policy.judge(&request, now_ms(), &rates)
        };
        match verdict {
            Verdict::No { why, otherwise } => {
                let why: Vec<Value> = why
                    .iter()
                    .map(|(rule, why)| json!({ "rule": rule, "why": why }))
                    .collect();
                let more = json!({ "why": why, "request": request.to_json(&told.people) });
                match otherwise {
                    Otherwise::Decline => self.decline(&mut session, Reason::Policy, more).await?,
                    Otherwise::Ignore => self.note(id, "ignored", more)?,
                }
                Ok(None)
            }
            Verdict::Join { rule, message } => {
                let asked = json!({ "rule": rule.name, "request": request.to_json(&told.people) });
                if let Some(approver) = &rule.approver
                    && !self
                        .approved(&mut session, approver, &request, &rule.name)
                        .await?
                {
                    return Ok(None);
                }
                if !self.is_admitted(rule) {
                    self.decline(&mut session, Reason::Policy, asked).await?;
                    return Ok(None);
                }
                self.note(id, "joining", asked)?;
                Ok(Some((rule.name.clone(), message)))
            }
        }
    }

    /// Notes that the rule lets one more in, if it may.
    fn is_admitted(&self, rule: &Rule) -> bool {
        let told = self.told();
        let keep = u64::try_from(told.policy.longest_rate().as_millis()).unwrap_or(u64::MAX);
        let (mut rates, now) = (self.rates(), now_ms());
        let has_room = rule
            .rate()
            .is_none_or(|rate| rates.have_room(&rule.name, rate, now));
        if has_room {
            rates.note(&rule.name, now, keep);
        }
        has_room
    }

    /// Writes down that the party joins, before it does.
    fn begin(
        &self,
        session: SessionId,
        rule: &str,
        message: Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        if let Some(message) = message {
            let path = self.folder.message(session);
            take_away(&path)?;
            create_secret(&path, &message)?;
        }
        let text = json!({ "rule": rule, "at_ms": now_ms() }).to_string();
        Ok(create_secret(
            &self.folder.decided(session),
            text.as_bytes(),
        )?)
    }

    /// Whether an approver says yes; where it doesn't, the others are told.
    async fn approved(
        &self,
        session: &mut Session,
        approver: &Approver,
        request: &Request,
        rule: &str,
    ) -> Result<bool, Failure> {
        let asked = request.to_json(&self.told().people);
        let answer = match approver.how {
            How::People => self.ask_people(session, approver, request, rule).await?,
            _ => Some(ask_program(approver, &asked).await),
        };
        let (reason, event, why) = match answer {
            Some(Answer::Yes(why)) => {
                self.note(
                    session.id(),
                    "approved",
                    json!({ "rule": rule, "why": why }),
                )?;
                return Ok(true);
            }
            Some(Answer::No(why)) => (Reason::Refused, "refused", why),
            Some(Answer::Nothing(why)) => (Reason::Unanswered, "unanswered", why),
            // It has closed meanwhile.
            None => return Ok(false),
        };
        let more = json!({ "rule": rule, "because": event, "why": why, "request": asked });
        self.decline(session, reason, more).await?;
        Ok(false)
    }

    /// What people say to a session; `None` if it doesn't wait for this party any more.
    async fn ask_people(
        &self,
        session: &mut Session,
        approver: &Approver,
        request: &Request,
        rule: &str,
    ) -> Result<Option<Answer>, Failure> {
        let (id, told) = (session.id(), self.told());
        let (now, limit) = (
            now_ms(),
            u64::try_from(approver.time_limit.as_millis()).unwrap_or(u64::MAX),
        );
        let asked = self.folder.ask(
            id,
            Asked {
                rule: rule.to_owned(),
                asked_ms: now,
                until_ms: now.saturating_add(limit),
                text: request.to_text(&told.people),
                request: request.to_json(&told.people),
            },
        );
        let asked = match asked {
            Ok(asked) => asked,
            Err(failure) => return Ok(Some(Answer::Nothing(failure.text))),
        };
        let _asking = self.health.asking();
        let mut looked = Instant::now();
        let answer = loop {
            if let Some(said) = self.folder.answer(id, &asked)? {
                let answer = if said.approve {
                    Answer::Yes
                } else {
                    Answer::No
                };
                break Some(answer(said.reason));
            }
            if now_ms() >= asked.until_ms {
                break Some(Answer::Nothing("nobody answered in time".into()));
            }
            sleep(LOOK).await;
            if looked.elapsed() >= LOOK_AT_BOARD {
                session.sync().await?;
                looked = Instant::now();
            }
            if !is_open_to(session) {
                break None;
            }
        };
        self.folder.done_asking(id)?;
        Ok(answer)
    }

    /// Tells the others that this party won't join, once it is written down why.
    async fn decline(
        &self,
        session: &mut Session,
        reason: Reason,
        more: Value,
    ) -> Result<(), Failure> {
        let mut line = json!({ "reason": reason as u16 });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        self.note(session.id(), "declined", line)?;
        match session.decline(reason as u16).await {
            Ok(()) | Err(Error::Finished { .. } | Error::Aborted(_) | Error::Unknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn note(&self, session: SessionId, event: &str, more: Value) -> Result<(), Failure> {
        self.audit.note(session, event, more)?;
        self.health.decided(event);
        Ok(())
    }

    /// Writes down what came of a session, with its receipt, and takes away what was kept for going on.
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
                if failure.code == 2
                    && let Ok(mut session) = self.client.session(id).await
                    && is_open_to(&session)
                {
                    let more = json!({ "why": failure.text });
                    self.decline(&mut session, Reason::Unable, more).await?;
                }
                ("failed", failure.to_json())
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
        self.folder.forget(id)
    }

    /// Writes the receipt of an ended session, and says where.
    async fn receipt(&self, id: SessionId) -> Result<String, Failure> {
        let path = self.folder.receipt(id);
        let shown = path.display().to_string();
        if refuse_existing(&path).is_err() {
            return Ok(shown);
        }
        let observer = self.client.observe(id).await?;
        let receipt: Receipt = match observer.end() {
            None => return Err(Failure::late("the session goes on without this party")),
            Some(End::Unknown(_)) => observer.end_receipt().await?,
            Some(_) => observer.ceremony_receipt().await?,
        };
        create_secret(&path, &receipt.to_bytes())?;
        Ok(shown)
    }
}

/// Whether a session waits for this party to join.
fn is_open_to(session: &Session) -> bool {
    session.end().is_none()
        && session.now().is_some_and(|now| {
            now.leaf.status == Status::Joining && !now.filled().contains(session.index())
        })
}

async fn ask_program(approver: &Approver, asked: &Value) -> Answer {
    let mut answer = approver::ask(approver, asked).await;
    for _ in 1..ASKED_TIMES {
        if !matches!(answer, Answer::Nothing(_)) {
            break;
        }
        sleep(ASK_AGAIN).await;
        answer = approver::ask(approver, asked).await;
    }
    answer
}
