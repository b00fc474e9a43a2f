//! Memory for the matrices that come and go with every layer.

/// Asks the C library to keep freed memory for the next matrix, instead of giving it back to the system and
/// paying for fresh pages again: about a tenth of the time of a small model. Elsewhere nothing is done.
pub fn keep_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Blocks up to this many bytes come from memory that is kept.
        const KEPT: libc::c_int = 1 << 30;
        // SAFETY: these calls set two numbers of the allocator, under its own lock.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}
