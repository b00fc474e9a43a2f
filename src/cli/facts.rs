//! What a run is, by name, so that it is not taken for another when it is gone on with.

use std::path::Path;

use anyhow::bail;
use serde_json::{Map, Value};

/// Digits of the longest value that a message shows.
const SHOWN: usize = 60;

/// Refuses to go on with `output`, which was begun as one run, as if it were another.
///
/// # Errors
/// It is another: the message says in what.
pub fn check_same(output: &Path, was: &Map<String, Value>, is: &Map<String, Value>) -> anyhow::Result<()> {
    let differences = differences(was, is);
    if !differences.is_empty() {
        bail!(
            "{}: cannot resume, it was started differently: {}. Give the original settings, or --force to start again",
            output.display(),
            differences.join("; ")
        );
    }
    Ok(())
}

/// What is not as it was, in words.
fn differences(was: &Map<String, Value>, is: &Map<String, Value>) -> Vec<String> {
    let names = was.keys().chain(is.keys().filter(|name| !was.contains_key(*name)));
    // What a run does not say was not given.
    let values = |name: &String| [was, is].map(|run| run.get(name).unwrap_or(&Value::Null));
    let differ = names.map(|name| (name, values(name))).filter(|(_, [was, is])| was != is);
    differ
        .map(|(name, values)| {
            let shown = |value: &Value| if value.is_null() { "not given".to_owned() } else { value.to_string() };
            let [was, is] = values.map(shown);
            if was.len().max(is.len()) > SHOWN {
                format!("{name} differs")
            } else {
                format!("{name} was {was} and is {is}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(model: &str) -> Map<String, Value> {
        Map::from_iter([("--threshold".to_owned(), json!(0.5)), ("model".to_owned(), model.repeat(64).into())])
    }

    #[test]
    fn long_values_are_named_but_not_shown() {
        let (was, mut is) = (run("1"), run("0"));
        assert_eq!(differences(&was, &is), ["model differs"]);
        is.clear();
        assert_eq!(differences(&was, &is)[0], "--threshold was 0.5 and is not given");
        is = was.clone();
        is.insert("--top-k".to_owned(), Value::Null);
        assert!(differences(&was, &is).is_empty());
    }

    #[test]
    fn a_run_is_the_same_as_itself_and_another_is_refused_by_name() {
        let refused =
            |is: &Map<String, Value>| check_same(Path::new("out"), &run("1"), is).err().map(|error| error.to_string());
        assert_eq!(refused(&run("1")), None);
        let expected = "out: cannot resume, it was started differently: model differs. Give the original settings, or \
                        --force to start again";
        assert_eq!(refused(&run("0")).as_deref(), Some(expected));
    }
}
