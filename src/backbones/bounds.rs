//! What the numbers in an encoder's config may be. A damaged one would take all memory, or all time, before any tensor
//! shows that it is wrong.

use serde_json::Value;

/// Settings by their names in the configs of all families, with the least that makes sense and far more than any model
/// has.
const BOUNDS: [(&[&str], f64, f64); 5] = [
    (
        &[
            "d_ff",
            "d_kv",
            "d_model",
            "decoder_attention_heads",
            "decoder_ffn_dim",
            "embedding_size",
            "encoder_attention_heads",
            "encoder_ffn_dim",
            "head_dim",
            "hidden_size",
            "intermediate_size",
            "num_attention_heads",
            "num_heads",
            "num_key_value_heads",
        ],
        1.0,
        1_048_576.0,
    ),
    (
        &[
            "decoder_layers",
            "encoder_layers",
            "inner_group_num",
            "num_hidden_groups",
            "num_hidden_layers",
            "num_layers",
        ],
        1.0,
        1_000.0,
    ),
    // Fewer have no room for a label.
    (&["max_position_embeddings"], 8.0, 1e15),
    (&["layer_norm_eps", "layer_norm_epsilon", "norm_eps", "rms_norm_eps"], 0.0, 1.0),
    (
        &[
            "activation_dropout",
            "attention_dropout",
            "attention_probs_dropout_prob",
            "dropout",
            "dropout_rate",
            "embedding_dropout",
            "hidden_dropout_prob",
            "mlp_dropout",
        ],
        0.0,
        1.0,
    ),
];

/// Refuses a config with a number that is out of its bounds. What is no number is left to whoever reads it.
///
/// # Errors
/// The setting, its value and its bounds.
pub(super) fn check(config: &Value) -> Result<(), String> {
    for (names, least, most) in BOUNDS {
        for name in names {
            let Some(value) = config.get(name).filter(|value| value.is_number()) else { continue };
            if !value.as_f64().is_some_and(|number| (least..=most).contains(&number)) {
                return Err(format!(
                    "{name} is {value}, not from {least} to {most}: config.json is damaged, fetch it again"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_out_of_its_bounds_is_named_with_them() {
        for (name, value, bounds) in [
            ("hidden_size", json!(0), "from 1 to 1048576"),
            ("head_dim", json!(1_000_000_000_000_000_000_u64), "from 1 to 1048576"),
            ("num_hidden_layers", json!(1001), "from 1 to 1000"),
            ("inner_group_num", json!(0), "from 1 to 1000"),
            ("layer_norm_eps", json!(-1), "from 0 to 1"),
            ("rms_norm_eps", json!(1e300), "from 0 to 1"),
            ("hidden_dropout_prob", json!(7), "from 0 to 1"),
            ("max_position_embeddings", json!(7), "from 8 to 1000000000000000"),
        ] {
            let error = check(&json!({name: value})).err().unwrap_or_default();
            assert!(error.starts_with(&format!("{name} is {value}, not {bounds}: ")), "{name}: {error}");
        }
    }

    #[test]
    fn the_largest_models_are_within_all_bounds() {
        let large = json!({
            "hidden_size": 1 << 17,
            "intermediate_size": 1 << 19,
            "num_hidden_layers": 1000,
            "layer_norm_eps": 0,
            "head_dim": null,
            "embedding_size": 1,
        });
        assert_eq!(check(&large), Ok(()));
    }
}
