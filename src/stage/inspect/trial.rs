//! Scores photographs under the plausible readings of a classifier and finds the best.
//!
//! In stages, so that it takes seconds: all ways from pixels to numbers on a few photographs, the best of those on all,
//! then resizes, then filters. Two readings are compared photograph by photograph. Ways to numbers are told apart by
//! the logarithm of the probability of the right class, which a wrong mean changes on every photograph. Resizes and
//! filters change it a little on every photograph too, whichever was meant (a sharper picture is easier), so that they
//! must also differ in how many photographs are right. What is not told apart is called alike, and of resizes the usual
//! one is taken.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::InspectError;
use super::look::Looked;
use super::photographs::{Photograph, fitted};
use super::readings::{Reading, filters, geometries, inputs, offsets};
use crate::domain::{Geometry, OutputKind};
use crate::scorer::{Ask, Probe};
use crate::stats::softmax;
use crate::work::Context;

/// Photographs of the first stage.
const FEW: usize = 40;
/// Photographs that are decoded at a time.
const CHUNK: usize = 16;
/// Readings that go on to the second stage at the least, and at the most.
const KEPT: (usize, usize) = (2, 4);
/// The smallest logarithm that counts, so that one photograph cannot decide.
const LEAST_LOG: f64 = -10.0;
/// Standard errors within which two ways to numbers are alike, and two counts of right photographs.
const ALIKE: f64 = 2.0;
/// Standard errors of the logarithm within which two resizes are alike.
const ALIKE_RESIZE: f64 = 3.0;

/// How well a reading did.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The reading.
    pub reading: Reading,
    /// Photographs whose class was the best.
    pub right: usize,
    /// Photographs.
    pub of: usize,
    /// Mean logarithm of the probability of the right class.
    pub log_prob: f64,
    /// How it stands to the best.
    pub verdict: Verdict,
    logs: Vec<f64>,
    hits: Vec<bool>,
}

/// How a reading stands to the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the draft.
    Chosen,
    /// These photographs do not tell it from the chosen one.
    Alike,
    /// It is worse.
    Worse,
}

impl Tried {
    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        if self.of == 0 { 0.0 } else { self.right as f64 / self.of as f64 }
    }
}

/// What is tried, and on what.
pub(super) struct Bench<'a> {
    pub ctx: &'a Context<'a>,
    pub probe: &'a mut Probe,
    pub looked: &'a Looked,
    pub photographs: &'a [Photograph],
    /// Whether a file says how pixels become numbers.
    pub trusted: bool,
    /// Photographs that cannot be used, and why.
    pub lost: BTreeMap<PathBuf, String>,
}

impl Bench<'_> {
    /// All readings that were tried, the best first; `start`: what the files say or what is usual. One is chosen.
    pub fn run(&mut self, start: &Reading, classes: u32) -> Result<Vec<Tried>, InspectError> {
        let step = self.photographs.len().div_ceil(FEW).max(1);
        let few: Vec<Photograph> = self.photographs.iter().step_by(step).cloned().collect();
        let all = self.photographs.to_vec();
        let mut first = Vec::new();
        for input in inputs(&start.input) {
            let reading = |offset| Reading { geometry: start.geometry, input: input.clone(), offset };
            first.extend(offsets(self.looked.classes, classes).into_iter().map(reading));
        }
        let first = self.measured(&first, &few)?;
        let kept = kept(&first);
        let mut full = self.measured(&kept, &all)?;
        let best = chosen(&full, self.trusted).clone();
        let resized = |geometry| Reading { geometry, ..best.clone() };
        let ways: Vec<Reading> = geometries(&best.geometry).into_iter().map(resized).collect();
        full.extend(self.measured(&ways, &all)?);
        let best = chosen(&full, self.trusted).clone();
        let resized = |geometry| Reading { geometry, ..best.clone() };
        let ways: Vec<Reading> = filters(&best.geometry).into_iter().map(resized).collect();
        full.extend(self.measured(&ways, &all)?);
        let rest = first.into_iter().filter(|tried| !kept.contains(&tried.reading));
        let pick = chosen(&full, self.trusted).clone();
        Ok(ranked(full, rest.collect(), &pick))
    }

    /// Scores `photographs` under each of `readings`.
    fn measured(&mut self, readings: &[Reading], photographs: &[Photograph]) -> Result<Vec<Tried>, InspectError> {
        let mut ways: Vec<Geometry> = Vec::new();
        readings.iter().for_each(|reading| {
            if !ways.contains(&reading.geometry) {
                ways.push(reading.geometry);
            }
        });
        let mut tried: Vec<Tried> = readings.iter().map(|reading| Tried::new(reading.clone())).collect();
        for chunk in photographs.chunks(CHUNK) {
            self.ctx.check_stop()?;
            let (places, pictures) = fitted(chunk, &ways, &mut self.lost);
            if places.is_empty() {
                continue;
            }
            let mut known: Option<(usize, Vec<Vec<f32>>)> = None;
            for at in 0..tried.len() {
                let reading = tried[at].reading.clone();
                // Readings that differ in the offset alone follow each other and share their numbers.
                let shared = known.take().filter(|(before, _)| {
                    let before = &tried[*before].reading;
                    (before.geometry, &before.input) == (reading.geometry, &reading.input)
                });
                let rows = match shared {
                    Some((_, rows)) => rows,
                    None => {
                        let way = ways.iter().position(|way| *way == reading.geometry).unwrap_or_default();
                        let ask = Ask { input: &reading.input, batch: self.looked.batch() };
                        self.probe.rows(ask, self.looked.output, self.looked.classes as usize, &pictures[way])?
                    }
                };
                for (row, place) in rows.iter().zip(&places) {
                    tried[at].count(row, chunk[*place].class, self.looked.kind);
                }
                known = Some((at, rows));
            }
        }
        Ok(tried)
    }
}

