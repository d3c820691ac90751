//! Mean corruption error and mean flip rate: a model's errors against a baseline's.
//!
//! Source: D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions and
//! perturbations", ICLR 2019, section 4. Errors are shares in [0, 1].
//!
//! Holds always: model and baseline are of the same corruptions and severities; nothing is left out in silence.

use std::collections::BTreeMap;

/// Errors of one model on corrupted images, and on clean ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CorruptionErrors {
    /// Error on the images without corruption; without it there is no relative error.
    pub clean: Option<f64>,
    /// One row for each corruption and severity.
    pub rows: Vec<CorruptionRow>,
}

/// The error at one severity of one corruption.
#[derive(Debug, Clone, PartialEq)]
pub struct CorruptionRow {
    /// The corruption: `gaussian_noise`, …
    pub corruption: String,
    /// Its severity, 1 to 5 as a rule.
    pub severity: u32,
    /// The error, 1 - accuracy.
    pub error: f64,
}

/// Errors of one corruption against the baseline's.
#[derive(Debug, Clone, PartialEq)]
pub struct CorruptionFigures {
    /// The corruption.
    pub corruption: String,
    /// Sum of errors over severities, divided by the baseline's.
    pub ce: f64,
    /// The same of the errors above the clean one; `None` without both clean errors, or where the baseline loses
    /// nothing.
    pub relative_ce: Option<f64>,
}

/// Figures of all corruptions.
#[derive(Debug, Clone, PartialEq)]
pub struct CorruptionSummary {
    /// By corruption, in the order in which the model's rows name them.
    pub by_corruption: Vec<CorruptionFigures>,
    /// mCE: the mean of [`CorruptionFigures::ce`]; 1 is the baseline.
    pub mce: f64,
    /// Relative mCE; `None` if one of the corruptions has none.
    pub relative_mce: Option<f64>,
    /// The mean error over corruptions and severities, without a baseline.
    pub mean_error: f64,
}

/// Why there is no such figure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CorruptionError {
    /// Nothing to divide by.
    #[error(
        "there is no mCE without the baseline's errors on the same images; evaluate the baseline too (AlexNet for \
         published figures), or read the mean error"
    )]
    NoBaseline,
    /// No row at all.
    #[error("{of} has no error of any corruption; evaluate it on the corrupted images first")]
    Empty {
        /// `the model` or `the baseline`.
        of: &'static str,
    },
    /// One of the two lacks a row of the other.
    #[error("{of} has no error of {corruption} at severity {severity}; evaluate both on the same corruptions")]
    Missing {
        /// `the model` or `the baseline`.
        of: &'static str,
        /// The corruption.
        corruption: String,
        /// The severity.
        severity: u32,
    },
    /// A row that is there twice.
    #[error("{of} has two errors of {corruption} at severity {severity}; keep one of them")]
    Twice {
        /// `the model` or `the baseline`.
        of: &'static str,
        /// The corruption.
        corruption: String,
        /// The severity.
        severity: u32,
    },
    /// An error that is not a share.
    #[error("{of}: the error {value} of {corruption} is outside 0 to 1; give shares, not percent")]
    NotAShare {
        /// `the model` or `the baseline`.
        of: &'static str,
        /// The corruption, or `clean images`.
        corruption: String,
        /// The error.
        value: f64,
    },
    /// A baseline that is never wrong.
    #[error("the baseline makes no error under {what}, so that nothing can be divided by it; choose another baseline")]
    PerfectBaseline {
        /// The corruption or perturbation.
        what: String,
    },
    /// One of the two lacks a perturbation of the other.
    #[error("{of} has no flip probability of {perturbation}; evaluate both on the same perturbations")]
    NoPerturbation {
        /// `the model` or `the baseline`.
        of: &'static str,
        /// The perturbation.
        perturbation: String,
    },
}

const MODEL: &str = "the model";
const BASELINE: &str = "the baseline";

type BySeverity = BTreeMap<u32, f64>;

