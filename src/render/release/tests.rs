//! What the documents must never get wrong: hostile names in every place, what nobody has verified, the same bytes
//! again.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::domain::{ColumnFacts, ColumnKind, Sha256};

/// One name that tries to end every kind of value.
const HOSTILE: &str =
    "</td><b>\"'&|`x`\\ %${{y}}\n---\n# \u{202e}gpj\u{2028}=HYPERLINK(\"../../etc\"),\t- [a](http://b) *c* @d ~~e~~";

fn category(id: &str, name: &str, images: u64) -> CategoryFacts {
    CategoryFacts { id: id.into(), name: name.into(), imagenet_ids: vec![409, 530], list_ids: Vec::new(), images }
}

fn columns(text: &str) -> Vec<ColumnFacts> {
    use ColumnKind::*;
    let kinds = [
        ("image", Image),
        ("label", ClassLabel),
        ("item_id", Text),
        ("prompt", Text),
        ("seed", UInt64),
        ("n_failed", UInt32),
        ("true_rank", Int32),
        ("bytes", Int64),
        ("margin", Float32),
        ("share_yes", Float64),
        ("hard", Bool),
        ("failed_by", TextList),
        ("top5_ids", Int32List),
        ("top5_probs", Float32List),
    ];
    kinds.map(|(name, kind)| ColumnFacts { name: name.into(), kind, description: text.into() }).into()
}

fn surrogate(name: &str) -> SurrogateFacts {
    SurrogateFacts {
        name: name.into(),
        weights_sha256: "ab".repeat(32),
        is_imported: false,
        space: "imagenet-1k".into(),
        classes: 1000,
        licence: Some("apache-2.0".into()),
        accuracy_on_pool: 0.78125,
        accuracy_on_release: f64::NAN,
    }
}

/// A release with `text` wherever a name or a sentence from outside stands; unverified.
fn release(text: &str) -> Release {
    Release {
        name: text.into(),
        version: "1.2.0".into(),
        title: text.into(),
        tool: "hardset 0.1.0".into(),
        license: text.into(),
        homepage: Some(text.into()),
        authors: vec![text.into(), text.into(), "Lee, Ann".into()],
        description: Some(text.into()),
        citation_of: vec![text.into(), text.into()],
        verified: None,
        images: 6,
        pool_items: 12_345,
        hard_items: 8,
        excluded: vec![(text.into(), 2)],
        near_duplicates: text.into(),
        forms: vec![("imagefolder".into(), text.into())],
        rule: "at-least=3".into(),
        label_space: "any-of-ids".into(),
        mining: text.into(),
        source: SourceFacts::Diffusion {
            model: text.into(),
            model_sha256: "cd".repeat(32),
            model_licence: Some(text.into()),
            sampler: text.into(),
            steps: 30,
            guidance: 7.5,
            width_px: 512,
            height_px: 512,
        },
        categories: vec![category("mug", "mug", 3), category(text, text, 2), category("no", "null", 1)],
        kinds: vec![(text.into(), 4), ("texture".into(), 2)],
        surrogates: vec![surrogate(text), surrogate("resnet50")],
        columns: columns(text),
        files: vec![FileFacts {
            path: "data/test-00000-of-00001.parquet".into(),
            bytes: 1_000,
            sha256: "ef".repeat(32),
            rows: 6,
        }],
        recipe_sha256: "01".repeat(32),
        date: Some(text.into()),
        changes: Some(ChangeFacts { base_version: text.into(), added: 1, removed: 2, relabelled: 3 }),
    }
}

/// A verified release of photographs, with names as they usually are.
fn verified() -> Release {
    let question = QuestionFacts {
        text: "Is there a mug in the image?".into(),
        accept_at: 0.5,
        votes: 1_234,
        percent_agreement: Some(0.875),
        alpha: Some(0.61),
        alpha_interval: Some((0.55, 0.67)),
    };
    let people = PeopleFacts {
        judged: 90,
        people: 30,
        assignments: 90,
        set_aside: 1,
        rule: "An image is accepted with present >= 0.5.".into(),
        questions: vec![question],
    };
    Release {
        name: "imagenet-d-small".into(),
        title: "ImageNet-D, small".into(),
        license: "CC-BY-4.0".into(),
        homepage: Some("https://example.org/imagenet_d?x=1&y=%20#top".into()),
        authors: vec!["Lee, Ann".into(), "The Mug and Cup Group".into()],
        description: Some("1. Mugs, photographed. Then more mugs.".into()),
        citation_of: vec!["Zhang et al., ImageNet-D, CVPR 2024".into()],
        verified: Some(people),
        source: SourceFacts::Photographs { folder_name: "photos".into() },
        date: Some("2026-02-28".into()),
        changes: None,
        ..release("plain")
    }
}

