//! Calibration errors over bins: of equal width, of equal mass, and of 100 images.
//!
//! Holds always: a bin's accuracy and confidence are means over the same images; sums run in one order.

/// How many bins of equal width or equal mass errors are stated with.
pub const BINS: usize = 15;
/// Images in a bin of [`rms_all_bins`].
const IMAGES_PER_BIN: usize = 100;

/// A bin of a reliability diagram: confidences above `low` and up to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Confidences are above it.
    pub low: f64,
    /// Confidences are at most this.
    pub high: f64,
    /// Images.
    pub count: u64,
    /// Mean confidence; `None` without an image.
    pub confidence: Option<f64>,
    /// Share that is right; `None` without an image.
    pub accuracy: Option<f64>,
}

/// `bins` bins of equal width, (k / bins, (k + 1) / bins]; a confidence of 0 is in the first one. What is not a number
/// is in no bin.
pub fn reliability_bins(confidence: &[f64], correct: &[bool], bins: usize) -> Vec<ReliabilityBin> {
    let edge = |k: usize| k as f64 / bins as f64;
    let mut filled: Vec<Vec<Answer>> = vec![Vec::new(); bins];
    for answer in answers(confidence, correct) {
        let place = (0..bins).find(|&k| answer.confidence <= edge(k + 1)).unwrap_or(bins.saturating_sub(1));
        if let Some(bin) = filled.get_mut(place) {
            bin.push(answer);
        }
    }
    let mut all = Vec::with_capacity(bins);
    for (k, images) in filled.iter().enumerate() {
        let some = !images.is_empty();
        all.push(ReliabilityBin {
            low: edge(k),
            high: edge(k + 1),
            count: images.len() as u64,
            confidence: some.then(|| mean_confidence(images)),
            accuracy: some.then(|| accuracy(images)),
        });
    }
    all
}

impl ReliabilityBin {
    fn gap(&self) -> Option<f64> {
        Some((self.confidence? - self.accuracy?).abs())
    }
}

/// The expected calibration error: the mean over images of |confidence - accuracy| of their bin; ECE-15 of 15 bins.
///
/// Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017, eq. 3.
pub fn expected_error(bins: &[ReliabilityBin]) -> Option<f64> {
    let images: u64 = bins.iter().map(|bin| bin.count).sum();
    let sum: f64 = bins.iter().filter_map(|bin| Some(bin.gap()? * bin.count as f64)).sum();
    (images > 0).then(|| sum / images as f64)
}

/// The largest |confidence - accuracy| of a bin, by the same source (eq. 5); MCE-15 of 15 bins.
pub fn largest_error(bins: &[ReliabilityBin]) -> Option<f64> {
    bins.iter().filter_map(ReliabilityBin::gap).max_by(f64::total_cmp)
}

/// The expected calibration error over 15 bins of equal mass, in ascending confidence.
///
/// Source: K. Nguyen, B. O'Connor, "Posterior calibration and exploratory analysis", EMNLP 2015, with the bins of
/// numpy's `array_split`: the first n mod 15 bins have one image more.
pub fn adaptive_ece(confidence: &[f64], correct: &[bool]) -> Option<f64> {
    let ranked = ascending(confidence, correct);
    let (size, larger) = (ranked.len() / BINS, ranked.len() % BINS);
    let mut start = 0;
    let mut sum = 0.0;
    for bin in 0..BINS {
        let end = start + size + usize::from(bin < larger);
        sum += gap(&ranked[start..end]) * (end - start) as f64;
        start = end;
    }
    (!ranked.is_empty()).then(|| sum / ranked.len() as f64)
}

/// The root mean square calibration error over bins of 100 images in ascending confidence, the last with those that
/// are left.
///
/// Source: D. Hendrycks and others, "Natural adversarial examples", CVPR 2021, section 4, over all bins: see
/// [`rms_as_published`].
pub fn rms_all_bins(confidence: &[f64], correct: &[bool]) -> Option<f64> {
    rms(&ascending(confidence, correct), usize::MAX)
}

