//! Out-of-distribution detection: how well a score tells images of known classes from others.
//!
//! A high score means in distribution. Names the side and the threshold rule of every figure, because published codes
//! differ in both under the same name. Holds always: equal scores are on one side of a threshold together, so that
//! their order does not matter; 0 and -0 are equal.

use std::cmp::Ordering;

/// The share of its own side that a threshold keeps.
const RECALL: f64 = 0.95;

/// Figures of one score on two sets of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutOfDistribution {
    /// Images in distribution.
    pub inside: usize,
    /// Images out of distribution.
    pub outside: usize,
    /// `outside` / `inside`, on which average precision depends.
    pub ratio: f64,
    /// Area under the ROC curve: the chance that an image in distribution scores above one that is not, ties one half.
    pub auroc: f64,
    /// Average precision with images in distribution as positives.
    pub aupr_in: f64,
    /// Average precision with images out of distribution as positives.
    pub aupr_out: f64,
    /// With images in distribution as positives.
    pub in_positive: FprAt95,
    /// With images out of distribution as positives, as Outlier Exposure and natural-adv-examples have it.
    pub out_positive: FprAt95,
    /// The smallest mean of both error rates over all thresholds.
    pub detection_error: f64,
}

/// False positives where 95 % of the positives are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FprAt95 {
    /// The share of negatives that are taken for positives at the strictest threshold that keeps at least 95 % of the
    /// positives.
    pub rate: f64,
    /// That threshold: a positive in distribution scores this or more, one out of distribution this or less.
    pub threshold: f64,
    /// The share at the threshold whose recall is nearest to 95 %, which may keep fewer: the rule of Outlier Exposure,
    /// natural-adv-examples and CnC (`fpr_and_fdr_at_recall`), for comparison with what they print.
    pub rate_nearest_recall: f64,
}

/// The figures of scores `inside` and `outside`; `None` if a side has no image or a score is not a number.
///
/// Sources: AUROC and average precision as scikit-learn has them (a step function, not trapezoids); FPR at 95 % as in
/// S. Liang, Y. Li, R. Srikant, "Enhancing the reliability of out-of-distribution image detection", ICLR 2018,
/// appendix A.
pub fn out_of_distribution(inside: &[f64], outside: &[f64]) -> Option<OutOfDistribution> {
    let any_nan = inside.iter().chain(outside).any(|score| score.is_nan());
    if inside.is_empty() || outside.is_empty() || any_nan {
        return None;
    }
    let negated = |scores: &[f64]| scores.iter().map(|score| -score).collect::<Vec<_>>();
    let of_in = Curve::new(inside, outside);
    let of_out = Curve::new(&negated(outside), &negated(inside));
    let out_positive = of_out.fpr_at_95();
    Some(OutOfDistribution {
        inside: inside.len(),
        outside: outside.len(),
        ratio: outside.len() as f64 / inside.len() as f64,
        auroc: of_in.auroc(),
        aupr_in: of_in.average_precision(),
        aupr_out: of_out.average_precision(),
        in_positive: of_in.fpr_at_95(),
        out_positive: FprAt95 { threshold: -out_positive.threshold, ..out_positive },
        detection_error: of_in.detection_error(),
    })
}

/// Counts at or above each distinct score, from the highest score down.
struct Curve {
    steps: Vec<Step>,
    positives: f64,
    negatives: f64,
}

#[derive(Clone, Copy)]
struct Step {
    threshold: f64,
    true_positives: f64,
    false_positives: f64,
}

