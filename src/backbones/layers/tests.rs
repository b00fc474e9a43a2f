//! Both ways of an operation give the same numbers. A variable as input asks for candle's operations.

#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::backbones::Sequences;
use crate::checkpoint::config::Pooling;

fn random(rows: usize, width: usize, seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values = (0..rows * width).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    });
    matrix(values.collect(), width).unwrap()
}

fn variable(x: &Tensor) -> Tensor {
    Var::from_tensor(x).unwrap().as_tensor().clone()
}

#[track_caller]
fn assert_close(by_kernels: &Tensor, by_tensors: &Tensor, what: &str) {
    assert_eq!(by_kernels.dims(), by_tensors.dims(), "{what}");
    let pairs = values(by_kernels).unwrap().into_iter().zip(values(by_tensors).unwrap());
    for (at, (a, b)) in pairs.enumerate() {
        assert!((a - b).abs() <= 2e-5 * (1.0 + a.abs()), "{what}: element {at} is {a} and {b}");
    }
}

#[test]
fn attention_inside_sequences_of_any_length_and_window() {
    let sequences = Sequences::new([7, 6, 6, 1, 30], 1);
    let x = random(sequences.tokens(), 3 * 12, 1);
    for window in [None, Some(2), Some(40)] {
        let attention = Attention::new(12, 3).unwrap();
        let attention = match window {
            Some(distance) => attention.within(distance),
            None => attention,
        };
        let [a, b] = [&x, &variable(&x)].map(|x| attention.forward(x, &sequences).unwrap());
        assert_close(&a, &b, &format!("window {window:?}"));
    }
}

#[test]
fn rotary_positions() {
    let sequences = Sequences::new([5, 3, 9], 1);
    let x = random(sequences.tokens(), 3 * 8, 2);
    let rotary = Rotary::new(10_000.0, 4, 2, 16);
    let [a, b] = [x.clone(), variable(&x)].map(|x| rotary.forward(x, &sequences).unwrap());
    assert_close(&a, &b, "rotary");
}

#[test]
fn every_activation_and_its_gate() {
    let x = (random(8, 32, 3) * 4.0).unwrap();
    for name in [
        "gelu",
        "gelu_new",
        "gelu_10",
        "quick_gelu",
        "relu",
        "relu2",
        "relu6",
        "leaky_relu",
        "silu",
        "hardswish",
        "mish",
        "laplace",
        "sigmoid",
        "sqrtsoftplus",
        "tanh",
        "linear",
    ] {
        let activation = Activation::parse(name).unwrap();
        let [a, b] = [&x, &variable(&x)].map(|x| activation.gate(x).unwrap());
        assert_close(&a, &b, name);
    }
}

#[test]
fn every_pooling_with_cleared_rows_and_without() {
    let x = random(20, 6, 4);
    let span = |rows, zero_rows| Span { rows, zero_rows };
    let spans = [span(0..4, 0), span(4..5, 2), span(3..12, 1), span(12..20, 0)];
    use Pooling::{AbsAvg, AbsMax, Avg, First, Last, Max, Rms, Sum};
    for pooling in [First, Last, Max, AbsMax, Sum, Avg, AbsAvg, Rms] {
        let [a, b] = [&x, &variable(&x)].map(|x| pool(x, &spans, pooling).unwrap());
        assert_close(&a, &b, &format!("{pooling:?}"));
    }
    let spans = [span(2..3, 0), span(5..5, 0), span(19..20, 0)];
    let [a, b] = [&x, &variable(&x)].map(|x| pool(x, &spans, Avg).unwrap());
    assert_close(&a, &b, "single rows and an empty span");
    assert_eq!(values(&b.get(1).unwrap()).unwrap(), [0.0; 6]);
}

#[test]
fn softmax_inside_ranges_products_and_unit_rows() {
    let x = random(9, 4, 5);
    let ranges = [0..3, 3..4, 4..9];
    let scores =
        |x: &Tensor| softmax_within(&x.narrow(1, 0, 1).unwrap().contiguous().unwrap().squeeze(1).unwrap(), &ranges);
    let products = |x: &Tensor| dot_rows(x, &random(9, 4, 6));
    for (what, f) in
        [("softmax", &scores as &dyn Fn(&Tensor) -> Result<Tensor>), ("products", &products), ("unit rows", &normalize)]
    {
        assert_close(&f(&x).unwrap(), &f(&variable(&x)).unwrap(), what);
    }
}

#[test]
fn some_rows_attend_to_others() {
    let (labels, text) = (random(7, 8, 7), random(15, 8, 8));
    let run = |labels: &Tensor| {
        attend([labels, &text, &text], 2, &[0..2, 2..7], &[0..11, 11..15], &Dropout::default()).unwrap()
    };
    assert_close(&run(&labels), &run(&variable(&labels)), "attention over other rows");
}

#[test]
fn kernels_refuse_what_they_cannot_read() {
    let wide = random(4, 4, 9).narrow(1, 0, 2).unwrap();
    assert!(with_values(&wide, <[f32]>::len).is_err());
    let half = Tensor::zeros((2, 2), DType::F16, &Device::Cpu).unwrap();
    assert!(with_values(&half, <[f32]>::len).is_err());
}
