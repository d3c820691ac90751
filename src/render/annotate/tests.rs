//! What the pages must never get wrong: escaping, silence towards the network, the sheet's format, what is not said.

use std::collections::BTreeMap;

use super::*;
use crate::domain::Sha256;
use crate::imaging::{RgbImage, encode_jpeg};
use base64::{Engine, engine::general_purpose::STANDARD};

const HOSTILE: &str = "</script><b>\"'&<!--<script>\u{202e}gpj\u{2028}";

fn question(id: &str, text: &str) -> SheetQuestion {
    SheetQuestion { id: id.into(), text: text.into() }
}

fn task(name: &str, category: &str) -> SheetTask {
    SheetTask {
        task: name.into(),
        image: "data:image/jpeg;base64,".into(),
        category: category.into(),
        gloss: Some(format!("what a {category} is")),
        answers: BTreeMap::from([("present".into(), "not_sure".into())]),
    }
}

fn sheet(category: &str) -> Sheet {
    Sheet {
        batch: "b-001".into(),
        person: None,
        questions: vec![question("present", "Is there a {category} in the image?"), question("clear", "Is it clear?")],
        tasks: vec![task("t1", category), task("t2", "tench")],
    }
}

fn owner(text: &str) -> Owner {
    let person =
        OwnerPerson { name: text.into(), answers: 3, sheets_done: 1, last_seen: text.into(), link: text.into() };
    Owner {
        title: text.into(),
        sheets: vec![OwnerSheet { batch: text.into(), people_wanted: 3, people_done: 1, people_working: 1 }],
        people: vec![person],
        agreement: vec![(text.into(), Some(0.875)), (text.into(), None), (text.into(), Some(f64::NAN))],
        answers: 40,
        answers_wanted: 120,
        csrf: text.into(),
    }
}

fn html(sheet: &Sheet) -> String {
    String::from_utf8(sheet_page(sheet)).expect("the page is UTF-8")
}

/// What stands between the first `from` and the next `to` after it.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).expect(from);
    rest.split_once(to).expect(to).0
}

/// A photograph-like picture of its own for each `number`: a gradient with a disc.
fn picture(number: u32) -> String {
    let (width, height) = if number.is_multiple_of(2) { (512, 384) } else { (400, 600) };
    let (x0, y0) = (60 + 27 * number, 80 + 19 * number);
    let pixel = |x: u32, y: u32| {
        let is_disc = x.abs_diff(x0).pow(2) + y.abs_diff(y0).pow(2) < 2500;
        if is_disc { [230, 90, 20 * number as u8] } else { [(x / 3) as u8, (y / 3) as u8, 120] }
    };
    let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
    let image = RgbImage::new(width, height, pixels).expect("the size fits");
    let jpeg = encode_jpeg(&image, 85).expect("it can be encoded");
    format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))
}

/// Twelve images and two questions, hostile and long names among them: what the browser tests work on.
fn browser_sheet() -> Sheet {
    let categories = ["tench", "Crane (bird)", "</script><b>\"'&", "bow tie, bow-tie, bowtie", "Weißstorch", "axolotl"];
    let tasks = (0..12).map(|n| SheetTask {
        image: picture(n),
        answers: BTreeMap::new(),
        gloss: (n != 3).then(|| "freshwater game fish of Europe and western Asia, dark green, with thick skin".into()),
        ..task(&format!("t{n:02}"), categories[n as usize % categories.len()])
    });
    let questions = vec![
        question("present", "Is there a {category} in the image?"),
        question("clear", "Can everybody recognise it at once?"),
    ];
    Sheet { questions, tasks: tasks.collect(), ..sheet("tench") }
}

#[test]
fn the_sheets_json_is_the_agreed_one() {
    let found = serde_json::to_string(&Sheet { tasks: vec![task("t1", "tench")], ..sheet("") }).expect("it is strings");
    let expected = concat!(
        r#"{"format":"hardset-sheet-1","batch":"b-001","person":null,"questions":["#,
        r#"{"id":"present","text":"Is there a {category} in the image?"},{"id":"clear","text":"Is it clear?"}],"#,
        r#""tasks":[{"task":"t1","image":"data:image/jpeg;base64,","category":"tench","gloss":"what a tench is","#,
        r#""answers":{"present":"not_sure"}}]}"#,
    );
    assert_eq!(found, expected);
}

