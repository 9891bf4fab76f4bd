//! A party against replicas that are made up here, one for each way of going wrong.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use white_city_wire::{
    Hash, SignedTx,
    limits::NOBODY,
    pb,
    pb::{answer::Body, query::Question},
    read::decode_query,
    tx::Action,
};

use crate::{
    Client, End, Error, LocalKey, Network, SessionId,
    history::tests::{Bench, NETWORK},
};

/// What a replica was sent.
type Taken = Arc<Mutex<Vec<Vec<u8>>>>;
type Answered = Result<Body, (u32, &'static str)>;
type Answers = dyn Fn(Question) -> Answered + Send + Sync;

/// A replica that answers as it is told, and takes every transaction.
struct Fake {
    url: String,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Fake {
    async fn start(answers: impl Fn(Question) -> Answered + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (answers, all): (Arc<Answers>, _) = (Arc::new(answers), Arc::clone(&taken));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&all)));
            }
        });
        Self { url, taken }
    }
}

/// One request for each connection.
async fn serve(mut stream: TcpStream, answers: Arc<Answers>, taken: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut request = Vec::new();
    let body = loop {
        let mut chunk = [0; 4096];
        let Ok(got @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        request.extend_from_slice(&chunk[..got]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.to_lowercase();
        let length = length
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
        if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
            break body.to_owned();
        }
    };
    let result = answer(&body, &*answers, &taken);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

fn answer(request: &str, answers: &Answers, taken: &Mutex<Vec<Vec<u8>>>) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use prost::Message as _;
    let Ok(request) = serde_json::from_str::<Value>(request) else {
        return Value::Null;
    };
    if request["method"] == "broadcast_tx_sync" {
        let tx = STANDARD
            .decode(request["params"]["tx"].as_str().unwrap())
            .unwrap();
        taken.lock().unwrap().push(tx);
        return json!({ "code": 0, "log": "" });
    }
    let data = hex::decode(request["params"]["data"].as_str().unwrap()).unwrap();
    match answers(decode_query(&data).unwrap()) {
        Ok(body) => {
            let answer = pb::Answer {
                version: 1,
                height: 5,
                board_ms: 6,
                body: Some(body),
            };
            json!({ "response": { "code": 0, "value": STANDARD.encode(answer.encode_to_vec()) } })
        }
        Err((code, log)) => json!({ "response": { "code": code, "log": log, "value": null } }),
    }
}

/// The board after round 1, in which party 3 was absent: what an honest replica answers.
fn honest(bench: &Bench, question: &Question) -> Answered {
    let before = bench.joined();
    let mut history = before.clone();
    history
        .close_round(Some(0), &bench.posts(&history, &[0, 1, 2], 0))
        .unwrap();
    Ok(match question {
        Question::Spec(_) => Body::Spec(pb::SpecAnswer {
            open: Some(bench.open_pb()),
        }),
        Question::Roster(_) => Body::Roster(pb::RosterAnswer {
            roster: Vec::new(),
            joins: (0..4).map(|index| bench.join_pb(index)).collect(),
        }),
        Question::Inbox(inbox) if inbox.round == 1 => Body::Inbox(pb::InboxAnswer {
            round: 1,
            items: bench.items(&before, &[0, 1, 2], u16::try_from(inbox.reader).unwrap()),
            next_index: 4,
        }),
        Question::Session(_) => Body::Session(running(bench, &history)),
        _ => return Err((146, "no such thing")),
    })
}

fn running(bench: &Bench, history: &crate::history::History) -> pb::SessionAnswer {
    pb::SessionAnswer {
        id: bench.id.0.to_vec(),
        status: 2,
        open_round: history.open_round(),
        transcript: history.transcript().0.to_vec(),
        slots: vec![0; 4 * 32],
        dispute_hash: vec![0; 32],
        members: vec![0b0111],
        ..Default::default()
    }
}

/// The same, aborted for the reason that too few were there.
fn aborted(bench: &Bench, question: &Question) -> Answered {
    match honest(bench, question)? {
        Body::Session(view) => Ok(Body::Session(pb::SessionAnswer {
            status: 5,
            terminal: Some(pb::Terminal {
                status: 5,
                cause: 1,
                height: 5,
                board_ms: 6,
                by: NOBODY.into(),
                outcome: vec![0; 32],
                n: 4,
                members: vec![0b0111],
                filled: vec![0],
            }),
            ..view
        })),
        other => Ok(other),
    }
}

fn client(replicas: &[&Fake], party: u8) -> Client {
    let network = Network {
        id: NETWORK,
        ..crate::genesis::tests::four_validators()
    };
    let urls = replicas.iter().map(|fake| fake.url.clone());
    let key = LocalKey::from_seed(&[party + 1; 32]).unwrap();
    Client::builder(network)
        .replicas(urls)
        .signer(key)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_replica_that_changes_a_broadcast_is_passed_over_for_an_honest_one() {
    let bench = Arc::new(Bench::new());
    let (first, second) = (Arc::clone(&bench), Arc::clone(&bench));
    let liar = Fake::start(move |question| match honest(&first, &question)? {
        Body::Inbox(mut inbox) => {
            inbox.items[1].broadcast[0] ^= 1;
            Ok(Body::Inbox(inbox))
        }
        other => Ok(other),
    })
    .await;
    let alone = client(&[&liar], 0).observe(bench.id).await;
    assert!(
        matches!(&alone, Err(Error::ReplicaLied { replica, what }) if *replica == liar.url && what.contains("broadcast")),
        "{:?}",
        alone.err()
    );
    let honest = Fake::start(move |question| honest(&second, &question)).await;
    let observer = client(&[&liar, &honest], 0)
        .observe(bench.id)
        .await
        .unwrap();
    assert_eq!(observer.history().open_round(), 2);
    assert_eq!(observer.view().unwrap().replica(), honest.url);
}

#[tokio::test]
async fn one_replica_alone_can_not_abort_a_session() {
    let bench = Arc::new(Bench::new());
    let start = |ended: bool| {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| match ended {
            true => aborted(&bench, &question),
            false => honest(&bench, &question),
        })
    };
    let (one, two, three) = (start(true).await, start(false).await, start(true).await);
    let observer = client(&[&one, &two], 0).observe(bench.id).await.unwrap();
    assert_eq!(observer.end(), None);
    assert_eq!(observer.view().unwrap().replica(), two.url);
    let observer = client(&[&one, &two, &three], 0)
        .observe(bench.id)
        .await
        .unwrap();
    let Some(End::Aborted(record)) = observer.end() else {
        panic!("two of four replicas say so, and at most one is malicious");
    };
    assert_eq!(record.missing, [0, 1, 2]);
}

#[tokio::test]
async fn a_process_that_remembers_nothing_does_not_write_where_its_party_has_joined() {
    let bench = Arc::new(Bench::new());
    let replica = {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| honest(&bench, &question)).await
    };
    let mut session = client(&[&replica], 0).session(bench.id).await.unwrap();
    assert_eq!(session.join().await, Err(Error::NoJournal { round: 0 }));
    assert_eq!(
        session.post(b"x".to_vec(), Vec::new()).await,
        Err(Error::NoJournal { round: 0 })
    );
    assert!(replica.taken.lock().unwrap().is_empty());
    let mut absent = client(&[&replica], 3).session(bench.id).await.unwrap();
    let posted = absent.post(b"x".to_vec(), Vec::new()).await;
    assert_eq!(posted, Err(Error::Out { round: 2 }));
}

