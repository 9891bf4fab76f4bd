//! The service: it follows the board for its party, and has at most so many sessions under way.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio::{sync::Semaphore, time::sleep};
use white_city_client::{Client, IdentityKey, SessionId, vault::Unlock};

use super::{
    audit::Audit,
    folder::Folder,
    health::Health,
    keys::Keys,
    people::People,
    policy::{Policy, Rates},
    queue::ASKED_MAX,
};
use crate::failure::Failure;

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
    pub fn load(policy: &Path) -> Result<Self, Failure> {
        let people = People::default();
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

    /// Follows the board for ever, and looks after each session that names the party.
    ///
    /// # Errors
    /// When what was decided before can't be read.
    pub async fn follow(self: &Arc<Self>) -> Result<(), Failure> {
        let mut known = BTreeSet::new();
        // Whatever becomes of new ones, these have been said yes to.
        for session in self.folder.all_decided()? {
            known.insert(session);
            self.look_after(session).await;
        }
        loop {
            match self.client.sessions(Some(&self.identity)).await {
                Ok(found) => {
                    self.health.board_answered(self.client.height());
                    let live = found
                        .unproven_value()
                        .iter()
                        .filter(|line| line.status.is_live());
                    let live: BTreeSet<SessionId> = live.map(|line| line.id).collect();
                    for session in live.difference(&known) {
                        self.look_after(*session).await;
                    }
                    known = live;
                    sleep(Duration::from_secs(1)).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the board can't be asked what there is for this party");
                    sleep(AGAIN).await;
                }
            }
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
