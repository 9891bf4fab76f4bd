//! An answer of a board, recorded with its genesis and its header. `UPDATE=1` records another one, of a board of Solo:
//! `UPDATE=1 cargo test -p white-city-tests --test wasm -- recorded`.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tendermint::block::signed_header::SignedHeader;
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as RawSignedHeader};
use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Client, LocalKey, Signer, SpecBuilder, Trust, genesis,
    read::{Read, ReadLeaf, check},
    wire::read::{QUERY_PATH, encode_query},
};
use white_city_testnet::{Engine, Options, Testnet};

/// Everything that somebody needs to verify one read, and what it proves.
pub struct Recorded {
    genesis: String,
    header: Vec<u8>,
    question: Vec<u8>,
    pub answer: Vec<u8>,
    pub proven: Value,
}

impl Recorded {
    /// As `verify_read` wants them.
    pub fn inputs(&self) -> Vec<Vec<u8>> {
        let Self {
            genesis,
            header,
            question,
            answer,
            ..
        } = self;
        let genesis = genesis.clone().into_bytes();
        vec![genesis, header.clone(), question.clone(), answer.clone()]
    }
}

fn file() -> PathBuf {
    crate::root().join("tests/wasm/read.json")
}

/// Contents of the file.
pub fn read() -> Recorded {
    let file: Value = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    let bytes = |field: &str| hex::decode(file[field].as_str().unwrap()).unwrap();
    Recorded {
        genesis: file["genesis"].to_string(),
        header: bytes("header"),
        question: bytes("question"),
        answer: bytes("answer"),
        proven: file["proven"].clone(),
    }
}

/// Opens a session on a board, and asks how it stands.
async fn record() -> Value {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    (options.engine, options.replicas) = (Engine::Solo, 1);
    let net = Testnet::create(&options).await.unwrap();
    net.start_all().await.unwrap();
    let path = net.dir().join("genesis.json");
    let key = LocalKey::from_seed(&[1; 32]).unwrap();
    let spec = SpecBuilder::new("white-city/test", 1, vec![key.identity()]);
    let url = net.rpc_urls()[0].clone();
    let client = Client::builder(genesis::trust(&path).unwrap()).replicas([url.clone()]);
    let client = client.signer(key).build().unwrap();
    let id = client.open(spec.build().unwrap()).await.unwrap();
    let mut session = client.session(id).await.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let rpc = HttpClient::builder(url.parse().unwrap()).compat_mode(CompatMode::V0_38);
    let rpc = rpc.build().unwrap();
    let question = encode_query(ReadLeaf(id.into()).question());
    let path_of = Some(QUERY_PATH.to_owned());
    let answer = rpc.abci_query(path_of, question.clone(), None, false);
    let answer = answer.await.unwrap().value;
    let height = white_city_client::wire::read::decode_answer(&answer[..])
        .unwrap()
        .height;
    let commit = rpc.commit(u32::try_from(height).unwrap()).await.unwrap();
    let header = <SignedHeader as Protobuf<RawSignedHeader>>::encode_vec(commit.signed_header);
    let genesis: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let trust = Trust::genesis_json(genesis.to_string().as_bytes()).unwrap();
    let verified = trust.decode_header(&header).unwrap().into();
    let state = check(&ReadLeaf(id.into()), &trust, &answer, &verified).unwrap();
    json!({
        "genesis": genesis,
        "header": hex::encode(header),
        "question": hex::encode(question),
        "answer": hex::encode(&answer),
        "proven": {
            "height": state.height(),
            "board_ms": state.board_ms(),
            "value": {
                "number": state.number,
                "session": id.to_string(),
                "status": "Running",
                "open_round": 1,
                "transcript": state.leaf.transcript.to_string(),
            },
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_verifies_here_too() {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&record().await).unwrap();
        fs::write(file(), text + "\n").unwrap();
    }
    let read = read();
    let [genesis, header, _, answer] = read.inputs().try_into().unwrap();
    let trust = Trust::genesis_json(&genesis).unwrap();
    let header = trust.decode_header(&header).unwrap().into();
    let id = read.proven["value"]["session"].as_str().unwrap();
    let id = white_city_client::SessionId::from_hex(id).unwrap();
    let state = check(&ReadLeaf(id.into()), &trust, &answer, &header).unwrap();
    assert_eq!(read.proven["height"], state.height());
}
