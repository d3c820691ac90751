//! Reliability diagrams and the table of calibration.
//!
//! Holds always: a bar's width is its bin, and its shade how many images it has, because a bin of three images proves
//! nothing.

use maud::{Markup, html};

use super::super::parts::tables::{folded_table, head};
use super::super::parts::text::name;
use super::board::BoardRow;
use super::data::EvaluationPage;
use super::section::{find, section};
use crate::render::numbers::{DASH, counted, percent};
use crate::stats::ReliabilityBin;

/// Diagrams that are not folded.
const SHOWN: usize = 8;
const METRICS: [&str; 7] =
    ["confidence", "rms_calibration", "rms_calibration_published", "ece15", "aurra", "brier", "nll"];

/// The section.
pub fn reliability(page: &EvaluationPage, rows: &[BoardRow], space: &str) -> Option<Markup> {
    let targets: Vec<&BoardRow> = rows.iter().filter(|row| row.tier.is_some()).collect();
    if targets.is_empty() {
        return None;
    }
    let place = |row: &BoardRow| page.record.targets.iter().position(|target| target.name == row.target);
    let mut diagrams: Vec<Markup> = Vec::new();
    for row in &targets {
        if let Some(bins) = place(row).and_then(|place| page.diagrams.get(place)) {
            diagrams.push(diagram(&row.target, bins));
        }
    }
    let (first, rest) = diagrams.split_at(SHOWN.min(diagrams.len()));
    let cells = |row: &&BoardRow| {
        html! {
            th scope="row" { (name(&row.target)) }
            @for metric in METRICS {
                @let value = find(page.figures, &row.target, space, metric).and_then(|figure| figure.value);
                td.number { (value.map_or_else(|| DASH.to_owned(), |value| format!("{value:.4}"))) }
            }
        }
    };
    let made: Vec<Markup> = targets.iter().map(cells).collect();
    let titles = [
        "Target",
        "Confidence#",
        "RMS, bins of 100#",
        "RMS as published#",
        "ECE, 15 bins#",
        "AURRA#",
        "Brier#",
        "NLL#",
    ];
    let note = "Accuracy by confidence: on the diagonal a target is as right as it is sure. Pale bars have few images.";
    section(
        "calibration",
        "Calibration",
        note,
        html! {
            @if !first.is_empty() {
                div.diagrams { @for diagram in first { (diagram) } }
            }
            @if !rest.is_empty() {
                details { summary { "The other " (rest.len()) } div.diagrams { @for diagram in rest { (diagram) } } }
            }
            (folded_table("Calibration", &head(&titles), &made, 20))
        },
    )
}

/// One diagram: 0 to 1 on both axes.
fn diagram(target: &str, bins: &[ReliabilityBin]) -> Markup {
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let x = |share: f64| format!("{:.1}", 24.0 + share * 120.0);
    let y = |share: f64| format!("{:.1}", 130.0 - share * 120.0);
    html! {
        figure {
            svg viewBox="0 0 152 150" width="152" height="150" role="img" aria-label=(spoken(target, bins)) {
                @for (share, tick) in [(0.0, "0"), (0.5, "50"), (1.0, "100")] {
                    line.grid x1=(x(0.0)) x2=(x(1.0)) y1=(y(share)) y2=(y(share)) {}
                    text.tick x="20" y=(format!("{:.1}", 134.0 - share * 120.0)) text-anchor="end" { (tick) }
                    text.tick x=(x(share)) y="145" text-anchor="middle" { (tick) }
                }
                @for bin in bins {
                    @if let Some(accuracy) = bin.accuracy {
                        rect class={ "bin d" (density(bin.count, most)) } x=(x(bin.low)) y=(y(accuracy))
                            width=(format!("{:.1}", (bin.high - bin.low) * 120.0 - 0.8))
                            height=(format!("{:.1}", (accuracy * 120.0).max(0.6))) {
                            title {
                                (percent(bin.low)) " to " (percent(bin.high)) ": " (percent(accuracy)) " of "
                                (counted(bin.count, "image")) " right"
                            }
                        }
                    }
                }
                line.equal x1=(x(0.0)) y1=(y(0.0)) x2=(x(1.0)) y2=(y(1.0)) {}
            }
            figcaption { (name(target)) }
        }
    }
}

/// One of four densities.
fn density(count: u64, most: u64) -> u64 {
    let share = count as f64 / most as f64;
    [0.02, 0.1, 0.35].iter().filter(|&&bound| share > bound).count() as u64
}

fn spoken(target: &str, bins: &[ReliabilityBin]) -> String {
    let mut words = Vec::new();
    for bin in bins {
        if let Some(accuracy) = bin.accuracy {
            words.push(format!(
                "{} to {}: {} of {}",
                percent(bin.low),
                percent(bin.high),
                percent(accuracy),
                bin.count
            ));
        }
    }
    format!("Accuracy by confidence of {target}. {}", words.join("; "))
}
