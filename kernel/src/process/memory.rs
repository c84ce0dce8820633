//! Memory of the calling process.

/// Gives memory that was freed back to the system, also where something that is still used lies behind it. It takes
/// some milliseconds for each hundred megabytes: for after a start or a reload. Does nothing where the C library is not
/// glibc.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it changes nothing that is in use; any thread may call it at any time (malloc_trim(3), MT-Safe).
    unsafe {
        libc::malloc_trim(0);
    }
}
