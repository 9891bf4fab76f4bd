//! The service: it follows the board for its party, and has at most so many sessions under way.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinHandle, time::sleep};
use white_city_client::{
    Client, Hash, IdentityKey, SessionId,
    groups::{GroupError, GroupKey, Home, Name},
    vault::Unlock,
};

use super::{
    audit::{Audit, now_ms},
    decision::Says,
    folder::{Folder, take_away},
    health::Health,
    keys::Keys,
    policy::{Policy, Rates, Rule},
    queue::ASKED_MAX,
};
use crate::{eddsa::ShareFile, failure::Failure, people::People, presets::KEYGEN};

/// Pause after something has failed that may not fail for ever, at first and at most.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// Times that a session is tried again before it is left to the next start: hours.
const TRIES_MAX: u32 = 500;
/// Most programs and addresses that are asked at once.
const APPROVERS_MAX: usize = 8;
/// Name of the note beside a share that took the place of another one.
pub const SUPERSEDES: &str = "supersedes";
/// Name of the note beside a share that its group doesn't know yet.
const GROUP: &str = "group";

/// What a service is told by its operator, read again when it is told to.
pub struct Told {
    /// The policy.
    pub policy: Policy,
    /// The names that it speaks of.
    pub people: People,
}

impl Told {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(policy: &Path, home: &Home) -> Result<Self, Failure> {
        let people = People::load(home)?;
        let policy = Policy::load(policy, &people)?;
        Ok(Self { policy, people })
    }
}

/// A party's service.
pub struct Service {
    /// Speaks to the board, and signs as the party.
    pub client: Client,
    /// The party.
    pub identity: IdentityKey,
    /// Its file, by which clients of it are told apart.
    pub identity_file: PathBuf,
    /// Opens shares and journals.
    pub unlock: Unlock,
    /// Where everything lies.
    pub folder: Folder,
    /// What was decided, and what came of it.
    pub audit: Audit,
    /// The shares and signing keys.
    pub keys: Keys,
    /// What is shown to whoever watches.
    pub health: Health,
    /// Where contacts and groups are.
    home: Home,
    told: RwLock<Arc<Told>>,
    /// Sessions that the rules have let in of late.
    pub rates: Mutex<Rates>,
    /// Sessions that each rule has under way.
    under_way: Mutex<BTreeMap<String, BTreeSet<SessionId>>>,
    /// Keys, and the sessions that made their shares, that are being refreshed or given to others.
    changing: Arc<Mutex<BTreeSet<Sharing>>>,
    /// Changes of groups, one after the other.
    groups: Mutex<()>,
    /// Programs and addresses that are asked at once.
    pub approvers: Semaphore,
    /// Sessions that are looked after at once, those that wait for people or for room among them.
    places: Semaphore,
    /// Sessions that compute at once.
    pub room: Semaphore,
}

/// The shares of a key that a session has made.
type Sharing = ([u8; 32], SessionId);

/// Shares that are being changed, for as long as it lives.
pub struct Changing {
    all: Arc<Mutex<BTreeSet<Sharing>>>,
    this: Sharing,
}

impl Drop for Changing {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.this);
    }
}

/// What a service is made of.
pub struct Parts {
    /// As [`Service::client`].
    pub client: Client,
    /// As [`Service::identity`].
    pub identity: IdentityKey,
    /// As [`Service::identity_file`].
    pub identity_file: PathBuf,
    /// As [`Service::unlock`].
    pub unlock: Unlock,
    /// As [`Service::folder`].
    pub folder: Folder,
    /// As [`Service::keys`].
    pub keys: Keys,
    /// Where contacts and groups are.
    pub home: Home,
    /// Policy and names.
    pub told: Told,
}

