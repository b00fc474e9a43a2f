//! What fields and columns are called that are written here, and read back.

/// The field of a JSONL record with the predictions, where none is named.
pub const PREDICTIONS: &str = "predictions";
/// The column with the labels that hold.
pub const PREDICTED_LABELS: &str = "predicted_labels";
/// The column with the scores of these labels.
pub const PREDICTED_SCORES: &str = "predicted_scores";
/// What the column of a label begins with, where each has one for its score.
pub const SCORE: &str = "score:";
/// What is wrong with a record.
pub const ERROR: &str = "error";
/// Whether a text did not fit.
pub const TRUNCATED: &str = "truncated";
