//! Files of predictions that other programs have made: all forms give the same predictions, and what is wrong with a
//! file or a row is said.

mod common;

use std::fmt::Write as _;

use common::{Hardset, unit_file};
use hardset::domain::Prediction;
use hardset::table::predictions_table;
use polars::prelude::*;

/// Images, one of each category of the quick start.
const IMAGES: usize = 12;

const RECIPE: &str = "name = \"x\"\ncategories = \"quickstart\"\n\n[generate]\nsource = \"fake\"\n\
                      images_per_category = 1\nsize_px = 32\n\n[mine]\nsurrogates = [\"./mine.toml\"]\n";

fn program(file: &str, bytes: impl AsRef<[u8]>, output: &str) -> Hardset {
    let hardset = Hardset::new();
    hardset.write("p.toml", RECIPE);
    hardset.write(file, bytes);
    hardset.write("mine.toml", format!("predictions = \"{file}\"\noutput = {{ {output} }}\n"));
    hardset
}

fn predictions(hardset: &Hardset) -> Vec<Prediction> {
    let unit = unit_file(&hardset.path("run/predictions/mine/000/000000.parquet"));
    predictions_table::decode(&unit).expect("it is a table")
}

/// A logit of the class `class` for image `item`.
fn logit(item: usize, class: usize) -> f32 {
    if class == (item * 5) % 12 { 4.0 } else { (item * 7 + class * 3) as f32 % 5.0 / 4.0 }
}

const LOGITS: &str = "kind = \"logits\", space = \"categories\"";

fn csv(delimiter: char) -> String {
    let mut text = format!("item_id{delimiter}label");
    (0..12).for_each(|class| write!(text, "{delimiter}logit_{class}").expect("it works"));
    // Rows in another order than the images.
    for item in (0..IMAGES).rev() {
        write!(text, "\n{item}{delimiter}x").expect("it works");
        (0..12).for_each(|class| write!(text, "{delimiter}{}", logit(item, class)).expect("it works"));
    }
    text
}

fn parquet(frame: &mut DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_row_group_size(Some(5)).finish(frame).expect("it works");
    bytes
}

/// An array of numpy.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat((64 - (header.len() + 11) % 64) % 64);
    header += "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn npz(arrays: &[(&str, Vec<u8>)], method: ::zip::CompressionMethod) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = ::zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).expect("it works");
        archive.write_all(bytes).expect("it works");
    }
    archive.finish().expect("it works").into_inner()
}

fn all_logits() -> Vec<f32> {
    (0..IMAGES).flat_map(|item| (0..12).map(move |class| logit(item, class))).collect()
}

fn archive(method: ::zip::CompressionMethod) -> Vec<u8> {
    let items: Vec<u8> = (0..IMAGES as i64).flat_map(i64::to_le_bytes).collect();
    let logits: Vec<u8> = all_logits().iter().flat_map(|x| x.to_le_bytes()).collect();
    npz(&[("item", npy("<i8", "(12,)", &items)), ("logits", npy("<f4", "(12, 12)", &logits))], method)
}

fn frame() -> DataFrame {
    let items = Column::new("item_id".into(), (0..IMAGES as u32).collect::<Vec<_>>());
    let mut columns = vec![items];
    for class in 0..12 {
        let scores: Vec<f64> = (0..IMAGES).map(|item| f64::from(logit(item, class))).collect();
        columns.push(Column::new(class.to_string().into(), scores));
    }
    DataFrame::new_infer_height(columns).expect("it works")
}

fn frame_of_lists() -> DataFrame {
    let rows: Vec<Series> = (0..IMAGES)
        .map(|item| Series::new("".into(), (0..12).map(|class| logit(item, class)).collect::<Vec<_>>()))
        .collect();
    let items = Column::new("item_id".into(), (0..IMAGES as u32).collect::<Vec<_>>());
    DataFrame::new_infer_height(vec![items, Column::new("logits".into(), rows)]).expect("it works")
}

#[test]
fn all_forms_of_a_file_give_the_same_predictions() {
    let utf_16: Vec<u8> = [0xfeff].into_iter().chain(csv('\t').encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("a.csv", csv(',').into_bytes()),
        ("b.csv", format!("\u{feff}sep=;\r\n{}", csv(';').replace('\n', "\r\n")).into_bytes()),
        ("c.txt", utf_16),
        ("d.parquet", parquet(&mut frame())),
        ("e.parquet", parquet(&mut frame_of_lists())),
        ("f.npz", archive(::zip::CompressionMethod::Stored)),
        ("g.npz", archive(::zip::CompressionMethod::Deflated)),
    ];
    let mut first: Option<Vec<Prediction>> = None;
    for (file, bytes) in forms {
        let hardset = program(file, bytes, LOGITS);
        hardset.line("build p.toml --run-dir run").ok();
        hardset.line("verify run").ok();
        let found = predictions(&hardset);
        assert_eq!(found.len(), IMAGES, "{file}");
        for (item, row) in found.iter().enumerate() {
            assert_eq!(row.any.top1_id, (item * 5 % 12) as i32, "{file}");
            assert_eq!(row.max_logit, Some(4.0));
        }
        assert_eq!(first.get_or_insert(found.clone()), &found, "{file}");
        assert!(!common::names(&hardset.path("run")).iter().any(|name| name.contains("scratch")));
    }
}

