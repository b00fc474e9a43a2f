//! What can go wrong, said so that the reader can mend it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What standard output is called where a file would be named.
pub const STANDARD_OUTPUT: &str = "standard output";

/// The result of everything in this library.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the library. The message says what, where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something: most often to read or write a file.
    #[error("{at}: {source}")]
    Io {
        /// What was refused, as it is called in messages: a file, perhaps with a line of it, or a sentence.
        at: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nobody reads standard output any more, as after `head`. Of another output that is [`Error::Io`].
    #[error("{}: {source}", STANDARD_OUTPUT)]
    ClosedOutput {
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a model is damaged, or says something that cannot be used.
    #[error("{}: {message}", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// One record cannot be classified; the others can.
    #[error("{0}")]
    Record(String),
    /// An option, a label or an example cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The Hub refused, or could not be reached.
    #[error("{0}")]
    Hub(String),
    /// The program took a turn that its author did not foresee.
    #[error("{0} (this is a bug, please report it)")]
    Bug(String),
    /// The tensor library failed: a bug, or no memory.
    #[error("{}", failed(.0))]
    Compute(#[source] candle_core::Error),
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(without_backtrace(error))
    }
}

impl Error {
    /// What the system said of a file, or of what else is named by `at`.
    pub fn io(at: impl AsRef<Path>, source: std::io::Error) -> Self {
        let remedy = match source.kind() {
            ErrorKind::IsADirectory => Some("is a folder, not a file: name a file in it"),
            ErrorKind::NotADirectory => Some("lies in what is a file, not a folder: check the name"),
            _ => None,
        };
        let source = remedy.map_or(source, std::io::Error::other);
        Self::Io { at: at.as_ref().display().to_string(), source }
    }

    /// What the system said where standard output was written to.
    pub fn output(source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedOutput { source },
            _ => Self::io(STANDARD_OUTPUT, source),
        }
    }

    /// A model file at `path` that cannot be used, and why.
    pub fn model(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Model { path: path.as_ref().to_owned(), message: message.into() }
    }
}

fn failed(error: &candle_core::Error) -> String {
    if is_out_of_memory(error) {
        return format!(
            "the GPU's memory is full: end what else computes on it, try --dtype bf16 or, in training, a smaller \
             --batch-size, or compute with --device cpu: {error}"
        );
    }
    format!("computation failed: {error}")
}

/// The error of the tensor library without the backtrace that it shows where the environment asks for one.
pub(crate) fn without_backtrace(error: candle_core::Error) -> candle_core::Error {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => without_backtrace(*inner),
        error => error,
    }
}

/// Whether a device has too little memory. The tensor library has no kind of error for it, only the driver's words.
pub(crate) fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let words = error.to_string().to_lowercase().replace(['_', ' '], "");
    let signs = ["outofmemory", "memoryallocation", "allocfailed", "insufficientmemory", "createmetalresource:buffer"];
    signs.iter().any(|sign| words.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_without_memory_is_told_as_such_with_what_to_do() {
        let full = [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "CublasError(CUBLAS_STATUS_ALLOC_FAILED)",
            "Metal error Failed to create metal resource: Buffer",
            "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
        ];
        for words in full {
            let error = Error::from(candle_core::Error::Msg(words.into())).to_string();
            assert!(error.contains("memory is full") && error.contains("--batch-size"), "{error}");
        }
        let error = Error::from(candle_core::Error::Msg("shape mismatch".into())).to_string();
        assert_eq!(error, "computation failed: shape mismatch");
        let inner = Box::new(candle_core::Error::Msg("shape mismatch".into()));
        let backtrace = Box::new(std::backtrace::Backtrace::force_capture());
        let traced = Error::from(candle_core::Error::WithBacktrace { inner, backtrace });
        assert_eq!(traced.to_string(), error);
    }
}
