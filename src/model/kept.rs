//! The vectors of examples in a file beside theirs, for the next run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::files;

/// The name of the tensor, and of what tells whose it is.
const VECTORS: &str = "vectors";
const FINGERPRINT: &str = "fingerprint";

/// All that the vectors of texts depend on, but for the program.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Origin<'a> {
    /// The fingerprint of the model's files.
    pub files: &'a str,
    /// How the model computes.
    pub model: &'a [String],
    /// The labels that the texts were read with.
    pub labels: &'a [String],
    /// The texts, in their order.
    pub texts: &'a [String],
}

/// Vectors in a file.
#[derive(Debug)]
pub struct KeptVectors<'a> {
    examples: &'a Path,
    path: PathBuf,
    fingerprint: String,
    rows: usize,
}

impl<'a> KeptVectors<'a> {
    /// Those of the texts of the file `examples`, which lie beside it.
    pub fn of(examples: &'a Path, origin: &Origin) -> Self {
        let all = json!([env!("CARGO_PKG_VERSION"), origin]);
        Self {
            examples,
            path: Self::path_of(examples),
            fingerprint: hex(Sha256::new_with_prefix(all.to_string())),
            rows: origin.texts.len(),
        }
    }

    /// Where those of the texts of this file are kept.
    pub fn path_of(examples: &Path) -> PathBuf {
        files::beside(examples, ".vectors")
    }

    /// Where they are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The vectors, one behind the other, if they are there and those that are wanted.
    pub fn read(&self) -> Option<Vec<f32>> {
        let bytes = fs::read(&self.path).ok()?;
        let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
        if header.metadata().as_ref()?.get(FINGERPRINT)? != &self.fingerprint {
            return None;
        }
        let file = SafeTensors::deserialize(&bytes).ok()?;
        let tensor = file.tensor(VECTORS).ok()?;
        let fits =
            tensor.dtype() == Dtype::F32 && matches!(*tensor.shape(), [rows, width] if rows == self.rows && width > 0);
        let (numbers, _) = tensor.data().as_chunks();
        let numbers: Vec<f32> = numbers.iter().copied().map(f32::from_le_bytes).collect();
        (fits && numbers.iter().all(|number| number.is_finite())).then_some(numbers)
    }

    /// Keeps the vectors `rows`, one behind the other; what was kept before is replaced in one step.
    ///
    /// # Errors
    /// They cannot be written, or the examples come from no file that they could lie beside.
    pub fn write(&self, rows: &[f32]) -> io::Result<()> {
        if !self.examples.is_file() {
            return Err(io::Error::other("the examples are no file"));
        }
        let bytes: Vec<u8> = rows.iter().copied().flat_map(f32::to_le_bytes).collect();
        let shape = vec![self.rows, rows.len() / self.rows.max(1)];
        let tensor = TensorView::new(Dtype::F32, shape, &bytes).map_err(io::Error::other)?;
        let header = HashMap::from([(FINGERPRINT.to_owned(), self.fingerprint.clone())]);
        let content = safetensors::serialize([(VECTORS, tensor)], Some(header)).map_err(io::Error::other)?;
        files::replace(&self.path, &content)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ROWS: [f32; 4] = [1.0, -0.0, f32::MIN_POSITIVE, 0.1];

    /// A file of two examples.
    fn examples() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("examples.jsonl");
        fs::write(&path, "").unwrap();
        (folder, path)
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn vectors_come_back_to_the_last_bit_and_nothing_else_is_left_behind() {
        let (folder, path) = examples();
        let texts = strings(&["one", "two"]);
        let kept = KeptVectors::of(&path, &Origin { files: "f", model: &[], labels: &[], texts: &texts });
        assert_eq!((kept.path(), kept.read()), (&*folder.path().join("examples.jsonl.vectors"), None));
        kept.write(&[0.0; 4]).unwrap();
        kept.write(&ROWS).unwrap();
        let bits = |rows: &[f32]| rows.iter().map(|number| number.to_bits()).collect::<Vec<u32>>();
        assert_eq!(bits(&kept.read().unwrap()), bits(&ROWS));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn vectors_of_another_origin_are_not_taken() {
        let (_folder, path) = examples();
        let [one, other] = [strings(&["a", "b"]), strings(&["a", "c"])];
        let origin = Origin { files: "f", model: &one, labels: &one, texts: &one };
        KeptVectors::of(&path, &origin).write(&ROWS).unwrap();
        for changed in [
            Origin { files: "g", ..origin },
            Origin { model: &other, ..origin },
            Origin { labels: &other, ..origin },
            Origin { texts: &other, ..origin },
        ] {
            assert_eq!(KeptVectors::of(&path, &changed).read(), None, "{changed:?}");
        }
        assert!(KeptVectors::of(&path, &origin).read().is_some());
    }

    #[test]
    fn a_damaged_file_holds_no_vectors() {
        let (_folder, path) = examples();
        let texts = strings(&["one", "two"]);
        let kept = KeptVectors::of(&path, &Origin { files: "f", model: &[], labels: &[], texts: &texts });
        kept.write(&ROWS).unwrap();
        let good = fs::read(kept.path()).unwrap();
        for length in 0..good.len() {
            fs::write(kept.path(), &good[..length]).unwrap();
            assert_eq!(kept.read(), None, "{length} of {} bytes", good.len());
        }
        for numbers in [&[][..], &[1.0, f32::NAN, 0.0, 0.0]] {
            kept.write(numbers).unwrap();
            assert_eq!(kept.read(), None);
        }
    }

    #[test]
    fn beside_what_is_no_file_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let kept = KeptVectors::of(&path, &Origin { files: "f", model: &[], labels: &[], texts: &[] });
        assert_eq!(kept.write(&ROWS).unwrap_err().to_string(), "the examples are no file");
        assert!(!kept.path().exists());
    }
}
