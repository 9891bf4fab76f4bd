//! The calls: what each path does.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, Uri, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, watch},
    time::timeout,
};
use white_city_client::{
    Error, Hash, Progress, SessionFilter, SessionId,
    wire::json::{self, SessionLine, Sessions},
};

use crate::{
    Inner, OPENAPI,
    api::{self, Wait},
    events,
    failure::Failure,
    guard, openings, receipts,
    seat::{Act, Done, Seat},
    shown::{self, Base64, Round},
};

/// Most sessions of a list, the newest.
const SESSIONS_MAX: usize = 1_000;

type Shared = State<Arc<Inner>>;
type Answer = Result<Response, Failure>;

/// A method, a path, and what they do.
type Route = (&'static str, &'static str, MethodRouter<Arc<Inner>>);

/// All calls.
fn routes() -> [Route; 20] {
    [
        ("get", guard::OPEN_PATH, get(openapi)),
        ("get", "/v1/party", get(party)),
        ("get", "/v1/sessions", get(sessions)),
        ("post", "/v1/sessions", post(open)),
        ("get", "/v1/sessions/{session}", get(read)),
        ("delete", "/v1/sessions/{session}", delete(forget)),
        ("post", "/v1/sessions/{session}/join", post(join)),
        ("post", "/v1/sessions/{session}/decline", post(decline)),
        ("post", "/v1/sessions/{session}/abort", post(abort)),
        ("put", "/v1/sessions/{session}/rounds/{round}", put(send)),
        ("get", "/v1/sessions/{session}/rounds/{round}", get(inbox)),
        ("post", "/v1/sessions/{session}/finish", post(finish)),
        ("post", "/v1/sessions/{session}/complain", post(complain)),
        ("get", "/v1/sessions/{session}/progress", get(progress)),
        ("get", "/v1/sessions/{session}/events", get(stream)),
        ("get", "/v1/sessions/{session}/end", get(end)),
        ("get", "/v1/sessions/{session}/receipt", get(receipt)),
        (
            "get",
            "/v1/sessions/{session}/randomness/{purpose}",
            get(randomness),
        ),
        ("put", "/v1/sessions/{session}/memory/{name}", put(remember)),
        ("get", "/v1/sessions/{session}/memory/{name}", get(recall)),
    ]
}

pub(crate) fn router(gateway: Arc<Inner>) -> Router {
    let all = routes().into_iter();
    all.fold(Router::new(), |router, (_, path, does)| {
        router.route(path, does)
    })
    .fallback(guard::no_route)
    .layer(middleware::from_fn_with_state(
        Arc::clone(&gateway),
        guard::guard,
    ))
    .with_state(gateway)
}

impl Inner {
    /// Does it in a session that this party is in, and waits for it so long.
    async fn ask(&self, id: SessionId, act: Act, wait: Duration) -> Result<Done, Failure> {
        let may_begin = matches!(act, Act::Join | Act::Decline(_));
        let others = act.waits_for_others();
        let _place = self.place()?;
        let seat = self.seats.seat(id, may_begin).await?;
        self.within(&seat, others, wait, seat.ask(act)).await
    }

    async fn within(
        &self,
        seat: &Seat,
        waits_for_others: bool,
        wait: Duration,
        asked: impl Future<Output = Option<Result<Done, Error>>>,
    ) -> Result<Done, Failure> {
        let asked = timeout(wait, asked);
        let done = select! {
            done = asked => done,
            () = self.ends() => return Err(Failure::ending()),
        };
        match done {
            Ok(Some(done)) => {
                if let Err(Error::Fork(fork)) = &done {
                    receipts::keep_fork(&self.client, fork, &self.forks);
                }
                Ok(done?)
            }
            Ok(None) => Err(Failure::not_joined()),
            Err(_) if waits_for_others => Err(Failure::waiting(seat.progress().borrow().as_ref())),
            Err(_) => Err(Failure::not_shown()),
        }
    }

    /// A place among those that wait.
    fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.waits).try_acquire_owned().map_err(|_| {
            Failure::too_many("too many requests wait: expected some of them to be answered first")
        })
    }

    /// Has something done that returns nothing.
    async fn did(&self, id: SessionId, act: Act, uri: &Uri, result: &'static str) -> Answer {
        self.ask(id, act, Wait::of(uri)?).await?;
        tracing::info!(session = %id, result, "done");
        Ok(api::reply(
            StatusCode::OK,
            &api::Did {
                session: id,
                result,
            },
        ))
    }
}

