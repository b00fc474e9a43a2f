//! Both ways of an operation give the same numbers. A variable as input asks for operations with a way back.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::backbones::Sequences;
use crate::backbones::rope::Turning;
use crate::checkpoint::config::Pooling;
use crate::checkpoint::learning::Learning;
use crate::checkpoint::weights::Stored;

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
    let sequences = Sequences::new([7, 6, 6, 0, 1, 30], 1);
    let x = random(sequences.tokens(), 3 * 12, 1);
    for window in [None, Some(2), Some(40)] {
        let attention = Attention::new(12, 3).unwrap();
        let attention = match window {
            Some(distance) => attention.within(distance),
            None => attention,
        };
        // Of padded sequences, too: padding far behind a text sees nothing of it.
        for sequences in [&sequences, &Sequences::padded([2, 10, 9, 7, 1], 10, 1)] {
            let [a, b] =
                [&x, &variable(&x)].map(|x| attention.forward(x, sequences, Bias::None, Option::None).unwrap());
            assert_close(&a, &b, &format!("window {window:?} over {sequences:?}"));
        }
    }
}

#[test]
fn rotary_positions() {
    let sequences = Sequences::new([5, 3, 9], 1);
    let x = random(sequences.tokens(), 3 * 8, 2);
    let turning = Turning { frequencies: vec![1.0, 0.01], scale: 1.0 };
    let rotary = Arc::new(Rotary::new(&turning, 2, 16));
    let [a, b] = [x.clone(), variable(&x)].map(|x| rotary.forward(x, &sequences).unwrap());
    assert_close(&a, &b, "rotary");
}

#[test]
fn rotary_positions_are_made_for_the_longest_sequence_so_far() {
    let rotations = Rotations::new(Turning { frequencies: vec![1.0, 0.01], scale: 1.0 }, 2);
    let turned = |lengths: &[usize]| {
        let sequences = Sequences::new(lengths.iter().copied(), 1);
        let x = random(sequences.tokens(), 3 * 8, 2);
        values(&rotations.for_sequences(&sequences).forward(x, &sequences).unwrap()).unwrap()
    };
    let short = turned(&[3, 5]);
    turned(&[90]);
    assert_eq!(short, turned(&[3, 5]));
}

/// The weights of a layer, as constants and as variables.
fn constant_and_learning(tensors: &[(&str, &Tensor)]) -> [Weights; 2] {
    let stored = |x: &Tensor| Stored::from_values(x.dims().to_vec(), &values(x).unwrap());
    let stored = || tensors.iter().map(|(name, x)| (name.to_string(), stored(x))).collect();
    let weights = || Weights::of(Path::new("made up"), stored());
    [weights(), weights().trainable(Learning::default())]
}

#[test]
fn the_word_of_padding_never_learns() {
    let [constant, learning] = constant_and_learning(&[("weight", &random(5, 4, 3))]);
    let ids = [0, 3, 3, 1];
    for (padding, slopes_of_rows) in [(None, [1.0, 1.0, 2.0]), (Some(3), [1.0, 1.0, 0.0]), (Some(-5), [0.0, 1.0, 2.0])]
    {
        let [a, b] = [&constant, &learning]
            .map(|weights| Embedding::load(weights, 4).unwrap().freezing(padding).forward(&ids).unwrap());
        assert_close(&a, &b, "words");
        let gradients = b.sum_all().unwrap().backward().unwrap();
        let slopes = values(gradients.get(&learning.variables()["weight"]).unwrap()).unwrap();
        assert_eq!([0, 1, 3].map(|row: usize| slopes[row * 4]), slopes_of_rows, "{padding:?}");
    }
}

#[test]
fn every_activation_and_its_gate() {
    let x = (random(8, 32, 3) * 4.0).unwrap();
    let (width, bias) = (20, random(1, 2 * 20, 5).flatten_all().unwrap());
    let weights = constant_and_learning(&[("weight", &(random(2 * width, 32, 4) * 0.2).unwrap()), ("bias", &bias)]);
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
        let activation = Activation::parse("hidden_act", name).unwrap();
        let [a, b] = [&x, &variable(&x)].map(|x| activation.forward(x).unwrap());
        assert_close(&a, &b, name);
        let gated = |weights| GatedLinear::load(weights, None, 32, width, activation).unwrap().forward(&x, 2).unwrap();
        let [a, b] = weights.each_ref().map(gated);
        assert_close(&a, &b, &format!("gated {name}"));
    }
}

