//! Options of the commands for many machines, and their help texts.
//!
//! Does not run anything.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::domain::JobEngine;
use crate::work::Part;

#[derive(Args)]
pub struct SubmitArgs {
    /// The run directory, with a plan, on a file system that all machines see
    pub run: PathBuf,
    /// What starts the ranks
    #[arg(long, value_enum, required_unless_present = "missing")]
    pub to: Option<Engine>,
    /// Into how many parts the work is cut: 15 to 20 for each GPU, each half an hour or more
    #[arg(long, value_name = "N", required_unless_present = "missing", value_parser = rank_count())]
    pub ranks: Option<u32>,
    /// Ranks that work at the same time [default: as many as the engine likes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub slots: Option<u32>,
    /// The scripts of the last job again, for the ranks that are not through and not at work
    #[arg(long, conflicts_with_all = ["to", "ranks", "slots", "program", "image", "claim", "mixed_devices", "options"])]
    pub missing: bool,
    /// Start the job, too: run its script
    #[arg(long)]
    pub now: bool,
    /// The program that the machines start [default: this one; of Kubernetes: hardset]
    #[arg(long, value_name = "PATH")]
    pub program: Option<String>,
    /// Kubernetes: the container image, which has hardset and the libraries
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Kubernetes: the persistent volume claim that has the run, unless it is in a bucket
    #[arg(long, value_name = "CLAIM")]
    pub claim: Option<String>,
    /// Let machines of unlike kinds work on it, and give up that the same run has the same bytes
    #[arg(long)]
    pub mixed_devices: bool,
    /// Options for sbatch, after `--`: -- --partition=gpu --gres=gpu:1 --time=4:00:00
    #[arg(last = true, value_name = "OPTION")]
    pub options: Vec<String>,
}

fn rank_count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=100_000)
}

/// What starts the ranks of a job.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Slurm,
    Ray,
    Kubernetes,
}

impl From<Engine> for JobEngine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Slurm => Self::Slurm,
            Engine::Ray => Self::Ray,
            Engine::Kubernetes => Self::Kubernetes,
        }
    }
}

#[derive(Args)]
pub struct WorkerArgs {
    /// The run directory
    pub run: PathBuf,
    /// The job, as 0001
    #[arg(long, value_name = "JOB")]
    pub job: String,
    /// The rank to work on, from 0
    #[arg(long, value_name = "N")]
    pub rank: usize,
    /// Ranks to choose from: --rank is then a place in this list, from 0
    #[arg(long, value_delimiter = ',', value_name = "RANK,…")]
    pub among: Option<Vec<usize>>,
    /// End (75) when no block was finished for so many seconds [default: 20 times the mean of those before, at least
    /// 600; an hour for the first]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub hung_after: Option<u64>,
    /// Work on part K/N of the rank, for a process that holds it
    #[arg(long, hide = true)]
    pub part: Option<Part>,
}

#[derive(Args)]
pub struct FinishArgs {
    /// The run directory
    pub run: PathBuf,
    /// The job, as 0001 [default: the one that was submitted last]
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Largest number of hard images in the report
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_images: usize,
}
