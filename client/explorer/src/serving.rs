//! Answers to the page: its files, the replicas' names, and what replicas say.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};
use white_city_wire::{SignedTx, limits, read};

use crate::{
    ANSWER_DUE, Explorer, Limit, Replica,
    assets::{ASSETS, Asset, PARTY},
    replica::NoAnswer,
};

/// Longest life of a connection: browsers make another one.
const CONNECTION: Duration = Duration::from_secs(300);
/// Most connections at once.
const CONNECTIONS: usize = 256;
/// Longest time for the head of a request, and for its body.
const REQUEST_DUE: Duration = Duration::from_secs(10);
/// Largest question, bytes.
const QUESTION_BYTES_MAX: usize = read::QUERY_BYTES_MAX as usize;
/// Largest transaction, bytes: no board takes a larger one.
const TX_BYTES_MAX: usize = limits::TX_BYTES_MAX as usize;
/// Longest time that a question waits for its turn.
const TURN_DUE: Duration = Duration::from_secs(5);
/// Pause where no connection can be taken.
const PAUSE: Duration = Duration::from_millis(50);

/// The page's rights: to run its own scripts and the verifier, and ask its own server. Nothing of what replicas say is ever run.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self'; \
worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The header in which browsers say from where a request comes.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Headers of all answers.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

type Shared = State<Arc<Explorer>>;

/// Serves whoever connects.
pub(crate) async fn serve(explorer: Arc<Explorer>, listener: TcpListener) {
    let router = router(explorer);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let _place = place;
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(REQUEST_DUE)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever goes away goes away, and so does who reads nothing.
            let _ = timeout(CONNECTION, serving).await;
        });
    }
}

fn with_asset(
    router: Router<Arc<Explorer>>,
    (path, kind, content): Asset,
) -> Router<Arc<Explorer>> {
    router.route(path, get(async move || file(kind, content.into())))
}

/// The page of a party, and what it writes.
fn of_party() -> Router<Arc<Explorer>> {
    let own = PARTY.into_iter().fold(Router::new(), with_asset);
    own.route("/party.wasm", get(party))
        .route("/r/{replica}/txs", post(transaction))
        .layer(DefaultBodyLimit::max(TX_BYTES_MAX))
}

fn router(explorer: Arc<Explorer>) -> Router {
    let own = ASSETS.into_iter().fold(Router::new(), with_asset);
    let has_party = explorer.party.is_some();
    let own = if has_party {
        own.merge(of_party())
    } else {
        own
    };
    let all = own
        .route("/verifier.wasm", get(verifier))
        .route("/replicas.json", get(replicas))
        .route(
            "/r/{replica}/v1",
            post(question).layer(DefaultBodyLimit::max(QUESTION_BYTES_MAX)),
        )
        .route("/r/{replica}/commit/{height}", get(commit));
    let all = if has_party {
        all.layer(middleware::from_fn(from_own_page))
    } else {
        all
    };
    all.layer(middleware::from_fn(with_headers))
        .with_state(explorer)
}

/// The answer to a request, unless a page of another origin has made it.
async fn from_own_page(request: Request, next: Next) -> Response {
    if is_from_own_page(request.headers()) {
        return next.run(request).await;
    }
    let text = "the request is for a page of another origin: expected this one, by its address or localhost";
    failed(StatusCode::FORBIDDEN, text)
}

/// Whether no page of another origin makes this request: neither one that its browser names, nor one whose name was made to lead to this
/// machine, which is in Host.
fn is_from_own_page(headers: &HeaderMap) -> bool {
    let said = |name: HeaderName| {
        let said = headers.get(name);
        said.map(|said| said.to_str().unwrap_or_default())
    };
    let is_own = said(FETCH_SITE).is_none_or(|site| ["same-origin", "none"].contains(&site));
    is_own && said(header::HOST).is_none_or(is_address)
}

/// Whether a host is named by its address, by the gateway's rule. Nobody can make that one lead elsewhere.
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