impl Tried {
    fn new(reading: Reading) -> Self {
        Self { reading, right: 0, of: 0, log_prob: 0.0, verdict: Verdict::Worse, logs: Vec::new(), hits: Vec::new() }
    }

    fn count(&mut self, row: &[f32], class: usize, kind: OutputKind) {
        let probs = match kind {
            OutputKind::Probabilities => row.to_vec(),
            OutputKind::Logits => softmax(row),
        };
        let place = class + self.reading.offset as usize;
        let offset = self.reading.offset as usize;
        let best = row.iter().enumerate().skip(offset).max_by(|a, b| a.1.total_cmp(b.1)).map(|(at, _)| at);
        let log = probs.get(place).map_or(LEAST_LOG, |p| f64::from(*p).ln());
        self.right += usize::from(best == Some(place));
        self.hits.push(best == Some(place));
        self.of += 1;
        self.logs.push(if log.is_finite() { log.max(LEAST_LOG) } else { LEAST_LOG });
        self.log_prob = self.logs.iter().sum::<f64>() / self.of as f64;
    }

    /// Standard errors by which the logarithms of `best` are better; 0 for the same numbers.
    fn behind(&self, best: &Self) -> f64 {
        let differences: Vec<f64> = best.logs.iter().zip(&self.logs).map(|(best, own)| best - own).collect();
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        if mean == 0.0 { 0.0 } else { mean / (variance / n).sqrt().max(1e-12) }
    }

    /// Standard errors by which more photographs are right with `best` (McNemar 1947).
    fn fewer_right(&self, best: &Self) -> f64 {
        let pairs = || best.hits.iter().zip(&self.hits);
        let (gained, lost) = (pairs().filter(|p| *p.0 && !*p.1).count(), pairs().filter(|p| !*p.0 && *p.1).count());
        (gained as f64 - lost as f64) / ((gained + lost) as f64).sqrt().max(1.0)
    }

    /// Whether it differs from `other` in resize and filter alone.
    fn is_resize_of(&self, other: &Self) -> bool {
        self.reading.input == other.reading.input && self.reading.offset == other.reading.offset
    }

    /// Whether the photographs tell that it is worse than `other`, so that it is not taken.
    fn is_worse(&self, other: &Self) -> bool {
        if self.is_resize_of(other) {
            return self.behind(other) >= ALIKE_RESIZE && self.fewer_right(other) >= ALIKE;
        }
        self.behind(other) >= ALIKE
    }

    /// Whether the photographs speak for `chosen`, so that it needs no word.
    fn is_ruled_out(&self, chosen: &Self) -> bool {
        let logs = self.behind(chosen) >= if self.is_resize_of(chosen) { ALIKE_RESIZE } else { ALIKE };
        logs && self.fewer_right(chosen) >= 0.0
    }
}

fn best_of(tried: &[Tried]) -> &Tried {
    let mut best = &tried[0];
    for other in tried {
        if other.log_prob > best.log_prob {
            best = other;
        }
    }
    best
}

/// Readings that the first stage does not rule out.
fn kept(first: &[Tried]) -> Vec<Reading> {
    let best = best_of(first);
    let mut order: Vec<&Tried> = first.iter().collect();
    order.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob));
    let near = order.iter().skip(KEPT.0).take_while(|tried| tried.behind(best) < ALIKE).count();
    let near = &order[..order.len().min(KEPT.1).min(KEPT.0 + near)];
    // In the order of the first stage, because that is from the likely to the unlikely.
    first
        .iter()
        .filter(|tried| near.iter().any(|near| std::ptr::eq(*near, *tried)))
        .map(|t| t.reading.clone())
        .collect()
}

