//! What people's folders hold: pictures that break decoders, files that are no pictures, and labels in folders' names,
//! files' names and tables that spreadsheets have saved. Each costs itself alone, and is said where people look.
//!
//! Needs no data: all pictures are written here. Pixels are held against Pillow in `imaging_parity`.

mod common;

use std::fs;

use common::{Hardset, Run, strings, table};
use hardset::imaging::{DecodeLimits, RgbImage, decode, encode_jpeg, encode_png};
use polars::prelude::DataFrame;

/// Names of files with their contents.
type Files = Vec<(String, Vec<u8>)>;

/// A program whose folder `photos` has these files, and a recipe `m.toml` that reads it.
fn with_photos(labels: &str, files: &Files) -> Hardset {
    let hardset = Hardset::new();
    for (name, content) in files {
        hardset.write(&format!("photos/{name}"), content);
    }
    let generate = format!("source = \"folder\"\nroot = \"photos\"\nlabels = \"{labels}\"");
    let generate = if labels == "csv" { format!("{generate}\nlabels_csv = \"labels.csv\"") } else { generate };
    let mine = "surrogates = [\"fake-a\"]\nrule = \"all\"\nmax_true_prob = 1.0";
    let name = "name = \"m\"\ncategories = \"imagenet-1k\"";
    hardset.write("m.toml", format!("{name}\n\n[generate]\n{generate}\n\n[mine]\n{mine}\n"));
    hardset
}

/// A picture of one colour, which differs for each `seed`.
fn picture(seed: usize) -> RgbImage {
    let pixels =
        (0..20 * 16).flat_map(|at| [(at * (seed + 3)) as u8, (at / 7 + 31 * seed) as u8, seed as u8]).collect();
    RgbImage::new(20, 16, pixels).expect("the size is a size")
}

fn good(seed: usize) -> Vec<u8> {
    encode_png(&picture(seed), &[]).expect("it can be written")
}

/// Files of these names with good pictures.
fn named(names: &[&str]) -> Files {
    names.iter().enumerate().map(|(seed, name)| ((*name).to_owned(), good(seed))).collect()
}

/// A PNG of one row; `chunks` come between header and data, `row` begins with its filter.
fn png(width_px: u32, depth: u8, colour: u8, chunks: &[(&[u8; 4], Vec<u8>)], row: &[u8]) -> Vec<u8> {
    let header = [&width_px.to_be_bytes()[..], &1u32.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    let (length, mut a, mut b) = (row.len() as u16, 1u32, 0u32);
    for byte in row {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    // One stored block.
    let data = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), row, &(b << 16 | a).to_be_bytes()];
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let all = [(b"IHDR", header)].into_iter().chain(chunks.iter().cloned());
    for (kind, data) in all.chain([(b"IDAT", data.concat()), (b"IEND", Vec::new())]) {
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(&data);
        file.extend(crc(&[&kind[..], &data].concat()).to_be_bytes());
    }
    file
}

fn crc(bytes: &[u8]) -> u32 {
    let shift = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift))
}

/// A JPEG in which the scan comes `more` times again.
fn scanned_again(more: usize) -> Vec<u8> {
    let jpeg = encode_jpeg(&picture(1), 80).expect("it can be written");
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).expect("it has a scan");
    let (head, scan) = jpeg[..jpeg.len() - 2].split_at(scan);
    [head, &scan.repeat(1 + more), &[0xff, 0xd9]].concat()
}

/// Pictures on which a decoder breaks down, or would work for hours, with a part of the reason for each.
fn broken() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let palette = |bytes: usize| png(1, 8, 3, &[(b"PLTE", vec![7; bytes])], &[0, 0]);
    let mut cut_frame =
        b"RIFF\x3a\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x0f\0\0\x0f\0\0ANIM\x06\0\0\0\0\0\0\0\0\0".to_vec();
    cut_frame.extend(b"ANMF\x10\0\0\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0\0\0\0\0");
    let mut huge = b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    huge.extend([0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 1, 0, 24, 0]);
    huge.extend([0; 24]);
    vec![
        ("palette-1.png", palette(1), "its palette has 1 bytes"),
        ("palette-4.png", palette(4), "its palette has 4 bytes"),
        ("palette-766.png", palette(766), "its palette has 766 bytes"),
        ("palette-771.png", palette(771), "its palette has 771 bytes"),
        ("wide.png", png(u32::MAX, 16, 6, &[], &[0]), "the header says 4294967295 x 1 px"),
        ("scans.jpg", scanned_again(600), "more than 500 scans"),
        ("frame.webp", cut_frame, "WebP data"),
        ("huge.bmp", huge, "BMP data is broken"),
    ]
}

