//! What can be written on the command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Folder in which external files (weights, libraries) are looked for, by name, anywhere below; may be repeated
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Vec<PathBuf>,
    /// Where models run: auto, cpu or cuda:N; several, as in cuda:0,1, share the making of images and the mining
    #[arg(long, global = true, default_value = "auto")]
    pub device: Devices,
    /// Images that a diffusion model makes at a time; they do not depend on it [default: what suits the device]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub batch: Option<u32>,
    /// What runs a diffusion model's networks: auto, ort (ONNX Runtime) or candle (needs no library)
    #[arg(long, global = true, default_value = "auto")]
    pub engine: EngineChoice,
    /// Threads to use [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// How results are printed: text, or one JSON object on stdout
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
    /// Plan, generate, mine and report; goes on where it stopped
    Build(BuildArgs),
    /// Say what a pipeline comes to before anything is spent, or make its plan
    Plan(PlanArgs),
    /// Make or pin the images of a planned run
    Generate(GenerateArgs),
    /// Mine a run, again and by another rule or other surrogates if you like
    Mine(MineArgs),
    /// Have people look at the hard images: pack task sheets, show them, read the answers
    #[command(subcommand)]
    Annotate(AnnotateCommand),
    /// Write the benchmark in the formats that people load: what people accepted, or the hard set if nobody was asked
    Release(ReleaseArgs),
    /// Write the page of the current mining
    Report(ReportArgs),
    /// Say how far a run is, or what a release is
    Status(RunArgs),
    /// Check every file of a run or of a release
    Verify(RunArgs),
    /// Fetch external files into the cache
    Fetch(FetchArgs),
    /// Say what this build and this machine can do, or what a diffusion model is and whether it gives the right numbers
    Doctor(DoctorArgs),
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
    /// Most hard images on the report's page
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_images: usize,
}

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// Count only, write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Args)]
pub struct RunArgs {
    /// The run directory, or a release
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
    /// How many must fail: all or at-least=K [default: as last time]
    #[arg(long)]
    pub rule: Option<Rule>,
    /// Among which classes: any-of-ids or masked [default: as last time]
    #[arg(long, value_parser = label_space, value_name = "SPACE")]
    pub label_space: Option<LabelSpace>,
    /// A wrong surrogate fails only with at most this probability for the true category, 0 to 1
    #[arg(long, value_name = "P")]
    pub max_true_prob: Option<f64>,
    /// A wrong surrogate fails only with at most this margin, -1 to 0
    #[arg(long, value_name = "M", allow_hyphen_values = true)]
    pub max_margin: Option<f64>,
    /// Margins closer to 0 than this mark a near tie
    #[arg(long, value_name = "M")]
    pub near_tie: Option<f64>,
    /// Score every N-th shard from the K-th on, as part K/N of a call that holds the lock and gives the recipe
    #[arg(long, hide = true)]
    pub part: Option<Part>,
}

#[derive(Subcommand)]
pub enum AnnotateCommand {
    /// Write task sheets with sentinels for a tool in which people answer
    Export(ExportArgs),
    /// Show the sheets to a lab's own people on a page of their own, until it is stopped
    Serve(ServeArgs),
    /// Read answers, check the sentinels in them and decide
    Collect(CollectArgs),
}

#[derive(Args)]
pub struct ServeArgs {
    /// The run directory
    pub run: PathBuf,
    /// People to let in, by name; each gets a link. More can be added on the owner's page
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub people: Vec<String>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// The port; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 8117)]
    pub port: u16,
    /// Allow an address that other machines can reach. The page itself speaks plain HTTP: put a proxy with TLS before
    /// it
    #[arg(long)]
    pub allow_remote: bool,
    /// A name under which people reach the server; may be repeated, links have the first
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
    /// Where the folder's files will be on the web: stands before the path of each image
    #[arg(long, value_name = "URL")]
    pub image_url: Option<String>,
    /// Ask for the votes that are missing, in a further round
    #[arg(long)]
    pub missing: bool,
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
    /// Files of answers: Label Studio's JSON, CSV of Prolific or Mechanical Turk or ours, saved pages, a server's
    /// database.
    /// Those of the run's own server are always read
    pub answers: Vec<PathBuf>,
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
    /// Other forms to write beside the data files
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FORM,…")]
    pub also: Vec<Form>,
    /// An older release: says what was added, removed and relabelled since
    #[arg(long, value_name = "DIR")]
    pub base: Option<PathBuf>,
    /// A folder of images that the release should not have; may be repeated
    #[arg(long, value_name = "DIR")]
    pub against: Vec<PathBuf>,
    /// Change one key of the run's section [release]; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Override>,
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
    /// Most hard images on the page
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_images: usize,
}

#[derive(Args)]
pub struct DoctorArgs {
    /// A diffusion model: a folder in the Hugging Face diffusers layout
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Compare the model with what diffusers made of it (`tests/golden/make_sd.py` writes such files)
    #[arg(long, value_name = "FILE", requires = "model")]
    pub reference: Option<PathBuf>,
    /// In what numbers the networks compute: auto, f32, f16 or bf16
    #[arg(long, value_parser = precision, default_value = "auto", requires = "model")]
    pub precision: Precision,
    /// Measure how fast the model makes images here
    #[arg(long, requires = "model")]
    pub benchmark: bool,
    /// Side of the images of the benchmark, in px
    #[arg(long, value_name = "PX", default_value_t = 512, requires = "benchmark", value_parser = within::<8, 4096>)]
    pub size: u32,
    /// Steps of the benchmark
    #[arg(long, value_name = "N", default_value_t = 20, requires = "benchmark", value_parser = within::<1, 1000>)]
    pub steps: u32,
}

#[derive(Args)]
pub struct FetchArgs {
    /// Ids of files or models in data-manifest.toml [default: all files that can be fetched, no models]
    pub ids: Vec<String>,
}

fn label_space(text: &str) -> Result<LabelSpace, String> {
    match text {
        "any-of-ids" => Ok(LabelSpace::AnyOfIds),
        "masked" => Ok(LabelSpace::Masked),
        _ => Err("write any-of-ids or masked".to_owned()),
    }
}

fn precision(text: &str) -> Result<Precision, String> {
    let known = [Precision::Auto, Precision::F32, Precision::F16, Precision::Bf16];
    known.into_iter().find(|known| known.name() == text).ok_or_else(|| "write auto, f32, f16 or bf16".to_owned())
}

fn within<const LEAST: u32, const MOST: u32>(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MOST).contains(number));
    number.ok_or_else(|| format!("write a number from {LEAST} to {MOST}"))
}
