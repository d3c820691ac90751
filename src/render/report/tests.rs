//! What the page must never get wrong: escaping, completeness, determinism, silence towards the network.

use super::*;

const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>../../\u{202e}gpj\u{2028}&amp;";

fn interval(value: f64) -> Interval {
    Interval { value, low: value - 0.05, high: value + 0.05 }
}

fn card(id: &str, n_failed: u32, suspect_label: bool, text: &str) -> Card {
    let prediction = |n: u32| ModelPrediction {
        surrogate: format!("net-{n} {text}"),
        predicted: format!("eel {text}"),
        prob: 0.8,
        true_prob: 0.1 / n_failed as f32,
        true_rank: 4,
        correct: n >= n_failed,
    };
    Card {
        item_id: id.into(),
        file: format!("photos/{id}.jpg {text}"),
        made_from: Some(MadeFrom {
            kind: format!("background {text}"),
            value: text.into(),
            prompt: format!("A photo {text}"),
        }),
        label: format!("tench {text}"),
        category: format!("fish {text}"),
        thumbnail_jpeg: vec![0xff, 0xd8, 0xff],
        width_px: 500,
        height_px: 375,
        predictions: (0..3).map(prediction).collect(),
        targets: vec![prediction(4)],
        n_failed,
        agreed_wrong: Some((format!("eel {text}"), 2)),
        near_tie: true,
        suspect_label,
    }
}

/// A report with one of everything, `text` in every string.
fn report(text: &str) -> Report {
    let surrogate = SurrogateRow {
        name: text.into(),
        weights_sha256: format!("{:064x}", 0xabcdef),
        space: "imagenet-1k (1,000)".into(),
        accuracy: interval(0.9),
        items: 4321,
        correct: 3889,
        correct_on_hard: 1,
        hard_items: 2,
        runtime: text.into(),
    };
    let loo = LeaveOneOut {
        left_out: text.into(),
        mined_by_others: 7,
        accuracy_on_them: None,
        accuracy_on_pool: interval(0.9),
    };
    let confusion = Confusion { label: text.into(), predicted: text.into(), items: 2, surrogates: vec![text.into()] };
    let nuisance = |value: Option<&str>| NuisanceRow {
        kind: text.into(),
        value: value.map(str::to_owned),
        items: 9,
        hard: 2,
        accuracy: interval(0.5),
    };
    let target = TargetRow {
        name: text.into(),
        weights_sha256: "ab".repeat(32),
        space: "imagenet-1k (1,000)".into(),
        on_pool: interval(0.9),
        items: 4321,
        on_hard: Some(interval(0.5)),
        hard_items: 2,
        runtime: text.into(),
    };
    Report {
        targets: vec![target],
        nuisances: vec![nuisance(None), nuisance(Some(text)), nuisance(Some("other"))],
        people: None,
        title: text.into(),
        facts: vec![(text.into(), text.into())],
        warnings: vec![text.into()],
        pool_items: 4321,
        hard_items: 2,
        dropped_items: 1,
        near_ties: 2,
        surrogates: vec![surrogate],
        failures_histogram: vec![4000, 300, 19, 2],
        hard_from_failures: Some(3),
        agreement: Agreement {
            names: vec![text.into(); 2],
            kappa: vec![vec![None, Some(-0.25)], vec![Some(-0.25), None]],
            both_wrong_same_class: vec![vec![None, Some(0.4)], vec![Some(0.4), None]],
        },
        leave_one_out: vec![loo],
        confusions: vec![confusion],
        categories: vec![CategoryRow { name: text.into(), items: 9, hard: 2 }],
        dropped: vec![DroppedItem { what: text.into(), stage: text.into(), reason: text.into() }],
        cards: vec![card("item-a", 2, false, text), card("item-b", 3, true, text)],
        cards_left_out: 5,
    }
}

fn html(report: &Report) -> String {
    String::from_utf8(render(report)).expect("the page is UTF-8")
}

/// The page without its own style and script: what the data made.
fn markup(report: &Report) -> String {
    let page = html(report);
    let page = page.replace(include_str!("../parts/style.css"), "").replace(include_str!("script.js"), "");
    assert!(!page.contains("beforeprint"), "the script was not found in the page as written");
    page
}

#[test]
fn hostile_text_is_escaped_everywhere() {
    let page = markup(&report(HOSTILE));
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own script");
    assert_eq!(page.matches("</script>").count(), 1);
    assert!(!page.contains("<img src=x"));
    assert!(!page.contains("\"'>"), "a quote from the data closes an attribute");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;"));
}

