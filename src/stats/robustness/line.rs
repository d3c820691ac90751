//! Lines of standard models on the scale of logits, and how far above them a model is: effective robustness.
//!
//! Source: R. Taori, A. Dave, V. Shankar, N. Carlini, B. Recht, L. Schmidt, "Measuring robustness to natural
//! distribution shifts in image classification", NeurIPS 2020, and their imagenet-testbed. Accuracies are shares in
//! [0, 1].
//!
//! Holds always: no accuracy of 0 or 1 enters a fit, because its logit is endless; none is moved to make it enter.

/// Fewer standard models than this have no line.
pub const FEWEST_STANDARD: usize = 10;
/// A narrower range of their clean accuracies, as a share, has no line.
pub const NARROWEST_RANGE: f64 = 0.10;

/// Accuracies of a model without and with the shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CleanAndShift {
    /// On the standard set.
    pub clean: f64,
    /// On the shifted set.
    pub shift: f64,
}

/// Why there is no line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// An accuracy is not a share.
    #[error("model {at}: accuracy {value} is outside 0 to 1; give shares, not percent")]
    NotAShare {
        /// The place of the model, from 0.
        at: usize,
        /// The accuracy.
        value: f64,
    },
    /// An accuracy of 0 or 1 has no finite logit.
    #[error("model {at}: accuracy {value} has no finite logit; leave the model out of the fit")]
    Endless {
        /// The place of the model, from 0.
        at: usize,
        /// The accuracy.
        value: f64,
    },
    /// No line goes through fewer than two accuracies.
    #[error("a line needs two models of different clean accuracies, and there are {models}; score more models")]
    TooFew {
        /// Models, or different clean accuracies among them.
        models: usize,
    },
    /// A model with 0 under the shift parts the others so that one side has no line.
    #[error(
        "the model with 0 under the shift, at {:.1} % clean accuracy, has {below} models below it and {above} above \
         it: two on each side are needed for two lines; leave it out of the fit",
        pivot * 100.0
    )]
    OneSided {
        /// Its clean accuracy, a share.
        pivot: f64,
        /// Models of lower clean accuracy.
        below: usize,
        /// Models of higher clean accuracy.
        above: usize,
    },
    /// Too few standard models.
    #[error(
        "{models} standard models are too few for effective robustness: {FEWEST_STANDARD} are needed; read clean and \
         shifted accuracy side by side"
    )]
    FewStandard {
        /// Standard models.
        models: usize,
    },
    /// Standard models are too alike.
    #[error(
        "the standard models span {points:.1} points of clean accuracy, too few for effective robustness: {} are \
         needed; read clean and shifted accuracy side by side",
        NARROWEST_RANGE * 100.0
    )]
    NarrowRange {
        /// Their range in percentage points.
        points: f64,
    },
}

/// A line on the scale of logits, by ordinary least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogitLine {
    /// Logits of shifted accuracy per logit of clean accuracy.
    pub slope: f64,
    /// Logit of shifted accuracy at a clean accuracy of one half.
    pub intercept: f64,
    /// Pearson's correlation; `None` where all shifted accuracies are equal.
    pub r: Option<f64>,
    /// Standard error of the slope; `None` with two models.
    pub slope_stderr: Option<f64>,
    /// Models.
    pub n: usize,
}

/// One line; or two, below and above a pivot.
#[derive(Debug, Clone, PartialEq)]
pub enum LogitFit {
    /// One line.
    One(LogitLine),
    /// Two lines, because one model of the fit has 0 under the shift: it was mined against (ResNet-50 and ImageNet-A).
    Two {
        /// Clean accuracy of that model, which itself is fitted by the lower line and enters neither.
        pivot: f64,
        /// Of the models below the pivot.
        lower: LogitLine,
        /// Of the models above the pivot.
        upper: LogitLine,
    },
}

/// ln(share / (1 - share)); `None` where that is not finite.
pub fn logit(share: f64) -> Option<f64> {
    (share > 0.0 && share < 1.0).then(|| (share / (1.0 - share)).ln())
}

/// The share whose logit is `at`.
pub fn inverse_logit(at: f64) -> f64 {
    1.0 / (1.0 + (-at).exp())
}

/// The line through all `models`.
pub fn fit_line(models: &[CleanAndShift]) -> Result<LogitLine, FitError> {
    check_shares(models)?;
    let points: Result<Vec<_>, _> = models.iter().enumerate().map(|(at, model)| point(at, model)).collect();
    least_squares(&points?)
}

