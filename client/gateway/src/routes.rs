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
    Error, Hash, Progress, SessionId,
    wire::json::{self, SessionLine, Sessions},
};

use crate::{
    Inner, OPENAPI,
    api::{self, Base64, Wait},
    events,
    failure::Failure,
    guard, openings, receipts,
    seat::{Act, Done, Seat},
    shown,
};

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
            Ok(Some(done)) => Ok(done?),
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
    let found = gateway.client.sessions(Some(&gateway.identity)).await?;
    let lines = found.unproven_value().into_iter().map(|line| SessionLine {
        session: line.id,
        number: line.number,
        status: line.status,
        protocol: line.protocol.clone(),
    });
    answer(&Sessions {
        sessions: lines.collect(),
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
        cause: why.cause,
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
        Done::Inbox(inbox) => answer(&api::Round::from(*inbox)),
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
            bytes: Base64(bytes),
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
    let act = Act::Remember(name, memory.bytes.0);
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
            bytes: Base64(bytes),
        }),
        _ => Err(Failure::not_remembered(&name)),
    }
}
