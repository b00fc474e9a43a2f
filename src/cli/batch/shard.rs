//! Which part of the input is this process's: said, or found in the environment of a scheduler.

use std::str::FromStr;

use anyhow::{Context, bail};

use crate::records::shard::Shard;

/// What was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// This part.
    Said(Shard),
    /// What the scheduler says; the number of parts too, unless it is said.
    Auto(Option<u64>),
}

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "give I/N with I from 0 to N-1, such as 0/8, or auto, or auto/N";
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Auto(None)),
            Some(rest) => {
                let count = rest.strip_prefix('/').and_then(|count| count.parse().ok()).filter(|&count| count > 0);
                count.map(|count| Self::Auto(Some(count))).ok_or(FORM)
            }
            None => text.parse().map(Self::Said).map_err(|_| FORM),
        }
    }
}

impl Choice {
    /// The part that is meant; `environment` gives the value of a variable.
    ///
    /// # Errors
    /// There is no scheduler, or it says less than is needed.
    pub fn shard(self, environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<Shard> {
        let number = |name: &str| -> anyhow::Result<Option<u64>> {
            let parse = |value: String| value.parse().with_context(|| format!("{name} is {value:?}, no number"));
            environment(name).filter(|value| !value.is_empty()).map(parse).transpose()
        };
        let count = match self {
            Self::Said(shard) => return Ok(shard),
            Self::Auto(count) => count,
        };
        if let Some(text) = environment("GLICLASS_SHARD").filter(|text| !text.is_empty() && !text.starts_with("auto")) {
            let shard: Shard =
                text.parse().map_err(|message| anyhow::anyhow!("GLICLASS_SHARD is {text:?}: {message}"))?;
            // Parts of two divisions would be written, and some records never.
            if let Some(count) = count.filter(|count| *count != shard.count()) {
                bail!("--shard auto/{count}: GLICLASS_SHARD is {text:?}, a shard of another number: unset one of them");
            }
            return Ok(shard);
        }
        let kubernetes = number("JOB_COMPLETION_INDEX")?;
        let slurm = number("SLURM_ARRAY_TASK_ID")?;
        let (index, count) = match (kubernetes, slurm, count) {
            (Some(index), _, Some(count)) | (None, Some(index), Some(count)) => (index, count),
            (Some(_), _, None) => {
                bail!(
                    "--shard auto: Kubernetes does not say how many shards there are: give --shard auto/N with N as the \
                     job's `completions`"
                )
            }
            (None, Some(id), None) => {
                let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
                let step = number("SLURM_ARRAY_TASK_STEP")?.filter(|&step| step > 0).unwrap_or(1);
                let count = number("SLURM_ARRAY_TASK_COUNT")?.filter(|&count| count > 0);
                let count =
                    count.context("--shard auto: SLURM_ARRAY_TASK_COUNT does not say how many tasks there are")?;
                (id.saturating_sub(first) / step, count)
            }
            (None, None, _) => {
                bail!(
                    "--shard auto: neither GLICLASS_SHARD nor SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set: give \
                     --shard I/N"
                )
            }
        };
        Shard::new(index, count).with_context(|| {
            format!(
                "--shard auto: task {index}, from 0, is not one of {count}: number the tasks from 0 to {}",
                count - 1
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shard(choice: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        let find = |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let shard = choice.parse::<Choice>().unwrap().shard(find);
        shard.map(|shard| shard.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_said_counts() {
        assert_eq!(shard("1/3", &[("GLICLASS_SHARD", "0/9"), ("SLURM_ARRAY_TASK_ID", "4")]).unwrap(), "1/3");
        assert_eq!(shard("auto", &[("GLICLASS_SHARD", "0/9"), ("SLURM_ARRAY_TASK_ID", "4")]).unwrap(), "0/9");
        assert_eq!(shard("auto/9", &[("GLICLASS_SHARD", "0/9")]).unwrap(), "0/9");
        let other = shard("auto/4", &[("GLICLASS_SHARD", "0/2"), ("JOB_COMPLETION_INDEX", "1")]);
        assert!(other.unwrap_err().contains("GLICLASS_SHARD is \"0/2\", a shard of another number"));
        for text in ["3/3", "auto/0", "auto/", "automatic", ""] {
            assert!(text.parse::<Choice>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_slurm_array_says_all_whatever_it_counts_from() {
        let array = |id, first, step, count| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", first),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ]
        };
        assert_eq!(shard("auto", &array("0", "0", "1", "8")).unwrap(), "0/8");
        assert_eq!(shard("auto", &array("8", "1", "1", "8")).unwrap(), "7/8");
        assert_eq!(shard("auto", &array("6", "2", "2", "4")).unwrap(), "2/4");
        // One task of eight that runs again, alone: only a count that is said keeps its part.
        assert_eq!(shard("auto/8", &array("5", "5", "1", "1")).unwrap(), "5/8");
        assert!(shard("auto", &array("9", "1", "1", "2")).unwrap_err().contains("task 8, from 0, is not one of 2"));
    }

    #[test]
    fn kubernetes_says_which_but_not_of_how_many() {
        let environment = [("JOB_COMPLETION_INDEX", "2")];
        assert_eq!(shard("auto/4", &environment).unwrap(), "2/4");
        assert!(shard("auto", &environment).unwrap_err().contains("auto/N"));
        assert!(shard("auto/2", &environment).unwrap_err().contains("0 to 1"));
        assert!(shard("auto", &[]).unwrap_err().contains("--shard I/N"));
        assert!(shard("auto/4", &[("JOB_COMPLETION_INDEX", "x")]).unwrap_err().contains("no number"));
    }
}
