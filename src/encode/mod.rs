//! Record -> Prompt -> token ids.

pub mod prompt;
mod reader;
pub mod tokens;

pub use prompt::Prompt;
pub(crate) use reader::ask;
pub use tokens::{Encoder, Tokens};
