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

/// Gives each buffer of 64 KiB and more pages of its own: these cost memory only once something is written to them, and go back as soon as
/// the buffer does. Our sockets have such buffers for the longest message there may be, and most messages are short. For the start of a
/// process; does nothing where the C library is not glibc.
pub fn map_large_buffers() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a number for the allocator (mallopt(3)); blocks that were allocated before are not concerned.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 * 1024);
    }
}
