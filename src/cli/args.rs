//! The command line: every command with its options, and the help texts.
//!
//! Does not run anything: one file beside this one runs each command. A doc comment here is a help text, so it is
//! written for people who have not read the code. Holds always: a value is checked while it is read, because a wrong
//! one must cost no work.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use super::evaluation_args::{CompareArgs, EvaluateArgs, LeaderboardArgs};
use super::job_args::{FinishArgs, SubmitArgs, WorkerArgs};
use crate::config::Override;
use crate::domain::{Devices, EngineChoice, ExportFormat, LabelSpace, Precision, ReleaseForm, Rule};
use crate::work::Part;

/// Builds hard-example image benchmarks and keeps the evidence for every image in them.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Args)]
pub struct Common {
    /// Folder to search, with all folders below it, for external files (weights, libraries); may be repeated
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Vec<PathBuf>,
    /// Folder for this machine's copies of runs in buckets [default: in the cache]
    #[arg(long, global = true, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Where models run: auto, cpu or cuda:N; several devices, as in cuda:0,1, share the generation and the mining
    #[arg(long, global = true, default_value = "auto")]
    pub device: Devices,
    /// Images that a diffusion model makes at a time; does not change the images [default: depends on the device]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub batch: Option<u32>,
    /// Library that runs a diffusion model's networks: auto, ort (ONNX Runtime) or candle (needs no library)
    #[arg(long, global = true, default_value = "auto")]
    pub engine: EngineChoice,
    /// Threads to use [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Format of the results: text, or one JSON object on stdout
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub format: Format,
    /// Print results and errors only, no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each shard as it is done
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Subcommand)]
pub enum Command {
    /// Plan, generate, mine and report, and evaluate where the recipe says so; continues where an earlier call stopped
    Build(BuildArgs),
    /// Make the plan of a pipeline, or show what it would cost (--dry-run)
    Plan(PlanArgs),
    /// Make the images of a planned run, or pin its photographs
    Generate(GenerateArgs),
    /// Score the images of a run and select the hard ones, also by another rule or other surrogates
    Mine(MineArgs),
    /// Let people judge the hard images: export or serve task sheets, collect the answers
    #[command(subcommand)]
    Annotate(AnnotateCommand),
    /// Write the benchmark as a folder to publish: the accepted images, or the hard set if nobody was asked
    Release(ReleaseArgs),
    /// Score models on a release, a run or a published benchmark, with intervals, tests and tiers
    Evaluate(Box<EvaluateArgs>),
    /// Show where two targets of an evaluation differ, image by image
    Compare(CompareArgs),
    /// Join the results of several people on one pool
    Leaderboard(LeaderboardArgs),
    /// Write the report of the current mining, an HTML page
    Report(ReportArgs),
    /// Divide a planned run among many machines: write the scripts for Slurm, Ray or Kubernetes
    Submit(Box<SubmitArgs>),
    /// Make and score the images of one rank of a job; the scripts of `submit` call it
    Worker(WorkerArgs),
    /// Join what the ranks of a job have made: select, write the report; makes nothing that lacks, but names it
    Finish(FinishArgs),
    /// Show the progress of a run, or the contents of a release or an evaluation
    Status(RunArgs),
    /// Check every file of a run, of a release or of an evaluation
    Verify(RunArgs),
    /// Fetch external files into the cache
    Fetch(FetchArgs),
    /// Show what this build and this machine can do, or describe, check and time a diffusion model
    Doctor(DoctorArgs),
    /// Look at a model that is to be a surrogate or a target
    #[command(subcommand)]
    Model(ModelCommand),
    /// Print the script that completes commands and options in a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write the pages of all commands
    Man(ManArgs),
}