fn answer(body: &impl serde::Serialize) -> Answer {
    Ok(api::reply(StatusCode::OK, body))
}

async fn openapi() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, OPENAPI).into_response()
}

async fn party(State(gateway): Shared) -> Answer {
    answer(&api::Party {
        key: Hash(*gateway.identity.as_bytes()),
        network: gateway.client.network().id.to_string(),
        following_count: gateway.seats.count(),
    })
}

async fn sessions(State(gateway): Shared) -> Answer {
    let _place = gateway.place()?;
    let all = SessionFilter::all();
    let mut found = gateway.client.sessions_of(&gateway.identity, all).await?;
    let lines = found.take(SESSIONS_MAX).await?;
    answer(&Sessions {
        sessions: lines.iter().map(SessionLine::from).collect(),
        next_number: None,
    })
}

async fn open(State(gateway): Shared, uri: Uri, body: Bytes) -> Answer {
    let wait = Wait::of(&uri)?;
    let wanted: api::OpenRequest = api::body(&body)?;
    let spec = wanted.spec(&gateway.client)?;
    let _place = gateway.place()?;
    let (client, folder) = (&gateway.client, &gateway.openings);
    let opened = openings::open(client, folder, &wanted.request, spec);
    let session = select! {
        opened = timeout(wait, opened) => opened.map_err(|_| Failure::not_shown())??,
        () = gateway.ends() => return Err(Failure::ending()),
    };
    tracing::info!(%session, request = wanted.request, "opened");
    answer(&api::Opened { session })
}

async fn read(State(gateway): Shared, Path(session): Path<String>) -> Answer {
    let session = api::session(&session)?;
    let open = gateway.client.open_of(session).await?;
    answer(&api::Session {
        session,
        index: open.spec.index_of(&gateway.identity),
        spec: json::Spec::from(&open),
    })
}

async fn forget(State(gateway): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let id = api::session(&id)?;
    let forget: api::Forget = api::query(&uri)?;
    let result = "forgotten";
    if gateway.seats.is_known(id) {
        let forgotten = gateway.ask(id, Act::Forget(forget.outcome), Duration::from_secs(30));
        match forgotten.await {
            Ok(_) => {}
            // There is nothing left of it that could be asked.
            Err(failure) if failure.is_erased() => gateway.seats.forget_unread(id)?,
            Err(failure) => return Err(failure),
        }
        tracing::info!(session = %id, "forgotten");
    }
    answer(&api::Did {
        session: id,
        result,
    })
}

async fn join(State(gateway): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let session = api::session(&id)?;
    gateway.ask(session, Act::Join, Wait::of(&uri)?).await?;
    let index = gateway.seats.seat(session, false).await?.index();
    tracing::info!(%session, index, "joined");
    answer(&api::Joined { session, index })
}

async fn decline(State(gateway): Shared, Path(id): Path<String>, uri: Uri, body: Bytes) -> Answer {
    let why: api::Decline = api::body(&body)?;
    let act = Act::Decline(why.reason);
    gateway.did(api::session(&id)?, act, &uri, "declined").await
}

async fn abort(State(gateway): Shared, Path(id): Path<String>, uri: Uri, body: Bytes) -> Answer {
    let why: api::Abort = api::body(&body)?;
    let act = Act::Abort {
        cause: why.cause_number,
        about: why.about,
        detail: why.detail.unwrap_or(Hash::ZERO),
    };
    gateway.did(api::session(&id)?, act, &uri, "left").await
}

/// A round in a path.
fn round(text: &str) -> Result<u32, Failure> {
    api::part(text, "a round's number")
}

async fn send(
    State(gateway): Shared,
    Path((id, number)): Path<(String, String)>,
    uri: Uri,
    body: Bytes,
) -> Answer {
    let post: api::Post = api::body(&body)?;
    let p2p = post.p2p.into_iter();
    let act = Act::Post {
        round: round(&number)?,
        broadcast: post.broadcast.0.to_vec(),
        p2p: p2p.map(|(to, bytes)| (to, bytes.0)).collect(),
    };
    gateway.did(api::session(&id)?, act, &uri, "posted").await
}

