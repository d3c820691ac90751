//! Errors -> messages and exit codes (DESIGN 1.4).

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::assets::AssetError;
use crate::server::ServerError;
use crate::stage::StageError;
use crate::store::StoreError;
use crate::surrogate::SurrogateError;

/// Unexpected: a bug, or a system that refuses.
const UNEXPECTED: u8 = 1;
/// Usage or a bad input file.
const BAD_INPUT: u8 = 2;
/// Some items were lost; the rest is done.
pub const SOME_LOST: u8 = 3;
/// A needed file, runtime, device or disk space is missing.
pub const MISSING: u8 = 4;
/// Stopped by a signal.
pub const STOPPED: u8 = 75;

/// Prints the error and gives its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(error.downcast_ref::<StageError>().map_or(UNEXPECTED, code))
}

fn code(error: &StageError) -> u8 {
    match error {
        StageError::Interrupted => STOPPED,
        StageError::Config(_)
        | StageError::Rule(_)
        | StageError::OtherPool { .. }
        | StageError::OtherModel { .. }
        | StageError::Sheets(_)
        | StageError::ImageUrl
        | StageError::OutInside { .. }
        | StageError::Remote { .. }
        | StageError::NoHost { .. }
        | StageError::PersonName { .. }
        | StageError::NoSheets { .. }
        | StageError::Answers { .. }
        | StageError::TaskImage { .. }
        | StageError::TargetVotes { .. }
        | StageError::BaseDamaged { .. }
        | StageError::NotCollected { .. }
        | StageError::NothingToCompare { .. }
        | StageError::ReleaseInside { .. }
        | StageError::NothingToRelease { .. }
        | StageError::ReleaseImage { .. }
        | StageError::Version { .. }
        | StageError::NotReady { .. } => BAD_INPUT,
        StageError::Generator(error) if error.is_missing() => MISSING,
        StageError::Generator(error) if error.is_unexpected() => UNEXPECTED,
        StageError::Generator(_)
        | StageError::AllFailed { .. }
        | StageError::OtherDevice { .. }
        | StageError::OtherEngine { .. }
        | StageError::OtherMaker { .. } => BAD_INPUT,
        StageError::Store(error) | StageError::Server(ServerError::Store(error)) => store(error),
        StageError::Server(ServerError::Listen { .. }) => MISSING,
        StageError::Server(ServerError::Io(_)) => UNEXPECTED,
        StageError::Asset(error) => asset(error),
        StageError::Weights { source, .. } => asset(source),
        StageError::Runtime(_) => MISSING,
        StageError::Surrogate(error) => surrogate(error),
        StageError::Table(_) => BAD_INPUT,
        StageError::Share { code, .. } => code.unwrap_or(UNEXPECTED),
        StageError::Accounting { .. } | StageError::Recipe(_) | StageError::Threads(_) => UNEXPECTED,
    }
}

fn store(error: &StoreError) -> u8 {
    match error {
        StoreError::Io { source, .. } if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            MISSING
        }
        StoreError::Io { .. } => UNEXPECTED,
        StoreError::Locked { .. } => MISSING,
        StoreError::NotARun { .. }
        | StoreError::Foreign { .. }
        | StoreError::NotOurs { .. }
        | StoreError::Taken { .. }
        | StoreError::NotARelease { .. }
        | StoreError::Format { .. }
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

fn surrogate(error: &SurrogateError) -> u8 {
    match error {
        SurrogateError::Runtime(_) => MISSING,
        SurrogateError::Load { .. } | SurrogateError::Mismatch { .. } => BAD_INPUT,
        SurrogateError::Run { .. } => UNEXPECTED,
    }
}
