//! The temperature that calibrates logits: the exact minimiser of the negative log-likelihood.
//!
//! Does not choose the images: a temperature is fitted on the clean twin of a release or on one half of it, never on
//! what is then reported. Holds always: it is within [`BOUNDS`], the bounds of the published search.

/// The range of natural-adv-examples' `tune_temp`.
const BOUNDS: [f64; 2] = [0.2, 5.0];
/// Starts of the search where several classes are accepted: the likelihood may then have several minima.
const STARTS: usize = 24;
const MOST_STEPS: usize = 100;

/// Logits of one image and which classes are right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageLogits<'a> {
    /// One for each class; minus infinity for a class that cannot be chosen.
    pub logits: &'a [f64],
    /// Classes that count as right.
    pub accepted: &'a [usize],
}

/// A fitted temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature {
    /// By which logits are divided, in [0.2, 5].
    pub value: f64,
    /// Negative log-likelihood in nats at temperature 1.
    pub nll_before: f64,
    /// The same at `value`.
    pub nll_after: f64,
    /// Images it was fitted on; one without a finite logit of an accepted class, or with one that is not a number, is
    /// left out.
    pub images: usize,
    /// Whether the minimum is at a bound of the range, so that the best one may be beyond it.
    pub at_bound: bool,
}

/// The temperature in [0.2, 5] at which the mean of -ln(probability of the accepted classes) is smallest. `None`
/// without an image that counts.
///
/// Source: C. Guo and others, "On calibration of modern neural networks", ICML 2017, section 4.2. The derivative's root
/// by Newton's steps in 1 / temperature, halved where they leave the bracket.
pub fn temperature(images: &[ImageLogits]) -> Option<Temperature> {
    let usable: Vec<Image> = images.iter().filter_map(Image::new).collect();
    if usable.is_empty() {
        return None;
    }
    let single = usable.iter().all(|image| image.accepted.len() == 1);
    let [low, high] = [1.0 / BOUNDS[1], 1.0 / BOUNDS[0]];
    let inverse = minimise(&usable, if single { [low, high] } else { bracket(&usable, low, high) });
    Some(Temperature {
        value: 1.0 / inverse,
        nll_before: at(&usable, 1.0).nll,
        nll_after: at(&usable, inverse).nll,
        images: usable.len(),
        at_bound: inverse == low || inverse == high,
    })
}

/// The mean of -ln(probability of the accepted classes) at `temperature`, over the images that [`temperature`] takes.
pub fn nll_at(images: &[ImageLogits], temperature: f64) -> Option<f64> {
    let usable: Vec<Image> = images.iter().filter_map(Image::new).collect();
    (!usable.is_empty()).then(|| at(&usable, 1.0 / temperature).nll)
}

/// Logits as distances below the largest one.
struct Image {
    all: Vec<f64>,
    accepted: Vec<f64>,
}

impl Image {
    fn new(image: &ImageLogits) -> Option<Self> {
        let largest = image.logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() || image.logits.iter().any(|logit| logit.is_nan()) {
            return None;
        }
        let finite = |logit: &f64| (*logit > f64::NEG_INFINITY).then_some(logit - largest);
        let mut classes = image.accepted.to_vec();
        classes.sort_unstable();
        classes.dedup();
        let accepted: Vec<f64> = classes.iter().filter_map(|&class| finite(image.logits.get(class)?)).collect();
        (!accepted.is_empty()).then(|| Self { all: image.logits.iter().filter_map(finite).collect(), accepted })
    }
}

/// The mean negative log-likelihood and its derivatives by 1 / temperature.
struct Likelihood {
    nll: f64,
    slope: f64,
    curvature: f64,
}

fn at(images: &[Image], inverse: f64) -> Likelihood {
    let mut sum = Likelihood { nll: 0.0, slope: 0.0, curvature: 0.0 };
    for image in images {
        let [all, accepted] = [Moments::of(&image.all, inverse), Moments::of(&image.accepted, inverse)];
        sum.nll += all.log_sum - accepted.log_sum;
        sum.slope += all.mean - accepted.mean;
        sum.curvature += all.variance - accepted.variance;
    }
    let n = images.len() as f64;
    Likelihood { nll: sum.nll / n, slope: sum.slope / n, curvature: sum.curvature / n }
}

