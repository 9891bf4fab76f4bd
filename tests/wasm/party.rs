//! A party as WebAssembly writes the bytes that one in Rust writes, and goes on from its journal, under Node: on a board of Solo, beside a
//! party of the client library.

use std::fs;

use prost::Message as _;
use serde_json::{Value, json};
use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Client, LocalKey, NetworkId, Session, SessionId, Signer, SpecBuilder, genesis,
    wire::{
        Kem, SignedTx,
        payload::{LibraryKem, PayloadContext, SessionSeed},
        pb::{self, query::Question},
        read::{QUERY_PATH, decode_answer, encode_query},
        tx::{Action, Join, Post},
    },
};
use white_city_testnet::{Engine, Options, Testnet};

use crate::{Case, module, run_on};

const SEED: [u8; 32] = [1; 32];
/// What a journal begins with: docs/spec/files.md.
const HEADER_BYTES: usize = 8 + 3 * 32 + 13 + 32;

/// What a new journal is drawn from: salt, seeds and a nonce.
fn drawn() -> Vec<u8> {
    (0..120).collect()
}

struct Board {
    net: Testnet,
    rpc: HttpClient,
    url: String,
    _dir: tempfile::TempDir,
}

async fn board() -> Board {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    (options.engine, options.replicas) = (Engine::Solo, 1);
    let net = Testnet::create(&options).await.unwrap();
    net.start_all().await.unwrap();
    let url = net.rpc_urls()[0].clone();
    let rpc = HttpClient::builder(url.parse().unwrap()).compat_mode(CompatMode::V0_38);
    let rpc = rpc.build().unwrap();
    Board {
        net,
        rpc,
        url,
        _dir: dir,
    }
}

impl Board {
    fn client(&self, key: LocalKey) -> Client {
        let trust = genesis::trust(self.net.dir().join("genesis.json")).unwrap();
        let client = Client::builder(trust).replicas([self.url.clone()]);
        client.signer(key).build().unwrap()
    }

    /// The cases that have the module take the answer to a question.
    async fn asked(&self, asked: &Value, question: Question) -> [Case; 2] {
        let path = Some(QUERY_PATH.to_owned());
        let answer = self
            .rpc
            .abci_query(path, encode_query(question), None, false);
        let answer = answer.await.unwrap().value;
        let height = decode_answer(&answer[..]).unwrap().height;
        let commit = self.rpc.commit(u32::try_from(height).unwrap());
        let header = json!({ "result": { "signed_header": commit.await.unwrap().signed_header } });
        let asked = asked.to_string().into_bytes();
        [
            ("header", vec![header.to_string().into_bytes()]),
            ("answer", vec![asked, answer]),
        ]
    }

    /// The cases that have the module read a session up to a round, as party 0.
    async fn read(&self, id: SessionId, rounds: u32) -> Vec<Case> {
        let genesis = fs::read(self.net.dir().join("genesis.json")).unwrap();
        let session = || {
            Some(pb::SessionRef {
                r#ref: Some(pb::session_ref::Ref::Id(id.0.to_vec())),
            })
        };
        let mut cases: Vec<Case> = vec![("open_board", vec![genesis])];
        let spec = Question::Spec(pb::SpecQuery { session: session() });
        let asked = json!({ "of": "spec", "session": id });
        cases.extend(self.asked(&asked, spec).await);
        for round in 0..=rounds {
            let inbox = Question::Inbox(pb::InboxQuery {
                session: session(),
                round,
                reader: 0,
                from_index: 0,
            });
            let asked = json!({ "of": "inbox", "session": id, "round": round, "from_index": 0, "reader": 0 });
            cases.extend(self.asked(&asked, inbox).await);
        }
        cases
    }
}

/// The session that a call is about.
fn of(id: SessionId) -> Vec<u8> {
    json!({ "session": id }).to_string().into_bytes()
}

/// Enters as the party with the seed above, and does something; gives what came of each of both.
fn acted(read: &[Case], id: SessionId, journal: &[u8], act: &[Case]) -> Vec<Value> {
    let mut cases = read.to_vec();
    cases.push(("party_key", vec![SEED.to_vec()]));
    cases.push(("party_enter", vec![of(id), journal.to_vec(), drawn()]));
    cases.push(("party_kept", vec![of(id)]));
    cases.extend(act.iter().cloned());
    let mut said = run_on(&module::party(), &cases);
    for said in &said[..read.len()] {
        assert!(said["proven"].is_object(), "{said}");
    }
    said.split_off(read.len() + 1)
}

