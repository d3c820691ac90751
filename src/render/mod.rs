//! Records -> bytes of documents for people. Pure: no files, no clock.

pub mod annotate;
mod policy;
mod provenance;
pub mod release;
pub mod report;
pub mod tasks;

pub use provenance::png_texts;