/// Of logits under their own softmax.
struct Moments {
    log_sum: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(logits: &[f64], inverse: f64) -> Self {
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let [mut weights, mut first, mut second] = [0.0; 3];
        for logit in logits {
            let weight = ((logit - top) * inverse).exp();
            weights += weight;
            first += weight * logit;
            second += weight * logit * logit;
        }
        let mean = first / weights;
        Self { log_sum: weights.ln() + top * inverse, mean, variance: second / weights - mean * mean }
    }
}

/// The part of the range around the best of several starts.
fn bracket(images: &[Image], low: f64, high: f64) -> [f64; 2] {
    let step = |k: usize| low * (high / low).powf(k as f64 / STARTS as f64);
    let mut best = (0, f64::INFINITY);
    for k in 0..=STARTS {
        let nll = at(images, step(k)).nll;
        if nll < best.1 {
            best = (k, nll);
        }
    }
    let above = if best.0 >= STARTS - 1 { high } else { step(best.0 + 1) };
    [if best.0 <= 1 { low } else { step(best.0 - 1) }, above]
}

fn minimise(images: &[Image], [mut low, mut high]: [f64; 2]) -> f64 {
    if at(images, low).slope >= 0.0 {
        return low;
    }
    if at(images, high).slope <= 0.0 {
        return high;
    }
    let mut inverse = if low < 1.0 && high > 1.0 { 1.0 } else { 0.5 * (low + high) };
    for _ in 0..MOST_STEPS {
        let here = at(images, inverse);
        if here.slope < 0.0 {
            low = inverse;
        } else {
            high = inverse;
        }
        let newton = inverse - here.slope / here.curvature;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if here.slope == 0.0 || (next - inverse).abs() < 1e-13 * inverse {
            break;
        }
        inverse = next;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image<'a>(logits: &'a [f64], accepted: &'a [usize]) -> ImageLogits<'a> {
        ImageLogits { logits, accepted }
    }

    #[test]
    fn of_two_classes_by_hand() {
        // Three of four right with a distance of 1: the probability should be 3 / 4, so 1 / T is ln 3.
        let images = [image(&[1.0, 0.0], &[0]); 3];
        let fitted = temperature(&[&images[..], &[image(&[1.0, 0.0], &[1])]].concat()).unwrap();
        assert!((fitted.value - 1.0 / 3.0_f64.ln()).abs() < 1e-12 && !fitted.at_bound, "{fitted:?}");
        assert!(fitted.nll_after < fitted.nll_before && fitted.images == 4);
    }

    #[test]
    fn bounds_are_kept_and_said() {
        let sure = temperature(&[image(&[1.0, 0.0], &[0])]).unwrap();
        assert_eq!((sure.value, sure.at_bound), (0.2, true));
        let wrong = temperature(&[image(&[1.0, 0.0], &[1])]).unwrap();
        assert_eq!((wrong.value, wrong.at_bound), (5.0, true));
    }

    #[test]
    fn images_that_have_no_likelihood_are_left_out() {
        let endless = f64::NEG_INFINITY;
        assert_eq!(temperature(&[image(&[f64::NAN, 0.0], &[1]), image(&[], &[0]), image(&[1.0], &[7])]), None);
        let logits = [vec![1.0, endless], vec![1.0, endless, 0.0]];
        let images = [image(&logits[0], &[1]), image(&logits[1], &[0, 0, 1])];
        assert_eq!(temperature(&images).unwrap().images, 1);
        assert_eq!(nll_at(&[], 1.0), None);
    }

    #[test]
    fn several_accepted_classes_find_the_deepest_minimum() {
        let logits: Vec<Vec<f64>> =
            (0..40).map(|i| (0..6).map(|c| f64::from((i * 7 + c * c * 5 + 3 * c) % 11) / 2.0).collect()).collect();
        let accepted: Vec<Vec<usize>> = (0..40).map(|i| vec![i % 6, (i * 5 + 1) % 6]).collect();
        let images: Vec<_> = logits.iter().zip(&accepted).map(|(logits, accepted)| image(logits, accepted)).collect();
        let fitted = temperature(&images).unwrap();
        let best =
            (0..=4800).map(|k| nll_at(&images, 0.2 + f64::from(k) / 1000.0).unwrap()).fold(f64::INFINITY, f64::min);
        assert!(fitted.nll_after <= best + 1e-12, "{fitted:?} / {best}");
    }
}
