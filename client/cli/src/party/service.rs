//! The service: it follows the board for its party, and has at most so many sessions under way.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio::{sync::Semaphore, time::sleep};
use white_city_client::{
    Client, IdentityKey, SessionId,
    groups::{GroupKey, Home, Name},
    vault::Unlock,
};

use super::{
    audit::Audit,
    folder::Folder,
    health::Health,
    keys::Keys,
    policy::{Policy, Rates},
    queue::ASKED_MAX,
};
use crate::{failure::Failure, people::People};

/// Pause after something has failed that may not fail for ever, at first and at most.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_MAX: Duration = Duration::from_secs(60);

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
    rates: Mutex<Rates>,
    /// Sessions that are looked after at once, those that wait for people or for room among them.
    places: Arc<Semaphore>,
    /// Sessions that compute at once.
    pub room: Semaphore,
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
        for session in parts.folder.all_decided()? {
            // It was killed between the last line and this.
            if before.ended.contains(&session) {
                parts.folder.forget(session)?;
            }
        }
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
            places: Arc::new(Semaphore::new(places)),
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

    /// Sessions that the rules have let in.
    pub fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a key that a group has made, and has the policy know it.
    ///
    /// # Errors
    /// When the group's file can't be changed.
    pub fn note_key(&self, group: &Name, key: GroupKey) -> Result<(), Failure> {
        self.home.change(group, |group| group.add_key(key))?;
        let people = People::load(&self.home)?;
        // Held, so that a policy that is read meanwhile isn't taken back.
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        let policy = told.policy.with(&people);
        *told = Arc::new(Told { policy, people });
        Ok(())
    }

    /// Follows the board for ever, and looks after each session that names the party.
    ///
    /// # Errors
    /// When what was decided before can't be read.
    pub async fn follow(self: &Arc<Self>) -> Result<(), Failure> {
        // Whatever becomes of new ones, these have been said yes to.
        let mut known: BTreeSet<SessionId> = self.folder.all_decided()?.into_iter().collect();
        for session in known.clone() {
            self.look_after(session).await;
        }
        let mut discovery = self.client.discover(&self.identity);
        let mut look = tokio::time::interval(AGAIN);
        loop {
            let found = tokio::select! {
                found = discovery.next() => found,
                // Nothing may come for days.
                _ = look.tick() => {
                    self.look_at_board().await;
                    continue;
                }
            };
            match found {
                Ok(found) => {
                    if !known.remove(&found.id) {
                        self.look_after(found.id).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the board can't be asked what there is for this party");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Whether the board answers, for whoever watches.
    async fn look_at_board(&self) {
        if self.client.status().await.is_ok() {
            self.health.board_answered(self.client.height());
        }
    }

    /// Looks after a session until nothing can be done for it any more, as soon as there is room for one more.
    async fn look_after(self: &Arc<Self>, session: SessionId) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
            return;
        };
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let mut pause = AGAIN;
            while let Err(failure) = service.take(session).await {
                service.health.failed();
                tracing::warn!(%session, "{}; once more in {} s", failure.text, pause.as_secs());
                sleep(pause).await;
                pause = (pause * 2).min(AGAIN_MAX);
            }
            drop(place);
        });
    }
}
