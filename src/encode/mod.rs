//! Record -> Prompt -> token ids.

pub mod prompt;
pub mod tokens;

pub use prompt::Prompt;
pub use tokens::{Encoder, Tokens};
