//! Tensors by name: memory-mapped safetensors or PyTorch's `.bin`, in one file or in shards, or bytes
//! inside the program. Nothing is converted before it is asked for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Tensor, Var};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::learning::{self, Adapter, Learner, Learning, Noise, Part};
use super::stored::Bytes;
pub use super::stored::{QUANTIZED_GROUP, Stored};
use super::{file, lock};
use crate::error::{Error, Result, without_backtrace};
use crate::{files, panics};

/// The forms of weights, the first one first that is taken: the file, and the index that says which shards they are in
/// where they are in several.
pub const FORMS: [[&str; 2]; 2] =
    [["model.safetensors", "model.safetensors.index.json"], ["pytorch_model.bin", "pytorch_model.bin.index.json"]];

/// What a file of PyTorch's begins with that was written before it had archives.
const BEFORE_ARCHIVES: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Ending of the scales' name beside an 8-bit tensor.
const SCALE_SUFFIX: &str = ".scale";

/// What the files of weights hold.
#[derive(Debug, Default)]
struct Found {
    tensors: BTreeMap<String, Stored>,
    /// The types of those that are in one that is not read.
    unread: BTreeMap<String, Dtype>,
}

#[derive(Debug)]
struct Store {
    file: PathBuf,
    tensors: BTreeMap<String, Stored>,
    unread: BTreeMap<String, Dtype>,
    used: Mutex<BTreeSet<String>>,
}

/// What products of f32 give up for speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Products {
    /// Nothing.
    Exact,
    /// The last bits, in the encoder, where nearly all the time goes.
    Fast,
    /// All but 8 bits of the factors.
    Bytes,
}

/// The tensors of a checkpoint below a prefix.
#[derive(Debug, Clone)]
pub struct Weights {
    store: Arc<Store>,
    prefix: String,
    /// Where the model computes.
    device: Device,
    /// The type of the encoder's tensors; all others are in f32.
    encoder_dtype: DType,
    /// How the encoder's products are made; all others are exact.
    encoder_products: Products,
    /// Where the model learns.
    learner: Option<Arc<Learner>>,
    /// The type of the tensors that are handed out.
    dtype: DType,
    products: Products,
    /// Whether gradients pass them whatever lies before them.
    passed: bool,
    /// Whether layers with them have biases.
    biased: bool,
}

impl Weights {
    /// Opens the weights in `folder`, in the first of the [`FORMS`] that it has.
    ///
    /// # Errors
    /// None of these files, or one of them damaged or cut short.
    pub fn open(folder: &Path) -> Result<Self> {
        for (form, add) in FORMS.iter().zip([add_safetensors, add_pickle]) {
            let [whole, index] = form.map(|name| folder.join(name));
            let (named, files) = if whole.exists() {
                (&whole, vec![whole.clone()])
            } else if index.exists() {
                (&index, shards(&index)?.iter().map(|name| folder.join(name)).collect())
            } else {
                continue;
            };
            let mut found = Found::default();
            files.iter().try_for_each(|file| add(file, &mut found))?;
            return Ok(Self::new(named, found));
        }
        Err(Error::model(folder, format!("no weights: expected {}", forms())))
    }

