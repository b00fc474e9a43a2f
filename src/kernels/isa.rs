//! Which instructions this machine has, and which the kernels use.

#[cfg(test)]
use std::cell::Cell;
use std::ffi::OsStr;
use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
use super::aarch64::Neon;
use super::portable::Portable;
use super::simd::{Kernel, Simd};
#[cfg(target_arch = "x86_64")]
use super::x86_64::{Amx, Avx2, Avx512};

/// A set of instructions the kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Plain Rust.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512F.
    Avx512,
    /// AVX-512F, and the tiles of AMX for dense layers.
    Amx,
    /// The vectors of 64-bit Arm.
    Neon,
}

const VARIABLE: &str = "GLICLASS_KERNEL";

/// The value of the variable that leaves the kernels out: all runs by candle's operations, as on a GPU.
const NONE: &str = "candle";

/// Whether the kernels are to be used.
pub fn enabled() -> bool {
    static CHOICE: OnceLock<bool> = OnceLock::new();
    *CHOICE.get_or_init(|| std::env::var(VARIABLE).as_deref() != Ok(NONE))
}

/// The instruction set in use: the best this machine has, or the one named by `GLICLASS_KERNEL`.
///
/// # Errors
/// A message that lists the names this machine takes, when the variable holds another one.
pub fn isa() -> Result<Isa, String> {
    static CHOICE: OnceLock<Result<Isa, String>> = OnceLock::new();
    CHOICE.get_or_init(|| choose(std::env::var_os(VARIABLE).as_deref().map(OsStr::to_string_lossy).as_deref())).clone()
}

#[cfg(test)]
thread_local! {
    /// What a test works with in the place of what is in use.
    static CHOSEN: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The instruction set in use; the best one when the wish in the environment cannot be met.
///
/// It is asked for on the thread that calls a kernel, before others help.
pub(super) fn current() -> Isa {
    #[cfg(test)]
    if let Some(isa) = CHOSEN.get() {
        return isa;
    }
    isa().unwrap_or_else(|_| best())
}

fn choose(wish: Option<&str>) -> Result<Isa, String> {
    let Some(wish) = wish.filter(|w| !w.is_empty() && *w != NONE) else { return Ok(best()) };
    Isa::available().into_iter().find(|isa| isa.name() == wish).ok_or_else(|| {
        let names: Vec<_> = [NONE].into_iter().chain(Isa::available().into_iter().map(Isa::name)).collect();
        format!("{VARIABLE}={wish}: this machine has no such kernels; use one of: {}", names.join(", "))
    })
}

fn best() -> Isa {
    Isa::available().last().copied().unwrap_or(Isa::Portable)
}

/// Does one thing with the proof of an instruction set.
macro_rules! with {
    ($isa:expr, $simd:ident => $body:expr) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Amx => {
                let $simd = Avx512::detect().expect("kernels are chosen among the available ones: this is a bug");
                $body
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                let $simd = Avx2::detect().expect("kernels are chosen among the available ones: this is a bug");
                $body
            }
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => {
                let $simd = Neon;
                $body
            }
            _ => {
                let $simd = Portable;
                $body
            }
        }
    };
}

impl Isa {
    /// The name that `GLICLASS_KERNEL` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Amx => "amx",
            Isa::Neon => "neon",
        }
    }

    /// What this machine has, the best last.
    pub(super) fn available() -> Vec<Isa> {
        let mut all = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx2::detect().map(|_| Isa::Avx2));
            all.extend(Avx512::detect().map(|_| Isa::Avx512));
            all.extend(Amx::detect().map(|_| Isa::Amx));
        }
        #[cfg(target_arch = "aarch64")]
        all.push(Isa::Neon);
        all
    }

    /// Does `work` with each that this machine has as the one in use.
    #[cfg(test)]
    pub(super) fn each(mut work: impl FnMut(Isa)) {
        for isa in Isa::available() {
            CHOSEN.set(Some(isa));
            work(isa);
        }
        CHOSEN.set(None);
    }

    /// Runs a kernel with these instructions.
    pub(super) fn run(self, kernel: impl Kernel) {
        with!(self, simd => simd.run(kernel));
    }

    /// Columns of a panel of packed weights: two vectors.
    pub(super) fn panel(self) -> usize {
        fn of<S: Simd>(_: S) -> usize {
            2 * S::LANES
        }
        with!(self, simd => of(simd))
    }

    /// Rows of the largest tile.
    pub(super) fn tile_rows(self) -> usize {
        fn of<S: Simd>(_: S) -> usize {
            S::TILE_ROWS
        }
        with!(self, simd => of(simd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_cannot_be_met_names_the_ones_that_can() {
        assert_eq!(choose(Some("portable")), Ok(Isa::Portable));
        assert_eq!(choose(None), choose(Some("")));
        assert!(choose(Some("abacus")).is_err_and(|e| e.contains("GLICLASS_KERNEL=abacus") && e.contains("portable")));
    }
}
