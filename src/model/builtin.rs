//! The small model inside the program. Its model card is `assets/builtin/README.md`.

use super::Files;
use crate::error::Result;

#[cfg(feature = "builtin")]
static WEIGHTS: &[u8] = include_bytes!("../../assets/builtin/model.safetensors");
#[cfg(feature = "builtin")]
static CONFIG: &str = include_str!("../../assets/builtin/config.json");
#[cfg(feature = "builtin")]
static TOKENIZER: &str = include_str!("../../assets/builtin/tokenizer.json");

/// All that the scores of the built-in model depend on.
pub(super) fn contents() -> [&'static [u8]; 3] {
    #[cfg(feature = "builtin")]
    return [CONFIG.as_bytes(), TOKENIZER.as_bytes(), WEIGHTS];
    #[cfg(not(feature = "builtin"))]
    [b"", b"", b""]
}

/// The files of the built-in model.
///
/// # Errors
/// The program was built without it.
#[cfg(feature = "builtin")]
pub(crate) fn files() -> Result<Files> {
    const NAME: &str = "builtin";
    Ok(Files {
        config: CONFIG.to_owned(),
        tokenizer: TOKENIZER.to_owned(),
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
