//! Records -> bytes of documents for people.
//!
//! Holds always: reads no file, asks no clock and computes no statistic, because the same records must give the same
//! bytes.

pub mod annotate;
pub mod draft;
pub mod evaluation;
pub mod jobs;
pub mod numbers;
mod parts;
mod policy;
mod provenance;
pub mod release;
pub mod report;
pub mod tasks;

pub use provenance::png_texts;
