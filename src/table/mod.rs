//! One file per Parquet table: schema, encode, decode. The only module that knows polars and, in `release` and
//! `image_parquet`, arrow,
//! because a table library must be replaceable without touching the stages.
//!
//! Does not decide what is in a table and writes no files: encoders return bytes or write into a given writer.
//! Holds always: the same rows give the same bytes, because a resumed run must equal an undisturbed one.

mod answers;
mod column_file;
mod dropped;
mod figures;
mod frame;
mod image_parquet;
mod images;
mod mined;
mod plan;
mod predictions;
mod release;
mod results;
mod scores_npy;
mod tasks;
mod verdicts;

pub use column_file::ColumnFile;
pub use figures::{encode_agreements, encode_comparisons, encode_figures};
pub use frame::{TableError, limit_threads};
pub use image_parquet::{
    ImageColumn, ImageColumnKind, ImageParquet, ImageParquetError, LabelCell, LabelColumns, LabelRow, ParquetImages,
};
pub use images::ImagePaths;
pub use mined::{EncodedChunk, MinedChunk, MinedColumns, MinedTable, MinedWriter, read_hard};
pub use plan::{PlanSlice, PlanTable};
pub use release::{ReleaseFile, ReleaseRowCheck, ReleaseWriter};
pub use results::{PoolColumns, ResultColumns, SpaceColumns};

/// `answers/<input>.parquet`.
pub mod answers_table {
    pub use super::answers::{decode, encode};
}
/// `dropped.parquet`.
pub mod dropped_table {
    pub use super::dropped::{decode, encode};
}
/// `images/NNNNN.parquet`.
pub mod images_table {
    pub use super::images::{decode, encode, read_paths};
}
/// `predictions/<surrogate>/NNN/NNNNNN.HASH.parquet`.
pub mod predictions_table {
    pub use super::predictions::{Votes, decode, encode, read_votes};
}
/// `results/<target>/NNNNN.parquet` and `surrogates.parquet` of an evaluation.
pub mod results_table {
    pub use super::results::{decode_miners, encode, encode_images, encode_miners};
}
/// `predictions/<target>/NNN/NNNNNN.HASH.npy`: probabilities of all classes.
pub mod scores_file {
    pub use super::scores_npy::{decode, encode};
}
/// `batches/NNNNN.tasks.parquet` and `batches/NNNNN.sentinels.parquet`.
pub mod tasks_table {
    pub use super::tasks::{decode, encode};
}
/// `verdicts/all.{votes,assignments,items,people,agreement}.parquet`.
pub mod verdicts_table {
    pub use super::verdicts::{
        decode_agreement, decode_assignments, decode_counting_votes, decode_items, decode_people, encode_agreement,
        encode_assignments, encode_items, encode_people, encode_votes,
    };
}
