//! Writes the 8-bit form of a checkpoint's weights that the program can hold inside.
//!
//! usage: `cargo run --release --example quantize -- IN/model.safetensors OUT/model.safetensors`
//!
//! Matrices become 8-bit values with one float16 scale for every 64 columns of a row, all else float16;
//! the pooler that GLiClass models never read is left out.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use gliclass::checkpoint::weights::QUANTIZED_GROUP;
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else { bail!("usage: quantize IN OUT") };
    let bytes = std::fs::read(input).with_context(|| input.clone())?;
    let mut tensors = Tensors::new();
    for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
        if !name.contains(".pooler.") {
            write(&name, &view, &mut tensors)?;
        }
    }
    let views =
        tensors.iter().map(|(name, (dtype, shape, bytes))| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)));
    let views = views.collect::<Result<Vec<_>>>()?;
    safetensors::serialize_to_file(views, None, Path::new(output))?;
    Ok(())
}

fn write(name: &str, view: &TensorView, tensors: &mut Tensors) -> Result<()> {
    let values = floats(view)?;
    let shape = view.shape().to_vec();
    match *shape {
        [rows, width] if !name.contains("position_embeddings") && width >= QUANTIZED_GROUP => {
            let (quantized, scales) = quantize(&values, width);
            let groups = width.div_ceil(QUANTIZED_GROUP);
            tensors.insert(format!("{name}.scale"), (Dtype::F16, vec![rows, groups], halves(&scales)));
            tensors.insert(name.to_owned(), (Dtype::I8, shape, quantized));
        }
        _ => {
            tensors.insert(name.to_owned(), (Dtype::F16, shape, halves(&values)));
        }
    }
    Ok(())
}

fn floats(view: &TensorView) -> Result<Vec<f32>> {
    let bytes = view.data();
    Ok(match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        other => bail!("weights of type {other:?} are not supported"),
    })
}

fn halves(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()
}

/// Values and scales; a scale is rounded to float16 before it is used.
fn quantize(values: &[f32], width: usize) -> (Vec<u8>, Vec<f32>) {
    let mut scales = Vec::new();
    let mut out = Vec::with_capacity(values.len());
    for group in values.chunks_exact(width).flat_map(|row| row.chunks(QUANTIZED_GROUP)) {
        let largest = group.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        let scale = f16::from_f32(largest / 127.0).to_f32();
        scales.push(scale);
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        out.extend(group.iter().map(|x| (x * inverse).round().clamp(-127.0, 127.0) as i8 as u8));
    }
    (out, scales)
}