#[tokio::test]
async fn the_same_bytes_are_sent_until_the_board_shows_them() {
    let bench = Arc::new(Bench::new());
    // It swallows the first two, like a replica that restarts.
    let shown = Arc::new(Mutex::new(None));
    let replica = {
        let (bench, shown) = (Arc::clone(&bench), Arc::clone(&shown));
        Fake::start(move |question| match question {
            Question::Session(_) => {
                let slot: Option<Hash> = *shown.lock().unwrap();
                let mut slots = vec![0; 4 * 32];
                let leaf = white_city_wire::board::slot_leaf(slot.as_ref());
                slots[32..64].copy_from_slice(&leaf.0);
                Ok(Body::Session(pb::SessionAnswer {
                    status: 1,
                    open_round: 0,
                    transcript: bench.id.0.to_vec(),
                    slots,
                    members: vec![0b1111],
                    ..running(&bench, &bench.joined())
                }))
            }
            other => honest(&bench, &other),
        })
        .await
    };
    let mut session = client(&[&replica], 1).session(bench.id).await.unwrap();
    let taken = Arc::clone(&replica.taken);
    let watcher = tokio::spawn(async move {
        loop {
            let sent = taken.lock().unwrap().clone();
            if let [first, second, third] = &sent[..] {
                assert!(first == second && second == third);
                let tx = SignedTx::decode(first).unwrap();
                let Action::Join(join) = tx.unverified_action() else {
                    panic!("a join")
                };
                *shown.lock().unwrap() = Some(join.digest());
                return;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    // On another thread: handles and their futures may be sent.
    let joining = tokio::spawn(async move {
        session.join().await.unwrap();
        session
    });
    let mut session = joining.await.unwrap();
    watcher.await.unwrap();
    session.join().await.unwrap();
    assert_eq!(
        replica.taken.lock().unwrap().len(),
        3,
        "joining again sends nothing"
    );
}

#[tokio::test]
async fn strangers_and_unknown_sessions_are_told_apart() {
    let bench = Arc::new(Bench::new());
    let replica = {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| match question {
            Question::Spec(pb::SpecQuery {
                session: Some(session),
            }) if session.r#ref == Some(pb::session_ref::Ref::Id(vec![7; 32])) => {
                Err((32, "no session"))
            }
            other => honest(&bench, &other),
        })
        .await
    };
    let stranger = client(&[&replica], 9).session(bench.id).await;
    assert!(matches!(stranger.err(), Some(Error::NotMember { .. })));
    let unknown = client(&[&replica], 0).session(SessionId([7; 32])).await;
    assert!(matches!(unknown.err(), Some(Error::UnknownSession(_))));
    let nobody = Client::builder(crate::genesis::tests::four_validators())
        .replicas(["http://127.0.0.1:1"])
        .build()
        .unwrap();
    let unreachable = nobody.observe(bench.id).await;
    assert!(matches!(unreachable.err(), Some(Error::Unreachable(faults)) if faults.len() == 1));
}

/// While joining: this leaf in the slot of party 1, and nothing else.
fn joining(bench: &Bench, leaf: Hash) -> Answered {
    let mut slots = vec![0; 4 * 32];
    slots[32..64].copy_from_slice(&leaf.0);
    Ok(Body::Session(pb::SessionAnswer {
        status: 1,
        open_round: 0,
        transcript: bench.id.0.to_vec(),
        slots,
        members: vec![0b1111],
        ..running(bench, &bench.joined())
    }))
}

/// A replica that shows this leaf in the slot of party 1 once it has taken something.
async fn showing(bench: &Arc<Bench>, leaf: Option<Hash>) -> Fake {
    let (bench, shown) = (Arc::clone(bench), Arc::new(Mutex::new(None)));
    let taken: Arc<Mutex<Option<Taken>>> = Arc::default();
    let all = Arc::clone(&taken);
    let fake = Fake::start(move |question| match question {
        Question::Session(_) => {
            let all = all.lock().unwrap().clone();
            let first = all.and_then(|all| all.lock().unwrap().first().cloned());
            let mut shown = shown.lock().unwrap();
            if let Some(tx) = first {
                let tx = SignedTx::decode(&tx).unwrap();
                let Action::Join(join) = tx.unverified_action() else {
                    panic!("a join")
                };
                let own = white_city_wire::board::slot_leaf(Some(&join.digest()));
                *shown = Some(leaf.unwrap_or(own));
            }
            joining(&bench, shown.unwrap_or(Hash::ZERO))
        }
        other => honest(&bench, &other),
    })
    .await;
    *taken.lock().unwrap() = Some(Arc::clone(&fake.taken));
    fake
}

#[tokio::test]
async fn the_loser_of_a_race_to_join_never_writes_again() {
    let bench = Arc::new(Bench::new());
    let other = Some(Hash([7; 32]));
    let (one, two) = (showing(&bench, other).await, showing(&bench, other).await);
    let mut session = client(&[&one, &two], 1).session(bench.id).await.unwrap();
    let lost = session.join().await;
    assert!(
        matches!(lost, Err(Error::SlotTaken { round: 0, existing }) if existing == Hash([7; 32])),
        "{lost:?}"
    );
    let sent = one.taken.lock().unwrap().len();
    assert_eq!(session.join().await, lost);
    assert_eq!(
        session.post(Vec::new(), Vec::new()).await.err(),
        lost.clone().err()
    );
    assert_eq!(session.finish(Hash::ZERO).await, lost);
    assert_eq!(one.taken.lock().unwrap().len(), sent);
}

#[tokio::test]
async fn one_replica_alone_can_not_take_a_slot_or_stop_the_sending() {
    let bench = Arc::new(Bench::new());
    let liar = showing(&bench, Some(Hash([7; 32]))).await;
    let (one, two) = (showing(&bench, None).await, showing(&bench, None).await);
    let mut session = client(&[&liar, &one, &two], 1)
        .session(bench.id)
        .await
        .unwrap();
    assert_eq!(session.join().await, Ok(()));
    let (alone, silent) = (showing(&bench, None).await, {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| match question {
            Question::Session(_) => joining(&bench, Hash::ZERO),
            other => honest(&bench, &other),
        })
        .await
    });
    let mut session = client(&[&alone, &silent], 1)
        .session(bench.id)
        .await
        .unwrap();
    // Whoever stops waiting goes on with the same bytes.
    for wanted in [2, 4] {
        tokio::select! {
            joined = session.join() => panic!("one of four replicas shows it: {joined:?}"),
            () = async {
                while alone.taken.lock().unwrap().len() < wanted {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            } => {}
        }
    }
    let sent = alone.taken.lock().unwrap().clone();
    assert!(sent.iter().all(|tx| *tx == sent[0]));
}

#[tokio::test]
async fn a_round_that_one_replica_alone_states_is_not_taken_over() {
    let bench = Arc::new(Bench::new());
    let ahead = {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| honest(&bench, &question)).await
    };
    let behind = || {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| match question {
            Question::Session(_) => joining(&bench, Hash::ZERO),
            other => honest(&bench, &other),
        })
    };
    let (one, two) = (behind().await, behind().await);
    let observer = client(&[&ahead, &one, &two], 0)
        .observe(bench.id)
        .await
        .unwrap();
    assert_eq!(observer.history().open_round(), 0);
    let observer = client(&[&ahead], 0).observe(bench.id).await.unwrap();
    assert_eq!(
        observer.history().open_round(),
        2,
        "all that are configured"
    );
}

