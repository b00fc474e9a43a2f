//! The Hub over HTTP: what a file is, and the bytes of it. One attempt a call; who calls tries again.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, AsHeaderName, CONTENT_LENGTH, ETAG, LOCATION, RANGE};
use ureq::http::{HeaderMap, Method, Request, Response, StatusCode};
use ureq::{Agent, Body};

use super::names;
use super::settings::{self, Settings};
use crate::error::Error;

/// A server that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const MOST_REDIRECTS: usize = 10;

/// What the Hub says of a file before it is fetched.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) commit: String,
    /// The name of the content: its SHA-256 for large files, its git hash for small ones.
    pub(super) etag: String,
    pub(super) size: Option<u64>,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The network or the server: another attempt may succeed.
    Passing(String),
    /// The Hub's answer: it stays the same.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// What a call over the network brings.
pub(super) type Answer<T> = Result<T, Failure>;

/// A connection to the Hub for one repository.
pub(super) struct Hub {
    agent: Agent,
    endpoint: String,
    user: Option<String>,
    token: Option<String>,
    repo: String,
}

impl Hub {
    pub(super) fn new(settings: &Settings, repo: &str) -> Self {
        let agent = Agent::config_builder()
            // Redirects are followed here: the token must not travel with them.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("gliclass/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT_PATIENCE))
            .timeout_connect(Some(CONNECT_PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .into();
        let Settings { endpoint, user, token, .. } = settings.clone();
        Self { agent, endpoint, user, token, repo: repo.to_owned() }
    }

    /// Where a file is.
    pub(super) fn url(&self, revision: &str, file: &str) -> String {
        let (revision, file) = (names::escape(revision, ""), names::escape(file, "/"));
        format!("{}/{}/resolve/{revision}/{file}", self.endpoint, self.repo)
    }

    /// Asks what a file is; `None` where the repository has no such file.
    pub(super) fn describe(&self, revision: &str, file: &str) -> Answer<Option<Remote>> {
        let url = self.url(revision, file);
        let response = self.follow(&Method::HEAD, &url, None, |hub, headers, next| {
            // The Hub itself knows the content; where it is stored elsewhere, elsewhere need not be asked.
            headers.contains_key("x-linked-etag") || !hub.is_own(next)
        })?;
        if response.status() == StatusCode::NOT_FOUND {
            return match self.missing(revision, response.headers()) {
                Some(error) => Err(error.into()),
                None => Ok(None),
            };
        }
        Ok(Some(self.read_description(&url, &response)?))
    }

    fn read_description(&self, url: &str, response: &Response<Body>) -> Result<Remote, Error> {
        let headers = response.headers();
        let without = |what: &str| self.strange(url, format_args!("the answer has no usable {what}"));
        let commit = text(headers, "x-repo-commit").filter(|commit| names::is_plain(commit));
        let etag = text(headers, "x-linked-etag").or_else(|| text(headers, ETAG));
        let etag =
            etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"')).filter(|etag| names::is_plain(etag));
        let own_size = || text(headers, CONTENT_LENGTH).filter(|_| response.status().is_success());
        let size = text(headers, "x-linked-size").or_else(own_size).and_then(|size| size.parse().ok());
        Ok(Remote {
            commit: commit.ok_or_else(|| without("commit (X-Repo-Commit)"))?.to_owned(),
            etag: etag.ok_or_else(|| without("name of the content (ETag)"))?.to_owned(),
            size,
        })
    }

    /// The bytes of a file from the `start`th on: status 206, or 200 where the server sends all of it.
    pub(super) fn read(&self, url: &str, start: u64) -> Answer<Response<Body>> {
        let range = (start > 0).then(|| format!("bytes={start}-"));
        self.follow(&Method::GET, url, range.as_deref(), |_, _, _| false)
    }

    /// Sends a request and follows redirects until `enough` says that the answer at hand will do.
    fn follow(
        &self,
        method: &Method,
        url: &str,
        range: Option<&str>,
        enough: impl Fn(&Self, &HeaderMap, &str) -> bool,
    ) -> Answer<Response<Body>> {
        let mut url = url.to_owned();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.judge(self.send(method, &url, range)?, &url)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = text(response.headers(), LOCATION.as_str()).and_then(|next| join(&url, next));
            let Some(next) = location else {
                return Err(self.strange(&url, "redirected to no usable address").into());
            };
            if enough(self, response.headers(), &next) {
                return Ok(response);
            }
            url = next;
        }
        Err(self.strange(&url, format_args!("more than {MOST_REDIRECTS} redirects")).into())
    }

    /// What no Hub does.
    pub(super) fn strange(&self, url: &str, what: impl Display) -> Error {
        Error::Hub(format!("{url}: {what}: is HF_ENDPOINT ({}) a Hub?", self.endpoint))
    }

    fn send(&self, method: &Method, url: &str, range: Option<&str>) -> Answer<Response<Body>> {
        // Packed bytes would fit neither the size nor a range.
        let address = self.with_user(url);
        let mut request = Request::builder().method(method).uri(&*address).header(ACCEPT_ENCODING, "identity");
        if let Some(token) = self.token.as_ref().filter(|_| self.is_own(url)) {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let request = request.body(()).map_err(|error| Error::Hub(format!("{url}: {error}")))?;
        self.agent.run(request).map_err(|error| Failure::Passing(format!("{url}: {error}")))
    }

    /// The address with the user of the endpoint, where it is the endpoint's own: nowhere else than in a request.
    fn with_user<'a>(&self, url: &'a str) -> Cow<'a, str> {
        match (&self.user, url.split_once("://")) {
            (Some(user), Some((scheme, rest))) if self.is_own(url) => format!("{scheme}://{user}@{rest}").into(),
            _ => url.into(),
        }
    }

