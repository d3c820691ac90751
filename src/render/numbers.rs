//! How numbers are written in reports, pages and the documents of releases.
//!
//! Does not compute anything but a quotient. Holds always: every input, NaN included, gives something readable, because
//! a run without images has undefined shares.

use crate::stats::Interval;

/// Replaces a number that is not known or not finite.
pub const DASH: &str = "–";

/// A proportion in [0, 1] as `23.5 %`.
pub fn percent(proportion: f64) -> String {
    if proportion.is_finite() { format!("{:.1}\u{a0}%", proportion * 100.0) } else { DASH.into() }
}

/// `part` of `whole` as [`percent`]; a dash if `whole` is 0.
pub fn share(part: u64, whole: u64) -> String {
    percent(ratio(part, whole))
}

/// `part / whole`; NaN if `whole` is 0.
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { f64::NAN } else { part as f64 / whole as f64 }
}

/// The bounds of an interval in per cent: `87.2 – 93.0`.
pub fn bounds(interval: &Interval) -> String {
    if !(interval.low.is_finite() && interval.high.is_finite()) {
        return DASH.into();
    }
    format!("{:.1}\u{a0}–\u{a0}{:.1}", interval.low * 100.0, interval.high * 100.0)
}

/// A count with separated thousands: `61,811`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 image`, `94 images`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A probability with three decimals; `<0.001` and `>0.999` rather than a false 0 or 1.
pub fn probability(p: f32) -> String {
    match p {
        p if !p.is_finite() => DASH.into(),
        p if 0.0 < p && p < 0.0005 => "<0.001".into(),
        p if (0.9995..1.0).contains(&p) => ">0.999".into(),
        p => format!("{p:.3}"),
    }
}

/// A coefficient in [-1, 1] with two decimals and a true minus sign.
pub fn coefficient(value: Option<f64>) -> String {
    match value.filter(|v| v.is_finite()) {
        Some(v) => format!("{v:.2}").replace("-0.00", "0.00").replace('-', "−"),
        None => DASH.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable_at_both_ends() {
        assert_eq!([0, 999, 1000, 61811].map(count), ["0", "999", "1,000", "61,811"]);
        assert_eq!([0.0, 0.0001, 0.5, 0.9999, 1.0].map(probability), ["0.000", "<0.001", "0.500", ">0.999", "1.000"]);
        assert_eq!([Some(-0.254), Some(-0.001), None].map(coefficient), ["−0.25", "0.00", "–"]);
        assert_eq!([share(94, 400), share(0, 0)], ["23.5\u{a0}%", "–"]);
    }
}