/// A release of nothing.
fn empty() -> Release {
    Release {
        authors: vec![],
        categories: vec![],
        kinds: vec![],
        surrogates: vec![],
        columns: vec![],
        files: vec![],
        excluded: vec![],
        citation_of: vec![],
        source: SourceFacts::Fake,
        images: 0,
        pool_items: 0,
        hard_items: 0,
        ..release("")
    }
}

fn parsed(release: &Release) -> Value {
    serde_json::from_slice(&croissant(release)).expect("croissant.json is JSON")
}

/// The lines of the card's metadata, and the rest.
fn front(card: &str) -> (Vec<&str>, &str) {
    let rest = card.strip_prefix("---\n").expect("begins with ---");
    let (front, rest) = rest.split_once("\n---\n").expect("ends with ---");
    (front.lines().collect(), rest)
}

/// What a scalar in double quotes means: as JSON where it is JSON as well.
fn unquoted(line: &str) -> String {
    let (_, scalar) = line.split_once(": \"").expect("a quoted scalar");
    serde_json::from_str(&format!("\"{}", scalar.replace("\\x", "\\u00"))).expect("one scalar on one line")
}

#[test]
fn hostile_names_stay_inside_the_metadata_of_the_card() {
    let card = card(&release(HOSTILE));
    let (lines, _) = front(&card);
    let pretty = lines.iter().find(|line| line.starts_with("pretty_name: ")).expect("has a name");
    assert_eq!(unquoted(pretty), HOSTILE);
    let class = lines.iter().find(|line| line.trim_start().starts_with("'1': ")).expect("has class 1");
    assert_eq!(unquoted(class), HOSTILE);
    assert!(lines.iter().all(|line| !line.chars().any(text::is_invisible)), "{lines:?}");
    assert!(lines.contains(&"license: other"));
    assert!(lines.contains(&"    num_examples: 6"));
}

#[test]
fn hostile_names_are_no_markup_in_the_card() {
    let card = card(&release(HOSTILE));
    let (_, body) = front(&card);
    // What stands between fences is not read as markup; only a fence could end it.
    let body: String = body.split("```").step_by(2).collect();
    for forbidden in
        ["<b>", "</td>", "\u{202e}", "\u{2028}", "[a](http", "http://b", "\n---", "\n# \\[", " *c* ", "~~e~~"]
    {
        assert!(!body.contains(forbidden), "{forbidden:?} in\n{body}");
    }
    for table in body.split("\n\n").filter(|block| block.starts_with("| ")) {
        let cells = |line: &str| line.matches('|').count();
        let first = table.lines().next().map(cells);
        assert!(table.lines().all(|line| Some(cells(line)) == first), "{table}");
    }
}

#[test]
fn hostile_names_come_back_from_croissant() {
    let bytes = croissant(&release(HOSTILE));
    assert!(bytes.is_ascii());
    let document = parsed(&release(HOSTILE));
    assert_eq!(document["name"], HOSTILE);
    assert_eq!(document["recordSet"][0]["data"][1]["categories/name"], HOSTILE);
    assert_eq!(document["recordSet"][1]["field"][1]["references"]["field"]["@id"], "categories/index");
    assert!(document.get("url").is_none() && document.get("datePublished").is_none());
}

#[test]
fn ids_of_croissant_are_never_data() {
    fn ids<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("@id").and_then(Value::as_str));
                map.iter().filter(|(key, _)| *key != "@context").for_each(|(_, value)| ids(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| ids(value, found)),
            _ => {}
        }
    }
    let mut hostile = release(HOSTILE);
    hostile.columns.push(ColumnFacts { name: HOSTILE.into(), kind: ColumnKind::Text, description: String::new() });
    hostile.files[0].path = HOSTILE.into();
    let document = parsed(&hostile);
    let mut found = Vec::new();
    ids(&document, &mut found);
    assert!(found.len() > 20);
    for id in found {
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)), "{id}");
    }
}

