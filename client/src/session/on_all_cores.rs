//! Work that is worth all cores: sealing for hundreds of recipients, and opening what hundreds have sealed.

use rayon::prelude::*;
use tokio::task::yield_now;

/// Number of items that a core does until others have their turn: about 0.1 ms each.
const TOGETHER: usize = 16;

/// Does the same to all items. Where there are many, other tasks of the process go on in between: a party that reads isn't
/// late because others seal, and many that seal at once are ready at once, as if each had its machine.
pub(super) async fn on_all_cores<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Send + Sync,
) -> Vec<R> {
    let at_once = TOGETHER.saturating_mul(rayon::current_num_threads().max(1));
    let mut done = Vec::with_capacity(items.len());
    for some in items.chunks(at_once) {
        if !done.is_empty() {
            yield_now().await;
        }
        done.par_extend(some.par_iter().with_min_len(TOGETHER).map(&work));
    }
    done
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn others_have_their_turn_in_between_and_the_order_stays() {
        let turns = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&turns);
        let other = tokio::spawn(async move {
            loop {
                other.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        let at_once = TOGETHER * rayon::current_num_threads();
        let items: Vec<usize> = (0..at_once * 5 + 1).collect();
        let done = on_all_cores(&items, |item| item * 2).await;
        assert!(done.iter().copied().eq(items.iter().map(|item| item * 2)));
        let had = turns.load(Ordering::Relaxed);
        assert!(had >= 5, "{had}");
        assert_eq!(on_all_cores(&items[..at_once], |_| ()).await.len(), at_once);
        assert_eq!(
            turns.load(Ordering::Relaxed),
            had,
            "what is short isn't interrupted"
        );
        other.abort();
        assert_eq!(on_all_cores(&[] as &[u8], |_| ()).await, []);
    }
}
