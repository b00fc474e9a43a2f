//! The model card of a trained model: what it came from, how it was made, how good it is, how to use it.

use std::fmt::Write as _;

use serde_json::Value;

use super::loss::Problem;
use super::state::Position;
use super::trainer::Recipe;
use crate::display::escaped;

/// Labels that are named.
const NAMED: usize = 50;

/// What is said of the Python package where a decoder reads the text: later its `past_key_values` are called otherwise.
const OF_DECODERS: &str = "\nThe Python package `gliclass` 0.1.21 runs it with `transformers` before 5.24.";

/// How the records were used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Those that were learned from.
    pub train: usize,
    /// Those that were judged on.
    pub held_out: usize,
}

/// What a model card says.
#[derive(Debug, Clone)]
pub struct Card {
    /// The model that it began with.
    pub base: String,
    /// The name of the file that it learned from.
    pub data: String,
    /// Records of each kind.
    pub split: Split,
    /// The name of the file that it was judged on, where it is another.
    pub held_out: Option<String>,
    /// The labels of the data.
    pub labels: Vec<String>,
    /// How it was trained.
    pub recipe: Recipe,
    /// What every text was read with.
    pub prompt: Option<String>,
    /// The options that shaped it, by name.
    pub options: Vec<(&'static str, Value)>,
    /// The folder in its own that holds the tokenizer of its labels, where they have one there.
    pub label_model: Option<String>,
    /// Whether a decoder reads text and labels.
    pub is_decoder: bool,
}

impl Card {
    /// The card as Markdown, for a training that came to `position`.
    pub fn text(&self, position: &Position) -> String {
        let base = code(&self.base);
        let mut text = format!("# Model card\n\nA GLiClass model, fine-tuned from {base} with `gliclass train`.\n");
        _ = writeln!(text, "\n## Data\n\n{}", self.data_words());
        _ = writeln!(text, "\n{}", self.label_words());
        _ = writeln!(text, "\n## Training\n\n| option | value |\n|---|---|");
        for (name, value) in self.options.iter().filter(|(_, value)| !value.is_null()) {
            _ = writeln!(text, "| `{name}` | {} |", code(&value.to_string()).replace('|', "\\|"));
        }
        _ = writeln!(text, "\n## Figures\n\n{}", figures(position));
        text + &self.usage()
    }

    fn data_words(&self) -> String {
        let Split { train, held_out } = self.split;
        let judged = match (&self.held_out, held_out) {
            (Some(file), _) => format!("judged on {held_out} records of {}", code(file)),
            (None, 0) => "none held out".to_owned(),
            (None, _) => format!("judged on {held_out} others of it"),
        };
        format!("{train} records of {}; {judged}.", code(&self.data))
    }

    fn label_words(&self) -> String {
        let named: Vec<String> = self.labels.iter().take(NAMED).map(|label| code(label)).collect();
        let more = self.labels.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} labels: {}{more}.", self.labels.len(), named.join(", "))
    }

    fn usage(&self) -> String {
        let (flag, kind) = match self.recipe.objective.problem {
            Problem::SingleLabel => ("--single-label ", "single-label"),
            Problem::MultiLabel { .. } => ("", "multi-label"),
        };
        let prompt = self.prompt.as_deref().unwrap_or_default();
        let [typed, called] = if prompt.is_empty() {
            [String::new(), String::new()]
        } else {
            // In single quotes a shell reads all but these as it stands.
            let quoted = prompt.replace('\'', r"'\''");
            [format!("--prompt '{quoted}' "), format!(", prompt={}", Value::from(prompt))]
        };
        let loading = self.loading();
        let versions = if self.is_decoder { OF_DECODERS } else { "" };
        format!(
            r#"
## Use

```sh
gliclass classify --model DIR {flag}{typed}--labels 'first label,second label' "a text"
```

```python
{loading}
pipeline = ZeroShotClassificationPipeline(model, tokenizer, classification_type="{kind}", device="cpu")
print(pipeline("a text", ["first label", "second label"]{called}))
```

`DIR` is this folder.{versions}
The model answers best about the labels it was trained with, worded as they were; it inherits the limits of the model
it began with.
"#
        )
    }

    /// The lines of Python that load the model, which looks for a tokenizer of the labels from where Python runs.
    fn loading(&self) -> String {
        let Some(folder) = &self.label_model else {
            return r#"from gliclass import GLiClassModel, ZeroShotClassificationPipeline
from transformers import AutoTokenizer

model, tokenizer = GLiClassModel.from_pretrained("DIR"), AutoTokenizer.from_pretrained("DIR")"#
                .to_owned();
        };
        let folder = Value::from(format!("DIR/{folder}"));
        format!(
            r#"from gliclass import GLiClassModel, GLiClassModelConfig, ZeroShotClassificationPipeline
from transformers import AutoTokenizer

config = GLiClassModelConfig.from_pretrained("DIR")
config.label_model_name = {folder}
model, tokenizer = GLiClassModel.from_pretrained("DIR", config=config), AutoTokenizer.from_pretrained("DIR")"#
        )
    }
}

/// Text as it stands, on one line.
fn code(text: &str) -> String {
    format!("`{}`", escaped(text).replace('`', "'"))
}

/// The figures of each epoch as a table, the one that is kept in bold.
fn figures(position: &Position) -> String {
    let mut table =
        "| epoch | loss | held-out loss | macro F1 | micro F1 | accuracy |\n|---|---|---|---|---|---|".to_owned();
    for (number, epoch) in position.epochs.iter().enumerate() {
        let mark = if position.best == Some(number) { "**" } else { "" };
        let cells = epoch.held_out.map_or([String::new(), String::new(), String::new(), String::new()], |found| {
            [found.loss, found.macro_f1, found.micro_f1, found.accuracy].map(|figure| format!("{figure:.4}"))
        });
        _ = write!(table, "\n| {mark}{}{mark} | {:.4} | {} |", number + 1, epoch.loss, cells.join(" | "));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_label_holds_ends_neither_its_line_nor_its_code_and_moves_no_cursor() {
        assert_eq!(code("a\u{1b}[31m`b`\n"), "`a\\u001b[31m'b'\\n`");
    }
}
