//! The same release in other forms: ImageNet-D's folders, tar files, FiftyOne.
//!
//! Holds always: every form has the same images and the same evidence, because people compare results across them.

use serde_json::{Map, Number, Value};

use super::ReleaseError;
use super::columns::Column;
use super::data::Layout;
use super::evidence::{Evidence, Reader};
use crate::domain::{Cell, ColumnKind, ReleaseForm};
use crate::render::release::{MetadataRow, labels_json, metadata_jsonl};
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
        let mut rows = Vec::new();
        self.each(|evidence| {
            draft.put(&format!("imagefolder/{}", evidence.item.path), &evidence.bytes)?;
            let columns = facts(columns, evidence);
            rows.push(MetadataRow { file_name: evidence.item.path.clone(), columns });
            Ok(())
        })?;
        Ok(draft.put("imagefolder/metadata.jsonl", &metadata_jsonl(&rows))?)
    }

    fn fifty_one(&mut self) -> Result<(), ReleaseError> {
        let Layout { draft, classes, .. } = self.layout;
        let mut labels = Vec::new();
        self.each(|evidence| {
            let file = evidence.item.file();
            draft.put(&format!("fiftyone/data/{file}"), &evidence.bytes)?;
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            labels.push((stem.to_owned(), evidence.item.label));
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
                    sample(&mut tar, self.layout.columns, evidence).map_err(StoreError::io("write", &path))?;
                    Ok(())
                })?;
                self.ctx.progress.advance(group.len() as u64);
            }
            tar.commit()?;
        }
        Ok(())
    }
}

fn sample(tar: &mut TarFile, columns: &[Column], evidence: &Evidence) -> std::io::Result<()> {
    let file = evidence.item.file();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let json: Map<String, Value> = facts(columns, evidence).into_iter().collect();
    tar.push(file, &evidence.bytes)?;
    tar.push(&format!("{stem}.cls"), evidence.item.label.to_string().as_bytes())?;
    tar.push(&format!("{stem}.json"), Value::Object(json).to_string().as_bytes())
}

/// All columns but the image.
fn facts(columns: &[Column], evidence: &Evidence) -> Vec<(String, Value)> {
    let columns = columns.iter().filter(|column| column.facts.kind != ColumnKind::Image);
    columns.map(|column| (column.facts.name.clone(), json(column.cell(evidence)))).collect()
}

/// A cell as JSON. 64-bit seeds become text, because most readers of JSON cannot represent them.
fn json(cell: Cell) -> Value {
    let number = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    match cell {
        Cell::Null | Cell::Image(..) => Value::Null,
        Cell::Text(text) => text.into(),
        Cell::Bool(flag) => flag.into(),
        Cell::Int32(n) => n.into(),
        Cell::Int64(n) => n.into(),
        Cell::UInt32(n) => n.into(),
        Cell::UInt64(n) => n.to_string().into(),
        Cell::Float32(n) => number(shortest(n)),
        Cell::Float64(n) => number(n),
        Cell::TextList(list) => list.into(),
        Cell::Int32List(list) => list.into(),
        Cell::Float32List(list) => list.into_iter().map(|n| number(shortest(n))).collect(),
    }
}

/// The double with the shortest text of the float: 0.1, not 0.10000000149011612.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| f64::from(number))
}
