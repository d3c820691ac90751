//! Clopper and Pearson's interval of shares that are not whole counts, against SciPy.
//!
//! The distributions themselves are private; their values are held beside the code (`src/stats/special.rs`).

use hardset::stats;

use super::{Differences, json, numbers};

#[test]
fn clopper_pearson_takes_shares_of_a_success() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/statistics/special.json");
    // Bisection to the last bits of a quantile; the incomplete beta function has a relative error of about 1e-12 at
    // 50,000.
    let mut differences = Differences::new("Clopper-Pearson", 1e-11);
    for row in json(&golden)["clopper_pearson"].as_array().expect("a list") {
        let [successes, trials, alpha, low, high] = numbers(row)[..] else { panic!("{row}") };
        let interval = stats::clopper_pearson(successes, trials, alpha).expect("there are trials");
        differences.hold("low", interval.low, low);
        differences.hold("high", interval.high, high);
    }
}
