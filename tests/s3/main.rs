//! Runs in a bucket, `s3://BUCKET/FOLDER`, on three servers that differ in what they promise: whatever is killed or
//! busy, the objects are byte for byte the files of a run in a folder; a second machine reads, verifies and reports
//! them.
//!
//! The servers are programs on 127.0.0.1; nothing leaves the machine. What needs no server is tried without the feature
//! too.

#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "s3")]
mod proxy;
#[cfg(feature = "s3")]
mod servers;
#[cfg(feature = "s3")]
mod whole;

use common::Hardset;

#[test]
fn what_must_be_in_a_folder_says_so() {
    let hardset = Hardset::new();
    for line in
        ["annotate export s3://b/run --to html --out o", "annotate serve s3://b/run", "annotate collect s3://b/run"]
    {
        hardset.line(line).refused(2, &["s3://b/run is in a bucket", "aws s3 sync s3://b/run DIR"]);
    }
    hardset.line("evaluate s3://b/run --targets fake-a").refused(2, &["what is evaluated must be in a folder"]);
    for wrong in ["s3://b", "s3://b/", "s3://b/../x"] {
        hardset.line(&format!("status {wrong}")).refused(2, &[wrong, "s3://BUCKET/FOLDER"]);
    }
    assert!(!hardset.path("s3:").exists());
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_program_without_buckets_says_how_it_is_built_with_them() {
    let hardset = Hardset::new();
    hardset.line("build fake --run-dir s3://b/run").refused(4, &["s3://b/run", "--features s3"]);
}
