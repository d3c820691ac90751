//! Draws progress: a bar on a terminal, plain lines otherwise, nothing with `-q`.
//!
//! Does not print results. Holds always: draws on stderr only, because scripts read stdout.

use std::io::{IsTerminal, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::work::Progress;

/// Time between plain lines.
const EVERY: Duration = Duration::from_secs(10);

/// Draws on stderr.
pub struct TerminalProgress {
    quiet: bool,
    verbose: bool,
    terminal: bool,
    current: Mutex<CurrentStage>,
}

struct CurrentStage {
    stage: String,
    bar: ProgressBar,
    started: Instant,
    last_line: Instant,
}

impl TerminalProgress {
    /// `quiet`: draws nothing; `verbose`: also prints details.
    pub fn new(quiet: bool, verbose: bool) -> Self {
        let now = Instant::now();
        let current = CurrentStage { stage: String::new(), bar: ProgressBar::hidden(), started: now, last_line: now };
        Self { quiet, verbose, terminal: stderr().is_terminal(), current: Mutex::new(current) }
    }

    fn with(&self, change: impl FnOnce(&mut CurrentStage)) {
        change(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for TerminalProgress {
    fn start(&self, stage: &str, total: u64) {
        let target =
            if self.terminal && !self.quiet { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style =
            ProgressStyle::with_template("{msg:10} {wide_bar} {human_pos}/{human_len}  {per_sec:>14}  {eta:>4} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(stage.to_owned());
        self.with(|current| {
            let now = Instant::now();
            *current = CurrentStage { stage: stage.to_owned(), bar, started: now, last_line: now };
        });
    }

    fn advance(&self, items: u64) {
        self.with(|current| {
            current.bar.inc(items);
            if !self.terminal && !self.quiet && current.last_line.elapsed() >= EVERY {
                current.last_line = Instant::now();
                eprintln!("{}", line(current));
            }
        });
    }

    fn finish(&self) {
        self.with(|current| {
            current.bar.finish_and_clear();
            if !self.quiet {
                eprintln!("{}", line(current));
            }
        });
    }

    fn detail(&self, text: &str) {
        if self.verbose {
            self.note(text);
        }
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            self.with(|current| current.bar.suspend(|| eprintln!("{text}")));
        }
    }
}

fn line(current: &CurrentStage) -> String {
    let (done, total) = (current.bar.position(), current.bar.length().unwrap_or(0));
    let seconds = current.started.elapsed().as_secs_f64();
    // Where all items were done before, the time is too short for a rate.
    let rate = if seconds < 0.1 { String::new() } else { format!("  {:.1}/s", done as f64 / seconds) };
    let left = match done {
        0 => String::new(),
        done if done >= total => String::new(),
        done => {
            format!("  {} left", HumanDuration(Duration::from_secs_f64(seconds / done as f64 * (total - done) as f64)))
        }
    };
    format!("{:10} {done}/{total}{rate}{left}", current.stage)
}