/// mCE, relative mCE and their parts of `model` against `baseline`, which must have seen the same pixels: errors of
/// other preprocessing move the figure by points.
pub fn mean_corruption_error(
    model: &CorruptionErrors,
    baseline: Option<&CorruptionErrors>,
) -> Result<CorruptionSummary, CorruptionError> {
    let (names, ours) = checked(model, MODEL)?;
    let baseline = baseline.ok_or(CorruptionError::NoBaseline)?;
    let (_, theirs) = checked(baseline, BASELINE)?;
    covers(&ours, &theirs, BASELINE)?;
    covers(&theirs, &ours, MODEL)?;
    let mut by_corruption = Vec::new();
    for corruption in names {
        let [model_rows, baseline_rows] = [&ours[&corruption], &theirs[&corruption]];
        let sums = [model_rows, baseline_rows].map(|rows| rows.values().sum::<f64>());
        if sums[1] <= 0.0 {
            return Err(CorruptionError::PerfectBaseline { what: corruption });
        }
        let severities = model_rows.len() as f64;
        let relative_ce = model.clean.zip(baseline.clean).and_then(|(clean, baseline_clean)| {
            let lost = sums[1] - severities * baseline_clean;
            (lost > 0.0).then(|| (sums[0] - severities * clean) / lost)
        });
        by_corruption.push(CorruptionFigures { corruption, ce: sums[0] / sums[1], relative_ce });
    }
    let count = by_corruption.len() as f64;
    let relative: Option<Vec<f64>> = by_corruption.iter().map(|figures| figures.relative_ce).collect();
    Ok(CorruptionSummary {
        mce: by_corruption.iter().map(|figures| figures.ce).sum::<f64>() / count,
        relative_mce: relative.map(|of| of.iter().sum::<f64>() / count),
        mean_error: model.rows.iter().map(|row| row.error).sum::<f64>() / model.rows.len() as f64,
        by_corruption,
    })
}

/// The corruptions in the order of the rows, and errors by corruption and severity.
fn checked(
    errors: &CorruptionErrors,
    of: &'static str,
) -> Result<(Vec<String>, BTreeMap<String, BySeverity>), CorruptionError> {
    let not_a_share = |value: f64| !(0.0..=1.0).contains(&value);
    if let Some(value) = errors.clean.filter(|value| not_a_share(*value)) {
        return Err(CorruptionError::NotAShare { of, corruption: "clean images".to_owned(), value });
    }
    let (mut names, mut by_name) = (Vec::new(), BTreeMap::<String, BySeverity>::new());
    for CorruptionRow { corruption, severity, error } in &errors.rows {
        if not_a_share(*error) {
            return Err(CorruptionError::NotAShare { of, corruption: corruption.clone(), value: *error });
        }
        if !by_name.contains_key(corruption) {
            names.push(corruption.clone());
        }
        if by_name.entry(corruption.clone()).or_default().insert(*severity, *error).is_some() {
            return Err(CorruptionError::Twice { of, corruption: corruption.clone(), severity: *severity });
        }
    }
    if names.is_empty() { Err(CorruptionError::Empty { of }) } else { Ok((names, by_name)) }
}

/// Whether `other` has every row of `one`.
fn covers(
    one: &BTreeMap<String, BySeverity>,
    other: &BTreeMap<String, BySeverity>,
    of: &'static str,
) -> Result<(), CorruptionError> {
    for (corruption, rows) in one {
        for &severity in rows.keys() {
            if !other.get(corruption).is_some_and(|rows| rows.contains_key(&severity)) {
                return Err(CorruptionError::Missing { of, corruption: corruption.clone(), severity });
            }
        }
    }
    Ok(())
}

/// The flip probability of a model under one perturbation.
#[derive(Debug, Clone, PartialEq)]
pub struct FlipRate {
    /// The perturbation.
    pub perturbation: String,
    /// [`flip_probability`](super::flip_probability), averaged over difficulties if there are several.
    pub flip_probability: f64,
}

