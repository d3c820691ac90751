//! Tables of accuracies of standard models, the reference of effective robustness: the testbed's, which is built in,
//! and files of the same columns that people give.
//!
//! Columns: `model`, `type` (`standard`, or anything else), `excluded_name` (0 or 1; without the column by the rule of
//! the testbed), and one for each set of images, with accuracies in percent; an empty cell means that the model was
//! not run. Fits nothing: that is `stats::standard_fit`.
//!
//! Holds always: a message names file, line and column, because such files come from spreadsheets; a model is in a
//! table once; every accuracy is a share in [0, 1].

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::Sha256;
use crate::input::{self, Delimited, cell};

/// Facts: accuracies of `robustness_top1s.csv`, modestyachts/imagenet-testbed, commit 0170eec.
const TESTBED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/standard-models/imagenet-testbed.csv"));
const TESTBED_NAME: &str = "built-in standard-models/imagenet-testbed.csv";
/// The training type of models that a line is fitted through.
const STANDARD: &str = "standard";
/// Names that the testbed's table code leaves out of its fits: trained elsewhere, or in parts.
const EXCLUDED: [&str; 3] = ["aws", "batch64", "subsample"];
const COLUMNS: [&str; 2] = ["model", "type"];
const EXCLUDED_COLUMN: &str = "excluded_name";

/// A shift of the testbed: which column holds accuracies under it, and which those of the same classes without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// Its name: `imagenetv2-mf`, …
    pub name: &'static str,
    /// Column of the standard set.
    pub standard: &'static str,
    /// Column of the shifted set.
    pub shift: &'static str,
    /// Images of the standard set.
    pub n_standard: u64,
    /// Images of the shifted set.
    pub n_shift: u64,
}

/// The testbed's shifts. ImageNet-Sketch has 50,889 images, not the 50,000 that the testbed states: all of its
/// accuracies are whole counts of that.
pub const SHIFTS: [Shift; 5] = [
    Shift {
        name: "imagenetv2-mf",
        standard: "val",
        shift: "imagenetv2-matched-frequency-format-val",
        n_standard: 50_000,
        n_shift: 10_000,
    },
    Shift {
        name: "objectnet",
        standard: "val-on-objectnet-classes",
        shift: "objectnet-1.0-beta",
        n_standard: 6_250,
        n_shift: 18_514,
    },
    Shift { name: "imagenet-sketch", standard: "val", shift: "imagenet-sketch", n_standard: 50_000, n_shift: 50_889 },
    Shift {
        name: "imagenet-r",
        standard: "val-on-imagenet-r-classes",
        shift: "imagenet-r",
        n_standard: 10_000,
        n_shift: 30_000,
    },
    Shift {
        name: "imagenet-a",
        standard: "val-on-imagenet-a-classes",
        shift: "imagenet-a",
        n_standard: 10_000,
        n_shift: 7_500,
    },
];

/// A table of accuracies.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardModels {
    /// Hash of the file.
    pub sha256: Sha256,
    /// The file, for messages.
    pub file: String,
    /// Columns of accuracies, in the order of the file.
    pub settings: Vec<String>,
    /// Models, in the order of the file.
    pub models: Vec<StandardModel>,
}

/// One model of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardModel {
    /// Its name.
    pub model: String,
    /// How it was trained: `standard`, `more_data`, …
    pub training: String,
    /// Whether its name keeps it out of the fit.
    pub excluded_name: bool,
    /// Accuracies by column, as shares in [0, 1]; a set that it was not run on is missing.
    pub accuracies: BTreeMap<String, f64>,
}

/// Accuracies of one model with and without a shift.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardPoint {
    /// Its name.
    pub model: String,
    /// Whether a line is fitted through it.
    pub in_fit: bool,
    /// Accuracy on the standard set, a share.
    pub clean: f64,
    /// Accuracy on the shifted set, a share.
    pub shift: f64,
}

/// Why a table of standard models cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StandardError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A line is not valid.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The problem and what to write instead.
        problem: String,
    },
    /// No column of that name.
    #[error("{file} has no column `{setting}`; its columns of accuracies: {known}")]
    NoSetting {
        /// The file.
        file: String,
        /// The column.
        setting: String,
        /// The columns.
        known: String,
    },
}

/// The table in `file`; without one the testbed's.
pub fn standard_models(file: Option<&Path>) -> Result<StandardModels, StandardError> {
    let Some(path) = file else { return parse(TESTBED_NAME, TESTBED.as_bytes()) };
    let file = path.display().to_string();
    match input::read(path, input::TABLE_BYTES) {
        Ok(bytes) => parse(&file, &bytes),
        Err(source) => Err(StandardError::Read { file, source }),
    }
}

