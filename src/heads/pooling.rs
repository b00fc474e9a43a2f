//! Token rows -> one row.
//!
//! Source: `poolings.py` and `GLiClassBaseModel._extract_class_features` of `gliclass` 0.1.21, on one record at a time.

use std::ops::Range;

use crate::checkpoint::config::{ClassTokenPooling, Pooling};

/// Pools `rows` `(tokens, width)` column by column.
///
/// `zero_rows` rows of zeros follow them: where the reference pools the text alone, it first moves the
/// text to the front of the sequence and clears the rest, and its pooling counts the cleared rows.
pub fn pool(pooling: Pooling, rows: &[f32], width: usize, zero_rows: usize) -> Vec<f32> {
    let count = (rows.len() / width + zero_rows) as f64;
    let sum = |f: fn(f64) -> f64| {
        let mut sums = vec![0f64; width];
        for row in rows.chunks_exact(width) {
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f(f64::from(x)));
        }
        sums
    };
    let largest = |f: fn(f32) -> f32| {
        let start = if zero_rows > 0 { 0.0 } else { f32::NEG_INFINITY };
        let mut out = vec![start; width];
        for row in rows.chunks_exact(width) {
            out.iter_mut().zip(row).for_each(|(out, &x)| *out = f32::max(*out, f(x)));
        }
        out
    };
    let narrow = |sums: Vec<f64>, f: &dyn Fn(f64) -> f64| sums.into_iter().map(|x| f(x) as f32).collect();
    match pooling {
        Pooling::First => rows[..width.min(rows.len())].to_vec(),
        Pooling::Last if zero_rows > 0 => vec![0.0; width],
        Pooling::Last => rows[rows.len().saturating_sub(width)..].to_vec(),
        Pooling::Max => largest(|x| x),
        Pooling::AbsMax => largest(f32::abs),
        Pooling::Sum => narrow(sum(|x| x), &|x| x),
        Pooling::Avg => narrow(sum(|x| x), &|x| x / count),
        Pooling::AbsAvg => narrow(sum(f64::abs), &|x| x / count),
        Pooling::Rms => narrow(sum(|x| x * x), &|x| (x / count).sqrt()),
        Pooling::Pass => rows.to_vec(),
    }
}

/// The rows that stand for each label, as ranges of the sequence; an empty range stands for zeros.
///
/// `labels` are the places of the `<<LABEL>>` tokens, `end` is where the last label's span ends.
pub fn label_spans(
    pooling: ClassTokenPooling,
    embed_class_token: bool,
    labels: &[usize],
    end: usize,
    length: usize,
) -> Vec<Range<usize>> {
    let skip = usize::from(!embed_class_token);
    let ends = labels.iter().skip(1).copied().chain([end]);
    labels
        .iter()
        .zip(ends)
        .map(|(&at, end)| match pooling {
            ClassTokenPooling::First => at + skip..(at + skip + 1).min(length),
            ClassTokenPooling::Average => at + skip..end.max(at + skip),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleared_rows_count_where_the_reference_counts_them() {
        let rows = [1.0, -4.0, 3.0, -2.0];
        assert_eq!(pool(Pooling::Avg, &rows, 2, 0), [2.0, -3.0]);
        assert_eq!(pool(Pooling::Avg, &rows, 2, 2), [1.0, -1.5]);
        assert_eq!(pool(Pooling::Max, &rows, 2, 1), [3.0, 0.0]);
        assert_eq!(pool(Pooling::Last, &rows, 2, 1), [0.0, 0.0]);
        assert_eq!(pool(Pooling::AbsMax, &rows, 2, 0), [3.0, 4.0]);
    }

    #[test]
    fn a_span_reaches_to_the_next_label_and_the_last_one_to_the_end() {
        let spans = |pooling, embed| label_spans(pooling, embed, &[1, 4], 6, 9);
        assert_eq!(spans(ClassTokenPooling::First, true), [1..2, 4..5]);
        assert_eq!(spans(ClassTokenPooling::First, false), [2..3, 5..6]);
        assert_eq!(spans(ClassTokenPooling::Average, true), [1..4, 4..6]);
        assert_eq!(spans(ClassTokenPooling::Average, false), [2..4, 5..6]);
    }
}
