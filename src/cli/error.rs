//! The errors of all verbs, joined, and the exit code of each.
//!
//! Holds always: every kind of failure of a verb has its exit code in a `match` without `_`, because the codes are a
//! contract with other people's scripts: a new kind does not compile until it has a code.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use super::quote::shortened;
use crate::assets::AssetError;
use crate::config::{ConfigError, StandardError};
use crate::domain::RuleError;
use crate::generator::GeneratorError;
use crate::imported::ImportError;
use crate::pool::PoolError;
use crate::scorer::ScorerError;
use crate::server::ServerError;
use crate::source::{BenchmarkError, SourceError};
use crate::stage::annotate::AnnotateError;
use crate::stage::evaluate::EvaluateError;
use crate::stage::generate::GenerateError;
use crate::stage::inspect::InspectError;
use crate::stage::job::JobError;
use crate::stage::leaderboard::LeaderboardError;
use crate::stage::mine::MineError;
use crate::stage::plan::PlanError;
use crate::stage::prepare::PrepareError;
use crate::stage::push::PushError;
use crate::stage::release::ReleaseError;
use crate::stage::report::ReportError;
use crate::stage::verify::VerifyError;
use crate::store::StoreError;
use crate::work::WorkError;

/// Unexpected: a bug, or an error of the operating system.
const UNEXPECTED: u8 = 1;
/// Usage or a bad input file.
const BAD_INPUT: u8 = 2;
/// Some items were lost; the rest is done.
pub const SOME_LOST: u8 = 3;
/// A needed file, runtime, device or disk space is missing.
pub const MISSING: u8 = 4;
/// Stopped by a signal.
const STOPPED: u8 = 75;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Rule(#[from] RuleError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error(transparent)]
    Mine(#[from] MineError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Annotate(#[from] AnnotateError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    #[error(transparent)]
    Leaderboard(#[from] LeaderboardError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("--data-dir {0} is not a folder; correct the path, or leave it out")]
    DataDir(String),
    #[error(
        "the result cannot be written to stdout: {0}; the work is done, and the same command shows it again without \
         doing it again"
    )]
    Stdout(std::io::Error),
    #[error("cannot handle signals: {0}")]
    Signals(std::io::Error),
    /// Of a worker: what may be the fault of its machine.
    #[error("{0}")]
    Machine(Box<Error>),
}

impl Error {
    /// Prints the error and returns its exit code.
    pub fn report(&self) -> ExitCode {
        // A closed stderr must not become another error.
        let _ = writeln!(std::io::stderr(), "error: {}", shortened(&self.to_string()));
        ExitCode::from(self.code())
    }

    /// This error of a worker. Engines do not try again what ends with 2, and most of what is a bad input elsewhere may
    /// be a machine without the run's file system, or with damaged weights.
    pub fn of_worker(self) -> Self {
        let is_for_all =
            matches!(self, Self::Job(JobError::Ask(_) | JobError::NoSuchRank { .. } | JobError::Changed { .. }));
        if self.code() == BAD_INPUT && !is_for_all { Self::Machine(Box::new(self)) } else { self }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Machine(_) => MISSING,
            Self::Config(_) | Self::Rule(_) | Self::DataDir(_) => BAD_INPUT,
            Self::Stdout(_) => MISSING,
            Self::Store(error) => store(error),
            Self::Work(error) => work(error),
            Self::Pool(error) => pool(error),
            Self::Prepare(error) => prepare(error),
            Self::Plan(error) => plan(error),
            Self::Generate(error) => generate(error),
            Self::Mine(error) => mine(error),
            Self::Report(error) => report(error),
            Self::Annotate(error) => annotate(error),
            Self::Release(error) => release(error),
            Self::Verify(error) => verify(error),
            Self::Inspect(error) => inspect(error),
            Self::Evaluate(error) => evaluate(error),
            Self::Leaderboard(error) => leaderboard(error),
            Self::Job(error) => job(error),
            Self::Push(error) => push(error),
            Self::Signals(_) => UNEXPECTED,
        }
    }
}

