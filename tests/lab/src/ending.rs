//! Whether this process is being ended.

use std::sync::atomic::{AtomicBool, Ordering};

static ENDING: AtomicBool = AtomicBool::new(false);

/// Begins the end of this process. True if another thread has begun it already.
pub(crate) fn begin() -> bool {
    ENDING.swap(true, Ordering::SeqCst)
}

/// Whether this process is being ended: nothing new may be started then.
pub(crate) fn is_under_way() -> bool {
    ENDING.load(Ordering::SeqCst)
}
