//! Sizes of a protocol's posts.

use white_city_client::{Session, wire::Entry};

/// The largest payloads of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PostBytes {
    /// The largest broadcast, bytes.
    pub broadcast: u32,
    /// The most that one post has for all its recipients together, sealed, bytes.
    pub p2p: u32,
}

/// The largest payloads of each closed round, from round 1 on: what a protocol needs of a spec's limits, and of the board's.
#[must_use]
pub fn largest_posts(session: &Session) -> Vec<PostBytes> {
    let closed = session.history().open_round();
    let rounds = (1..closed).filter_map(|round| session.history().round(round));
    rounds
        .map(|round| {
            let posts = round.entries.iter().filter_map(|entry| match &entry.entry {
                Entry::Post(post) => Some(post),
                Entry::Finish(_) => None,
            });
            posts.fold(PostBytes::default(), |largest, post| PostBytes {
                broadcast: largest.broadcast.max(post.bcast_len),
                p2p: largest.p2p.max(post.p2p_bytes),
            })
        })
        .collect()
}
