//! Memory for the matrices that come and go with every layer.

/// Asks the C library to keep freed memory for the next matrix, instead of giving it back to the system and
/// paying for fresh pages again: about a tenth of the time of a small model. Elsewhere nothing is done.
pub fn keep_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Blocks up to this many bytes come from memory that is kept.
        const KEPT: libc::c_int = 1 << 30;
        /// The most that older versions of the library allow.
        const KEPT_BEFORE: libc::c_int = 32 << 20;
        // SAFETY: these calls set two numbers of the allocator, under its own lock.
        unsafe {
            let kept = [KEPT, KEPT_BEFORE].into_iter().any(|kept| libc::mallopt(libc::M_MMAP_THRESHOLD, kept) == 1);
            // The second alone would have every larger block mapped anew.
            if kept {
                libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
            }
        }
    }
}

/// The first `size` numbers of a buffer that only grows.
pub(super) fn sized<T: Copy + Default>(buffer: &mut Vec<T>, size: usize) -> &mut [T] {
    if buffer.len() < size {
        buffer.resize(size, T::default());
    }
    &mut buffer[..size]
}