fn plan(error: &PlanError) -> u8 {
    match error {
        PlanError::Prepare(error) => prepare(error),
        PlanError::Source(error) => source(error),
        PlanError::Store(error) => store(error),
        PlanError::Work(error) => work(error),
        PlanError::Table(_) => BAD_INPUT,
    }
}

fn prepare(error: &PrepareError) -> u8 {
    match error {
        PrepareError::Config(_)
        | PrepareError::TargetVotes { .. }
        | PrepareError::NotAModel { .. }
        | PrepareError::HashOfGraph { .. }
        | PrepareError::UnknownData { .. }
        | PrepareError::OtherClasses { .. }
        | PrepareError::OtherPool { .. }
        | PrepareError::OtherModel { .. }
        | PrepareError::OtherEngine { .. }
        | PrepareError::OtherMaker { .. } => BAD_INPUT,
        PrepareError::Store(error) => store(error),
        PrepareError::Work(error) => work(error),
        PrepareError::Asset(error) => asset(error),
        PrepareError::Weights { source, .. } => asset(source),
        PrepareError::Generator(error) => generator(error),
        PrepareError::Scorer(error) => scorer(error),
        PrepareError::Runtime(_) | PrepareError::NoData { .. } => MISSING,
    }
}

fn generate(error: &GenerateError) -> u8 {
    match error {
        GenerateError::Prepare(error) => prepare(error),
        GenerateError::Pool(error) => pool(error),
        GenerateError::Source(error) => source(error),
        GenerateError::Generator(error) => generator(error),
        GenerateError::Table(_) => BAD_INPUT,
        GenerateError::Store(error) => store(error),
        GenerateError::Work(error) => work(error),
    }
}

fn inspect(error: &InspectError) -> u8 {
    match error {
        InspectError::Config(_)
        | InspectError::NoSuch { .. }
        | InspectError::NoGraph { .. }
        | InspectError::Several { .. }
        | InspectError::NoPictures { .. }
        | InspectError::CannotTry { .. }
        | InspectError::Exists { .. } => BAD_INPUT,
        InspectError::Prepare(error) => prepare(error),
        InspectError::Scorer(error) => scorer(error),
        InspectError::Source(error) => source(error),
        InspectError::Asset(error) => asset(error),
        InspectError::Store(error) => store(error),
        InspectError::Work(error) => work(error),
    }
}

fn mine(error: &MineError) -> u8 {
    match error {
        MineError::Config(_)
        | MineError::Table(_)
        | MineError::OtherDevice { .. }
        | MineError::NoRowMatches { .. }
        | MineError::NoRowFits { .. }
        | MineError::AllFailed { .. } => BAD_INPUT,
        MineError::Import { source, .. } => match source {
            ImportError::Read { .. } => MISSING,
            ImportError::File { .. } | ImportError::Table(_) => BAD_INPUT,
        },
        MineError::Prepare(error) => prepare(error),
        MineError::Pool(error) => pool(error),
        MineError::Scorer(error) => scorer(error),
        MineError::Store(error) => store(error),
        MineError::Work(error) => work(error),
    }
}

fn report(error: &ReportError) -> u8 {
    match error {
        ReportError::Pool(error) => pool(error),
        ReportError::People(error) => annotate(error),
        ReportError::Table(_) => BAD_INPUT,
        ReportError::Store(error) => store(error),
        ReportError::Work(error) => work(error),
    }
}

fn annotate(error: &AnnotateError) -> u8 {
    match error {
        AnnotateError::Config(_)
        | AnnotateError::Table(_)
        | AnnotateError::Sheets(_)
        | AnnotateError::NoSuchRound { .. }
        | AnnotateError::TaskImage { .. }
        | AnnotateError::ImageUrl
        | AnnotateError::OutInside { .. }
        | AnnotateError::NoSheets { .. }
        | AnnotateError::Answers { .. }
        | AnnotateError::Remote { .. }
        | AnnotateError::NoHost { .. }
        | AnnotateError::PersonName { .. } => BAD_INPUT,
        AnnotateError::Pool(error) => pool(error),
        AnnotateError::Store(error) | AnnotateError::Server(ServerError::Store(error)) => store(error),
        AnnotateError::Work(error) => work(error),
        AnnotateError::Server(ServerError::Listen { .. }) => MISSING,
        AnnotateError::Server(ServerError::Io(_)) => UNEXPECTED,
    }
}