#[test]
fn names_cannot_leave_the_data() {
    let page = html(&sheet(HOSTILE));
    let json = between(&page, r#"<script id="sheet-data" type="application/json">"#, "</script>");
    let back: serde_json::Value = serde_json::from_str(json).expect("the data are JSON to their end");
    assert_eq!(back["tasks"][0]["category"], HOSTILE);
    assert_eq!(back["tasks"][1]["task"], "t2");
    assert!(!json.contains('<') && !page.contains("<b>\"'"));
    assert_eq!(page.matches("</script>").count(), 2);
}

#[test]
fn the_policy_of_the_page_names_what_the_page_carries() {
    let page = html(&sheet("tench"));
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let text = between(&page, &format!("<{tag}>"), &format!("</{tag}>"));
        let digest = STANDARD.encode(Sha256::of(text.as_bytes()).bytes());
        assert!(
            page.contains(&format!("{directive} &#39;sha256-{digest}&#39;"))
                || page.contains(&format!("{directive} 'sha256-{digest}'")),
            "{tag}"
        );
    }
    assert!(page.contains("default-src 'none'; img-src data:;"));
}

#[test]
fn the_page_of_a_server_has_nothing_inline() {
    for page in [app_page("token"), owner_page(&owner("x")), message_page("x", "y")] {
        assert!(!page.contains("<style") && !page.contains("style=\"") && !page.contains(" onclick"), "{page}");
        assert!(!page.contains("http-equiv") && page.contains(r#"<link rel="stylesheet" href="/style.css">"#));
    }
    let page = app_page("a\"b<c");
    assert!(page.contains(r#"<meta name="csrf" content="a&quot;b&lt;c">"#), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains(r#"<script src="/app.js" defer></script>"#));
}

#[test]
fn every_part_that_the_script_asks_for_is_in_both_pages() {
    let script = script();
    let ids = script.split("byId(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(id, _)| id);
    let (disk, server) = (html(&sheet("tench")), app_page("token"));
    let only_on_disk = ["sheet-data", "person", "name-form"];
    for id in ids {
        let attribute = format!("id=\"{id}\"");
        assert!(disk.contains(&attribute), "{id} is missing from the page on disk");
        assert!(only_on_disk.contains(&id) || server.contains(&attribute), "{id} is missing from the server's page");
    }
}

#[test]
fn the_owners_page_escapes_and_shows_every_figure() {
    let page = owner_page(&owner(HOSTILE));
    assert!(!page.contains("<b>\"") && !page.contains("<script") && !page.contains("</script"), "{page}");
    let page = owner_page(&owner("Ann"));
    for wanted in ["87.5\u{a0}%", ">–<", r#"value="40" max="120""#, "under way", r#"action="/owner/people""#] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(page.contains(r#"<input type="hidden" name="csrf" value="Ann">"#));
}

#[test]
fn an_empty_overview_and_an_empty_message_are_pages_too() {
    assert!(owner_page(&Owner::default()).contains("Nobody is invited yet."));
    assert!(message_page("", HOSTILE).contains("&lt;/script&gt;&lt;b&gt;"));
}

#[test]
fn nothing_hints_at_what_an_image_is_for() {
    let pages = [html(&sheet("tench")), app_page("token"), script(), style()];
    for word in ["control", "sentinel", "honeypot", "gold", "decoy", "surrogate", "expected", "candidate", "generated"]
    {
        for page in &pages {
            assert!(!page.to_lowercase().contains(word), "{word}");
        }
    }
}

#[test]
fn script_and_style_have_plain_line_ends_and_stay_inside_their_elements() {
    for text in [script(), style()] {
        assert!(!text.contains('\r') && !text.contains("</") && !text.contains("<!--") && !text.contains("://"));
    }
}

/// Writes the sheet for `tests/annotation_page.mjs`, and the server's pages beside it, where `HARDSET_SHEET_OUT` says.
#[test]
fn the_same_sheet_gives_the_same_bytes() {
    let sheet = browser_sheet();
    let page = sheet_page(&sheet);
    assert_eq!(page, sheet_page(&sheet));
    if let Some(path) = std::env::var_os("HARDSET_SHEET_OUT") {
        let path = std::path::PathBuf::from(path);
        let beside = |name: &str| path.with_file_name(name);
        std::fs::write(&path, page).expect("HARDSET_SHEET_OUT can be written");
        let files = [
            ("app.html", app_page("test-token")),
            ("owner.html", owner_page(&owner("Ann <1>"))),
            ("app.js", script()),
            ("style.css", style()),
        ];
        for (name, text) in files {
            std::fs::write(beside(name), text).expect("its folder can be written");
        }
        std::fs::write(beside("message.html"), message_page("This link is not valid", "Ask for a new one."))
            .expect("its folder can be written");
    }
}