/// A pipeline and what to change in it.
#[derive(Args)]
pub struct PipelineArgs {
    /// A pipeline's TOML, or the name of a built-in one
    pub pipeline: String,
    /// Change one key of the pipeline; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Override>,
    /// Seed of everything random (the same as --set seed=N)
    #[arg(long, value_name = "N")]
    pub seed: Option<u32>,
    /// The run directory [default: runs/<name of the pipeline>]
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct BuildArgs {
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Largest number of hard images in the report
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_images: usize,
}

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Show size and cost, write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct RunArgs {
    /// The run directory, a release, or an evaluation
    pub run: PathBuf,
}

#[derive(Args)]
pub struct GenerateArgs {
    /// The run directory
    pub run: PathBuf,
    /// Make every N-th shard from the K-th on, as part K/N of a call that holds the lock
    #[arg(long, hide = true)]
    pub part: Option<Part>,
}

#[derive(Args)]
pub struct MineArgs {
    /// The run directory
    pub run: PathBuf,
    /// Surrogates that vote: names in the run, names of surrogate TOMLs, or paths to them [default: as last time]
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub surrogates: Option<Vec<String>>,
    /// How many surrogates must fail: all or at-least=K [default: as last time]
    #[arg(long)]
    pub rule: Option<Rule>,
    /// Classes among which a prediction is taken: any-of-ids or masked [default: as last time]
    #[arg(long, value_name = "SPACE")]
    pub label_space: Option<LabelSpace>,
    /// A wrong surrogate fails only if its probability for the true category is at most this, 0 to 1; 1 is no bound
    #[arg(long, value_name = "P")]
    pub max_true_prob: Option<f64>,
    /// A wrong surrogate fails only if its margin is at most this, -1 to 0; 0 is no bound
    #[arg(long, value_name = "M", allow_hyphen_values = true)]
    pub max_margin: Option<f64>,
    /// A margin closer to 0 than this is a near tie
    #[arg(long, value_name = "M")]
    pub near_tie: Option<f64>,
    /// Score every N-th shard from the K-th on, as part K/N of a call that holds the lock and gives the recipe
    #[arg(long, hide = true)]
    pub part: Option<Part>,
}

#[derive(Subcommand)]
pub enum AnnotateCommand {
    /// Write task sheets, with sentinels, for a tool in which people answer
    Export(ExportArgs),
    /// Serve the sheets to a lab's own people as a web page, until stopped
    Serve(ServeArgs),
    /// Read answers, check their sentinels and decide which images are accepted
    Collect(CollectArgs),
}

#[derive(Args)]
pub struct ServeArgs {
    /// The run directory
    pub run: PathBuf,
    /// Names of people to admit; each gets a link. The owner's page can add more
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub people: Vec<String>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8117)]
    pub port: u16,
    /// Allow an address that other machines can reach. The page is served over plain HTTP: put a proxy with TLS in
    /// front of it
    #[arg(long)]
    pub allow_remote: bool,
    /// A host name under which people reach the server; may be repeated, links use the first
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
}

#[derive(Args)]
pub struct ExportArgs {
    /// The run directory
    pub run: PathBuf,
    /// The tool
    #[arg(long, value_enum)]
    pub to: Tool,
    /// A new or empty folder for the sheets
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// URL under which the folder will be published; it precedes the path of each image
    #[arg(long, value_name = "URL")]
    pub image_url: Option<String>,
    /// Ask for the votes that are still missing, in a further round
    #[arg(long)]
    pub missing: bool,
    /// Write the sheets of this round again, numbered from 1
    #[arg(long, value_name = "N", conflicts_with = "missing", value_parser = clap::value_parser!(u64).range(1..))]
    pub round: Option<u64>,
    /// Change one key of the run's section [annotate]; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Override>,
}

/// Tools in which people answer.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    LabelStudio,
    Prolific,
    Csv,
    Html,
}

impl Tool {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        ExportFormat::from(self).name()
    }
}

impl From<Tool> for ExportFormat {
    fn from(tool: Tool) -> Self {
        match tool {
            Tool::LabelStudio => Self::LabelStudio,
            Tool::Prolific => Self::Prolific,
            Tool::Csv => Self::Csv,
            Tool::Html => Self::Html,
        }
    }
}

#[derive(Args)]
pub struct CollectArgs {
    /// The run directory
    pub run: PathBuf,
    /// Files of answers: JSON of Label Studio, tables of Label Studio, Prolific, Mechanical Turk or hardset, saved
    /// pages, the database of a server. The answers of the run's own server are always read
    pub answers: Vec<PathBuf>,
    /// A file in which all answers are of one person, whatever it says; may be repeated. Two installations of a tool
    /// number their people alike
    #[arg(long, num_args = 2, value_names = ["NAME", "FILE"], action = ArgAction::Append)]
    pub person: Vec<String>,
    /// Change one key of the run's section [annotate]; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Override>,
}

