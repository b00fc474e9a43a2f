//! Which rows stand for a label.
//!
//! Source: `GLiClassBaseModel._extract_class_features` of `gliclass` 0.1.21, on one record at a time.

use std::ops::Range;

use crate::checkpoint::config::ClassTokenPooling;

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
    fn a_span_reaches_to_the_next_label_and_the_last_one_to_the_end() {
        let spans = |pooling, embed| label_spans(pooling, embed, &[1, 4], 6, 9);
        assert_eq!(spans(ClassTokenPooling::First, true), [1..2, 4..5]);
        assert_eq!(spans(ClassTokenPooling::First, false), [2..3, 5..6]);
        assert_eq!(spans(ClassTokenPooling::Average, true), [1..4, 4..6]);
        assert_eq!(spans(ClassTokenPooling::Average, false), [2..4, 5..6]);
    }
}
