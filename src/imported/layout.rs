//! Which columns of a file of predictions name the image, and which have its scores.
//!
//! Names are those that people's programs write; a column that is not one of them is passed over.

use super::class_names::{ClassNames, Named};
use crate::domain::{ImportedModel, ImportedScores};
use crate::input::{CellKind, ColumnInfo};

/// By what a row names its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The SHA-256 of the image's file.
    Sha256,
    /// Its path.
    Path,
    /// The number of the item.
    Item,
}

const KEYS: [(KeyKind, &[&str]); 3] = [
    (KeyKind::Sha256, &["sha256", "image_sha256"]),
    (KeyKind::Path, &["path", "file", "filename", "file_name", "image", "image_path", "img"]),
    (KeyKind::Item, &["item_id", "item"]),
];
const ALL_SCORES: [&str; 8] = ["logits", "probs", "probabilities", "scores", "softmax", "outputs", "logit", "prob"];
const TOP_CLASSES: [&str; 6] = ["top5_ids", "top_ids", "top_classes", "topk", "classes", "top_k"];
const TOP_SCORES: [&str; 6] = ["top5_probs", "top_probs", "top_scores", "topk_probs", "probs", "scores"];
const ONE_CLASS: [&str; 5] = ["prediction", "predicted", "pred", "top1_id", "class"];
const ONE_SCORE: [&str; 5] = ["prob", "probability", "confidence", "score", "top1_prob"];
/// Classes that are named in a message.
const NAMED: usize = 3;

/// A column to read: its place in the file, and as what.
pub type Wanted = (usize, CellKind);

/// The columns of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    /// By what rows name images.
    pub key: KeyKind,
    /// The column that does.
    pub key_column: usize,
    /// The columns with scores.
    pub scores: ScoreColumns,
}

/// The columns with the scores of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreColumns {
    /// One column for each class, in the order of the space.
    PerClass(Vec<usize>),
    /// One column of lists with a number for each class.
    List(usize),
    /// Columns of classes, likeliest first, each with that of its probability.
    Top(Vec<(usize, Option<usize>)>),
    /// A column of lists of classes, and that of their probabilities.
    TopLists(usize, Option<usize>),
}

impl ScoreColumns {
    /// Whether classes are named, in cells or by columns, and not by their place in a list.
    pub fn are_named(&self) -> bool {
        !matches!(self, Self::List(_))
    }
}

impl Layout {
    /// Finds the columns of a file; the error says what is missing.
    pub fn of(columns: &[ColumnInfo], model: &ImportedModel, names: &ClassNames) -> Result<Self, String> {
        let (key, key_column) = key(columns)?;
        let scores = match model.scores {
            ImportedScores::TopK => top(columns, model)?,
            ImportedScores::Logits | ImportedScores::Probabilities => all(columns, model, names, key_column)?,
        };
        Ok(Self { key, key_column, scores })
    }

    /// The columns to read, the key's first.
    pub fn wanted(&self) -> Vec<Wanted> {
        let mut wanted = vec![(self.key_column, CellKind::Text)];
        match &self.scores {
            ScoreColumns::PerClass(columns) => wanted.extend(columns.iter().map(|&at| (at, CellKind::Number))),
            ScoreColumns::List(column) => wanted.push((*column, CellKind::Numbers)),
            ScoreColumns::Top(pairs) => {
                for (class, score) in pairs {
                    wanted.push((*class, CellKind::Text));
                    wanted.extend(score.map(|score| (score, CellKind::Number)));
                }
            }
            ScoreColumns::TopLists(classes, scores) => {
                wanted.push((*classes, CellKind::Texts));
                wanted.extend(scores.map(|scores| (scores, CellKind::Numbers)));
            }
        }
        wanted
    }
}

/// The place of the first of `names` that a column has, in a file with columns of lists or of single cells.
fn find(columns: &[ColumnInfo], names: &[&str], is_list: bool) -> Option<usize> {
    let place = |name: &&str| {
        columns.iter().position(|column| column.is_list == is_list && column.name.trim().eq_ignore_ascii_case(name))
    };
    names.iter().find_map(place)
}

fn key(columns: &[ColumnInfo]) -> Result<(KeyKind, usize), String> {
    for (kind, names) in KEYS {
        if let Some(place) = find(columns, names, false) {
            return Ok((kind, place));
        }
    }
    Err(format!(
        "it has no column that names the image; known names are sha256, path, file, image and item_id; its columns are \
         {}",
        some_names(columns)
    ))
}

