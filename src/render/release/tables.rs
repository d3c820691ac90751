//! Tables for people and other loaders: what was left out, ImageNet-D's questions, Hugging Face's `imagefolder`,
//! FiftyOne.
//!
//! Holds always: cells and values are exact and not changed for spreadsheets, because programs compare them.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::text::{ascii, json_document};

/// One question with two choices, as ImageNet-D ships them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionRow {
    /// Path of the image.
    pub image_dir: String,
    /// The true category.
    pub gt_category: String,
    /// The surrogate's best class.
    pub top1_pred_cate: String,
    /// Its second best.
    pub top2_pred_cate: String,
}

/// `questions/<kind>.csv`: separated by tabs, with a header, line feeds; cells with tabs, quotes or line breaks are
/// quoted.
pub fn questions_csv(rows: &[QuestionRow]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(b'\t').from_writer(Vec::new());
    // This cannot fail: it writes into memory, and all rows have four cells.
    let _ = writer.write_record(["image_dir", "gt_category", "top1_pred_cate", "top2_pred_cate"]);
    for row in rows {
        let _ = writer.write_record([&row.image_dir, &row.gt_category, &row.top1_pred_cate, &row.top2_pred_cate]);
    }
    writer.into_inner().unwrap_or_default()
}

/// The rows of `questions/<kind>.csv`; an error says what is wrong with it.
pub fn read_questions(bytes: &[u8]) -> Result<Vec<QuestionRow>, String> {
    let head = ["image_dir", "gt_category", "top1_pred_cate", "top2_pred_cate"];
    read_separated(bytes, b'\t', head, |[image_dir, gt_category, top1_pred_cate, top2_pred_cate]| {
        Ok(QuestionRow { image_dir, gt_category, top1_pred_cate, top2_pred_cate })
    })
}

/// A hard image that is not in the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedRow {
    /// Its number in the run.
    pub item_id: String,
    /// Its category's id.
    pub category: String,
    /// Why it was left out.
    pub reason: String,
    /// Further details.
    pub detail: String,
}

/// `excluded.csv`: every hard image that is not in the release, with the reason.
pub fn excluded_csv(rows: &[ExcludedRow]) -> Vec<u8> {
    let rows = rows.iter().map(|row| [&row.item_id, &row.category, &row.reason, &row.detail].map(String::as_str));
    comma_separated(["item_id", "category", "reason", "detail"], rows)
}

/// The rows of `excluded.csv`; an error says what is wrong with it.
pub fn read_excluded(bytes: &[u8]) -> Result<Vec<ExcludedRow>, String> {
    let row = |[item_id, category, reason, detail]: [String; 4]| Ok(ExcludedRow { item_id, category, reason, detail });
    read_separated(bytes, b',', ["item_id", "category", "reason", "detail"], row)
}

/// A near duplicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearRow {
    /// Its number in the run.
    pub item_id: u32,
    /// The image that it looks like: `item N`, or folder and path.
    pub like: String,
    /// Bits in which the perceptual hashes differ, 0 to 64.
    pub distance: u32,
    /// Whether it was left out for that reason.
    pub excluded: bool,
}

/// The rows of `near-duplicates.csv`; an error says what is wrong with it.
pub fn read_near(bytes: &[u8]) -> Result<Vec<NearRow>, String> {
    read_separated(
        bytes,
        b',',
        ["item_id", "like", "distance_bits", "excluded"],
        |[item_id, like, distance, excluded]| {
            Ok(NearRow {
                item_id: item_id.parse().map_err(|_| format!("{item_id:?} is no item"))?,
                like,
                distance: distance.parse().map_err(|_| format!("{distance:?} is no distance in bits"))?,
                excluded: excluded.parse().map_err(|_| format!("{excluded:?} is neither true nor false"))?,
            })
        },
    )
}

/// `near-duplicates.csv`.
pub fn near_csv(rows: &[NearRow]) -> Vec<u8> {
    let cells: Vec<[String; 4]> = (rows.iter())
        .map(|row| {
            [format!("{:08}", row.item_id), row.like.clone(), row.distance.to_string(), row.excluded.to_string()]
        })
        .collect();
    let rows = cells.iter().map(|row| row.each_ref().map(String::as_str));
    comma_separated(["item_id", "like", "distance_bits", "excluded"], rows)
}

fn comma_separated<'a>(head: [&'a str; 4], rows: impl Iterator<Item = [&'a str; 4]>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // This cannot fail: it writes into memory, and all rows have four cells.
    std::iter::once(head).chain(rows).for_each(|row| drop(writer.write_record(row)));
    writer.into_inner().unwrap_or_default()
}

/// The rows below the head, each made from its cells by `row`.
fn read_separated<T>(
    bytes: &[u8],
    delimiter: u8,
    head: [&str; 4],
    row: impl Fn([String; 4]) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(bytes);
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut rows = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.map_err(|e| e.to_string())?;
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        let cells = <[String; 4]>::try_from(cells).map_err(|_| format!("row {at} has not four cells"))?;
        if at > 0 {
            rows.push(row(cells).map_err(|problem| format!("row {at}: {problem}"))?);
        } else if cells != head {
            return Err(format!("its head is not {}", head.join(",")));
        }
    }
    Ok(rows)
}

/// `labels.json` of a FiftyOneImageClassificationDataset: `classes` by label, and the label of each image by its path
/// in `data/` without the extension. If two rows have the same path, the later one counts.
///
/// Source: FiftyOne's documentation: if there are `classes`, targets are indices in that list.
pub fn labels_json(classes: &[String], labels: &[(String, usize)]) -> Vec<u8> {
    let labels: BTreeMap<&str, usize> = labels.iter().map(|(stem, label)| (stem.as_str(), *label)).collect();
    json_document(&json!({ "classes": classes, "labels": labels }))
}

/// One image of an `imagefolder` with its metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRow {
    /// Path of the image relative to `metadata.jsonl`.
    pub file_name: String,
    /// The other columns, in their order; one called `file_name` is left out.
    pub columns: Vec<(String, Value)>,
}

impl Serialize for MetadataRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file_name", &self.file_name)?;
        for (name, value) in self.columns.iter().filter(|(name, _)| name != "file_name") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A line of `metadata.jsonl`: one JSON object for each row, `file_name` first.
pub fn metadata_line(row: &MetadataRow) -> Vec<u8> {
    (ascii(&serde_json::to_string(row).unwrap_or_default()) + "\n").into_bytes()
}