/// The logits of the model at place `at`.
fn point(at: usize, model: &CleanAndShift) -> Result<[f64; 2], FitError> {
    let finite = |value: f64| logit(value).ok_or(FitError::Endless { at, value });
    Ok([finite(model.clean)?, finite(model.shift)?])
}

/// The fit through all `models`: one line; or, where a model has 0 under the shift, one line of the models below its
/// clean accuracy and one of those above. Of several such models the pivot is the best one on the standard set; the
/// others are left out.
pub fn fit(models: &[CleanAndShift]) -> Result<LogitFit, FitError> {
    check_shares(models)?;
    let zeros = models.iter().filter(|model| model.shift == 0.0).map(|model| model.clean);
    let Some(pivot) = zeros.reduce(f64::max) else { return Ok(LogitFit::One(fit_line(models)?)) };
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for (at, model) in models.iter().enumerate().filter(|(_, model)| model.shift > 0.0 && model.clean != pivot) {
        let side = if model.clean < pivot { &mut below } else { &mut above };
        side.push(point(at, model)?);
    }
    let one_sided = |_| FitError::OneSided { pivot, below: below.len(), above: above.len() };
    let [lower, upper] = [&below, &above].map(|side| least_squares(side).map_err(one_sided));
    Ok(LogitFit::Two { pivot, lower: lower?, upper: upper? })
}

/// [`fit`] of models that were trained in the standard way, refused where there are fewer than ten of them, or over
/// fewer than ten points of clean accuracy: a line through a few similar models says nothing of others.
pub fn standard_fit(models: &[CleanAndShift]) -> Result<LogitFit, FitError> {
    check_shares(models)?;
    if models.len() < FEWEST_STANDARD {
        return Err(FitError::FewStandard { models: models.len() });
    }
    let clean = || models.iter().map(|model| model.clean);
    let range = clean().fold(f64::NEG_INFINITY, f64::max) - clean().fold(f64::INFINITY, f64::min);
    if range < NARROWEST_RANGE - 1e-12 {
        return Err(FitError::NarrowRange { points: range * 100.0 });
    }
    fit(models)
}

impl LogitFit {
    /// The lines, below the pivot first.
    pub fn lines(&self) -> Vec<LogitLine> {
        match self {
            Self::One(line) => vec![*line],
            Self::Two { lower, upper, .. } => vec![*lower, *upper],
        }
    }

    /// The shifted accuracy that the line gives to a clean accuracy; `None` where that is 0 or 1 or not a share.
    pub fn fitted(&self, clean: f64) -> Option<f64> {
        let line = match self {
            Self::One(line) => line,
            Self::Two { pivot, lower, upper } => {
                if clean <= *pivot {
                    lower
                } else {
                    upper
                }
            }
        };
        Some(inverse_logit(line.slope * logit(clean)? + line.intercept))
    }

    /// Effective robustness rho: shifted accuracy minus what the line gives to the clean one, as a share.
    pub fn rho(&self, model: CleanAndShift) -> Option<f64> {
        Some(model.shift - self.fitted(model.clean)?)
    }
}

/// Relative robustness tau: accuracy under the shift minus that of a baseline without the intervention, as a share.
pub fn tau(shift: f64, baseline_shift: f64) -> f64 {
    shift - baseline_shift
}

/// Clean accuracy minus accuracy under the shift, as a share.
pub fn drop(model: CleanAndShift) -> f64 {
    model.clean - model.shift
}

fn check_shares(models: &[CleanAndShift]) -> Result<(), FitError> {
    for (at, model) in models.iter().enumerate() {
        for value in [model.clean, model.shift] {
            if !(0.0..=1.0).contains(&value) {
                return Err(FitError::NotAShare { at, value });
            }
        }
    }
    Ok(())
}

