//! Images that a release must not repeat: those of given folders and of other releases.
//!
//! Holds always: an image that cannot be read is counted, because a comparison that skips images silently proves less
//! than it says.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::ReleaseError;
use crate::domain::ComparedRecord;
use crate::imaging::{self, DecodeLimits};
use crate::source::{ImagesBelow, images_below, read_picture_file};
use crate::store::{ReleaseDir, StoreError};
use crate::table::ReleaseFile;
use crate::work::Context;

/// Images that are hashed between two checks for a signal.
const BLOCK: usize = 64;
/// Images that cannot be compared and are named.
const SHOWN: usize = 3;

/// The images to compare with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    /// Names of the images (`folder/path`) and their perceptual hashes.
    pub images: Vec<(String, u64)>,
    /// Each folder's name, with its images that were read and those that could not be.
    pub folders: Vec<ComparedRecord>,
}

/// An error if a folder cannot be read or has no image; checked before any work is done.
pub fn check(folders: &[PathBuf]) -> Result<(), ReleaseError> {
    for folder in folders {
        if ReleaseDir::has_lost_record(folder) {
            // Its images must not be taken for a plain folder's, among which would be those of its other forms.
            return Err(StoreError::NotARelease { path: folder.display().to_string() }.into());
        }
        if ReleaseDir::find(folder).is_none() && images_below(folder)?.paths.is_empty() {
            return Err(ReleaseError::NothingToCompare { folder: folder.display().to_string() });
        }
    }
    Ok(())
}

impl Others {
    /// Reads and hashes all images of the folders.
    pub fn read(ctx: &Context, folders: &[PathBuf]) -> Result<Self, ReleaseError> {
        let mut others = Self::default();
        for folder in folders {
            // `.` and `x/..` have no name of their own.
            let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            let called = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let found = match ReleaseDir::find(folder) {
                Some(release) => of_release(ctx, &release)?,
                None => of_folder(ctx, folder)?,
            };
            let (all, mut unread) = (found.len() as u64, Vec::new());
            for (path, hash) in found {
                match hash {
                    Ok(hash) => others.images.push((format!("{called}/{path}"), hash)),
                    Err(reason) => unread.push(format!("{path}: {reason}")),
                }
            }
            if !unread.is_empty() {
                ctx.progress.note(&not_compared(folder, &unread));
            }
            let unread = unread.len() as u64;
            others.folders.push(ComparedRecord { name: called, images: all - unread, unread });
        }
        Ok(others)
    }
}

/// What is said of images that cannot be compared: how many, and the first of them with their reasons.
fn not_compared(folder: &Path, unread: &[String]) -> String {
    let more = if unread.len() > SHOWN { "; …" } else { "" };
    let first = unread[..unread.len().min(SHOWN)].join("; ");
    let (folder, count) = (folder.display(), unread.len());
    format!("{folder}: {count} image(s) cannot be read and were not compared: {first}{more}")
}

/// Paths with their hashes, or why an image cannot be read.
type Hashes = Vec<(String, Result<u64, String>)>;

fn of_folder(ctx: &Context, folder: &Path) -> Result<Hashes, ReleaseError> {
    let (pool, ImagesBelow { paths, passed_over }) = (ctx.thread_pool()?, images_below(folder)?);
    if !passed_over.is_empty() {
        ctx.progress.note(&format!("{}: {}", folder.display(), passed_over.words()));
    }
    ctx.progress.start("compare", paths.len() as u64);
    let mut hashes = Hashes::with_capacity(paths.len());
    for block in paths.chunks(BLOCK) {
        ctx.check_stop()?;
        let hash = |path: &String| (path.clone(), hash_of_file(&folder.join(path)));
        hashes.extend(pool.install(|| block.par_iter().map(hash).collect::<Hashes>()));
        ctx.progress.advance(block.len() as u64);
    }
    ctx.progress.finish();
    Ok(hashes)
}

fn of_release(ctx: &Context, release: &ReleaseDir) -> Result<Hashes, ReleaseError> {
    let record = release.record()?;
    let mut hashes = Hashes::new();
    ctx.progress.start("compare", record.images);
    for file in &record.files {
        ctx.check_stop()?;
        ReleaseFile::open(&release.data(file)?)?
            .rows(true, |row| hashes.push((format!("{:08}", row.item_id), hash(&row.image))))?;
        ctx.progress.advance(file.images);
    }
    ctx.progress.finish();
    Ok(hashes)
}

fn hash_of_file(path: &Path) -> Result<u64, String> {
    hash(&read_picture_file(path, DecodeLimits::default().max_file_bytes, "the limit")?)
}

fn hash(bytes: &[u8]) -> Result<u64, String> {
    let picture = imaging::decode(bytes, &DecodeLimits::default()).map_err(|e| e.to_string())?;
    Ok(imaging::perceptual_hash(&picture))
}
