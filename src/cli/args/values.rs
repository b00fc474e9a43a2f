//! The values of options, as they are typed.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::ValueEnum;

use crate::model::Device;

/// A whole number from 1.
pub fn from_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "give a whole number from 1")
}

/// A whole number from 0.
pub fn from_zero<N: FromStr>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|_| "give a whole number from 0")
}

/// A whole number from 1 to `MOST`: what would take more memory or threads than there are is refused.
pub fn up_to<const MOST: usize>(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MOST);
    number.ok_or_else(|| format!("give a whole number from 1 to {MOST}"))
}

/// A number from 0 to 1.
///
/// # Errors
/// It is none.
pub fn share<F: FromStr + PartialOrd + From<u8>>(text: &str) -> Result<F, &'static str> {
    let range = F::from(0)..=F::from(1);
    text.parse().ok().filter(|value| range.contains(value)).ok_or("give a number from 0 to 1")
}

pub(super) fn device(text: &str) -> Result<Device, &'static str> {
    match text {
        "auto" => Ok(Device::Auto),
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda(0)),
        "metal" => Ok(Device::Metal),
        _ => text
            .strip_prefix("cuda:")
            .and_then(|number| number.parse().ok())
            .map(Device::Cuda)
            .ok_or("give auto, cpu, cuda, metal or cuda:N, such as cuda:0"),
    }
}

/// What a variable of the Hub says, as Python's `huggingface_hub` reads it.
///
/// # Errors
/// None: what is not yes is no.
pub fn is_true(text: &str) -> Result<bool, Infallible> {
    Ok(["1", "ON", "YES", "TRUE"].iter().any(|word| text.eq_ignore_ascii_case(word)))
}

/// A value of an option as it is typed.
pub fn name_of(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