/// Reasons of dropped files, by their paths.
fn dropped(hardset: &Hardset) -> Vec<(String, String)> {
    let table: DataFrame = table(&hardset.path("run/dropped.parquet"));
    strings(&table, "source").into_iter().zip(strings(&table, "reason")).collect()
}

fn label_ids(hardset: &Hardset) -> Vec<(String, i32)> {
    let table = table(&hardset.path("run/plan.parquet"));
    let lists = table.column("label_ids").and_then(|column| column.list()).expect("it has labels").clone();
    let first = |at| lists.get_as_series(at).and_then(|list| list.i32().ok()?.get(0)).expect("each has one");
    let ids: Vec<i32> = (0..table.height()).map(first).collect();
    strings(&table, "source").into_iter().zip(ids).collect()
}

#[test]
fn a_broken_picture_costs_itself_alone_wherever_it_lies() {
    let mut files = named(&["n01440764_a.png", "n01440764_m.png", "n01440764_z.png"]);
    let broken = broken();
    files.extend(broken.iter().map(|(name, bytes, _)| (format!("n01440764_{name}"), bytes.clone())));
    files.extend(named(&["1.tif", "2.tif"]));
    let hardset = with_photos("wordnet-id", &files);
    hardset.line("build m.toml --run-dir run --set release.near_duplicates=keep").expect(3);
    let dropped = dropped(&hardset);
    for (name, _, part) in &broken {
        let reason = dropped.iter().find(|(source, _)| source.ends_with(name)).map(|(_, reason)| reason.as_str());
        assert!(reason.is_some_and(|reason| reason.contains(part)), "{name}: {reason:?}");
    }
    assert_eq!(dropped.len(), broken.len());
    let scored = table(&hardset.path("run/predictions/fake-a/000/000000.parquet"));
    assert_eq!(scored.height(), 3);
    let released = hardset.line("release run --out out --against photos");
    assert_ne!(released.code, Some(1), "{}", released.stderr);
    assert!(released.stderr.contains("8 image(s) cannot be read and were not compared: "), "{}", released.stderr);
    assert!(released.stderr.contains("photos: 2 files were passed over: .tif 2"), "{}", released.stderr);
}

#[test]
fn a_broken_picture_among_the_known_ones_costs_itself_alone() {
    let mut files = named(&["n01440764_a.png", "n01440764_b.png"]);
    files.extend((2..40).map(|at| (format!("n01440764_{at}.png"), good(at))));
    let hardset = with_photos("wordnet-id", &files);
    for (name, bytes, _) in broken() {
        hardset.write(&format!("known/n01440764/{name}"), bytes);
    }
    (0..30).for_each(|at| drop(hardset.write(&format!("known/n01440764/good-{at}.png"), good(100 + at))));
    let known = format!("annotate.sentinels.known_good={}", hardset.path("known").display());
    let run = hardset.run(&["build", "m.toml", "--run-dir", "run", "--set", &known]);
    assert!(matches!(run.code, Some(0 | 3)) && !run.stderr.contains("panicked"), "{run:?}");
}

#[test]
fn a_transparent_level_changes_no_pixel_of_sixteen_bit_grey() {
    let row = [0, 0, 5, 0, 200, 1, 4, 0x12, 0x35];
    let read = |chunks: &[_]| decode(&png(4, 16, 0, chunks, &row), &DecodeLimits::default()).expect("it is a picture");
    let expected = [5, 200, 255, 255].map(|level| [level; 3]).concat();
    for transparent in [&[0, 5][..], &[0x12, 0x35], &[0xff, 0xff]] {
        assert_eq!(read(&[(b"tRNS", transparent.to_vec())]).pixels(), expected);
    }
    assert_eq!(read(&[]).pixels(), expected);
}

