//! Flips along sequences of slowly changing images.
//!
//! Source: D. Hendrycks, T. Dietterich, ICLR 2019, section 4.2, as `ImageNet-P/test.py` of their code computes it: the
//! mean is over the comparisons of a sequence, then over sequences.
//!
//! Holds always: a sequence without a comparison does not count; without a sequence that counts there is no figure.

/// With which frame a frame is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// The first one: for noise, whose frames are no steps of one another. Difficulty changes the data alone.
    First,
    /// The frame so many before, 1 or more: the difficulty.
    Before(usize),
}

/// The probability that the prediction changes. `predictions`: the top class of each frame of each sequence.
pub fn flip_probability(predictions: &[Vec<u32>], against: Against) -> Option<f64> {
    mean_distance(predictions, against, |one, two| f64::from(u8::from(one != two)))
}

/// The top-5 distance of two rankings: the sum over the five best classes of the one of how many places within the top
/// five they move. `ranks`: of each frame of each sequence the rank of every class, 1 for the likeliest.
pub fn top5_distance(ranks: &[Vec<Vec<u32>>], against: Against) -> Option<f64> {
    const TOP: u32 = 5;
    mean_distance(ranks, against, |one, two| {
        let places = moved(one, two).into_iter().take(TOP as usize);
        places.map(|[from, to]| f64::from((from - 1).min(TOP).abs_diff((to - 1).min(TOP)))).sum()
    })
}

/// Zipf's distance of two rankings: the sum over classes of |1 / rank - 1 / other rank| / rank. `ranks` as for
/// [`top5_distance`].
pub fn zipf_distance(ranks: &[Vec<Vec<u32>>], against: Against) -> Option<f64> {
    mean_distance(ranks, against, |one, two| {
        let share = |[from, to]: [u32; 2]| (1.0 / f64::from(from) - 1.0 / f64::from(to)).abs() / f64::from(from);
        moved(one, two).into_iter().map(share).sum()
    })
}

/// The rank of each class in both rankings, the best class of the first one first. Ranks start at 1.
fn moved(one: &[u32], two: &[u32]) -> Vec<[u32; 2]> {
    let mut places: Vec<[u32; 2]> = one.iter().zip(two).map(|(&from, &to)| [from.max(1), to.max(1)]).collect();
    places.sort_by_key(|&[from, _]| from);
    places
}

fn mean_distance<T>(sequences: &[Vec<T>], against: Against, distance: impl Fn(&T, &T) -> f64) -> Option<f64> {
    let mut means = Vec::new();
    for frames in sequences {
        let compared = |at: usize| match against {
            Against::First => (at > 0).then_some(0),
            Against::Before(step) => at.checked_sub(step).filter(|_| step > 0),
        };
        let pairs = (0..frames.len()).filter_map(|at| Some((compared(at)?, at)));
        let distances: Vec<f64> = pairs.map(|(before, at)| distance(&frames[before], &frames[at])).collect();
        if !distances.is_empty() {
            means.push(distances.iter().sum::<f64>() / distances.len() as f64);
        }
    }
    (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_compared_with_the_first_frame() {
        let predictions = [vec![1, 2, 1, 2, 2]];
        assert_eq!(flip_probability(&predictions, Against::First), Some(0.75));
        assert_eq!(flip_probability(&predictions, Against::Before(1)), Some(0.75));
        assert_eq!(flip_probability(&predictions, Against::Before(2)), Some(1.0 / 3.0));
    }

    #[test]
    fn sequences_without_a_comparison_do_not_count() {
        assert_eq!(flip_probability(&[vec![1], vec![1, 2]], Against::First), Some(1.0));
        assert_eq!(flip_probability(&[vec![1, 2]], Against::Before(2)), None);
        assert_eq!(flip_probability(&[vec![1, 2]], Against::Before(0)), None);
        assert_eq!(flip_probability(&[], Against::First), None);
    }

    #[test]
    fn rankings_by_hand() {
        let same = [vec![vec![1, 2, 3], vec![1, 2, 3]]];
        assert_eq!(
            (top5_distance(&same, Against::First), zipf_distance(&same, Against::First)),
            (Some(0.0), Some(0.0))
        );
        let swapped = [vec![vec![1, 2, 3], vec![2, 1, 3]]];
        assert_eq!(top5_distance(&swapped, Against::First), Some(2.0));
        assert!((zipf_distance(&swapped, Against::First).unwrap() - 0.75).abs() < 1e-15);
    }
}
