//! From the chunks of a snapshot to a store. Nothing of it is believed: it comes to the root that more than two thirds of the validators
//! have signed, or it is rejected.

use std::{collections::BTreeSet, sync::Arc};

use prost::bytes::Bytes;
use white_city_state_machine::{AppendTree, Frozen, State};
use white_city_verify::Trust;
use white_city_wire::{Hash, Network, Refusal, board::Status, hash::sha256, pb};

use super::{
    items::{BoardItem, Content, LinkItem, SessionItem, decode_chunk},
    rebuild::Rebuild,
    shelf::Manifest,
};
use crate::store::{Fill, SessionRecord, Store, StoreError, Tip};

/// Why a snapshot, or a chunk of it, isn't taken.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The chunk isn't the one that the manifest names: whoever sent it lies, and another one may have it.
    #[error("the chunk isn't the one that the snapshot names")]
    Chunk,
    /// A chunk of a layout that isn't one.
    #[error("a chunk isn't a row of items")]
    Malformed,
    /// An item where it can't be.
    #[error("an item is out of order: {0}")]
    Order(&'static str),
    /// A part of a session that isn't what its leaf says.
    #[error("a session doesn't fit its leaf: {0}")]
    Session(&'static str),
    /// A transaction that is none, or whose signature doesn't verify.
    #[error("a transaction: {0}")]
    Tx(#[from] Refusal),
    /// Links that don't lead to the era that the state is of.
    #[error("its links: {0}")]
    Links(String),
    /// All of it comes to another root, or the store of this machine fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A snapshot that is being restored, into a store beside the one that is in use.
pub struct Restorer {
    manifest: Manifest,
    root: Hash,
    network: Arc<Network>,
    trust: Trust,
    store: Store,
    /// Number of chunks that were taken.
    taken: usize,
    board: Option<BoardItem>,
    links: u32,
    /// Height of the newest link's header.
    last_link: Option<u64>,
    /// Hashes of charters, ascending.
    charters: Vec<Hash>,
    openers: u64,
    /// The sessions: an erased one is frozen.
    sessions: AppendTree<()>,
    open: Option<(Rebuild, SessionRecord)>,
}

/// A snapshot that was restored: its store, and what is in it.
pub struct Restored {
    /// The store.
    pub store: Store,
    /// The state.
    pub state: State,
    /// What is known of its block.
    pub tip: Tip,
    /// The validators of all eras.
    pub trust: Trust,
}

impl Restorer {
    /// Begins with a snapshot whose state has this root at its height, by a header that the engine has verified.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn new(
        manifest: Manifest,
        root: Hash,
        network: Arc<Network>,
        beside: &Store,
    ) -> Result<Self, Rejected> {
        let trust = Trust::new(network.as_ref().clone());
        Ok(Self {
            trust: trust.map_err(|error| Rejected::Links(error.to_string()))?,
            store: beside.beside()?,
            manifest,
            root,
            network,
            taken: 0,
            board: None,
            links: 0,
            last_link: None,
            charters: Vec::new(),
            openers: 0,
            sessions: AppendTree::default(),
            open: None,
        })
    }

    /// Takes the next chunk; says whether it was the last one.
    ///
    /// # Errors
    /// [`Rejected`]; after [`Rejected::Chunk`] the same one can be taken from somebody else.
    pub fn take(&mut self, number: u32, chunk: Bytes) -> Result<bool, Rejected> {
        let expected = self.manifest.chunks.get(self.taken);
        if usize::try_from(number).ok() != Some(self.taken) || expected != Some(&sha256(&chunk)) {
            return Err(Rejected::Chunk);
        }
        let items = decode_chunk(chunk).ok_or(Rejected::Malformed)?;
        let fill = self.store.fill()?;
        for item in items {
            self.put(item, &fill)?;
        }
        fill.commit()?;
        self.taken = self.taken.saturating_add(1);
        Ok(self.taken == self.manifest.chunks.len())
    }

    /// Ends with the last chunk: what was restored is a whole state with the root.
    ///
    /// # Errors
    /// [`Rejected`].
    pub fn end(mut self) -> Result<Restored, Rejected> {
        let fill = self.store.fill()?;
        self.end_session(&fill)?;
        let board = self.board.as_ref().ok_or(Rejected::Order("no board"))?;
        if (self.sessions.len(), self.openers) != (board.sessions, board.openers) {
            return Err(Rejected::Order("sessions or openers are missing"));
        }
        let tip = Tip::restored(board.height, self.root);
        let charter = board.charter.as_ref().ok_or(Rejected::Malformed)?;
        fill.board(&self.network, &board.rules, charter)?;
        fill.tip(board.paused_ms, board.sessions, &tip)?;
        fill.commit_for_good()?;
        let loaded = self.store.load()?;
        let (state, tip) = loaded.ok_or(Rejected::Order("no board"))?;
        self.check_rules(&state)?;
        Ok(Restored {
            store: self.store,
            state,
            tip,
            trust: self.trust,
        })
    }

    fn put(&mut self, item: Content, fill: &Fill) -> Result<(), Rejected> {
        if self.board.is_none() != matches!(item, Content::Board(_)) {
            return Err(Rejected::Order("the board comes first, and once"));
        }
        let has_sessions = !self.sessions.is_empty() || self.open.is_some();
        match item {
            Content::Board(board) => self.put_board(board),
            Content::Link(link) if self.openers == 0 && !has_sessions => self.put_link(link, fill),
            Content::Charter(charter) if self.openers == 0 && !has_sessions => {
                let hash = fill.charter(&charter)?;
                let ascends = self.charters.last().is_none_or(|last| *last < hash);
                ascends.then_some(()).ok_or(Rejected::Order("charters"))?;
                self.charters.push(hash);
                Ok(())
            }
            Content::Opener(opener) if !has_sessions => {
                let number = u32::try_from(self.openers).unwrap_or(u32::MAX);
                self.openers = self.openers.saturating_add(1);
                Ok(fill.opener(number, &opener)?)
            }
            Content::Session(session) => {
                self.end_session(fill)?;
                let record = session.record.ok_or(Rejected::Malformed)?;
                let number = self.next_session()?;
                let rebuild = Rebuild::new(Arc::clone(&self.network), number, &record)?;
                self.open = Some((rebuild, record));
                Ok(())
            }
            Content::Tx(tx) => {
                let open = self.open.as_mut();
                let (session, _) = open.ok_or(Rejected::Order("a transaction of no session"))?;
                session.take(&tx, fill)
            }
            Content::Erased(session) => self.put_erased(session, fill),
            Content::Link(_) | Content::Charter(_) | Content::Opener(_) => {
                Err(Rejected::Order("links, charters, openers, sessions"))
            }
        }
    }

    fn put_board(&mut self, board: BoardItem) -> Result<(), Rejected> {
        if board.height != self.manifest.height {
            return Err(Rejected::Order("another height"));
        }
        self.board = Some(board);
        Ok(())
    }

    fn put_link(&mut self, link: LinkItem, fill: &Fill) -> Result<(), Rejected> {
        let LinkItem { height, link } = link;
        let link: pb::Link = link.ok_or(Rejected::Malformed)?;
        let learned = self.trust.learn(std::slice::from_ref(&link));
        learned.map_err(|error| Rejected::Links(error.to_string()))?;
        let header = self.trust.decode_header(&link.signed_header);
        if header.is_ok_and(|header| header.height() != height) {
            return Err(Rejected::Links("one of them is of another height".into()));
        }
        self.links = self.links.saturating_add(1);
        if self.trust.newest_era() != self.links {
            return Err(Rejected::Links("one of them is there twice".into()));
        }
        self.last_link = Some(height);
        Ok(fill.link(self.links, height, &link)?)
    }

    fn put_erased(&mut self, session: SessionItem, fill: &Fill) -> Result<(), Rejected> {
        self.end_session(fill)?;
        let record = session.record.ok_or(Rejected::Malformed)?;
        let (leaf, _) = record.leaf_and_end()?;
        let bare = SessionRecord {
            leaf: record.leaf.clone(),
            terminal: record.terminal.clone(),
            ..SessionRecord::default()
        };
        if leaf.status != Status::Erased || record != bare {
            return Err(Rejected::Session("status"));
        }
        let number = self.next_session()?;
        fill.erased(number, &leaf.session, &record)?;
        let frozen = Frozen {
            level: 0,
            index: number,
            hash: leaf.hash(),
        };
        fill.frozen(&self.sessions.push_frozen(frozen))?;
        Ok(())
    }

    fn end_session(&mut self, fill: &Fill) -> Result<(), Rejected> {
        if let Some((session, record)) = self.open.take() {
            let leaf = session.end(&record, fill)?;
            let number = self.next_session()?;
            self.sessions.set(number, leaf, Arc::new(()));
        }
        Ok(())
    }

    fn next_session(&self) -> Result<u32, Rejected> {
        let next = u32::try_from(self.sessions.len());
        next.map_err(|_| Rejected::Order("more sessions than there are numbers"))
    }

    /// Checks what the root doesn't hold: links lead to the era that it names, and each charter that operators approve is there.
    fn check_rules(&self, state: &State) -> Result<(), Rejected> {
        let term = state.term();
        if term.eras != self.links {
            return Err(Rejected::Links(format!("{} of {}", self.links, term.eras)));
        }
        // The newest one is where the state says, and leads to its validators: whoever has old keys could have them sign another.
        if self.last_link != (term.eras > 0).then(|| term.era_height.saturating_add(1)) {
            let expected = term.era_height.saturating_add(1);
            return Err(Rejected::Links(format!(
                "the newest one isn't of the height {expected}"
            )));
        }
        let charter = state.charter().replicas.iter();
        let validators = charter.map(|replica| replica.validator.0);
        if !self
            .trust
            .validators_of(term.eras)
            .is_some_and(|keys| keys.into_iter().eq(validators))
        {
            return Err(Rejected::Links(
                "they don't lead to the charter's validators".into(),
            ));
        }
        let words = state.proposals().iter().map(|word| word.charter_hash);
        let approved: BTreeSet<Hash> = words.filter(|hash| *hash != Hash::ZERO).collect();
        if !approved.iter().eq(&self.charters) {
            return Err(Rejected::Order("other charters than operators approve"));
        }
        Ok(())
    }
}
