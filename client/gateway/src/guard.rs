//! The checks before every request: where it comes from, whether it has the token, and its body.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use tokio::time::{Instant, timeout};

use crate::{Inner, failure::Failure};

/// Longest time for a request's body.
const BODY_DUE: Duration = Duration::from_secs(30);
/// Bytes of a body beside what a transaction has room for.
const FRAME_BYTES: usize = 64 << 10;
/// Bytes of a body that is too large which are read all the same.
const DISCARDED_BYTES_MAX: usize = 16 << 20;
/// The header in which browsers say from where a request comes.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The path that needs no token: it is the same for everybody.
pub(crate) const OPEN_PATH: &str = "/openapi.json";

/// The largest body: a post as large as a transaction, in base64.
fn body_bytes_max(gateway: &Inner) -> usize {
    let tx = usize::try_from(gateway.client.network().params.max_tx).unwrap_or(usize::MAX);
    // 1 MiB can be remembered.
    tx.max(1 << 20).saturating_mul(4) / 3 + FRAME_BYTES
}

/// Lets a request through that is from a program of this machine with the token, has a body of a bounded size, and no more time than it
/// should; says what came of it in the log.
pub(crate) async fn guard(
    State(gateway): State<Arc<Inner>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (response, failure) = match checked(&gateway, request).await {
        Ok(request) => {
            let response = next.run(request).await;
            (plain(response), None)
        }
        Err(failure) => {
            let number = failure.number();
            (failure.into_response(), Some(number))
        }
    };
    let (status, ms) = (response.status().as_u16(), begun.elapsed().as_millis());
    match failure {
        Some(failure) => tracing::warn!(%method, path, status, failure, "turned away"),
        None => tracing::info!(%method, path, status, ms, "answered"),
    }
    response
}

async fn checked(gateway: &Inner, request: Request) -> Result<Request, Failure> {
    check_origin(request.headers())?;
    if request.uri().path() != OPEN_PATH {
        check_token(gateway, request.headers())?;
    }
    let (parts, body) = request.into_parts();
    let max = body_bytes_max(gateway);
    match timeout(BODY_DUE, read(body, max)).await {
        Ok(Some(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        _ => Err(Failure::body_too_large(max)),
    }
}

/// A body of at most `max` bytes. Some more are read and let go, because whoever is still sending doesn't hear that it is too much.
async fn read(body: Body, max: usize) -> Option<Vec<u8>> {
    let (mut pieces, mut bytes, mut read) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(piece) = pieces.next().await {
        let piece = piece.ok()?;
        read = read.saturating_add(piece.len());
        if read <= max {
            bytes.extend_from_slice(&piece);
        } else if read > max.saturating_add(DISCARDED_BYTES_MAX) {
            return None;
        } else {
            bytes = Vec::new();
        }
    }
    (read <= max).then_some(bytes)
}

/// Refuses what a browser sends for a page. A page of another origin can name no header of ours without asking first, which is refused, too;
/// one whose name was made to lead to this machine can, but it names itself.
fn check_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let host = headers
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or_default());
    if !host.is_none_or(is_address) {
        let host = host.unwrap_or_default();
        return Err(Failure::forbidden(format!(
            "Host: {host:?} was given, expected an IP address or localhost: pages must not reach a gateway under names of their own"
        )));
    }
    if headers.contains_key(header::ORIGIN) || headers.contains_key(FETCH_SITE) {
        return Err(Failure::forbidden(
            "the request comes from a browser: expected a program, without Origin and Sec-Fetch-Site",
        ));
    }
    Ok(())
}

/// Whether a host is named by its address. Nobody can make that one lead elsewhere.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost") || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
}

fn check_token(gateway: &Inner, headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers
        .get(header::AUTHORIZATION)
        .map(|given| given.as_bytes());
    let word = given.and_then(|given| given.strip_prefix(b"Bearer "));
    match word {
        Some(word) if gateway.token.is(word) => Ok(()),
        _ => Err(Failure::unauthorized()),
    }
}

/// The answer to a path or a method that isn't there as a failure like all others.
fn plain(response: Response) -> Response {
    let is_ours = response.headers().contains_key(header::CONTENT_TYPE);
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if !is_ours => Failure::no_method().into_response(),
        _ => response,
    }
}

/// The answer to a path that isn't there.
pub(crate) async fn no_route(_: Method) -> Failure {
    Failure::no_route()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_hosts() {
        for good in [
            "127.0.0.1",
            "127.0.0.1:8787",
            "localhost:1",
            "LOCALHOST",
            "[::1]:8787",
            "[::1]",
            "10.0.0.1:1",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:8787",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "127.0.0.1:x",
            "a@127.0.0.1",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
