//! Where a service decides on a session: the policy, whom that asks, and the policy once more.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;
use white_city_client::{
    Error, Session, SessionId,
    files::{create_secret, read_public},
    wire::board::Status,
};

use super::{
    approver::{self, Answer},
    audit::now_ms,
    decision::{Decision, Reason, Says},
    folder::take_away,
    policy::{Approver, How, Otherwise, Rule, Verdict},
    queue::Asked,
    request::Request,
    service::{Service, Told},
};
use crate::{failure::Failure, message::MESSAGE_BYTES_MAX};

/// Times that an approver is asked that says neither yes nor no.
const ASKED_TIMES: u32 = 3;
/// Pause before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// Time between two looks for what people have said.
const LOOK: Duration = Duration::from_millis(300);
/// Time between two looks whether the session still waits for this party.
const LOOK_AT_BOARD: Duration = Duration::from_secs(5);
/// Longest reason of a rule in the audit log, characters.
const WHY_CHARS_MAX: usize = 300;

/// A yes: the rule, and the file with the message where the session only names it.
struct Yes<'a> {
    rule: &'a Rule,
    message: Option<PathBuf>,
}

/// A no, and why.
struct No {
    reason: Reason,
    line: Value,
}

impl Service {
    /// The decision on a session; `None` where nothing is to be done: it isn't open to this party any more, or it is left alone.
    ///
    /// # Errors
    /// What may be otherwise the next time.
    pub async fn decide(&self, id: SessionId) -> Result<Option<Decision>, Failure> {
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
        let request = match Request::of(id, session.open().clone()) {
            Ok(request) => request,
            Err(why) => return Ok(Some(decline(Reason::Unable, json!({ "why": why })))),
        };
        let told = self.told();
        let yes = match self.judge(&told, &request) {
            Ok(yes) => yes,
            Err((no, Otherwise::Decline)) => return Ok(Some(decline(no.reason, no.line))),
            Err((no, Otherwise::Ignore)) => {
                self.note(id, "ignored", no.line)?;
                return Ok(None);
            }
        };
        let mut why = None;
        if let Some(approver) = &yes.rule.approver {
            let rule = &yes.rule.name;
            match self.ask(&mut session, approver, &request, rule).await? {
                // It has closed meanwhile.
                None => return Ok(None),
                Some(Err(no)) => return Ok(Some(decline(no.reason, no.line))),
                Some(Ok(said)) => why = Some(said),
            }
        }
        // Hours may have passed.
        let told = self.told();
        match self.judge(&told, &request) {
            Ok(now) if now.rule.name == yes.rule.name => {
                self.join(&told, &request, &now, why.as_deref()).map(Some)
            }
            Ok(now) => {
                let line = json!({ "rule": yes.rule.name, "why": format!("the rule is {:?} now", now.rule.name) });
                Ok(Some(decline(Reason::Policy, line)))
            }
            Err((no, _)) => Ok(Some(decline(no.reason, no.line))),
        }
    }