impl Service {
    /// A service that hasn't begun.
    ///
    /// # Errors
    /// When the audit log can't be written.
    pub fn new(parts: Parts) -> Result<Self, Failure> {
        let audit = Audit::open(&parts.folder.audit())?;
        let policy = &parts.told.policy;
        let before = audit.before(policy.longest_rate())?;
        let mut under_way: BTreeMap<String, BTreeSet<SessionId>> = BTreeMap::new();
        for session in parts.folder.all_decided()? {
            // It was killed between the last line and this.
            if before.ended.contains(&session) {
                parts.folder.forget(session)?;
            } else if let Some(Says::Join { rule, .. }) = parts
                .folder
                .decision(session)?
                .map(|decision| decision.says)
            {
                under_way.entry(rule).or_default().insert(session);
            }
        }
        audit.are_noted(before.decided);
        let room = Semaphore::new(policy.sessions_max);
        let places = policy.sessions_max.saturating_add(ASKED_MAX);
        let health = Health::new(parts.client.network().params.heartbeat_ms.into());
        Ok(Self {
            client: parts.client,
            identity: parts.identity,
            identity_file: parts.identity_file,
            unlock: parts.unlock,
            folder: parts.folder,
            audit,
            keys: parts.keys,
            health,
            home: parts.home,
            told: RwLock::new(Arc::new(parts.told)),
            rates: Mutex::new(before.rates),
            under_way: Mutex::new(under_way),
            changing: Arc::default(),
            groups: Mutex::default(),
            approvers: Semaphore::new(APPROVERS_MAX),
            places: Semaphore::new(places),
            room,
        })
    }