fn least_squares(points: &[[f64; 2]]) -> Result<LogitLine, FitError> {
    let n = points.len() as f64;
    let mean = |axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / n;
    let means = [mean(0), mean(1)];
    let sum = |one: usize, two: usize| -> f64 {
        points.iter().map(|point| (point[one] - means[one]) * (point[two] - means[two])).sum()
    };
    let [xx, xy, yy] = [sum(0, 0), sum(0, 1), sum(1, 1)];
    if points.len() < 2 || xx <= 0.0 {
        return Err(FitError::TooFew { models: points.len().min(1) });
    }
    let slope = xy / xx;
    let r = (yy > 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0));
    let left = (yy - xy * xy / xx).max(0.0);
    let slope_stderr = (points.len() > 2).then(|| (left / (n - 2.0) / xx).sqrt());
    Ok(LogitLine { slope, intercept: means[1] - slope * means[0], r, slope_stderr, n: points.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(pairs: &[(f64, f64)]) -> Vec<CleanAndShift> {
        pairs.iter().map(|&(clean, shift)| CleanAndShift { clean, shift }).collect()
    }

    /// Models on the line shift = 0.8 clean - 1 in logits, from `from` by `step`.
    fn on_a_line(count: usize, from: f64, step: f64) -> Vec<CleanAndShift> {
        let clean = |i: usize| from + i as f64 * step;
        let shift = |clean: f64| inverse_logit(0.8 * logit(clean).unwrap() - 1.0);
        (0..count).map(|i| CleanAndShift { clean: clean(i), shift: shift(clean(i)) }).collect()
    }

    #[test]
    fn a_line_is_found_and_what_is_above_it_is_robust() {
        let fitted = standard_fit(&on_a_line(12, 0.6, 0.02)).unwrap();
        let line = fitted.lines()[0];
        assert!((line.slope - 0.8).abs() < 1e-12 && (line.intercept + 1.0).abs() < 1e-12, "{line:?}");
        assert!((line.r.unwrap() - 1.0).abs() < 1e-12 && line.n == 12);
        let above = CleanAndShift { clean: 0.5, shift: inverse_logit(-1.0) + 0.05 };
        assert!((fitted.rho(above).unwrap() - 0.05).abs() < 1e-12);
        assert_eq!((fitted.fitted(0.0), fitted.fitted(1.0)), (None, None));
    }

    #[test]
    fn few_or_similar_standard_models_are_refused() {
        assert_eq!(standard_fit(&on_a_line(9, 0.5, 0.05)), Err(FitError::FewStandard { models: 9 }));
        let narrow = standard_fit(&on_a_line(12, 0.6, 0.005)).unwrap_err();
        assert!(narrow.to_string().starts_with("the standard models span 5.5 points"), "{narrow}");
        assert!(standard_fit(&on_a_line(11, 0.6, 0.01)).is_ok(), "ten points are enough");
    }

    #[test]
    fn no_accuracy_without_a_logit_enters_a_fit() {
        assert_eq!(fit_line(&models(&[(0.5, 0.2), (1.0, 0.3)])), Err(FitError::Endless { at: 1, value: 1.0 }));
        assert_eq!(fit(&models(&[(76.1, 63.2)])), Err(FitError::NotAShare { at: 0, value: 76.1 }));
        assert!(matches!(fit(&models(&[(0.5, f64::NAN)])), Err(FitError::NotAShare { at: 0, .. })));
        assert_eq!(fit_line(&[]), Err(FitError::TooFew { models: 0 }));
        assert_eq!(fit_line(&models(&[(0.5, 0.2), (0.5, 0.3)])), Err(FitError::TooFew { models: 1 }));
    }

    #[test]
    fn a_model_with_zero_parts_two_lines_and_is_fitted_by_the_lower_one() {
        let mut all = [on_a_line(6, 0.5, 0.05), on_a_line(6, 0.85, 0.02)].concat();
        all.push(CleanAndShift { clean: 0.8, shift: 0.0 });
        let fitted = standard_fit(&all).unwrap();
        assert!(matches!(fitted, LogitFit::Two { pivot: 0.8, lower, upper } if lower.n == 6 && upper.n == 6));
        let pivot = fitted.rho(CleanAndShift { clean: 0.8, shift: 0.0 }).unwrap();
        assert_eq!(pivot, -fitted.fitted(0.8).unwrap());
        assert!((pivot + inverse_logit(0.8 * logit(0.8).unwrap() - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn a_zero_at_an_end_and_a_one_beyond_it_are_said() {
        let zero = |clean| CleanAndShift { clean, shift: 0.0 };
        let mut all = on_a_line(12, 0.5, 0.03);
        all.push(zero(0.95));
        let message = standard_fit(&all).unwrap_err().to_string();
        assert!(message.starts_with("the model with 0 under the shift, at 95.0 % clean accuracy, has 12 models below"));
        all.push(CleanAndShift { clean: 0.97, shift: 1.0 });
        assert_eq!(standard_fit(&all), Err(FitError::Endless { at: 13, value: 1.0 }));
    }
}