#[test]
fn hostile_names_stay_one_scalar_in_the_citation() {
    let text = citation_cff(&release(HOSTILE));
    let title = text.lines().find(|line| line.starts_with("title: ")).expect("has a title");
    assert_eq!(unquoted(title), HOSTILE);
    let known = [
        "cff-version",
        "message",
        "type",
        "title",
        "authors",
        "version",
        "abstract",
        "keywords",
        "identifiers",
        "references",
    ];
    let keys: Vec<&str> =
        text.lines().filter(|line| !line.starts_with(['-', ' '])).filter_map(|line| line.split(':').next()).collect();
    assert_eq!(keys, known, "what the schema would refuse is left out");
    assert_eq!(text.matches("- family-names: ").count(), 2, "one author twice is one author: {text}");
    assert!(text.contains("- family-names: \"Lee\"\n  given-names: \"Ann\"\n"));
}

#[test]
fn bibtex_keeps_its_braces() {
    let entry = bibtex(&release("a } b { c \\ d & e_f % g # h $ i and j"));
    let (mut depth, mut lowest) = (0_i32, i32::MAX);
    for c in entry.trim_end().trim_end_matches('}').chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        lowest = if depth > 0 { lowest.min(depth) } else { lowest };
    }
    assert_eq!(depth, 1, "{entry}");
    assert!(entry.contains("author = {{a  b  c") || entry.contains("author = {{a b c"), "{entry}");
    assert!(entry.contains("unverified hard set"));
}

#[test]
fn an_unverified_hard_set_says_so_first() {
    let release = release("plain");
    let card = card(&release);
    let (lines, body) = front(&card);
    assert!(lines.contains(&"- unverified"));
    let after_heading = body.split("\n\n").nth(1).expect("a paragraph after the heading");
    assert!(after_heading.starts_with("> **Unverified hard set.** No person has looked at these images."), "{body}");
    assert!(card.contains("| Verified by people | **no** |"));
    let document = parsed(&release);
    assert!(document["description"].as_str().is_some_and(|text| text.starts_with("Unverified hard set: no person")));
    assert!(document["rai:dataAnnotationProtocol"].as_str().is_some_and(|text| text.starts_with("Unverified")));
    assert!(citation_cff(&release).contains("message: \"Unverified hard set: no person"));
}

#[test]
fn a_verified_release_says_how_people_agree() {
    let card = card(&verified());
    assert!(!card.contains("nverified"), "{card}");
    assert!(card.contains("> **Verified.** People looked at the images"));
    assert!(card.contains("| yes, by 30 people |"));
    let row = "| Is there a mug in the image? | 50.0\u{a0}% | 1,234 | 87.5\u{a0}% | 0.61 | 0.55 to 0.67 |";
    assert!(card.contains(row), "{card}");
    assert!(card.contains("license: cc-by-4.0\n"));
    assert!(citation_cff(&verified()).contains("license: \"CC-BY-4.0\"\n"));
    assert_eq!(parsed(&verified())["license"], "https://spdx.org/licenses/CC-BY-4.0.html");
    assert_eq!(parsed(&verified())["datePublished"], "2026-02-28");
}

#[test]
fn the_bias_of_the_surrogates_is_the_first_limit() {
    for release in [release("plain"), verified(), empty()] {
        let card = card(&release);
        let (_, limits) = card.split_once("## Known limits\n\n").expect("has limits");
        assert!(limits.starts_with("- **Surrogate bias.**"), "{limits}");
        assert!(parsed(&release)["rai:dataBiases"][0].as_str().is_some_and(|text| text.contains("never targets")));
    }
}

#[test]
fn every_surrogate_stands_in_the_card_with_its_hash() {
    let card = card(&release("plain"));
    assert!(
        card.contains(&format!("| `resnet50` | 78.1\u{a0}% | – | imagenet-1k (1,000) | `{}` |", "ab".repeat(32))),
        "{card}"
    );
}

#[test]
fn a_release_of_nothing_has_documents() {
    assert!(card(&empty()).contains("0 images of 0 categories"));
    assert_eq!(parsed(&empty())["recordSet"].as_array().map(Vec::len), Some(1));
    assert!(citation_cff(&empty()).contains("- name: \"The makers of hardset release\"\n"));
}