fn release(error: &ReleaseError) -> u8 {
    match error {
        ReleaseError::Config(_)
        | ReleaseError::Table(_)
        | ReleaseError::Nothing { .. }
        | ReleaseError::NotCollected { .. }
        | ReleaseError::NothingToCompare { .. }
        | ReleaseError::Inside { .. }
        | ReleaseError::BaseDamaged { .. }
        | ReleaseError::Image { .. }
        | ReleaseError::RunDamaged { .. }
        | ReleaseError::RunChanged { .. }
        | ReleaseError::Version { .. } => BAD_INPUT,
        ReleaseError::Pool(error) => pool(error),
        ReleaseError::People(error) => annotate(error),
        ReleaseError::Compare(error) => source(error),
        ReleaseError::Store(error) => store(error),
        ReleaseError::Work(error) => work(error),
        ReleaseError::Recipe(_) | ReleaseError::Accounting { .. } => UNEXPECTED,
    }
}

fn push(error: &PushError) -> u8 {
    match error {
        PushError::Python { .. } => MISSING,
        PushError::NotPushed { code: Some(2), .. } => BAD_INPUT,
        PushError::NotPushed { code: Some(4), .. } => MISSING,
        PushError::NotPushed { .. } => UNEXPECTED,
        PushError::Work(error) => work(error),
    }
}

fn evaluate(error: &EvaluateError) -> u8 {
    match error {
        EvaluateError::Config(_)
        | EvaluateError::Table(_)
        | EvaluateError::TargetMined { .. }
        | EvaluateError::OtherPool { .. }
        | EvaluateError::Answers { .. }
        | EvaluateError::NoSuchTarget { .. }
        | EvaluateError::RunsGone { .. }
        | EvaluateError::TwoOfOneName { .. }
        | EvaluateError::OtherCategories { .. }
        | EvaluateError::SameTarget { .. }
        | EvaluateError::Inside { .. }
        | EvaluateError::NoShift { .. } => BAD_INPUT,
        EvaluateError::Standard(error) => match error {
            StandardError::Read { .. } => MISSING,
            StandardError::Line { .. } | StandardError::NoSetting { .. } => BAD_INPUT,
        },
        EvaluateError::Source(error) => source(error),
        EvaluateError::Prepare(error) => prepare(error),
        EvaluateError::Plan(error) => plan(error),
        EvaluateError::Generate(error) => generate(error),
        EvaluateError::Mine(error) => mine(error),
        EvaluateError::Pool(error) => pool(error),
        EvaluateError::Store(error) => store(error),
        EvaluateError::Work(error) => work(error),
    }
}

fn job(error: &JobError) -> u8 {
    match error {
        JobError::Ask(_) | JobError::NoSuchRank { .. } | JobError::Changed { .. } | JobError::Table(_) => BAD_INPUT,
        JobError::RankDamaged { .. } => BAD_INPUT,
        JobError::NotThrough { .. } | JobError::ShardsChanged { .. } | JobError::NotStarted { .. } => MISSING,
        JobError::LeftOut { .. } => UNEXPECTED,
        JobError::Prepare(error) => prepare(error),
        JobError::Generate(error) => generate(error),
        JobError::Mine(error) => mine(error),
        JobError::Pool(error) => pool(error),
        JobError::Store(error) => store(error),
        JobError::Work(error) => work(error),
    }
}

fn leaderboard(error: &LeaderboardError) -> u8 {
    match error {
        LeaderboardError::NoResults { .. }
        | LeaderboardError::Unreadable { .. }
        | LeaderboardError::OtherPool { .. }
        | LeaderboardError::OtherCategories { .. }
        | LeaderboardError::Inconsistent { .. }
        | LeaderboardError::NoSpace { .. }
        | LeaderboardError::Mined { .. }
        | LeaderboardError::SameName { .. }
        | LeaderboardError::OutTaken { .. }
        | LeaderboardError::Table(_) => BAD_INPUT,
        LeaderboardError::Store(error) => store(error),
        LeaderboardError::Work(error) => work(error),
    }
}

