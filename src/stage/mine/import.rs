//! The scores of an imported scorer, by item: a file of predictions is read once and matched to the images of the run.
//!
//! Holds always: memory does not grow with the scores, which wait in a file without a name; a row costs itself alone,
//! and every image without a usable row has a reason.

use std::collections::BTreeMap;

use super::MineError;
use crate::domain::{ClassSpace, ImageRow, ImportedModel, ImportedScores, ItemId, Outcome, ProbKind, Scores, Sha256};
use crate::imported::{ImportError, KeyKind, MOST_LISTED, RowProblem, RowScores, ScoreFile, ScoreRow};
use crate::input::comparable_path;
use crate::pool::Pool;
use crate::source::source;
use crate::stats::{scores_of_logits, scores_of_probabilities};
use crate::store::Scratch;

/// Rows that are named in a note.
const NAMED: usize = 3;
/// Above this, a number is no probability; below it, rounding may have made it.
const LARGEST: f32 = 1.0001;

/// See the module.
pub struct Imported {
    name: String,
    scores: ImportedScores,
    classes: usize,
    /// Numbers of a row.
    width: usize,
    scratch: Scratch,
    /// By item: the row that has its scores, plus one; 0 for none.
    rows: Vec<u32>,
    /// By item: what is wrong with its rows.
    problems: BTreeMap<u32, String>,
    sums: Sums,
}

/// Sums of rows that are declared as probabilities of one choice.
#[derive(Default)]
struct Sums {
    rows: u64,
    total: f64,
}

impl Sums {
    fn add(&mut self, sum: f64) {
        self.rows += 1;
        self.total += sum;
    }

    fn note(&self, name: &str) -> Option<String> {
        let mean = self.total / self.rows.max(1) as f64;
        (self.rows > 0 && !(0.9..=1.1).contains(&mean)).then(|| {
            format!(
                "warning: surrogate `{name}`: the probabilities of an image sum to {mean:.2} on average, not to 1; are \
                 they logits, or those of a sigmoid? true_prob, margin and near ties are not to be trusted"
            )
        })
    }
}

impl Imported {
    /// Reads the file of the scorer `name`.
    pub fn read(pool: &Pool, name: &str, model: &ImportedModel, space: &ClassSpace) -> Result<Self, MineError> {
        let ctx = pool.ctx();
        let path = model.file.path.display().to_string();
        let refuse = |source: ImportError| MineError::Import { name: name.to_owned(), source };
        let file = ScoreFile::open(model, space).map_err(refuse)?;
        if file.key() == KeyKind::Path && source(&pool.spec().generate).folder().is_none() {
            let problem = "it names images by their paths, but the images of this run have none of their own: add a \
                           column item_id, or sha256 of the image";
            return Err(refuse(ImportError::File { file: path, problem: problem.to_owned() }));
        }
        let keys = Keys::of(pool, file.key())?;
        let width = match model.scores {
            ImportedScores::TopK => 2 * MOST_LISTED,
            ImportedScores::Logits | ImportedScores::Probabilities => file.width(),
        };
        let mut imported = Self {
            name: name.to_owned(),
            scores: model.scores,
            classes: space.len(),
            width,
            scratch: Scratch::create(ctx.run.path(), 4 * width)?,
            rows: vec![0; keys.items],
            problems: BTreeMap::new(),
            sums: Sums::default(),
        };
        ctx.progress.note(&format!("reading the predictions of {name} from {path}"));
        let mut strangers = Strangers::default();
        file.read(|row| {
            if row.number.is_multiple_of(1 << 16) {
                ctx.check_stop()?;
            }
            match keys.items_of(row.key) {
                [] => strangers.add(row),
                items => {
                    for &(_, item) in items {
                        imported.put(item, row)?;
                    }
                }
            }
            Ok::<(), Stopped>(())
        })
        .map_err(|stopped| match stopped {
            Stopped::Import(source) => MineError::Import { name: name.to_owned(), source },
            Stopped::Mine(error) => *error,
        })?;
        imported.scratch.flush()?;
        if imported.rows.iter().all(|&row| row == 0) && imported.problems.is_empty() {
            let (key, wanted, remedy) = (strangers.first(), keys.example.clone(), keys.remedy());
            return Err(MineError::NoRowMatches { name: name.to_owned(), file: path, key, wanted, remedy });
        }
        if let Some(reason) = imported.no_row_fits() {
            return Err(MineError::NoRowFits { name: name.to_owned(), file: path, reason });
        }
        imported.sums.note(name).iter().for_each(|note| ctx.progress.note(note));
        strangers.note(&path).iter().for_each(|note| ctx.progress.note(note));
        Ok(imported)
    }