#[test]
fn two_categories_of_one_name_go_by_their_ids() {
    assert_eq!(class_names(&[category("a", "crane", 1), category("b", "mug", 1)]), ["crane", "mug"]);
    assert_eq!(class_names(&[category("a", "crane", 1), category("b", "crane", 1)]), ["crane (a)", "crane (b)"]);
    let three = [category("a", "crane", 1), category("b", "crane", 1), category("c", "crane (a)", 1)];
    assert_eq!(class_names(&three), ["a", "b", "c"]);
    assert_eq!(class_names(&[category("a", " ", 1), category("b", "crane", 1)]), ["a", "b"]);
}

#[test]
fn folders_beside_each_other_differ_on_every_file_system() {
    let names = safe_names(["mug", "Mug", "a/b", "../a"].into_iter());
    let mut folded: Vec<String> = names.values().map(|name| name.to_lowercase()).collect();
    folded.sort();
    folded.dedup();
    assert_eq!((folded.len(), names["mug"].contains('/'), names["Mug"].as_str()), (4, false, "Mug"));
    assert!(names["mug"].starts_with("mug-"), "{names:?}");
}

#[test]
fn sums_are_sorted_and_escaped_as_coreutils_does() {
    let files = [("b".into(), "1".into()), ("a \\\n\rb".into(), "2".into()), ("*c ".into(), "3".into())];
    assert_eq!(sha256sums(&files), "3  *c \n\\2  a \\\\\\n\\rb\n1  b\n");
}

#[test]
fn questions_keep_hostile_cells_whole() {
    let row = QuestionRow {
        image_dir: "a/b.png".into(),
        gt_category: HOSTILE.into(),
        top1_pred_cate: "\"".into(),
        top2_pred_cate: "x\r\ny\tz".into(),
    };
    let bytes = questions_csv(std::slice::from_ref(&row));
    assert!(bytes.starts_with(b"image_dir\tgt_category\ttop1_pred_cate\ttop2_pred_cate\na/b.png\t"));
    let mut reader = csv::ReaderBuilder::new().delimiter(b'\t').from_reader(&bytes[..]);
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].iter().collect::<Vec<_>>(), ["a/b.png", HOSTILE, "\"", "x\r\ny\tz"]);
    assert_eq!(read_questions(&bytes), Ok(vec![row]));
}

#[test]
fn lists_of_what_was_left_out_are_read_as_they_were_written() {
    let text = |text: &str| text.to_owned();
    let excluded =
        ExcludedRow { item_id: text("00000001"), category: text(HOSTILE), reason: text("a, b"), detail: text("") };
    assert_eq!(read_excluded(&excluded_csv(std::slice::from_ref(&excluded))), Ok(vec![excluded]));
    let near = NearRow { item_id: 7, like: HOSTILE.into(), distance: 3, excluded: true };
    assert_eq!(read_near(&near_csv(std::slice::from_ref(&near))), Ok(vec![near]));
    let head = "item_id,like,distance_bits,excluded\n";
    for (text, part) in [
        ("", "empty"),
        ("item,like,distance_bits,excluded\n", "its head"),
        ("item_id,like\n", "four cells"),
        (&format!("{head}x,y,1,true\n"), "row 1: \"x\" is no item"),
        (&format!("{head}1,y,1,maybe\n"), "neither true nor false"),
        (&format!("{head}1,y,-1,true\n"), "no distance"),
        (&format!("{head}1,y,1\n"), ""),
    ] {
        let problem = read_near(text.as_bytes()).unwrap_err();
        assert!(problem.contains(part), "{problem}");
    }
    assert!(read_near(b"item_id,like,distance_bits,excluded\n1,\xff,1,true\n").is_err());
}

fn metadata() -> Vec<MetadataRow> {
    let columns = vec![
        ("prompt".into(), json!(HOSTILE)),
        ("file_name".into(), json!("../elsewhere")),
        ("failed_by".into(), json!(["a", "b"])),
        ("margin".into(), json!(-0.25)),
    ];
    vec![MetadataRow { file_name: "background/mug/0.png".into(), columns }]
}

fn metadata_lines() -> Vec<u8> {
    metadata().iter().flat_map(metadata_line).collect()
}

