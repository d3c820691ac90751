//! `predictions/<surrogate>/NNN/NNNNNN.HASH.parquet`: one surrogate's prediction for each image of a shard, item ids
//! ascending.
//!
//! `correct`, `true_prob`, `margin` and `top1_id` are for the label space `any-of-ids`; the columns `masked_…` are the
//! same for `masked`, so that mining again in either space needs no inference. Tables from before format 2.3 lack
//! [`OPTIONAL`].

use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{ItemId, LabelSpace, Prediction, SelectSpec, SpacePrediction};

const SPACE_COLUMNS: [&str; 5] = ["top1_id", "correct", "true_prob", "margin", "top1_prob"];

/// The columns that tables from before format 2.3 lack.
const OPTIONAL: [&str; 4] = ["brier", "masked_brier", "masked_max_logit", "masked_energy"];

/// The rows as Parquet.
pub fn encode(rows: &[Prediction]) -> Result<Vec<u8>, TableError> {
    // What mining again reads comes first, so that it is one stretch of the file.
    let mut columns = vec![Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>())];
    columns.extend(space_columns(rows, LabelSpace::AnyOfIds));
    columns.extend(space_columns(rows, LabelSpace::Masked));
    columns.extend([
        frame::lists("top5_ids", rows.iter().map(|row| row.top5_ids.as_slice())),
        frame::f32_lists("top5_probs", rows.iter().map(|row| row.top5_probs.as_slice())),
        Column::new("true_rank".into(), rows.iter().map(|row| row.true_rank).collect::<Vec<u32>>()),
        numbers("max_logit", rows, |row| row.max_logit),
        numbers("energy", rows, |row| row.energy),
        numbers("masked_max_logit", rows, |row| row.masked_max_logit),
        numbers("masked_energy", rows, |row| row.masked_energy),
        numbers("brier", rows, |row| row.any.brier),
        numbers("masked_brier", rows, |row| row.masked.brier),
    ]);
    frame::encode(columns)
}

fn numbers(name: &str, rows: &[Prediction], of: impl Fn(&Prediction) -> Option<f32>) -> Column {
    Column::new(name.into(), rows.iter().map(of).collect::<Vec<Option<f32>>>())
}

fn space_columns(rows: &[Prediction], space: LabelSpace) -> [Column; 5] {
    let of = |row: &Prediction| match space {
        LabelSpace::AnyOfIds => row.any,
        LabelSpace::Masked => row.masked,
    };
    let [top1_id, correct, true_prob, margin, top1_prob] = names(space);
    [
        Column::new(top1_id.into(), rows.iter().map(|row| of(row).top1_id).collect::<Vec<i32>>()),
        Column::new(correct.into(), rows.iter().map(|row| of(row).correct).collect::<Vec<bool>>()),
        Column::new(true_prob.into(), rows.iter().map(|row| of(row).true_prob).collect::<Vec<f32>>()),
        Column::new(margin.into(), rows.iter().map(|row| of(row).margin).collect::<Vec<f32>>()),
        Column::new(top1_prob.into(), rows.iter().map(|row| of(row).top1_prob).collect::<Vec<f32>>()),
    ]
}

fn names(space: LabelSpace) -> [String; 5] {
    SPACE_COLUMNS.map(|name| match space {
        LabelSpace::AnyOfIds => name.to_owned(),
        LabelSpace::Masked => format!("masked_{name}"),
    })
}

/// The votes of one label space, as columns.
pub struct Votes {
    /// Items, ascending.
    pub item_id: Vec<u32>,
    /// See [`SpacePrediction`].
    pub top1_id: Vec<i32>,
    /// See [`SpacePrediction`].
    pub correct: Vec<bool>,
    /// See [`SpacePrediction`].
    pub true_prob: Vec<f32>,
    /// See [`SpacePrediction`].
    pub margin: Vec<f32>,
}

/// The votes of the file, as far as the mining `select` needs them.
///
/// `images`: the items of the shard, ascending. A surrogate scores exactly these, so a file with the same number of
/// rows has the same items, which then need not be read.
pub fn read_votes(path: &Path, select: &SelectSpec, images: &[u32]) -> Result<Votes, TableError> {
    let [top1_id, correct, true_prob, margin, _] = &names(select.label_space);
    let mut file = frame::ShardFile::read(path)?;
    let same_items = file.rows() == images.len();
    let mut columns = vec![top1_id, correct, margin];
    columns.extend(select.bounds_true_prob().then_some(true_prob));
    let mut columns: Vec<&str> = columns.into_iter().map(String::as_str).collect();
    columns.extend((!same_items).then_some("item_id"));
    let frame = file.columns(&columns)?;
    let votes = || -> PolarsResult<Votes> {
        Ok(Votes {
            item_id: if same_items { images.to_vec() } else { frame::u32s(&frame, "item_id")? },
            top1_id: frame::i32s(&frame, top1_id)?,
            correct: frame::bools(&frame, correct)?,
            true_prob: if select.bounds_true_prob() { frame::f32s(&frame, true_prob)? } else { Vec::new() },
            margin: frame::f32s(&frame, margin)?,
        })
    };
    votes().map_err(|source| TableError::Read { file: path.display().to_string(), source })
}

/// The rows of the file.
pub fn decode(path: &Path) -> Result<Vec<Prediction>, TableError> {
    let (any, masked) = (names(LabelSpace::AnyOfIds), names(LabelSpace::Masked));
    let mut columns = vec!["item_id", "top5_ids", "top5_probs", "true_rank", "max_logit", "energy"];
    columns.extend(any.iter().chain(&masked).map(String::as_str).chain(OPTIONAL));
    frame::read_rows(path, &columns, rows)
}