    /// Policy and names, as they are now.
    pub fn told(&self) -> Arc<Told> {
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&told)
    }

    /// From now on these hold. How many sessions compute at once stays until the next start.
    pub fn tell(&self, told: Told) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(told);
    }

    /// Notes that a rule lets a session in, if it may let in one more.
    ///
    /// # Errors
    /// Why it doesn't.
    pub fn admit(&self, rule: &Rule, session: SessionId) -> Result<(), String> {
        let told = self.told();
        let keep = u64::try_from(told.policy.longest_rate().as_millis()).unwrap_or(u64::MAX);
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_rule = under_way.entry(rule.name.clone()).or_default();
        if rule.at_once.is_some_and(|most| of_rule.len() >= most) {
            return Err(format!("at_once: {} sessions are under way", of_rule.len()));
        }
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rule.has_room(session, now_ms(), &rates)?;
        rates.note(&rule.name, session, now_ms(), keep);
        of_rule.insert(session);
        Ok(())
    }

    /// A session isn't under way any more.
    pub fn let_go(&self, session: SessionId) {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, sessions| {
            sessions.remove(&session);
            !sessions.is_empty()
        });
    }

    /// Begins to change the shares of a key, which nobody else may do meanwhile: two sessions would end with two kinds of shares.
    ///
    /// # Errors
    /// When another session is about that.
    pub fn change(&self, key: [u8; 32], made: SessionId) -> Result<Changing, Failure> {
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if !changing.insert((key, made)) {
            return Err(Failure::usage(
                "another session is under way that changes these shares",
            ));
        }
        Ok(Changing {
            all: Arc::clone(&self.changing),
            this: (key, made),
        })
    }

    /// Gives up a share that was refreshed: nothing is signed with it any more, and if it is in the service's folder it is deleted.
    ///
    /// # Errors
    /// When that can't be written down.
    pub fn retire(&self, key: &[u8; 32], old: SessionId, new: SessionId) -> Result<(), Failure> {
        self.folder.write_note(new, SUPERSEDES, &old.to_string())?;
        let share = self.keys.retire(key, old);
        take_away(&self.folder.share(old))?;
        // A group may name the one that has just gone.
        if let Some(elsewhere) = share.filter(|share| share.exists()) {
            tracing::warn!("{} was refreshed: delete it", elsewhere.display());
        }
        Ok(())
    }

    /// Notes keys that were made for groups, which couldn't be when they were made.
    ///
    /// # Errors
    /// When it can't be read which.
    fn note_in_groups(&self) -> Result<(), Failure> {
        for (session, group) in self.folder.notes(GROUP)? {
            self.note_in_group(session, &group);
        }
        Ok(())
    }

    /// Notes a key in the group that has made it, and has the policy know it. The key is no less there if that fails: the next start does
    /// it.
    pub fn note_in_group(&self, session: SessionId, group: &str) {
        if let Err(failure) = self.try_note_in_group(session, group) {
            tracing::warn!(%session, "the key isn't noted in {group} yet: {}", failure.text);
        }
    }

    fn try_note_in_group(&self, session: SessionId, group: &str) -> Result<(), Failure> {
        let name: Name = group.parse()?;
        let share = self.folder.share(session);
        let file = ShareFile::load(&share, &self.unlock)?;
        let mut roster = file.roster.clone();
        roster.sort_unstable_by_key(|key| *key.as_bytes());
        let key = GroupKey {
            network: self.client.network().id,
            session,
            protocol: KEYGEN.into(),
            public_key: Hash(file.share.public_key()),
            outcome: Hash(file.share.outcome()),
            threshold: file.share.signers_min(),
            share: Some(std::path::absolute(&share).unwrap_or(share)),
        };
        // Held, so that what is read afterwards has all that was noted.
        let _turn = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        self.home.change(&name, |group| {
            let mut members = group.roster();
            members.sort_unstable_by_key(|key| *key.as_bytes());
            match members == roster {
                true => group.add_key(key),
                false => Err(GroupError::Impossible(
                    "the key isn't of all its members".into(),
                )),
            }
        })?;
        let people = People::load(&self.home)?;
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        let policy = told.policy.with(&people);
        *told = Arc::new(Told { policy, people });
        drop(told);
        self.folder.end_note(session, GROUP)
    }

    /// Follows the board for ever, and looks after each session that names the party.
    ///
    /// # Errors
    /// When what was decided before can't be read.
    pub async fn follow(self: &Arc<Self>) -> Result<(), Failure> {
        self.note_in_groups()?;
        // What was decided, and what people were asked about sessions that may have ended since.
        let mut known: BTreeSet<SessionId> = self.folder.all_decided()?.into_iter().collect();
        known.extend(self.folder.all_asked()?);
        for session in &known {
            self.look_after(*session);
        }
        let watched = Arc::clone(self);
        let _watch = AbortOnDrop(tokio::spawn(async move { watched.look_at_board().await }));
        let mut discovery = self.client.discover(&self.identity);
        loop {
            match discovery.next().await {
                Ok(found) => {
                    if !known.remove(&found.id) {
                        self.look_after(found.id);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the board can't be asked what there is for this party");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Looks again and again whether the board answers, for whoever watches: nothing may come for days.
    async fn look_at_board(&self) {
        loop {
            if self.client.status().await.is_ok() {
                self.health.board_answered(self.client.height());
            }
            sleep(AGAIN).await;
        }
    }

    /// Looks after a session until nothing can be done for it any more, as soon as there is a place.
    fn look_after(self: &Arc<Self>, session: SessionId) {
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(_place) = service.places.acquire().await else {
                return;
            };
            let mut pause = AGAIN;
            for _ in 0..TRIES_MAX {
                let Err(failure) = service.take(session).await else {
                    return;
                };
                service.health.failed();
                let seconds = pause.as_secs();
                tracing::warn!(%session, "{}; once more in {seconds} s", failure.text);
                sleep(pause).await;
                pause = (pause * 2).min(AGAIN_MAX);
            }
            tracing::error!(%session, "given up until the next start");
        });
    }
}

/// The sessions whose shares were refreshed.
///
/// # Errors
/// When it can't be read which.
pub fn retired(folder: &Folder) -> Result<BTreeSet<SessionId>, Failure> {
    let notes = folder.notes(SUPERSEDES)?;
    let sessions = notes.iter().filter_map(|(_, old)| SessionId::from_hex(old));
    Ok(sessions.collect())
}

/// A task that ends with whoever began it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