impl StandardModels {
    /// The models that were run on both columns, in the order of the file.
    pub fn points(&self, standard: &str, shift: &str) -> Result<Vec<StandardPoint>, StandardError> {
        for setting in [standard, shift] {
            if !self.settings.iter().any(|known| known == setting) {
                let known = self.settings.join(", ");
                return Err(StandardError::NoSetting { file: self.file.clone(), setting: setting.to_owned(), known });
            }
        }
        let point = |model: &StandardModel| {
            let accuracy = |setting: &str| model.accuracies.get(setting).copied();
            let (clean, shift) = (accuracy(standard)?, accuracy(shift)?);
            Some(StandardPoint { model: model.model.clone(), in_fit: model.in_fit(), clean, shift })
        };
        Ok(self.models.iter().filter_map(point).collect())
    }
}

impl StandardModel {
    /// Whether a line is fitted through it: trained in the standard way, and not left out by its name.
    pub fn in_fit(&self) -> bool {
        self.training == STANDARD && !self.excluded_name
    }
}

/// Where the columns of a table are.
struct Header {
    model: usize,
    training: usize,
    excluded: Option<usize>,
    /// Place and name of each column of accuracies.
    settings: Vec<(usize, String)>,
    /// Cells of the header.
    width: usize,
}

fn parse(file: &str, bytes: &[u8]) -> Result<StandardModels, StandardError> {
    let refuse = |line: u64, problem: String| StandardError::Line { file: file.to_owned(), line, problem };
    let table = Delimited::new(bytes).map_err(|e| refuse(e.line(), e.to_string()))?;
    let broken = |e: csv::Error| refuse(e.position().map_or(1, csv::Position::line), e.to_string());
    let mut rows = table.reader().into_records();
    let first = rows.next().transpose().map_err(broken)?.unwrap_or_default();
    let header = Header::new(&first).map_err(|problem| refuse(1 + table.lines_before, problem))?;
    let mut models: Vec<StandardModel> = Vec::new();
    let mut lines = BTreeMap::new();
    for row in rows {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line) + table.lines_before;
        if row.iter().all(|found| cell(found).is_empty()) {
            continue;
        }
        let model = header.model(&row).map_err(|problem| refuse(line, problem))?;
        if let Some(before) = lines.insert(model.model.clone(), line) {
            let problem = format!("model `{}` is in line {before} already; keep one of the two lines", model.model);
            return Err(refuse(line, problem));
        }
        models.push(model);
    }
    if models.is_empty() {
        return Err(refuse(1 + table.lines_before, "no model follows the header; write one line for each".to_owned()));
    }
    let settings = header.settings.into_iter().map(|(_, name)| name).collect();
    Ok(StandardModels { sha256: Sha256::of(bytes), file: file.to_owned(), settings, models })
}

impl Header {
    fn new(header: &csv::StringRecord) -> Result<Self, String> {
        let names: Vec<&str> = header.iter().map(cell).collect();
        let place = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name));
        let needed = |name: &str| {
            let found: String = names.join(",").chars().take(200).collect();
            place(name).ok_or_else(|| {
                format!("column `{name}` is missing; the header must be model,type,<sets of images>…, and is `{found}`")
            })
        };
        let [model, training] = COLUMNS.map(needed);
        let (model, training, excluded) = (model?, training?, place(EXCLUDED_COLUMN));
        let mut settings: Vec<(usize, String)> = Vec::new();
        for (at, &name) in names.iter().enumerate() {
            if [Some(model), Some(training), excluded].contains(&Some(at)) || name.is_empty() {
                continue;
            }
            if settings.iter().any(|(_, known)| known == name) {
                return Err(format!("column `{name}` is there twice; name each set of images once"));
            }
            settings.push((at, name.to_owned()));
        }
        if settings.len() < 2 {
            return Err("two columns of accuracies are needed: without and with the shift".to_owned());
        }
        Ok(Self { model, training, excluded, settings, width: names.len() })
    }

    fn model(&self, row: &csv::StringRecord) -> Result<StandardModel, String> {
        let text = |at: usize| cell(row.get(at).unwrap_or_default());
        if row.iter().any(|found| found.contains('\n')) {
            return Err("a quote is opened here and not closed before the end of the line".to_owned());
        }
        if row.iter().skip(self.width).any(|found| !cell(found).is_empty()) {
            let (cells, width) = (row.len(), self.width);
            return Err(format!("{cells} cells, but the header has {width}; write a point, not a comma, in 76.13"));
        }
        let model = text(self.model).to_owned();
        if model.is_empty() {
            return Err("no name in column `model`; every model needs one".to_owned());
        }
        let excluded_name = match self.excluded.map(text) {
            Some("1" | "true") => true,
            Some("0" | "false") => false,
            None | Some("") => EXCLUDED.iter().any(|part| model.contains(part)),
            Some(other) => return Err(format!("`{EXCLUDED_COLUMN}` of {model} is `{other}`; write 0 or 1")),
        };
        let mut accuracies = BTreeMap::new();
        for (at, setting) in &self.settings {
            if let Some(share) = share_of(text(*at)).map_err(|problem| format!("`{setting}` of {model} {problem}"))? {
                accuracies.insert(setting.clone(), share);
            }
        }
        Ok(StandardModel { model, training: text(self.training).to_owned(), excluded_name, accuracies })
    }
}

