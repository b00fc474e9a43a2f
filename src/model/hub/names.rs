//! Names that become paths and addresses: only harmless ones pass.

use super::right_name;
use crate::error::{Error, Result};
use crate::files;

const LONGEST_REPO: usize = 96;

/// Accepts `owner/name` or `name` as the Hub allows them.
pub(super) fn repo(id: &str) -> Result<&str> {
    let parts: Vec<&str> = id.split('/').collect();
    let fits = id.len() <= LONGEST_REPO && parts.len() <= 2 && parts.into_iter().all(is_repo_part);
    if fits && !id.contains("--") && !id.contains("..") {
        return Ok(id);
    }
    Err(Error::Usage(format!(
        "{id:?} is not the name of a repository of the Hub: give {} (a folder needs no download)",
        right_name(id)
    )))
}

fn is_repo_part(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty() && part.chars().all(allowed) && !part.starts_with(['-', '.']) && !part.ends_with(['-', '.'])
}

/// Accepts a branch (which may hold slashes), a tag or a commit.
pub(super) fn revision(name: &str) -> Result<&str> {
    if files::is_below(name) && !name.contains([' ', '~', '^', '*', '?', '[']) {
        return Ok(name);
    }
    Err(Error::Usage(format!("--revision {name:?} cannot be used: give a branch, a tag or a commit, such as main")))
}

/// Whether a revision is a whole commit, which never changes.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && is_hexadecimal(revision)
}

/// Whether a blob's name is the SHA-256 of its content (files in large storage), in hexadecimal.
pub(super) fn is_sha256(etag: &str) -> bool {
    etag.len() == 64 && is_hexadecimal(etag)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a name given by a server can be one file of the cache.
pub(super) fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= 200 && !name.starts_with('.') && name.chars().all(allowed)
}

/// A path or revision as it stands in an address; `keep` is left as it is beside letters and digits.
pub(super) fn escape(text: &str, keep: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-_.~".contains(c) || keep.contains(c) {
            escaped.push(c);
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_of_the_hub_pass() {
        for id in ["gpt2", "knowledgator/gliclass-base-v3.0", "a/b_c"] {
            assert!(repo(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for id in ["", "/", "a/b/c", "../x", "a/..", "a--b/c", "a/b c", "a\\b", "https://x", "-a/b", "a/b\n"] {
            assert!(repo(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn of_a_page_the_repository_is_told() {
        for page in ["", "/", "/tree/main", "?library=gliclass", "#usage", "/resolve/main/config.json"] {
            for host in ["https://huggingface.co", "huggingface.co"] {
                let error = repo(&format!("{host}/owner/name-v1.0{page}")).unwrap_err().to_string();
                assert!(error.contains(": give owner/name-v1.0 (a folder"), "{error}");
            }
        }
        for other in ["", "/owner", "/owner/", "//name", "/models?search=a/b", "/docs#a/b", "/datasets/owner/name"] {
            let error = repo(&format!("https://huggingface.co{other}")).unwrap_err().to_string();
            assert!(error.contains(": give OWNER/NAME, such as"), "{error}");
        }
    }

    #[test]
    fn a_revision_with_a_slash_is_one_part_of_an_address() {
        assert_eq!(escape("refs/pr/1#a", ""), "refs%2Fpr%2F1%23a");
        assert_eq!(escape("labels/config é.json", "/"), "labels/config%20%C3%A9.json");
    }
}