#[test]
fn metadata_is_one_line_for_each_image_with_its_file_first() {
    let text = String::from_utf8(metadata_lines()).unwrap();
    assert!(
        text.starts_with("{\"file_name\":\"background/mug/0.png\",\"prompt\":\"") && text.ends_with("}\n"),
        "{text}"
    );
    assert_eq!(text.matches("file_name").count(), 1);
    assert!(text.is_ascii() && text.lines().count() == 1);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["prompt"], HOSTILE);
}

#[test]
fn labels_give_each_image_its_class() {
    let labels = [("b/2".into(), 1), ("a/1".into(), 0)];
    let value: Value = serde_json::from_slice(&labels_json(&["mug".into(), HOSTILE.into()], &labels)).unwrap();
    assert_eq!(value, json!({ "classes": ["mug", HOSTILE], "labels": { "a/1": 0, "b/2": 1 } }));
}

#[test]
fn safe_names_stay_in_their_folder() {
    for plain in ["mug", "t-shirt_2.png", "A", "..a".trim_start_matches('.'), "n01440764_tench.JPEG"] {
        assert_eq!(safe_name(plain), plain);
    }
    let long = "x".repeat(81);
    let hostile = [
        "", ".", "..", "../etc", ".git", "a/b", "a\\b", "a.", "-rf", "CON", "com1.png", "é", "\u{202e}", &long, HOSTILE,
    ];
    for text in hostile {
        let name = safe_name(text);
        assert!((1..=80).contains(&name.len()), "{name}");
        assert!(!name.starts_with(['.', '-']) && !name.ends_with('.'), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)), "{name}");
        assert_ne!(safe_name(&name), name, "another text must not be able to ask for {name}");
    }
    let names: std::collections::BTreeSet<String> = hostile
        .iter()
        .map(|text| safe_name(text))
        .chain(hostile.iter().map(|text| safe_name(&safe_name(text))))
        .collect();
    assert_eq!(names.len(), 2 * hostile.len());
}

#[test]
fn dates_and_addresses_are_what_they_claim() {
    for date in ["2024-02-29", "2026-12-31"] {
        assert_eq!(text::iso_date(Some(date)), Some(date));
    }
    for date in [
        "2023-02-29",
        "2026-13-01",
        "2026-1-01",
        "26-01-01",
        "2026-01-00",
        "2026-01-01T00:00",
        "0000-01-01",
        "+123-01-01",
    ] {
        assert_eq!(text::iso_date(Some(date)), None, "{date}");
    }
    assert_eq!(text::web_url(Some("https://a.org/x?y=1#z")), Some("https://a.org/x?y=1#z"));
    for url in ["javascript:alert(1)", "https://", "https://a b", "https://a>b", "ftp://a", "https:///x", "https://a)b"]
    {
        assert_eq!(text::web_url(Some(url)), None, "{url}");
    }
}

fn changes() -> Changes {
    Changes {
        title: HOSTILE.into(),
        version: "1.1.0".into(),
        base_version: "1.0.0".into(),
        added: vec!["b".into(), "a".into()],
        removed: vec![HOSTILE.into()],
        relabelled: vec![Relabelled { item: "c".into(), from: "mug".into(), to: HOSTILE.into() }],
    }
}

#[test]
fn changes_are_listed_in_order() {
    let text = changes_md(&changes());
    assert!(
        text.contains("\n2 images added, 1 removed, 1 relabelled.\n\n## Added\n\n- `a`\n- `b`\n\n## Removed\n\n- "),
        "{text}"
    );
    assert!(!text.contains("<b>") && !text.contains("\n---") && !text.contains('\u{202e}'));
    assert!(!changes_md(&Changes::default()).contains("##"));
    let read = |text: &str, to: &str| ChangeLines::read(text, HOSTILE, [&"1.0.0".to_owned(), &to.to_owned()]);
    let lines = read(&text, "1.1.0").unwrap();
    assert_eq!([lines.added.len(), lines.removed.len(), lines.relabelled.len()], [2, 1, 1]);
    assert_eq!(lines.added.iter().filter_map(|line| ChangeLines::hash(line)).collect::<Vec<_>>(), ["a", "b"]);
    assert!(
        ChangeLines::leads_to(&lines.relabelled[0], HOSTILE) && !ChangeLines::leads_to(&lines.relabelled[0], "mug")
    );
    for (from, to) in [("2 images", "3 images"), ("- `a`\n", ""), ("## Added", "## Gone"), ("`1.0.0`", "`0.1.0`")] {
        assert_eq!(read(&text.replace(from, to), "1.1.0"), None, "{from}");
    }
    assert_eq!(read(&text, "1.2.0"), None);
}

