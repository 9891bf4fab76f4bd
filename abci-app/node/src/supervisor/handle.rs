//! The launcher's hold on a replica: what it is told, and what is known of it

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::{FIRST_PAUSE, Plan, Supervisor};
use crate::Error;

/// Stage of a replica's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Not running, and not meant to.
    Stopped,
    /// The application and the node run (they may still be catching up).
    Running,
    /// Stopped by a signal; its processes exist.
    Paused,
    /// It ended unexpectedly and is about to be started again.
    Restarting,
    /// The application ended for good (exit code 2, 3 or 4): it would do so again. Holds why.
    Halted(String),
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => write!(f, "stopped"),
            Self::Running => write!(f, "running"),
            Self::Paused => write!(f, "paused"),
            Self::Restarting => write!(f, "restarting"),
            Self::Halted(why) => write!(f, "halted ({})", why.lines().next().unwrap_or_default()),
        }
    }
}

/// State of a replica's processes, as the launcher knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Stage of its life.
    pub state: RunState,
    /// The application's process id, 0 if there is none.
    pub app_pid: u32,
    /// CometBFT's process id, 0 if there is none.
    pub node_pid: u32,
    /// Number of restarts after an unexpected end.
    pub restarts: u32,
    /// Why it ended unexpectedly the last time, or wasn't started; empty if it never was like that.
    pub why: String,
}

/// Order to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Start it.
    Start,
    /// End it in order.
    End,
    /// Kill both at once; they stay down.
    Kill,
    /// Kill the application: supervision restarts both.
    KillApp,
    /// Kill the engine: supervision restarts both.
    KillNode,
    /// Freeze both.
    Pause,
    /// Let both go on.
    Resume,
    /// Delete what it has of the chain; it has to be stopped.
    Wipe,
    /// The node runs, but has stayed at this height while others have reached another one.
    StandsStill {
        /// Height of the node.
        height: u64,
        /// Height of the others.
        others: u64,
    },
}

/// Handle that gives orders to a replica and sees how it is, without keeping it alive.
#[derive(Debug, Clone)]
pub struct Hold {
    name: String,
    orders: mpsc::Sender<Mail>,
    /// State of its processes.
    pub snapshot: watch::Receiver<Snapshot>,
}

impl Hold {
    /// Gives an order and waits until it is carried out.
    pub async fn order(&self, order: Order) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let gone = |_| Error::Gone(self.name.clone());
        self.orders
            .send((order, reply))
            .await
            .map_err(|_| gone(()))?;
        answer.await.map_err(|_| gone(()))?
    }
}

pub(super) type Mail = (Order, oneshot::Sender<Result<(), Error>>);

/// The launcher's hold on a replica. Dropping it ends the replica's processes.
#[derive(Debug)]
pub struct Handle {
    /// Hold on it that others may have, too.
    pub hold: Hold,
    task: JoinHandle<()>,
}

impl Handle {
    /// A node under supervision, stopped.
    pub fn new(plan: Plan) -> Self {
        let (orders, mailbox) = mpsc::channel(16);
        let empty = Snapshot {
            state: RunState::Stopped,
            app_pid: 0,
            node_pid: 0,
            restarts: 0,
            why: String::new(),
        };
        let (publish, snapshot) = watch::channel(empty);
        let name = plan.name.clone();
        let actor = Supervisor {
            plan,
            pair: None,
            retry: None,
            pause: FIRST_PAUSE,
            publish,
        };
        let hold = Hold {
            name,
            orders,
            snapshot,
        };
        Self {
            hold,
            task: tokio::spawn(actor.run(mailbox)),
        }
    }

    /// Ends the replica; when it is busy for too long, leaves that to the guards. Does not borrow
    /// the handle, so that replicas can be ended side by side.
    pub fn ending(&self) -> impl Future<Output = ()> + Send + 'static {
        let (orders, abort) = (self.hold.orders.clone(), self.task.abort_handle());
        async move {
            let (reply, answer) = oneshot::channel();
            let ended =
                async { orders.send((Order::End, reply)).await.is_ok() && answer.await.is_ok() };
            if tokio::time::timeout(Duration::from_secs(20), ended)
                .await
                .is_err()
            {
                abort.abort();
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
    }
}
