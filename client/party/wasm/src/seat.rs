//! The part of a party in one session: what it decides is sealed for the journal first, and sent when it is kept.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde_json::{Value, json};
use white_city_party::{
    End, Error, Goal, Inbox, Memory, OwnKey, Party, Place, Secret, Seen, Unrestored,
    journal::{EntryRecord, JournalId, NONCE_BYTES, Record, Seeds},
};
use white_city_verify::wire::{
    Hash, SessionId,
    payload::LibraryKem,
    tx::{Action, Leave},
};
use white_city_wasm::{board::Board, followed::Followed, outcome::NotProven};
use zeroize::Zeroizing;

use crate::{failure::Failure, given, journal::Journal, standing::end_of};

/// See the module.
pub struct Seat {
    pub party: Party<LibraryKem>,
    journal: Journal,
    unkept: Option<Unkept>,
}

/// Plaintexts for other members, by index.
type Plaintexts = Vec<(u16, Zeroizing<Vec<u8>>)>;

/// What nobody acts on before it is kept.
enum Unkept {
    /// The beginning of the journal.
    Seeds,
    /// The signed bytes of a slot.
    Entry { round: u32, tx: Arc<Vec<u8>> },
    /// What this party leaves with.
    Leave { digest: Hash, tx: Arc<Vec<u8>> },
}

/// The session that was read, and its end.
pub struct Read<'a> {
    pub board: &'a Board,
    pub followed: &'a Followed,
    end: Option<End>,
}

impl<'a> Read<'a> {
    /// The session that was read last, if it is this one as this party reads it, of a board that has one history.
    pub fn of(board: &'a Board, session: SessionId, index: Option<u16>) -> Result<Self, Failure> {
        board.check_one().map_err(NotProven::from)?;
        let followed = board.followed();
        let followed = followed.filter(|followed| followed.is_of(session, index));
        let followed = followed.ok_or_else(|| {
            let text =
                "the session that was read last isn't this one, or was read by another party";
            NotProven::usage(text)
        })?;
        let end = followed.terminal().map(end_of);
        Ok(Self {
            board,
            followed,
            end,
        })
    }

    pub fn seen(&self) -> Seen<'_> {
        Seen {
            history: self.followed.history(),
            now: self.followed.now(),
            end: self.end.as_ref(),
        }
    }
}

impl Seat {
    /// Takes a part, from the journal of it. Gives what to keep, of a new one.
    pub fn enter(
        board: &Board,
        key: &OwnKey,
        asked: given::Of,
        journal: &[u8],
        random: &[u8],
    ) -> Result<(Self, Value), Failure> {
        let spec = board.checked().opening(&asked.session);
        let spec = spec.ok_or_else(|| NotProven::usage("the session wasn't read"))?;
        let spec = &spec.0.spec;
        let place = Place::of(board.trust().network(), asked.session, spec, key.identity())?;
        let read = Read::of(board, asked.session, Some(place.index))?;
        let drawn = Drawn::from(random)?;
        let id = JournalId {
            network: place.network,
            session: place.session,
            identity: place.identity,
        };
        let opened = Journal::open(journal, id, key, drawn.salt)?;
        let (mut journal, mut keep) = (opened.journal, opened.keep);
        let mut memory = Memory::of(PathBuf::new(), opened.records)?;
        let (shown, expected) = (read.followed.height(), memory.height());
        if shown < expected {
            return Err(Error::Behind { shown, expected }.into());
        }
        // In a session that has ended nothing is signed any more.
        let is_new = !memory.has_seeds() && read.end.is_none();
        let secret: Secret<LibraryKem> = memory.secret(&place, spec.kem, || {
            let record = Record::Seeds(drawn.seeds.clone());
            let sealed = journal.seal(&record, drawn.nonce);
            record.wipe();
            keep.extend_from_slice(&sealed?);
            Ok::<_, Failure>(drawn.seeds.clone())
        })?;
        drawn.seeds.wipe();
        let mut party = Party::new(place, secret);
        let restored = party.restore(memory, read.seen(), board.trust());
        restored.map_err(|unrestored| match unrestored {
            Unrestored::Journal(error) => error.into(),
            Unrestored::Fork { what, .. } => Failure::from(NotProven::fork(what)),
        })?;
        if !is_new {
            keep.clear();
        }
        let done = json!({ "index": place.index, "n": place.n, "keep": kept(&keep) });
        let seat = Self {
            party,
            journal,
            unkept: is_new.then_some(Unkept::Seeds),
        };
        Ok((seat, done))
    }