#[test]
fn facts_that_croissant_and_citation_lack_are_named() {
    let release = verified();
    let (document, citation) = (croissant(&release), citation_cff(&release));
    assert_eq!(croissant_lacks(&document, &release), Vec::<String>::new());
    assert_eq!(citation_lacks(&citation, &release), Vec::<String>::new());
    let check = |change: fn(&mut Release), parts: [&str; 2]| {
        let mut other = release.clone();
        change(&mut other);
        let lacks = [croissant_lacks(&document, &other).join("; "), citation_lacks(&citation, &other).join("; ")];
        for (lacks, part) in lacks.iter().zip(parts) {
            assert!(lacks.contains(part) && (lacks.is_empty() == part.is_empty()), "{part}: {lacks}");
        }
    };
    check(|release| release.version = "9.9.9".into(), ["/version", "version is not \"9.9.9\""]);
    check(|release| release.title = "another".into(), ["/name", "title is not"]);
    check(|release| release.files[0].sha256 = "ab".repeat(32), ["/distribution/1/sha256", ""]);
    check(|release| release.files[0].bytes += 1, ["/distribution/1/contentSize", ""]);
    check(|release| drop(release.columns.pop()), ["/field", ""]);
    check(|release| release.categories[0].images += 1, ["/data/0/categories", ""]);
    check(|release| release.recipe_sha256 = "ab".repeat(32), ["", "hash of the recipe"]);
    assert!(croissant_lacks(b"{", &release)[0].contains("no JSON"));
}

/// Every document of a release, by name.
fn documents(release: &Release) -> Vec<(&'static str, Vec<u8>)> {
    let classes = class_names(&release.categories);
    let labels: Vec<(String, usize)> =
        classes.iter().zip(0..).map(|(class, label)| (safe_name(class), label)).collect();
    let row = QuestionRow {
        image_dir: "a/b.png".into(),
        gt_category: HOSTILE.into(),
        top1_pred_cate: "x".into(),
        top2_pred_cate: "y\tz".into(),
    };
    vec![
        ("README.md", card(release).into_bytes()),
        ("croissant.json", croissant(release)),
        ("CITATION.cff", citation_cff(release).into_bytes()),
        ("CHANGES.md", changes_md(&changes()).into_bytes()),
        ("questions.csv", questions_csv(&[row])),
        ("labels.json", labels_json(&classes, &labels)),
        ("metadata.jsonl", metadata_lines()),
    ]
}

/// The data file that somebody has put below `folder`, so that the documents say what is there.
fn measured(release: Release, folder: &Path) -> Release {
    let files = release.files.iter().map(|file| match std::fs::read(folder.join(&file.path)) {
        Ok(bytes) => FileFacts { bytes: bytes.len() as u64, sha256: Sha256::of(&bytes).to_string(), ..file.clone() },
        Err(_) => file.clone(),
    });
    Release { files: files.collect(), ..release.clone() }
}

/// Writes the documents for the validators of other people, where `HARDSET_RELEASE_OUT` says: a folder that may hold
/// `hostile`, `verified` and `empty`, each with a `data/test-00000-of-00001.parquet`.
#[test]
fn the_same_release_gives_the_same_bytes() {
    let releases = [("hostile", release(HOSTILE)), ("verified", verified()), ("empty", empty())];
    for (name, release) in releases {
        assert_eq!(documents(&release), documents(&release.clone()));
        let Some(out) = std::env::var_os("HARDSET_RELEASE_OUT") else { continue };
        let folder = Path::new(&out).join(name);
        std::fs::create_dir_all(&folder).expect("HARDSET_RELEASE_OUT can be written");
        let release = measured(release, &folder);
        let mut sums: Vec<(String, String)> =
            release.files.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect();
        for (name, bytes) in documents(&release) {
            std::fs::write(folder.join(name), &bytes).expect("the folder can be written");
            sums.push((name.to_owned(), Sha256::of(&bytes).to_string()));
        }
        std::fs::write(folder.join("SHA256SUMS"), sha256sums(&sums)).expect("the folder can be written");
    }
}
