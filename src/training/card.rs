//! The model card of a trained model: what it came from, how it was made, how good it is, how to use it.

use std::fmt::Write as _;

use serde_json::Value;

use super::loss::Problem;
use super::state::Position;
use super::trainer::Recipe;
use crate::display::escaped;

/// Labels that are named.
const NAMED: usize = 50;
/// Labels that the commands ask about.
const ASKED: usize = 5;

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
        format!("{} labels, asked in this order: {}{more}.", self.labels.len(), named.join(", "))
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
            [format!("--prompt {} ", quoted(prompt)), format!(", prompt={}", Value::from(prompt))]
        };
        let asked = &self.labels[..self.labels.len().min(ASKED)];
        let list = quoted(&asked.iter().map(|label| listed(label)).collect::<Vec<String>>().join(","));
        let strings = asked.iter().map(|label| escaped(&Value::from(label.as_str()).to_string()));
        let strings = strings.collect::<Vec<String>>().join(", ");
        let some = match self.labels.len() {
            all if all > ASKED => format!(" Both ask about {ASKED} of the model's {all} labels."),
            _ => String::new(),
        };
        let loading = self.loading();
        let versions = if self.is_decoder { OF_DECODERS } else { "" };
        format!(
            r#"
## Use

```sh
gliclass classify --model DIR {flag}{typed}--labels {list} "a text"
```

```python
{loading}
pipeline = ZeroShotClassificationPipeline(model, tokenizer, classification_type="{kind}", device="cpu")
print(pipeline("a text", [{strings}]{called}))
```

`DIR` is this folder.{some}{versions}
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

/// Text as one word of a shell, which reads all but these as it stands in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A label as one of a list with commas, on one line; quoted also where it would be read as an option.
fn listed(label: &str) -> String {
    let label = escaped(label);
    let is_plain = label.trim() == label && !label.starts_with('-') && !label.contains([',', '"']);
    if is_plain { label } else { format!("\"{}\"", label.replace('"', "\"\"")) }
}

/// Text as it stands, on one line.
fn code(text: &str) -> String {
    format!("`{}`", escaped(text).replace('`', "'"))
}

/// The figures of each epoch as a table, the one that is kept in bold.
fn figures(position: &Position) -> String {
    let is_judged = position.epochs.iter().any(|epoch| epoch.held_out.is_some());
    let (held_out, rule) =
        if is_judged { (" held-out loss | macro F1 | micro F1 | accuracy |", "---|---|---|---|") } else { ("", "") };
    let mut table = format!("| epoch | loss |{held_out}\n|---|---|{rule}");
    for (number, epoch) in position.epochs.iter().enumerate() {
        let mark = if position.best == Some(number) { "**" } else { "" };
        let cells = epoch.held_out.map_or_else(String::new, |found| {
            [found.loss, found.macro_f1, found.micro_f1, found.accuracy]
                .map(|figure| format!(" {figure:.4} |"))
                .concat()
        });
        _ = write!(table, "\n| {mark}{}{mark} | {:.4} |{cells}", number + 1, epoch.loss);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_labels_is_typed_so_that_each_is_read_as_it_is() {
        let typed = ["red", "sports, outdoors", "a \"b\"", "-1", " c", "it's"].map(listed).join(",");
        assert_eq!(typed, r#"red,"sports, outdoors","a ""b""","-1"," c",it's"#);
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn what_a_label_holds_ends_neither_its_line_nor_its_code_and_moves_no_cursor() {
        assert_eq!(code("a\u{1b}[31m`b`\n"), "`a\\u001b[31m'b'\\n`");
    }
}
