//! Scatter figures: clean against pool in logit axes, accuracy against agreement with the surrogates.
//!
//! Holds always: every point has its name in its title, and up to [`NAMED`] points beside it; the numbers stand in the
//! tables of the page.

use maud::{Markup, html};

use super::super::parts::text::phrase;
use super::board::BoardRow;
use super::data::EvaluationPage;
use super::section::{find, section};
use crate::domain::AgreementRow;
use crate::render::numbers::{coefficient, percent};

/// Points that are named in the figure.
const NAMED: usize = 14;
/// Geometry in the units of the view box.
const LEFT: f64 = 58.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 330.0;
/// Shares at which a logit axis has ticks.
const SHARES: [f64; 13] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99];

/// A point with its name.
struct Point {
    name: String,
    x: f64,
    y: f64,
}

/// An axis.
struct Axis {
    title: &'static str,
    low: f64,
    high: f64,
    ticks: Vec<(f64, String)>,
}

/// Clean accuracy against accuracy here, in logit axes.
pub fn clean(page: &EvaluationPage, rows: &[BoardRow], space: &str) -> Option<Markup> {
    let mut points = Vec::new();
    for row in rows.iter().filter(|row| row.tier.is_some()) {
        let clean = find(page.figures, &row.target, space, "clean_accuracy").and_then(|figure| figure.value);
        if let (Some(x), Some(y)) = (clean.and_then(logit), row.accuracy.value.and_then(logit)) {
            points.push(Point { name: row.target.clone(), x, y });
        }
    }
    page.record.clean.as_ref()?;
    if points.is_empty() {
        let nothing =
            html! { p.nothing { "No target has an accuracy between 0 and 1 on both, so there is no point." } };
        return section("clean", "Clean against here", "", nothing);
    }
    let x = logit_axis("accuracy on the clean twin", points.iter().map(|point| point.x));
    let y = logit_axis("accuracy here", points.iter().map(|point| point.y));
    let refused = page.figures.iter().find(|figure| figure.metric == "effective_robustness" && figure.value.is_none());
    let note = "Both axes are logits: where models differ only in how good they are, they lie on a line. The dashed \
                line is equal accuracy.";
    section(
        "clean",
        "Clean against here",
        note,
        html! {
            (figure(&points, &x, &y, true))
            (not_drawn(rows, &points, "an accuracy is 0 or 1"))
            @if let Some(refused) = refused { p.note { "No effective robustness: " (refused.method) "." } }
        },
    )
}

/// Accuracy against agreement with the surrogates.
pub fn surrogates(page: &EvaluationPage, rows: &[BoardRow], space: &str) -> Option<Markup> {
    let with: Vec<&AgreementRow> =
        page.agreements.iter().filter(|row| row.b_is_surrogate && row.space == space).collect();
    if with.is_empty() {
        return None;
    }
    // Where surrogates fail on every image, chance alone gives their agreement, and only classes tell more.
    let has_kappa = with.iter().any(|row| row.kappa.is_some_and(|kappa| kappa.abs() > 1e-9));
    let value = |row: &AgreementRow| if has_kappa { row.kappa } else { row.same_wrong_class };
    let mut points = Vec::new();
    for row in rows.iter().filter(|row| row.tier.is_some()) {
        let values: Vec<f64> = with.iter().filter(|with| with.a == row.target).filter_map(|with| value(with)).collect();
        if let (Some(y), false) = (row.accuracy.value, values.is_empty()) {
            let x = values.iter().sum::<f64>() / values.len() as f64;
            points.push(Point { name: row.target.clone(), x, y });
        }
    }
    if points.is_empty() {
        return None;
    }
    let title =
        if has_kappa { "mean kappa with the surrogates" } else { "share of shared failures with a surrogate's class" };
    let x = linear_axis(title, points.iter().map(|point| point.x), coefficient_tick);
    let y = linear_axis("accuracy", points.iter().map(|point| point.y), |value| percent(value).replace(".0", ""));
    let note = "A target that errs as the surrogates do scores low because of the mining, not because of the images.";
    let drawn = html! {
        (figure(&points, &x, &y, false))
        (not_drawn(rows, &points, "no agreement with the surrogates can be stated"))
    };
    section("surrogates", "Accuracy and agreement with the surrogates", note, drawn)
}

fn coefficient_tick(value: f64) -> String {
    coefficient(Some(value))
}

fn logit(share: f64) -> Option<f64> {
    (share > 0.0 && share < 1.0).then(|| (share / (1.0 - share)).ln())
}

fn logit_axis(title: &'static str, values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = span(values, 0.25);
    let mut ticks = Vec::new();
    for share in SHARES {
        let at = (share / (1.0 - share)).ln();
        if (low..=high).contains(&at) {
            ticks.push((at, format!("{}", (share * 100.0).round())));
        }
    }
    Axis { title, low, high, ticks }
}

