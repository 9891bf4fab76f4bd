//! When two states are the same: when they can't be told apart by what may follow. Heights, absolute times, digests and the names of
//! honest parties and of replicas don't count; differences of times and what digests stand for do.

use white_city_state_machine::{Body, Session};
use white_city_wire::{Bitmap, hash::sha256, limits::NOBODY};

use crate::{binder::Binder, explorer::Node};

mod replicas;

/// A state's name.
pub type Key = [u8; 16];

/// The name of a node's state: the smallest of those that it has under every renaming of honest parties.
#[must_use]
pub fn key(binder: &Binder, node: &Node) -> Key {
    let world = &binder.world;
    let renamings = permutations(world.honest, world.n);
    let names = renamings.iter().map(|to| name(binder, node, to));
    let name = names.min().unwrap_or_default();
    let mut key = [0; 16];
    key.copy_from_slice(&sha256(&name).0[..16]);
    key
}

/// Every renaming of the first `honest` of `n` parties: old index to new.
fn permutations(honest: u16, n: u16) -> Vec<Vec<u16>> {
    let mut all = vec![Vec::new()];
    for index in 0..n {
        let longer = all.into_iter().flat_map(|so_far: Vec<u16>| {
            let fresh = (0..n).filter(|to| {
                let same_kind = if index < honest {
                    *to < honest
                } else {
                    *to == index
                };
                same_kind && !so_far.contains(to)
            });
            let fresh: Vec<u16> = fresh.collect();
            fresh
                .into_iter()
                .map(move |to| [&so_far[..], &[to]].concat())
        });
        all = longer.collect();
    }
    all
}

fn name(binder: &Binder, node: &Node, to: &[u16]) -> Vec<u8> {
    let state = &node.board.state;
    let now = node.board.time.millis() - state.paused_ms();
    let mut name = vec![u8::from(node.hostile_last)];
    let punctual = node
        .punctual
        .map_or(u16::MAX, |mask| renamed_mask(mask, to));
    name.extend(punctual.to_be_bytes());
    if binder.world.on.opening {
        let left = binder.open_by_ms().checked_sub(now);
        name.extend(left.unwrap_or(u64::MAX).to_be_bytes());
    }
    let mut sessions: Vec<(u8, &Session)> = Vec::new();
    for session in 0..binder.world.sessions {
        if let Ok(session_now) = state.session(&binder.id(session)) {
            sessions.push((session, session_now));
        }
    }
    for (which, session) in &sessions {
        name.push(*which);
        name.extend(session.number.to_be_bytes());
        session_name(binder, session, now, to, &mut name);
    }
    replicas::name(binder, node, &sessions, &mut name);
    for opener in state.openers().iter() {
        name.extend(opener.live.to_be_bytes());
        name.extend(opener.live_bytes.to_be_bytes());
    }
    name
}

fn session_name(binder: &Binder, session: &Session, now: u64, to: &[u16], name: &mut Vec<u8>) {
    name.push(session.leaf.status.number());
    name.extend(session.leaf.open_round.to_be_bytes());
    let renamed = |index: u16| to.get(usize::from(index)).copied().unwrap_or(index);
    if let Some(record) = &session.terminal {
        let by = if record.by == NOBODY {
            NOBODY
        } else {
            renamed(record.by)
        };
        name.extend(record.cause.number().to_be_bytes());
        name.extend(by.to_be_bytes());
    }
    let Some(body) = &session.body else { return };
    let deadline = match session.leaf.deadline_ms {
        0 => i64::MIN,
        // Retention, when nothing else waits, ends at any time after it.
        deadline => i64::try_from(deadline).unwrap_or(0) - i64::try_from(now).unwrap_or(0),
    };
    name.extend(deadline.to_be_bytes());
    name.extend(bitmap(&body.members, to).to_be_bytes());
    for (index, digest) in &body.left {
        name.extend([200, renamed(*index).to_be_bytes()[1], binder.symbol(digest)]);
    }
    body_name(binder, body, to, name);
    let mut culprits: Vec<[u8; 3]> = body
        .culprits
        .iter()
        .map(|culprit| {
            let round = culprit.round.to_be_bytes()[3];
            let index = renamed(culprit.index).to_be_bytes()[1];
            [index, culprit.offence.number(), round]
        })
        .collect();
    culprits.sort_unstable();
    name.extend(culprits.concat());
    if let Some(dispute) = &body.dispute {
        let complain = &dispute.complain;
        let revealed = dispute.revealed.map_or(0, |r| binder.symbol(&r.digest));
        let (by, about) = (renamed(complain.index), renamed(complain.accused()));
        name.extend([201, by.to_be_bytes()[1], about.to_be_bytes()[1], revealed]);
        name.extend(complain.post.round.to_be_bytes());
    }
}

/// Slots of all rounds and what was used of the shares.
fn body_name(binder: &Binder, body: &Body, to: &[u16], name: &mut Vec<u8>) {
    let rounds = body.closed.iter().map(|closed| closed.slots.as_slice());
    for slots in rounds.chain([body.slots.as_slice()]) {
        let mut renamed = vec![0; slots.len()];
        for (slot, new) in slots.iter().zip(to) {
            if let Some(place) = renamed.get_mut(usize::from(*new)) {
                *place = slot.digest().map_or(0, |digest| binder.symbol(&digest));
            }
        }
        name.extend(renamed);
    }
    let mut used = vec![0; body.used_bytes.len()];
    for (bytes, new) in body.used_bytes.iter().zip(to) {
        if let Some(place) = used.get_mut(usize::from(*new)) {
            *place = *bytes;
        }
    }
    used.iter()
        .for_each(|bytes| name.extend(bytes.to_be_bytes()));
}

/// Whether a replica's block has counted in a session's last call.
#[must_use]
pub fn has_called(session: &Session, replica: usize) -> bool {
    let callers = Bitmap::from_bytes(256, &session.leaf.callers);
    let replica = u16::try_from(replica).unwrap_or(u16::MAX);
    callers.is_some_and(|callers| callers.contains(replica))
}

fn renamed_mask(mask: u16, to: &[u16]) -> u16 {
    let bits = to
        .iter()
        .enumerate()
        .filter(|(old, _)| mask >> old & 1 == 1);
    bits.fold(0, |sum, (_, new)| sum | 1 << new)
}

fn bitmap(bits: &Bitmap, to: &[u16]) -> u16 {
    renamed_mask(bits.iter().fold(0, |sum, index| sum | 1 << index), to)
}