#[test]
fn hostile_text_is_isolated_from_the_direction_around_it() {
    let page = markup(&report("\u{202e}gpj"));
    let marks: Vec<&str> = page.match_indices('\u{202e}').map(|(at, _)| &page[..at]).collect();
    assert!(marks.len() >= 20, "only {} hostile texts in the page", marks.len());
    for before in marks {
        let in_attribute = before.rfind('<') > before.rfind('>');
        let in_bdi = before.rfind("<bdi>") > before.rfind("</bdi>");
        let in_title = before.rfind("<title>") > before.rfind("</title>");
        // An option holds text alone; `dir` isolates it.
        let in_option = before.rfind(" dir=\"auto\">") > before.rfind("</option>");
        assert!(in_attribute || in_bdi || in_title || in_option, "…{}", &before[before.len() - 80..]);
    }
}

#[test]
fn markup_uses_nothing_that_its_policy_forbids() {
    let page = markup(&report("plain"));
    assert!(page.contains("default-src 'none'; img-src data:;"));
    for forbidden in [" style=", " onclick=", " onerror=", "javascript:", "unsafe-inline"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(!include_str!("script.js").contains("</script"));
    assert!(!include_str!("../parts/style.css").contains("</style"));
}

#[test]
fn the_page_refers_to_nothing_outside_itself() {
    let page = html(&report("https://example.org/x"));
    for attribute in ["src=\"", "href=\""] {
        for (at, _) in page.match_indices(attribute) {
            let value = &page[at + attribute.len()..];
            assert!(value.starts_with("data:") || value.starts_with('#'), "{}", &value[..30]);
        }
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
}

#[test]
fn an_empty_report_is_a_page_that_says_so() {
    let page = markup(&Report::default());
    assert!(page.contains("No image is hard under this rule"));
    assert!(page.contains("This run has no images yet") && page.contains("Untitled run"));
    assert!(page.ends_with("</html>"));
}

#[test]
fn every_section_figure_and_card_is_there() {
    let page = markup(&report("plain"));
    for anchor in [
        "accuracy",
        "targets",
        "failures",
        "agreement",
        "leave-one-out",
        "confusions",
        "categories",
        "nuisances",
        "gallery",
        "dropped",
    ] {
        assert!(page.contains(&format!("<section id=\"{anchor}\"")), "{anchor}");
    }
    assert_eq!(page.matches("<li class=\"card\"").count(), 2);
    assert_eq!(page.matches("<svg class=\"bar\"").count(), 12, "four predictions twice, one category, three nuisances");
    assert_eq!(page.matches("<svg class=\"histogram\"").count(), 1);
    assert_eq!(page.matches("<svg class=\"strip\"").count(), 6);
    assert_eq!(page.matches("data:image/jpeg;base64,/9j/").count(), 4, "two cards, and both in the strip");
    assert!(page.contains("2 of 4,321 images") && page.contains("5 further hard images"));
}

#[test]
fn suspect_labels_stand_apart_and_most_failures_come_first() {
    let mut report = report("plain");
    report.cards.push(card("item-c", 3, false, "plain"));
    let page = markup(&report);
    let at = |what: &str| page.find(what).expect(what);
    assert!(at("photos/<wbr>item-<wbr>c") < at("photos/<wbr>item-<wbr>a"), "three failures before two");
    assert!(at("photos/<wbr>item-<wbr>a") < at("id=\"agree\""));
    assert!(at("id=\"agree\"") < at("photos/<wbr>item-<wbr>b"));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let mut shuffled = report("plain");
    shuffled.cards.reverse();
    assert_eq!(render(&report("plain")), render(&report("plain")));
    assert_eq!(render(&report("plain")), render(&shuffled), "cards are ordered here");
}

#[test]
fn numbers_that_are_not_finite_are_dashes() {
    let mut report = report("plain");
    report.surrogates[0].accuracy = Interval { value: f64::NAN, low: f64::NAN, high: f64::NAN };
    report.cards[0].predictions[0].prob = f32::NAN;
    report.agreement.kappa[0][1] = Some(f64::NAN);
    assert!(!markup(&report).contains("NaN"));
}

#[test]
fn fragments_are_percent_encoded() {
    assert_eq!(super::super::parts::text::fragment_value("café au=lait"), "caf%C3%A9%20au%3Dlait");
}
