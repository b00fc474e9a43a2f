//! Tensors written to a file one at a time, so that they are in memory only once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{self, File};
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
struct Written<'a> {
    shape: Vec<usize>,
    numbers: Numbers<'a>,
}

impl View for Written<'_> {
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
                // The device was asked for the same numbers a moment ago; a file cut short is refused by its readers.
                numbers.map(|numbers| bytes(&numbers)).unwrap_or_default().into()
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
/// It cannot be written; the old file is still there.
pub(super) fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Numbers<'a>)>,
    facts: [(&str, String); 1],
) -> Result<()> {
    let written = |(name, numbers): (String, Numbers<'a>)| {
        let shape = match &numbers {
            Numbers::Tensor(tensor) => tensor.dims().to_vec(),
            Numbers::Slice(numbers) => vec![numbers.len()],
        };
        (name, Written { shape, numbers })
    };
    let facts: HashMap<String, String> = facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
    let tensors: Vec<_> = tensors.into_iter().map(written).collect();
    files::replace_with(path, &files::beside(path, ".new"), |new| {
        // The library's own file is for nobody else to read: this one is as others of the user are.
        let permissions = File::create(new)?.metadata()?.permissions();
        safetensors::serialize_to_file(tensors, Some(facts), new).map_err(|error| match error {
            SafeTensorError::IoError(error) => error,
            error => io::Error::other(error),
        })?;
        fs::set_permissions(new, permissions)
    })
    .map_err(|error| Error::io(path, error))
}
