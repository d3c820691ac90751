//! Special functions: the distributions behind intervals and tests.
//!
//! Written here, because what is needed is five functions: the crates that have them bring linear algebra along
//! (statrs), or are ports of the same pages. Held against SciPy in `tests/golden/statistics.json`.
//!
//! Holds always: arguments outside a function's range give NaN or the nearest bound, never a panic.

use std::f64::consts::PI;

/// Steps of a continued fraction; it takes about the square root of its largest argument.
const MOST_STEPS: usize = 20_000;
/// Replaces a zero in a continued fraction.
const TINY: f64 = 1e-300;

/// Lanczos' coefficients for g = 7, as published by P. Godfrey (2001); relative error 1e-15.
const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_9,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

/// The logarithm of the gamma function, for `x` above 0.
pub fn ln_gamma(x: f64) -> f64 {
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let mut sum = LANCZOS[0];
    for (at, coefficient) in LANCZOS.iter().enumerate().skip(1) {
        sum += coefficient / (x + at as f64);
    }
    let t = x + 7.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete beta function I_x(a, b): the share of a beta distribution below `x`.
///
/// Source: the continued fraction of NIST's Digital Library of Mathematical Functions, 8.17.22, by Lentz's method.
pub fn beta_share(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        log.exp() * beta_fraction(a, b, x) / a
    } else {
        1.0 - log.exp() * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..MOST_STEPS {
        let m = step as f64;
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            result *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    result
}

/// The `x` below which a share `share` of the beta distribution of `a` and `b` is: [`beta_share`] inverted by
/// bisection, which needs no start and cannot run away.
pub fn beta_quantile(a: f64, b: f64, share: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high || high - low < 1e-15 * middle {
            break;
        }
        if beta_share(a, b, middle) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The complement of the error function; relative error below 1e-13 up to 26, beyond which it is below 1e-296.
///
/// Source: the series 7.6.2 and the continued fraction 7.9.1 of NIST's Digital Library of Mathematical Functions.
pub fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x < 2.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= 2.0 * x * x / (2 * n + 1) as f64;
            sum += term;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-x * x).exp() * sum;
    }
    let mut fraction = x;
    for n in (1..200).rev() {
        fraction = x + n as f64 / 2.0 / fraction;
    }
    (-x * x).exp() / (PI.sqrt() * fraction)
}

/// The share of the standard normal distribution above `z`.
pub fn normal_above(z: f64) -> f64 {
    0.5 * erfc(z / 2.0_f64.sqrt())
}

/// The `z` below which a share `share` of the standard normal distribution is.
pub fn normal_quantile(share: f64) -> f64 {
    if share > 0.5 {
        return -normal_quantile(1.0 - share);
    }
    bisect(-40.0, 0.0, |z| normal_above(-z) < share)
}

/// The share of Student's distribution with `degrees` of freedom that is above |t| or below -|t|; with endless ones of
/// the normal distribution.
pub fn student_two_sided(t: f64, degrees: f64) -> f64 {
    if degrees.is_infinite() {
        return erfc(t.abs() / 2.0_f64.sqrt());
    }
    beta_share(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The `t` below which a share `share`, at least one half, of Student's distribution with `degrees` of freedom is; with
/// endless ones of the normal distribution.
pub fn student_quantile(share: f64, degrees: f64) -> f64 {
    if degrees.is_infinite() {
        return normal_quantile(share);
    }
    let x = beta_quantile(degrees / 2.0, 0.5, 2.0 * (1.0 - share));
    (degrees * (1.0 - x) / x).sqrt()
}

/// The `x` between `low` and `high` up to which `below` holds.
pub fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_symmetry() {
        assert_eq!((beta_share(2.0, 3.0, -1.0), beta_share(2.0, 3.0, 2.0)), (0.0, 1.0));
        assert!((beta_share(0.5, 0.5, 0.5) - 0.5).abs() < 1e-14);
        assert!((erfc(1.3) + erfc(-1.3) - 2.0).abs() < 1e-15);
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!((normal_above(normal_quantile(1e-9)) - (1.0 - 1e-9)).abs() < 1e-12);
    }

    #[test]
    fn student_is_cauchy_with_one_degree_and_nearly_normal_with_many() {
        assert!((student_two_sided(1.0, 1.0) - 0.5).abs() < 1e-13);
        assert!((student_quantile(0.975, 1.0) - 12.706_204_736_174_7).abs() < 1e-9);
        assert!((student_quantile(0.975, 1e7) - 1.959_964).abs() < 1e-5);
    }

    /// Columns of `tests/golden/statistics/special.json`, which tests/golden/make_statistics.py made with SciPy 1.17.
    fn golden(name: &str) -> Vec<Vec<f64>> {
        let file = include_str!("../../tests/golden/statistics/special.json");
        let tables: std::collections::BTreeMap<String, Vec<Vec<f64>>> = serde_json::from_str(file).unwrap();
        tables[name].clone()
    }

    /// Differences are shares of the reference. Logarithms of gamma functions of 1e5 have an error of 1e-10.
    fn close(ours: f64, theirs: f64, what: &str, row: &[f64]) {
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs() + 1e-300, "{what} {row:?}: {ours} / {theirs}");
    }

    #[test]
    fn distributions_equal_scipys() {
        for row in golden("beta_share") {
            close(beta_share(row[0], row[1], row[2]), row[3], "beta share", &row);
        }
        for row in golden("beta_quantile") {
            close(beta_quantile(row[0], row[1], row[2]), row[3], "beta quantile", &row);
        }
        for row in golden("student") {
            close(student_two_sided(row[1], row[0]), row[2], "student", &row);
            close(student_quantile(0.975, row[0]), row[3], "student quantile", &row);
        }
        for row in golden("normal") {
            close(normal_above(row[0]), row[1], "normal", &row);
            close(erfc(row[0]), row[2], "erfc", &row);
        }
    }
}
