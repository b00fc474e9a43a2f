//! Retrieval-augmented classification that retrieves: of many labelled examples those whose texts the model itself
//! finds most like a record's.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::records::{LabelSet, RacExample, Record};

/// Sums that a product of two rows is added up in: so many fit a vector register, and as the order is fixed, every
/// machine comes to the same bits.
const LANES: usize = 16;

/// Labelled examples with the vectors of their texts.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// What the run says about records that have no examples of their own: known by its address.
    examples: Arc<[RacExample]>,
    /// The places of those that have a true label; the others are never written into a text.
    candidates: Vec<usize>,
    /// What the texts were read with. The vector of a uni-encoder changes with the labels, so that vectors compare
    /// only where these are the same for all: those of the run, whatever labels a record or an example has.
    labels: Arc<LabelSet>,
    count: NonZeroUsize,
    /// A row of length 1 for each candidate: `(candidates, width)`.
    rows: Vec<f32>,
    width: usize,
}

impl Neighbours {
    /// The `count` nearest of `examples`; their texts were read with `labels`, and `rows` are the vectors of all
    /// that are [`candidates`], one behind the other, each of length 1.
    ///
    /// # Errors
    /// There is no candidate, or the rows are not as many as the candidates.
    pub fn new(
        examples: Arc<[RacExample]>,
        labels: Arc<LabelSet>,
        count: NonZeroUsize,
        rows: Vec<f32>,
    ) -> Result<Self> {
        let candidates = candidates(&examples);
        let width = rows.len().checked_div(candidates.len()).unwrap_or(0);
        if width == 0 || rows.len() != width * candidates.len() {
            let (found, expected) = (rows.len(), candidates.len());
            return Err(Error::Usage(format!(
                "{found} numbers are no vectors of {expected} examples with true labels"
            )));
        }
        Ok(Self { examples, candidates, labels, count, rows, width })
    }

    /// Whether the record is to get examples: where it has those of the run, and none of its own.
    pub(super) fn concern(&self, record: &Record) -> bool {
        Arc::ptr_eq(&self.examples, &record.rac_examples)
    }

    /// The record as it is compared: the text alone, beside the labels of the run.
    pub(super) fn query(&self, record: &Record) -> Record {
        bare(&record.text, &self.labels)
    }

    /// The record with the examples nearest to `vector`, the nearest first.
    pub(super) fn add_to(&self, record: &Record, vector: &[f32]) -> Record {
        let near = nearest(&self.rows, self.width, vector, self.count.get());
        let examples = near.into_iter().map(|place| self.examples[self.candidates[place]].clone());
        Record { rac_examples: examples.collect(), ..record.clone() }
    }
}

/// The places of the examples that can be written into a text: those with a true label.
pub fn candidates(examples: &[RacExample]) -> Vec<usize> {
    (0..examples.len()).filter(|&place| !examples[place].true_labels.is_empty()).collect()
}

/// A text with labels and nothing else: no task description, no examples.
pub fn bare(text: &str, labels: &Arc<LabelSet>) -> Record {
    Record {
        text: text.to_owned(),
        labels: Arc::clone(labels),
        prompt: None,
        examples: Arc::from([]),
        rac_examples: Arc::from([]),
    }
}

/// One row of length 1 for a text: the mean of its vectors, where it has one for each token. Zeros where there is
/// no direction.
pub fn unit(vectors: &[Vec<f32>]) -> Vec<f32> {
    let width = vectors.first().map_or(0, Vec::len);
    let mut sum = vec![0_f64; width];
    for vector in vectors {
        sum.iter_mut().zip(vector).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length == 0.0 || !length.is_finite() {
        return vec![0.0; width];
    }
    sum.iter().map(|value| (value / length) as f32).collect()
}

/// The places of the `count` rows with the greatest product with `vector`, the greatest first; of equal ones the
/// first comes first.
fn nearest(rows: &[f32], width: usize, vector: &[f32], count: usize) -> Vec<usize> {
    let products: Vec<f32> = rows.chunks_exact(width).map(|row| product(row, vector)).collect();
    let order = |&a: &usize, &b: &usize| products[b].total_cmp(&products[a]).then(a.cmp(&b));
    let mut places: Vec<usize> = (0..products.len()).collect();
    if count < places.len() {
        places.select_nth_unstable_by(count, order);
        places.truncate(count);
    }
    places.sort_unstable_by(order);
    places
}

fn product(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = (a.chunks(LANES), b.chunks(LANES));
    let mut sums = [0_f32; LANES];
    for (a, b) in a.zip(b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_equal_ones_in_their_order() {
        let rows = [[0.0, 1.0], [1.0, 0.0], [0.6, 0.8], [1.0, 0.0], [-1.0, 0.0]].concat();
        let near = |vector: [f32; 2], count| nearest(&rows, 2, &vector, count);
        assert_eq!(near([1.0, 0.0], 3), [1, 3, 2]);
        assert_eq!(near([1.0, 0.0], 1), [1]);
        assert_eq!(near([0.0, 1.0], 2), [0, 2]);
        assert_eq!(near([0.0, 0.0], 9), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_product_is_that_of_all_columns() {
        let ones = [1.0; 37];
        let rising: Vec<f32> = (0_u8..37).map(f32::from).collect();
        assert!((product(&ones, &rising) - 666.0).abs() < 1e-3);
    }

    #[test]
    fn a_text_of_many_vectors_has_the_direction_of_their_mean() {
        assert_eq!(unit(&[vec![3.0, 0.0], vec![3.0, 8.0]]), [0.6, 0.8]);
        assert_eq!(unit(&[vec![0.0, 0.0]]), [0.0, 0.0]);
        assert_eq!(unit(&[vec![f32::NAN, 1.0]]), [0.0, 0.0]);
    }

    #[test]
    fn an_example_without_a_true_label_is_never_found() {
        let example = |label: &[&str]| RacExample {
            text: "a".into(),
            all_labels: Vec::new(),
            true_labels: label.iter().map(|&label| label.to_owned()).collect(),
        };
        let examples: Arc<[RacExample]> = [example(&[]), example(&["x"])].into();
        let labels = Arc::new(LabelSet::flat(vec!["x".into()]).unwrap());
        let count = NonZeroUsize::new(2).unwrap();
        let neighbours = Neighbours::new(examples.clone(), labels.clone(), count, vec![1.0, 0.0]).unwrap();
        let found = neighbours.add_to(&bare("b", &labels), &[1.0, 0.0]);
        assert_eq!(found.rac_examples[..], examples[1..]);
        assert!(Neighbours::new(examples, labels.clone(), count, Vec::new()).is_err());
        assert!(Neighbours::new(Arc::from([]), labels, count, Vec::new()).is_err());
    }
}
