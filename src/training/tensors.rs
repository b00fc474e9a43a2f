//! Tensors written to a file one at a time, so that they are in memory only once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use candle_core::{DType, Tensor};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::files;

/// The header of a safetensors file is filled up to a multiple of so many bytes.
const ALIGNMENT: usize = 8;

/// The numbers of a tensor that is written.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// On whatever device.
    Tensor(Tensor),
    /// In memory, as one dimension.
    Slice(Cow<'a, [f32]>),
}

impl Numbers<'_> {
    fn shape(&self) -> Vec<usize> {
        match self {
            Self::Tensor(tensor) => tensor.dims().to_vec(),
            Self::Slice(numbers) => vec![numbers.len()],
        }
    }

    /// As they stand in a file.
    fn to_bytes(&self) -> candle_core::Result<Vec<u8>> {
        let numbers = match self {
            Self::Tensor(tensor) => tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?.into(),
            Self::Slice(numbers) => Cow::Borrowed(&**numbers),
        };
        let mut bytes = vec![0; 4 * numbers.len()];
        bytes.chunks_exact_mut(4).zip(&*numbers).for_each(|(bytes, x)| bytes.copy_from_slice(&x.to_le_bytes()));
        Ok(bytes)
    }
}

/// Replaces the safetensors file at `path` in one step; `facts` stand in its header.
///
/// The library's own writer makes a file of a name that nobody knows after a crash.
///
/// # Errors
/// It cannot be written, or the device gives no numbers; the old file is still there.
pub(super) fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Numbers<'a>)>,
    facts: [(&str, String); 1],
) -> Result<()> {
    let mut tensors: Vec<_> = tensors.into_iter().collect();
    tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
    let header = header(&tensors, facts);
    files::replace_with(path, |new| {
        let mut file = File::create(new)?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|(_, numbers)| file.write_all(&numbers.to_bytes().map_err(io::Error::other)?))
    })
    .map_err(|error| Error::io(path, error))
}

/// What stands before the numbers: its own length, then all that is to be known of them.
fn header(tensors: &[(String, Numbers<'_>)], facts: [(&str, String); 1]) -> Vec<u8> {
    let mut end = 0;
    let tensors = tensors.iter().map(|(name, numbers)| {
        let (shape, start) = (numbers.shape(), end);
        end += 4 * shape.iter().product::<usize>();
        (name.clone(), TensorInfo { dtype: Dtype::F32, shape, data_offsets: (start, end) })
    });
    let facts: HashMap<String, String> = facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
    let metadata = Metadata::new(Some(facts), tensors.collect()).expect("each tensor follows another; this is a bug");
    let mut text = serde_json::to_vec(&metadata).expect("names and numbers are JSON; this is a bug");
    text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
    [&(text.len() as u64).to_le_bytes(), &text[..]].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use candle_core::Device;
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn the_file_is_that_of_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let matrix = Tensor::new(&[[1_f32, -2.0], [0.5, 3e-8]], &Device::Cpu).unwrap();
        let tensors =
            [("b".to_owned(), Numbers::Slice(vec![4.0, 5.0, 6.0].into())), ("a".to_owned(), Numbers::Tensor(matrix))];
        write(&path, tensors, [("format", "pt".to_owned())]).unwrap();
        let bytes = fs::read(&path).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.tensor("a").unwrap().shape(), [2, 2]);
        let facts = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        assert!(safetensors::serialize(read.tensors(), Some(facts)).unwrap() == bytes);
    }

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
