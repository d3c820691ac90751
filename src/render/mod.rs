//! Records -> bytes of documents for people. Pure: no files, no clock.

pub mod report;
