//! A small server that behaves like the Hub, and a second one that stores the large files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const TOKEN: &str = "hf_a_token_of_nobody";

/// What goes wrong on the way, once for each entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The store sends so many bytes and closes.
    Cut(usize),
    /// The store sends a byte that is not the file's.
    Damage,
    /// The store announces and sends less than the Hub said.
    Short,
    /// The store sends the whole file whatever was asked.
    Whole,
    /// The Hub or the store is overloaded.
    Busy,
}

/// The repository `org/model` at [`COMMIT`], `main` and `feature/x`; `org/gated` needs the token.
pub struct FakeHub {
    pub endpoint: String,
    shared: Arc<Shared>,
}

struct Shared {
    files: BTreeMap<String, Vec<u8>>,
    faults: Mutex<Vec<Fault>>,
    log: Mutex<Vec<String>>,
    store: String,
}

/// What a client asked for.
struct Asked {
    method: String,
    path: String,
    token: Option<String>,
    start: Option<usize>,
}

impl FakeHub {
    pub fn with(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, content)| (name.to_string(), content.to_vec())).collect();
        let (hub, store) = (listener(), listener());
        let shared =
            Arc::new(Shared { files, faults: Mutex::default(), log: Mutex::default(), store: address(&store) });
        let endpoint = address(&hub);
        serve(hub, &shared, |shared, asked, stream| shared.answer_as_hub(asked, stream));
        serve(store, &shared, |shared, asked, stream| shared.answer_as_store(asked, stream));
        Self { endpoint, shared }
    }

    /// These go wrong next, in this order.
    pub fn fails_with(&self, faults: &[Fault]) {
        *self.shared.faults.lock().unwrap() = faults.to_vec();
    }

    /// What was asked since this was last called: `hub GET /path`, `token` and `from N` where there were such.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.log.lock().unwrap())
    }
}

impl Shared {
    fn answer_as_hub(&self, asked: &Asked, stream: &mut TcpStream) {
        self.note("hub", asked);
        if self.next_fault_is(&[Fault::Busy]).is_some() {
            return send(stream, asked, "503 Service Unavailable", &[], b"");
        }
        let missing = |code: &str, stream: &mut TcpStream| {
            send(stream, asked, "404 Not Found", &[("X-Error-Code", code)], b"no");
        };
        let (repo, rest) = asked.path[1..].split_once("/resolve/").unwrap();
        match repo {
            "org/model" => {}
            "org/renamed" => {
                let to = format!("/org/model/resolve/{rest}");
                return send(stream, asked, "307 Temporary Redirect", &[("Location", &to)], b"");
            }
            "org/loop" => {
                return send(stream, asked, "307 Temporary Redirect", &[("Location", &asked.path)], b"");
            }
            "org/removed" => return send(stream, asked, "451 Unavailable For Legal Reasons", &[], b""),
            "org/gated" if asked.token.as_deref() == Some(&format!("Bearer {TOKEN}")) => {}
            "org/gated" if asked.token.is_some() => {
                return send(stream, asked, "403 Forbidden", &[("X-Error-Code", "GatedRepo")], b"");
            }
            "org/gated" => return send(stream, asked, "401 Unauthorized", &[("X-Error-Code", "GatedRepo")], b""),
            "org/private" => return send(stream, asked, "401 Unauthorized", &[], b""),
            _ => return missing("RepoNotFound", stream),
        }
        let (revision, file) = rest.split_once('/').unwrap();
        if !["main", "feature%2Fx", COMMIT].contains(&revision) {
            return missing("RevisionNotFound", stream);
        }
        let Some(content) = self.files.get(file) else { return missing("EntryNotFound", stream) };
        if is_large(file) {
            let (etag, size) = (format!("\"{}\"", sha256(content)), content.len().to_string());
            let location = format!("{}/{file}", self.store);
            let headers = [
                ("X-Repo-Commit", COMMIT),
                ("X-Linked-Etag", &etag),
                ("X-Linked-Size", &size),
                ("Location", &location),
            ];
            return send(stream, asked, "302 Found", &headers, b"");
        }
        let etag = format!("W/\"{}\"", &sha256(content)[..40]);
        send(stream, asked, "200 OK", &[("X-Repo-Commit", COMMIT), ("ETag", &etag)], content);
    }

    /// Answers a range without `Content-Range`, as some stores do.
    fn answer_as_store(&self, asked: &Asked, stream: &mut TcpStream) {
        self.note("store", asked);
        let content = &self.files[&asked.path[1..]];
        let fault = self.next_fault_is(&[]);
        let start = asked.start.filter(|_| fault != Some(Fault::Whole));
        let (status, body) = match start {
            Some(start) if start >= content.len() => ("416 Range Not Satisfiable", &content[..0]),
            Some(start) => ("206 Partial Content", &content[start..]),
            None => ("200 OK", &content[..]),
        };
        match fault {
            Some(Fault::Busy) => send(stream, asked, "503 Service Unavailable", &[], b""),
            Some(Fault::Cut(at)) => {
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
                stream.write_all(&body[..at]).unwrap();
            }
            Some(Fault::Damage) => {
                let mut damaged = body.to_vec();
                damaged[0] ^= 1;
                send(stream, asked, status, &[], &damaged);
            }
            Some(Fault::Short) => send(stream, asked, status, &[], &body[..body.len() / 2]),
            Some(Fault::Whole) | None => send(stream, asked, status, &[], body),
        }
    }

    /// Takes the next fault; from the Hub itself only one of `kinds`.
    fn next_fault_is(&self, kinds: &[Fault]) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let next = *faults.first()?;
        if !kinds.is_empty() && !kinds.contains(&next) {
            return None;
        }
        Some(faults.remove(0))
    }

    fn note(&self, who: &str, asked: &Asked) {
        let token = asked.token.as_ref().map_or("", |_| " token");
        let from = asked.start.map(|start| format!(" from {start}")).unwrap_or_default();
        self.log.lock().unwrap().push(format!("{who} {} {}{token}{from}", asked.method, asked.path));
    }
}

pub fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors") || file.ends_with(".bin")
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn address(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}

/// Answers every connection on a thread of its own, until the test ends.
fn serve(listener: TcpListener, shared: &Arc<Shared>, answer: fn(&Shared, &Asked, &mut TcpStream)) {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                if let Some(asked) = read_request(&stream) {
                    answer(&shared, &asked, &mut stream);
                }
            });
        }
    });
}

fn read_request(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_owned);
    let mut asked = Asked { method: words.next()?, path: words.next()?, token: None, start: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.token = Some(value.to_owned()),
            "range" => asked.start = value.strip_prefix("bytes=")?.split('-').next()?.parse().ok(),
            _ => {}
        }
    }
    Some(asked)
}

fn send(stream: &mut TcpStream, asked: &Asked, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    answer.push_str("\r\n");
    let mut answer = answer.into_bytes();
    if asked.method != "HEAD" {
        answer.extend_from_slice(body);
    }
    // The client may have what it needs and be gone.
    let _ = stream.write_all(&answer);
}
