//! The program as its users meet it: one test binary, one module for each area.
#![allow(clippy::unwrap_used)]

mod bench;
#[cfg(feature = "builtin")]
mod builtin;
mod command_line;
mod embed;
mod eval;
#[cfg(feature = "hub")]
mod fake_hub;
mod fuzz;
mod generated;
mod harness;
#[cfg(feature = "hub")]
mod hub;
mod imports;
mod learning;
mod operations;
mod packed;
mod page;
mod parity;
#[cfg(feature = "parquet")]
mod parquet;
mod pieces;
#[cfg(feature = "builtin")]
mod recipe;
mod resume;
mod retrieval;
mod shards;
mod streaming;
mod train;