fn verify(error: &VerifyError) -> u8 {
    match error {
        VerifyError::Store(error) => store(error),
        VerifyError::Table(_) => BAD_INPUT,
        VerifyError::Work(error) => work(error),
    }
}

fn pool(error: &PoolError) -> u8 {
    match error {
        PoolError::Store(error) => store(error),
        PoolError::Table(_) | PoolError::NoSpace { .. } | PoolError::NotReady { .. } => BAD_INPUT,
        PoolError::Source(error) => source(error),
        PoolError::Work(error) => work(error),
    }
}

fn work(error: &WorkError) -> u8 {
    match error {
        WorkError::Store(error) => store(error),
        WorkError::Process { code, .. } => {
            let known = code.filter(|code| [BAD_INPUT, SOME_LOST, MISSING, STOPPED].contains(code));
            known.unwrap_or(UNEXPECTED)
        }
        WorkError::OtherMaker { .. } => MISSING,
        WorkError::Accounting { .. } | WorkError::System { .. } | WorkError::Spec(_) | WorkError::Threads(_) => {
            UNEXPECTED
        }
        WorkError::Interrupted => STOPPED,
    }
}

fn benchmark(error: &BenchmarkError) -> u8 {
    match error {
        BenchmarkError::NotThere { .. } => MISSING,
        BenchmarkError::Layout { .. }
        | BenchmarkError::Empty { .. }
        | BenchmarkError::Labels { .. }
        | BenchmarkError::Parquet { .. }
        | BenchmarkError::TooMany { .. }
        | BenchmarkError::Table(_)
        | BenchmarkError::Config(_) => BAD_INPUT,
        BenchmarkError::Store(error) => store(error),
    }
}

fn source(error: &SourceError) -> u8 {
    match error {
        SourceError::Folder { .. } | SourceError::Gone { .. } | SourceError::Compare { .. } => MISSING,
        SourceError::Empty { .. }
        | SourceError::NoLabel { .. }
        | SourceError::LabelsRead { .. }
        | SourceError::LabelsCsv { .. }
        | SourceError::CountsFromOne { .. }
        | SourceError::TooMany => BAD_INPUT,
        SourceError::Benchmark(error) => benchmark(error),
        SourceError::Generator(error) => generator(error),
    }
}

fn generator(error: &GeneratorError) -> u8 {
    if error.is_missing() {
        MISSING
    } else if error.is_unexpected() {
        UNEXPECTED
    } else {
        BAD_INPUT
    }
}

fn store(error: &StoreError) -> u8 {
    match error {
        // A loop of links has no stable kind yet (ELOOP of Linux).
        StoreError::Io { source, .. } if source.raw_os_error() == Some(40) => BAD_INPUT,
        StoreError::Io { source, .. } => match source.kind() {
            // Room, or the right to write.
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem => MISSING,
            // A path that is not what it should be, or a text that is none.
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::AlreadyExists
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidData => BAD_INPUT,
            _ => UNEXPECTED,
        },
        StoreError::Locked { .. } | StoreError::Bucket { .. } | StoreError::NoBuckets { .. } => MISSING,
        StoreError::NotARun { .. }
        | StoreError::NoJob { .. }
        | StoreError::NotABucket { .. }
        | StoreError::InBucket { .. }
        | StoreError::Foreign { .. }
        | StoreError::NotOurs { .. }
        | StoreError::Taken { .. }
        | StoreError::NotARelease { .. }
        | StoreError::Format { .. }
        | StoreError::NewerMinor { .. }
        | StoreError::Damaged { .. } => BAD_INPUT,
    }
}

fn asset(error: &AssetError) -> u8 {
    match error {
        AssetError::WrongHash { .. } => BAD_INPUT,
        AssetError::Store(error) => store(error),
        AssetError::Missing { .. } | AssetError::Io { .. } | AssetError::Fetch { .. } | AssetError::NoSource { .. } => {
            MISSING
        }
    }
}

fn scorer(error: &ScorerError) -> u8 {
    match error {
        ScorerError::Runtime(_) => MISSING,
        ScorerError::Imported { .. } | ScorerError::Load { .. } | ScorerError::Mismatch { .. } => BAD_INPUT,
        ScorerError::Run { .. } => UNEXPECTED,
    }
}