/// The answer to a request with the headers of all, unless the request itself comes too slowly.
async fn with_headers(request: Request, next: Next) -> Response {
    let due = REQUEST_DUE
        .saturating_add(TURN_DUE)
        .saturating_add(ANSWER_DUE);
    let answered = timeout(due, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response());
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn file(kind: &'static str, content: Bytes) -> Response {
    ([(header::CONTENT_TYPE, kind)], content).into_response()
}

async fn verifier(State(explorer): Shared) -> Response {
    file("application/wasm", explorer.verifier.clone())
}

async fn party(State(explorer): Shared) -> Response {
    file(
        "application/wasm",
        explorer.party.clone().unwrap_or_default(),
    )
}

async fn transaction(State(explorer): Shared, Path(at): Path<usize>, tx: Bytes) -> Response {
    // What isn't a transaction isn't handed on; whose it is, the board knows.
    if let Err(refusal) = SignedTx::decode(&tx) {
        return failed(StatusCode::BAD_REQUEST, &refusal.to_string());
    }
    // A refusal is an answer here: the board says what becomes of it.
    let submitted = async |replica: &Replica| match replica.submit(&tx).await {
        Err(NoAnswer::Refused { code, text }) => Ok(Some((code, text))),
        submitted => submitted.map(|()| None),
    };
    match explorer.turn(at, &explorer.transactions, submitted).await {
        Ok(None) => json_of(StatusCode::OK, &json!({ "taken": true })),
        Ok(Some((code, text))) => {
            let refused = json!({ "taken": false, "code": code, "text": text });
            json_of(StatusCode::OK, &refused)
        }
        Err(response) => response,
    }
}

async fn replicas(State(explorer): Shared) -> Response {
    let names: Vec<&str> = explorer.replicas.iter().map(Replica::name).collect();
    json_of(StatusCode::OK, &json!({ "replicas": names }))
}

async fn question(State(explorer): Shared, Path(at): Path<usize>, query: Bytes) -> Response {
    // What is no question isn't handed on.
    if let Err(refusal) = read::decode_query(&query) {
        return failed(StatusCode::BAD_REQUEST, &refusal.to_string());
    }
    let asked = explorer.turn(at, &explorer.questions, async |replica| {
        replica.ask(&query).await
    });
    match asked.await {
        Ok(answer) => file("application/octet-stream", answer.into()),
        Err(response) => response,
    }
}

async fn commit(State(explorer): Shared, Path((at, height)): Path<(usize, u64)>) -> Response {
    let asked = explorer.turn(at, &explorer.questions, async |replica| {
        replica.commit(height).await
    });
    match asked.await {
        Ok(answer) => file("application/json", answer.into()),
        Err(response) => response,
    }
}

impl Explorer {
    /// Asks a replica when there is a turn for it.
    async fn turn<T>(
        &self,
        at: usize,
        limit: &Limit,
        ask: impl AsyncFnOnce(&Replica) -> Result<T, NoAnswer>,
    ) -> Result<T, Response> {
        let unknown = || failed(StatusCode::NOT_FOUND, "no replica has this number");
        let replica = self.replicas.get(at).ok_or_else(unknown)?;
        if limit.rate.check().is_err() {
            let text = "more questions than are handed on in a second";
            return Err(failed(StatusCode::TOO_MANY_REQUESTS, text));
        }
        let Ok(Ok(_turn)) = timeout(TURN_DUE, limit.turns.acquire()).await else {
            let text = "too many questions are on their way";
            return Err(failed(StatusCode::SERVICE_UNAVAILABLE, text));
        };
        ask(replica).await.map_err(|no_answer| match no_answer {
            NoAnswer::Refused { code, text } => {
                let refused = json!({ "code": code, "text": text });
                json_of(StatusCode::UNPROCESSABLE_ENTITY, &refused)
            }
            NoAnswer::Unreachable(text) => failed(StatusCode::BAD_GATEWAY, &text),
        })
    }
}

fn failed(status: StatusCode, text: &str) -> Response {
    json_of(status, &json!({ "text": text }))
}

fn json_of(status: StatusCode, value: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, value.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use reqwest::{Client, Method, StatusCode};
    use white_city_wire::{
        pb::{ParamsQuery, query::Question},
        read::encode_query,
    };

    use super::*;

    /// An explorer whose replica can't be reached, and how to ask it.
    async fn served() -> (String, Client) {
        let replica: Replica = "http://127.0.0.1:1".parse().unwrap();
        let explorer = Explorer::new(vec![replica], b"\0asm".to_vec()).unwrap();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(anywhere).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(explorer.serve(listener));
        (url, Client::builder().no_proxy().build().unwrap())
    }

    #[tokio::test]
    async fn only_questions_are_handed_on_and_to_known_replicas_only() {
        let (url, http) = served().await;
        let question = encode_query(Question::Params(ParamsQuery {}));
        let large = vec![0; QUESTION_BYTES_MAX + 1];
        for (method, path, body, expected) in [
            (Method::POST, "/r/0/v1", &question, StatusCode::BAD_GATEWAY),
            (Method::POST, "/r/1/v1", &question, StatusCode::NOT_FOUND),
            (Method::POST, "/r/0/v1", &vec![1], StatusCode::BAD_REQUEST),
            (
                Method::POST,
                "/r/0/v1",
                &large,
                StatusCode::PAYLOAD_TOO_LARGE,
            ),
            (
                Method::POST,
                "/r/0/v1/txs",
                &question,
                StatusCode::NOT_FOUND,
            ),
            (
                Method::GET,
                "/r/0/v1",
                &Vec::new(),
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            (
                Method::GET,
                "/r/0/commit/1",
                &Vec::new(),
                StatusCode::BAD_GATEWAY,
            ),
            (
                Method::GET,
                "/r/0/commit/-1",
                &Vec::new(),
                StatusCode::BAD_REQUEST,
            ),
            (
                Method::GET,
                "/r/0/status",
                &Vec::new(),
                StatusCode::NOT_FOUND,
            ),
        ] {
            let asked = http.request(method, format!("{url}{path}"));
            let answer = asked.body(body.clone()).send().await.unwrap();
            assert_eq!(answer.status(), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn every_file_comes_with_its_type_and_a_policy_without_inline_scripts() {
        let (url, http) = served().await;
        let others = [("/verifier.wasm", "application/wasm", &b"\0asm"[..])];
        for (path, kind, content) in ASSETS.into_iter().chain(others) {
            let answer = http.get(format!("{url}{path}")).send().await.unwrap();
            let headers = answer.headers().clone();
            assert_eq!(headers["content-type"], kind, "{path}");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';"));
            assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
            assert_eq!(answer.bytes().await.unwrap(), content, "{path}");
        }
        let names = http.get(format!("{url}/replicas.json")).send();
        let names = names.await.unwrap().text().await.unwrap();
        assert_eq!(names, r#"{"replicas":["127.0.0.1:1"]}"#);
    }

    #[tokio::test]
    async fn where_a_party_is_served_its_transactions_are_handed_on_and_nothing_else_is() {
        let replica: Replica = "http://127.0.0.1:1".parse().unwrap();
        let explorer = Explorer::new(vec![replica], b"\0asm".to_vec()).unwrap();
        let refused = Explorer::new(
            vec!["http://127.0.0.1:1".parse().unwrap()],
            b"\0asm".to_vec(),
        );
        assert!(refused.unwrap().with_party(b"asm".to_vec()).is_err());
        let explorer = explorer.with_party(b"\0asm party".to_vec()).unwrap();
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(anywhere).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(explorer.serve(listener));
        let http = Client::builder().no_proxy().build().unwrap();
        let module = http.get(format!("{url}/party.wasm")).send().await.unwrap();
        assert_eq!(module.bytes().await.unwrap(), &b"\0asm party"[..]);
        for (body, expected) in [
            (vec![1], StatusCode::BAD_REQUEST),
            (vec![0; TX_BYTES_MAX + 1], StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let sent = http.post(format!("{url}/r/0/txs")).body(body).send();
            assert_eq!(sent.await.unwrap().status(), expected);
        }
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("host", "evil.example"),
        ] {
            let asked = http.get(format!("{url}/party.html")).header(name, value);
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
        }
        for value in ["same-origin", "none"] {
            let asked = http.get(format!("{url}/party.html"));
            let asked = asked.header("sec-fetch-site", value).send();
            assert_eq!(asked.await.unwrap().status(), StatusCode::OK, "{value}");
        }
        let large = vec![0; QUESTION_BYTES_MAX + 1];
        let asked = http.post(format!("{url}/r/0/v1")).body(large).send();
        assert_eq!(asked.await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn only_addresses_are_hosts() {
        for good in ["127.0.0.1", "127.0.0.1:8088", "LOCALHOST:1", "[::1]:8088"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "evil.example:8088",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "127.0.0.1:x",
            "a@127.0.0.1",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn no_script_of_the_page_makes_markup_of_text() {
        for (path, _, content) in ASSETS.into_iter().chain(PARTY) {
            let text = std::str::from_utf8(content).unwrap();
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!text.contains(way), "{path}: {way}");
            }
        }
    }
}
