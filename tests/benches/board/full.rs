//! Rounds on a board that is full of sessions that have ended, beside rounds on the same board when it was empty.

use std::time::Instant;

use serde_json::json;
use white_city_client::{
    Client, Hash, SessionId, Signer, SpecBuilder,
    wire::{
        Kem, NetworkId, SignedTx,
        board::{slots_root, transcript_after},
        entry::FinishHeader,
        payload::SessionSeed,
        tx::{Action, Join, Open},
    },
};

use crate::{
    Bench,
    clients::Clients,
    cpu::peak_mib,
    engine::Blocks,
    report::Report,
    rounds::session,
    sender::Sender,
    warm_up::warm_up,
    world::{Key, Setup, World, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of sessions that have ended on the board; may be given several times, ascending.
    #[arg(long, default_values_t = [1_000, 10_000, 100_000])]
    sessions: Vec<u32>,
    /// Rounds of the session that is measured.
    #[arg(long, default_value_t = 60)]
    rounds: u32,
    /// Number of parties that it has.
    #[arg(long, default_value_t = 4)]
    parties: u16,
}

/// Sessions that are filled in at once.
const AT_ONCE: u32 = 1_000;

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("full", "Rounds beside sessions that have ended").over("ended");
    let opener = keys(1)[0];
    let setup = Setup {
        opener: Some(opener),
        replica_config: "pending_per_identity = 5000\n",
        ..Setup::default()
    };
    let world = bench.board(setup).await?;
    warm_up(&world).await;
    let measure = async || session(&world, Clients::One, args.parties, 250, args.rounds).await;
    let empty = measure().await;
    let mut filling = Filling::new(&world, opener).await;
    let mut row = |ended: u32, round_ms: f64, blocks: f64, a_second: f64, mib: f64| {
        report.row(vec![
            ("ended", json!(ended)),
            ("round ms", json!(round_ms)),
            ("round/empty", json!(round_ms / empty.round_ms)),
            ("blocks", json!(blocks)),
            ("ended a second", json!(a_second)),
            ("replica MiB", json!(mib)),
        ]);
    };
    row(
        0,
        empty.round_ms,
        empty.blocks,
        f64::NAN,
        peak_mib(&world).0,
    );
    let mut ended = 0;
    for wanted in &args.sessions {
        let (began, more) = (Instant::now(), wanted.saturating_sub(ended));
        while ended < *wanted {
            let some = AT_ONCE.min(*wanted - ended);
            filling.end(some).await;
            ended += some;
        }
        let a_second = f64::from(more) / began.elapsed().as_secs_f64();
        let rounds = measure().await;
        row(
            ended,
            rounds.round_ms,
            rounds.blocks,
            a_second,
            peak_mib(&world).0,
        );
    }
    Bench::end(world).await;
    Some(report)
}

/// Opens sessions of one party and ends them.
struct Filling<'a> {
    world: &'a World,
    sender: Sender,
    client: Client,
    key: Key,
    network: NetworkId,
    next: u64,
}

impl<'a> Filling<'a> {
    async fn new(world: &'a World, key: Key) -> Self {
        let client = world.client(&key);
        Self {
            world,
            sender: Sender::new(world).await,
            network: client.network().id,
            client,
            key,
            next: 0,
        }
    }

    /// So many sessions, from their opening to their end.
    async fn end(&mut self, count: u32) {
        let now_ms = self.client.status().await.unwrap().board_ms();
        let (mut opens, mut joins, mut finishes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let (open, id) = self.open(now_ms);
            opens.push(self.signed(open).await);
            let public = SessionSeed::new([7; 32]).encryption_key(Kem::X25519, &id, 0);
            let join = Join {
                session: id,
                index: 0,
                key: public.unwrap(),
            };
            let joined = slots_root([Some(join.digest())]);
            let finish = FinishHeader {
                session: id,
                round: 1,
                index: 0,
                transcript: transcript_after(&Hash(id.0), 0, &joined),
                outcome: Hash([9; 32]),
            };
            joins.push(self.signed(Action::Join(join)).await);
            finishes.push(self.signed(Action::Finish(finish)).await);
        }
        // Followed only as long as sessions are filled in: that costs the engine, too.
        let blocks = Blocks::follow(&self.world.net.rpc_urls()[0]);
        let mut blocks = blocks.await.with_seals();
        for txs in [opens, joins, finishes] {
            tokio::join!(self.sender.flood(&txs, 64, 1), blocks.until(txs.len()));
        }
    }

    fn open(&mut self, now_ms: u64) -> (Action, SessionId) {
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.next.to_be_bytes());
        self.next += 1;
        let spec = SpecBuilder::new("white-city/full", 1, vec![self.key.identity()])
            .max_rounds(2)
            .kem(Kem::X25519)
            .payloads(1, 1)
            .build();
        let open = Open {
            spec: spec.unwrap(),
            opener: self.key.identity(),
            nonce,
            open_by_ms: now_ms + self.client.network().params.max_open_ms / 2,
            stamp: 0,
        };
        let id = open.session_id(&self.network);
        (Action::Open(open), id)
    }

    async fn signed(&self, action: Action) -> Vec<u8> {
        let signature = self.key.local().sign(&action, &self.network).await.unwrap();
        SignedTx::new(action, signature).unwrap().encode()
    }
}
