//! Parquet with images: with and without what `datasets` says of it, compressed, in several row groups, damaged.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use hardset::domain::BenchmarkLayout;
use hardset::source::PoolOptions;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use crate::{listed, opened, png, reasons, seen, set, with};

/// Labels of the rows of a file.
pub enum Labels {
    Numbers(Vec<Option<i64>>),
    Texts(Vec<&'static str>),
}

/// A file to write.
pub struct Table {
    pub labels: Labels,
    /// What `datasets` says of the label's names.
    pub names: Option<Vec<&'static str>>,
    pub compression: Compression,
    pub group_rows: usize,
    pub page_rows: usize,
    /// Whether values stand in a dictionary, as pyarrow writes them.
    pub dictionary: bool,
    /// Rows without bytes.
    pub without: Vec<usize>,
}

impl Table {
    pub fn of(labels: Labels) -> Self {
        let compression = Compression::SNAPPY;
        Self {
            labels,
            names: None,
            compression,
            group_rows: 100,
            page_rows: 20_000,
            dictionary: false,
            without: Vec::new(),
        }
    }

    /// Writes it; the picture of row n has the colour n.
    pub fn write(&self, path: &Path) {
        let labels: ArrayRef = match &self.labels {
            Labels::Numbers(numbers) => Arc::new(Int64Array::from(numbers.clone())),
            Labels::Texts(texts) => Arc::new(StringArray::from(texts.clone())),
        };
        let rows = labels.len();
        let bytes = (0..rows).map(|row| (!self.without.contains(&row)).then(|| png(8, row as u8)));
        let bytes: BinaryArray = bytes.collect();
        let paths: StringArray = (0..rows).map(|row| Some(format!("{row}.png"))).collect();
        let fields =
            Fields::from(vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)]);
        let images = StructArray::try_new(fields.clone(), vec![Arc::new(bytes), Arc::new(paths)], None);
        let columns = vec![
            Field::new("image", DataType::Struct(fields), true),
            Field::new("label", labels.data_type().clone(), true),
            Field::new("number", DataType::Int64, true),
        ];
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1); rows]));
        let schema = Arc::new(Schema::new_with_metadata(columns, self.metadata()));
        let images = images.expect("the arrays are as long as each other");
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(images), labels, numbers]);
        let properties = WriterProperties::builder()
            .set_compression(self.compression)
            .set_max_row_group_row_count(Some(self.group_rows))
            .set_data_page_row_count_limit(self.page_rows)
            .set_write_batch_size(1)
            .set_dictionary_enabled(self.dictionary)
            .build();
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("folders can be made");
        let file = File::create(path).expect("files can be written");
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).expect("a writer");
        writer.write(&batch.expect("columns are as long as each other")).expect("it can be written");
        writer.close().expect("it can be written");
    }

    fn metadata(&self) -> HashMap<String, String> {
        let Some(names) = &self.names else { return HashMap::new() };
        let features = serde_json::json!({
            "image": { "_type": "Image" },
            "label": { "names": names, "_type": "ClassLabel" },
            "number": { "dtype": "int64", "_type": "Value" },
        });
        let text = serde_json::json!({ "info": { "features": features } }).to_string();
        HashMap::from([("huggingface".to_owned(), text)])
    }
}

fn folder() -> TempDir {
    TempDir::new().expect("temporary folders can be made")
}

fn numbers(labels: &[i64]) -> Labels {
    Labels::Numbers(labels.iter().copied().map(Some).collect())
}

#[test]
fn class_labels_have_names_and_rows_lead_to_their_own_pictures() {
    let kinds = [
        (Compression::SNAPPY, 3),
        (Compression::UNCOMPRESSED, 100),
        (Compression::ZSTD(Default::default()), 7),
        (Compression::GZIP(Default::default()), 1),
        (Compression::LZ4_RAW, 50),
    ];
    for (compression, group_rows) in kinds {
        let dir = folder();
        let labels: Vec<i64> = (0..40).map(|row| row % 3).collect();
        let names = Some(vec!["tench, Tinca tinca", "n01443537", "hammerhead"]);
        let dictionary = group_rows > 30;
        let table = Table { names, compression, group_rows, dictionary, page_rows: 5, ..Table::of(numbers(&labels)) };
        table.write(&dir.path().join("data/test-00000-of-00002.parquet"));
        table.write(&dir.path().join("data/test-00001-of-00002.parquet"));
        let pool = opened(dir.path());
        assert_eq!((pool.source.layout, pool.categories.name.as_str()), (BenchmarkLayout::Parquet, "imagenet-1k"));
        let found = seen(&pool);
        assert_eq!(found.len(), 80);
        for (at, (source, category, _, colour)) in found.iter().enumerate() {
            let expected = ["n01440764", "n01443537", "n01494475"][at % 40 % 3];
            let (file, row) = (at / 40, at % 40);
            assert_eq!(*source, format!("data/test-0000{file}-of-00002.parquet#{row}"));
            assert_eq!((category.as_str(), colour), (expected, &Ok(row as u8)), "{source}");
        }
    }
}

#[test]
fn one_file_is_a_pool_and_its_neighbours_are_not() {
    let dir = folder();
    for name in ["a.parquet", "b.parquet"] {
        Table { names: Some(vec!["tench"]), ..Table::of(numbers(&[0, 0])) }.write(&dir.path().join(name));
    }
    let pool = opened(&dir.path().join("b.parquet"));
    assert_eq!((pool.name.as_str(), seen(&pool).len()), ("b", 2));
    assert!(seen(&pool).iter().all(|one| one.0.starts_with("b.parquet#")));
}

