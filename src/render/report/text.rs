//! How numbers and names are written on the page.
//!
//! Does not decide what is shown. Holds always: whatever comes in, NaN included, something readable comes out, and a name
//! cannot turn the direction of the text around it.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Interval;

/// Stands where there is no number.
pub const DASH: &str = "–";

/// A proportion in [0, 1] as `23.5 %`.
pub fn percent(proportion: f64) -> String {
    if proportion.is_finite() { format!("{:.1}\u{a0}%", proportion * 100.0) } else { DASH.into() }
}

/// `part` of `whole` as [`percent`]; a dash when there is no whole.
pub fn share(part: u64, whole: u64) -> String {
    percent(ratio(part, whole))
}

/// `part / whole`, NaN when there is no whole.
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

/// A count with thousands separated: `61,811`.
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

/// A name from the data: escaped, isolated from the direction of its surroundings, breakable after `_ / - .`.
pub fn name(text: &str) -> Markup {
    html! { bdi { @for piece in text.split_inclusive(['_', '/', '-', '.']) { (piece) wbr; } } }
}

/// A phrase from the data, such as a class or a reason: escaped and isolated, broken at its spaces.
pub fn phrase(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// A hash, or a word in its place: its first twelve letters, all of them on hovering.
pub fn hash(text: &str) -> Markup {
    let short: String = text.chars().take(12).collect();
    html! { code title=(text) { (phrase(&short)) @if short.len() < text.len() { "…" } } }
}

/// Everything but letters, digits, `-`, `_` and `.`.
const NOT_IN_A_FRAGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Text for a URL's fragment, with `%XX` for the bytes that cannot be in one.
pub fn fragment_value(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_A_FRAGMENT).to_string()
}