impl Curve {
    fn new(positives: &[f64], negatives: &[f64]) -> Self {
        let labelled =
            |scores: &[f64], positive: bool| scores.iter().map(move |&at| (at, positive)).collect::<Vec<_>>();
        let mut ranked = [labelled(positives, true), labelled(negatives, false)].concat();
        ranked.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal));
        let mut steps: Vec<Step> = Vec::new();
        let (mut true_positives, mut false_positives) = (0.0, 0.0);
        for (score, positive) in ranked {
            if positive {
                true_positives += 1.0;
            } else {
                false_positives += 1.0;
            }
            let step = Step { threshold: score, true_positives, false_positives };
            match steps.last_mut() {
                Some(last) if last.threshold == score => *last = Step { threshold: last.threshold, ..step },
                _ => steps.push(step),
            }
        }
        Self { steps, positives: positives.len() as f64, negatives: negatives.len() as f64 }
    }

    fn auroc(&self) -> f64 {
        let (mut area, mut below) = (0.0, Step { threshold: f64::INFINITY, true_positives: 0.0, false_positives: 0.0 });
        for &step in &self.steps {
            let width = step.false_positives - below.false_positives;
            area += width * (step.true_positives + below.true_positives) / 2.0;
            below = step;
        }
        area / (self.positives * self.negatives)
    }

    fn average_precision(&self) -> f64 {
        let (mut sum, mut found) = (0.0, 0.0);
        for step in &self.steps {
            sum += (step.true_positives - found) * step.true_positives / (step.true_positives + step.false_positives);
            found = step.true_positives;
        }
        sum / self.positives
    }

    fn fpr_at_95(&self) -> FprAt95 {
        // As counts, so that 19 of 20 is 95 % on every machine.
        let needed = (RECALL * self.positives - 1e-9).ceil();
        let kept = |step: &&Step| step.true_positives >= needed;
        let strictest = self.steps.iter().find(kept).or(self.steps.last());
        let step =
            strictest.copied().unwrap_or(Step { threshold: f64::NAN, true_positives: 0.0, false_positives: 0.0 });
        FprAt95 {
            rate: step.false_positives / self.negatives,
            threshold: step.threshold,
            rate_nearest_recall: self.nearest_recall() / self.negatives,
        }
    }

    /// From the first step that keeps all positives up to stricter ones, the first of the nearest: that code's order,
    /// which takes the laxest of thresholds with equal recall.
    fn nearest_recall(&self) -> f64 {
        let all = self.steps.iter().position(|step| step.true_positives == self.positives).unwrap_or_default();
        let mut best = (f64::INFINITY, 0.0);
        for step in self.steps.iter().take(all + 1).rev() {
            let distance = (step.true_positives / self.positives - RECALL).abs();
            if distance < best.0 {
                best = (distance, step.false_positives);
            }
        }
        best.1
    }

    fn detection_error(&self) -> f64 {
        let error =
            |step: &Step| (1.0 - step.true_positives / self.positives + step.false_positives / self.negatives) / 2.0;
        self.steps.iter().map(error).fold(0.5, f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apart_alike_and_the_wrong_way_round() {
        let apart = out_of_distribution(&[2.0, 3.0], &[0.0, 1.0]).unwrap();
        assert_eq!((apart.auroc, apart.aupr_in, apart.aupr_out, apart.in_positive.rate), (1.0, 1.0, 1.0, 0.0));
        assert_eq!((apart.in_positive.threshold, apart.out_positive.threshold, apart.detection_error), (2.0, 1.0, 0.0));
        let alike = out_of_distribution(&[0.5, 0.5], &[0.5, 0.5, 0.5, 0.5]).unwrap();
        assert_eq!((alike.auroc, alike.in_positive.rate, alike.detection_error, alike.ratio), (0.5, 1.0, 0.5, 2.0));
        assert_eq!(out_of_distribution(&[0.0], &[1.0]).unwrap().auroc, 0.0);
    }

    #[test]
    fn at_least_95_percent_are_kept() {
        let inside: Vec<f64> = (0..20).map(f64::from).collect();
        let at = out_of_distribution(&inside, &[0.5, 1.5]).unwrap().in_positive;
        assert_eq!((at.threshold, at.rate), (1.0, 0.5));
        let at = out_of_distribution(&inside[..19], &[0.5, 1.5]).unwrap().in_positive;
        assert_eq!((at.threshold, at.rate), (0.0, 1.0), "18 of 19 are less than 95 %");
    }

    #[test]
    fn zero_is_zero_and_what_is_not_a_number_has_no_figure() {
        let zeros = out_of_distribution(&[0.0, -0.0], &[-0.0, 0.0]).unwrap();
        assert_eq!((zeros.auroc, zeros.in_positive.rate), (0.5, 1.0));
        assert_eq!(out_of_distribution(&[f64::NAN], &[1.0]), None);
        assert_eq!(out_of_distribution(&[], &[1.0]), None);
        let endless = out_of_distribution(&[f64::INFINITY], &[f64::NEG_INFINITY]).unwrap();
        assert_eq!(endless.auroc, 1.0);
    }
}
