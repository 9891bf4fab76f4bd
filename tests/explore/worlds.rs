//! The worlds that are explored: small ones whenever the tests run, larger ones when `WHITE_CITY_EXPLORE=large` is set.

mod charters;

use crate::world::{On, PLAIN, Start, World};

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
    start: Start::Joined,
    on: On {
        finishing: true,
        leaving: true,
        ..NOTHING
    },
    ..MAJORITY
};

/// Blocks with several transactions.
const FULLER: World = World {
    name: "fuller blocks",
    on: On {
        leaving: true,
        ..NOTHING
    },
    txs: 2,
    depth: 3,
    ..MAJORITY
};

/// Two of three, with entries that come after their round has closed.
const LATE: World = World {
    name: "late",
    start: Start::Joined,
    rounds: 2,
    on: On {
        refused: true,
        ..NOTHING
    },
    ..MAJORITY
};

/// Payloads between two parties, and complaints.
const DISPUTE: World = World {
    name: "dispute",
    start: Start::Joined,
    on: On {
        dispute: true,
        evidence: true,
        refused: true,
        ..NOTHING
    },
    depth: 5,
    ..PLAIN
};

/// Complaints and answers, with evidence, with several transactions in a block.
const ANSWER: World = World {
    name: "answer",
    start: Start::Posted,
    on: On {
        dispute: true,
        evidence: true,
        ..NOTHING
    },
    txs: 2,
    depth: 4,
    ..PLAIN
};

/// Complaints among three, where the accused may have left.
const ACCUSED: World = World {
    name: "accused",
    n: 3,
    honest: 2,
    start: Start::Posted,
    on: On {
        dispute: true,
        leaving: true,
        ..NOTHING
    },
    depth: 4,
    ..PLAIN
};

/// Complaints among three, when the accused is out.
const OUT: World = World {
    name: "out",
    start: Start::Missed,
    rounds: 3,
    on: On {
        dispute: true,
        ..NOTHING
    },
    depth: 6,
    ..ACCUSED
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
    start: Start::Joined,
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
    start: Start::Posted,
    on: On {
        outage: true,
        dispute: true,
        ..NOTHING
    },
    depth: 5,
    ..PLAIN
};

/// Openers, and how many sessions each may open.
const OPENING: World = World {
    name: "opening",
    sessions: 4,
    max_work: 12,
    on: On {
        opening: true,
        ..NOTHING
    },
    depth: 4,
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

/// Openings that need a stamp, and those that don't.
const STAMPS: World = World {
    name: "stamps",
    stamp_bits: 4,
    sessions: 2,
    depth: 3,
    ..OPENING
};

/// Shares of a session's bytes.
const SHARES: World = World {
    name: "shares",
    start: Start::Joined,
    rounds: 2,
    on: On {
        heavy: true,
        ..NOTHING
    },
    ..PLAIN
};

/// Worlds that are explored whenever the tests run.
pub const SMALL: &[World] = &[
    DISPUTE,
    ANSWER,
    PAIR,
    ALL_HONEST,
    MAJORITY,
    RUNNING,
    FULLER,
    LATE,
    ACCUSED,
    OUT,
    LAST_CALL,
    ROOM,
    OUTAGE,
    OUTAGE_IN_DISPUTE,
    OPENING,
    CLOSED,
    STAMPS,
    SHARES,
    charters::FOUR,
    charters::LAST_CALL,
    charters::TWO,
    charters::SUCCESSION,
    charters::NUMBER,
    charters::ENDING,
    charters::OPENERS,
];

/// Worlds that are explored when somebody asks for them.
pub const LARGE: &[World] = &[
    World { rounds: 3, ..PAIR },
    World { txs: 2, ..PAIR },
    World {
        rounds: 2,
        ..ALL_HONEST
    },
    World {
        rounds: 2,
        ..MAJORITY
    },
    World { depth: 6, ..FULLER },
    World {
        rounds: 3,
        ..RUNNING
    },
    World { depth: 64, ..LATE },
    World {
        depth: 64,
        ..DISPUTE
    },
    World {
        depth: 64,
        ..ANSWER
    },
    World {
        depth: 8,
        ..ACCUSED
    },
    World { depth: 64, ..OUT },
    World {
        rounds: 2,
        ..LAST_CALL
    },
    World { rounds: 2, ..ROOM },
    World {
        rounds: 3,
        ..OUTAGE
    },
    World {
        depth: 64,
        ..OUTAGE_IN_DISPUTE
    },
    World {
        depth: 5,
        ..OPENING
    },
    CLOSED,
    World {
        rounds: 3,
        ..SHARES
    },
    World {
        depth: 6,
        ..charters::FOUR
    },
    World {
        depth: 64,
        ..charters::LAST_CALL
    },
    World {
        depth: 9,
        ..charters::TWO
    },
    World {
        depth: 12,
        ..charters::SUCCESSION
    },
    World {
        depth: 64,
        ..charters::NUMBER
    },
    World {
        depth: 64,
        ..charters::ENDING
    },
    World {
        depth: 7,
        ..charters::OPENERS
    },
];