async fn inbox(
    State(gateway): Shared,
    Path((id, number)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let act = Act::Inbox(round(&number)?);
    match gateway
        .ask(api::session(&id)?, act, Wait::of(&uri)?)
        .await?
    {
        Done::Inbox(inbox) => answer(&Round::from(*inbox)),
        _ => Err(Failure::no_route()),
    }
}

async fn finish(State(gateway): Shared, Path(id): Path<String>, uri: Uri, body: Bytes) -> Answer {
    let finish: api::Finish = api::body(&body)?;
    let act = Act::Finish(finish.outcome);
    gateway.did(api::session(&id)?, act, &uri, "finished").await
}

async fn complain(State(gateway): Shared, Path(id): Path<String>, uri: Uri, body: Bytes) -> Answer {
    let about: api::Complain = api::body(&body)?;
    let act = Act::Complain {
        round: about.round,
        from: about.from,
    };
    gateway
        .did(api::session(&id)?, act, &uri, "complained")
        .await
}

/// The progress of a session: as it is followed, or as anybody reads it now.
async fn watched(
    gateway: &Inner,
    id: SessionId,
) -> Result<watch::Receiver<Option<Progress>>, Failure> {
    if gateway.seats.is_known(id) {
        return Ok(gateway.seats.seat(id, false).await?.progress());
    }
    Ok(gateway.client.observe(id).await?.progress())
}

async fn progress(State(gateway): Shared, Path(id): Path<String>) -> Answer {
    let id = api::session(&id)?;
    let _place = gateway.place()?;
    let watched = watched(&gateway, id).await?;
    let now = watched.borrow().as_ref().map(shown::progress);
    answer(&now.ok_or_else(|| Failure::from(Error::UnknownSession(id.to_string())))?)
}

async fn stream(State(gateway): Shared, Path(id): Path<String>) -> Answer {
    let id = api::session(&id)?;
    let place = gateway.place()?;
    if gateway.seats.is_known(id) {
        let seat = gateway.seats.seat(id, false).await?;
        let progress = seat.progress();
        let end = async move {
            match seat.ask(Act::End).await {
                Some(Ok(Done::End(end))) => Ok(end),
                Some(Err(error)) => Err(error.into()),
                _ => Err(Failure::not_joined()),
            }
        };
        return Ok(events::stream(&gateway, place, id, progress, end));
    }
    let mut observer = gateway.client.observe(id).await?;
    let progress = observer.progress();
    let end = async move { Ok(observer.wait_end().await?) };
    Ok(events::stream(&gateway, place, id, progress, end))
}

async fn end(State(gateway): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let (id, wait) = (api::session(&id)?, Wait::of(&uri)?);
    if gateway.seats.is_known(id) {
        return match gateway.ask(id, Act::End, wait).await? {
            Done::End(end) => answer(&api::Ended::new(id, end)),
            _ => Err(Failure::no_route()),
        };
    }
    let _place = gateway.place()?;
    let mut observer = gateway.client.observe(id).await?;
    let news = observer.progress();
    select! {
        ended = timeout(wait, observer.wait_end()) => match ended {
            Ok(end) => answer(&api::Ended::new(id, end?)),
            Err(_) => Err(Failure::waiting(news.borrow().as_ref())),
        },
        () = gateway.ends() => Err(Failure::ending()),
    }
}

async fn receipt(State(gateway): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    let id = api::session(&id)?;
    let wanted: receipts::Wanted = api::query(&uri)?;
    let _place = gateway.place()?;
    answer(&receipts::make(&gateway.client, id, &wanted).await?)
}

async fn randomness(
    State(gateway): Shared,
    Path((id, purpose)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let act = Act::Randomness(purpose);
    match gateway
        .ask(api::session(&id)?, act, Wait::of(&uri)?)
        .await?
    {
        Done::Bytes(bytes) => answer(&api::Memory {
            data: Base64(bytes),
        }),
        _ => Err(Failure::no_route()),
    }
}

async fn remember(
    State(gateway): Shared,
    Path((id, name)): Path<(String, String)>,
    uri: Uri,
    body: Bytes,
) -> Answer {
    let memory: api::Memory = api::body(&body)?;
    let act = Act::Remember(name, memory.data.0);
    gateway
        .did(api::session(&id)?, act, &uri, "remembered")
        .await
}

async fn recall(
    State(gateway): Shared,
    Path((id, name)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    let (id, wait) = (api::session(&id)?, Wait::of(&uri)?);
    match gateway.ask(id, Act::Recall(name.clone()), wait).await? {
        Done::Bytes(bytes) => answer(&api::Memory {
            data: Base64(bytes),
        }),
        _ => Err(Failure::not_remembered(&name)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use white_city_client::Kind;

    use super::*;

    fn description() -> Value {
        serde_json::from_str(OPENAPI).unwrap()
    }

    #[test]
    fn the_calls_are_those_of_the_description() {
        let description = description();
        let described = description["paths"].as_object().unwrap().iter();
        let described: BTreeSet<String> = described
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().unwrap().keys();
                methods.map(move |method| format!("{method} {path}"))
            })
            .collect();
        let calls = routes();
        let calls = calls
            .iter()
            .map(|(method, path, _)| format!("{method} {path}"));
        assert_eq!(calls.collect::<BTreeSet<_>>(), described);
    }

    /// The names that a request may have are those that its type takes: one more is refused with the list of them.
    fn taken<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
        let refused = serde_json::from_str::<T>(r#"{"?":0}"#).err().unwrap();
        let text = refused.to_string();
        let names = text.split('`').skip(3).step_by(2);
        names.map(str::to_owned).collect()
    }

    #[test]
    fn the_fields_of_requests_are_those_of_the_description() {
        let description = description();
        let mut seen = 0;
        let mut check = |name: &str, taken: BTreeSet<String>| {
            let schema = &description["components"]["schemas"][name];
            let described = schema["properties"].as_object().unwrap().keys();
            assert_eq!(taken, described.cloned().collect::<BTreeSet<_>>(), "{name}");
            seen += 1;
        };
        check("Open", taken::<api::OpenRequest>());
        check("Decline", taken::<api::Decline>());
        check("Abort", taken::<api::Abort>());
        check("Post", taken::<api::Post>());
        check("Finish", taken::<api::Finish>());
        check("Complain", taken::<api::Complain>());
        check("Memory", taken::<api::Memory>());
        let bodies = OPENAPI.matches("\"requestBody\"").count();
        assert_eq!(seen, bodies, "every body that is described");
    }

    #[test]
    fn the_examples_of_requests_are_taken() {
        let description = description();
        let example = |name: &str| {
            let schema = &description["components"]["schemas"][name];
            schema["examples"][0].to_string().into_bytes()
        };
        let open: api::OpenRequest = api::body(&example("Open")).unwrap();
        assert_eq!(open.request, "keygen-1");
        let decline: api::Decline = api::body(&example("Decline")).unwrap();
        assert_eq!(decline.reason, 0);
        let abort: api::Abort = api::body(&example("Abort")).unwrap();
        assert_eq!((abort.cause_number, abort.about), (1, Some(2)));
        let post: api::Post = api::body(&example("Post")).unwrap();
        assert_eq!(&**post.broadcast.0, b"hello");
        assert_eq!(&**post.p2p[&1].0, b"hello");
        let finish: api::Finish = api::body(&example("Finish")).unwrap();
        assert_eq!(finish.outcome, Hash([0xab; 32]));
        let complain: api::Complain = api::body(&example("Complain")).unwrap();
        assert_eq!((complain.round, complain.from), (1, 2));
        let memory: api::Memory = api::body(&example("Memory")).unwrap();
        assert_eq!(&**memory.data.0, b"hello");
    }

    #[test]
    fn every_name_is_explained() {
        let text = [
            include_str!("../../../docs/json.md"),
            include_str!("../../../docs/gateway.md"),
        ]
        .concat();
        let description = description();
        let schemas = description["components"]["schemas"]
            .as_object()
            .unwrap()
            .values();
        let properties =
            schemas.flat_map(|schema| schema["properties"].as_object().unwrap().keys());
        let missing: BTreeSet<_> = properties
            .filter(|name| !text.contains(&format!("`{name}`")))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_failure_is_explained() {
        let text = include_str!("../../../docs/gateway.md");
        for kind in Kind::ALL.iter().chain(&crate::failure::OWN) {
            let (number, name) = (kind.number.to_string(), format!("`{}`", kind.name));
            assert!(text.contains(&name), "{name}");
            let is_row = |line: &&str| line.starts_with('|') && line.contains(&name);
            // Those in a row with others of one kind are named by the first and the last.
            let mut rows = text.lines().filter(is_row);
            let is_there = |row: &str| row.contains(&number) || row.starts_with("| 5000 to 5003");
            assert!(rows.any(is_there), "{number} {name}");
        }
    }
}