#[tokio::test]
async fn one_replica_alone_can_not_add_a_culprit() {
    let bench = Arc::new(Bench::new());
    let start = |culprit: bool| {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| match aborted(&bench, &question)? {
            Body::Session(view) if culprit => Ok(Body::Session(pb::SessionAnswer {
                left: vec![pb::Leaver {
                    index: 2,
                    digest: vec![3; 32],
                }],
                ..view
            })),
            other => Ok(other),
        })
    };
    let (liar, one, two) = (start(true).await, start(false).await, start(false).await);
    let observer = client(&[&liar, &one, &two], 0)
        .observe(bench.id)
        .await
        .unwrap();
    let Some(End::Aborted(record)) = observer.end() else {
        panic!("two replicas say so")
    };
    assert!(record.left.is_empty());
    let alone = client(&[&liar, &one], 0).observe(bench.id).await;
    assert!(matches!(alone.err(), Some(Error::Unreachable(_))));
}

#[tokio::test]
async fn an_entry_outside_of_its_page_is_a_lie() {
    let bench = Arc::new(Bench::new());
    let liar = {
        let bench = Arc::clone(&bench);
        Fake::start(move |question| match honest(&bench, &question)? {
            Body::Inbox(inbox) => Ok(Body::Inbox(pb::InboxAnswer {
                next_index: 2,
                ..inbox
            })),
            other => Ok(other),
        })
        .await
    };
    let observed = client(&[&liar], 0).observe(bench.id).await;
    assert!(
        matches!(observed.as_ref().err(), Some(Error::ReplicaLied { what, .. }) if what.contains("page")),
        "{:?}",
        observed.err()
    );
}

#[tokio::test]
async fn a_lie_is_not_fatal_as_long_as_another_replica_might_answer() {
    let bench = Arc::new(Bench::new());
    let later = Arc::new(Mutex::new(false));
    let start = |lies: bool| {
        let (bench, later) = (Arc::clone(&bench), Arc::clone(&later));
        Fake::start(move |question| match (*later.lock().unwrap(), lies) {
            (true, true) => Ok(Body::Params(pb::ParamsAnswer::default())),
            (true, false) => Err((67, "not now")),
            (false, _) => honest(&bench, &question),
        })
    };
    let (liar, slow) = (start(true).await, start(false).await);
    let mut observer = client(&[&liar, &slow], 0).observe(bench.id).await.unwrap();
    let mut alone = client(&[&liar], 0).observe(bench.id).await.unwrap();
    *later.lock().unwrap() = true;
    assert_eq!(observer.sync().await, Ok(()));
    assert!(matches!(alone.sync().await, Err(Error::ReplicaLied { .. })));
}