/// The first reading that is not told to be worse than another. Without a file that says how pixels become numbers
/// (`trusted`), only readings with the numbers of the best one count, because their order says little.
fn chosen(tried: &[Tried], trusted: bool) -> &Reading {
    let best = best_of(tried);
    let counts: Vec<&Tried> = tried.iter().filter(|tried| trusted || tried.is_resize_of(best)).collect();
    let stands = |one: &&&Tried| !counts.iter().any(|other| one.is_worse(other));
    &counts.iter().find(stands).copied().unwrap_or(best).reading
}

/// Marks the chosen one and those alike; `full` were tried on all photographs, `rest` on a few.
fn ranked(mut full: Vec<Tried>, mut rest: Vec<Tried>, pick: &Reading) -> Vec<Tried> {
    let first = full.iter().find(|tried| tried.reading == *pick).cloned();
    for tried in &mut full {
        tried.verdict = match &first {
            Some(first) if tried.reading == first.reading => Verdict::Chosen,
            Some(first) if !tried.is_ruled_out(first) => Verdict::Alike,
            _ => Verdict::Worse,
        };
    }
    for part in [&mut full, &mut rest] {
        part.sort_by(|a, b| b.accuracy().total_cmp(&a.accuracy()).then(b.log_prob.total_cmp(&a.log_prob)));
    }
    full.extend(rest);
    full
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ChannelOrder, Crop, Dtype, InputSpec, Interpolation, Layout, Resize};

    fn tried(scale: f64, resize: Resize, logs: &[f64], hits: usize) -> Tried {
        let (layout, dtype, channels) = (Layout::Nchw, Dtype::F32, ChannelOrder::Rgb);
        let input = InputSpec { layout, dtype, channels, scale, mean: [0.0; 3], std: [1.0; 3], batch: None };
        let interpolation = Interpolation::Bilinear;
        let geometry = Geometry { resize, interpolation, antialias: true, crop_px: 8, crop: Crop::Round };
        let log_prob = logs.iter().sum::<f64>() / logs.len() as f64;
        let hits: Vec<bool> = (0..logs.len()).map(|at| at < hits).collect();
        let right = hits.iter().filter(|hit| **hit).count();
        let reading = Reading { geometry, input, offset: 0 };
        Tried { reading, right, of: logs.len(), log_prob, verdict: Verdict::Worse, logs: logs.to_vec(), hits }
    }

    #[test]
    fn a_mean_is_told_by_logarithms_and_a_resize_by_right_answers_too() {
        let noise = |level: f64| (0..50).map(|at| level + f64::from(at % 5) / 10.0).collect::<Vec<_>>();
        let (plain, better) = (noise(-2.0), noise(-1.5));
        let usual = tried(1.0, Resize::Squash(8), &plain, 30);
        // Every photograph is a little better, but as many are right.
        let sharper = tried(1.0, Resize::Shorter(8), &better, 31);
        assert_eq!(chosen(&[usual.clone(), sharper.clone()], true), &usual.reading);
        let right = tried(1.0, Resize::Shorter(8), &better, 40);
        assert_eq!(chosen(&[usual.clone(), right.clone()], true), &right.reading);
        let other_mean = tried(2.0, Resize::Squash(8), &better, 31);
        assert_eq!(chosen(&[usual.clone(), other_mean.clone()], true), &other_mean.reading);
        let pick = usual.reading.clone();
        let verdicts = ranked(vec![usual, sharper], vec![other_mean], &pick);
        let found: Vec<Verdict> = verdicts.iter().map(|tried| tried.verdict).collect();
        assert_eq!(found, [Verdict::Alike, Verdict::Chosen, Verdict::Worse]);
    }

    #[test]
    fn what_is_merely_usual_gives_way_to_what_is_a_little_better() {
        let usual = tried(1.0, Resize::Squash(8), &[-1.0, -2.0, -1.0], 2);
        let better = tried(2.0, Resize::Squash(8), &[-1.1, -1.0, -0.9], 2);
        assert_eq!(chosen(&[usual.clone(), better.clone()], true), &usual.reading);
        assert_eq!(chosen(&[usual, better.clone()], false), &better.reading);
    }

    #[test]
    fn one_photograph_and_equal_readings_are_alike() {
        let one = tried(1.0, Resize::Squash(8), &[-1.0], 1);
        assert!(!one.is_worse(&tried(2.0, Resize::Squash(8), &[-1.0], 1)));
        assert_eq!(chosen(std::slice::from_ref(&one), true), &one.reading);
    }
}