fn all(columns: &[ColumnInfo], model: &ImportedModel, names: &ClassNames, key: usize) -> Result<ScoreColumns, String> {
    if let Some(wanted) = &model.column {
        let place = columns.iter().position(|column| column.name == *wanted && column.is_list);
        let lacks =
            || format!("it has no column of lists `{wanted}` (output.name); its columns are {}", some_names(columns));
        return place.map(ScoreColumns::List).ok_or_else(lacks);
    }
    if let Some(place) = find(columns, &ALL_SCORES, true) {
        return Ok(ScoreColumns::List(place));
    }
    let mut of_class = vec![None; names.len()];
    for (place, column) in columns.iter().enumerate().filter(|(place, column)| *place != key && !column.is_list) {
        let Some(Named::Class(class)) = names.column(column.name.trim()) else { continue };
        if let Some(before) = of_class[class as usize].replace(place) {
            let [a, b] = [before, place].map(|at| columns[at].name.clone());
            return Err(format!("its columns `{a}` and `{b}` are both of class {class}; remove one"));
        }
    }
    let missing: Vec<String> =
        of_class.iter().enumerate().filter(|(_, place)| place.is_none()).map(|(class, _)| class.to_string()).collect();
    if missing.is_empty() {
        return Ok(ScoreColumns::PerClass(of_class.into_iter().flatten().collect()));
    }
    let (count, all) = (missing.len(), names.len());
    Err(format!(
        "it has no column for {count} of the {all} classes ({}{}); it needs one for each, named by index, id or name, \
         or a column of lists such as `logits`; its columns are {}. For the likeliest classes alone, write \
         output.kind = \"top-k\" (as an option, --scores top-k)",
        missing[..count.min(NAMED)].join(", "),
        if count > NAMED { ", …" } else { "" },
        some_names(columns)
    ))
}

fn top(columns: &[ColumnInfo], model: &ImportedModel) -> Result<ScoreColumns, String> {
    let lists = match &model.column {
        Some(name) => columns.iter().position(|column| column.name == *name && column.is_list),
        None => find(columns, &TOP_CLASSES, true),
    };
    if let Some(classes) = lists {
        return Ok(ScoreColumns::TopLists(classes, find(columns, &TOP_SCORES, true)));
    }
    let mut pairs = Vec::new();
    for rank in 1.. {
        let named = |forms: &[&str]| {
            let names: Vec<String> = forms.iter().map(|form| form.replace('#', &rank.to_string())).collect();
            find(columns, &names.iter().map(String::as_str).collect::<Vec<_>>(), false)
        };
        let class = named(&["top#", "top#_id", "top#_class", "top_#", "class#", "class_#", "pred#", "pred_#"]);
        let Some(class) = class else { break };
        pairs.push((class, named(&["prob#", "prob_#", "top#_prob", "top#_score", "score#", "score_#", "p#"])));
    }
    if pairs.is_empty() {
        pairs.extend(find(columns, &ONE_CLASS, false).map(|class| (class, find(columns, &ONE_SCORE, false))));
    }
    if pairs.is_empty() {
        return Err(format!(
            "it has no column with a class; known names are top1, top2, … with prob1, prob2, …, prediction with prob, \
             and lists top_ids with top_probs; its columns are {}",
            some_names(columns)
        ));
    }
    Ok(ScoreColumns::Top(pairs))
}

fn some_names(columns: &[ColumnInfo]) -> String {
    const MOST: usize = 12;
    let names: Vec<String> = columns.iter().take(MOST).map(|column| format!("`{}`", column.name)).collect();
    let more = if columns.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ClassSpace, PinnedFile, Sha256};
    use std::collections::BTreeMap;

    /// The layout of a file with these columns, `[x]` for one of lists, or a part of the reason why it has none.
    fn check(scores: ImportedScores, columns: &str, expected: Result<(KeyKind, ScoreColumns), &str>) {
        let file = PinnedFile { path: "x".into(), bytes: 0, sha256: Sha256::of(b"") };
        let model = ImportedModel { file, scores, offset: 0, column: None };
        let classes = ["mug", "cup"].map(str::to_owned).to_vec();
        let space = ClassSpace { name: "x".into(), sha256: None, classes, ids: Vec::new(), accepts: BTreeMap::new() };
        let column = |name: &str| {
            let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            ColumnInfo { name: inner.unwrap_or(name).to_owned(), is_list: inner.is_some() }
        };
        let columns: Vec<ColumnInfo> = columns.split(' ').map(column).collect();
        match (Layout::of(&columns, &model, &ClassNames::of(&space, 0)), expected) {
            (Ok(layout), Ok((key, scores))) => assert_eq!((layout.key, layout.scores), (key, scores)),
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn scores_of_all_classes_are_found_in_columns_and_in_lists() {
        use ImportedScores::Logits;
        check(Logits, "Path label cup mug", Ok((KeyKind::Path, ScoreColumns::PerClass(vec![3, 2]))));
        check(Logits, "item_id logit_0 logit_1", Ok((KeyKind::Item, ScoreColumns::PerClass(vec![1, 2]))));
        check(Logits, "item_id path sha256 [logits]", Ok((KeyKind::Sha256, ScoreColumns::List(3))));
        check(Logits, "path cup", Err("no column for 1 of the 2 classes (0)"));
        check(Logits, "path cup mug prob_mug", Err("`mug` and `prob_mug` are both of class 0"));
        check(Logits, "mug cup", Err("no column that names the image"));
    }

    #[test]
    fn the_likeliest_classes_are_found_in_columns_and_in_lists() {
        use ImportedScores::TopK;
        let two = ScoreColumns::Top(vec![(1, Some(2)), (3, Some(4))]);
        check(TopK, "path top1 prob1 top2 prob2", Ok((KeyKind::Path, two.clone())));
        check(TopK, "path top1_id top1_prob top2_id top2_prob", Ok((KeyKind::Path, two)));
        check(TopK, "file prediction", Ok((KeyKind::Path, ScoreColumns::Top(vec![(1, None)]))));
        check(TopK, "path [top_ids] [top_probs]", Ok((KeyKind::Path, ScoreColumns::TopLists(1, Some(2)))));
        check(TopK, "path label", Err("no column with a class"));
    }
}
