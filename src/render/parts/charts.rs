//! Small figures as inline SVG: dots with whiskers, the histogram of failures, bars inside table cells and cards.
//!
//! Uses classes only, because the page's policy forbids style attributes; the style sheet has the colours. Holds
//! always: a figure without its numbers beside it has them in its accessible name, so that screen readers can read
//! them.

use maud::{Markup, html};

use crate::render::numbers::{count as written, counted};
use crate::stats::Interval;

/// Width of a dot-and-whisker strip in px, and the margin on both sides that keeps a dot at 0 or 1 whole.
const STRIP_PX: f64 = 180.0;
const STRIP_MARGIN_PX: f64 = 12.0;

/// The common axis over a column of strips: 0 to 100 %.
pub fn axis() -> Markup {
    html! {
        svg.strip.axis viewBox="0 0 180 18" width="180" height="18" aria-hidden="true" {
            @for (value, tick) in [(0.0, "0"), (0.5, "50"), (1.0, "100 %")] {
                text x=(strip_x(value)) y="13" text-anchor=(if value == 1.0 { "end" } else { "middle" }) { (tick) }
            }
        }
    }
}

/// One row of the dot-and-whisker figure: `solid` as a filled dot, `hollow` as a ring, each over its interval.
///
/// Hidden from screen readers, because the other cells of the row have the same numbers.
pub fn strip(solid: Option<&Interval>, hollow: Option<&Interval>) -> Markup {
    html! {
        svg.strip viewBox="0 0 180 22" width="180" height="22" aria-hidden="true" {
            @for value in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.grid x1=(strip_x(value)) x2=(strip_x(value)) y1="0" y2="22" {}
            }
            @if let Some(interval) = hollow { (mark(interval, "hollow", if solid.is_some() { 15 } else { 11 })) }
            @if let Some(interval) = solid { (mark(interval, "solid", if hollow.is_some() { 7 } else { 11 })) }
        }
    }
}

fn mark(interval: &Interval, class: &str, y_px: u32) -> Markup {
    html! {
        g class=(class) {
            line x1=(strip_x(interval.low)) x2=(strip_x(interval.high)) y1=(y_px) y2=(y_px) {}
            circle cx=(strip_x(interval.value)) cy=(y_px) r="3.5" {}
        }
    }
}

/// Abscissa of a proportion in [0, 1] on a strip; values outside are drawn at the edge.
fn strip_x(proportion: f64) -> String {
    let clamped = if proportion.is_finite() { proportion.clamp(0.0, 1.0) } else { 0.0 };
    format!("{:.1}", STRIP_MARGIN_PX + clamped * (STRIP_PX - 2.0 * STRIP_MARGIN_PX))
}

/// Geometry of the histogram in the units of its view box.
const BAR: f64 = 34.0;
const STEP: f64 = 52.0;
const TOP: f64 = 20.0;
const BASE: f64 = 160.0;

/// Images by number of failing surrogates; bars at `hard_from` and above are set off as the hard set.
pub fn histogram(counts: &[u64], hard_from: Option<u32>) -> Markup {
    let width = STEP * counts.len() as f64 + 8.0;
    let tallest = counts.iter().copied().max().unwrap_or(0).max(1);
    html! {
        svg.histogram viewBox=(format!("0 0 {width} 200")) width=(width) height="200" role="img"
            aria-label=(spoken(counts)) {
            line.base x1="0" x2=(width) y1=(BASE) y2=(BASE) {}
            @for (failures, &count) in counts.iter().enumerate() {
                (bar(failures, count, tallest, hard_from.is_some_and(|from| failures >= from as usize)))
            }
            text.title x=(width / 2.0) y="194" text-anchor="middle" { "surrogates that fail on the image" }
        }
    }
}

fn bar(failures: usize, count: u64, tallest: u64, hard: bool) -> Markup {
    let centre = 4.0 + STEP * (failures as f64 + 0.5);
    let share = count as f64 / tallest as f64;
    let height = if count == 0 { 0.0 } else { (share * (BASE - TOP)).max(1.0) };
    html! {
        rect class=(if hard { "hard" } else { "rest" }) x=(format!("{:.1}", centre - BAR / 2.0)) width=(BAR)
            y=(format!("{:.1}", BASE - height)) height=(format!("{height:.1}")) {}
        text x=(centre) y=(format!("{:.1}", BASE - height - 5.0)) text-anchor="middle" { (written(count)) }
        text.tick x=(centre) y=(BASE + 16.0) text-anchor="middle" { (failures) }
    }
}

/// The histogram in words.
fn spoken(counts: &[u64]) -> String {
    let bars = counts.iter().enumerate().map(|(failures, &n)| format!("{failures}: {}", counted(n, "image")));
    format!("Images by number of failing surrogates. {}.", bars.collect::<Vec<_>>().join(", "))
}

/// A bar of the given share in [0, 1]; the number itself is written beside it.
pub fn share_bar(share: f64) -> Markup {
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.fill width=(hundredths(share)) height="6" {}
        }
    }
}

/// The top class's probability as a bar and the true class's as a tick on it.
pub fn probability_bar(top: f32, true_class: f32) -> Markup {
    let tick = hundredths(f64::from(true_class));
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.fill width=(hundredths(f64::from(top))) height="6" {}
            line.tick x1=(tick) x2=(tick) y1="0" y2="6" {}
        }
    }
}

fn hundredths(proportion: f64) -> String {
    let clamped = if proportion.is_finite() { proportion.clamp(0.0, 1.0) } else { 0.0 };
    format!("{:.1}", clamped * 100.0)
}
