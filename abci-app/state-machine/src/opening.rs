//! Opening sessions: who may, how many, and within which bounds.

use white_city_wire::{
    Charter, Params, Refusal, SessionId, board::OpenerLeaf, reserve::reserved_bytes,
    stamp::is_stamp, tx::Open,
};

use crate::state::{Reserved, State};

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
    /// Bytes that sessions reserve.
    pub reserved: Reserved,
    /// Now, in board time.
    pub board_ms: u64,
}

/// Checks an opening whose id isn't taken.
pub fn check(open: &Open, id: SessionId, books: Books<'_>) -> Result<Opening, Refusal> {
    let (params, charter) = (books.state.params(), books.state.charter());
    check_time(open, params, books.board_ms)?;
    check_spec(open, params, charter)?;
    let needed = reserved_bytes(&open.spec);
    let (number, mut leaf) = match books.opener {
        Some(known) => known,
        None => (
            books.next_opener.ok_or(Refusal::NumbersUsedUp)?,
            OpenerLeaf::unlisted(open.opener),
        ),
    };
    if !leaf.listed && !charter.anyone_may_open {
        return Err(Refusal::NotAnOpener);
    }
    check_stamp(open, &id, leaf.listed, charter)?;
    check_quota(&leaf, needed, charter)?;
    check_board(&leaf, needed, books.reserved, charter)?;
    leaf.live = leaf.live.saturating_add(1);
    leaf.live_bytes = leaf.live_bytes.saturating_add(needed);
    Ok(Opening {
        id,
        opener: number,
        leaf,
        reserved: needed,
    })
}

/// Checks the stamp that the charter asks of openers which it doesn't list.
fn check_stamp(
    open: &Open,
    id: &SessionId,
    listed: bool,
    charter: &Charter,
) -> Result<(), Refusal> {
    let bits = if listed { 0 } else { charter.stamp_bits };
    let good = match bits {
        0 => open.stamp == 0,
        _ => is_stamp(id, open.stamp, bits),
    };
    good.then_some(()).ok_or(Refusal::Stamp { bits })
}

/// Checks what the opener may have by itself.
fn check_quota(leaf: &OpenerLeaf, needed: u64, charter: &Charter) -> Result<(), Refusal> {
    let (max_live, max_bytes) = if leaf.listed {
        (leaf.max_live, leaf.max_bytes)
    } else {
        (charter.anyone_max_live, charter.anyone_max_bytes)
    };
    if leaf.live >= max_live {
        return Err(Refusal::LiveQuota {
            live: leaf.live,
            max: max_live,
        });
    }
    let left = max_bytes.saturating_sub(leaf.live_bytes);
    if needed > left {
        return Err(Refusal::BytesQuota { needed, left });
    }
    Ok(())
}

/// Checks what there is room for: for strangers beside all that listed openers may have, and for everybody.
fn check_board(
    leaf: &OpenerLeaf,
    needed: u64,
    reserved: Reserved,
    charter: &Charter,
) -> Result<(), Refusal> {
    if !leaf.listed {
        let listed = charter.listed_bytes().unwrap_or(u64::MAX);
        let for_strangers = charter.max_board_bytes.saturating_sub(listed);
        let left = for_strangers.saturating_sub(reserved.strangers);
        if needed > left {
            return Err(Refusal::BoardFull { needed, left });
        }
    }
    let left = charter.max_board_bytes.saturating_sub(reserved.all);
    if needed > left {
        return Err(Refusal::BoardFull { needed, left });
    }
    Ok(())
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

fn check_spec(open: &Open, params: &Params, charter: &Charter) -> Result<(), Refusal> {
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
    over("max_bytes", spec.max_bytes, charter.max_session_bytes)?;
    spec.durations()
        .into_iter()
        .try_for_each(|(name, ms)| over(name, ms, params.max_duration_ms))
}
