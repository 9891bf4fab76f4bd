//! Connections, and a clean end.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{Inner, Listening, listening::Listener, routes};

/// Most connections at once.
const CONNECTIONS: usize = 256;
/// Longest time for the head of a request.
const HEAD_DUE: Duration = Duration::from_secs(10);
/// Pause where no connection can be taken.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest time that answers may take when the gateway ends.
const END_DUE: Duration = Duration::from_secs(5);

/// Serves until it is to end, and then until whoever waits has been told.
pub(crate) async fn serve(
    gateway: Arc<Inner>,
    listening: Listening,
    ended: impl Future<Output = ()>,
) {
    let router = routes::router(Arc::clone(&gateway));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut ended = pin!(ended);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            accept(&listening.listener, place, &router, &gateway.ending).await
        };
        select! {
            () = &mut ended => break,
            accepted = accepted => if accepted.is_none() {
                sleep(PAUSE).await;
            }
        }
    }
    // Nobody finds it any more.
    drop(listening);
    gateway.ending.send_replace(true);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(END_DUE, places.acquire_many(all)).await;
    gateway.seats.clear();
}

/// Takes one connection.
async fn accept(
    listener: &Listener,
    place: OwnedSemaphorePermit,
    router: &Router,
    ending: &watch::Sender<bool>,
) -> Option<()> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().await.ok()?;
            let _ = stream.set_nodelay(true);
            tokio::spawn(connection(
                stream,
                place,
                router.clone(),
                ending.subscribe(),
            ));
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept().await.ok()?;
            tokio::spawn(connection(
                stream,
                place,
                router.clone(),
                ending.subscribe(),
            ));
        }
    }
    Some(())
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    _place: OwnedSemaphorePermit,
    router: Router,
    mut ending: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_DUE)
            .serve_connection(TokioIo::new(stream), service)
    );
    select! {
        _ = &mut serving => return,
        _ = ending.wait_for(|ending| *ending) => {}
    }
    // What it was asked is answered.
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
}
