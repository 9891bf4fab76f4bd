//! The chain of one validator: blocks when there are transactions, when the state has changed, and as a heartbeat.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    time::Duration,
};

use bytes::Bytes;
use ed25519_dalek::Signer;
use prost::Message;
use tendermint::{
    AppHash, Hash, Signature, Time, Vote, account,
    block::{self, Commit, CommitSig, Header, parts, signed_header::SignedHeader},
    validator, vote,
};
use tendermint_abci::Application;
use tendermint_proto::v0_38::{
    abci::{
        CheckTxType, Event, RequestCheckTx, RequestFinalizeBlock, RequestInfo,
        RequestPrepareProposal, RequestProcessProposal, response_process_proposal::ProposalStatus,
    },
    types::HashedParams,
};
use tokio::sync::{Notify, watch};
use white_city_replica::{Replica, halt::Stop};

use super::{
    genesis::{SoloGenesis, timestamp},
    hashes::{commit_hash, empty_root, root},
};

/// Room for header and the one validator's commit in a block, bytes: a proposal counts its framing itself.
const BLOCK_OVERHEAD_BYTES: i64 = 4 << 10;
/// Most transactions that wait for a block.
const MEMPOOL_TXS_MAX: usize = 20_000;
/// Version of CometBFT's block format.
const BLOCK_VERSION: u64 = 11;

/// A block with its commit.
#[derive(Debug, Clone)]
pub struct SoloBlock {
    /// Header and commit.
    pub signed_header: SignedHeader,
    /// Seal and transactions.
    pub txs: Vec<Bytes>,
    /// Events that the application tells those who follow.
    pub events: Vec<Event>,
}

struct Tip {
    height: u64,
    id: Option<block::Id>,
    time: Time,
    app_hash: Vec<u8>,
    /// Whether the last block has changed the state, so that another one has to certify it.
    changed: bool,
    last_commit_hash: Hash,
}

/// The chain.
pub struct Chain {
    replica: Replica,
    /// The genesis that it began with.
    pub genesis: SoloGenesis,
    blocks: Mutex<BTreeMap<u64, SoloBlock>>,
    mempool: Mutex<BTreeMap<u64, Bytes>>,
    next_tx: Mutex<u64>,
    arrived: Notify,
    tip: Mutex<Tip>,
    heights: watch::Sender<u64>,
    stopped: AtomicBool,
    halted: Mutex<Receiver<Stop>>,
    diagnosis: Mutex<Option<String>>,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("chain_id", &self.genesis.chain_id)
            .field("height", &self.height())
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Goes on where the application's store ends, or begins.
    pub fn start(
        replica: Replica,
        genesis: SoloGenesis,
        halted: Receiver<Stop>,
    ) -> Result<Self, String> {
        let info = replica.info(RequestInfo::default());
        let height = u64::try_from(info.last_block_height).unwrap_or(0);
        let tip = if height == 0 {
            let app_hash = replica.init_chain(genesis.init.clone()).app_hash;
            if let Ok(Stop::Halted(diagnosis)) = halted.try_recv() {
                return Err(diagnosis);
            }
            Tip {
                height: 0,
                id: None,
                time: genesis.time,
                app_hash: app_hash.to_vec(),
                changed: true,
                last_commit_hash: empty_root(),
            }
        } else {
            let committed = replica.committed().ok_or("the store has no state")?;
            if committed.state.network().chain_id != genesis.chain_id {
                return Err("the store is of another chain".into());
            }
            let time = committed.tip.time;
            Tip {
                height,
                id: Some(block_id(Hash::Sha256(committed.tip.block_hash.0))),
                time: Time::from_unix_timestamp(time.seconds, time.nanos)
                    .map_err(|error| error.to_string())?,
                app_hash: info.last_block_app_hash.to_vec(),
                // Blocks and commits are gone with the process that made them: a new block certifies the state that was found.
                changed: true,
                last_commit_hash: empty_root(),
            }
        };
        Ok(Self {
            replica,
            genesis,
            blocks: Mutex::default(),
            mempool: Mutex::default(),
            next_tx: Mutex::default(),
            arrived: Notify::new(),
            heights: watch::Sender::new(tip.height),
            tip: Mutex::new(tip),
            stopped: AtomicBool::new(false),
            halted: Mutex::new(halted),
            diagnosis: Mutex::default(),
        })
    }

    /// The application.
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Height of the last block.
    pub fn height(&self) -> u64 {
        *self.heights.borrow()
    }

