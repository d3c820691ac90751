//! Who a request is for and where it comes from: `Host` headers, and personal links that other sites open.

use crate::runs::mined;
use crate::server::Server;

#[test]
fn a_request_names_one_host_and_that_is_the_server() {
    let hardset = mined(1, "people_per_batch = 1");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", "ada", "--host", "lab.example"]);
    let own = server.address.clone();
    let port = own.rsplit(':').next().expect("a port");
    let status = |target: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("{host}\r\n")).collect();
        server.raw(&format!("GET {target} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n")).0
    };
    let host = |name: &str| format!("Host: {name}");
    let (ours, named, evil) = (host(&own), host("lab.example"), host("evil.example"));
    for (target, hosts, expected) in [
        ("/", vec![&*ours], 401),
        ("/", vec![&named], 401),
        ("/", vec![&host(&format!("LocalHost:{port}"))], 401),
        ("/", vec![&ours, &ours], 400),
        ("/", vec![&ours, &evil], 400),
        ("/", vec![&evil, &ours], 400),
        ("/", vec![&ours, "hOST: lab.example"], 400),
        ("/", vec![], 400),
        ("/", vec!["Host:"], 421),
        ("/", vec![&evil], 421),
        ("/", vec![&host(&format!("ada@{own}"))], 421),
        ("/", vec![&host(&format!("ada:secret@{own}"))], 421),
        ("/", vec![&host(&format!("{own}, evil.example"))], 421),
        ("/", vec![&host(&format!("{own}.evil.example"))], 421),
        ("/", vec!["Host: \u{e9}"], 421),
        (&format!("http://{own}/"), vec![&ours], 401),
        ("http://evil.example/", vec![&ours], 421),
        (&format!("http://ada@{own}/"), vec![&ours], 421),
    ] {
        assert_eq!(status(target, &hosts), expected, "{target} with {hosts:?}");
    }
    // HTTP/1.0 knows no Host header, but links go to a name.
    assert_eq!(server.raw("GET / HTTP/1.0\r\n\r\n").0, 400);
}

#[test]
fn a_link_that_another_site_opens_changes_nobody_who_is_logged_in() {
    let hardset = mined(1, "people_per_batch = 1");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", "ada,bob"]);
    let (ada, _) = server.join("ada");
    let link = format!("GET {}", server.path(&server.links["bob"]));
    let ask = |headers: &[(&str, &str)]| server.ask(&link, headers, "");
    let own = format!("http://{}/", server.address);
    let mail = "https://mail.example/";
    // Nobody is logged in: a link in a mail works, in every browser.
    for headers in [
        vec![],
        vec![("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document"), ("referer", mail)],
        vec![("referer", mail)],
        vec![("sec-fetch-site", "none")],
    ] {
        let (status, head, _) = ask(&headers);
        assert!(status == 303 && head.contains("set-cookie: hardset_person"), "{headers:?}: {head}");
    }
    // Ada is logged in: she is asked, whatever the other site makes her browser say.
    let cookie = ("cookie", ada.as_str());
    for headers in [
        vec![("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")],
        vec![("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "none"), ("referer", mail)],
        vec![("sec-fetch-site", "same-origin"), ("origin", "null")],
        vec![("referer", mail)],
        vec![("referer", "https://evil.example/?http://127.0.0.1")],
        vec![],
    ] {
        let headers: Vec<_> = headers.into_iter().chain([cookie]).collect();
        let (status, head, page) = ask(&headers);
        let page = String::from_utf8_lossy(&page);
        assert!(status == 200 && !head.contains("set-cookie"), "{headers:?}: {head}");
        assert!(page.contains("Who are you?") && page.contains("ada") && page.contains("bob"), "{page}");
    }
    // A picture or a frame of another page starts no session at all.
    for what in ["image", "iframe", "empty"] {
        let (status, head, _) = ask(&[("sec-fetch-site", "cross-site"), ("sec-fetch-dest", what)]);
        assert!(status == 403 && !head.contains("set-cookie"), "{what}: {head}");
    }
    // She typed the address, or followed a link of this server: then she meant it.
    for headers in [vec![("sec-fetch-site", "none")], vec![("sec-fetch-site", "same-origin"), ("referer", &own)]] {
        let headers: Vec<_> = headers.into_iter().chain([cookie]).collect();
        let (status, head, _) = ask(&headers);
        assert!(status == 303 && head.contains("set-cookie: hardset_person"), "{headers:?}: {head}");
    }
    // Her own link changes nothing and asks nothing.
    let link = format!("GET {}", server.path(&server.links["ada"]));
    let (status, head, _) = server.ask(&link, &[("sec-fetch-site", "cross-site"), cookie], "");
    assert!(status == 303 && !head.contains("set-cookie"), "{head}");
}

#[test]
fn the_page_that_asks_changes_the_person_and_no_other_page_can() {
    let hardset = mined(1, "people_per_batch = 1");
    let server = Server::start(&hardset, &hardset.path("run"), &["--people", "ada,bob"]);
    let (ada, _) = server.join("ada");
    let link = server.path(&server.links["bob"]);
    let token = link.rsplit('/').next().expect("a token");
    let page = server.ask(&format!("GET {link}"), &[("sec-fetch-site", "cross-site"), ("cookie", &ada)], "").2;
    let page = String::from_utf8_lossy(&page).into_owned();
    let csrf = page.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split('"').next()).expect("a token");
    assert!(page.contains(&format!("name=\"token\" value=\"{token}\"")), "{page}");
    let own = format!("http://{}", server.address);
    let form = |cookie: &str, csrf: &str, site: &str, origin: &str| {
        let kind = "application/x-www-form-urlencoded";
        let headers = [("cookie", cookie), ("content-type", kind), ("sec-fetch-site", site), ("origin", origin)];
        let (status, head, _) = server.ask("POST /join", &headers, &format!("token={token}&csrf={csrf}"));
        (status, head.contains("set-cookie: hardset_person"))
    };
    assert_eq!(form(&ada, "0", "same-origin", &own), (403, false));
    assert_eq!(form(&ada, csrf, "cross-site", &own), (403, false));
    assert_eq!(form(&ada, csrf, "same-origin", "https://evil.example"), (403, false));
    assert_eq!(form("", csrf, "same-origin", &own), (403, false));
    assert_eq!(form(&ada, csrf, "same-origin", &own), (303, true));
}
