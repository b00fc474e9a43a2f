//! How fast rotary positions turn, by what a config says, in its old form and its new one.
//!
//! Source: `modeling_rope_utils.py` of transformers.

use std::f32::consts::TAU;

use serde::Deserialize;

/// The settings of rotary positions, flattened into a backbone's config.
#[derive(Debug, Deserialize)]
pub struct Rope {
    /// The new form: everything in one object.
    rope_parameters: Option<Parameters>,
    /// The old form: the base apart from the scaling.
    rope_theta: Option<f32>,
    rope_scaling: Option<Parameters>,
    /// Goes before the one among the parameters.
    original_max_position_embeddings: Option<f32>,
}

/// The form of rotary positions and its settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Parameters {
    rope_theta: Option<f32>,
    rope_type: Option<String>,
    /// The old name of `rope_type`, which may stand beside it.
    #[serde(rename = "type")]
    old_type: Option<String>,
    factor: Option<f32>,
    low_freq_factor: Option<f32>,
    high_freq_factor: Option<f32>,
    original_max_position_embeddings: Option<f32>,
    attention_factor: Option<f32>,
    mscale: Option<f32>,
    mscale_all_dim: Option<f32>,
    beta_fast: Option<f32>,
    beta_slow: Option<f32>,
    truncate: Option<bool>,
}

/// The base where a config names none.
const THETA: f32 = 10_000.0;

/// How queries and keys turn with their position.
#[derive(Debug, Clone, PartialEq)]
pub struct Turning {
    /// The angle from one position to the next for each pair of columns: `(head_dim / 2)`.
    pub frequencies: Vec<f32>,
    /// What queries and keys are multiplied with beside.
    pub scale: f32,
}

impl Turning {
    /// Refuses what the settings come to where they make no sense.
    fn checked(self) -> Result<Self, String> {
        let wrong = |number: &f32| !(*number > 0.0 && number.is_finite());
        let found = self.frequencies.iter().chain([&self.scale]).copied().find(wrong);
        if let Some(number) = found {
            return Err(format!(
                "rotary positions turn by {number}, so rope_theta or a rope parameter is wrong: they are above 0"
            ));
        }
        Ok(self)
    }
}

impl Rope {
    /// How queries and keys of `head_dim` columns turn in a model that reads up to `max_positions` tokens.
    ///
    /// # Errors
    /// An unsupported `rope_type`, or one without its settings or with such as make no sense.
    pub fn turning(&self, head_dim: usize, max_positions: usize) -> Result<Turning, String> {
        // Where both forms are given, the reference takes the old one, unless it is empty.
        let scaling = self.rope_scaling.as_ref().filter(|scaling| **scaling != Parameters::default());
        let parameters = scaling.or(self.rope_parameters.as_ref()).map(|parameters| Parameters {
            original_max_position_embeddings: self
                .original_max_position_embeddings
                .or(parameters.original_max_position_embeddings),
            ..parameters.clone()
        });
        turning(parameters.as_ref(), self.rope_theta.unwrap_or(THETA), head_dim, max_positions)
    }
}

/// The same by `parameters`; `theta` is the base where they name none.
///
/// # Errors
/// As [`Rope::turning`].
pub fn turning(
    parameters: Option<&Parameters>,
    theta: f32,
    head_dim: usize,
    max_positions: usize,
) -> Result<Turning, String> {
    if head_dim == 0 || !head_dim.is_multiple_of(2) {
        return Err(format!("head_dim {head_dim}: rotary positions turn pairs of columns, so it must be even"));
    }
    let theta = parameters.and_then(|parameters| parameters.rope_theta).unwrap_or(theta);
    let plain = frequencies(theta, head_dim);
    let unscaled = |frequencies| Turning { frequencies, scale: 1.0 };
    let Some(parameters) = parameters else { return unscaled(plain).checked() };
    let turning = match parameters.rope_type.as_ref().or(parameters.old_type.as_ref()).map_or("default", String::as_str)
    {
        // `dynamic` changes nothing up to the longest input of the config, and there is no longer one here.
        "default" | "dynamic" => unscaled(plain),
        "linear" => {
            let factor = Parameters::setting(parameters.factor, "factor")?;
            unscaled(plain.into_iter().map(|frequency| frequency / factor).collect())
        }
        "llama3" => unscaled(parameters.llama3(&plain, max_positions)?),
        "yarn" => parameters.yarn(&plain, theta, max_positions)?,
        other => {
            return Err(format!("rope_type {other:?} is not supported: default, linear, dynamic, llama3 and yarn are"));
        }
    };
    turning.checked()
}

