//! Records -> bytes of documents for people. Pure: no files, no clock.

mod provenance;
pub mod report;
pub mod tasks;

pub use provenance::png_texts;