/// The share of a cell in percent; nothing of an empty one.
fn share_of(text: &str) -> Result<Option<f64>, String> {
    let written = text.strip_suffix('%').unwrap_or(text).trim_end();
    if written.is_empty() {
        return Ok(None);
    }
    let percent: f64 =
        written.parse().map_err(|_| format!("is `{text}`, not a number; write percent, such as 76.13"))?;
    if !(0.0..=100.0).contains(&percent) {
        return Err(format!("is {text}, outside 0 to 100; write percent, such as 76.13"));
    }
    Ok(Some(of_single_precision(percent) / 100.0))
}

/// The testbed's accuracies are single-precision numbers, written with the nine digits that tell them apart: a number
/// that is such a number in nine digits is read as it, so that lines are the testbed's to all digits. Numbers that
/// people write, such as 63.2, are not.
fn of_single_precision(written: f64) -> f64 {
    let single = f64::from(written as f32);
    if format!("{single:.8e}") == format!("{written:.8e}") { single } else { written }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse("standard.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_testbed_is_built_in() {
        let table = standard_models(None).unwrap();
        assert_eq!((table.models.len(), table.settings.len()), (338, 9));
        let fits: Vec<usize> = SHIFTS
            .iter()
            .map(|at| table.points(at.standard, at.shift).unwrap().iter().filter(|point| point.in_fit).count())
            .collect();
        assert_eq!(fits, [85, 85, 85, 80, 85]);
        let by_name = |model: &&StandardModel| EXCLUDED.iter().any(|part| model.model.contains(part));
        assert!(table.models.iter().all(|model| model.excluded_name == by_name(&model)), "the rule is the testbed's");
    }

    #[test]
    fn nine_digits_are_read_as_the_number_that_they_stand_for() {
        assert_eq!(share_of("91.8600006"), Ok(Some(91.86000061035156 / 100.0)));
        assert_eq!(share_of("63.2"), Ok(Some(0.632)));
        assert_eq!((share_of("0"), share_of(""), share_of("100 %")), (Ok(Some(0.0)), Ok(None), Ok(Some(1.0))));
    }

    #[test]
    fn a_table_of_ones_own_may_come_from_a_spreadsheet() {
        let text =
            "\u{feff}Model;Type;clean;mine\r\nresnet50;standard;76.1;\"63.2 %\"\r\nx-aws;standard;70;\r\n;;;\r\n";
        let table = parse("standard.csv", text.as_bytes()).unwrap();
        assert_eq!(table.settings, ["clean", "mine"]);
        let points = table.points("clean", "mine").unwrap();
        assert_eq!((points.len(), points[0].in_fit, points[0].shift), (1, true, 0.632));
        assert!(table.models[1].excluded_name && !table.models[1].in_fit());
        let unknown = table.points("clean", "other").unwrap_err().to_string();
        assert_eq!(unknown, "standard.csv has no column `other`; its columns of accuracies: clean, mine");
    }

    #[test]
    fn bad_tables_are_refused_by_line_and_column() {
        let head = "model,type,a,b\n";
        for (text, said) in [
            ("", "line 1: column `model` is missing"),
            ("model,a,b\n", "line 1: column `type` is missing"),
            ("model,type,a\nx,standard,1\n", "line 1: two columns of accuracies are needed"),
            ("model,type,a,a\n", "line 1: column `a` is there twice"),
            (head, "line 1: no model follows the header"),
            (&format!("{head}x,standard,1,2\ny,standard,one,2\n"), "line 3: `a` of y is `one`, not a number"),
            (&format!("{head}x,standard,1,200\n"), "line 2: `b` of x is 200, outside 0 to 100"),
            (&format!("{head}x,standard,NaN,2\n"), "line 2: `a` of x is NaN, outside 0 to 100"),
            (&format!("{head},standard,1,2\n"), "line 2: no name in column `model`"),
            (&format!("{head}x,standard,1,2\nx,standard,1,2\n"), "line 3: model `x` is in line 2 already"),
            (&format!("{head}x,standard,76,1,50\n"), "line 2: 5 cells, but the header has 4"),
            (&format!("{head}x,\"standard,1,2\ny,standard,1,2\n"), "line 2: a quote is opened here"),
            ("model,type,excluded_name,a,b\nx,standard,maybe,1,2\n", "line 2: `excluded_name` of x is `maybe`"),
        ] {
            let message = refused(text);
            assert!(message.starts_with(&format!("standard.csv, {said}")), "{message}");
        }
        let missing = standard_models(Some(Path::new("/no/such/standard.csv"))).unwrap_err().to_string();
        assert!(missing.starts_with("cannot read /no/such/standard.csv"), "{missing}");
    }
}