    /// Weights whose safetensors bytes are part of the program.
    ///
    /// # Errors
    /// The bytes are no safetensors file.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        let mut found = Found::default();
        index_tensors(Path::new(name), Bytes::Static(bytes), &mut found)?;
        Ok(Self::new(Path::new(name), found))
    }

    /// These tensors; `file` is only named in errors.
    pub fn of(file: &Path, tensors: BTreeMap<String, Stored>) -> Self {
        Self::new(file, Found { tensors, ..Found::default() })
    }

    fn new(file: &Path, mut found: Found) -> Self {
        found.join_scales();
        let Found { tensors, unread } = found;
        let store = Store { file: file.to_owned(), tensors, unread, used: Mutex::default() };
        Self {
            store: Arc::new(store),
            prefix: String::new(),
            device: Device::Cpu,
            encoder_dtype: DType::F32,
            encoder_products: Products::Fast,
            learner: None,
            dtype: DType::F32,
            products: Products::Exact,
            passed: false,
            biased: true,
        }
    }

    /// All tensors by their names, as they were stored.
    pub fn all(&self) -> &BTreeMap<String, Stored> {
        &self.store.tensors
    }

    /// The same weights for a model that computes on `device`, its encoder in `dtype`.
    pub fn on(self, device: Device, dtype: DType) -> Self {
        Self { device, encoder_dtype: dtype, encoder_products: Products::Fast, ..self }
    }

    /// The same weights for a model that magnifies rounding: multiplied in f32, unless bytes were asked for.
    pub fn exact_throughout(self) -> Self {
        match self.encoder_products {
            Products::Bytes => self,
            _ => Self { encoder_products: Products::Exact, ..self },
        }
    }

    /// The same weights for a model whose encoder multiplies bytes where the processor is fastest that way.
    pub fn in_bytes(self) -> Self {
        Self { encoder_products: Products::Bytes, ..self }
    }

    /// The same weights for a model that learns: once it is loaded, what learns is to be had from
    /// [`Weights::variables`].
    pub fn trainable(self, learning: Learning) -> Self {
        let learner = Learner::new(learning, self.store.tensors.keys());
        Self { learner: Some(Arc::new(learner)), ..self }
    }

    /// What learns: variables by their names in the checkpoint; the pair of an adapted matrix has its name with
    /// `.lora_a` and `.lora_b` behind it.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        self.learner.as_ref().map(|learner| lock(&learner.variables).clone()).unwrap_or_default()
    }

    /// The present values of all tensors of the checkpoint, by their names, in f32 on the processor; adapters are
    /// merged.
    ///
    /// # Errors
    /// The device failed.
    pub fn checkpoint(&self) -> Result<BTreeMap<String, Tensor>> {
        let was = |stored: &Stored| stored.to_tensor(&Device::Cpu, DType::F32);
        let mut tensors = BTreeMap::new();
        for (name, stored) in &self.store.tensors {
            let present = match &self.learner {
                Some(learner) => learner.present(self.copied(name, stored), || was(stored))?,
                None => was(stored)?,
            };
            tensors.insert(name.clone(), present);
        }
        Ok(tensors)
    }

    /// The name of the tensor that nobody asked for `name` because it is the same: PyTorch's files may hold tied
    /// tensors twice.
    fn copied<'a>(&'a self, name: &'a str, stored: &Stored) -> &'a str {
        let used = lock(&self.store.used);
        if used.contains(name) {
            return name;
        }
        let alike = |(other, candidate): &(&String, &Stored)| {
            used.contains(*other) && candidate.shape == stored.shape && candidate.to_vec() == stored.to_vec()
        };
        self.store.tensors.iter().find(alike).map_or(name, |(other, _)| other)
    }

    /// Begins dropout's masks of a batch, which follow from the seed and its number; with none, or where the model learns
    /// without dropout, nothing is left out. To be said before each batch: at first nothing is left out.
    pub fn dropout_at(&self, batch: Option<u64>) {
        if let Some(noise) = self.learner.as_ref().and_then(|learner| learner.noise.as_ref()) {
            noise.begin(batch);
        }
    }

    /// The masks of layers with these weights, where the model learns with dropout.
    pub fn noise(&self) -> Option<&Arc<Noise>> {
        self.learner.as_ref()?.noise.as_ref().filter(|_| self.learn())
    }

    /// The same weights, for layers that read what learns, where this is so, though they are not said to learn themselves.
    pub fn passed(self, learns: bool) -> Self {
        Self { passed: self.passed || learns, ..self }
    }

    /// The same weights, for layers that have biases, as is the rule, or have none. It is never told by the tensors: a
    /// bias that is missing would change all answers unseen.
    pub fn biased(self, biased: bool) -> Self {
        Self { biased, ..self }
    }

    /// Whether layers with these weights have biases.
    pub fn has_bias(&self) -> bool {
        self.biased
    }

    fn part(&self) -> Part {
        match self.learner.as_ref().map(|learner| learner.part(&self.prefix)) {
            Some(Part::Fixed) if self.passed => Part::Passed,
            Some(part) => part,
            None => Part::Fixed,
        }
    }

    /// Whether gradients pass layers with these weights.
    pub fn learn(&self) -> bool {
        self.part() != Part::Fixed
    }

    /// Where layers with these weights compute.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type in which layers with these weights compute.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How products with these weights are made, where the type is f32.
    pub fn products(&self) -> Products {
        self.products
    }

    /// The same weights in the encoder's type.
    pub fn for_encoder(&self) -> Self {
        Self { dtype: self.encoder_dtype, products: self.encoder_products, ..self.clone() }
    }

    /// The same weights for what is computed once, at load.
    pub fn exact(&self) -> Self {
        Self { products: Products::Exact, ..self.clone() }
    }

    /// All of them.
    pub fn root(&self) -> Self {
        Self { prefix: String::new(), ..self.clone() }
    }

    /// The weights below `name`.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        Self { prefix: self.full_name(name), ..self.clone() }
    }

    fn full_name(&self, name: impl std::fmt::Display) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }

    /// Whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        let full = self.full_name(name);
        self.store.tensors.contains_key(&full) || self.store.unread.contains_key(&full)
    }

    /// The tensor `name`, whatever its shape.
    ///
    /// # Errors
    /// It is missing, in a type that is not read, or without values.
    pub fn stored(&self, name: &str) -> Result<&Stored> {
        let full = self.full_name(name);
        let stored = self.store.tensors.get(&full).ok_or_else(|| match self.store.unread.get(&full) {
            Some(dtype) => self.error(format!(
                "tensor {full:?} is in {dtype:?}, which is not read: F32, F16, BF16 and F64 are, and I8 with its \
                 scales beside it"
            )),
            None => self.error(format!("tensor {full:?} is missing: the weights do not fit config.json")),
        })?;
        if stored.shape.contains(&0) {
            let remedy = file::fetch_again(&self.store.file);
            return Err(self.error(format!("tensor {full:?} has the shape {:?}: no values; {remedy}", stored.shape)));
        }
        lock(&self.store.used).insert(full);
        Ok(stored)
    }

    /// The tensor `name` of exactly this shape.
    ///
    /// # Errors
    /// It is missing, or has another shape.
    pub fn shaped(&self, name: &str, shape: &[usize]) -> Result<&Stored> {
        let stored = self.stored(name)?;
        if stored.shape != shape {
            let full = self.full_name(name);
            let found = &stored.shape;
            let message = format!("tensor {full:?} has the shape {found:?}, but config.json asks for {shape:?}");
            return Err(Error::model(&self.store.file, message));
        }
        Ok(stored)
    }

    /// The tensor `name` of exactly this shape, as f32.
    ///
    /// # Errors
    /// It is missing, or has another shape.
    pub fn vec(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.shaped(name, shape)?.to_vec())
    }

    /// The tensor `name` of exactly this shape, on the model's device: a variable where the model learns.
    ///
    /// # Errors
    /// It is missing, has another shape, or the device has no room.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let stored = self.shaped(name, shape)?;
        let tensor = || stored.to_tensor(&self.device, self.dtype);
        match &self.learner {
            Some(learner) if self.part() == Part::Learns => variable(learner, self.full_name(name), tensor),
            _ => tensor(),
        }
    }

    /// The adapter of the matrix `name` `(outputs, inputs)`, where it has one.
    ///
    /// # Errors
    /// The device has no room.
    pub fn adapter(&self, name: &str, [outputs, inputs]: [usize; 2]) -> Result<Option<Adapter>> {
        let learner = self.learner.as_ref();
        let Some((learner, lora)) = learner.and_then(|learner| Some((learner, learner.lora(&self.prefix)?))) else {
            return Ok(None);
        };
        let device = &self.device;
        let [down, up] = learning::pair_of(&self.full_name(name));
        let begin = lora.begin(&down, inputs, device)?;
        Ok(Some(Adapter {
            down: variable(learner, down, || Ok(begin.to_dtype(self.dtype)?))?,
            up: variable(learner, up, || Ok(Tensor::zeros((outputs, lora.rank), self.dtype, device)?))?,
            scale: lora.scale(),
            dropout: lora.dropout,
        }))
    }

    /// How many numbers there are in the tensors that were asked for.
    pub fn parameters(&self) -> usize {
        let used = lock(&self.store.used);
        let tensors = self.store.tensors.iter().filter(|(name, _)| used.contains(*name));
        tensors.map(|(_, stored)| stored.shape.iter().product::<usize>()).sum()
    }

    /// Names of tensors that nothing asked for.
    pub fn unused(&self) -> Vec<String> {
        let used = lock(&self.store.used);
        self.store.tensors.keys().filter(|name| !used.contains(*name)).cloned().collect()
    }

    /// What was read of a setting that these weights are loaded with.
    ///
    /// # Errors
    /// Its own, naming the file of the settings.
    pub fn setting<T>(&self, read: std::result::Result<T, String>) -> Result<T> {
        read.map_err(|message| self.setting_error(message))
    }

    /// An error about a setting that these weights are loaded with, naming the file of the settings.
    pub fn setting_error(&self, message: impl Into<String>) -> Error {
        Error::model(self.store.file.with_file_name("config.json"), message)
    }

    /// An error about these weights, naming their file.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::model(&self.store.file, message)
    }
}

