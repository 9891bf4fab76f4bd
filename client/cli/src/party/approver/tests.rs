use axum::{Json, Router, routing::post};
use serde_json::json;

use super::*;

fn program(script: &str) -> Approver {
    let how = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    Approver {
        how: How::Program(how),
        time_limit: Duration::from_secs(20),
    }
}

#[tokio::test]
async fn a_program_says_yes_or_no_by_its_exit_code_and_why_in_a_line() {
    let session = json!({ "protocol": "p", "text": "pay 1" });
    let said = async |script: &str| ask(&program(script), &session).await;
    let yes = said(r#"grep -q '"pay 1"' && echo fine"#).await;
    assert_eq!(yes, Answer::Yes("fine".into()));
    let no = said(r#"grep -q '"pay 2"' || { printf 'two\nlines'; exit 1; }"#).await;
    assert_eq!(no, Answer::No("two lines".into()));
    // It doesn't have to read what it is told.
    assert_eq!(said("exit 0").await, Answer::Yes(String::new()));
}

#[tokio::test]
async fn what_is_neither_yes_nor_no_is_nothing() {
    for script in ["exit 2", "kill -9 $$"] {
        let said = ask(&program(script), &json!({})).await;
        assert!(matches!(said, Answer::Nothing(_)), "{script}: {said:?}");
    }
    let missing = Approver {
        how: How::Program(vec!["/nowhere/approve".into()]),
        time_limit: Duration::from_secs(20),
    };
    assert!(matches!(
        ask(&missing, &json!({})).await,
        Answer::Nothing(_)
    ));
    let slow = Approver {
        time_limit: Duration::from_millis(50),
        ..program("sleep 60")
    };
    let said = ask(&slow, &json!({})).await;
    assert_eq!(said, Answer::Nothing("no answer in 50 ms".into()));
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let said = ask(&program("yes | head -c 1000000"), &json!({})).await;
    // The program may have been told that nobody reads on, by a signal.
    match said {
        Answer::Yes(reason) => assert_eq!(reason.chars().count(), REASON_CHARS_MAX),
        Answer::Nothing(_) => {}
        Answer::No(reason) => panic!("{reason}"),
    }
}

#[tokio::test]
async fn an_address_says_yes_or_no_and_anything_else_is_nothing() {
    let router = Router::new()
        .route(
            "/yes",
            post(|Json(session): Json<Value>| async move {
                Json(json!({ "approve": session["text"] == "pay 1", "reason": "as agreed" }))
            }),
        )
        .route("/what", post(|| async { "yes" }))
        .route("/long", post(|| async { "x".repeat(ANSWER_BYTES_MAX + 1) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let said = async |path: &str, text: &str| {
        let approver = Approver {
            how: How::Url(format!("http://{address}{path}")),
            time_limit: Duration::from_secs(20),
        };
        ask(&approver, &json!({ "text": text })).await
    };
    assert_eq!(said("/yes", "pay 1").await, Answer::Yes("as agreed".into()));
    assert_eq!(said("/yes", "pay 2").await, Answer::No("as agreed".into()));
    for path in ["/what", "/long", "/nowhere"] {
        let said = said(path, "pay 1").await;
        assert!(matches!(said, Answer::Nothing(_)), "{path}: {said:?}");
    }
}

#[test]
fn an_address_elsewhere_is_refused() {
    for good in [
        "http://127.0.0.1:80/a",
        "http://localhost/",
        "http://[::1]:9/x?y",
    ] {
        assert_eq!(check_url(good), Ok(()), "{good}");
    }
    for bad in [
        "https://127.0.0.1/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.org/",
        "127.0.0.1",
        "http://a@b/",
        "",
        "http://localhost@10.0.0.1/",
    ] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
}