    /// Tells of every new height.
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.heights.subscribe()
    }

    /// The last root.
    pub fn app_hash(&self) -> Vec<u8> {
        lock(&self.tip).app_hash.clone()
    }

    /// A block that was made since the start.
    pub fn block(&self, height: u64) -> Option<SoloBlock> {
        lock(&self.blocks).get(&height).cloned()
    }

    /// Time of the last block.
    pub fn time(&self) -> Time {
        lock(&self.tip).time
    }

    /// Takes a transaction into the mempool, if the application does; the code and text say why not.
    pub fn submit(&self, tx: Bytes) -> (u32, String) {
        if lock(&self.mempool).len() >= MEMPOOL_TXS_MAX {
            return (1, format!("{MEMPOOL_TXS_MAX} transactions wait already"));
        }
        let checked = self.replica.check_tx(&tx);
        if let Err(refusal) = checked {
            return (refusal.code(), refusal.to_string());
        }
        let mut mempool = lock(&self.mempool);
        if !mempool.values().any(|pending| *pending == tx) {
            let mut next = lock(&self.next_tx);
            mempool.insert(*next, tx);
            *next += 1;
        }
        drop(mempool);
        self.arrived.notify_one();
        (0, String::new())
    }

    /// Ends the making of blocks.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.arrived.notify_one();
        // Whoever follows is woken, to see that it has ended.
        self.heights.send_modify(|_| {});
    }

    /// Whether the making of blocks has been told to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Why the application has halted, if it has.
    pub fn diagnosis(&self) -> Option<String> {
        lock(&self.diagnosis).clone()
    }

    /// Makes blocks until the end.
    pub async fn make_blocks(self: std::sync::Arc<Self>) {
        let heartbeat = Duration::from_millis(self.genesis.heartbeat_ms);
        while !self.stopped.load(Ordering::SeqCst) {
            let idle = !lock(&self.tip).changed && lock(&self.mempool).is_empty();
            if idle {
                let _ = tokio::time::timeout(heartbeat, self.arrived.notified()).await;
                if self.stopped.load(Ordering::SeqCst) {
                    return;
                }
            }
            let chain = std::sync::Arc::clone(&self);
            let made = tokio::task::spawn_blocking(move || chain.make_block()).await;
            let diagnosis = match made {
                Ok(Ok(())) => continue,
                Ok(Err(diagnosis)) => diagnosis,
                Err(error) => error.to_string(),
            };
            tracing::error!(%diagnosis, "no more blocks");
            *lock(&self.diagnosis) = Some(diagnosis);
            return;
        }
    }

    fn make_block(&self) -> Result<(), String> {
        let mut tip = lock(&self.tip);
        let height = tip.height + 1;
        let time = if height == 1 {
            self.genesis.time
        } else {
            later_than(tip.time)
        };
        let waiting: Vec<Bytes> = lock(&self.mempool).values().cloned().collect();
        let proposer = Bytes::copy_from_slice(self.address().as_bytes());
        let txs = self
            .replica
            .prepare_proposal(RequestPrepareProposal {
                max_tx_bytes: self
                    .genesis
                    .block_max_bytes
                    .saturating_sub(BLOCK_OVERHEAD_BYTES),
                txs: waiting,
                height: i64::try_from(height).unwrap_or(i64::MAX),
                time: Some(timestamp(time)),
                proposer_address: proposer.clone(),
                ..Default::default()
            })
            .txs;
        let header = self.header(&tip, height, time, &txs)?;
        let hash = header.hash();
        self.decide(height, time, hash, proposer, &txs)?;
        let (finalized_hash, events) = self.finalize(height, time, hash, &txs)?;
        let signed_header = self.sign(header, hash, time)?;
        tip.last_commit_hash = commit_hash(&signed_header.commit);
        // Whoever reads the state that this block leaves asks for the header that certifies it.
        let kept = txs.clone();
        let block = SoloBlock {
            signed_header,
            txs: kept,
            events,
        };
        lock(&self.blocks).insert(height, block);
        self.replica.commit();
        self.check_halted()?;
        tip.changed = tip.app_hash != finalized_hash;
        tip.app_hash = finalized_hash;
        (tip.height, tip.time, tip.id) = (height, time, Some(block_id(hash)));
        drop(tip);
        self.recheck(&txs);
        self.heights.send_replace(height);
        Ok(())
    }

    fn decide(
        &self,
        height: u64,
        time: Time,
        hash: Hash,
        proposer: Bytes,
        txs: &[Bytes],
    ) -> Result<(), String> {
        let answer = self.replica.process_proposal(RequestProcessProposal {
            txs: txs.to_vec(),
            hash: Bytes::copy_from_slice(hash.as_bytes()),
            height: i64::try_from(height).unwrap_or(i64::MAX),
            time: Some(timestamp(time)),
            proposer_address: proposer,
            ..Default::default()
        });
        self.check_halted()?;
        if answer.status != i32::from(ProposalStatus::Accept) {
            return Err(format!(
                "the application rejects its own proposal at height {height}"
            ));
        }
        Ok(())
    }

    fn finalize(
        &self,
        height: u64,
        time: Time,
        hash: Hash,
        txs: &[Bytes],
    ) -> Result<(Vec<u8>, Vec<Event>), String> {
        let finalized = self.replica.finalize_block(RequestFinalizeBlock {
            txs: txs.to_vec(),
            hash: Bytes::copy_from_slice(hash.as_bytes()),
            height: i64::try_from(height).unwrap_or(i64::MAX),
            time: Some(timestamp(time)),
            proposer_address: Bytes::copy_from_slice(self.address().as_bytes()),
            ..Default::default()
        });
        self.check_halted()?;
        Ok((finalized.app_hash.to_vec(), finalized.events))
    }

    fn check_halted(&self) -> Result<(), String> {
        match lock(&self.halted).try_recv() {
            Ok(Stop::Halted(diagnosis)) => Err(diagnosis),
            _ => Ok(()),
        }
    }

    /// Drops what was included, and what the new state refuses.
    fn recheck(&self, included: &[Bytes]) {
        let waiting = lock(&self.mempool).clone();
        for (number, tx) in waiting {
            let keep = !included.contains(&tx) && {
                let request = RequestCheckTx {
                    tx,
                    r#type: CheckTxType::Recheck.into(),
                };
                Application::check_tx(&self.replica, request).code == 0
            };
            if !keep {
                lock(&self.mempool).remove(&number);
            }
        }
    }

    fn header(&self, tip: &Tip, height: u64, time: Time, txs: &[Bytes]) -> Result<Header, String> {
        let bad = |error: tendermint::Error| error.to_string();
        let hashes: Vec<Vec<u8>> = txs
            .iter()
            .map(|tx| white_city_wire::hash::sha256(tx).0.to_vec())
            .collect();
        let validators = self.validators().hash();
        Ok(Header {
            version: block::header::Version {
                block: BLOCK_VERSION,
                app: 0,
            },
            chain_id: self.genesis.chain_id.parse().map_err(bad)?,
            height: block::Height::try_from(height).map_err(bad)?,
            time,
            last_block_id: tip.id,
            last_commit_hash: Some(tip.last_commit_hash),
            data_hash: Some(root(&hashes)),
            validators_hash: validators,
            next_validators_hash: validators,
            consensus_hash: self.consensus_hash(),
            app_hash: AppHash::try_from(tip.app_hash.clone()).map_err(bad)?,
            last_results_hash: Some(empty_root()),
            evidence_hash: Some(empty_root()),
            proposer_address: self.address(),
        })
    }

    fn sign(&self, header: Header, hash: Hash, time: Time) -> Result<SignedHeader, String> {
        let vote = Vote {
            vote_type: vote::Type::Precommit,
            height: header.height,
            round: block::Round::default(),
            block_id: Some(block_id(hash)),
            timestamp: Some(time),
            validator_address: self.address(),
            validator_index: vote::ValidatorIndex::try_from(0_u32).map_err(|e| e.to_string())?,
            signature: None,
            extension: Vec::new(),
            extension_signature: None,
        };
        let bytes = vote.into_signable_vec(header.chain_id.clone());
        let signature = self.genesis.key.sign(&bytes).to_bytes().to_vec();
        let commit = Commit {
            height: header.height,
            round: block::Round::default(),
            block_id: block_id(hash),
            signatures: vec![CommitSig::BlockIdFlagCommit {
                validator_address: self.address(),
                timestamp: time,
                signature: Signature::new(signature).map_err(|error| error.to_string())?,
            }],
        };
        SignedHeader::new(header, commit).map_err(|error| error.to_string())
    }

    /// The one validator.
    pub fn validators(&self) -> validator::Set {
        let power = vote::Power::try_from(self.genesis.power).unwrap_or_default();
        let info = validator::Info::new(self.genesis.public_key, power);
        validator::Set::without_proposer(vec![info])
    }

    fn address(&self) -> account::Id {
        account::Id::from(self.genesis.public_key)
    }

    fn consensus_hash(&self) -> Hash {
        let params = HashedParams {
            block_max_bytes: self.genesis.block_max_bytes,
            block_max_gas: -1,
        };
        Hash::Sha256(white_city_wire::hash::sha256(&params.encode_to_vec()).0)
    }
}

/// The only part set that Solo has: nobody gossips its blocks.
fn block_id(hash: Hash) -> block::Id {
    let part = Hash::Sha256(white_city_wire::hash::sha256(hash.as_bytes()).0);
    block::Id {
        hash,
        part_set_header: parts::Header::new(1, part).unwrap_or_default(),
    }
}

fn later_than(before: Time) -> Time {
    let next = before
        .checked_add(Duration::from_millis(1))
        .unwrap_or(before);
    Time::now().max(next)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
