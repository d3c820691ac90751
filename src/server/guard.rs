//! Access control: tokens, cookies, host names and origins; and the headers of every response.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;

use super::shared::{Shared, lock, refused};
use crate::domain::Secret;

/// A session ends after 90 days; the link starts the next one.
const COOKIE: &str = "; Path=/; HttpOnly; SameSite=Lax; Max-Age=7776000";
/// Hexadecimal digits of a tag in a token: 128 bits.
const TAG: usize = 32;

/// The headers of every response that does not set them itself.
pub(super) const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action \
         'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With `no-referrer`, browsers send `Origin: null` with forms. Addresses with tokens redirect at once.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The valid values of the `Host` header: the server's own address, `localhost` for a loopback address, allowed names.
pub(super) fn hosts(address: SocketAddr, allowed: &[String]) -> Vec<String> {
    let port = address.port();
    let mut hosts = vec![address.to_string()];
    if address.ip().is_loopback() {
        hosts.push(format!("localhost:{port}"));
    }
    // A browser omits HTTP's default port, and a proxy may listen on another port.
    hosts.extend(allowed.iter().flat_map(|host| [host.clone(), format!("{host}:{port}")]));
    hosts
}

/// Names of the cookies of a person and of the owner. They differ by run, because cookies do not distinguish ports and
/// a machine may serve several runs.
pub(super) fn cookies(secret: &Secret) -> [String; 2] {
    let run = secret.fingerprint().short();
    [format!("hardset_person_{run}"), format!("hardset_owner_{run}")]
}

/// The beginning of every link.
pub(super) fn base(address: SocketAddr, allowed: &[String]) -> String {
    match allowed.first() {
        Some(host) if host.contains(':') => format!("http://{host}"),
        Some(host) => format!("http://{host}:{}", address.port()),
        None => format!("http://{address}"),
    }
}

impl Shared {
    /// The token in a person's link and cookie: an id and the tag that proves it.
    pub(super) fn token(&self, name: &str) -> String {
        format!("{}.{}", self.secret.name("person id", name), &self.secret.tag("join", name)[..TAG])
    }

    /// The link of a person.
    pub(super) fn link(&self, name: &str) -> String {
        format!("{}/join/{}", self.base, self.token(name))
    }

    /// The token of the owner.
    pub(super) fn owner_token(&self) -> String {
        self.secret.tag("owner", "")[..TAG].to_owned()
    }

    /// The person to whom a token belongs.
    pub(super) fn person(&self, token: &str) -> Option<String> {
        let (id, tag) = token.split_once('.')?;
        let name = lock(&self.people).get(id)?.clone();
        (tag.len() == TAG && self.secret.verifies("join", &name, tag)).then_some(name)
    }

    /// Whether the token is the owner's.
    pub(super) fn owns(&self, token: &str) -> bool {
        token.len() == TAG && self.secret.verifies("owner", "", token)
    }

    /// An error unless the request names one host, and that is this server.
    ///
    /// With two names, a proxy may have checked the one and a cache may remember the other.
    pub(super) fn is_addressed(&self, request: &Request) -> Result<(), Box<Response>> {
        let no = |status, title, text| Err(Box::new(refused(status, title, text)));
        let mut names = request.headers().get_all(header::HOST).iter();
        let (Some(name), None) = (names.next(), names.next()) else {
            return no(
                StatusCode::BAD_REQUEST,
                "Which address?",
                "A request must have one Host header, not more or less.",
            );
        };
        let knows = |name: &str| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
        // A request line may name a host too: `GET http://name/ HTTP/1.1`.
        let target = request.uri().authority().is_none_or(|authority| knows(authority.as_str()));
        if !target || !name.to_str().is_ok_and(knows) {
            let text = "This server does not answer to that name. Its owner can allow it with --host.";
            return no(StatusCode::MISDIRECTED_REQUEST, "Wrong address", text);
        }
        Ok(())
    }

    /// The person to whose session a request belongs.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<String> {
        self.person(cookie(headers, &self.cookies[0])?)
    }

    /// Whether a request belongs to the owner's session.
    pub(super) fn is_owner(&self, headers: &HeaderMap) -> bool {
        cookie(headers, &self.cookies[1]).is_some_and(|token| self.owns(token))
    }

    pub(super) fn person_cookie(&self, name: &str) -> String {
        format!("{}={}{COOKIE}", self.cookies[0], self.token(name))
    }

    pub(super) fn owner_cookie(&self) -> String {
        format!("{}={}{COOKIE}", self.cookies[1], self.owner_token())
    }

    /// The token that a page of `who` must send with every change.
    pub(super) fn csrf(&self, who: &str) -> String {
        self.secret.tag("csrf", who)[..TAG].to_owned()
    }

    /// Whether an `Origin` or a `Referer` is a page of this server.
    pub(super) fn is_ours(&self, page: &str) -> bool {
        let rest = page.split_once("://").map_or(page, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether a request that changes something comes from a page of this server.
    pub(super) fn comes_from_our_page(&self, headers: &HeaderMap, who: &str, csrf: &str) -> bool {
        let says = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = says("origin").is_none_or(|origin| self.is_ours(origin));
        let site = says("sec-fetch-site").is_none_or(|site| site == "same-origin");
        origin && site && csrf.len() == TAG && self.secret.verifies("csrf", who, csrf)
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}
