//! The card's metadata, as the hub and `datasets` read it.
//!
//! Holds always: every text from the data is in double quotes on one line, so that no line can be `---`.
//!
//! Sources: the hub's specification of dataset cards; `datasets`, `Features._from_yaml_list` and
//! `SplitDict._from_yaml_list`.

use crate::domain::{ColumnFacts, ColumnKind};
use crate::render::release::licence::licence;
use crate::render::release::text::yaml;
use crate::render::release::{DATA_FILES, Release, class_names, words};

/// The YAML block, from `---` to `---`.
pub fn matter(release: &Release) -> String {
    let tags: String = words::keywords(release).iter().map(|tag| format!("- {tag}\n")).collect();
    format!(
        "---\n{}pretty_name: {}\ntags:\n{tags}task_categories:\n- image-classification\nsize_categories:\n- {}\n\
         configs:\n- config_name: default\n  data_files:\n  - split: test\n    path: {DATA_FILES}\n\
         dataset_info:\n{}{}---\n",
        licences(&release.license),
        yaml(release.called()),
        size_category(release.images),
        features(release),
        sizes(release),
    )
}

/// The hub has a list of licences; any other licence is `other` with a name of small letters, digits, `-` and `.`.
fn licences(id: &str) -> String {
    if let Some(known) = licence(id) {
        return format!("license: {}\n", known.hub);
    }
    let kept = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let slug: String = id.chars().map(kept).collect();
    let words: Vec<&str> = slug.split('-').filter(|word| !word.is_empty()).collect();
    match words.join("-") {
        slug if slug.is_empty() || slug == "other" => "license: other\n".into(),
        slug => format!("license: other\nlicense_name: {}\n", yaml(&slug)),
    }
}

/// The hub's classes of size.
fn size_category(images: u64) -> &'static str {
    match images {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        _ => "10M<n<100M",
    }
}

fn features(release: &Release) -> String {
    if release.columns.is_empty() {
        return String::new();
    }
    let features: String = release.columns.iter().map(|column| feature(release, column)).collect();
    format!("  features:\n{features}")
}

fn feature(release: &Release, column: &ColumnFacts) -> String {
    format!("  - name: {}\n{}", yaml(&column.name), data_type(release, column.kind))
}

fn data_type(release: &Release, kind: ColumnKind) -> String {
    let scalar = |name: &str| format!("    dtype: {name}\n");
    let list = |name: &str| format!("    sequence: {name}\n");
    match kind {
        ColumnKind::Image => scalar("image"),
        ColumnKind::ClassLabel if release.categories.is_empty() => scalar("int64"),
        ColumnKind::ClassLabel => class_label(release),
        ColumnKind::Text => scalar("string"),
        ColumnKind::Bool => scalar("bool"),
        ColumnKind::Int32 => scalar("int32"),
        ColumnKind::Int64 => scalar("int64"),
        ColumnKind::UInt32 => scalar("uint32"),
        ColumnKind::UInt64 => scalar("uint64"),
        ColumnKind::Float32 => scalar("float32"),
        ColumnKind::Float64 => scalar("float64"),
        ColumnKind::TextList => list("string"),
        ColumnKind::Int32List => list("int32"),
        ColumnKind::Float32List => list("float32"),
    }
}

fn class_label(release: &Release) -> String {
    let names = class_names(&release.categories);
    let names = names.iter().enumerate().map(|(label, name)| format!("          '{label}': {}\n", yaml(name)));
    format!("    dtype:\n      class_label:\n        names:\n{}", names.collect::<String>())
}

/// Sizes of the split. Parquet hardly compresses encoded images, so the size in memory is given as that of the files.
fn sizes(release: &Release) -> String {
    let bytes: u64 = release.files.iter().map(|file| file.bytes).sum();
    format!(
        "  splits:\n  - name: test\n    num_bytes: {bytes}\n    num_examples: {}\n  download_size: {bytes}\n  \
         dataset_size: {bytes}\n",
        release.images
    )
}