impl Found {
    /// Brings 8-bit tensors and their scales together; without fitting ones they cannot be read.
    fn join_scales(&mut self) {
        let is_in_bytes = |(name, stored): (&String, &Stored)| (stored.dtype == Dtype::I8).then(|| name.clone());
        for name in self.tensors.iter().filter_map(is_in_bytes).collect::<Vec<_>>() {
            let scales = self.tensors.remove(&format!("{name}{SCALE_SUFFIX}"));
            let Entry::Occupied(mut entry) = self.tensors.entry(name) else { continue };
            match scales.filter(|scales| entry.get().takes(scales)) {
                Some(scales) => entry.get_mut().scales = Some(Box::new(scales)),
                None => {
                    let (name, stored) = entry.remove_entry();
                    self.unread.insert(name, stored.dtype);
                }
            }
        }
    }
}

/// The variable of this name, begun with a value where it is new.
fn variable(learner: &Learner, name: String, begin: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    match lock(&learner.variables).entry(name) {
        Entry::Occupied(entry) => Ok(entry.get().as_tensor().clone()),
        Entry::Vacant(entry) => Ok(entry.insert(Var::from_tensor(&begin()?)?).as_tensor().clone()),
    }
}

/// The names of all [`FORMS`], for a message.
pub fn forms() -> String {
    let [[whole, index], [old, old_index]] = FORMS;
    format!("{whole}, {index}, {old} or {old_index}")
}