#[test]
fn small_values_of_softplus_and_their_slopes_are_kept() {
    let x = Var::from_slice(&[-40.0_f32, -20.0, -15.0, -1.0, 0.0, 3.0], (1, 6), &Device::Cpu).unwrap();
    let y = Activation::parse("hidden_act", "sqrtsoftplus").unwrap().forward(x.as_tensor()).unwrap();
    let expected = [-40.0_f64, -20.0, -15.0, -1.0, 0.0, 3.0].map(|x| x.exp().ln_1p().sqrt());
    for (found, expected) in values(&y).unwrap().into_iter().zip(expected) {
        assert!((f64::from(found) - expected).abs() < 1e-6 * expected, "{found} for {expected}");
    }
    let slopes = y.sum_all().unwrap().backward().unwrap();
    assert!(values(slopes.get(&x).unwrap()).unwrap().iter().all(|slope| *slope > 0.0 && slope.is_finite()));
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
    let nothing = x.narrow(0, 0, 0).unwrap();
    let [a, b] = [&nothing, &variable(&nothing)].map(|x| pool(x, &[span(0..0, 0)], Max).unwrap());
    assert_close(&a, &b, "nothing");
}

#[test]
fn softmax_inside_ranges_products_and_unit_rows() {
    let x = random(9, 4, 5);
    let ranges = [0..3, 3..4, 4..9];
    let scores =
        |x: &Tensor| softmax_within(&x.narrow(1, 0, 1).unwrap().contiguous().unwrap().squeeze(1).unwrap(), &ranges);
    let pairs = Pairs::new([(2, 0..5), (8, 0..5), (0, 5..6), (3, 1..7)].into_iter());
    let products = |x: &Tensor| dot_rows(x, &random(7, 4, 6), &pairs, 2);
    // The filling of a shorter range is a row that is there, however large.
    let far = Tensor::new(&[1e5_f32, 0.0, -1e5], &Device::Cpu).unwrap();
    let shares = softmax_within(&variable(&far), &[0..2, 2..3]).unwrap();
    assert_eq!(values(&shares).unwrap(), [1.0, 0.0, 1.0]);
    assert_eq!(softmax_within(&variable(&far.narrow(0, 0, 0).unwrap()), &[0..0, 0..0]).unwrap().dims(), [0]);
    for (what, f) in
        [("softmax", &scores as &dyn Fn(&Tensor) -> Result<Tensor>), ("products", &products), ("unit rows", &normalize)]
    {
        assert_close(&f(&x).unwrap(), &f(&variable(&x)).unwrap(), what);
    }
}

#[test]
fn some_rows_attend_to_others() {
    let (labels, text) = (random(7, 8, 7), random(15, 16, 8));
    let (attention, sequences) = (Attention::new(8, 2).unwrap(), Sequences::new([2, 4, 1], 2));
    let run = |labels: &Tensor| attention.forward_over(labels, &text, &sequences, &[0..11, 11..15, 15..15]).unwrap();
    assert_close(&run(&labels), &run(&variable(&labels)), "attention over other rows");
    assert_eq!(values(&run(&labels).get(6).unwrap()).unwrap(), [0.0; 8]);
}

#[test]
fn states_of_a_sequence_have_the_same_bits_alone_and_among_others() {
    for size in [5, 48] {
        let sequences = Sequences::new([3, 0, 17, 1, 17, 4], 1);
        let gates = (random(sequences.tokens(), 4 * size, 9) * 3.0).unwrap();
        let weights = constant_and_learning(&[("weight", &(random(4 * size, size, 10) * 0.2).unwrap())]);
        for backwards in [false, true] {
            let recurrences =
                weights.each_ref().map(|weights| Recurrence::load(weights, "weight", size, backwards).unwrap());
            let [together, by_tensors] = recurrences.each_ref().map(|way| way.forward(&gates, &sequences).unwrap());
            assert_close(&together, &by_tensors, &format!("recurrence of {size}, backwards {backwards}"));
            for rows in sequences.ranges().filter(|rows| !rows.is_empty()) {
                let part = |x: &Tensor| x.narrow(0, rows.start, rows.len()).unwrap();
                let alone = recurrences[0].forward(&part(&gates), &Sequences::new([rows.len()], 2)).unwrap();
                let what = format!("sequence {rows:?} of {size}, backwards {backwards}");
                assert_eq!(values(&alone).unwrap(), values(&part(&together)).unwrap(), "{what}");
            }
        }
    }
}

#[test]
fn kernels_refuse_what_they_cannot_read() {
    let wide = random(4, 4, 9).narrow(1, 0, 2).unwrap();
    assert!(with_values(&wide, <[f32]>::len).is_err());
    let half = Tensor::zeros((2, 2), DType::F16, &Device::Cpu).unwrap();
    assert!(with_values(&half, <[f32]>::len).is_err());
}