    /// Whether a call is about this party's session.
    pub fn check_of(&self, of: &[u8]) -> Result<(), Failure> {
        let given::Of { session } = given::parsed(of)?;
        match session == self.party.place().session {
            true => Ok(()),
            false => Err(Failure::usage("the party acts in another session")),
        }
    }

    /// The session of this party, as it was read.
    pub fn read<'a>(&self, board: &'a Board) -> Result<Read<'a>, Failure> {
        let place = self.party.place();
        Read::of(board, place.session, Some(place.index))
    }

    /// Takes note that what was to be kept is kept; gives what to send.
    pub fn kept(&mut self, board: &Board) -> Result<Value, Failure> {
        let send = match self.unkept.take() {
            None | Some(Unkept::Seeds) => None,
            Some(Unkept::Entry { round, tx }) => {
                self.party.keep(round, &tx);
                Some(tx)
            }
            Some(Unkept::Leave { digest, tx }) => {
                self.party.keep_leave(digest, &tx);
                Some(tx)
            }
        };
        self.read(board)?;
        Ok(json!({ "send": send.map(|tx| hex::encode(&*tx)) }))
    }

    fn check_kept(&self) -> Result<(), Failure> {
        match self.unkept {
            None => Ok(()),
            Some(_) => Err(Failure::usage(
                "what was to be kept wasn't: party_kept comes first",
            )),
        }
    }

    pub fn join(&mut self, board: &Board, key: &OwnKey, random: &[u8]) -> Result<Value, Failure> {
        self.check_kept()?;
        let read = self.read(board)?;
        self.party.check_not_failed()?;
        if self.party.filling(0).is_some() {
            return self.again(&read, 0);
        }
        self.party.join(read.seen())?;
        self.sign(&read, key, 0, random)
    }

    pub fn post(
        &mut self,
        board: &Board,
        key: &OwnKey,
        post: given::Post,
        random: &[u8],
    ) -> Result<Value, Failure> {
        let p2p = post.p2p.into_iter();
        let p2p = p2p.map(|(to, text)| (to, Zeroizing::new(text)));
        let p2p = p2p.map(|(to, text)| Ok((to, Zeroizing::new(given::bytes(&text)?))));
        let p2p = p2p.collect::<Result<Plaintexts, Failure>>()?;
        let broadcast = given::bytes(&post.broadcast)?;
        self.post_bytes(
            &self.read(board)?,
            key,
            (post.round, broadcast, p2p),
            random,
        )
    }

    /// Posts what a protocol gave.
    pub fn post_bytes(
        &mut self,
        read: &Read<'_>,
        key: &OwnKey,
        (round, broadcast, p2p): (u32, Vec<u8>, Plaintexts),
        random: &[u8],
    ) -> Result<Value, Failure> {
        self.check_kept()?;
        let seen = read.seen();
        let bytes = self.party.check_post(seen, round, &broadcast, &p2p)?;
        let sealed = p2p.iter();
        let sealed = sealed.map(|(to, plaintext)| {
            let sealed = self.party.seal(seen, round, *to, plaintext)?;
            Ok((*to, sealed))
        });
        let sealed = sealed.collect::<Result<Vec<_>, Error>>()?;
        let posted = self
            .party
            .post(seen, (round, bytes), broadcast, sealed, p2p)?;
        match posted {
            true => self.again(read, round),
            false => self.sign(read, key, round, random),
        }
    }

    pub fn finish(
        &mut self,
        board: &Board,
        key: &OwnKey,
        outcome: Hash,
        random: &[u8],
    ) -> Result<Value, Failure> {
        self.check_kept()?;
        let read = self.read(board)?;
        let (round, was_said) = self.party.finish(read.seen(), outcome)?;
        match was_said {
            true => self.again(&read, round),
            false => self.sign(&read, key, round, random),
        }
    }

    pub fn leave(
        &mut self,
        board: &Board,
        key: &OwnKey,
        leave: Leave,
        random: &[u8],
    ) -> Result<Value, Failure> {
        self.check_kept()?;
        let read = self.read(board)?;
        if let Some((digest, tx)) = self.party.leaving() {
            // Leaving is said once.
            let is_shown = self.party.is_reached(read.seen(), Goal::Left { digest })?;
            return Ok(json!({ "send": (!is_shown).then(|| hex::encode(&*tx)) }));
        }
        if let Some(ended) = self.party.ended(read.seen()) {
            return Err(ended.into());
        }
        let (digest, action) = self.party.leave(leave);
        let tx = self.signed(&read, key, action)?;
        let record = Record::Leave(tx.to_vec());
        let keep = self.journal.seal(&record, nonce(random)?)?;
        self.unkept = Some(Unkept::Leave { digest, tx });
        Ok(json!({ "keep": kept(&keep) }))
    }

    /// What was decided for a slot before: sent again until the board shows it.
    fn again(&mut self, read: &Read<'_>, round: u32) -> Result<Value, Failure> {
        let own = self.party.filling(round);
        let own = own.ok_or(Error::NoJournal { round })?;
        let (digest, tx) = (own.digest, own.tx.clone());
        let is_shown = self.party.is_slot_filled(read.seen(), round, &digest)?;
        let send = tx.filter(|_| !is_shown);
        Ok(json!({ "send": send.map(|tx| hex::encode(&*tx)) }))
    }

    fn signed(
        &self,
        read: &Read<'_>,
        key: &OwnKey,
        action: Action,
    ) -> Result<Arc<Vec<u8>>, Failure> {
        let network = &read.board.trust().network().id;
        let signature = key.sign(&action, network).map_err(Error::from)?;
        Ok(self
            .party
            .signed_tx(action, signature, read.board.checked())?)
    }

    /// Signs what was decided for a slot.
    fn sign(
        &mut self,
        read: &Read<'_>,
        key: &OwnKey,
        round: u32,
        random: &[u8],
    ) -> Result<Value, Failure> {
        let sealed = self.sealed(read, key, round, random);
        if sealed.is_err() {
            self.party.undecide(round);
        }
        let (keep, tx) = sealed?;
        self.unkept = Some(Unkept::Entry { round, tx });
        Ok(json!({ "keep": kept(&keep) }))
    }

    fn sealed(
        &mut self,
        read: &Read<'_>,
        key: &OwnKey,
        round: u32,
        random: &[u8],
    ) -> Result<(Vec<u8>, Arc<Vec<u8>>), Failure> {
        let nonce = nonce(random)?;
        let now = read.followed.now();
        let now = now.ok_or_else(|| NotProven::usage("the open round wasn't read"))?;
        let own = self.party.filling(round);
        let action = own.ok_or(Error::NoJournal { round })?.action.clone();
        let tx = self.signed(read, key, action)?;
        let trust = read.board.trust();
        let era = trust.era_of(now.header());
        let link = trust.link_to(era);
        let is_of_round = now.leaf.open_round == round;
        let record = Record::Entry(Box::new(EntryRecord {
            round,
            tx: tx.to_vec(),
            height: now.height(),
            anchor: is_of_round.then(|| now.anchor()).flatten(),
            era,
            link: link.map_or_else(Vec::new, |link| link.0.to_vec()),
        }));
        Ok((self.journal.seal(&record, nonce)?, tx))
    }

    /// What a closed round holds for this party.
    pub fn inbox(&mut self, board: &Board, round: u32) -> Result<Inbox, Failure> {
        self.opened(&self.read(board)?, round)
    }

    pub fn opened(&mut self, read: &Read<'_>, round: u32) -> Result<Inbox, Failure> {
        let entries = read.followed.entries_of(round).filter(|_| round > 0);
        let entries = entries.ok_or_else(|| Error::WrongRound {
            asked: round,
            expected: "a closed round from 1 on".into(),
        })?;
        let seen = read.seen();
        self.party.check_own_slot(seen, round)?;
        let mut p2p = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !entry.ciphertext.is_empty()) {
            let (_, _, from) = entry.signed.entry.slot();
            let opened = self.party.unseal(seen, round, from, &entry.ciphertext)?;
            p2p.insert(from, opened);
        }
        Ok(Inbox::of(round, entries, p2p))
    }

    pub fn check_may_forget(&self, board: &Board) -> Result<(), Failure> {
        Ok(self.party.check_may_forget(self.read(board)?.seen())?)
    }
}

/// What is kept, if it is anything.
fn kept(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| hex::encode(bytes))
}

fn nonce(random: &[u8]) -> Result<[u8; NONCE_BYTES], Failure> {
    random
        .try_into()
        .map_err(|_| Failure::usage("24 random bytes"))
}

/// Everything random of a new journal.
struct Drawn {
    salt: [u8; 32],
    seeds: Seeds,
    nonce: [u8; NONCE_BYTES],
}

impl Drawn {
    fn from(random: &[u8]) -> Result<Self, Failure> {
        let taken = || {
            let (salt, rest) = random.split_first_chunk::<32>()?;
            let (session, rest) = rest.split_first_chunk::<32>()?;
            let (protocol, nonce) = rest.split_first_chunk::<32>()?;
            let seeds = Seeds {
                session: session.to_vec(),
                protocol: protocol.to_vec(),
            };
            Some(Self {
                salt: *salt,
                seeds,
                nonce: nonce.try_into().ok()?,
            })
        };
        taken().ok_or_else(|| Failure::usage("120 random bytes"))
    }
}