/// The files that an index of weights names, by their paths from its folder.
///
/// # Errors
/// The index cannot be read, names no file, or one that is not below its folder.
pub fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let json: Value = serde_json::from_str(&file::read(index)?).map_err(|e| file::invalid_json(index, e))?;
    let names = json["weight_map"].as_object().into_iter().flat_map(|map| map.values());
    let names = names.filter_map(Value::as_str).map(|name| name.trim_start_matches("./").to_owned());
    let names: BTreeSet<String> = names.collect();
    if names.is_empty() {
        return Err(Error::model(index, "no file is named in weight_map: the index of the weights is damaged"));
    }
    match names.iter().find(|name| !files::is_below(name)) {
        Some(name) => {
            Err(Error::model(index, format!("weight_map names {name:?}, which is outside the model's folder")))
        }
        None => Ok(names),
    }
}

fn add_safetensors(path: &Path, found: &mut Found) -> Result<()> {
    let file = file::open(path)?;
    // SAFETY: the map is read only. A file that another process cuts short while it is mapped
    // would fault; checkpoints are written once, and the Hub's cache replaces whole files.
    let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::io(path, e))?;
    index_tensors(path, Bytes::Mapped(Arc::new(map)), found)
}

fn add_pickle(path: &Path, found: &mut Found) -> Result<()> {
    let damaged = |what: &str| {
        let remedy = file::fetch_again(path);
        Error::model(path, format!("not a readable PyTorch file{what}; {remedy}"))
    };
    let failed = |e: candle_core::Error| damaged(&format!(": {}", without_backtrace(e)));
    let mut start = Vec::new();
    let file = file::open(path)?;
    file.take(BEFORE_ARCHIVES.len() as u64).read_to_end(&mut start).map_err(|e| Error::io(path, e))?;
    if start == BEFORE_ARCHIVES {
        return Err(Error::model(
            path,
            "in the form of PyTorch before 1.6, which is not read here: write it anew, in Python by \
             torch.save(torch.load(FILE, weights_only=True), FILE)",
        ));
    }
    // The library's reader, which opens the file by itself, panics over some that are no pickles.
    let read = panics::caught(|| add_archive(path, &mut found.tensors));
    read.map_err(|_| damaged(""))?.map_err(failed)
}

fn add_archive(path: &Path, tensors: &mut BTreeMap<String, Stored>) -> candle_core::Result<()> {
    let length = std::fs::metadata(path)?.len();
    let archive = PthTensors::new(path, None)?;
    for (name, info) in archive.tensor_infos() {
        let (shape, each) = (info.layout.dims(), info.dtype.size_in_bytes());
        let bytes = shape.iter().try_fold(each, |bytes, &size| bytes.checked_mul(size));
        // The library takes the memory before it reads.
        if bytes.is_none_or(|bytes| bytes as u64 > length) {
            candle_core::bail!("tensor {name:?} has the shape {shape:?}, more than the file holds");
        }
        if let Some(tensor) = archive.get(name)? {
            let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            tensors.insert(present_name(name), Stored::from_values(tensor.dims().to_vec(), &values));
        }
    }
    Ok(())
}

