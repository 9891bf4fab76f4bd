//! Approvers that are programs: asked with the session as JSON, they say yes or no, with a reason.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, process::Stdio, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use super::policy::{Approver, How};

/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Longest reason that is kept, characters.
const REASON_CHARS_MAX: usize = 500;

/// The answer of an approver.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Join.
    Yes(String),
    /// Don't, and this is why.
    No(String),
    /// It said neither, and this is what went wrong: whoever isn't sure isn't asked to be.
    Nothing(String),
}

/// The answer by HTTP.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    approve: bool,
    #[serde(default)]
    reason: String,
}

/// Asks a program or an address about a session.
pub async fn ask(approver: &Approver, session: &Value) -> Answer {
    let asked = async {
        match &approver.how {
            How::Program(program) => run(program, session).await,
            How::Url(url) => post(url, session).await,
            // Whoever asks people looks at the queue.
            How::People => Err("people aren't asked so".into()),
        }
    };
    match timeout(approver.time_limit, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::Nothing(error),
        Err(_) => Answer::Nothing(format!("no answer in {}", shown(approver.time_limit))),
    }
}

fn shown(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// Exit code 0 is a yes, 1 a no; what it prints is the reason.
async fn run(program: &[String], session: &Value) -> Result<Answer, String> {
    let (name, args) = program.split_first().ok_or("no program")?;
    let failed = |error: io::Error| format!("{name}: {error}");
    let mut child = Command::new(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        // One that is too late doesn't go on alone.
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // Whoever doesn't need it doesn't read it.
            let _ = stdin.write_all(session.to_string().as_bytes()).await;
        }
    };
    let hear = async {
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            let most = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
            let _ = stdout.take(most).read_to_end(&mut said).await;
        }
        said
    };
    let ((), said) = tokio::join!(tell, hear);
    let status = child.wait().await.map_err(failed)?;
    let reason = reason(&String::from_utf8_lossy(&said));
    Ok(match status.code() {
        Some(0) => Answer::Yes(reason),
        Some(1) => Answer::No(reason),
        _ => Answer::Nothing(format!("{name}: {status}, expected exit code 0 or 1")),
    })
}

/// Refuses a program that can't be run, or that depends on where the service is started.
pub fn check_program(command: &[String]) -> Result<(), String> {
    let program = command.first().map_or("", String::as_str);
    let path = Path::new(program);
    let can_run = fs::metadata(path).is_ok_and(|file| file.is_file() && file.mode() & 0o111 != 0);
    match path.is_absolute() && can_run {
        true => Ok(()),
        false => Err(format!(
            "program: {program:?}, expected the absolute path of a program that can be run"
        )),
    }
}

/// Refuses addresses that are not on this machine: who is between could say yes.
pub fn check_url(url: &str) -> Result<(), String> {
    place(url).map(|_| ())
}

/// Host, port and path.
fn place(url: &str) -> Result<(String, u16, Uri), String> {
    let expected = || {
        format!(
            "url: {url:?}, expected http:// and 127.0.0.1, [::1] or localhost: a program can ask others"
        )
    };
    let uri: Uri = url.parse().map_err(|_| expected())?;
    let host = uri.host().unwrap_or_default();
    let is_here = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
    if uri.scheme_str() != Some("http") || !is_here {
        return Err(expected());
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok((host, uri.port_u16().unwrap_or(80), uri))
}

async fn post(url: &str, session: &Value) -> Result<Answer, String> {
    let (host, port, uri) = place(url)?;
    let failed = |error: &dyn std::fmt::Display| format!("{url}: {error}");
    let stream = TcpStream::connect((&*host, port))
        .await
        .map_err(|error| failed(&error))?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| failed(&error))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(
            header::HOST,
            uri.authority().map_or("localhost", |host| host.as_str()),
        )
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(session.to_string())))
        .map_err(|error| failed(&error))?;
    let answer = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body = body.map_err(|error| failed(&error))?.to_bytes();
        if status != StatusCode::OK {
            return Err(failed(&format!("status {status}, expected 200")));
        }
        let said: Said = serde_json::from_slice(&body).map_err(|error| {
            failed(&format!(
                "expected {{\"approve\": true or false, \"reason\": text}}: {error}"
            ))
        })?;
        let reason = reason(&said.reason);
        Ok(if said.approve {
            Answer::Yes(reason)
        } else {
            Answer::No(reason)
        })
    };
    tokio::pin!(connection, answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(failed(&error)),
        },
    }
}

/// One line of a text from outside.
fn reason(text: &str) -> String {
    let text: String = text.trim().chars().take(REASON_CHARS_MAX).collect();
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