#[test]
fn files_that_are_no_pictures_are_counted_wherever_people_look() {
    let taken =
        ["a.jfif", "b.jpe", "c.JPE", "d.apng", "e.dib", "f.BMP", "g.jpg"].map(|name| format!("n01440764_{name}"));
    let mut files = named(&taken.each_ref().map(String::as_str));
    let others =
        ["1.tif", "2.TIF", "x/3.tif", "4.heic", "5.HEIC", "n01440764", "Thumbs.db", ".hidden.tif", ".DS_Store"];
    files.extend(named(&others));
    let hardset = with_photos("wordnet-id", &files);
    let words = "7 files were passed over: .tif 3, .heic 2, none 1, of the system 1";
    let counted = |run: &Run| run.json()["passed_over"].to_string();
    let object = "{\".heic\":2,\".tif\":3,\"none\":1,\"of the system\":1}";
    let asked = hardset.line("plan m.toml --dry-run --format json").ok();
    assert_eq!((asked.stderr.contains(words), counted(&asked).as_str()), (true, object), "{}", asked.stderr);
    let built = hardset.line("build m.toml --run-dir run --format json").ok();
    assert_eq!((built.stderr.contains(words), counted(&built).as_str()), (true, object), "{}", built.stderr);
    assert_eq!(label_ids(&hardset).len(), taken.len());
    assert_eq!(counted(&hardset.line("status run --format json").ok()), object);
    let short = "7 files: .tif 3, .heic 2, none 1, of the system 1";
    assert!(hardset.line("status run").ok().stdout.contains(short));
    let page = fs::read_to_string(hardset.path("run/report/index.html")).expect("there is a page");
    assert!(page.contains(short));
    assert!(hardset.line("plan m.toml --run-dir run").ok().stdout.contains(words));
}

#[test]
fn a_folder_of_other_files_alone_says_which_they_are() {
    let hardset = with_photos("wordnet-id", &named(&["1.tif", "2.tif", "3.avif"]));
    hardset.line("plan m.toml --run-dir run").refused(2, &["3 files were passed over: .tif 2, .avif 1", "jfif"]);
}

#[test]
fn folders_by_class_index_are_read_as_numbers_and_only_where_the_recipe_says_so() {
    let names = ["0/a.png", "1/a.png", "10/a.png", "2/a.png", "0999/a.png", "007/a.png"];
    let hardset = with_photos("class-index", &named(&names));
    hardset.line("plan m.toml --run-dir run").ok();
    let expected =
        [("0/a.png", 0), ("007/a.png", 7), ("0999/a.png", 999), ("1/a.png", 1), ("10/a.png", 10), ("2/a.png", 2)];
    assert_eq!(label_ids(&hardset), expected.map(|(path, id)| (path.to_owned(), id)));
    let hardset = with_photos("parent-folder", &named(&names));
    hardset.line("plan m.toml --run-dir run").refused(2, &["`0`", "labels = \"class-index\""]);
    let hardset = with_photos("class-index", &named(&["1/a.png", "999/a.png", "1000/a.png"]));
    hardset.line("plan m.toml --run-dir run").refused(2, &["`1000/a.png`", "0 to 999", "count from 1"]);
    let hardset = with_photos("class-index", &named(&["1/a.png", "1001/a.png", "tench/a.png", "a.png"]));
    hardset.line("build m.toml --run-dir run").expect(3);
    let dropped = dropped(&hardset);
    let all_named =
        dropped.iter().all(|(_, reason)| reason.contains("no class index") || reason.contains("root itself"));
    assert!(dropped.len() == 3 && all_named, "{dropped:?}");
}

