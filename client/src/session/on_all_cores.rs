//! Work that is worth all cores: sealing for hundreds of recipients, and opening what hundreds have sealed.

use rayon::prelude::*;
use tokio::task::yield_now;

/// How many items a core does until others have their turn: about 0.1 ms each.
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
