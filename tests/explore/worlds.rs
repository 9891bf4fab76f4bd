//! The worlds that are explored: small ones whenever the tests run, larger ones when `WHITE_CITY_EXPLORE=large` is set.

use crate::world::{On, PLAIN, World};

/// Nothing but joining, posting and time.
const NOTHING: On = PLAIN.on;

/// Two parties that need each other, one of them hostile: what is refused, in every state.
const PAIR: World = World {
    name: "pair",
    on: On {
        leaving: true,
        finishing: true,
        evidence: true,
        refused: true,
        ..NOTHING
    },
    rounds: 1,
    ..PLAIN
};

/// Three honest parties, any of which may leave.
const ALL_HONEST: World = World {
    name: "all honest",
    n: 3,
    quorum: 3,
    rounds: 1,
    honest: 3,
    on: On {
        leaving: true,
        finishing: true,
        ..NOTHING
    },
    txs: 2,
    ..PLAIN
};

/// Two of three are enough.
const MAJORITY: World = World {
    name: "majority",
    n: 3,
    rounds: 1,
    honest: 2,
    on: On {
        leaving: true,
        refused: true,
        ..NOTHING
    },
    ..PLAIN
};

/// Two of three, later: they go on or finish.
const RUNNING: World = World {
    name: "running",
    joined: true,
    on: On {
        finishing: true,
        leaving: true,
        ..NOTHING
    },
    ..MAJORITY
};

/// Complaints between two parties.
const DISPUTE: World = World {
    name: "dispute",
    joined: true,
    on: On {
        dispute: true,
        evidence: true,
        refused: true,
        ..NOTHING
    },
    ..PLAIN
};

/// Complaints among three, where the accused may have left or be out.
const ACCUSED: World = World {
    name: "accused",
    n: 3,
    honest: 2,
    joined: true,
    on: On {
        dispute: true,
        leaving: true,
        ..NOTHING
    },
    rounds: 2,
    depth: 5,
    ..PLAIN
};

/// Four replicas, one of them hostile, and parties that are punctual or not.
const LAST_CALL: World = World {
    name: "last call",
    n: 3,
    honest: 2,
    rounds: 1,
    replicas: 4,
    hostile_replica: true,
    txs: 3,
    ..PLAIN
};

/// The same, when honest proposals time out: more than the model promises.
pub const TIMEOUTS: World = World {
    name: "honest proposals time out",
    timeouts: true,
    ..LAST_CALL
};

/// Two sessions, when a block has room for the entries of one.
const ROOM: World = World {
    name: "room",
    sessions: 2,
    joined: true,
    rounds: 1,
    replicas: 4,
    max_work: 8,
    ..PLAIN
};

/// Outages, and four replicas that call last.
const OUTAGE: World = World {
    name: "outage",
    replicas: 4,
    rounds: 1,
    on: On {
        outage: true,
        ..NOTHING
    },
    ..PLAIN
};

/// Outages in disputes.
const OUTAGE_IN_DISPUTE: World = World {
    name: "outage in a dispute",
    replicas: 4,
    joined: true,
    on: On {
        outage: true,
        dispute: true,
        ..NOTHING
    },
    depth: 6,
    ..PLAIN
};

/// Who may open sessions, and how many.
const OPENING: World = World {
    name: "opening",
    sessions: 4,
    max_work: 12,
    on: On {
        opening: true,
        ..NOTHING
    },
    depth: 5,
    ..PLAIN
};

/// A board on which only the openers of its genesis may open any.
const CLOSED: World = World {
    name: "closed board",
    anyone_may_open: false,
    sessions: 2,
    depth: 3,
    ..OPENING
};

/// Shares of a session's bytes.
const SHARES: World = World {
    name: "shares",
    joined: true,
    rounds: 2,
    on: On {
        heavy: true,
        ..NOTHING
    },
    ..PLAIN
};

/// What is explored whenever the tests run.
pub const SMALL: &[World] = &[
    PAIR,
    ALL_HONEST,
    MAJORITY,
    RUNNING,
    DISPUTE,
    ACCUSED,
    LAST_CALL,
    ROOM,
    OUTAGE,
    OUTAGE_IN_DISPUTE,
    OPENING,
    CLOSED,
    SHARES,
];

/// What is explored when somebody asks for it.
pub const LARGE: &[World] = &[
    World {
        rounds: 3,
        txs: 2,
        ..PAIR
    },
    World {
        rounds: 2,
        ..ALL_HONEST
    },
    World {
        rounds: 2,
        txs: 2,
        ..MAJORITY
    },
    World {
        rounds: 3,
        txs: 2,
        ..RUNNING
    },
    World {
        rounds: 3,
        txs: 2,
        ..DISPUTE
    },
    World {
        depth: 64,
        ..ACCUSED
    },
    World {
        rounds: 2,
        ..LAST_CALL
    },
    World {
        rounds: 2,
        ..ROOM
    },
    World {
        rounds: 2,
        ..OUTAGE
    },
    World {
        depth: 64,
        ..OUTAGE_IN_DISPUTE
    },
    World {
        depth: 8,
        ..OPENING
    },
    World {
        rounds: 3,
        ..SHARES
    },
];