    /// What is wrong with one of the rows, if no item has a row that can be used.
    fn no_row_fits(&self) -> Option<String> {
        let (_, problem) = self.problems.first_key_value()?;
        for (item, row) in self.rows.iter().enumerate() {
            if *row != 0 && !self.problems.contains_key(&(item as u32)) {
                return None;
            }
        }
        Some(problem.clone())
    }

    /// Keeps the scores of a row.
    fn put(&mut self, item: u32, row: &ScoreRow) -> Result<(), MineError> {
        let before = self.rows[item as usize];
        if before != 0 {
            let problem = format!("rows {} and {} are both of it; keep one", before - 1, row.number);
            self.problems.insert(item, problem);
            return Ok(());
        }
        self.rows[item as usize] = u32::try_from(row.number + 1).unwrap_or(u32::MAX);
        let numbers: Vec<f32> = match row.scores {
            Ok(RowScores::All(scores)) => scores.to_vec(),
            // A class as the bits of a number.
            Ok(RowScores::Listed(listed)) => {
                listed.iter().flat_map(|&(class, prob)| [f32::from_bits(class + 1), prob]).collect()
            }
            Err(problem) => {
                self.problems.insert(item, problem_of(row.number, &problem));
                return Ok(());
            }
        };
        if let (Ok(RowScores::All(probs)), ImportedScores::Probabilities) = (&row.scores, self.scores) {
            self.sums.add(probs.iter().map(|prob| f64::from(*prob)).sum());
        }
        if let Some(problem) = self.no_probability(&row.scores) {
            self.problems.insert(item, format!("row {}: {problem}", row.number));
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_bits().to_le_bytes()).collect();
        Ok(self.scratch.put(item, &bytes)?)
    }

    /// What is wrong with numbers that are declared as probabilities.
    fn no_probability(&self, scores: &Result<RowScores, RowProblem>) -> Option<String> {
        let is_none = |prob: &f32| !(0.0..=LARGEST).contains(prob);
        let found = match (scores, self.scores) {
            (Ok(RowScores::All(probs)), ImportedScores::Probabilities) => probs.iter().copied().find(is_none),
            (Ok(RowScores::Listed(listed)), _) => listed.iter().map(|&(_, prob)| prob).find(is_none),
            _ => None,
        };
        found.map(|number| format!("it gives {number} as a probability; is output.kind \"logits\"?"))
    }

    /// The scores of some images of one shard, in order.
    pub fn scores(&self, images: &[ImageRow]) -> Result<Vec<Outcome<Scores>>, MineError> {
        let (Some(first), Some(last)) = (images.first(), images.last()) else { return Ok(Vec::new()) };
        let start = first.item_id.0;
        let bytes = self.scratch.get(start..last.item_id.0 + 1)?;
        let row_bytes = 4 * self.width;
        let mut outcomes = Vec::with_capacity(images.len());
        for ImageRow { item_id: ItemId(item), .. } in images {
            outcomes.push(match (self.problems.get(item), self.rows.get(*item as usize)) {
                (Some(problem), _) => Outcome::Failed(problem.clone()),
                (None, None | Some(0)) => {
                    Outcome::Dropped(format!("surrogate `{}`: the file of predictions has no row for it", self.name))
                }
                (None, Some(_)) => {
                    let at = (item - start) as usize * row_bytes;
                    Outcome::Kept(self.scores_of(&bytes[at..at + row_bytes]))
                }
            });
        }
        Ok(outcomes)
    }

    fn scores_of(&self, bytes: &[u8]) -> Scores {
        let bits = bytes.as_chunks::<4>().0.iter().map(|four| u32::from_le_bytes(*four));
        let extra = self.width.saturating_sub(self.classes);
        match self.scores {
            ImportedScores::Logits => scores_of_logits(&bits.map(f32::from_bits).collect::<Vec<f32>>(), extra),
            ImportedScores::Probabilities => {
                scores_of_probabilities(&bits.map(f32::from_bits).collect::<Vec<f32>>(), extra)
            }
            ImportedScores::TopK => {
                let words: Vec<u32> = bits.collect();
                let mut probs = vec![0.0; self.classes];
                for [class, prob] in words.as_chunks::<2>().0 {
                    if let Some(place) = (*class as usize).checked_sub(1).and_then(|class| probs.get_mut(class)) {
                        // A listed class is known, also with a probability of 0.
                        *place = f32::from_bits(*prob).max(f32::MIN_POSITIVE);
                    }
                }
                Scores { probs, kind: ProbKind::Listed, logits: None, max_logit: None, energy: None }
            }
        }
    }
}