/// mFR: the mean over perturbations of the model's flip probability divided by the baseline's.
pub fn mean_flip_rate(model: &[FlipRate], baseline: &[FlipRate]) -> Result<f64, CorruptionError> {
    if model.is_empty() {
        return Err(CorruptionError::Empty { of: MODEL });
    }
    let lacks = |rates: &[FlipRate], name: &str, of| match rates.iter().find(|rate| rate.perturbation == name) {
        Some(rate) => Ok(rate.flip_probability),
        None => Err(CorruptionError::NoPerturbation { of, perturbation: name.to_owned() }),
    };
    for rate in baseline {
        lacks(model, &rate.perturbation, MODEL)?;
    }
    let mut sum = 0.0;
    for FlipRate { perturbation, flip_probability } in model {
        let reference = lacks(baseline, perturbation, BASELINE)?;
        if reference <= 0.0 {
            return Err(CorruptionError::PerfectBaseline { what: perturbation.clone() });
        }
        sum += flip_probability / reference;
    }
    Ok(sum / model.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(clean: Option<f64>, rows: &[(&str, u32, f64)]) -> CorruptionErrors {
        let rows =
            rows.iter().map(|&(name, severity, error)| CorruptionRow { corruption: name.to_owned(), severity, error });
        CorruptionErrors { clean, rows: rows.collect() }
    }

    fn message(model: &CorruptionErrors, baseline: Option<&CorruptionErrors>) -> String {
        mean_corruption_error(model, baseline).unwrap_err().to_string()
    }

    #[test]
    fn by_hand() {
        let model = errors(Some(0.1), &[("fog", 1, 0.2), ("fog", 2, 0.4), ("blur", 1, 0.3), ("blur", 2, 0.3)]);
        let baseline = errors(Some(0.4), &[("blur", 1, 0.5), ("blur", 2, 0.7), ("fog", 1, 0.6), ("fog", 2, 0.9)]);
        let at = mean_corruption_error(&model, Some(&baseline)).unwrap();
        let names: Vec<_> = at.by_corruption.iter().map(|figures| figures.corruption.as_str()).collect();
        assert_eq!(names, ["fog", "blur"]);
        assert!((at.mce - (0.4 + 0.5) / 2.0).abs() < 1e-12 && (at.mean_error - 0.3).abs() < 1e-12);
        assert!((at.relative_mce.unwrap() - (0.4 / 0.7 + 0.4 / 0.4) / 2.0).abs() < 1e-12);
        let no_clean = CorruptionErrors { clean: None, ..model };
        assert_eq!(mean_corruption_error(&no_clean, Some(&baseline)).unwrap().relative_mce, None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let whole = errors(None, &[("fog", 1, 0.2), ("fog", 2, 0.4)]);
        let part = errors(None, &[("fog", 1, 0.2)]);
        assert!(message(&whole, None).starts_with("there is no mCE without the baseline's errors"));
        assert!(message(&whole, Some(&part)).starts_with("the baseline has no error of fog at severity 2"));
        assert!(message(&part, Some(&whole)).starts_with("the model has no error of fog at severity 2"));
        assert!(message(&errors(None, &[]), Some(&whole)).starts_with("the model has no error of any corruption"));
        let twice = errors(None, &[("fog", 1, 0.2), ("fog", 1, 0.2)]);
        assert!(message(&twice, Some(&part)).starts_with("the model has two errors of fog at severity 1"));
        let percent = errors(None, &[("fog", 1, 20.0)]);
        assert!(message(&percent, Some(&part)).contains("outside 0 to 1"));
        let perfect = errors(None, &[("fog", 1, 0.0)]);
        assert!(message(&part, Some(&perfect)).starts_with("the baseline makes no error under fog"));
    }

    #[test]
    fn flip_rates_need_the_same_perturbations() {
        let rate = |name: &str, flip_probability| FlipRate { perturbation: name.to_owned(), flip_probability };
        let baseline = [rate("a", 0.25), rate("b", 0.25)];
        assert!((mean_flip_rate(&[rate("a", 0.1), rate("b", 0.2)], &baseline).unwrap() - 0.6).abs() < 1e-12);
        assert!(mean_flip_rate(&[rate("a", 0.1)], &baseline).is_err());
        assert!(mean_flip_rate(&[rate("c", 0.1)], &[]).is_err());
        assert!(mean_flip_rate(&[rate("a", 0.1)], &[rate("a", 0.0)]).is_err());
        assert!(mean_flip_rate(&[], &baseline).is_err());
    }
}
