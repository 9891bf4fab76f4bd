//! Whom a gateway doesn't answer: whoever hasn't the token, every page in a browser, and whoever asks for too much.

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use super::{Gateway, failure, file};
use crate::world::{run, world};

/// Requests that a gateway lets wait at once.
const WAITS: usize = 192;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_reaches_nothing_under_any_name_and_with_any_method() {
    let world = world().await;
    let gateway = Gateway::start(&world, 0, &[]).await;
    let port = gateway.url.rsplit_once(':').unwrap().1.to_owned();
    let body = json!({ "request": "evil", "protocol": "evil", "roster": [] }).to_string();
    // The name of the attacker's page leads to this machine all of a sudden: the browser takes both for one origin.
    let rebound = format!("evil.example:{port}");
    // A form or a script of any page, which the browser sends first and asks about later.
    let from_pages = [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-origin"),
        ("host", &rebound),
        ("host", "127.0.0.1.evil.example"),
    ];
    for (name, value) in from_pages {
        for (method, path) in [
            (Method::GET, "/v1/party"),
            (Method::GET, "/openapi.json"),
            (Method::POST, "/v1/sessions"),
            (Method::OPTIONS, "/v1/sessions"),
        ] {
            // Even if it knew the token.
            let asked = gateway.request(method.clone(), path).header(name, value);
            let asked = asked
                .header("content-type", "text/plain")
                .body(body.clone());
            let answer = asked.send().await.unwrap();
            let allows = answer
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("access-control"));
            assert!(!allows, "{method} {path} {name}: {value}");
            assert_eq!(
                failure(answer).await,
                (403, 2102),
                "{method} {path} {name}: {value}"
            );
        }
    }
    let answer = gateway
        .request(Method::GET, "/v1/party")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "a program gets in");
    for token in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        &format!("Basic {}", gateway.token),
        &format!("Bearer {}x", gateway.token),
        &gateway.token,
    ] {
        for path in ["/v1/party", "/v1/sessions", "/v1/nothing"] {
            let asked = gateway
                .bare(Method::GET, path)
                .header("authorization", token);
            assert_eq!(
                failure(asked.send().await.unwrap()).await,
                (401, 2101),
                "{token}"
            );
        }
    }
    let asked = gateway.bare(Method::GET, "/v1/party").send().await.unwrap();
    assert_eq!(failure(asked).await, (401, 2101));
    assert_eq!(gateway.end().await, Some(0));
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_is_bounded_and_understood() {
    let world = world().await;
    let preset = ["--protocol", "p", "--max-rounds", "4"];
    let id = world.open(&[0, 1], &preset).await;
    let other = world.open(&[0, 1], &preset).await;
    let gateway = Gateway::start(&world, 0, &["--max-sessions", "1"]).await;
    let ask = |method, path: String| gateway.request(method, &format!("/v1/sessions/{path}"));
    let send = async |method, path| ask(method, path).send().await.unwrap();
    let joined = send(Method::POST, format!("{id}/join")).await;
    assert_eq!(joined.status(), StatusCode::OK);
    // The first one goes on, and there is room for one.
    let second = send(Method::POST, format!("{other}/join")).await;
    assert_eq!(failure(second).await, (429, 2106));
    let large = ask(Method::PUT, format!("{id}/rounds/1")).body(vec![b' '; 4 << 20]);
    assert_eq!(failure(large.send().await.unwrap()).await, (413, 2105));
    for (body, path) in [
        ("{", "join"),
        ("[]", "finish"),
        ("{\"outcome\":\"ab\"}", "finish"),
        ("{\"reason\":-1}", "decline"),
        ("{\"extra\":1}", "abort"),
        ("\u{0}", "complain"),
    ] {
        let asked = ask(Method::POST, format!("{id}/{path}"))
            .body(body)
            .send()
            .await
            .unwrap();
        match path {
            "join" => assert_eq!(asked.status(), StatusCode::OK, "it takes no body"),
            _ => assert_eq!(failure(asked).await, (400, 2100), "{path}"),
        }
    }
    for path in [
        "x/join",
        &format!("{id}/rounds/-1"),
        &format!("{id}/rounds/1?wait_ms=x"),
        &format!("{id}/end?more=1"),
    ] {
        let asked = send(Method::GET, path.to_owned()).await;
        assert!(
            asked.status().is_client_error(),
            "{path}: {}",
            asked.status()
        );
    }
    assert_eq!(gateway.end().await, Some(0));
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_requests_wait_and_are_told_of_the_end() {
    let world = world().await;
    let preset = ["--protocol", "p", "--max-rounds", "4"];
    let id = world.open(&[0, 1], &preset).await;
    let gateway = Gateway::start(&world, 0, &[]).await;
    let join = format!("/v1/sessions/{id}/join");
    let joined = gateway.request(Method::POST, &join).send().await.unwrap();
    assert_eq!(joined.status(), StatusCode::OK);
    let mut waiting = JoinSet::new();
    for _ in 0..WAITS + 8 {
        let path = format!("/v1/sessions/{id}/rounds/1?wait_ms=300000");
        let asked = gateway.request(Method::GET, &path).send();
        waiting.spawn(async { failure(asked.await.unwrap()).await });
    }
    // Those that there is no place for have their answer at once; the others wait until it ends.
    for _ in 0..8 {
        let refused = waiting.join_next().await.unwrap().unwrap();
        assert_eq!(refused, (429, 2106));
    }
    assert_eq!(gateway.end().await, Some(0));
    let told = waiting.join_all().await;
    assert_eq!(told, vec![(503, 1100); WAITS]);
    world.net.stop().await.unwrap();
}

#[tokio::test]
async fn a_gateway_doesnt_start_where_others_could_ask_it() {
    use std::os::unix::fs::PermissionsExt;
    let world = world().await;
    let start = |listen: &str, token: &str| {
        let args = [
            "gateway",
            "--identity",
            "party0.key",
            "--listen",
            listen,
            "--token-file",
            token,
        ];
        world.command(&world.url(), &args)
    };
    let exposed = run(start("0.0.0.0:0", "token")).await;
    assert_eq!(exposed.status.code(), Some(2), "{exposed:?}");
    std::fs::set_permissions(
        file(&world, "token"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let read = run(start("127.0.0.1:0", "token")).await;
    assert_eq!(read.status.code(), Some(2), "{read:?}");
    std::fs::write(file(&world, "short"), "short").unwrap();
    std::fs::set_permissions(
        file(&world, "short"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let short = run(start("127.0.0.1:0", "short")).await;
    assert_eq!(short.status.code(), Some(2), "{short:?}");
    world.net.stop().await.unwrap();
}
