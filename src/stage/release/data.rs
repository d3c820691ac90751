//! The data files: rows in groups small enough for viewers and memory, groups in files of a size that the hub asks for.
//!
//! Holds always: the cut depends only on the number and sizes of the images, because the same release must have the
//! same bytes.

use std::ops::Range;

use super::ReleaseError;
use super::columns::Column;
use super::evidence::{ChosenItem, Reader};
use crate::domain::{ColumnFacts, ReleaseRow};
use crate::store::{Draft, PendingFile};
use crate::table::ReleaseWriter;
use crate::work::Context;

/// Largest number of rows in a group: a page of the hub's viewer (`datasets` also writes images in groups of this
/// size).
const GROUP_ROWS: usize = 100;
/// Largest size of a group's images, in bytes: bounds memory and what a viewer fetches for one page.
const GROUP_BYTES: u64 = 32 << 20;
/// Largest size of a file's images, in bytes: the hub asks for files below 500 MB.
const FILE_BYTES: u64 = 400_000_000;

/// A data file, as places in the list of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// `test-NNNNN-of-NNNNN`.
    pub stem: String,
    /// Its row groups.
    pub groups: Vec<Range<usize>>,
}

impl DataFile {
    /// Path in the release.
    pub fn path(&self) -> String {
        format!("data/{}.parquet", self.stem)
    }

    /// Places of all its items.
    pub fn items(&self) -> Range<usize> {
        let (first, last) = (self.groups.first(), self.groups.last());
        first.map_or(0, |group| group.start)..last.map_or(0, |group| group.end)
    }
}

/// Cuts the items into groups and files.
pub fn cut(chosen: &[ChosenItem]) -> Vec<DataFile> {
    let sizes: Vec<u64> = chosen.iter().map(|item| item.image.bytes).collect();
    let groups = fill(&sizes, GROUP_BYTES, GROUP_ROWS);
    let sizes: Vec<u64> = groups.iter().map(|group| sizes[group.clone()].iter().sum()).collect();
    let files = fill(&sizes, FILE_BYTES, usize::MAX);
    let all = files.len();
    let stem = |at: usize| format!("test-{at:05}-of-{all:05}");
    files.into_iter().enumerate().map(|(at, part)| DataFile { stem: stem(at), groups: groups[part].to_vec() }).collect()
}

/// Ranges of at most `most` neighbours with at most `bytes` together; a larger item is alone.
fn fill(sizes: &[u64], bytes: u64, most: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (at, size) in sizes.iter().enumerate() {
        if at > start && (at - start == most || sum + size > bytes) {
            ranges.push(start..at);
            (start, sum) = (at, 0);
        }
        sum += size;
    }
    if start < sizes.len() {
        ranges.push(start..sizes.len());
    }
    ranges
}

/// What the data files of a release are written from, and where.
pub struct Layout<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// Names of the labels.
    pub classes: &'a [String],
    /// Where the release is written.
    pub draft: &'a Draft,
    /// How it is cut.
    pub files: &'a [DataFile],
}

/// Writes the files that the draft does not have yet.
pub fn write(ctx: &Context, reader: &mut Reader, layout: &Layout) -> Result<(), ReleaseError> {
    let Layout { columns, classes, draft, files } = layout;
    let facts: Vec<ColumnFacts> = columns.iter().map(|column| column.facts.clone()).collect();
    let bytes: u64 = reader.chosen().iter().map(|item| item.image.bytes).sum();
    ctx.progress.detail(&format!("{} MB of images, and as much again for each other form", bytes / 1_000_000));
    ctx.progress.start("write data", reader.chosen().len() as u64);
    for file in *files {
        if draft.has(&file.path()) {
            ctx.progress.advance(file.items().len() as u64);
            continue;
        }
        let mut target = draft.start(&file.path())?;
        let filled = match ReleaseWriter::new(&mut target, &facts, classes) {
            Ok(writer) => fill_file(ctx, reader, columns, writer, &file.groups),
            Err(error) => Err(error.into()),
        };
        match filled {
            Ok(()) => {
                target.commit()?;
                draft.finished(&file.path())?;
            }
            // The error of the table names neither the file nor a full disk.
            Err(error) => return Err(target.failure().map_or(error, ReleaseError::from)),
        }
    }
    ctx.progress.finish();
    Ok(())
}

fn fill_file(
    ctx: &Context,
    reader: &mut Reader,
    columns: &[Column],
    mut writer: ReleaseWriter<&mut PendingFile>,
    groups: &[Range<usize>],
) -> Result<(), ReleaseError> {
    for group in groups {
        let mut rows: Vec<ReleaseRow> = Vec::with_capacity(group.len());
        reader.read(group.clone(), true, |evidence| {
            rows.push(columns.iter().map(|column| column.cell(evidence)).collect());
            Ok(())
        })?;
        writer.group(&rows)?;
        ctx.progress.advance(group.len() as u64);
    }
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_full_and_hold_everything_once() {
        assert_eq!(fill(&[1, 1, 1, 5, 9, 1], 6, 2), [0..2, 2..4, 4..5, 5..6]);
        assert_eq!(fill(&[1; 5], 100, 2), [0..2, 2..4, 4..5]);
        assert!(fill(&[], 100, 2).is_empty());
        assert_eq!(fill(&[7, 7], 3, 2), [0..1, 1..2]);
    }
}
