//! Files of predictions that other programs have made: Parquet, CSV, and numpy's archives -> rows of scores.
//!
//! Does not know which images there are: the caller matches rows to items. Holds always: a file is read once, in
//! blocks, because it may be larger than the memory; a row that cannot be used costs itself, and says why.

mod blocks;
mod class_names;
mod delimited;
mod error;
mod layout;
mod npy;
mod npz;
mod parquet;

use std::path::Path;

use crate::domain::{ClassSpace, ImportedModel};
use crate::input::Cells;
use blocks::Blocks;
use class_names::{ClassNames, Named};
use layout::{Layout, ScoreColumns};

pub use error::ImportError;
pub use layout::KeyKind;

/// Most of the likeliest classes that are kept of a row.
pub const MOST_LISTED: usize = 16;

/// A row of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow<'a> {
    /// Its number, as people know it: a line of a CSV, else counted from 0.
    pub number: u64,
    /// What names the image.
    pub key: &'a str,
    /// Its scores, or why they cannot be used.
    pub scores: Result<RowScores<'a>, RowProblem>,
}

/// The scores of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowScores<'a> {
    /// A number for each class of the space, in its order, behind those of extra classes ([`ScoreFile::width`]).
    All(&'a [f32]),
    /// The likeliest classes with their probabilities, at most [`MOST_LISTED`].
    Listed(&'a [(u32, f32)]),
}

/// Why the scores of a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// A score is missing, no number, NaN or infinite.
    #[error("its score of class {0} is missing or not a finite number")]
    NotFinite(u32),
    /// A list has another length.
    #[error("it has {found} scores, but the space has {wanted} classes")]
    Length {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A class is not one of the space.
    #[error("its class number {0} of the likeliest is no class of the space, or two classes have that name")]
    UnknownClass(usize),
    /// A class is listed twice.
    #[error("it lists class {0} twice")]
    Twice(u32),
    /// It lists no class.
    #[error("it lists no class")]
    Nothing,
}

/// Opens a file of predictions.
pub struct ScoreFile {
    blocks: Box<dyn Blocks>,
    layout: Layout,
    names: ClassNames,
}

impl ScoreFile {
    /// Opens the file of `model`, whose scores are over the classes of `space`, and finds its columns.
    pub fn open(model: &ImportedModel, space: &ClassSpace) -> Result<Self, ImportError> {
        let path = &model.file.path;
        let blocks = blocks_of(path)?;
        let names = ClassNames::of(space, model.offset);
        let layout = Layout::of(blocks.columns(), model, &names)
            .and_then(
                |layout| if layout.scores.are_named() { names.unmistakable().map(|()| layout) } else { Ok(layout) },
            )
            .map_err(|problem| ImportError::file(&path.display().to_string(), problem))?;
        Ok(Self { blocks, layout, names })
    }

    /// By what its rows name images.
    pub fn key(&self) -> KeyKind {
        self.layout.key
    }

    /// Numbers in a row of all classes: those of the space, behind extra ones if the file has them.
    pub fn width(&self) -> usize {
        match self.layout.scores {
            ScoreColumns::List(_) => self.names.width(),
            ScoreColumns::PerClass(_) | ScoreColumns::Top(_) | ScoreColumns::TopLists(..) => self.names.len(),
        }
    }

    /// Gives all rows to `each`, in the file's order, until it fails.
    pub fn read<E: From<ImportError>>(mut self, mut each: impl FnMut(&ScoreRow) -> Result<(), E>) -> Result<(), E> {
        self.blocks.select(self.layout.wanted())?;
        let mut next = self.blocks.first_row();
        let (mut all, mut listed) = (Vec::new(), Vec::new());
        while let Some(block) = self.blocks.next()? {
            let Some((Cells::Text(keys), columns)) = block.split_first() else { return Ok(()) };
            for (at, key) in keys.iter().enumerate() {
                let scores = match &self.layout.scores {
                    ScoreColumns::PerClass(_) => per_class(columns, at, &mut all).map(|()| RowScores::All(&all)),
                    ScoreColumns::List(_) => list(columns, at, &self.names, &mut all).map(|()| RowScores::All(&all)),
                    ScoreColumns::Top(pairs) => {
                        let cells = top_cells(pairs, columns, at);
                        top(cells, &self.names, &mut listed).map(|()| RowScores::Listed(&listed))
                    }
                    ScoreColumns::TopLists(..) => {
                        top(list_cells(columns, at), &self.names, &mut listed).map(|()| RowScores::Listed(&listed))
                    }
                };
                let number = self.blocks.lines().get(at).copied().unwrap_or(next);
                each(&ScoreRow { number, key, scores })?;
                next += 1;
            }
        }
        Ok(())
    }
}

/// By the file's first bytes, because its name may say anything.
fn blocks_of(path: &Path) -> Result<Box<dyn Blocks>, ImportError> {
    use std::io::Read;
    let mut start = Vec::new();
    let file = path.display().to_string();
    delimited::open(path)?.take(4).read_to_end(&mut start).map_err(ImportError::read(&file))?;
    Ok(match start.as_slice() {
        b"PAR1" => Box::new(parquet::ParquetBlocks::open(path)?),
        [b'P', b'K', ..] => Box::new(npz::NpzBlocks::open(path)?),
        [0x93, b'N', ..] => {
            let problem =
                "is one array without the names of its images; save both with numpy.savez(file, path=…, logits=…)";
            return Err(ImportError::file(&file, problem));
        }
        _ => Box::new(delimited::DelimitedBlocks::open(path)?),
    })
}

fn finite(scores: &[f32]) -> Result<(), RowProblem> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(class) => Err(RowProblem::NotFinite(class as u32)),
        None => Ok(()),
    }
}

