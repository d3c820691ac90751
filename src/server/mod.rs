//! The annotation page for a lab's own people: serves task sheets and saves answers, over HTTP.
//!
//! Holds always: sheets come here without their sentinels, because what the server does not know it cannot reveal; an
//! answer that was acknowledged is on the disk, because the page then forgets it; a request without a valid link gets
//! nothing, not even an image; tokens are compared in constant time and written nowhere, because a token is all that
//! identifies a person. The only module that knows axum and tokio.

mod ahead;
mod clock;
mod desk;
mod guard;
mod images;
mod join;
mod listener;
mod locked;
mod owner;
mod people;
mod places;
mod rate;
mod shared;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::oneshot;

use crate::domain::Secret;
use crate::render::annotate::{self as page, Sheet};
use crate::store::{Ballots, StoreError};
use ahead::Ahead;
use clock::now_ms;
use desk::Desk;
use listener::{Limited, Peer, REQUEST};
use places::{Phase, origin};
use rate::{Limit, RateLimiter};
use shared::{App, Shared, lock, refused};
use writer::Writer;

pub use images::Images;

/// The largest body of a request, in bytes; an answer has about 200.
const MAX_BODY: usize = 4096;
/// How often the server checks whether it should stop.
const GLANCE: Duration = Duration::from_millis(200);
/// How long running requests may take after that.
const GRACE: Duration = Duration::from_secs(2);
/// Requests of one person. A page of 48 images needs a few hundred.
const PERSON_LIMIT: Limit = Limit { burst: 1000.0, per_sec: 100.0 };
/// Requests without a valid link from one address.
const STRANGER_LIMIT: Limit = Limit { burst: 60.0, per_sec: 1.0 };

/// What is served, and where.
pub struct Site {
    /// Name of the benchmark.
    pub title: String,
    /// All sheets; their images are addressed as `/images/<task>.jpg`.
    pub sheets: Vec<Sheet>,
    /// The number of people wanted for each sheet, in the same order.
    pub wanted: Vec<u32>,
    /// For each sheet the images to be judged, so that nobody judges an image twice: opaque numbers that can only be
    /// compared. The server is not told which tasks they belong to.
    pub judged: Vec<Vec<u64>>,
    /// Pairs of sheets on which people are asked about one picture under two categories: nobody gets both, as long as
    /// there are others.
    pub apart: Vec<(usize, usize)>,
    /// JPEGs by task.
    pub images: Arc<dyn Images>,
    /// The secret from which tokens are made.
    pub secret: Secret,
    /// The database of answers.
    pub ballots: PathBuf,
    /// People to admit, besides those in the database.
    pub people: Vec<String>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Host names that requests may use, besides those of the server's own address.
    pub hosts: Vec<String>,
}

/// The links for the owner to hand out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The owner's page.
    pub owner: String,
    /// One for each person, by name.
    pub people: Vec<(String, String)>,
}

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The server cannot listen.
    #[error("cannot listen on {address}: {source}; choose another port with --port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The operating system reported an error.
    #[error("the server stopped: {0}")]
    Io(#[from] std::io::Error),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Serves until `stop` is set; calls `ready` with the links once the server listens.
///
/// Calls `trouble` with problems that people should not see, such as why an image or an answer failed.
pub fn serve(
    site: Site,
    ready: impl FnOnce(&Links),
    trouble: impl Fn(&str),
    stop: &AtomicBool,
) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let wanted = site.listen;
        let listen = |source| ServerError::Listen { address: wanted, source };
        let listener = tokio::net::TcpListener::bind(wanted).await.map_err(listen)?;
        let address = listener.local_addr()?;
        let app = Arc::new(Shared::open(site, address)?);
        ready(&app.links(address)?);
        let service = router(app.clone()).into_make_service_with_connect_info::<Peer>();
        let (stop_now, stopping) = oneshot::channel::<()>();
        let serving = axum::serve(Limited::new(listener), service).with_graceful_shutdown(async {
            let _ = stopping.await;
        });
        let serving = tokio::spawn(serving.into_future());
        while !stop.load(Ordering::Relaxed) && !serving.is_finished() {
            tokio::time::sleep(GLANCE).await;
            std::mem::take(&mut *lock(&app.trouble)).iter().for_each(|text| trouble(text));
        }
        drop(stop_now);
        // Connections may stay open, because everything acknowledged is saved.
        match tokio::time::timeout(GRACE, serving).await {
            Ok(ended) => Ok(ended.map_err(std::io::Error::other)??),
            Err(_) => Ok(()),
        }
    })
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(people::start))
        .route("/join/{token}", get(join::join))
        .route("/join", post(join::switch))
        .route("/app.js", get(|State(app): State<App>| async move { text("text/javascript", app.script.clone()) }))
        .route("/style.css", get(|State(app): State<App>| async move { text("text/css", app.style.clone()) }))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
        .route("/api/sheet", get(people::sheet))
        .route("/api/answers", post(people::answer))
        .route("/api/finish", post(people::finish))
        .route("/images/{file}", get(people::image))
        .route("/owner/join/{token}", get(owner::join))
        .route("/owner", get(owner::page))
        .route("/owner/people", post(owner::add))
        .fallback(|| async {
            refused(StatusCode::NOT_FOUND, "There is nothing here", "Open the link that you were given.")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), checked))
        .with_state(app)
}

