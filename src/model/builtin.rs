//! The small model inside the program. Its model card is `assets/builtin/README.md`.

use super::Files;
use crate::error::Result;

/// The files of the built-in model.
///
/// # Errors
/// The program was built without it.
#[cfg(feature = "builtin")]
pub(crate) fn files() -> Result<Files> {
    const NAME: &str = "builtin";
    static WEIGHTS: &[u8] = include_bytes!("../../assets/builtin/model.safetensors");
    Ok(Files {
        config: include_str!("../../assets/builtin/config.json").to_owned(),
        tokenizer: include_str!("../../assets/builtin/tokenizer.json").to_owned(),
        weights: crate::checkpoint::Weights::from_static(NAME, WEIGHTS)?,
        folder: NAME.into(),
    })
}

/// The files of the built-in model.
///
/// # Errors
/// The program was built without it.
#[cfg(not(feature = "builtin"))]
pub(crate) fn files() -> Result<Files> {
    Err(crate::error::Error::Usage(
        "this build has no model inside (feature `builtin`): name one with --model, a folder or a Hub repository"
            .into(),
    ))
}
