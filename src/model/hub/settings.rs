//! What the environment says, read as Python's `huggingface_hub` reads it.

use std::path::PathBuf;
use std::{env, fs};

use crate::error::{Error, Result};

/// Where the cache is, where the Hub is, and who asks.
#[derive(Clone)]
pub(super) struct Settings {
    /// `HF_HUB_CACHE`, or `hub` in `HF_HOME`.
    pub(super) cache: PathBuf,
    /// `HF_ENDPOINT` without a slash at its end.
    pub(super) endpoint: String,
    /// The user, perhaps with a password, that `HF_ENDPOINT` names before the host: no message shows it.
    pub(super) user: Option<String>,
    /// `HF_TOKEN`, or what `hf auth login` has saved.
    pub(super) token: Option<String>,
}

impl Settings {
    pub(super) fn from_env() -> Result<Self> {
        let home = home()?;
        let cache = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token"));
        let token = text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN"));
        let (endpoint, user) = endpoint()?;
        Ok(Self {
            cache: cache.unwrap_or_else(|| home.join("hub")),
            endpoint,
            user,
            token: token.or_else(|| clean(fs::read_to_string(token_file).ok()?)),
        })
    }
}

/// `HF_HOME`, or the folder of Hugging Face in the user's cache.
fn home() -> Result<PathBuf> {
    let caches = || path("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")));
    path("HF_HOME")
        .or_else(|| Some(caches()?.join("huggingface")))
        .ok_or_else(|| Error::Usage("no home folder for the Hugging Face cache: set HF_HOME to a folder".into()))
}

fn endpoint() -> Result<(String, Option<String>)> {
    let given = text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
    let (endpoint, user) = without_user(&given);
    if !has_port_of_digits(&endpoint) {
        // What stands there may be the rest of a password.
        let message = "HF_ENDPOINT: what stands behind the host's colon is not a port; write / in a password as %2F";
        return Err(Error::Usage(message.into()));
    }
    if endpoint.starts_with("https://") || endpoint.starts_with("http://") {
        return Ok((endpoint.trim_end_matches('/').to_owned(), user));
    }
    Err(Error::Usage(format!("HF_ENDPOINT is {endpoint:?}: give an address such as https://huggingface.co")))
}

/// An address without what stands before its host, and that.
fn without_user(address: &str) -> (String, Option<String>) {
    let [scheme, host, rest] = parts(address);
    match host.rsplit_once('@') {
        Some((user, host)) => ([scheme, host, rest].concat(), Some(user.to_owned())),
        None => (address.to_owned(), None),
    }
}

fn has_port_of_digits(address: &str) -> bool {
    let [_, host, _] = parts(address);
    // The colons of IPv6 stand in brackets.
    let port = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    port.is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The scheme of an address, its host with all that belongs to it, and the rest.
pub(super) fn parts(address: &str) -> [&str; 3] {
    let (scheme, rest) = address.split_at(address.find("://").map_or(0, |at| at + 3));
    let (host, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    [scheme, host, rest]
}

/// A folder from the environment, `~` meaning the user's own.
fn path(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty())?;
    let path = PathBuf::from(value);
    match path.strip_prefix("~") {
        Ok(below) => Some(env::home_dir()?.join(below)),
        Err(_) => Some(path),
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().and_then(clean)
}

/// Text without line ends or blanks around it; nothing where nothing is left.
fn clean(text: String) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{has_port_of_digits, without_user};

    #[test]
    fn what_stands_before_the_host_of_an_address_is_none_of_it() {
        for (address, expected, user) in [
            ("https://me:secret@hub.example/a", "https://hub.example/a", Some("me:secret")),
            ("http://me@127.0.0.1:8", "http://127.0.0.1:8", Some("me")),
            ("me:sec@ret@hub.example", "hub.example", Some("me:sec@ret")),
            ("https://hub.example/@a", "https://hub.example/@a", None),
        ] {
            assert_eq!(without_user(address), (expected.to_owned(), user.map(str::to_owned)), "{address}");
        }
    }

    #[test]
    fn half_a_password_is_told_from_a_port() {
        for (address, is_port) in [
            ("https://hub.example/a:b", true),
            ("http://127.0.0.1:8", true),
            ("http://[::1]", true),
            ("http://[::1]:80/a", true),
            ("http://me:sec/ret@hub.example", false),
        ] {
            assert_eq!(has_port_of_digits(address), is_port, "{address}");
        }
    }
}