    /// What the policy says.
    fn judge<'a>(&self, told: &'a Told, request: &Request) -> Result<Yes<'a>, (No, Otherwise)> {
        match told.policy.judge(request, now_ms(), &self.rates) {
            Verdict::Join { rule, message } => Ok(Yes { rule, message }),
            Verdict::No { why, otherwise } => {
                let why: Vec<Value> = why
                    .iter()
                    .map(|(rule, why)| json!({ "rule": rule, "why": short(why) }))
                    .collect();
                let asked = request.to_short_json(&told.people);
                let line = json!({ "why": why, "request": asked });
                let reason = Reason::Policy;
                Err((No { reason, line }, otherwise))
            }
        }
    }

    /// A yes for good: the message is kept, and the rate counts it.
    fn join(
        &self,
        told: &Told,
        request: &Request,
        yes: &Yes<'_>,
        why: Option<&str>,
    ) -> Result<Decision, Failure> {
        let (rule, id) = (yes.rule, request.session);
        if let Some(from) = &yes.message {
            let kept = self.folder.message(id);
            take_away(&kept)?;
            create_secret(&kept, &read_public(from, MESSAGE_BYTES_MAX)?)?;
        }
        if let Err(why) = self.admit(rule, id) {
            let line = json!({ "rule": rule.name, "why": why, "request": request.to_short_json(&told.people) });
            return Ok(decline(Reason::Policy, line));
        }
        let line =
            json!({ "rule": rule.name, "approved": why, "request": request.to_json(&told.people) });
        let group = told.policy.group_of(&rule.name).cloned();
        let rule = rule.name.clone();
        let says = Says::Join { rule, group };
        Ok(Decision { says, line })
    }

    /// What an approver says, and why; `None` where the session doesn't wait for this party any more.
    async fn ask(
        &self,
        session: &mut Session,
        approver: &Approver,
        request: &Request,
        rule: &str,
    ) -> Result<Option<Result<String, No>>, Failure> {
        let answer = match approver.how {
            How::People => self.ask_people(session, approver, request, rule).await?,
            _ => {
                let asked = request.to_json(&self.told().people);
                let answer = self.ask_program(approver, &asked).await;
                session.sync().await?;
                is_open_to(session).then_some(answer)
            }
        };
        let no = |reason, because: &str, why: &str| No {
            reason,
            line: json!({
                "rule": rule, "because": because, "why": why, "request": request.to_short_json(&self.told().people),
            }),
        };
        Ok(answer.map(|answer| match answer {
            Answer::Yes(why) => Ok(why),
            Answer::No(why) => Err(no(Reason::Refused, "refused", &why)),
            Answer::Nothing(why) => Err(no(Reason::Unanswered, "unanswered", &why)),
        }))
    }

    async fn ask_program(&self, approver: &Approver, asked: &Value) -> Answer {
        // Few at once: each is a process, or a connection.
        let _turn = self.approvers.acquire().await;
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

    /// What people say to a session; `None` if it doesn't wait for this party any more. Question and answer stay until the decision
    /// is written down.
    async fn ask_people(
        &self,
        session: &mut Session,
        approver: &Approver,
        request: &Request,
        rule: &str,
    ) -> Result<Option<Answer>, Failure> {
        let (id, told, now) = (session.id(), self.told(), now_ms());
        let limit = u64::try_from(approver.time_limit.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now.saturating_add(limit.min(joining_ms(session)));
        if !self.folder.asked(id).exists() {
            self.note(id, "asked", json!({ "rule": rule, "until_ms": until_ms }))?;
        }
        let asked = self.folder.ask(
            id,
            Asked {
                rule: rule.to_owned(),
                asked_ms: now,
                until_ms,
                text: request.to_text(&told.people),
                request: request.to_json(&told.people),
            },
        );
        let asked = match asked {
            Ok(asked) => asked,
            Err(failure) if failure.is_passing => return Err(failure),
            Err(failure) => return Ok(Some(Answer::Nothing(failure.text))),
        };
        let _asking = self.health.asking();
        let mut looked = Instant::now();
        loop {
            if let Some(said) = self.folder.answer(id, &asked)? {
                let answer = if said.approve {
                    Answer::Yes
                } else {
                    Answer::No
                };
                return Ok(Some(answer(said.reason)));
            }
            if now_ms() >= asked.until_ms {
                let nobody = "nobody answered in time".into();
                return Ok(Some(Answer::Nothing(nobody)));
            }
            sleep(LOOK).await;
            if looked.elapsed() >= LOOK_AT_BOARD {
                session.sync().await?;
                looked = Instant::now();
            }
            if !is_open_to(session) {
                let why = "the session doesn't wait for this party any more";
                self.note(id, "withdrawn", json!({ "rule": rule, "why": why }))?;
                return Ok(None);
            }
        }
    }
}

/// Time until joining closes, by the board's clock, milliseconds: all of it, as long as that clock hasn't begun.
fn joining_ms(session: &Session) -> u64 {
    let now = session.now().filter(|now| now.leaf.deadline_ms > 0);
    now.map_or(session.open().spec.join_ms, |now| {
        now.leaf.deadline_ms.saturating_sub(now.board_ms())
    })
}

fn decline(reason: Reason, line: Value) -> Decision {
    let says = Says::Decline(reason);
    Decision { says, line }
}

fn short(why: &str) -> String {
    why.chars().take(WHY_CHARS_MAX).collect()
}

/// Whether a session waits for this party to join.
pub fn is_open_to(session: &Session) -> bool {
    session.end().is_none()
        && !session.has_left()
        && session.now().is_some_and(|now| {
            now.leaf.status == Status::Joining && !now.filled().contains(session.index())
        })
}
