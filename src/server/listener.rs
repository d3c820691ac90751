//! Connections: each has a place (`places`), and closes itself when it is too slow.
//!
//! Holds always: there is a deadline for every phase in which the server waits for the client, counted from the phase's
//! beginning and not from the last byte, because a client that sends a byte now and then could else keep its place for
//! ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::places::{Phase, Place, Places, SharedState, State};
use super::shared::lock;

/// How long a connection may be idle between two requests, and how long a response may make no progress.
const IDLE: Duration = Duration::from_secs(30);
/// How long the head of a request may take, from its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// How long a whole request may take, from its first byte to its last.
pub(super) const REQUEST: Duration = Duration::from_secs(20);
/// How long a response may take; an image has some 100 kB, and six may share a slow line.
const RESPONSE: Duration = Duration::from_secs(120);
/// Bytes of a request's head.
const MOST_HEAD: usize = 128 << 10;
/// Pause after a failure to accept, for example because no file handle is left.
const BREATH: Duration = Duration::from_millis(100);
/// Nothing is to be waited for.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// A listener with a limited number of connections.
pub(super) struct Limited {
    listener: TcpListener,
    places: Arc<Places>,
    accepted: u64,
}

impl Limited {
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::default(), accepted: 0 }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let Ok((stream, from)) = self.listener.accept().await else {
                sleep(BREATH).await;
                continue;
            };
            self.accepted += 1;
            // Without a place the stream is dropped, which closes it.
            let Some(place) = self.places.take(self.accepted, from.ip()) else { continue };
            // Responses are small, so they are sent at once and not collected.
            let _ = stream.set_nodelay(true);
            let alarm = Box::pin(sleep(IDLE));
            return (Connection { stream, place, head_bytes: 0, must_leave: false, alarm }, from);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails when it is too slow, or when it has to make room.
pub(super) struct Connection {
    stream: TcpStream,
    place: Place,
    /// Bytes of the head that is coming in.
    head_bytes: usize,
    /// Whether it was told to make room.
    must_leave: bool,
    alarm: Pin<Box<Sleep>>,
}

/// When a connection in this state is too slow.
fn deadline(state: &State) -> std::time::Instant {
    match state.phase {
        Phase::Idle => state.since + IDLE,
        Phase::Head => state.since + HEAD,
        Phase::Body => state.since + REQUEST,
        Phase::Work => state.since + LONG,
        Phase::Response => (state.since + RESPONSE).min(state.moved + IDLE),
    }
}

impl Connection {
    /// An error if the connection has to end; else its task is woken when that changes.
    fn check(&mut self, cx: &mut Context) -> io::Result<()> {
        self.must_leave = self.must_leave || Pin::new(&mut self.place.leave).poll(cx).is_ready();
        if self.must_leave {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let at = Instant::from_std(deadline(&lock(&self.place.state)));
        if self.alarm.deadline() != at {
            self.alarm = Box::pin(sleep_until(at));
        }
        match self.alarm.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    /// Notes that bytes have come in.
    fn came(&mut self, bytes: usize) -> io::Result<()> {
        let mut state = lock(&self.place.state);
        state.moved = std::time::Instant::now();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head);
            self.head_bytes = 0;
        }
        if state.phase == Phase::Head {
            self.head_bytes += bytes;
        }
        if self.head_bytes > MOST_HEAD { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.came(bytes)?;
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(_))) {
            let mut state = lock(&self.place.state);
            state.moved = std::time::Instant::now();
            if state.phase == Phase::Idle {
                state.enter(Phase::Response);
            }
        }
        written
    }

    /// Called when everything that was to be written has gone out, so that the next request may come.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        let mut state = lock(&self.place.state);
        if state.phase == Phase::Response {
            state.enter(Phase::Idle);
        }
        drop(state);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The client that sent a request: its address, and the state of its connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub address: SocketAddr,
    pub state: SharedState,
}

impl Connected<IncomingStream<'_, Limited>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Limited>) -> Self {
        Self { address: *stream.remote_addr(), state: stream.io().place.state.clone() }
    }
}
