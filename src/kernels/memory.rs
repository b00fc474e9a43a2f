//! Memory for the matrices that come and go with every layer, and their way to the processor.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

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

/// Asks the processor to bring numbers near before they are needed, where it can be asked: for rows that are too far
/// apart for it to see what comes next.
#[inline(always)]
pub(super) fn fetch(numbers: &[f32]) {
    /// Numbers in a cache line.
    const LINE: usize = 16;
    #[cfg(target_arch = "x86_64")]
    for number in numbers.iter().step_by(LINE).chain(numbers.last()) {
        // SAFETY: every such processor has the instruction, which changes nothing but the caches.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(number).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (numbers, LINE);
}
