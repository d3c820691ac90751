//! An order of models in which similar ones are neighbours, for a matrix of kappas.
//!
//! Average linkage (UPGMA: R. R. Sokal, C. D. Michener, University of Kansas Science Bulletin 38, 1958). Holds always:
//! every model is in the order once; of equal similarities the first pair in the order of models is joined first.

/// The order of the models of a symmetric matrix of similarities. A missing one counts as 0, no more than chance.
pub fn similarity_order(kappa: &[Vec<Option<f64>>]) -> Vec<usize> {
    let models = kappa.len();
    let mut groups: Vec<Vec<usize>> = (0..models).map(|model| vec![model]).collect();
    let at = |a: usize, b: usize| kappa[a].get(b).copied().flatten().filter(|value| value.is_finite()).unwrap_or(0.0);
    while groups.len() > 1 {
        let mut best = (0, 1, f64::NEG_INFINITY);
        for one in 0..groups.len() {
            for two in one + 1..groups.len() {
                let similarity = mean_between(&groups[one], &groups[two], at);
                if similarity > best.2 {
                    best = (one, two, similarity);
                }
            }
        }
        let joined = groups.remove(best.1);
        let neighbours = closest_ends(&groups[best.0], &joined, at);
        groups[best.0] = neighbours;
    }
    groups.pop().unwrap_or_default()
}

fn mean_between(one: &[usize], two: &[usize], at: impl Fn(usize, usize) -> f64) -> f64 {
    let sum: f64 = one.iter().flat_map(|&a| two.iter().map(move |&b| (a, b))).map(|(a, b)| at(a, b)).sum();
    sum / (one.len() * two.len()) as f64
}

/// Both groups in a row, each in its order or turned around, so that the models where they meet are the most similar.
fn closest_ends(one: &[usize], two: &[usize], at: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut best: Option<(f64, Vec<usize>)> = None;
    for turned in 0..4 {
        let [mut left, mut right] = [one.to_vec(), two.to_vec()];
        if turned & 1 == 1 {
            left.reverse();
        }
        if turned & 2 == 2 {
            right.reverse();
        }
        let similarity = at(left[left.len() - 1], right[0]);
        if best.as_ref().is_none_or(|(most, _)| similarity > *most) {
            left.append(&mut right);
            best = Some((similarity, left));
        }
    }
    best.map_or_else(Vec::new, |(_, order)| order)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order of a matrix of whole percent.
    fn order(rows: &[&[i32]]) -> Vec<usize> {
        let value = |percent: &i32| Some(f64::from(*percent) / 100.0);
        similarity_order(&rows.iter().map(|row| row.iter().map(value).collect()).collect::<Vec<_>>())
    }

    #[test]
    fn similar_models_are_neighbours() {
        assert_eq!(
            order(&[&[100, 10, 80, 5], &[10, 100, 15, 70], &[80, 15, 100, 20], &[5, 70, 20, 100]]),
            [0, 2, 3, 1]
        );
    }

    #[test]
    fn ties_and_missing_kappas_keep_the_order_of_models() {
        assert_eq!(order(&[&[100, 50, 50], &[50, 100, 50], &[50, 50, 100]]), [0, 1, 2]);
        assert_eq!(similarity_order(&[vec![None; 3], vec![None; 3], vec![None, Some(f64::NAN)]]), [0, 1, 2]);
        assert!(similarity_order(&[]).is_empty());
    }

    #[test]
    fn fifty_models_are_ordered_once_each() {
        let row = |a: usize| (0..50).map(|b| Some(((a * 7 + b * 7) % 13) as f64 / 13.0)).collect::<Vec<_>>();
        let mut models = similarity_order(&(0..50).map(row).collect::<Vec<_>>());
        models.sort_unstable();
        assert_eq!(models, (0..50).collect::<Vec<_>>());
    }
}
