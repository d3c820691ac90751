//! Records -> bytes of documents for people. Pure: no files, no clock.

pub mod annotate;
mod policy;
mod provenance;
pub mod report;

pub use provenance::png_texts;