/// What a position is multiplied with: `theta^(-2 i / head_dim)`, in f32 as the reference computes it.
fn frequencies(theta: f32, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2).map(|i| 1.0 / theta.powf((2 * i) as f32 / head_dim as f32)).collect()
}

impl Parameters {
    /// Whether the form is named by its old name alone.
    pub fn has_only_old_type(&self) -> bool {
        self.rope_type.is_none() && self.old_type.is_some()
    }

    /// The same with another `truncate`.
    pub fn with_truncate(&self, truncate: Option<bool>) -> Self {
        Self { truncate, ..self.clone() }
    }

    fn setting(value: Option<f32>, name: &str) -> Result<f32, String> {
        value.ok_or_else(|| format!("the rope parameters have no {name}"))
    }

    /// Slow frequencies are divided, fast ones stay, those between are mixed.
    fn llama3(&self, plain: &[f32], max_positions: usize) -> Result<Vec<f32>, String> {
        let factor = Self::setting(self.factor, "factor")?;
        let low = Self::setting(self.low_freq_factor, "low_freq_factor")?;
        let high = Self::setting(self.high_freq_factor, "high_freq_factor")?;
        let length = self.original_length(max_positions)?;
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

    /// The longest input of the model before it was made to read longer ones.
    fn original_length(&self, max_positions: usize) -> Result<f32, String> {
        match self.original_max_position_embeddings.unwrap_or(max_positions as f32) {
            length if length > 0.0 => Ok(length),
            length => Err(format!("original_max_position_embeddings is {length}, not above 0")),
        }
    }

    /// Pairs of columns that turn seldom over the original length are slowed down, those that turn often stay, those
    /// between are mixed by their place; and attention becomes sharper.
    ///
    /// Source: <https://arxiv.org/abs/2309.00071>, in the reference's form.
    fn yarn(&self, plain: &[f32], theta: f32, max_positions: usize) -> Result<Turning, String> {
        let length = self.original_length(max_positions)?;
        let factor = self.factor.unwrap_or(max_positions as f32 / length);
        let columns = (2 * plain.len()) as f32;
        // The column that turns so often over the original length.
        let column = |turns: f32| columns * (length / (turns * TAU)).ln() / (2.0 * theta.ln());
        // 0 is taken for not given, as in the reference.
        let turns = |setting: Option<f32>, default| setting.filter(|&turns| turns != 0.0).unwrap_or(default);
        let (mut low, mut high) = (column(turns(self.beta_fast, 32.0)), column(turns(self.beta_slow, 1.0)));
        if self.truncate.unwrap_or(true) {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(columns - 1.0));
        // A step instead of a division by zero.
        let width = if low == high { 0.001 } else { high - low };
        let mixed = plain.iter().enumerate().map(|(pair, &frequency)| {
            let slowed = ((pair as f32 - low) / width).clamp(0.0, 1.0);
            frequency / factor * slowed + frequency * (1.0 - slowed)
        });
        Ok(Turning { frequencies: mixed.collect(), scale: self.attention_factor(factor) })
    }

    fn attention_factor(&self, factor: f32) -> f32 {
        let sharpened = |scale: f32| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
        let given = |scale: Option<f32>| scale.filter(|&scale| scale != 0.0);
        self.attention_factor.unwrap_or_else(|| match (given(self.mscale), given(self.mscale_all_dim)) {
            (Some(scale), Some(all)) => sharpened(scale) / sharpened(all),
            _ => sharpened(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Rope {
        // As a backbone's config is read.
        let config: serde_json::Value = serde_json::from_str(json).expect("JSON: this is a bug");
        serde_json::from_value(config).expect("a rope config: this is a bug")
    }

    #[test]
    fn both_forms_of_the_config_give_the_same_frequencies() {
        let old = parse(r#"{"rope_theta": 500000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}"#);
        let new = parse(r#"{"rope_parameters": {"rope_theta": 500000.0, "rope_type": "linear", "factor": 4.0}}"#);
        let turning = old.turning(8, 64).expect("linear is supported: this is a bug");
        assert_eq!(turning, new.turning(8, 64).expect("linear is supported: this is a bug"));
        assert_eq!((turning.frequencies[0], turning.scale), (0.25, 1.0));
    }

    #[test]
    fn llama3_divides_the_slow_frequencies_and_leaves_the_fast_ones() {
        let rope = parse(
            r#"{"rope_theta": 10000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}"#,
        );
        let scaled = rope.turning(8, 512).expect("llama3 is supported: this is a bug").frequencies;
        let plain = frequencies(10_000.0, 8);
        assert_eq!(scaled[0], plain[0]);
        assert_eq!(scaled[3], plain[3] / 8.0);
        assert!(scaled[1] < plain[1] && scaled[1] > plain[1] / 8.0, "{scaled:?}");
    }

    #[test]
    fn yarn_slows_down_what_seldom_turns_and_sharpens_attention() {
        let rope = parse(r#"{"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0}}"#);
        let yarn = rope.turning(64, 2048).expect("yarn is supported: this is a bug");
        let plain = frequencies(10_000.0, 64);
        assert_eq!((yarn.frequencies[0], yarn.frequencies[31]), (plain[0], plain[31] / 4.0));
        assert!(yarn.frequencies.windows(2).all(|pair| pair[0] > pair[1]), "{yarn:?}");
        assert!((yarn.scale - 1.138_629).abs() < 1e-6, "{}", yarn.scale);
    }

    #[test]
    fn a_form_may_be_named_by_both_names() {
        let rope = parse(r#"{"rope_scaling": {"type": "mrope", "rope_type": "linear", "factor": 4.0}}"#);
        assert_eq!(rope.turning(8, 64).expect("linear is supported: this is a bug").frequencies[0], 0.25);
    }

    #[test]
    fn of_two_forms_of_the_config_the_old_one_counts_unless_it_is_empty() {
        let new = r#""rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500000.0}"#;
        let old = r#""rope_scaling": {"rope_type": "linear", "factor": 4.0}"#;
        for (both, counts) in [(format!("{{{new}, {old}}}"), old), (format!("{{{new}, \"rope_scaling\": {{}}}}"), new)]
        {
            let [both, alone] = [both, format!("{{{counts}}}")]
                .map(|config| parse(&config).turning(8, 64).expect("linear is supported: this is a bug"));
            assert_eq!(both, alone);
        }
    }

    #[test]
    fn the_original_length_of_the_config_goes_before_that_of_the_parameters() {
        let yarn = |outside: &str, inside: &str| {
            let parameters =
                format!(r#"{{"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": {inside}}}"#);
            let rope = parse(&format!(
                r#"{{"original_max_position_embeddings": {outside}, "rope_parameters": {parameters}}}"#
            ));
            rope.turning(64, 2048).expect("yarn is supported: this is a bug")
        };
        assert_eq!(yarn("32", "256"), yarn("null", "32"));
        assert_ne!(yarn("32", "256"), yarn("null", "256"));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for settings in [
            r#"{"rope_theta": 0}"#,
            r#"{"rope_theta": -1}"#,
            r#"{"rope_theta": 1e300}"#,
            r#"{"rope_scaling": {"rope_type": "linear", "factor": 0}}"#,
            r#"{"rope_scaling": {"rope_type": "yarn", "factor": 0}}"#,
            r#"{"rope_scaling": {"rope_type": "yarn", "factor": 4, "attention_factor": -1}}"#,
        ] {
            let error = parse(settings).turning(8, 64).expect_err(settings);
            assert!(error.contains("rope_theta or a rope parameter is wrong"), "{settings}: {error}");
        }
        for length in ["0", "-1"] {
            let error = parse(&format!(
                r#"{{"rope_scaling": {{"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": {length}}}}}"#
            ));
            let error = error.turning(8, 64).expect_err(length);
            assert_eq!(error, format!("original_max_position_embeddings is {length}, not above 0"));
        }
    }

    #[test]
    fn an_unknown_form_is_refused_by_name() {
        let error = parse(r#"{"rope_scaling": {"rope_type": "longrope", "factor": 2.0}}"#)
            .turning(8, 64)
            .expect_err("longrope is not supported: this is a bug");
        assert!(error.contains("longrope"), "{error}");
    }
}