fn index_tensors(path: &Path, bytes: Bytes, found: &mut Found) -> Result<()> {
    let all = bytes.as_slice();
    let damaged = |e| Error::model(path, format!("damaged or cut short: {e}; {}", file::fetch_again(path)));
    let file = SafeTensors::deserialize(all).map_err(damaged)?;
    for (name, view) in file.tensors() {
        let start = view.data().as_ptr() as usize - all.as_ptr() as usize;
        let range = start..start + view.data().len();
        let dtype = view.dtype();
        if !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64 | Dtype::I8) {
            // Buffers such as `position_ids` are integers; no layer asks for them.
            found.unread.insert(present_name(&name), dtype);
            continue;
        }
        let stored = Stored { bytes: bytes.clone(), range, dtype, shape: view.shape().to_vec(), scales: None };
        found.tensors.insert(present_name(&name), stored);
    }
    Ok(())
}

/// What transformers calls a tensor today: norms of checkpoints that came from TensorFlow have other names.
///
/// Source: `conversion_mapping.py` of transformers, "legacy".
fn present_name(name: &str) -> String {
    name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use safetensors::tensor::TensorView;

    use super::*;

    #[test]
    fn norms_may_have_the_names_they_once_had() {
        let folder = tempfile::tempdir().unwrap();
        let view = || TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
        let tensors = ["LayerNorm.gamma", "LayerNorm.beta"].map(|name| (format!("encoder.{name}"), view()));
        safetensors::serialize_to_file(tensors, None, &folder.path().join("model.safetensors")).unwrap();
        let weights = Weights::open(folder.path()).unwrap().at("encoder.LayerNorm");
        assert!(weights.has("weight") && weights.has("bias"));
    }

    #[test]
    fn a_tensor_that_cannot_be_read_is_told_by_its_type_once_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let view = |dtype, shape: &[usize], bytes| TensorView::new(dtype, shape.to_vec(), bytes).unwrap();
        let tensors = [
            ("small", view(Dtype::F8_E4M3, &[2], &[0; 2])),
            ("bytes", view(Dtype::I8, &[2, 2], &[0; 4])),
            ("scaled", view(Dtype::I8, &[2, 2], &[1; 4])),
            ("scaled.scale", view(Dtype::F16, &[2, 1], &[0; 4])),
            ("narrow", view(Dtype::I8, &[0, 0], &[])),
            ("narrow.scale", view(Dtype::F16, &[0, 0], &[])),
            ("empty", view(Dtype::F32, &[3, 0], &[])),
        ];
        safetensors::serialize_to_file(tensors, None, &folder.path().join("model.safetensors")).unwrap();
        let weights = Weights::open(folder.path()).unwrap();
        assert_eq!(weights.vec("scaled", &[2, 2]).unwrap(), [0.0; 4]);
        for (name, what) in [
            ("small", "is in F8_E4M3, which is not read"),
            ("bytes", "is in I8, which is not read"),
            ("narrow", "is in I8, which is not read"),
            ("empty", "has the shape [3, 0]: no values; fetch it again"),
            ("absent", "is missing: the weights do not fit config.json"),
        ] {
            let error = weights.stored(name).err().unwrap().to_string();
            assert!(error.contains(&format!("tensor {name:?} {what}")), "{error}");
        }
    }

    #[test]
    fn shards_are_named_from_their_folder_on() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("model.safetensors.index.json");
        std::fs::write(&index, r#"{"weight_map": {"a": "./x/1.safetensors", "b": "x/1.safetensors"}}"#).unwrap();
        assert_eq!(shards(&index).unwrap().into_iter().collect::<Vec<_>>(), ["x/1.safetensors"]);
    }

    #[test]
    fn a_tensor_of_pytorch_is_not_larger_than_its_file() {
        // Sizes and strides of the first matrix, `(32, 32)`, and of one that is larger than the file.
        let [small, large]: [&[u8]; 2] = [b"K\x20K\x20\x86q\x11K\x20K\x01\x86", b"K\xffK\xff\x86q\x11K\xffK\x01\x86"];
        let name = "pytorch_model.bin";
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/uni-format-pickle");
        let mut bytes = std::fs::read(fixture.join(name)).unwrap();
        let place = bytes.windows(small.len()).position(|part| part == small).unwrap();
        bytes[place..place + large.len()].copy_from_slice(large);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let error = Weights::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("has the shape [255, 255], more than the file holds"), "{error}");
        assert!(error.ends_with("fetch it again"), "{error}");
    }
}
