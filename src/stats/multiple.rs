//! Corrections of p-values for the number of tests.
//!
//! Holds always: a corrected value is not below its own, the order of values is kept, and the result is in the order of
//! the input.

/// Holm's step-down correction (S. Holm, Scandinavian Journal of Statistics 6, 1979): keeps the chance of any false
/// finding.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len();
    let mut corrected = vec![0.0; tests];
    let mut largest: f64 = 0.0;
    for (rank, &at) in ascending(p_values).iter().enumerate() {
        largest = largest.max(p_values[at] * (tests - rank) as f64).min(1.0);
        corrected[at] = largest;
    }
    corrected
}

/// Benjamini and Hochberg's step-up correction (Journal of the Royal Statistical Society B 57, 1995): keeps the share
/// of false findings among the findings.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len();
    let mut corrected = vec![0.0; tests];
    let mut smallest: f64 = 1.0;
    for (rank, &at) in ascending(p_values).iter().enumerate().rev() {
        smallest = smallest.min(p_values[at] * tests as f64 / (rank + 1) as f64);
        corrected[at] = smallest;
    }
    corrected
}

/// Bonferroni's correction: each value times the number of tests.
pub fn bonferroni(p_values: &[f64]) -> Vec<f64> {
    p_values.iter().map(|p| (p * p_values.len() as f64).min(1.0)).collect()
}

/// Places by ascending value; equal ones in their order.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..p_values.len()).collect();
    places.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: &[f64], expected: &[f64]) {
        assert!(ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15), "{ours:?} / {expected:?}");
    }

    #[test]
    fn by_hand_in_the_order_of_the_input() {
        let p = [0.04, 0.01, 0.03, 0.9];
        close(&holm(&p), &[0.09, 0.04, 0.09, 0.9]);
        close(&benjamini_hochberg(&p), &[0.16 / 3.0, 0.04, 0.16 / 3.0, 0.9]);
        close(&bonferroni(&p), &[0.16, 0.04, 0.12, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