fn linear_axis(title: &'static str, values: impl Iterator<Item = f64>, written: fn(f64) -> String) -> Axis {
    let (low, high) = span(values, 0.02);
    let step = step(high - low);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    let places = (first..=last).map(|at| at as f64 * step).filter(|at| (low..=high).contains(at));
    let ticks = places.map(|at| (at, written(at))).collect();
    Axis { title, low, high, ticks }
}

/// A step of 1, 2 or 5 times a power of ten, so that there are about five.
fn step(range: f64) -> f64 {
    let power = 10_f64.powf((range / 5.0).log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|times| times * power).find(|step| range / step <= 6.0).unwrap_or(10.0 * power)
}

/// The range of the values with a margin.
fn span(values: impl Iterator<Item = f64>, least: f64) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        low = low.min(value);
        high = high.max(value);
    }
    let margin = ((high - low) * 0.12).max(least);
    (low - margin, high + margin)
}

impl Axis {
    fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The figure in a box of its own, because its words would be too small to read at the width of a phone.
fn figure(points: &[Point], x: &Axis, y: &Axis, is_equal_line: bool) -> Markup {
    html! {
        div.scroll role="region" aria-label="Figure" tabindex="0" { (drawing(points, x, y, is_equal_line)) }
    }
}

/// The targets without a point, and why.
fn not_drawn(rows: &[BoardRow], points: &[Point], why: &str) -> Markup {
    let is_drawn = |row: &BoardRow| row.tier.is_none() || points.iter().any(|point| point.name == row.target);
    let without: Vec<&str> = rows.iter().filter(|row| !is_drawn(row)).map(|row| row.target.as_str()).collect();
    html! {
        @if !without.is_empty() { p.note { "Not drawn, because " (why) ": " (phrase(&without.join(", "))) "." } }
    }
}

fn drawing(points: &[Point], x: &Axis, y: &Axis, is_equal_line: bool) -> Markup {
    let at_x = |value: f64| LEFT + x.place(value) * (RIGHT - LEFT);
    let at_y = |value: f64| BOTTOM - y.place(value) * (BOTTOM - TOP);
    let (from, to) = (x.low.max(y.low), x.high.min(y.high));
    html! {
        svg.scatter viewBox="0 0 640 384" role="img" aria-label=(spoken(points, x, y)) {
            @for (value, text) in &x.ticks {
                line.grid x1=(px(at_x(*value))) x2=(px(at_x(*value))) y1=(TOP) y2=(BOTTOM) {}
                text.tick x=(px(at_x(*value))) y=(BOTTOM + 18.0) text-anchor="middle" { (text) }
            }
            @for (value, text) in &y.ticks {
                line.grid x1=(LEFT) x2=(RIGHT) y1=(px(at_y(*value))) y2=(px(at_y(*value))) {}
                text.tick x=(LEFT - 8.0) y=(px(at_y(*value) + 4.0)) text-anchor="end" { (text) }
            }
            @if is_equal_line && from < to {
                line.equal x1=(px(at_x(from))) y1=(px(at_y(from))) x2=(px(at_x(to))) y2=(px(at_y(to))) {}
            }
            @for point in points {
                g.point {
                    title { (point.name) }
                    circle cx=(px(at_x(point.x))) cy=(px(at_y(point.y))) r="4.5" {}
                    @if points.len() <= NAMED {
                        @let is_right = x.place(point.x) > 0.7;
                        text x=(px(at_x(point.x) + if is_right { -9.0 } else { 9.0 })) y=(px(at_y(point.y) + 4.0))
                            text-anchor=(if is_right { "end" } else { "start" }) { (point.name) }
                    }
                }
            }
            text.title x=(f64::midpoint(LEFT, RIGHT)) y="372" text-anchor="middle" { (x.title) }
            text.title x="14" y=(f64::midpoint(TOP, BOTTOM)) text-anchor="middle"
                transform=(format!("rotate(-90 14 {})", f64::midpoint(TOP, BOTTOM))) { (y.title) }
        }
    }
}

fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn spoken(points: &[Point], x: &Axis, y: &Axis) -> String {
    let names: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
    format!("Scatter figure: {} against {}, {}; the numbers are in the tables", y.title, x.title, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_a_few_round_ticks_whatever_their_range() {
        for (low, high) in [(0.0, 1.0), (0.2, 0.21), (-0.5, 0.5), (0.3, 0.3)] {
            let axis = linear_axis("x", [low, high].into_iter(), coefficient_tick);
            assert!((2..=8).contains(&axis.ticks.len()), "{low} to {high}: {:?}", axis.ticks);
            assert!(axis.ticks.iter().all(|(at, _)| (axis.low..=axis.high).contains(at)));
        }
    }
}