/// Wraps every request: checks its host and its rate, reads it whole, says on its connection what happens, and adds
/// headers to the response.
async fn checked(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    lock(&peer.state).enter(Phase::Body);
    let mut response = match app.admits(&request, &peer) {
        Ok(()) => match whole(request).await {
            Ok(request) => {
                lock(&peer.state).enter(Phase::Work);
                next.run(request).await
            }
            Err(status) => status.into_response(),
        },
        Err(refusal) => *refusal,
    };
    lock(&peer.state).enter(Phase::Response);
    for (name, value) in guard::HEADERS {
        response.headers_mut().entry(name).or_insert(header::HeaderValue::from_static(value));
    }
    response
}

/// The request with all of its body, if it comes in time and is not too large.
async fn whole(request: Request) -> Result<Request, StatusCode> {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(REQUEST, to_bytes(body, MAX_BODY)).await;
    let body = body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    Ok(Request::from_parts(head, Body::from(body)))
}

impl Shared {
    fn open(site: Site, address: SocketAddr) -> Result<Self, ServerError> {
        let ballots = Ballots::open(&site.ballots)?;
        ballots.add_people(&site.people, now_ms())?;
        let names = ballots.people()?.into_iter().map(|person| person.name);
        let people = names.map(|name| (site.secret.name("person id", &name), name)).collect();
        let batches = site.sheets.iter().enumerate().map(|(at, sheet)| (sheet.batch.clone(), at)).collect();
        let tasks = site.sheets.iter().enumerate();
        let tasks = tasks.flat_map(|(at, sheet)| sheet.tasks.iter().map(move |task| (task.task.clone(), at))).collect();
        let desk = Arc::new(Mutex::new(
            Desk::new(&batches, &site.wanted, &site.judged, ballots.assignments()?).apart(&site.apart),
        ));
        Ok(Self {
            ahead: Ahead::start(site.images.clone(), desk.clone()),
            desk,
            by_batch: batches,
            by_task: tasks,
            writer: Writer::start(Ballots::open(&site.ballots)?),
            ballots: Mutex::new(ballots),
            people: Mutex::new(people),
            rate: Mutex::new(RateLimiter::default()),
            trouble: Mutex::default(),
            cookies: guard::cookies(&site.secret),
            hosts: guard::hosts(address, &site.hosts),
            base: guard::base(address, &site.hosts),
            title: site.title,
            sheets: site.sheets,
            wanted: site.wanted,
            images: site.images,
            secret: site.secret,
            script: page::script(),
            style: page::style(),
        })
    }

    fn links(&self, address: SocketAddr) -> Result<Links, ServerError> {
        let names = lock(&self.ballots).people()?;
        let people = names.into_iter().map(|person| (person.name.clone(), self.link(&person.name))).collect();
        Ok(Links { address, owner: format!("{}/owner/join/{}", self.base, self.owner_token()), people })
    }

    fn admits(&self, request: &Request, peer: &Peer) -> Result<(), Box<Response>> {
        self.is_addressed(request)?;
        // A valid link counts for its person, not for the address, because all people of a lab may share an address.
        let path = request.uri().path();
        let joins = || self.person(path.strip_prefix("/join/")?);
        let owns = || path.strip_prefix("/owner/join/").is_some_and(|token| self.owns(token));
        let who = self.session(request.headers()).or_else(joins).map(|name| format!("person {name}"));
        let who = who.or_else(|| (self.is_owner(request.headers()) || owns()).then(|| "owner".to_owned()));
        lock(&peer.state).has_link |= who.is_some();
        let limit = if who.is_some() { PERSON_LIMIT } else { STRANGER_LIMIT };
        if !lock(&self.rate).admits(who.unwrap_or_else(|| origin(peer.address.ip()).to_string()), limit) {
            let text = "Wait a moment, then try again.";
            return Err(Box::new(refused(StatusCode::TOO_MANY_REQUESTS, "Too many requests", text)));
        }
        Ok(())
    }
}

fn text(kind: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, format!("{kind}; charset=utf-8"))], text).into_response()
}
