//! The same release in other forms: ImageNet-D's folders, tar files, FiftyOne.
//!
//! Holds always: every form has the same images and the same evidence, because people compare results across them.

use std::io::Write;

use serde_json::Value;

use super::ReleaseError;
use super::columns::Column;
use super::data::Layout;
use super::evidence::{Evidence, Reader};
use crate::domain::{Cell, ColumnKind, ReleaseForm};
use crate::render::release::{MetadataRow, json_columns, labels_json, metadata_line, sample_texts, stem};
use crate::store::{StoreError, TarFile};
use crate::work::Context;

/// What a release is written from.
pub struct Forms<'a, 'b> {
    /// Progress and the request to stop.
    pub ctx: &'a Context<'a>,
    /// The evidence.
    pub reader: &'a mut Reader<'b>,
    /// Columns, files and where they are written.
    pub layout: &'a Layout<'a>,
}

impl Forms<'_, '_> {
    /// Writes the release in one form.
    pub fn write(&mut self, form: ReleaseForm) -> Result<(), ReleaseError> {
        self.ctx.progress.start(form.folder(), self.reader.chosen().len() as u64);
        match form {
            ReleaseForm::ImageFolder => self.image_folder()?,
            ReleaseForm::WebDataset => self.web_dataset()?,
            ReleaseForm::FiftyOne => self.fifty_one()?,
        }
        self.ctx.progress.finish();
        Ok(())
    }

    fn each(&mut self, mut each: impl FnMut(&Evidence) -> Result<(), ReleaseError>) -> Result<(), ReleaseError> {
        for group in self.layout.files.iter().flat_map(|file| &file.groups) {
            self.reader.read(group.clone(), true, &mut each)?;
            self.ctx.progress.advance(group.len() as u64);
        }
        Ok(())
    }

    fn image_folder(&mut self) -> Result<(), ReleaseError> {
        let Layout { draft, columns, .. } = self.layout;
        let mut lines = draft.start("imagefolder/metadata.jsonl")?;
        self.each(|evidence| {
            draft.put(&format!("imagefolder/{}", evidence.item.path), &evidence.bytes)?;
            let row = MetadataRow { file_name: evidence.item.path.clone(), columns: facts(columns, evidence) };
            let written = lines.write_all(&metadata_line(&row));
            Ok(written.map_err(StoreError::io("write", lines.path()))?)
        })?;
        Ok(lines.commit()?)
    }

    fn fifty_one(&mut self) -> Result<(), ReleaseError> {
        let Layout { draft, classes, .. } = self.layout;
        let mut labels = Vec::new();
        self.each(|evidence| {
            let file = evidence.item.file();
            draft.put(&format!("fiftyone/data/{file}"), &evidence.bytes)?;
            labels.push((stem(file).to_owned(), evidence.item.label));
            Ok(())
        })?;
        Ok(draft.put("fiftyone/labels.json", &labels_json(classes, &labels))?)
    }

    /// Samples of image, class and evidence (`<item>.png`, `.cls`, `.json`), in files cut as the data files are.
    fn web_dataset(&mut self) -> Result<(), ReleaseError> {
        for file in self.layout.files {
            let name = format!("webdataset/{}.tar", file.stem);
            let path = self.layout.draft.folder().join(&name);
            let mut tar = TarFile::new(self.layout.draft.start(&name)?);
            for group in &file.groups {
                self.reader.read(group.clone(), true, |evidence| {
                    let (file, columns) = (evidence.item.file(), facts(self.layout.columns, evidence));
                    let texts = sample_texts(file, evidence.item.label, &columns);
                    let pushed = push_sample(&mut tar, file, &evidence.bytes, &texts);
                    Ok(pushed.map_err(StoreError::io("write", &path))?)
                })?;
                self.ctx.progress.advance(group.len() as u64);
            }
            tar.commit()?;
        }
        Ok(())
    }
}

/// Appends a sample to a tar: its image, label and columns.
pub fn push_sample<W: Write>(
    tar: &mut TarFile<W>,
    file: &str,
    image: &[u8],
    texts: &[(String, Vec<u8>)],
) -> std::io::Result<()> {
    tar.push(file, image)?;
    texts.iter().try_for_each(|(name, text)| tar.push(name, text))
}

/// All columns but the image, as JSON.
fn facts(columns: &[Column], evidence: &Evidence) -> Vec<(String, Value)> {
    let columns: Vec<&Column> = columns.iter().filter(|column| column.facts.kind != ColumnKind::Image).collect();
    let cells: Vec<Cell> = columns.iter().map(|column| column.cell(evidence)).collect();
    json_columns(columns.iter().map(|column| &column.facts).zip(&cells))
}