fn bytes(said: &Value) -> Vec<u8> {
    hex::decode(said.as_str().unwrap_or_else(|| panic!("{said}"))).unwrap()
}

/// The bytes of an action as a party in Rust signs them.
async fn signed(key: &LocalKey, action: Action, network: &NetworkId) -> Vec<u8> {
    let signature = key.sign(&action, network).await.unwrap();
    SignedTx::new(action, signature).unwrap().encode()
}

/// The join of party 0 with this seed.
async fn joined(key: &LocalKey, seed: &SessionSeed, id: SessionId, network: &NetworkId) -> Vec<u8> {
    let join = Join {
        session: id,
        index: 0,
        key: seed.encryption_key(Kem::X25519, &id, 0).unwrap(),
    };
    signed(key, Action::Join(join), network).await
}

/// Its post in round 1.
async fn posted(
    key: &LocalKey,
    seed: &SessionSeed,
    session: &Session,
    network: NetworkId,
) -> Vec<u8> {
    let (id, history) = (session.id(), session.history());
    let transcript = history.transcript();
    let to = history.join(1).unwrap();
    let context = PayloadContext {
        network,
        session: id,
        transcript,
        round: 1,
        from: 0,
        to: 1,
        from_key: &key.identity(),
        to_key: session.spec().key(1).unwrap(),
        to_join: to.digest(),
    };
    let sealed = seed.seal::<LibraryKem>(&context, &to.key, b"for you");
    let sealed = vec![(1, sealed.unwrap())];
    let post = Post::new(id, 1, (0, 2), transcript, b"hi".to_vec(), sealed);
    signed(key, Action::Post(post), &network).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_as_webassembly_writes_what_one_in_rust_writes() {
    if !module::is_possible() {
        return;
    }
    let board = board().await;
    let key = LocalKey::from_seed(&SEED).unwrap();
    let other = LocalKey::from_seed(&[2; 32]).unwrap();
    let roster = vec![key.identity(), other.identity()];
    let client = board.client(other);
    let spec = SpecBuilder::new("white-city/test", 1, roster).payloads(64, 2_048);
    let spec = spec.quorum(2).kem(Kem::X25519).build().unwrap();
    let id = client.open(spec).await.unwrap();
    let network = client.network().id;
    let seed = SessionSeed::new(drawn()[32..64].try_into().unwrap());
    let nonce = vec![7; 24];

    // It joins.
    let read = board.read(id, 0).await;
    let join = [
        ("party_join", vec![of(id), nonce.clone()]),
        ("party_kept", vec![of(id)]),
    ];
    let said = acted(&read, id, b"", &join);
    let expected = joined(&key, &seed, id, &network).await;
    let sent = bytes(&said[3]["done"]["send"]);
    assert_eq!(sent, expected);
    let journal = [&said[0]["done"]["keep"], &said[2]["done"]["keep"]]
        .map(bytes)
        .concat();

    // The board takes it, and the session goes on.
    let answer = board.rpc.broadcast_tx_sync(sent).await.unwrap();
    assert_eq!(answer.code.value(), 0, "{}", answer.log);
    let mut session = client.session(id).await.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();

    // It goes on from its journal, and posts.
    let before = read;
    let read = board.read(id, 1).await;
    let post = |text: &[u8]| {
        let post = json!({ "round": 1, "broadcast": "6869", "p2p": [[1, hex::encode(text)]] });
        (
            "party_post",
            vec![of(id), post.to_string().into_bytes(), nonce.clone()],
        )
    };
    let kept = ("party_kept", vec![of(id)]);
    let acts = [post(b"for you"), kept, post(b"for her")];
    let said = acted(&read, id, &journal, &acts);
    assert_eq!(said[0]["done"]["keep"], json!(null), "{}", said[0]);
    let expected = posted(&key, &seed, &session, network).await;
    assert_eq!(bytes(&said[3]["done"]["send"]), expected);
    assert_eq!(said[4]["failed"]["kind"], "differs", "{}", said[4]);

    // Killed before the board had it: what it has signed is what it sends, and nothing else is signed.
    let more = [&journal[..], &bytes(&said[2]["done"]["keep"])].concat();
    let acts = [
        post(b"for her"),
        post(b"for you"),
        ("party_standing", vec![of(id)]),
    ];
    let said = acted(&read, id, &more, &acts);
    assert_eq!(said[2]["failed"]["kind"], "differs", "{}", said[2]);
    assert_eq!(bytes(&said[3]["done"]["send"]), expected);
    assert_eq!(said[4]["done"]["send"], json!([hex::encode(&expected)]));

    refused(&read, id, &more);
    let said = acted(&before, id, &more, &[]);
    assert_eq!(said[0]["failed"]["kind"], "behind", "{}", said[0]);
    held_to_the_session(&read, id, &more);
    board.net.stop().await.unwrap();
}

/// A journal that was changed, or is of somebody else, and an order that isn't kept to.
fn refused(read: &[Case], id: SessionId, journal: &[u8]) {
    for at in (0..journal.len()).step_by(97) {
        let mut bad = journal.to_vec();
        bad[at] ^= 1;
        let said = acted(read, id, &bad, &[]);
        assert_eq!(said[0]["failed"]["kind"], "journal", "{at}: {}", said[0]);
    }
    // What names the session, where nothing is sealed yet.
    let mut head = journal.get(..HEADER_BYTES).unwrap().to_vec();
    head[50] ^= 1;
    let said = acted(read, id, &head, &[]);
    assert_eq!(said[0]["failed"]["kind"], "journal", "{}", said[0]);
    let mut cases = read.to_vec();
    cases.push(("party_join", vec![of(id), vec![7; 24]]));
    cases.push(("party_key", vec![vec![9; 32]]));
    cases.push(("party_enter", vec![of(id), journal.to_vec(), drawn()]));
    cases.push(("party_key", vec![SEED.to_vec()]));
    cases.push(("party_enter", vec![of(id), vec![], drawn()]));
    cases.push(("party_join", vec![of(id), vec![7; 24]]));
    let said = run_on(&module::party(), &cases);
    let said = &said[read.len()..];
    assert_eq!(said[0]["usage"], "no identity: party_key comes first");
    assert_eq!(said[2]["failed"]["kind"], "not_member");
    let usage = "what was to be kept wasn't: party_kept comes first";
    assert_eq!(said[5]["usage"], usage);
}

/// A party acts in the session that it has entered, as it was read last and by itself, and by whole rounds only; and not once it is closed.
fn held_to_the_session(read: &[Case], id: SessionId, journal: &[u8]) {
    let standing = |id| ("party_standing", vec![of(id)]);
    let ("answer", [asked, answer]) = (read[4].0, &read[4].1[..]) else {
        panic!("{}", read[4].0);
    };
    // As nobody in particular, which is another reading of the same session.
    let mut by_nobody: Value = serde_json::from_slice(asked).unwrap();
    by_nobody["reader"] = Value::Null;
    let by_nobody = by_nobody.to_string().into_bytes();
    // A closed round that is given as if it were open.
    let mut open = pb::Answer::decode(&answer[..]).unwrap();
    assert!(open.round.take().is_some());
    let open = open.encode_to_vec();
    let acts = [
        standing(SessionId([5; 32])),
        standing(id),
        ("answer", vec![by_nobody, answer.clone()]),
        standing(id),
        ("answer", vec![asked.clone(), open]),
        ("party_close", vec![]),
        standing(id),
    ];
    let said = acted(read, id, journal, &acts);
    let said = &said[2..];
    assert_eq!(said[0]["usage"], "the party acts in another session");
    assert!(said[1]["done"].is_object(), "{}", said[1]);
    assert!(said[2]["proven"].is_object(), "{}", said[2]);
    let usage = "the session that was read last isn't this one, or was read by another party";
    assert_eq!(said[3]["usage"], usage);
    let lie = "answer: a closed round without its proof";
    assert_eq!(said[4]["refused"]["text"], lie, "{}", said[4]);
    assert_eq!(said[6]["usage"], "no identity: party_key comes first");
}