#[test]
fn a_wordnet_id_anywhere_in_a_name_is_the_label_and_two_are_that_files_error() {
    let names =
        ["ILSVRC2012_val_00000001_n01440764.JPEG", "n01443537_2.png", "val (n01484850).png", "n01440764-n01440764.png"];
    let mut files = named(&names);
    files.extend(named(&["n01440764_n01443537.png", "in01440764.png", "n014407641.png"]));
    let hardset = with_photos("wordnet-id", &files);
    hardset.line("build m.toml --run-dir run").expect(3);
    let ids: Vec<i32> = label_ids(&hardset).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [0, 0, 1, 2]);
    let dropped = dropped(&hardset);
    let both = dropped.iter().find(|(source, _)| source.starts_with("n01440764_n")).map(|(_, reason)| reason.as_str());
    assert!(both.is_some_and(|reason| reason.contains("n01440764 and n01443537")), "{dropped:?}");
    assert_eq!(dropped.len(), 3);
}

/// Plans with this CSV, for the files `a/1.png` and `b/é.png` (its accent apart, as a Mac writes it).
fn planned_with(csv: &[u8]) -> (Hardset, Run) {
    let hardset = with_photos("csv", &named(&["a/1.png", "b/e\u{301}.png"]));
    hardset.write("labels.csv", csv);
    let run = hardset.line("plan m.toml --run-dir run");
    (hardset, run)
}

#[test]
fn a_table_of_labels_is_read_however_it_was_saved() {
    let rows = |delimiter: &str| {
        ["path,label", "a\\1.png, n01440764", "./b/é.png ,n01443537"].join("\r\n").replace(',', delimiter)
    };
    let wide =
        |text: &str| [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let saved = [
        rows(",").into_bytes(),
        rows(";").into_bytes(),
        rows("\t").into_bytes(),
        format!("\u{feff}{}", rows(";")).into_bytes(),
        format!("sep=;\r\n{}", rows(";")).into_bytes(),
        wide(&rows("\t")),
        wide(&rows(";")),
        rows(",")
            .replace("path,label", "Label,PATH")
            .replace("a\\1.png, n01440764", "n01440764,a//1.png")
            .replace("./b/é.png ,n01443537", "\"n01443537\",\"b/é.png\"")
            .into_bytes(),
    ];
    for csv in saved {
        let (hardset, run) = planned_with(&csv);
        run.ok();
        let ids: Vec<i32> = label_ids(&hardset).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, [0, 1], "{}", String::from_utf8_lossy(&csv));
    }
}

#[test]
fn what_a_table_of_labels_has_too_much_or_too_little_is_said() {
    let (hardset, run) = planned_with(b"path,label\na/1.png,n01440764\na/2.png,n01440764\nA/1.png,x\n");
    let run = run.expect(3);
    let strays = "labels.csv: 2 of the 3 paths that it lists are of no image: `A/1.png` (line 4), `a/2.png` (line 3)";
    assert!(run.stderr.contains(strays) && run.stderr.contains("1 of the 2 images are not in it"), "{}", run.stderr);
    assert!(hardset.line("status run").ok().stdout.contains(strays));
    let (_, run) = planned_with("path,label\na/1.png,n01440764\na/1.png,n01443537\nb/é.png,n01443537\n".as_bytes());
    assert!(run.expect(3).stdout.contains("1 items planned, 1 files without a label"));
    let (_, run) = planned_with(b"path,label\nx.png,n01440764\n");
    run.refused(2, &["the CSV does not list this file", "`x.png` (line 2)", "a path that would do: `a/1.png`"]);
    let (_, run) = planned_with(b"file;class\na/1.png;n01440764\n");
    run.refused(2, &["line 1: column `path` is missing", "file;class"]);
    let (_, run) = planned_with(b"path,label\na/1.png,n01440764\nb/\xe9.png,n01443537\n");
    run.refused(2, &["line 3", "UTF-8"]);
}

#[test]
#[cfg(unix)]
fn a_table_of_labels_that_is_no_file_is_refused_at_once() {
    let hardset = with_photos("csv", &named(&["a/1.png"]));
    let pipe = hardset.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|made| made.success()));
    for path in ["pipe", "/dev/zero", "photos"] {
        let set = format!("generate.labels_csv={path}");
        hardset.run(&["plan", "m.toml", "--run-dir", "run", "--set", &set]).refused(2, &["not a regular file"]);
    }
}
