//! The verbs, one file each, and the one loop that resumes them (`shards`).
//!
//! Sees generators and surrogates through their traits; knows neither candle, ort, polars, clap nor image.

mod collect;
mod context;
mod decide;
mod doctor;
mod dropped;
mod error;
mod export;
mod fetch;
mod generate;
mod images;
mod judge;
mod library;
mod mine;
mod model;
mod pack;
mod plan;
mod planned;
mod release;
mod report;
mod report_people;
mod resolve;
mod score;
mod select;
mod serve;
mod shards;
mod sheets;
mod status;
mod tally;
mod verify;
mod verify_release;

pub use crate::domain::Agreement;
pub use crate::generator::{Benchmark, Compared};
pub use crate::server::Links;
pub use collect::{Collected, Input, collect, missing};
pub use context::{Context, Progress};
pub use doctor::{Doctor, ModelReport, doctor, doctor_model};
pub use dropped::write_dropped;
pub use error::StageError;
pub use export::{ExportTo, Exported, export, export_all};
pub use fetch::{FetchResult, fetch};
pub use generate::{generate, generated};
pub use mine::{Mining, mine};
pub use model::check as check_model;
pub use plan::{Counts, count, plan};
pub use release::{ReleaseTo, Released, release, release_columns};
pub use report::{ReportResult, report};
pub use resolve::{adopt, resolve, resolve_surrogate};
pub use score::{Scored, score};
pub use select::{Selected, select};
pub use serve::{ServeAt, serve};
pub use shards::{Part, Tally};
pub use status::{Status, SurrogateStatus, status};
pub use verify::{Verified, verify};
pub use verify_release::verify_release;
