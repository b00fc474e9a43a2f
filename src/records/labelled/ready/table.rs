//! The rows of a table with their predictions.

use std::sync::Arc;

use csv::StringRecord;

use super::{Chunk, Names, Place, ReadyRecord};
use crate::error::Result;
use crate::records::labelled::table::{HEADER, TruthColumns, candidates_column, flags, rows, split, text_column};
use crate::records::labelled::{Layout, Spot, check_pairs, flaw, probability};
use crate::records::names::{ERROR, PREDICTED_LABELS, PREDICTED_SCORES, SCORE};

/// Reads a table; one without a header of its own is under the one that is `known` from the first.
pub(super) fn read(
    file: usize,
    text: &str,
    delimiter: u8,
    layout: &Layout,
    known: &mut Option<StringRecord>,
) -> Result<Chunk> {
    let table = || rows(text, delimiter, known.as_ref(), layout);
    let (header, records) = table()?;
    // Read twice only where the columns of labels must be found: they would fill the memory.
    let scan = |is_other: &dyn Fn(usize) -> bool| flags(&header, table()?.1, is_other);
    let mut reader = TableReader::find(&header, layout, scan)?;
    for row in records {
        let (spot, row) = row?;
        reader.read(Place { file, spot }, &row)?;
    }
    let chunk = reader.chunk;
    known.get_or_insert(header);
    Ok(chunk)
}

/// Where the predictions of a row are.
enum Said {
    /// The score of each label in a column of its own.
    Scores(Vec<(usize, u32)>),
    /// Two lists, of labels and of their scores.
    Lists { labels: usize, scores: usize },
}

impl Said {
    fn find(header: &StringRecord, names: &mut Names) -> Result<Self> {
        let scores = header.iter().enumerate();
        let scores = scores.filter_map(|(column, name)| Some((column, names.number(name.strip_prefix(SCORE)?))));
        let scores: Vec<(usize, u32)> = scores.collect();
        let position = |name: &str| header.iter().position(|column| column == name);
        match (position(PREDICTED_LABELS), position(PREDICTED_SCORES)) {
            (Some(_), Some(_)) if !scores.is_empty() => {
                let message = format!(
                    "both {PREDICTED_LABELS} and {SCORE}LABEL, which are of two runs: leave the columns of one of them out"
                );
                Err(flaw(HEADER, None, &message))
            }
            _ if !scores.is_empty() => Ok(Self::Scores(scores)),
            (Some(labels), Some(scores)) => Ok(Self::Lists { labels, scores }),
            _ => {
                let message =
                    format!("no predictions: give an output of batch, with {PREDICTED_LABELS} or {SCORE}LABEL");
                Err(flaw(HEADER, None, &message))
            }
        }
    }

    /// The labels of which something is said in every row, where the header says it.
    fn labels(&self, names: &Names) -> Option<Vec<String>> {
        match self {
            Self::Scores(columns) => {
                Some(columns.iter().map(|&(_, label)| names.names[label as usize].clone()).collect())
            }
            Self::Lists { .. } => None,
        }
    }

    /// Whether nothing is said in this row.
    fn is_nothing(&self, row: &StringRecord) -> bool {
        match self {
            Self::Scores(columns) => columns.iter().all(|&(column, _)| row[column].is_empty()),
            Self::Lists { labels, scores } => row[*labels].is_empty() && row[*scores].is_empty(),
        }
    }
}

/// Reads the rows of a table.
struct TableReader<'a> {
    layout: &'a Layout,
    header: &'a StringRecord,
    text: usize,
    truth: TruthColumns,
    candidates: Option<usize>,
    /// The labels that have a column of 0 and 1, where they are the candidates of every row.
    columns: Option<Arc<[u32]>>,
    error: Option<usize>,
    said: Said,
    chunk: Chunk,
}

impl<'a> TableReader<'a> {
    /// Finds the columns; `scan` finds those of 0 and 1 but for others.
    fn find(
        header: &'a StringRecord,
        layout: &'a Layout,
        scan: impl FnOnce(&dyn Fn(usize) -> bool) -> Result<Vec<usize>>,
    ) -> Result<Self> {
        let mut chunk = Chunk::default();
        let text = text_column(header, layout)?;
        let said = Said::find(header, &mut chunk.names)?;
        let labels = match &layout.labels {
            Some(labels) => Some(labels.names().to_vec()),
            None => said.labels(&chunk.names),
        };
        let is_other =
            |column| column == text || [PREDICTED_LABELS, PREDICTED_SCORES, ERROR].contains(&&header[column]);
        let truth = TruthColumns::find(header, layout, labels.as_deref(), || scan(&is_other))?;
        let mut numbers = |columns: &[usize]| columns.iter().map(|&one| chunk.names.number(&header[one])).collect();
        let columns = match &truth {
            TruthColumns::OneHot(columns) if layout.labels.is_none() => Some(numbers(columns)),
            _ => None,
        };
        let candidates = candidates_column(header, layout).filter(|_| layout.labels.is_none());
        let error = header.iter().position(|column| column == ERROR);
        Ok(Self { layout, header, text, truth, candidates, columns, error, said, chunk })
    }

    fn read(&mut self, place: Place, row: &StringRecord) -> Result<()> {
        // A column of this name may be the user's own.
        let has_error = self.error.is_some_and(|column| !row[column].is_empty());
        if has_error && self.said.is_nothing(row) {
            self.chunk.failed += 1;
            return Ok(());
        }
        let scores = self.scores(place.spot, row)?;
        let candidates = self.candidates.map(|column| self.list(row, column));
        let candidates = candidates.map(|labels| Arc::from(self.chunk.names.numbers(&labels)));
        let candidates = candidates.or_else(|| self.columns.clone());
        let truth = self.truth.read(place.spot, row, self.header, self.layout)?.into_iter();
        let meant = |label| self.chunk.names.meant(label, self.layout, candidates.as_deref());
        let truth: Vec<String> = truth.map(meant).collect();
        let truth = self.chunk.names.numbers(&truth);
        let (text, ignored, logits) = (row[self.text].to_owned(), Vec::new(), Vec::new());
        let is_whole = matches!(self.said, Said::Scores(_));
        self.chunk.records.push(ReadyRecord { place, text, truth, ignored, candidates, scores, logits, is_whole });
        Ok(())
    }

    fn list(&self, row: &StringRecord, column: usize) -> Vec<String> {
        split(&row[column], &self.layout.list_separator)
    }

    fn scores(&mut self, spot: Spot, row: &StringRecord) -> Result<Vec<(u32, f32)>> {
        let score = |column: usize, cell: &str| {
            let score = cell.parse().map_err(|_| format!("{cell:?} is not a score")).and_then(probability);
            score.map_err(|message| flaw(spot, Some(&self.header[column]), &message))
        };
        match self.said {
            Said::Scores(ref columns) => {
                columns.iter().map(|&(column, label)| Ok((label, score(column, &row[column])?))).collect()
            }
            Said::Lists { labels, scores } => {
                let (labels, cells) = (self.list(row, labels), self.list(row, scores));
                check_pairs(spot, labels.len(), cells.len(), "give --list-separator")?;
                let found = cells.iter().map(|cell| score(scores, cell)).collect::<Result<Vec<f32>>>()?;
                Ok(self.chunk.names.numbers(&labels).into_iter().zip(found).collect())
            }
        }
    }
}
