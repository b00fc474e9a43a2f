//! Fine-tuning: a checkpoint and labelled records in, a checkpoint out.
//!
//! The way of the data, one file for each stage:
//!
//! ```text
//! labelled records -> Example -> Encoded -> Logits -> Loss -> Gradients -> step -> checkpoint
//! examples, flaws     augment    model      model     loss    trainer      optimizer  folder
//! ```
//!
//! [`trainer`] moves it along, [`state`] keeps how far it came, [`figures`] say how good it is.

pub mod augment;
pub mod card;
pub mod examples;
pub mod figures;
pub mod flaws;
pub mod folder;
pub mod loss;
pub mod optimizer;
pub mod schedule;
pub mod state;
mod tensors;
pub mod trainer;
