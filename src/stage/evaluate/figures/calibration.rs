//! Calibration: how far a target's confidence is its accuracy, over the images that it scored.
//!
//! Images without a prediction have no confidence, so `n` is the number of scored images. Figures of all classes (NLL,
//! Brier) are absent where a scorer does not give the probabilities of one choice.

use super::given::{Target, columns_of, figure};
use crate::domain::{Figure, LabelSpace};
use crate::stats::{
    BINS, NLL_FLOOR, adaptive_ece, aurra, brier_top_label, expected_error, largest_error, nll, reliability_bins,
    rms_all_bins, rms_as_published,
};

/// Adds the calibration of a target in a label space.
pub fn add(figures: &mut Vec<Figure>, target: &Target, space: LabelSpace) {
    let columns = columns_of(target.columns, space);
    let scored: Vec<usize> = (0..columns.correct.len()).filter(|&at| !columns.top1_prob[at].is_nan()).collect();
    let confidence: Vec<f64> = scored.iter().map(|&at| f64::from(columns.top1_prob[at])).collect();
    let correct: Vec<bool> = scored.iter().map(|&at| columns.correct[at]).collect();
    let n = scored.len() as u64;
    let space = space.to_string();
    let mut push = |metric: &str, value: Option<f64>, method: &str| {
        figures.push(figure(target.name, &space, metric, n).of(value, method));
    };
    let mean = (n > 0).then(|| confidence.iter().sum::<f64>() / n as f64);
    push("confidence", mean, "mean probability of the top class");
    push("rms_calibration", rms_all_bins(&confidence, &correct), "bins of 100 images, all bins");
    push(
        "rms_calibration_published",
        rms_as_published(&confidence, &correct),
        "as ImageNet-A's code: bins of 100 images, the most confident one left out",
    );
    let bins = reliability_bins(&confidence, &correct, BINS);
    push("ece15", expected_error(&bins), "15 bins of equal width");
    push("mce15", largest_error(&bins), "largest of 15 bins of equal width");
    push("adaptive_ece15", adaptive_ece(&confidence, &correct), "15 bins of equal count");
    push("aurra", aurra(&confidence, &correct), "area under the response rate accuracy curve");
    push("brier_top_label", brier_top_label(&confidence, &correct), "mean square of confidence minus outcome");
    let terms: Vec<f64> = scored.iter().map(|&at| f64::from(columns.brier[at])).filter(|term| !term.is_nan()).collect();
    if terms.len() == scored.len() && n > 0 {
        push("brier", Some(terms.iter().sum::<f64>() / n as f64), "sum over classes, accepted ones merged");
        let true_probs: Vec<f64> = scored.iter().map(|&at| f64::from(columns.true_prob[at])).collect();
        let found = nll(&true_probs);
        let zeros = found.map_or(0, |found| found.zeros);
        let method = format!("natural logarithm, floor {NLL_FLOOR:e}; {zeros} images with probability 0 of the truth");
        push("nll", found.map(|found| found.value), &method);
    }
}