#[derive(Args)]
pub struct ReleaseArgs {
    /// The run directory
    pub run: PathBuf,
    /// A new or empty folder for the release
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Other formats to write beside the data files
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORM,…")]
    pub also: Vec<Form>,
    /// An older release; the new one lists what was added, removed and relabelled since
    #[arg(long, value_name = "DIR")]
    pub base: Option<PathBuf>,
    /// A folder of images, or a release, whose images the new release must not repeat; may be repeated
    #[arg(long, value_name = "DIR")]
    pub against: Vec<PathBuf>,
    /// Change one key of the run's section [release]; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Override>,
    /// Put the release on the Hugging Face hub, as this dataset (needs Python's huggingface_hub, logged in by `hf auth
    /// login`)
    #[arg(long, value_name = "LAB/NAME", value_parser = hub_name)]
    pub push: Option<String>,
    /// With --push: check the card and show every file, but put nothing on the hub
    #[arg(long, requires = "push")]
    pub dry_run: bool,
}

/// Other forms of a release.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Imagefolder,
    Webdataset,
    Fiftyone,
}

impl From<Form> for ReleaseForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Imagefolder => Self::ImageFolder,
            Form::Webdataset => Self::WebDataset,
            Form::Fiftyone => Self::FiftyOne,
        }
    }
}

#[derive(Args)]
pub struct ReportArgs {
    /// The run directory
    pub run: PathBuf,
    /// Largest number of hard images in the report
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_images: usize,
    /// Where to write the page [default: report/index.html in the run directory]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct DoctorArgs {
    /// A diffusion model (a folder in the Hugging Face diffusers layout), or a surrogate's TOML
    #[arg(long, value_name = "DIR|TOML")]
    pub model: Option<PathBuf>,
    /// Compare the model with the results of diffusers or transformers (`tests/golden/make_sd.py` writes such files)
    #[arg(long, value_name = "FILE", requires = "model")]
    pub reference: Option<PathBuf>,
    /// Number format in which the networks compute: auto, f32, f16 or bf16
    #[arg(long, value_parser = precision, default_value = "auto", requires = "model")]
    pub precision: Precision,
    /// Measure how fast the model makes images on this machine
    #[arg(long, requires = "model")]
    pub benchmark: bool,
    /// Side of the images of the benchmark, in px
    #[arg(long, value_name = "PX", default_value_t = 512, requires = "benchmark", value_parser = within::<8, 4096>)]
    pub size: u32,
    /// Steps of the benchmark
    #[arg(long, value_name = "N", default_value_t = 20, requires = "benchmark", value_parser = within::<1, 1000>)]
    pub steps: u32,
}

#[derive(Subcommand)]
pub enum ModelCommand {
    /// Draft the TOML of a model, with questions where neither its graph nor the files beside it say what is right
    Inspect(InspectArgs),
}

#[derive(Args)]
pub struct InspectArgs {
    /// An ONNX file, a folder in the layout of the Hugging Face hub, or a model there as owner/name
    pub model: String,
    /// Labelled photographs: score the plausible readings on them and take the best. Their names, or those of their
    /// folders, have the WordNet ids of ImageNet's classes
    #[arg(long = "try", value_name = "FOLDER")]
    pub photographs: Option<PathBuf>,
    /// Where to write the TOML [default: print it]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Args)]
pub struct ManArgs {
    /// Folder for the pages of all commands [default: print the page of hardset]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

#[derive(Args)]
pub struct FetchArgs {
    /// Ids of files or models in data-manifest.toml [default: all files that can be fetched, no models]
    pub ids: Vec<String>,
}

fn hub_name(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    if parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) {
        return Ok(text.to_owned());
    }
    Err("write LAB/NAME, as in mylab/my-benchmark".to_owned())
}

fn precision(text: &str) -> Result<Precision, String> {
    let known = [Precision::Auto, Precision::F32, Precision::F16, Precision::Bf16];
    known.into_iter().find(|known| known.name() == text).ok_or_else(|| "write auto, f32, f16 or bf16".to_owned())
}

fn within<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from {LEAST} to {MOST}"))
}
