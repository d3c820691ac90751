//! Slow connections: whoever opens hundreds of them and sends a byte now and then keeps nobody from answering.
//!
//! Every connection here is from this machine; a second address of it (127.0.0.2) stands for somebody else's.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpSocket;

use crate::runs::mined;
use crate::server::Server;

const SLOW: usize = 820;
/// Others are answered within this.
const SOON: Duration = Duration::from_secs(1);

/// A connection from an address of this machine.
fn connect(from: &str, to: &str) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{from}:0").parse().expect("an address")).expect("this machine has the address");
        socket.connect(to.parse().expect("an address")).await.expect("it listens").into_std().expect("a stream")
    });
    stream.set_nonblocking(false).expect("it can block");
    stream
}

/// Asks from an address; the status, and how long it took.
fn ask(server: &Server, from: &str, request: &str, headers: &str) -> (u16, Duration) {
    let before = Instant::now();
    let mut stream = connect(from, &server.address);
    let host = &server.address;
    let text = format!("{request} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).expect("it is read");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let status = String::from_utf8_lossy(&answer).get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), before.elapsed())
}

/// Beginnings of requests, each of which could go on for ever.
fn beginnings(host: &str) -> [String; 4] {
    [
        String::new(),
        "GET /".to_owned(),
        format!("GET / HTTP/1.1\r\nhost: {host}\r\nx-slow: "),
        format!("POST /api/answers HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4000\r\n\r\n{{"),
    ]
}

#[test]
fn others_are_answered_at_once_while_820_connections_send_a_byte_now_and_then() {
    let hardset = mined(1, "people_per_batch = 2");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", "ada"]);
    let beginnings = beginnings(&server.address);
    let mut slow: Vec<TcpStream> = Vec::with_capacity(SLOW);
    for at in 0..SLOW {
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        // Some are closed by the server at once, because later ones take their places.
        let _ = stream.write_all(beginnings[at % 4].as_bytes());
        slow.push(stream);
    }
    let (over, mut worst) = (AtomicBool::new(false), [Duration::ZERO; 3]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for stream in &slow {
                    let _ = (&*stream).write_all(b"x");
                }
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        let (ada, csrf) = server.join("ada");
        let sheet = server.sheet(&ada).expect("a sheet");
        let cookie = format!("cookie: {ada}\r\n");
        for round in 0..30 {
            let (status, took) = ask(&server, "127.0.0.2", "GET /", "");
            assert_eq!(status, 401);
            worst[0] = worst[0].max(took);
            // From the same address, with a link and without a session yet.
            let (status, took) = ask(&server, "127.0.0.1", &format!("GET {}", server.path(&server.links["ada"])), "");
            assert_eq!(status, 303);
            worst[1] = worst[1].max(took);
            let task = &sheet["tasks"][round % 8]["task"];
            let answer = json!({ "batch": sheet["batch"], "task": task, "question": "use", "answer": "yes" });
            let before = Instant::now();
            assert_eq!(server.post("/api/answers", &ada, &csrf, &answer), 204);
            assert_eq!(ask(&server, "127.0.0.1", "GET /api/sheet", &cookie).0, 200);
            worst[2] = worst[2].max(before.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
    });
    eprintln!(
        "beside {SLOW} slow connections, at worst: another address {:?}, a link {:?}, an answer and a sheet {:?}",
        worst[0], worst[1], worst[2]
    );
    assert!(worst.iter().all(|took| *took < SOON), "{worst:?}");
}

#[test]
fn forty_people_behind_one_address_keep_their_connections() {
    let names: Vec<String> = (0..40).map(|at| format!("p{at}")).collect();
    let hardset = mined(1, "people_per_batch = 40");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", &names.join(",")]);
    let get = |stream: &mut TcpStream, cookie: &str| {
        let request = format!("GET /app.js HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n", server.address);
        stream.write_all(request.as_bytes()).expect("it is open");
        let mut head = [0; 4096];
        let read = stream.read(&mut head).expect("it is open");
        assert!(head[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head[..read]));
        let length = String::from_utf8_lossy(&head[..read]).to_lowercase();
        let (head, rest) = length.split_once("\r\n\r\n").expect("a head");
        let size: usize = head
            .split_once("content-length: ")
            .and_then(|(_, rest)| rest.lines().next()?.parse().ok())
            .expect("a size");
        let mut body = vec![0; size - rest.len()];
        stream.read_exact(&mut body).expect("a body");
    };
    let mut open: Vec<(TcpStream, String)> = Vec::new();
    for name in &names {
        let (cookie, _) = server.join(name);
        for _ in 0..6 {
            let mut stream = TcpStream::connect(&server.address).expect("it listens");
            get(&mut stream, &cookie);
            open.push((stream, cookie.clone()));
        }
    }
    // A stranger at the same address takes none of their places.
    let strangers: Vec<TcpStream> =
        (0..400).map(|_| TcpStream::connect(&server.address).expect("it listens")).collect();
    for (stream, cookie) in &mut open {
        get(stream, cookie);
    }
    drop(strangers);
}

#[test]
fn a_connection_that_is_too_slow_is_closed_however_often_it_sends_a_byte() {
    let hardset = mined(1, "people_per_batch = 1");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", "ada"]);
    let closed_after = |beginning: &str| {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(&server.address).expect("it listens");
        stream.write_all(beginning.as_bytes()).expect("it is open");
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("it can be set");
        let mut answer = [0; 4096];
        while begun.elapsed() < Duration::from_secs(40) {
            let _ = stream.write_all(b"1");
            match stream.read(&mut answer) {
                Ok(0) => break,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                // The status of a request that is too slow, or nothing for half a second.
                Ok(_) | Err(_) => {}
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
        begun.elapsed().as_secs()
    };
    let beginnings = beginnings(&server.address);
    std::thread::scope(|scope| {
        let head = scope.spawn(|| closed_after(&beginnings[2]));
        let body = scope.spawn(|| closed_after(&beginnings[3]));
        let (head, body) = (head.join().expect("it ends"), body.join().expect("it ends"));
        eprintln!("a slow head was closed after {head} s, a slow body after {body} s");
        assert!((9..15).contains(&head) && (19..25).contains(&body), "{head} {body}");
    });
}
