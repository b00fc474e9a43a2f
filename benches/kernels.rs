//! How fast the dense layers of common models run on one thread: `cargo bench --bench kernels`.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use gliclass::kernels::{Activation, PackedMatrix, Precision, arithmetic, linear};

/// What a layer does beside the product.
#[derive(Clone, Copy)]
enum Rest {
    Bias,
    BiasAndGelu,
    BiasAndResidual,
}

/// `(rows, inputs, outputs)`: layers of DeBERTa-small and of the edge model over a batch, and over one text.
const LAYERS: [(usize, usize, usize, Rest); 6] = [
    (1024, 768, 2304, Rest::Bias),
    (1024, 768, 3072, Rest::BiasAndGelu),
    (1024, 3072, 768, Rest::BiasAndResidual),
    (1024, 384, 1152, Rest::Bias),
    (1024, 576, 384, Rest::BiasAndResidual),
    (40, 768, 3072, Rest::BiasAndGelu),
];

const ROUNDS: usize = 15;

fn main() {
    for precision in [Precision::Split, Precision::Bf16, Precision::Int8] {
        println!("{}", arithmetic(precision));
        for (rows, inputs, outputs, rest) in LAYERS {
            let x: Vec<f32> = (0..rows * inputs).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
            let weight: Vec<f32> = (0..inputs * outputs).map(|i| (i * 104_729 % 1000) as f32 / 500.0 - 1.0).collect();
            let weight = PackedMatrix::new(&weight, outputs, inputs, precision);
            let (bias, residual) = (vec![0.1; outputs], vec![0.1; rows * outputs]);
            let (activation, residual) = match rest {
                Rest::Bias => (Activation::None, None),
                Rest::BiasAndGelu => (Activation::Gelu, None),
                Rest::BiasAndResidual => (Activation::None, Some(&residual[..])),
            };
            let mut out = vec![0.0; rows * outputs];
            let mut seconds: Vec<f64> = (0..ROUNDS)
                .map(|_| {
                    let start = Instant::now();
                    linear(&x, rows, &weight, Some(&bias), activation, residual, &mut out, 1);
                    start.elapsed().as_secs_f64()
                })
                .collect();
            seconds.sort_by(f64::total_cmp);
            let rate = |seconds: f64| 2.0 * (rows * inputs * outputs) as f64 / seconds / 1e9;
            let (median, best) = (rate(seconds[ROUNDS / 2]), rate(seconds[0]));
            println!("  {rows:5} x {inputs:5} -> {outputs:5}: {median:6.0} GFLOP/s, best {best:6.0}");
        }
    }
}
