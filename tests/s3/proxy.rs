//! A proxy before a server of S3 that counts the calls and answers some of them itself: the server is busy (503).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct State {
    calls: AtomicUsize,
    refused: AtomicUsize,
    /// By method.
    passed: Mutex<BTreeMap<String, usize>>,
}

/// A proxy on this machine; its threads end with the test program.
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// A proxy before the server at `server`; it refuses every `nth` call, or none.
    pub fn start(server: u16, nth: Option<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client or server that goes away costs its own connection only.
                std::thread::spawn(move || drop(pass(stream, server, nth, &state)));
            }
        });
        Self { port, state }
    }

    /// Calls that were refused.
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// Calls that reached the server, by method.
    pub fn passed(&self) -> BTreeMap<String, usize> {
        self.state.passed.lock().expect("no thread panicked with it").clone()
    }
}

/// One call of one connection.
fn pass(client: TcpStream, server: u16, nth: Option<usize>, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let length = text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let number = state.calls.fetch_add(1, Ordering::Relaxed) + 1;
    if nth.is_some_and(|nth| number.is_multiple_of(nth)) {
        state.refused.fetch_add(1, Ordering::Relaxed);
        return refuse(&client);
    }
    let method = text.split(' ').next().unwrap_or_default().to_owned();
    *state.passed.lock().expect("no thread panicked with it").entry(method).or_default() += 1;
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    let kept = text.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:") && !line.is_empty());
    let head: Vec<&str> = kept.chain(["connection: close", "", ""]).collect();
    server.write_all(head.join("\r\n").as_bytes())?;
    server.write_all(&body)?;
    std::io::copy(&mut server, &mut &client)?;
    client.shutdown(Shutdown::Both)
}

fn refuse(mut client: &TcpStream) -> std::io::Result<()> {
    let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
    let head = "HTTP/1.1 503 Slow Down\r\ncontent-type: application/xml\r\nconnection: close\r\ncontent-length:";
    client.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes())?;
    client.shutdown(Shutdown::Write)
}
