//! Cost of verified reads: microseconds and bytes for each kind, as the number of parties grows, and their share in a round.
//!
//! ```console
//! $ cargo run --release -p white-city-tests --example verified_reads
//! ```
//!
//! Answers come from a Solo board with a session of `n` parties, of which each has joined and posted a broadcast of 200 bytes
//! and 80 bytes for each other one. Times are medians, of this process alone: no network, no replica. Each is shown beside
//! what it is made of: decoding the same answer, and checking as many Ed25519 signatures as it holds, one after the other.

use std::{hint::black_box, time::Duration, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use tendermint::block::{Header, signed_header::SignedHeader};
use white_city_client::{
    Client, IdentityKey, LocalKey, SessionId, Signer, Spec, SpecBuilder, Trust, genesis,
    history::History,
    read::{
        Read, ReadEvidence, ReadInbox, ReadLeaf, ReadOpeners, ReadRoster, ReadRound, ReadSession,
        ReadSpec, ReadStatus, ReadTranscript, Verified, check,
    },
    wire::{
        Hash, Kem, Network, SignedTx,
        genesis::{Chain, Validator},
        payload::SessionSeed,
        read::{QUERY_PATH, decode_answer, encode_query},
        seal::BlockTime,
        tx::{Action, Join, Post},
    },
};
use white_city_testnet::{Engine, Options, Testnet, default_app_state, solo::Solo};
use white_city_tests::tampering::Council;

/// Bytes of each broadcast, and of each sealed payload.
const PAYLOADS: (usize, usize) = (200, 80);
/// Transactions on their way at once.
const AT_ONCE: usize = 16;
/// Number of times that each thing is measured.
const TIMES: usize = 21;

#[tokio::main]
async fn main() {
    let sizes: Vec<u16> = std::env::args()
        .skip(1)
        .map(|n| n.parse().unwrap())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![4, 16, 64, 128, 256, 512]
    } else {
        sizes
    };
    let signature_us = signature_us();
    println!("one Ed25519 signature: {signature_us:.1} us\n");
    println!(
        "| {:<10} | {:>4} | {:>9} | {:>10} | {:>10} | {:>9} | {:>13} |",
        "read", "n", "bytes", "check us", "decode us", "signed", "check / floor"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut last = None;
    for n in sizes {
        let bench = Bench::new(n).await;
        bench.run(signature_us).await;
        last = Some(bench.header().await);
    }
    let Some(last) = last else { return };
    println!("\nonce for each height and client: the header");
    for validators in [4, 7, 16, 64] {
        let (bytes, us) = header(&last, validators);
        let least = f64::from(2 * u32::from(validators) / 3 + 1) * signature_us;
        println!(
            "{validators:>3} validators: {bytes:>6} bytes, {us:>6.0} us, {:.2} of its signatures alone",
            us / least
        );
    }
}

/// Size of a header that all of `count` validators have signed, bytes, and what it costs to check, microseconds.
fn header(header: &Header, count: u8) -> (usize, f64) {
    let council = Council::new((1..=count).map(|k| [k; 32]));
    let validators = council
        .keys()
        .into_iter()
        .map(|key| Validator { key, power: 10 });
    let chain = Chain {
        genesis_time: BlockTime::default(),
        chain_id: header.chain_id.to_string(),
        initial_height: 1,
        validators: validators.collect(),
        block_max_bytes: -1,
        evidence_max_bytes: 0,
    };
    let trust = Trust::new(Network::new(chain, default_app_state().unwrap()).unwrap()).unwrap();
    let header = Header {
        validators_hash: council.hash(),
        next_validators_hash: council.hash(),
        ..header.clone()
    };
    let signed = council.sign(header, count.into());
    let bytes = trust.verify(signed.clone()).unwrap().encode().len();
    let us = median_us(|| drop(black_box(trust.verify(signed.clone()).unwrap())));
    (bytes, us)
}

/// The median of what `measured` takes, microseconds.
fn median_us(mut measured: impl FnMut()) -> f64 {
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            measured();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[TIMES / 2].as_secs_f64() * 1e6
}

fn signature_us() -> f64 {
    let key = SigningKey::from_bytes(&[1; 32]);
    let signature = key.sign(b"a digest of 32 bytes, and a tag");
    let public = key.verifying_key();
    median_us(|| {
        for _ in 0..32 {
            let checked = public.verify_strict(b"a digest of 32 bytes, and a tag", &signature);
            black_box(checked).unwrap();
        }
    }) / 32.0
}

struct Bench {
    n: u16,
    id: SessionId,
    spec: Spec,
    trust: Trust,
    solo: Solo,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

fn party(index: u16) -> LocalKey {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&index.to_be_bytes());
    LocalKey::from_seed(&seed).unwrap()
}

impl Bench {
    async fn new(n: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            engine: Engine::Solo,
            replicas: 1,
            app_state: Some(default_app_state().unwrap()),
            ..Options::new(dir.path().join("net"))
        };
        let home = Testnet::create(&options).await.unwrap().home(0);
        let solo = Solo::start_in_memory(&home, 0).await.unwrap();
        let roster: Vec<IdentityKey> = (0..n).map(|index| party(index).identity()).collect();
        let hour = Duration::from_secs(3_600);
        let spec = SpecBuilder::new("white-city/bench", 1, roster)
            .max_rounds(4)
            .kem(Kem::X25519)
            .payloads(
                PAYLOADS.0.try_into().unwrap(),
                PAYLOADS.1.try_into().unwrap(),
            )
            .times(hour, hour, hour)
            .build()
            .unwrap();
        let trust = genesis::trust(dir.path().join("net/genesis.json")).unwrap();
        let client = Client::builder(trust.clone())
            .replicas([solo.rpc_url()])
            .signer(party(0))
            .build()
            .unwrap();
        let id = client.open(spec.clone()).await.unwrap();
        let bench = Self {
            n,
            id,
            spec,
            trust,
            solo,
            http: reqwest::Client::new(),
            _dir: dir,
        };
        bench.fill(&client).await;
        bench
    }

    /// Everybody joins and posts in round 1.
    async fn fill(&self, client: &Client) {
        let joins = (0..self.n).map(|index| {
            let key = SessionSeed::new([1; 32]).encryption_key(Kem::X25519, &self.id, index);
            Action::Join(Join {
                session: self.id,
                index,
                key: key.unwrap(),
            })
        });
        self.submit(joins.collect()).await;
        let transcript = self.wait_open(client, 1).await;
        let posts = (0..self.n).map(|index| {
            let others = (0..self.n).filter(|to| *to != index);
            let p2p = others.map(|to| (to, vec![9; PAYLOADS.1])).collect();
            let broadcast = vec![8; PAYLOADS.0];
            let place = (index, self.n);
            Action::Post(Post::new(self.id, 1, place, transcript, broadcast, p2p))
        });
        self.submit(posts.collect()).await;
        self.wait_open(client, 2).await;
    }

    async fn submit(&self, actions: Vec<Action>) {
        use futures::StreamExt;
        futures::stream::iter((0..).zip(actions))
            .for_each_concurrent(AT_ONCE, |(index, action)| async move {
                let signer = party(index);
                let signature = signer.sign(&action, &self.trust.network().id).await;
                let tx = SignedTx::new(action, signature.unwrap()).unwrap();
                let tx = json!({ "tx": STANDARD.encode(tx.encode()) });
                let answer = self.call("broadcast_tx_sync", tx).await;
                assert_eq!(answer["code"], 0, "{answer}");
            })
            .await;
    }

    async fn wait_open(&self, client: &Client, round: u32) -> Hash {
        loop {
            let state = client.state(self.id).await.unwrap();
            if state.leaf.open_round >= round {
                return state.leaf.transcript;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(self.solo.rpc_url()).body(body.to_string());
        let answer = answer.send().await.unwrap().bytes().await.unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["result"].take()
    }

    async fn run(&self, signature_us: f64) {
        let (id, spec) = (self.id, &self.spec);
        let n = u32::from(self.n);
        let floor = |signatures| Floor {
            signatures,
            signature_us,
        };
        self.measure("status", &ReadStatus, floor(0)).await;
        self.measure("openers", &ReadOpeners { from: 0 }, floor(0))
            .await;
        self.measure("leaf", &ReadLeaf(id.into()), floor(0)).await;
        self.measure("spec", &ReadSpec(id), floor(1)).await;
        self.measure("session", &ReadSession { id, spec }, floor(0))
            .await;
        self.measure("roster", &ReadRoster { id, spec }, floor(n))
            .await;
        let round = 1;
        self.measure("slots", &ReadRound { id, spec, round }, floor(0))
            .await;
        self.measure("transcript", &ReadTranscript(id), floor(0))
            .await;
        self.measure("evidence", &ReadEvidence { id, spec }, floor(0))
            .await;
        self.inbox(floor(n)).await;
        self.share_of_a_round().await;
    }

    async fn measure<R: Read>(&self, name: &str, read: &R, floor: Floor) -> Verified<R::Value> {
        let (answer, header) = self.ask(read).await;
        let checked = || check(read, &self.trust, &answer, &header).unwrap();
        let us = median_us(|| drop(black_box(checked())));
        let decode_us = median_us(|| drop(black_box(decode_answer(&answer[..]).unwrap())));
        self.row(name, answer.len(), us, decode_us, &floor);
        checked()
    }

    fn row(&self, name: &str, bytes: usize, us: f64, decode_us: f64, floor: &Floor) {
        let least = decode_us + f64::from(floor.signatures) * floor.signature_us;
        println!(
            "| {name:<10} | {:>4} | {bytes:>9} | {us:>10.0} | {decode_us:>10.0} | {:>9} | {:>13.2} |",
            self.n,
            floor.signatures,
            us / least
        );
    }

    async fn ask<R: Read>(
        &self,
        read: &R,
    ) -> (
        Vec<u8>,
        std::sync::Arc<white_city_client::trust::VerifiedHeader>,
    ) {
        let data = hex::encode(encode_query(read.question()));
        let query = json!({ "path": QUERY_PATH, "data": data, "height": "0", "prove": false });
        let answer = self.call("abci_query", query).await;
        let answer = STANDARD
            .decode(answer["response"]["value"].as_str().unwrap())
            .unwrap();
        let height = decode_answer(&answer[..]).unwrap().height.to_string();
        let commit = self.call("commit", json!({ "height": height })).await;
        let header: SignedHeader = serde_json::from_value(commit["signed_header"].clone()).unwrap();
        (
            answer,
            std::sync::Arc::new(self.trust.verify(header).unwrap()),
        )
    }

    /// The newest header.
    async fn header(&self) -> Header {
        let commit = self.call("commit", json!({})).await;
        let signed: SignedHeader = serde_json::from_value(commit["signed_header"].clone()).unwrap();
        signed.header
    }

    /// A whole round as a party reads it: all pages, every signature, its own ciphertexts with their paths.
    async fn inbox(&self, floor: Floor) {
        let mut history = History::new(self.trust.network().id, self.id, self.spec.clone());
        let joining = self.pages(0).await;
        let first = joining.first().unwrap();
        let joins: Vec<_> = joining
            .iter()
            .flat_map(|page| page.0.joins.clone())
            .collect();
        let leaf = &first.0.now.as_ref().unwrap().leaf;
        let proof = first.0.proof.as_ref().unwrap();
        history.push(history.check_joining(&joins, proof, leaf).unwrap());

        let pages = self.pages(1).await;
        let bytes = pages.iter().map(|page| page.1.len()).sum();
        let read = |from_index| ReadInbox {
            id: self.id,
            spec: &self.spec,
            round: 1,
            reader: Some(0),
            from_index,
        };
        let us = median_us(|| {
            let mut entries = Vec::new();
            let mut first = None;
            for (_, answer, header, from) in &pages {
                let page = check(&read(*from), &self.trust, answer, header).unwrap();
                let page = page.into_value();
                entries.extend(page.entries);
                first = first.or(page.now.zip(page.proof));
            }
            let (now, proof) = first.unwrap();
            let closed = history.check_round(Some(0), &entries, &proof, &now.leaf);
            black_box(closed.unwrap());
        });
        let decode_us = median_us(|| {
            for page in &pages {
                black_box(decode_answer(&page.1[..]).unwrap());
            }
        });
        self.row("inbox", bytes, us, decode_us, &floor);
    }

    async fn pages(&self, round: u32) -> Vec<Page> {
        let mut pages = Vec::new();
        let mut next = Some(0);
        while let Some(from_index) = next {
            let read = ReadInbox {
                id: self.id,
                spec: &self.spec,
                round,
                reader: Some(0),
                from_index,
            };
            let (answer, header) = self.ask(&read).await;
            let page = check(&read, &self.trust, &answer, &header).unwrap();
            let page = page.into_value();
            next = page.next_index;
            pages.push((page, answer, header, from_index));
        }
        pages
    }

    /// Round 2, in which party 0 is a real client and the others post at once: how long it takes, and what part of that its
    /// checking is.
    async fn share_of_a_round(&self) {
        let client = Client::builder(self.trust.clone())
            .replicas([self.solo.rpc_url()])
            .build()
            .unwrap();
        let mut observer = client.observe(self.id).await.unwrap();
        let transcript = observer.history().transcript();
        let posts = (0..self.n).map(|index| {
            let place = (index, self.n);
            let broadcast = vec![8; PAYLOADS.0];
            Action::Post(Post::new(
                self.id,
                2,
                place,
                transcript,
                broadcast,
                Vec::new(),
            ))
        });
        let began = Instant::now();
        self.submit(posts.collect()).await;
        while observer.history().open_round() < 3 {
            observer.sync().await.unwrap();
        }
        let round_us = began.elapsed().as_secs_f64() * 1e6;
        let read = ReadInbox {
            id: self.id,
            spec: &self.spec,
            round: 2,
            reader: None,
            from_index: 0,
        };
        let (answer, header) = self.ask(&read).await;
        let before = {
            let mut before = History::new(self.trust.network().id, self.id, self.spec.clone());
            for round in 0..2 {
                before.push(observer.history().round(round).unwrap().clone());
            }
            before
        };
        let us = median_us(|| {
            let page = check(&read, &self.trust, &answer, &header)
                .unwrap()
                .into_value();
            let (now, proof) = page.now.zip(page.proof).unwrap();
            let closed = before.check_round(None, &page.entries, &proof, &now.leaf);
            black_box(closed.unwrap());
        });
        println!(
            "a round of {} on Solo: {:.1} ms, of which one party's checking is {:.1} %",
            self.n,
            round_us / 1e3,
            100.0 * us / round_us
        );
    }
}

/// A page, its answer, its header, and where it begins.
type Page = (
    white_city_client::read::InboxPage,
    Vec<u8>,
    std::sync::Arc<white_city_client::trust::VerifiedHeader>,
    u16,
);

/// Cost of the signatures in an answer alone.
struct Floor {
    signatures: u32,
    signature_us: f64,
}