fn rows(frame: &DataFrame) -> PolarsResult<Vec<Prediction>> {
    let (ids, ranks) = (frame::u32s(frame, "item_id")?, frame::u32s(frame, "true_rank")?);
    let (top5_ids, top5_probs) = (frame::i32_lists(frame, "top5_ids")?, frame::f32_rows(frame, "top5_probs")?);
    if let Some(at) = (0..ids.len()).find(|&at| top5_ids[at].len() != top5_probs[at].len()) {
        polars_bail!(ComputeError: "item {} has {} top classes with {} probabilities", ids[at], top5_ids[at].len(),
            top5_probs[at].len());
    }
    let mut tops = top5_ids.into_iter().zip(top5_probs);
    let (any, masked) = (spaces(frame, LabelSpace::AnyOfIds)?, spaces(frame, LabelSpace::Masked)?);
    let (logits, energies) = (frame.column("max_logit")?.f32()?, frame.column("energy")?.f32()?);
    let (masked_logits, masked_energies) = (optional(frame, "masked_max_logit")?, optional(frame, "masked_energy")?);
    let mut rows = Vec::with_capacity(ids.len());
    for (at, id) in ids.into_iter().enumerate() {
        let (top5_ids, top5_probs) = tops.next().unwrap_or_default();
        rows.push(Prediction {
            item_id: ItemId(id),
            top5_ids,
            top5_probs,
            true_rank: ranks[at],
            any: any[at],
            masked: masked[at],
            max_logit: logits.get(at),
            energy: energies.get(at),
            masked_max_logit: masked_logits.and_then(|logits| logits.get(at)),
            masked_energy: masked_energies.and_then(|energies| energies.get(at)),
        });
    }
    Ok(rows)
}

/// A column that older tables lack.
fn optional<'a>(frame: &'a DataFrame, name: &str) -> PolarsResult<Option<&'a Float32Chunked>> {
    frame.column(name).ok().map(Column::f32).transpose()
}

fn spaces(frame: &DataFrame, space: LabelSpace) -> PolarsResult<Vec<SpacePrediction>> {
    let [top1_id, correct, true_prob, margin, top1_prob] = &names(space);
    let (top1, correct) = (frame::i32s(frame, top1_id)?, frame::bools(frame, correct)?);
    let (probs, margins) = (frame::f32s(frame, true_prob)?, frame::f32s(frame, margin)?);
    let tops = frame::f32s(frame, top1_prob)?;
    let briers = optional(frame, if space == LabelSpace::Masked { "masked_brier" } else { "brier" })?;
    let row = |at: usize| SpacePrediction {
        top1_id: top1[at],
        top1_prob: tops[at],
        correct: correct[at],
        true_prob: probs[at],
        margin: margins[at],
        brier: briers.and_then(|briers| briers.get(at)),
    };
    Ok((0..top1.len()).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let space = |class| SpacePrediction {
            top1_id: class,
            top1_prob: 0.5,
            correct: class == 1,
            true_prob: 0.25,
            margin: -0.5,
            brier: (class == 2).then_some(1.5),
        };
        let row = |id: u32| Prediction {
            item_id: ItemId(id),
            top5_ids: [1, 2, 3, 4, id as i32][id as usize..].to_vec(),
            top5_probs: [0.5, 0.25, 0.1, 0.05, 0.01][id as usize..].to_vec(),
            true_rank: id + 1,
            any: space(1),
            masked: space(2),
            max_logit: (id == 0).then_some(7.5),
            energy: None,
            masked_max_logit: (id == 1).then_some(-2.5),
            masked_energy: (id == 2).then_some(0.5),
        };
        let rows: Vec<Prediction> = (0..4).map(row).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), encode(&rows).unwrap()).unwrap();
        assert_eq!(decode(file.path()).unwrap(), rows);
        let older = |row: &Prediction| {
            let of = |space: SpacePrediction| SpacePrediction { brier: None, ..space };
            let (any, masked) = (of(row.any), of(row.masked));
            Prediction { any, masked, masked_max_logit: None, masked_energy: None, ..row.clone() }
        };
        let older: Vec<Prediction> = rows.iter().map(older).collect();
        let table = ParquetReader::new(std::fs::File::open(file.path()).unwrap()).finish().unwrap();
        let old_file = tempfile::NamedTempFile::new().unwrap();
        let columns = table.drop_many(OPTIONAL).columns().to_vec();
        std::fs::write(old_file.path(), frame::encode(columns).unwrap()).unwrap();
        assert_eq!(decode(old_file.path()).unwrap(), older);
        let select = SelectSpec {
            surrogates: vec!["a".to_owned()],
            rule: "all".parse().unwrap(),
            label_space: LabelSpace::Masked,
            max_true_prob: 0.5,
            max_margin: 0.0,
            near_tie: 0.0,
        };
        for images in [&[0, 1, 2, 3][..], &[0, 1, 2, 3, 9]] {
            let votes = read_votes(file.path(), &select, images).unwrap();
            assert_eq!((votes.item_id, votes.top1_id, votes.correct), (vec![0, 1, 2, 3], vec![2; 4], vec![false; 4]));
            assert_eq!(votes.true_prob, [0.25; 4]);
        }
    }
}
