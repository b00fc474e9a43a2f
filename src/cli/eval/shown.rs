//! `--plots` and `--html`.

use std::path::{Path, PathBuf};

use super::gather::Gathered;
use crate::error::{Error, Result};
use crate::files::{self, Reserved};
use crate::metrics::Findings;
use crate::metrics::findings::LabelErrors;
use crate::metrics::page::{self, Subject};
use crate::metrics::plots::{plots, standalone};

/// Errors of a label on the page, where nothing else is asked for.
const ERRORS: usize = 3;

/// Where plots and the page go; there before any work.
pub struct Shown {
    folder: Option<PathBuf>,
    page: Option<Reserved>,
}

impl Shown {
    /// Makes the folder and the file.
    pub fn create(folder: Option<&Path>, page: Option<&Path>) -> Result<Self> {
        if let Some(folder) = folder {
            files::make_folder(folder)?;
        }
        Ok(Self { folder: folder.map(Path::to_owned), page: page.map(Reserved::open).transpose()? })
    }

    /// Draws and writes.
    pub fn write(self, subject: &Subject, gathered: &Gathered, findings: &Findings) -> Result<()> {
        if self.folder.is_none() && self.page.is_none() {
            return Ok(());
        }
        let plots = plots(&gathered.judged, &findings.report);
        if let Some(folder) = &self.folder {
            for plot in &plots {
                let path = folder.join(plot.name).with_extension("svg");
                std::fs::write(&path, standalone(&plot.svg)).map_err(|error| Error::io(&path, error))?;
            }
        }
        if let Some(file) = self.page {
            let source = |record: usize| (gathered.place(record), gathered.texts[record].clone());
            let errors = match &findings.errors[..] {
                [] => LabelErrors::of(&gathered.judged, ERRORS, source),
                asked => asked.to_vec(),
            };
            let text = page::render(subject, findings, &errors, &plots);
            file.write(text.as_bytes())?;
        }
        Ok(())
    }
}