fn problem_of(row: u64, problem: &RowProblem) -> String {
    format!("row {row} of the file of predictions: {problem}")
}

/// Why reading a file ended.
enum Stopped {
    Import(ImportError),
    Mine(Box<MineError>),
}

impl From<ImportError> for Stopped {
    fn from(error: ImportError) -> Self {
        Self::Import(error)
    }
}

impl<E: Into<MineError>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Mine(Box::new(error.into()))
    }
}

/// By what rows name the images of a run.
struct Keys {
    kind: KeyKind,
    /// Short hashes of keys with their items, sorted; several images may have one hash.
    sorted: Vec<([u8; 16], u32)>,
    /// The folder that a path may begin with, with `/` at its end.
    root: String,
    /// How many items the plan has.
    items: usize,
    /// A key that would do.
    example: String,
}

impl Keys {
    fn of(pool: &Pool, kind: KeyKind) -> Result<Self, MineError> {
        let folder = source(&pool.spec().generate).folder().map(|folder| folder.to_string_lossy().into_owned());
        let mut keys = Self {
            kind,
            sorted: Vec::new(),
            root: folder.map_or_else(String::new, |folder| format!("{}/", comparable_path(&folder))),
            items: pool.plan().ranges.last().map_or(0, |range| range.end),
            example: String::new(),
        };
        for shard in 0..pool.shards() {
            pool.ctx().check_stop()?;
            for row in pool.image_rows(shard)?.iter() {
                if keys.sorted.is_empty() {
                    keys.example = match kind {
                        KeyKind::Sha256 => row.sha256.to_string(),
                        KeyKind::Path => row.path.clone(),
                        KeyKind::Item => row.item_id.0.to_string(),
                    };
                }
                keys.sorted.push((keys.key_of_image(row), row.item_id.0));
            }
        }
        keys.sorted.sort_unstable();
        Ok(keys)
    }

    fn remedy(&self) -> &'static str {
        match self.kind {
            KeyKind::Sha256 => "sha256 is the hash of an image's file, 64 digits",
            KeyKind::Path => "write the paths as they are below the folder of images, or the SHA-256 of the files",
            KeyKind::Item => "item_id is the number of the item in the plan of this run, from 0",
        }
    }

    fn key_of_image(&self, row: &ImageRow) -> [u8; 16] {
        match self.kind {
            KeyKind::Sha256 => short(row.sha256),
            KeyKind::Path => short(Sha256::of(comparable_path(&row.path).as_bytes())),
            KeyKind::Item => of_number(row.item_id.0),
        }
    }

    /// The items of the images that a cell names.
    fn items_of(&self, cell: &str) -> &[([u8; 16], u32)] {
        let key = match self.kind {
            KeyKind::Sha256 => Sha256::try_from(cell.to_ascii_lowercase()).ok().map(short),
            KeyKind::Path => {
                let path = comparable_path(cell);
                let path = path.strip_prefix(&self.root).filter(|_| !self.root.is_empty()).unwrap_or(&path);
                Some(short(Sha256::of(path.as_bytes())))
            }
            KeyKind::Item => cell.strip_suffix(".0").unwrap_or(cell).parse().ok().map(of_number),
        };
        let Some(key) = key else { return &[] };
        let start = self.sorted.partition_point(|(known, _)| *known < key);
        let count = self.sorted[start..].partition_point(|(known, _)| *known == key);
        &self.sorted[start..start + count]
    }
}

/// Half a hash: two of ten million differ in it but for one chance in 10^24.
fn short(hash: Sha256) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash.bytes()[..16]);
    short
}

fn of_number(item: u32) -> [u8; 16] {
    u128::from(item).to_be_bytes()
}

/// Rows of no image of the run.
#[derive(Default)]
struct Strangers {
    count: u64,
    named: Vec<String>,
}

impl Strangers {
    fn add(&mut self, row: &ScoreRow) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(format!("`{}` (row {})", row.key, row.number));
        }
    }

    fn first(&self) -> String {
        self.named.first().cloned().unwrap_or_else(|| "none".to_owned())
    }

    fn note(&self, file: &str) -> Option<String> {
        let more = if self.count > NAMED as u64 { ", …" } else { "" };
        let named = self.named.join(", ");
        (self.count > 0).then(|| format!("{file}: {} row(s) are of no image of this run: {named}{more}", self.count))
    }
}
