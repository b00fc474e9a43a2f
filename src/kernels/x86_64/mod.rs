//! Kernels for x86-64 processors.

mod amx;
mod avx2;
mod avx512;
mod bf16;
mod blocks;
mod factors;
mod integer_tile;
mod integers;
mod pairs;
mod tiles;

pub(super) use amx::Amx;
pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;
pub(super) use bf16::Bf16;
pub(super) use blocks::Blocks;
pub(super) use integers::Unit;
pub(super) use pairs::Pairs;
pub(super) use tiles::Tiles;