#[test]
fn numbers_without_names_are_places_in_a_given_set_and_texts_need_none() {
    let dir = folder();
    Table::of(numbers(&[199, 0])).write(&dir.path().join("x.parquet"));
    let pool = with(dir.path(), &PoolOptions { categories: Some(set("imagenet-r")), ..PoolOptions::default() });
    let categories: Vec<_> = seen(&pool).into_iter().map(|one| one.1).collect();
    let ids = set("imagenet-r").entries;
    assert_eq!(categories, [ids[199].id.clone(), ids[0].id.clone()]);

    let dir = folder();
    Table::of(Labels::Texts(vec!["n01440764", "goldfish, Carassius auratus"])).write(&dir.path().join("x.parquet"));
    let categories: Vec<_> = seen(&opened(dir.path())).into_iter().map(|one| one.1).collect();
    assert_eq!(categories, ["n01440764", "n01443537"]);
}

#[test]
fn a_list_of_all_of_imagenet_tells_its_two_cranes_apart_by_their_places() {
    let names: Vec<String> = set("imagenet-1k").entries.into_iter().map(|category| category.name).collect();
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    assert_eq!((names[134], names[517]), ("crane", "crane"));
    let dir = folder();
    Table { names: Some(names), ..Table::of(numbers(&[134, 517])) }.write(&dir.path().join("x.parquet"));
    let categories: Vec<_> = seen(&opened(dir.path())).into_iter().map(|one| one.1).collect();
    assert_eq!(categories, ["n02012849", "n03126707"]);
}

#[test]
fn a_row_without_label_or_image_costs_itself_alone() {
    let dir = folder();
    let labels = Labels::Numbers(vec![Some(0), Some(-1), None, Some(7), Some(1), Some(1)]);
    Table { names: Some(vec!["tench", "goldfish"]), without: vec![4], ..Table::of(labels) }
        .write(&dir.path().join("x.parquet"));
    let pool = opened(dir.path());
    let lost: Vec<_> = reasons(&pool).into_iter().map(|lost| lost.1).collect();
    let none = "no label: the row has none";
    assert_eq!(lost, [none, none, "label 7 is none of its 2 classes"]);
    let found = seen(&pool);
    assert_eq!((found.len(), &found[0].3, &found[2].3), (3, &Ok(0), &Ok(5)));
    assert_eq!(
        found[1].3,
        Err("the row has no bytes of an image; write the images themselves into the file".to_owned())
    );
}

#[test]
fn damage_inside_pages_ends_nothing_and_costs_few_rows() {
    let dir = folder();
    let path = dir.path().join("x.parquet");
    let table = Table { names: Some(vec!["tench"]), page_rows: 4, ..Table::of(numbers(&[0; 40])) };
    table.write(&path);
    let whole = std::fs::read(&path).expect("it is there");
    let (mut damaged, mut flips) = (0, 0);
    // In the pages of images, which come first in the file.
    for at in (100..2000).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, &bytes).expect("files can be written");
        let pool = opened(dir.path());
        let spec = hardset::domain::GenerateSpec::Benchmark(pool.source.clone());
        if let Err(error) = hardset::source::source(&spec).list(&pool.categories, 0) {
            // A page of labels: without them no row is what it was.
            assert!(error.to_string().contains("x.parquet: it cannot be read as Parquet"), "{error}");
            continue;
        }
        let found = seen(&pool);
        assert_eq!(found.len(), 40, "every row has an outcome");
        // Nothing in such a file says what a picture was: one that can still be decoded is taken as it is.
        damaged += found.iter().zip(0..).filter(|(one, row)| one.3 != Ok(*row)).count();
        flips += 1;
    }
    assert!(damaged > 0 && damaged < flips * 20, "{damaged} rows of {flips} files");
}

#[test]
fn many_threads_read_the_same_rows() {
    let dir = folder();
    let labels: Vec<i64> = vec![0; 200];
    Table { names: Some(vec!["tench"]), group_rows: 64, ..Table::of(numbers(&labels)) }
        .write(&dir.path().join("x.parquet"));
    let images = hardset::table::ParquetImages::default();
    let path = dir.path().join("x.parquet");
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (images, path) = (&images, &path);
            scope.spawn(move || {
                for step in 0..200_u64 {
                    let row = (step * 7 + thread * 25) % 200;
                    assert_eq!(images.bytes(path, "image", row), Ok(png(8, row as u8)));
                }
            });
        }
    });
    let beyond = images.bytes(&path, "image", 200).expect_err("there are 200 rows");
    assert!(beyond.contains("200 rows and no row 200"), "{beyond}");
}

#[test]
fn a_split_is_chosen_by_the_names_of_files() {
    let dir = folder();
    for (split, rows) in [("train", 3), ("test", 2)] {
        let table = Table { names: Some(vec!["tench"]), ..Table::of(numbers(&vec![0; rows])) };
        table.write(&dir.path().join(format!("data/{split}-00000-of-00001.parquet")));
    }
    let pool = with(dir.path(), &PoolOptions { split: Some("test".into()), ..PoolOptions::default() });
    assert_eq!(listed(&pool).rows.len(), 2);
}
