//! Tensors written to a file one at a time, so that they are in memory only once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use candle_core::{DType, Tensor};
use safetensors::{Dtype, SafeTensorError, View};

use crate::error::{Error, Result};
use crate::files;

/// The numbers of a tensor that is written.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// On whatever device.
    Tensor(Tensor),
    /// In memory, as one dimension.
    Slice(Cow<'a, [f32]>),
}

/// What a file of tensors wants to know of one of them.
struct Written<'a, 'b> {
    shape: Vec<usize>,
    numbers: Numbers<'a>,
    /// Why the device gave no numbers: the library asks for them in a way that knows no errors.
    failure: &'b OnceCell<candle_core::Error>,
}

impl View for Written<'_, '_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match &self.numbers {
            Numbers::Slice(numbers) => bytes(numbers).into(),
            Numbers::Tensor(tensor) => {
                let numbers = tensor.to_dtype(DType::F32).and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>());
                let numbers = numbers.unwrap_or_else(|error| {
                    // Only the first one is kept.
                    drop(self.failure.set(error));
                    Vec::new()
                });
                bytes(&numbers).into()
            }
        }
    }

    fn data_len(&self) -> usize {
        4 * self.shape.iter().product::<usize>()
    }
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * numbers.len()];
    bytes.chunks_exact_mut(4).zip(numbers).for_each(|(bytes, x)| bytes.copy_from_slice(&x.to_le_bytes()));
    bytes
}

/// Replaces the safetensors file at `path` in one step; `facts` stand in its header.
///
/// # Errors
/// It cannot be written, or the device gives no numbers; the old file is still there.
pub(super) fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Numbers<'a>)>,
    facts: [(&str, String); 1],
) -> Result<()> {
    let failure = OnceCell::new();
    let written = |(name, numbers): (String, Numbers<'a>)| {
        let shape = match &numbers {
            Numbers::Tensor(tensor) => tensor.dims().to_vec(),
            Numbers::Slice(numbers) => vec![numbers.len()],
        };
        (name, Written { shape, numbers, failure: &failure })
    };
    let facts: HashMap<String, String> = facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
    let tensors: Vec<_> = tensors.into_iter().map(written).collect();
    files::replace_with(path, |new| {
        // The library's own file is for nobody else to read: this one is as others of the user are.
        let permissions = fs::metadata(new)?.permissions();
        safetensors::serialize_to_file(tensors, Some(facts), new).map_err(|error| match error {
            SafeTensorError::IoError(error) => error,
            error => io::Error::other(error),
        })?;
        // Such a file has the right size, and holes.
        failure.get().map_or(Ok(()), |error: &candle_core::Error| Err(io::Error::other(error.to_string())))?;
        fs::set_permissions(new, permissions)
    })
    .map_err(|error| Error::io(path, error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_tensor_that_gives_no_numbers_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs::write(&path, "old").unwrap();
        // There is no arithmetic for numbers of four bits.
        let without_numbers = Tensor::from_raw_buffer(&[0; 8], DType::F4, &[8], &Device::Cpu).unwrap();
        let tensors = [("a".to_owned(), Numbers::Tensor(without_numbers))];
        let error = write(&path, tensors, [("format", "pt".to_owned())]).unwrap_err();
        assert!(error.to_string().contains("F4"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