/// The same as natural-adv-examples computes it (`calib_err`, commit 0777070): its loop leaves the last bin out, which
/// has the most confident 100 to 199 images. `None` below 100 images, where that code stops.
pub fn rms_as_published(confidence: &[f64], correct: &[bool]) -> Option<f64> {
    let ranked = ascending(confidence, correct);
    let bins = ranked.len() / IMAGES_PER_BIN;
    (bins > 0).then(|| rms(&ranked, bins - 1)).flatten()
}

/// Over the first `most` bins; the last bin takes the images that do not fill another one. Divided by all images.
fn rms(ranked: &[Answer], most: usize) -> Option<f64> {
    let bins = (ranked.len() / IMAGES_PER_BIN).max(1);
    let mut sum = 0.0;
    for bin in 0..bins.min(most) {
        let end = if bin + 1 == bins { ranked.len() } else { (bin + 1) * IMAGES_PER_BIN };
        let images = &ranked[bin * IMAGES_PER_BIN..end];
        sum += images.len() as f64 * gap(images).powi(2);
    }
    (!ranked.is_empty()).then(|| (sum / ranked.len() as f64).sqrt())
}

/// A confidence and whether it was right.
#[derive(Debug, Clone, Copy)]
struct Answer {
    confidence: f64,
    correct: bool,
}

fn answers(confidence: &[f64], correct: &[bool]) -> Vec<Answer> {
    let both = confidence.iter().zip(correct);
    both.map(|(&confidence, &correct)| Answer { confidence, correct }).filter(|at| !at.confidence.is_nan()).collect()
}

fn ascending(confidence: &[f64], correct: &[bool]) -> Vec<Answer> {
    let mut ranked = answers(confidence, correct);
    ranked.sort_by(|a, b| a.confidence.partial_cmp(&b.confidence).unwrap_or(std::cmp::Ordering::Equal));
    ranked
}

/// |mean confidence - accuracy|; 0 without an image.
fn gap(images: &[Answer]) -> f64 {
    if images.is_empty() { 0.0 } else { (mean_confidence(images) - accuracy(images)).abs() }
}

fn mean_confidence(images: &[Answer]) -> f64 {
    images.iter().map(|at| at.confidence).sum::<f64>() / images.len() as f64
}

fn accuracy(images: &[Answer]) -> f64 {
    images.iter().filter(|at| at.correct).count() as f64 / images.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_on_an_edge_is_in_the_lower_bin() {
        let bins = reliability_bins(&[0.0, 0.5, 0.500_001, 1.0, f64::NAN], &[false, true, true, true, true], 2);
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [2, 2]);
        assert_eq!((bins[0].confidence, bins[0].accuracy, bins[0].high), (Some(0.25), Some(0.5), 0.5));
        let empty = reliability_bins(&[0.9], &[true], 15);
        assert_eq!((empty[0].confidence, empty[13].count, largest_error(&empty)), (None, 1, expected_error(&empty)));
    }

    #[test]
    fn the_published_error_leaves_the_most_confident_images_out() {
        let confidence: Vec<f64> = (0..250).map(|i| if i < 100 { 0.1 } else { 0.9 }).collect();
        let wrong = vec![false; 250];
        let published = rms_as_published(&confidence, &wrong).unwrap();
        assert!((published - (0.01 * 100.0 / 250.0_f64).sqrt()).abs() < 1e-12);
        assert!(rms_all_bins(&confidence, &wrong).unwrap() > 0.6);
        assert_eq!(rms_as_published(&confidence[..99], &wrong[..99]), None);
        assert_eq!(rms_as_published(&confidence[..199], &wrong[..199]), Some(0.0));
    }

    #[test]
    fn without_an_image_there_is_no_error() {
        let bins = reliability_bins(&[], &[], BINS);
        assert_eq!((bins.len(), expected_error(&bins), largest_error(&bins)), (15, None, None));
        assert_eq!((adaptive_ece(&[], &[]), rms_all_bins(&[], &[])), (None, None));
        assert!(reliability_bins(&[0.5], &[true], 0).is_empty());
    }
}