#[test]
fn the_likeliest_classes_alone_are_enough() {
    let mut text = "item_id,top1,prob1,top2,prob2\n".to_owned();
    for item in 0..IMAGES {
        // By index, by id and by name.
        let [a, b] = [["mug", "teapot"], ["5", "7"], ["wine bottle", "wine_bottle"]][item % 3];
        let b = if item % 3 == 2 { "bench" } else { b };
        writeln!(text, "{item},{a},0.5,{b},0.25").expect("it works");
    }
    let hardset = program("top.csv", &text, "kind = \"top-k\", space = \"categories\"");
    hardset.line("build p.toml --run-dir run").ok();
    for (item, row) in predictions(&hardset).iter().enumerate() {
        let expected = [vec![5, 7], vec![5, 7], vec![11, 0]][item % 3].clone();
        assert_eq!((row.top5_ids.clone(), row.top5_probs.clone()), (expected.clone(), vec![0.5, 0.25]));
        let rank = expected.iter().position(|class| *class == item as i32).map_or(3, |at| at as u32 + 1);
        assert_eq!((row.true_rank, row.max_logit), (rank, None), "{item}");
    }
    // Without probabilities the order counts.
    let short = "item_id,prediction\n0,bench\n1,mug\n";
    let hardset = program("one.csv", short, "kind = \"top-k\", space = \"categories\"");
    let run = hardset.line("build p.toml --run-dir run").expect(3);
    assert!(run.stdout.contains("10 item(s) lost"), "{}", run.stdout);
    let found = predictions(&hardset);
    assert_eq!(found.iter().map(|row| row.any.correct).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn the_likeliest_classes_may_stand_in_any_order() {
    // Twenty columns, the likeliest class last, as numpy's argpartition gives them; sixteen are kept.
    let mut text = "item_id".to_owned();
    (1..=20).for_each(|rank| write!(text, ",top{rank},prob{rank}").expect("it works"));
    for item in 0..IMAGES {
        write!(text, "\n{item}").expect("it works");
        (0..19).for_each(|rank| write!(text, ",{},0.001", 100 + rank).expect("it works"));
        write!(text, ",{},0.9", 500 + item).expect("it works");
    }
    let hardset = program("top.csv", &text, "kind = \"top-k\"");
    hardset.line("build p.toml --run-dir run").ok();
    for (item, row) in predictions(&hardset).iter().enumerate() {
        assert_eq!((row.any.top1_id, row.any.top1_prob), (500 + item as i32, 0.9));
    }
}

#[test]
fn a_file_of_a_few_images_costs_the_others_alone() {
    let mut text = "item_id,prediction,prob\n0,bench,nan\n".to_owned();
    (8..IMAGES).for_each(|item| writeln!(text, "{item},mug,0.5").expect("it works"));
    let hardset = program("few.csv", &text, "kind = \"top-k\", space = \"categories\"");
    hardset.write("p.toml", RECIPE.replace("categories = ", "shard_items = 4\ncategories = "));
    let run = hardset.line("build p.toml --run-dir run").expect(3);
    assert!(run.stdout.contains("8 item(s) lost"), "{}", run.stdout);
    let hardset =
        program("none.csv", "item_id,prediction,prob\n0,bench,nan\n", "kind = \"top-k\", space = \"categories\"");
    hardset.line("build p.toml --run-dir run").refused(2, &["no row of", "can be used", "not a finite number"]);
}

#[test]
fn a_number_that_is_one_class_by_name_and_another_by_index_is_refused() {
    let hardset = program("a.csv", "item_id,prediction\n0,1\n", "kind = \"top-k\", space = \"./l.toml\"");
    let names: Vec<String> = (0..12).map(|class: u32| (11 - class).to_string()).collect();
    let ids = "bench bucket chair desk_lamp hammer mug plate teapot umbrella vase wheel wine_bottle";
    let mut accepts = Vec::new();
    for (class, id) in ids.split(' ').enumerate() {
        accepts.push(format!("{id} = [{class}]"));
    }
    hardset.write("l.toml", format!("classes = {names:?}\naccepts = {{ {} }}", accepts.join(", ")));
    hardset
        .line("build p.toml --run-dir run")
        .refused(2, &["a.csv", "is the name of class", "the index of another one"]);
}

#[test]
fn headers_that_ask_for_too_much_memory_are_refused() {
    let items: Vec<u8> = (0..IMAGES as i64).flat_map(i64::to_le_bytes).collect();
    let good = npy("<i8", "(12,)", &items);
    for (descr, shape) in [("<f4", "(12, 1099511627776)"), ("<f4", "(12, 4611686018427387904)"), ("<f8", "(12, 12)")] {
        let bytes =
            npz(&[("item", good.clone()), ("logits", npy(descr, shape, &[0; 64]))], ::zip::CompressionMethod::Stored);
        let hardset = program("a.npz", bytes, LOGITS);
        hardset.line("build p.toml --run-dir run").refused(2, &["a.npz", "array `logits`", "not so many bytes"]);
    }
    let texts = npy("<U65536", "(12,)", &[0; 64]);
    let bytes = npz(
        &[("path", texts), ("item", good), ("logits", npy("<f4", "(12, 12)", &[0; 576]))],
        ::zip::CompressionMethod::Deflated,
    );
    program("a.npz", bytes, LOGITS).line("build p.toml --run-dir run").refused(2, &["a.npz"]);
}

#[test]
fn a_quote_that_nobody_closes_does_not_take_the_memory() {
    let mut text = csv(',');
    text += "\n3,\"";
    text.extend(std::iter::repeat_n("x,y\n", 6 << 20));
    let hardset = program("a.csv", text, LOGITS);
    hardset.line("build p.toml --run-dir run").refused(2, &["a.csv", "is a quote opened and not closed?"]);
}

#[test]
fn a_bad_row_costs_its_own_image() {
    let good = csv(',');
    let check = |text: &str, reason: &str| {
        let hardset = program("a.csv", text, LOGITS);
        hardset.line("build p.toml --run-dir run").expect(3);
        assert_eq!(predictions(&hardset).len(), IMAGES - 1, "{reason}");
        let lost = common::table(&hardset.path("run/dropped.parquet"));
        let reasons = common::strings(&lost, "reason");
        assert!(reasons.len() == 1 && reasons[0].contains(reason), "{reasons:?}");
    };
    let of_item =
        |item: usize| good.lines().find(|line| line.starts_with(&format!("{item},"))).expect("it works").to_owned();
    check(&good.replace(&of_item(3), "3,x,nan,1,1,1,1,1,1,1,1,1,1,1"), "score of class 0 is missing or not a finite");
    check(&good.replace(&of_item(3), "3,x,1,1,1"), "score of class 3 is missing or not a finite");
    check(&format!("{good}\n{}", of_item(3)), "are both of it; keep one");
    check(&good.replace(&of_item(3), "77,x,1,1,1,1,1,1,1,1,1,1,1,1"), "the file of predictions has no row for it");
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_what_to_do() {
    let check = |file: &str, bytes: &[u8], output: &str, parts: &[&str]| {
        let hardset = program(file, bytes, output);
        hardset.line("build p.toml --run-dir run").refused(2, parts);
    };
    let good = csv(',');
    check(
        "a.csv",
        good.replace("logit_11", "x").as_bytes(),
        LOGITS,
        &["a.csv", "no column for 1 of the 12 classes (11)"],
    );
    check("a.csv", good.replace("item_id", "id").as_bytes(), LOGITS, &["no column that names the image", "`id`"]);
    let paths = "path,prediction\nphotos/1.jpg,mug\n";
    let top = "kind = \"top-k\", space = \"categories\"";
    check("a.csv", paths.as_bytes(), top, &["a.csv", "names images by their paths", "add a column item_id"]);
    let items = "item_id,prediction\n99,mug\n";
    check("a.csv", items.as_bytes(), top, &["no row of", "the first one names `99` (row 2), and `0` would be one"]);
    let logits = "kind = \"probabilities\", space = \"categories\"";
    check("a.csv", good.as_bytes(), logits, &["can be used", "is output.kind \"logits\"?"]);
    check("a.parquet", b"PAR1 and nothing else PAR1", LOGITS, &["a.parquet"]);
    check("a.npz", b"PK and nothing else", LOGITS, &["a.npz", "numpy.savez"]);
    check("a.npy", &npy("<f4", "(1,)", &[0; 4]), LOGITS, &["one array without the names of its images"]);
    let items: Vec<u8> = (0..IMAGES as i64).flat_map(i64::to_le_bytes).collect();
    let objects = [("item", npy("<i8", "(12,)", &items)), ("logits", npy("|O", "(12, 12)", &[0; 8]))];
    check("a.npz", &npz(&objects, ::zip::CompressionMethod::Stored), LOGITS, &["array `logits`", "not objects"]);
    let hardset = program("a.csv", &good, "kind = \"logits\", classes = 12");
    hardset.line("build p.toml --run-dir run").refused(2, &["mine.toml", "output.classes", "is not needed"]);
    let hardset = program("a.csv", &good, LOGITS);
    std::fs::remove_file(hardset.path("a.csv")).expect("it works");
    hardset.line("build p.toml --run-dir run").refused(4, &["surrogate `mine`", "a.csv"]);
}

#[test]
fn another_file_is_another_scorer() {
    let hardset = program("a.csv", csv(','), LOGITS);
    hardset.line("build p.toml --run-dir run").ok();
    let before = predictions(&hardset);
    hardset.write(
        "a.csv",
        csv(',').replace("logit_0", "logit_99").replace("logit_1,", "logit_0,").replace("logit_99", "logit_1"),
    );
    hardset.line("verify run").expect(3).out(&["its predictions are of other weights"]);
    hardset.line("build p.toml --run-dir run").ok();
    assert_ne!(predictions(&hardset), before);
    hardset.line("verify run").ok();
}