    /// Lets answers pass that the caller can use: data, redirects, a missing file, a range beyond the end.
    fn judge(&self, response: Response<Body>, url: &str) -> Answer<Response<Body>> {
        let status = response.status();
        match status.as_u16() {
            200 | 206 | 301 | 302 | 303 | 307 | 308 | 404 | 416 => Ok(response),
            401 | 403 if self.is_own(url) => Err(self.refused(status, response.headers()).into()),
            // Elsewhere it means that a signed address ran out: a new attempt gets a new one.
            401 | 403 | 408 | 429 | 500.. => Err(Failure::Passing(format!("{url}: the server answers {status}"))),
            _ => Err(self.strange(url, format_args!("the server answers {status}")).into()),
        }
    }

    fn refused(&self, status: StatusCode, headers: &HeaderMap) -> Error {
        let (repo, page) = (&self.repo, format!("{}/{}", self.endpoint, self.repo));
        let gated = text(headers, "x-error-code") == Some("GatedRepo");
        let what = match (gated, status) {
            (true, _) => format!("{repo} is gated: its licence must be accepted once on {page}"),
            (_, StatusCode::FORBIDDEN) => format!("{repo} is not open to this account (see {page})"),
            _ => format!("{repo} does not exist, or is private or gated: check the name on {page}"),
        };
        let how = match self.token {
            Some(_) => "the token in use is not enough: create one that may read it at",
            None => "no token is set: set HF_TOKEN, or run `hf auth login`, with a token from",
        };
        Error::Hub(format!("{what}; {how} {}/settings/tokens", self.endpoint))
    }

    /// Where more is missing than a file: the repository, or the revision.
    fn missing(&self, revision: &str, headers: &HeaderMap) -> Option<Error> {
        let (repo, endpoint) = (&self.repo, &self.endpoint);
        match text(headers, "x-error-code") {
            Some("RepoNotFound") => Some(Error::Hub(format!(
                "{repo}: no such repository on {endpoint}: check the name, or set HF_TOKEN if it is private"
            ))),
            Some("RevisionNotFound") => Some(Error::Hub(format!(
                "{repo} has no revision {revision:?}: see {endpoint}/{repo}/branches for those it has"
            ))),
            _ => None,
        }
    }

    /// Whether an address is the endpoint's own: the token goes there and nowhere else.
    fn is_own(&self, url: &str) -> bool {
        origin(url) == origin(&self.endpoint)
    }
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let [scheme, host, _] = settings::parts(url);
    &url[..scheme.len() + host.len()]
}

/// Where a redirect leads; never from https to http.
fn join(url: &str, location: &str) -> Option<String> {
    let scheme = url.split_once("://")?.0;
    let next = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{}{location}", origin(url))
    } else {
        location.to_owned()
    };
    let safe = next.starts_with("https://") || (scheme == "http" && next.starts_with("http://"));
    safe.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_whole_addresses_and_never_to_a_less_safe_one() {
        let from = "https://hub.example:8/a/resolve/main/b";
        assert_eq!(join(from, "/c?d").as_deref(), Some("https://hub.example:8/c?d"));
        assert_eq!(join(from, "//cdn.example/c").as_deref(), Some("https://cdn.example/c"));
        assert_eq!(join(from, "https://cdn.example/c").as_deref(), Some("https://cdn.example/c"));
        assert_eq!(join(from, "http://cdn.example/c"), None);
        assert_eq!(join(from, "file:///etc/passwd"), None);
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        assert_eq!(origin("http://a:1/b"), "http://a:1");
        assert_ne!(origin("http://a:1/b"), origin("http://a:2/b"));
        assert_ne!(origin("http://a/b"), origin("https://a/b"));
        assert_ne!(origin("https://a.example/"), origin("https://a.example.org/"));
        assert_ne!(origin("https://a.example"), origin("https://a.example@b.example/"));
    }
}
