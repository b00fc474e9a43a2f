//! The tile unit AMX: eight registers of 16 rows by 64 bytes, products of bfloat16 with sums in f32.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::marker::PhantomData;
use std::sync::OnceLock;

use super::tiles::{BLOCK, Factor, SUMS, TILE, TileRegisters, TileUnit, multiply_plainly, narrow};
use super::{Avx512, Bf16};

/// Proof that this machine has AMX for bfloat16 and the system lets us use it: only [`Amx::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(in crate::kernels) struct Amx(Bf16);

impl Amx {
    pub(in crate::kernels) fn detect() -> Option<Self> {
        static THERE: OnceLock<Option<Amx>> = OnceLock::new();
        // Every processor that has it has these vectors, too.
        let detect = || Bf16::detect().filter(|_| has_instructions() && is_permitted()).map(Self);
        *THERE.get_or_init(|| detect().filter(|amx| amx.is_right()))
    }

    /// Whether the unit comes to the same as plain Rust, on whole numbers that leave nothing to rounding.
    ///
    /// A machine that only claims to have it, as under a faulty emulation, goes on without.
    fn is_right(self) -> bool {
        let number = |i: usize| half::bf16::from_f32((i % 7) as f32 - 3.0).to_bits();
        let factor: Vec<u16> = (0..8 * TILE).map(|i| number(i + i / 5)).collect();
        let mut sums = [[0.0; SUMS]; 2];
        [(1, true), (2, true), (1, false), (2, false)].into_iter().all(|(count, split)| {
            let row = 4 * TILE;
            let steps = if split { 2 } else { 4 };
            let (a, b) = (Factor::new(&factor, row, count, steps, split), Factor::new(&factor, row, 2, steps, split));
            [false, true].into_iter().all(|go_on| {
                // SAFETY: nobody else has the unit yet, and these are dropped before the next are made ready.
                let mut registers = unsafe { self.begin() };
                registers.multiply(&a, &b, &mut sums[0], go_on);
                multiply_plainly(&a, &b, &mut sums[1], go_on);
                sums[0] == sums[1]
            })
        })
    }
}

/// The processor's own word: `AMX-BF16` and `AMX-TILE`.
fn has_instructions() -> bool {
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    let edx = __cpuid_count(7, 0).edx;
    edx & AMX_BF16 != 0 && edx & AMX_TILE != 0
}

/// Asks Linux for the tile registers, which it keeps for each thread only of those that asked.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: a system call that changes nothing but this process's permission.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// Nobody asked on other systems yet.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    column_bytes: [u16; 16],
    rows: [u8; 16],
}

