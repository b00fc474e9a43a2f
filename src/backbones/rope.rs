//! How fast rotary positions turn, by what a config says, in its old form and its new one.
//!
//! Source: `modeling_rope_utils.py` of transformers.

use std::f32::consts::TAU;

use serde::Deserialize;

use super::layers::Rotary;

/// The settings of rotary positions, flattened into a backbone's config.
#[derive(Debug, Deserialize)]
pub struct Rope {
    /// The new form: everything in one object.
    rope_parameters: Option<Parameters>,
    /// The old form: the base apart from the scaling.
    rope_theta: Option<f32>,
    rope_scaling: Option<Parameters>,
}

#[derive(Debug, Deserialize)]
struct Parameters {
    rope_theta: Option<f32>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<f32>,
}

/// The base where a config names none.
const THETA: f32 = 10_000.0;

/// The angle from one position to the next for each pair of columns: `(head_dim / 2)`.
///
/// # Errors
/// An unsupported `rope_type`, or one without its settings.
pub fn frequencies(rope: &Rope, head_dim: usize) -> Result<Vec<f32>, String> {
    let parameters = rope.rope_parameters.as_ref().or(rope.rope_scaling.as_ref());
    let theta = parameters.and_then(|parameters| parameters.rope_theta).or(rope.rope_theta).unwrap_or(THETA);
    let plain = Rotary::frequencies(theta, head_dim);
    let Some(parameters) = parameters else { return Ok(plain) };
    match parameters.rope_type.as_deref().unwrap_or("default") {
        // `dynamic` changes nothing up to the longest input of the config, and there is no longer one here.
        "default" | "dynamic" => Ok(plain),
        "linear" => {
            let factor = Parameters::setting(parameters.factor, "factor")?;
            Ok(plain.into_iter().map(|frequency| frequency / factor).collect())
        }
        "llama3" => parameters.llama3(&plain),
        other => Err(format!("rope_type {other:?} is not supported: default, linear, dynamic and llama3 are")),
    }
}

impl Parameters {
    fn setting(value: Option<f32>, name: &str) -> Result<f32, String> {
        value.ok_or_else(|| format!("the rope parameters have no {name}"))
    }

    /// Slow frequencies are divided, fast ones stay, those between are mixed.
    fn llama3(&self, plain: &[f32]) -> Result<Vec<f32>, String> {
        let factor = Self::setting(self.factor, "factor")?;
        let low = Self::setting(self.low_freq_factor, "low_freq_factor")?;
        let high = Self::setting(self.high_freq_factor, "high_freq_factor")?;
        let length = Self::setting(self.original_max_position_embeddings, "original_max_position_embeddings")?;
        let scaled = plain.iter().map(|&frequency| {
            let wavelength = TAU / frequency;
            if wavelength > length / low {
                frequency / factor
            } else if wavelength < length / high {
                frequency
            } else {
                let share = (length / wavelength - low) / (high - low);
                (1.0 - share) * frequency / factor + share * frequency
            }
        });
        Ok(scaled.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Rope {
        serde_json::from_str(json).expect("a rope config: this is a bug")
    }

    #[test]
    fn both_forms_of_the_config_give_the_same_frequencies() {
        let old = parse(r#"{"rope_theta": 500000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}"#);
        let new = parse(r#"{"rope_parameters": {"rope_theta": 500000.0, "rope_type": "linear", "factor": 4.0}}"#);
        let frequencies = frequencies(&old, 8).expect("linear is supported: this is a bug");
        assert_eq!(frequencies, super::frequencies(&new, 8).expect("linear is supported: this is a bug"));
        assert_eq!(frequencies[0], 0.25);
    }

    #[test]
    fn llama3_divides_the_slow_frequencies_and_leaves_the_fast_ones() {
        let rope = parse(
            r#"{"rope_theta": 10000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}"#,
        );
        let scaled = frequencies(&rope, 8).expect("llama3 is supported: this is a bug");
        let plain = Rotary::frequencies(10_000.0, 8);
        assert_eq!(scaled[0], plain[0]);
        assert_eq!(scaled[3], plain[3] / 8.0);
        assert!(scaled[1] < plain[1] && scaled[1] > plain[1] / 8.0, "{scaled:?}");
    }

    #[test]
    fn an_unknown_form_is_refused_by_name() {
        let error = frequencies(&parse(r#"{"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}"#), 8)
            .expect_err("yarn is not supported: this is a bug");
        assert!(error.contains("yarn"), "{error}");
    }
}