/// Gradients by the kernels are the slopes measured by a step to each side.
#[track_caller]
fn assert_slopes(inputs: &[&Tensor], f: impl Fn(&[Tensor]) -> Tensor) {
    let variables: Vec<Var> = inputs.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
    let tensors: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    // Looks at every element in another way.
    let loss = |inputs: &[Tensor]| {
        let y = f(inputs).flatten_all().unwrap();
        let weights = Tensor::from_iter((0..y.elem_count()).map(|i| (i as f32 * 0.7).sin()), &Device::Cpu).unwrap();
        (y * weights).unwrap().sum_all().unwrap()
    };
    let gradients = loss(&tensors).backward().unwrap();
    for (which, variable) in variables.iter().enumerate() {
        let gradient = values(gradients.get(variable).unwrap()).unwrap();
        let original = values(inputs[which]).unwrap();
        for entry in (0..original.len()).step_by(original.len() / 7 + 1) {
            let at = |step: f32| {
                let mut shifted = original.clone();
                shifted[entry] += step;
                let mut inputs: Vec<Tensor> = inputs.iter().map(|x| (*x).clone()).collect();
                inputs[which] = Tensor::from_vec(shifted, inputs[which].dims(), &Device::Cpu).unwrap();
                f64::from(values(&loss(&inputs)).unwrap()[0])
            };
            let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
            let found = f64::from(gradient[entry]);
            assert!(
                (found - slope).abs() < 2e-3 * (1.0 + slope.abs()),
                "input {which}, entry {entry}: {found}, not {slope}"
            );
        }
    }
}

#[test]
fn gradients_of_dense_layers_and_norms_by_the_kernels() {
    use kernels::Activation::{Gelu, GeluTanh, None, Silu, Tanh};
    let (x, weight, bias) = (random(70, 9, 1), random(11, 9, 2), random(1, 11, 3).squeeze(0).unwrap());
    for activation in [None, Gelu, GeluTanh, Silu, Tanh] {
        assert_slopes(&[&x, &weight, &bias], |x| gradients::dense(&x[0], &x[1], Some(&x[2]), activation, 2).unwrap());
        assert_slopes(&[&x], |x| gradients::activate(&x[0], activation).unwrap());
        assert_slopes(&[&random(5, 8, 4)], |x| gradients::gate(&x[0], activation).unwrap());
    }
    let (weight, bias) = (random(1, 9, 5).squeeze(0).unwrap(), random(1, 9, 6).squeeze(0).unwrap());
    assert_slopes(&[&x, &weight, &bias], |x| gradients::layer_norm(&x[0], &x[1], &x[2], 1e-5).unwrap());
    assert_slopes(&[&x, &weight], |x| gradients::rms_norm(&x[0], &x[1], 1e-5).unwrap());
    assert_slopes(&[&weight.unsqueeze(0).unwrap()], |x| gradients::gather(&x[0], vec![0, 0, 0]).unwrap());
}

#[test]
fn gradients_of_attention_by_the_kernels_with_windows_and_what_is_left_out() {
    let bounds = [0, 7, 7, 8, 30];
    let x = random(30, 3 * 12, 7);
    for (window, causal) in [(Option::None, false), (Some(3), false), (Some(3), true), (Option::None, true)] {
        let shape = kernels::AttentionShape {
            bounds: &bounds,
            heads: 3,
            head_dim: 4,
            scale: 0.7,
            window,
            causal,
            read: Option::None,
            precision: kernels::Precision::F32,
        };
        for mask in [Option::None, Some(kernels::Mask::new(9, 0.3))] {
            assert_slopes(&[&x], |x| gradients::attention(&x[0], &shape, mask, 2).unwrap());
        }
    }
    let mask = kernels::Mask::new(3, 0.5);
    assert_slopes(&[&x, &random(30, 36, 8)], |x| gradients::add(&x[0], &x[1], Some(mask)).unwrap());
    assert_slopes(&[&x], |x| gradients::mask(&x[0], mask).unwrap());
}

#[test]
fn gradients_have_the_same_bits_on_any_number_of_threads() {
    let (x, weight) = (random(700, 96, 1), random(64, 96, 2));
    let shape = |bounds| kernels::AttentionShape {
        bounds,
        heads: 2,
        head_dim: 16,
        scale: 0.7,
        window: None,
        causal: false,
        read: Option::None,
        precision: kernels::Precision::F32,
    };
    let run = |threads| {
        let inputs = [&x, &weight].map(|x| Var::from_tensor(x).unwrap());
        let y = gradients::dense(&inputs[0], &inputs[1], None, kernels::Activation::Gelu, threads).unwrap();
        let y = gradients::attention(
            &Tensor::cat(&[&y, &y.narrow(1, 0, 32).unwrap()], 1).unwrap(),
            &shape(&[0, 300, 320, 700]),
            None,
            threads,
        );
        let gradients = y.unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
        inputs.map(|input| values(gradients.get(&input).unwrap()).unwrap())
    };
    assert_eq!(run(1), run(3));
}