fn per_class(columns: &[Cells], at: usize, scores: &mut Vec<f32>) -> Result<(), RowProblem> {
    scores.clear();
    for column in columns {
        scores.push(if let Cells::Number(numbers) = column { numbers[at] } else { f32::NAN });
    }
    finite(scores)
}

fn list(columns: &[Cells], at: usize, names: &ClassNames, scores: &mut Vec<f32>) -> Result<(), RowProblem> {
    scores.clear();
    let [Cells::Numbers(lists)] = columns else { return Err(RowProblem::Nothing) };
    let (found, wanted) = (lists[at].len(), names.width());
    if found != wanted {
        return Err(RowProblem::Length { found, wanted });
    }
    scores.extend(&lists[at]);
    finite(scores)
}

/// A class as a cell names it, and its probability.
type TopCell<'a> = (&'a str, Option<f32>);

/// The cells of columns `top1, prob1, top2, …`; the first empty class ends them.
fn top_cells<'a>(pairs: &[(usize, Option<usize>)], columns: &'a [Cells], at: usize) -> Vec<TopCell<'a>> {
    let (mut cells, mut columns) = (Vec::with_capacity(pairs.len()), columns.iter());
    for (_, score) in pairs {
        let class = if let Some(Cells::Text(classes)) = columns.next() { classes[at].as_str() } else { "" };
        let score = score.and_then(|_| columns.next()).map(|column| match column {
            Cells::Number(numbers) => numbers[at],
            _ => f32::NAN,
        });
        if class.is_empty() {
            break;
        }
        cells.push((class, score));
    }
    cells
}

fn list_cells(columns: &[Cells], at: usize) -> Vec<TopCell<'_>> {
    let Some(Cells::Texts(classes)) = columns.first() else { return Vec::new() };
    let scores = match columns.get(1) {
        Some(Cells::Numbers(scores)) => Some(&scores[at]),
        _ => None,
    };
    let score = |place: usize| scores.map(|scores| scores.get(place).copied().unwrap_or(f32::NAN));
    classes[at].iter().enumerate().map(|(place, class)| (class.as_str(), score(place))).collect()
}

/// Classes without probabilities get halves by their ranks, because their order is all that is known.
fn top(cells: Vec<TopCell>, names: &ClassNames, listed: &mut Vec<(u32, f32)>) -> Result<(), RowProblem> {
    listed.clear();
    let count = cells.len();
    for (rank, (text, score)) in cells.into_iter().enumerate() {
        let class = match names.cell(text) {
            Some(Named::Class(class)) => class,
            Some(Named::Extra) => continue,
            None => return Err(RowProblem::UnknownClass(rank + 1)),
        };
        let score = score.unwrap_or_else(|| falling(rank, count));
        if !score.is_finite() || score < 0.0 {
            return Err(RowProblem::NotFinite(class));
        }
        if listed.iter().any(|&(known, _)| known == class) {
            return Err(RowProblem::Twice(class));
        }
        listed.push((class, score));
    }
    // Programs list the likeliest classes in any order; of equal ones the first stays first.
    listed.sort_by(|a, b| b.1.total_cmp(&a.1));
    listed.truncate(MOST_LISTED);
    if listed.is_empty() { Err(RowProblem::Nothing) } else { Ok(()) }
}

/// Halves: of two classes 2/3 and 1/3, of three 4/7, 2/7 and 1/7.
fn falling(rank: usize, count: usize) -> f32 {
    (0.5_f64.powi(rank as i32 + 1) / (1.0 - 0.5_f64.powi(count as i32))) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_without_probabilities_fall_and_sum_to_1() {
        assert_eq!(falling(0, 1), 1.0);
        assert!((0..5).map(|rank| falling(rank, 5)).sum::<f32>() - 1.0 < 1e-6);
        assert!(falling(0, 5) > falling(1, 5));
    }
}
