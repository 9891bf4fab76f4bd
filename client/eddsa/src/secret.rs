//! A secret of 32 bytes: once in memory, and what computing with it leaves behind is overwritten.

use std::{hint::black_box, ops::Deref, sync::Arc};

use zeroize::Zeroizing;

/// Size of the part of the stack that is overwritten, bytes: several times what the computations of this crate use, without
/// optimisation, too.
const STACK_BYTES: usize = 64 << 10;

/// On the heap, so that moving it from round to round leaves no copies; its holders share it, and the last one wipes it.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Zeroizing<[u8; 32]>>);

impl Secret {
    /// The only copy that is made.
    pub(crate) fn copy_of(bytes: &[u8; 32]) -> Self {
        let mut place = Arc::new(Zeroizing::new([0; 32]));
        if let Some(place) = Arc::get_mut(&mut place) {
            place.copy_from_slice(bytes);
        }
        Self(place)
    }
}

impl Deref for Secret {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Computes with secrets, and then overwrites the stack that this has used: arguments, results and temporaries by value are there,
/// and nothing else would wipe them. Neither what is given nor what comes back may hold a secret by value.
#[inline(never)]
pub(crate) fn on_clean_stack<T>(compute: impl FnOnce() -> T) -> T {
    let result = apart(compute);
    overwrite();
    result
}

/// In frames of its own, below the caller's.
#[inline(never)]
fn apart<T>(compute: impl FnOnce() -> T) -> T {
    compute()
}

/// In a frame where those were.
#[inline(never)]
fn overwrite() {
    black_box(&mut [0_u8; STACK_BYTES]);
}