/// All eight registers whole.
static WHOLE_TILES: TileConfig = TileConfig {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    column_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Bytes from one row of a tile of factors to the next.
const ROW_BYTES: usize = 64;

impl TileUnit for Amx {
    type Vectors = Avx512;
    type Registers = Registers;

    unsafe fn begin(self) -> Registers {
        // SAFETY: `self` proves that the instruction exists; it reads 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE_TILES, options(nostack, readonly)) };
        Registers(PhantomData)
    }

    fn narrow(self, row: &[f32], line: usize, tiles: &mut [u16], split: bool) {
        // SAFETY: `self` proves that this machine has the instructions.
        unsafe { narrow(row, line, tiles, split) }
    }

    fn vectors(self) -> Avx512 {
        self.0.avx512()
    }
}

/// The tile registers of a thread, all eight whole. A value is the proof that they are ready, so it stays on the thread.
pub(in crate::kernels) struct Registers(PhantomData<*const ()>);

impl Drop for Registers {
    fn drop(&mut self) {
        // SAFETY: `self` comes from [`Amx::begin`], so the instruction exists; it only forgets the registers.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

impl TileRegisters for Registers {
    fn multiply(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
        assert!(b.count == 2 && a.split == b.split && a.steps == b.steps, "factors of a block");
        if a.steps == 0 {
            if !go_on {
                sums.fill(0.0);
            }
            return;
        }
        match (a.count, a.split) {
            (1, false) => self.one_row(a, b, sums, go_on),
            (1, true) => self.one_row_in_halves(a, b, sums, go_on),
            (_, false) => self.two_rows(a, b, sums, go_on),
            (_, true) => self.two_rows_in_halves(a, b, sums, go_on),
        }
    }
}

/// All steps of one row of tiles by two, from the sums that are there or from 0. `$step` are the lines of one step: they
/// add to `tmm0` and `tmm1`, and move the factors on.
macro_rules! steps_of_one_row {
    ($a:ident, $b:ident, $sums:ident, $go_on:ident: $($step:literal)+) => {
        asm!(
            "test {go_on:e}, {go_on:e}
            jz 2f
            tileloadd tmm0, [{sums} + {line}*1]
            tileloadd tmm1, [{sums} + {line}*1 + 64]
            jmp 3f
            2:
            tilezero tmm0
            tilezero tmm1
            3:",
            $($step,)+
            "dec {steps}
            jnz 3b
            tilestored [{sums} + {line}*1], tmm0
            tilestored [{sums} + {line}*1 + 64], tmm1",
            a0 = inout(reg) $a.row(0).as_ptr() => _,
            b0 = inout(reg) $b.row(0).as_ptr() => _,
            b1 = inout(reg) $b.row(1).as_ptr() => _,
            steps = inout(reg) $a.steps => _,
            go_on = in(reg) u32::from($go_on),
            row = in(reg) ROW_BYTES,
            sums = in(reg) $sums.as_mut_ptr(),
            line = in(reg) BLOCK * size_of::<f32>(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

/// [`steps_of_one_row`] of two rows of tiles by two, whose sums are `tmm0` to `tmm3`.
macro_rules! steps_of_two_rows {
    ($a:ident, $b:ident, $sums:ident, $go_on:ident: $($step:literal)+) => {
        asm!(
            "test {go_on:e}, {go_on:e}
            jz 2f
            tileloadd tmm0, [{sums} + {line}*1]
            tileloadd tmm1, [{sums} + {line}*1 + 64]
            tileloadd tmm2, [{sums} + {line}*1 + 2048]
            tileloadd tmm3, [{sums} + {line}*1 + 2112]
            jmp 3f
            2:
            tilezero tmm0
            tilezero tmm1
            tilezero tmm2
            tilezero tmm3
            3:",
            $($step,)+
            "dec {steps}
            jnz 3b
            tilestored [{sums} + {line}*1], tmm0
            tilestored [{sums} + {line}*1 + 64], tmm1
            tilestored [{sums} + {line}*1 + 2048], tmm2
            tilestored [{sums} + {line}*1 + 2112], tmm3",
            a0 = inout(reg) $a.row(0).as_ptr() => _,
            a1 = inout(reg) $a.row(1).as_ptr() => _,
            b0 = inout(reg) $b.row(0).as_ptr() => _,
            b1 = inout(reg) $b.row(1).as_ptr() => _,
            steps = inout(reg) $a.steps => _,
            go_on = in(reg) u32::from($go_on),
            row = in(reg) ROW_BYTES,
            sums = in(reg) $sums.as_mut_ptr(),
            line = in(reg) BLOCK * size_of::<f32>(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

impl Registers {
    /// Two rows of tiles by two: four loads for four products.
    fn two_rows(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
        // SAFETY: `self` proves that the registers are ready. Each of the four rows of tiles is read for `steps` tiles
        // of 1024 bytes, and has as many; `sums` holds 32 rows of 128 bytes.
        unsafe {
            steps_of_two_rows!(a, b, sums, go_on:
                "tileloadd tmm6, [{b0} + {row}*1]"
                "tileloadd tmm4, [{a0} + {row}*1]"
                "tileloadd tmm7, [{b1} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm5, [{a1} + {row}*1]"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "add {a0}, 1024"
                "add {a1}, 1024"
                "add {b0}, 1024"
                "add {b1}, 1024"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tdpbf16ps tmm3, tmm5, tmm7"
            )
        }
    }

    /// [`Self::two_rows`] of high and low halves: twelve products in a step, high by high, low by high, high by low.
    fn two_rows_in_halves(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
        // SAFETY: as in `two_rows`, with steps of 2048 bytes.
        unsafe {
            steps_of_two_rows!(a, b, sums, go_on:
                "tileloadd tmm6, [{b0} + {row}*1]"
                "tileloadd tmm4, [{a0} + {row}*1]"
                "tileloadd tmm7, [{b1} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tileloadd tmm5, [{a1} + {row}*1]"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "tileloadd tmm4, [{a0} + {row}*1 + 1024]"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tdpbf16ps tmm3, tmm5, tmm7"
                "tileloadd tmm5, [{a1} + {row}*1 + 1024]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "tileloadd tmm4, [{a0} + {row}*1]"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tileloadd tmm6, [{b0} + {row}*1 + 1024]"
                "tdpbf16ps tmm3, tmm5, tmm7"
                "tileloadd tmm7, [{b1} + {row}*1 + 1024]"
                "tileloadd tmm5, [{a1} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "add {a0}, 2048"
                "add {a1}, 2048"
                "add {b0}, 2048"
                "add {b1}, 2048"
                "tdpbf16ps tmm2, tmm5, tmm6"
                "tdpbf16ps tmm3, tmm5, tmm7"
            )
        }
    }

    /// One row of tiles by two.
    fn one_row(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
        // SAFETY: as in `two_rows`; 16 rows of `sums` are written.
        unsafe {
            steps_of_one_row!(a, b, sums, go_on:
                "tileloadd tmm4, [{a0} + {row}*1]"
                "tileloadd tmm6, [{b0} + {row}*1]"
                "tileloadd tmm7, [{b1} + {row}*1]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "add {a0}, 1024"
                "add {b0}, 1024"
                "add {b1}, 1024"
            )
        }
    }

    /// [`Self::one_row`] of high and low halves, in the order of [`Self::two_rows_in_halves`], so that a row has the
    /// same bits in both.
    fn one_row_in_halves(&mut self, a: &Factor, b: &Factor, sums: &mut [f32; SUMS], go_on: bool) {
        // SAFETY: as in `one_row`, with steps of 2048 bytes.
        unsafe {
            steps_of_one_row!(a, b, sums, go_on:
                "tileloadd tmm4, [{a0} + {row}*1]"
                "tileloadd tmm6, [{b0} + {row}*1]"
                "tileloadd tmm7, [{b1} + {row}*1]"
                "tileloadd tmm5, [{a0} + {row}*1 + 1024]"
                "tileloadd tmm2, [{b0} + {row}*1 + 1024]"
                "tileloadd tmm3, [{b1} + {row}*1 + 1024]"
                "tdpbf16ps tmm0, tmm4, tmm6"
                "tdpbf16ps tmm1, tmm4, tmm7"
                "tdpbf16ps tmm0, tmm5, tmm6"
                "tdpbf16ps tmm1, tmm5, tmm7"
                "tdpbf16ps tmm0, tmm4, tmm2"
                "tdpbf16ps tmm1, tmm4, tmm3"
                "add {a0}, 2048"
                "add {b0}, 2048"
                "add {b1}, 2048"
            )
        }
    }
}
