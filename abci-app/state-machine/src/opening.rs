//! Opening sessions: who may, how many, and within which bounds.

use white_city_wire::{
    Params, Refusal, SessionId, board::OpenerLeaf, reserve::reserved_bytes, tx::Open,
};

use crate::state::{State, is_stranger};

/// An opening that has passed every check.
pub struct Opening {
    /// The new session's id.
    pub id: SessionId,
    /// The opener's number: one that exists, or the next one.
    pub opener: u32,
    /// The opener with the session counted.
    pub leaf: OpenerLeaf,
    /// Bytes that the session reserves.
    pub reserved: u64,
}

/// The numbers that an opening is checked against.
pub struct Books<'a> {
    /// The state before the block.
    pub state: &'a State,
    /// The opener as it is now, with its number, if it is known.
    pub opener: Option<(u32, OpenerLeaf)>,
    /// The number that an unknown opener would get.
    pub next_opener: Option<u32>,
    /// Bytes that openers outside the genesis have reserved.
    pub strangers_bytes: u64,
    /// Now, in board time.
    pub board_ms: u64,
}

/// Checks an opening whose id isn't taken.
pub fn check(open: &Open, id: SessionId, books: Books<'_>) -> Result<Opening, Refusal> {
    let network = books.state.network();
    check_time(open, &network.params, books.board_ms)?;
    check_spec(open, &network.params)?;
    let needed = reserved_bytes(&open.spec);
    let (number, mut leaf) = match books.opener {
        Some(known) => known,
        None => (
            books.next_opener.ok_or(Refusal::NumbersUsedUp)?,
            stranger(open, &network.params)?,
        ),
    };
    if leaf.live >= leaf.max_live {
        return Err(Refusal::LiveQuota {
            live: leaf.live,
            max: leaf.max_live,
        });
    }
    let left = leaf.max_bytes.saturating_sub(leaf.live_bytes);
    if needed > left {
        return Err(Refusal::BytesQuota { needed, left });
    }
    if is_stranger(network, number) {
        let params = &network.params;
        let for_strangers = params.max_board_bytes.saturating_sub(params.listed_bytes());
        let left = for_strangers.saturating_sub(books.strangers_bytes);
        if needed > left {
            return Err(Refusal::BoardFull { needed, left });
        }
    }
    leaf.live = leaf.live.saturating_add(1);
    leaf.live_bytes = leaf.live_bytes.saturating_add(needed);
    Ok(Opening {
        id,
        opener: number,
        leaf,
        reserved: needed,
    })
}

fn check_time(open: &Open, params: &Params, board_ms: u64) -> Result<(), Refusal> {
    let max_ms = board_ms.saturating_add(params.max_open_ms);
    if open.open_by_ms < board_ms {
        return Err(Refusal::OpenExpired {
            open_by_ms: open.open_by_ms,
            board_ms,
        });
    }
    if open.open_by_ms > max_ms {
        return Err(Refusal::OpenTooFar {
            open_by_ms: open.open_by_ms,
            max_ms,
        });
    }
    Ok(())
}

fn check_spec(open: &Open, params: &Params) -> Result<(), Refusal> {
    let over = |field, got: u64, max: u64| {
        (got <= max)
            .then_some(())
            .ok_or(Refusal::OverParams { field, got, max })
    };
    let spec = &open.spec;
    over("roster", spec.parties().into(), params.max_n.into())?;
    over(
        "max_rounds",
        spec.max_rounds.into(),
        params.max_rounds.into(),
    )?;
    over("max_bytes", spec.max_bytes, params.max_session_bytes)?;
    spec.durations()
        .into_iter()
        .try_for_each(|(name, ms)| over(name, ms, params.max_duration_ms))
}

fn stranger(open: &Open, params: &Params) -> Result<OpenerLeaf, Refusal> {
    if !params.anyone_may_open {
        return Err(Refusal::NotAnOpener);
    }
    Ok(OpenerLeaf {
        key: open.opener,
        max_live: params.anyone_max_live,
        max_bytes: params.anyone_max_bytes,
        live: 0,
        live_bytes: 0,
    })
}
