//! Events of a session as a stream: each change of its progress, and its end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures::stream::unfold;
use serde::Serialize;
use tokio::{
    select,
    sync::{OwnedSemaphorePermit, mpsc, watch},
};
use white_city_client::{End, Progress, SessionId};

use crate::{Inner, api::Ended, failure::Failure, shown};

/// Events that a slow reader may be behind, before those in between are left out.
const EVENTS: usize = 16;
/// Pause between two lines that say nothing but that the stream goes on.
const STILL_HERE: Duration = Duration::from_secs(15);

/// Answers with a stream of events, which ends with the session, or with the gateway.
pub(crate) fn stream(
    gateway: &Arc<Inner>,
    place: OwnedSemaphorePermit,
    session: SessionId,
    progress: watch::Receiver<Option<Progress>>,
    end: impl Future<Output = Result<End, Failure>> + Send + 'static,
) -> Response {
    let (events, received) = mpsc::channel(EVENTS);
    let gateway = Arc::clone(gateway);
    tokio::spawn(async move {
        let _place = place;
        select! {
            () = tell(&events, session, progress, end) => {}
            () = events.closed() => {}
            () = gateway.ends() => {
                let _ = events.send(failed(&Failure::ending())).await;
            }
        }
    });
    let events = unfold(received, async |mut received| {
        let event = received.recv().await?;
        Some((Ok::<_, Infallible>(event), received))
    });
    let alive = KeepAlive::new().interval(STILL_HERE);
    Sse::new(Box::pin(events)).keep_alive(alive).into_response()
}

async fn tell(
    events: &mpsc::Sender<Event>,
    session: SessionId,
    mut progress: watch::Receiver<Option<Progress>>,
    end: impl Future<Output = Result<End, Failure>>,
) {
    tokio::pin!(end);
    progress.mark_changed();
    let mut tells = true;
    loop {
        select! {
            biased;
            changed = progress.changed(), if tells => {
                tells = changed.is_ok();
                let now = progress.borrow_and_update().clone();
                let Some(now) = now.filter(|_| tells) else { continue };
                let _ = events.send(event("progress", &shown::progress(&now))).await;
            }
            ended = &mut end => {
                let last = match ended {
                    Ok(end) => event("end", &Ended::new(session, end)),
                    Err(failure) => failed(&failure),
                };
                let _ = events.send(last).await;
                return;
            }
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(data)
}

fn failed(failure: &Failure) -> Event {
    event("failure", &failure.said())
}
