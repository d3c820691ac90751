//! The data files of a release: Parquet that Hugging Face's `datasets` loads, with an image column and class labels.
//!
//! Written with the crate `parquet`, because polars cannot write the schema of an image column. Holds always: the same
//! rows in the same groups give the same bytes, because a release that is made again must be equal; every column is
//! nullable, because `datasets` recognises image and label columns only then.
//!
//! Source of the metadata: `datasets`, `Features.arrow_schema` (the key `huggingface` of the Arrow schema).

mod read;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::{Float32Type, Int32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

use super::frame::TableError;
use crate::domain::{Cell, ColumnFacts, ColumnKind, ReleaseRow};

pub use read::{ReleaseFile, ReleaseRowCheck};

/// Writes one data file.
pub struct ReleaseWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    kinds: Vec<ColumnKind>,
}

impl<W: Write + Send> ReleaseWriter<W> {
    /// A file with these columns; `classes`: names of the labels, from 0.
    pub fn new(target: W, columns: &[ColumnFacts], classes: &[String]) -> Result<Self, TableError> {
        let schema = schema(columns, classes);
        let images = columns.iter().filter(|column| column.kind == ColumnKind::Image);
        // Encoded images neither repeat nor compress, and nobody needs their minimum and maximum.
        let properties = images.fold(WriterProperties::builder(), |properties, column| {
            let bytes = ColumnPath::new(vec![column.name.clone(), "bytes".to_owned()]);
            properties
                .set_column_dictionary_enabled(bytes.clone(), false)
                .set_column_statistics_enabled(bytes, EnabledStatistics::None)
        });
        let properties = properties.set_created_by("hardset".to_owned()).build();
        let writer = ArrowWriter::try_new(target, Arc::clone(&schema), Some(properties)).map_err(encode_error)?;
        Ok(Self { writer, schema, kinds: columns.iter().map(|column| column.kind).collect() })
    }

    /// Writes rows as one row group.
    pub fn group(&mut self, rows: &[ReleaseRow]) -> Result<(), TableError> {
        let arrays = self.kinds.iter().enumerate().map(|(at, kind)| {
            let cells: Vec<&Cell> = rows.iter().filter_map(|row| row.get(at)).collect();
            array(*kind, &cells)
        });
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(encode_error)?;
        self.writer.write(&batch).and_then(|()| self.writer.flush()).map_err(encode_error)
    }

    /// Writes the footer.
    pub fn finish(self) -> Result<(), TableError> {
        self.writer.close().map(|_| ()).map_err(encode_error)
    }
}

fn encode_error(error: impl std::fmt::Display) -> TableError {
    TableError::EncodeRelease(error.to_string())
}

fn schema(columns: &[ColumnFacts], classes: &[String]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, data_type(c.kind), true)).collect();
    let features: serde_json::Map<String, Value> =
        columns.iter().map(|column| (column.name.clone(), feature(column.kind, classes))).collect();
    let metadata = json!({ "info": { "features": features } }).to_string();
    Arc::new(Schema::new_with_metadata(fields, HashMap::from([("huggingface".to_owned(), metadata)])))
}

fn data_type(kind: ColumnKind) -> DataType {
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    match kind {
        ColumnKind::Image => DataType::Struct(image_fields()),
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Int32 => DataType::Int32,
        ColumnKind::Int64 | ColumnKind::ClassLabel => DataType::Int64,
        ColumnKind::UInt32 => DataType::UInt32,
        ColumnKind::UInt64 => DataType::UInt64,
        ColumnKind::Float32 => DataType::Float32,
        ColumnKind::Float64 => DataType::Float64,
        ColumnKind::TextList => list(DataType::Utf8),
        ColumnKind::Int32List => list(DataType::Int32),
        ColumnKind::Float32List => list(DataType::Float32),
    }
}

fn image_fields() -> Fields {
    Fields::from(vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)])
}

fn feature(kind: ColumnKind, classes: &[String]) -> Value {
    let value = |dtype: &str| json!({ "dtype": dtype, "_type": "Value" });
    let list = |dtype: &str| json!({ "feature": value(dtype), "_type": "Sequence" });
    match kind {
        ColumnKind::Image => json!({ "_type": "Image" }),
        ColumnKind::ClassLabel => json!({ "names": classes, "_type": "ClassLabel" }),
        ColumnKind::Text => value("string"),
        ColumnKind::Bool => value("bool"),
        ColumnKind::Int32 => value("int32"),
        ColumnKind::Int64 => value("int64"),
        ColumnKind::UInt32 => value("uint32"),
        ColumnKind::UInt64 => value("uint64"),
        ColumnKind::Float32 => value("float32"),
        ColumnKind::Float64 => value("float64"),
        ColumnKind::TextList => list("string"),
        ColumnKind::Int32List => list("int32"),
        ColumnKind::Float32List => list("float32"),
    }
}

/// The cells of one column as an array. A cell of another type is a bug of the caller, reported as an error.
fn array(kind: ColumnKind, cells: &[&Cell]) -> Result<ArrayRef, TableError> {
    /// Values of one variant, nulls as `None`.
    macro_rules! values {
        ($variant:ident) => {
            cells.iter().map(|cell| match cell {
                Cell::$variant(value) => Ok(Some(value)),
                Cell::Null => Ok(None),
                other => Err(encode_error(format!("a column of {kind:?} holds {}", name_of(other)))),
            })
        };
    }
    /// The same in an array of numbers.
    macro_rules! numbers {
        ($variant:ident, $array:ty) => {{
            let values = values!($variant).map(|value| Ok(value?.copied()));
            Arc::new(<$array>::from(values.collect::<Result<Vec<_>, TableError>>()?))
        }};
    }
    /// The same in lists of numbers.
    macro_rules! lists {
        ($variant:ident, $number:ty) => {{
            let values = values!($variant).map(|value| Ok(value?.map(|list| list.iter().copied().map(Some))));
            let values = values.collect::<Result<Vec<_>, TableError>>()?;
            Arc::new(ListArray::from_iter_primitive::<$number, _, _>(values))
        }};
    }
    Ok(match kind {
        ColumnKind::Image => images(cells)?,
        ColumnKind::Text => Arc::new(values!(Text).collect::<Result<StringArray, _>>()?),
        ColumnKind::Bool => numbers!(Bool, BooleanArray),
        ColumnKind::Int32 => numbers!(Int32, Int32Array),
        ColumnKind::Int64 | ColumnKind::ClassLabel => numbers!(Int64, Int64Array),
        ColumnKind::UInt32 => numbers!(UInt32, UInt32Array),
        ColumnKind::UInt64 => numbers!(UInt64, UInt64Array),
        ColumnKind::Float32 => numbers!(Float32, Float32Array),
        ColumnKind::Float64 => numbers!(Float64, Float64Array),
        ColumnKind::Int32List => lists!(Int32List, Int32Type),
        ColumnKind::Float32List => lists!(Float32List, Float32Type),
        ColumnKind::TextList => text_lists(values!(TextList).collect::<Result<_, _>>()?),
    })
}

/// The variant's name alone, because an image's bytes would fill the screen.
fn name_of(cell: &Cell) -> String {
    format!("{cell:?}").split('(').next().unwrap_or_default().to_owned()
}

fn images(cells: &[&Cell]) -> Result<ArrayRef, TableError> {
    let image = |cell: &&Cell| match cell {
        Cell::Image(bytes, path) => Ok((bytes.clone(), path.clone())),
        other => Err(encode_error(format!("a column of images holds {}", name_of(other)))),
    };
    let (bytes, paths): (Vec<_>, Vec<_>) = cells.iter().map(image).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let bytes: BinaryArray = bytes.iter().map(|bytes| Some(bytes.as_slice())).collect();
    let paths: StringArray = paths.iter().map(Some).collect();
    let image = StructArray::try_new(image_fields(), vec![Arc::new(bytes), Arc::new(paths)], None);
    Ok(Arc::new(image.map_err(encode_error)?))
}

fn text_lists(rows: Vec<Option<&Vec<String>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for row in rows {
        row.into_iter().flatten().for_each(|text| builder.values().append_value(text));
        builder.append(row.is_some());
    }
    Arc::new(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: ColumnKind) -> ColumnFacts {
        ColumnFacts { name: name.to_owned(), kind, description: String::new() }
    }

    fn columns() -> Vec<ColumnFacts> {
        vec![
            column("image", ColumnKind::Image),
            column("label", ColumnKind::ClassLabel),
            column("item_id", ColumnKind::UInt32),
            column("category", ColumnKind::Text),
            column("sha256", ColumnKind::Text),
            column("a.top5_ids", ColumnKind::Int32List),
            column("votes", ColumnKind::TextList),
        ]
    }

    fn row(item: u32) -> ReleaseRow {
        vec![
            Cell::Image(vec![item as u8; 9], format!("{item}.png")),
            Cell::Int64(1),
            Cell::UInt32(item),
            Cell::Text("mug".to_owned()),
            Cell::Text("ab".to_owned()),
            Cell::Int32List(vec![1, 2]),
            if item == 0 { Cell::Null } else { Cell::TextList(vec!["yes".to_owned()]) },
        ]
    }

    fn written(groups: &[&[ReleaseRow]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let classes = ["cup".to_owned(), "mug".to_owned()];
        let mut writer = ReleaseWriter::new(&mut bytes, &columns(), &classes).unwrap();
        groups.iter().for_each(|rows| writer.group(rows).unwrap());
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn rows_come_back_as_they_went_in_and_the_same_rows_give_the_same_bytes() {
        let rows: Vec<ReleaseRow> = (0..40).map(row).collect();
        let bytes = written(&[&rows[..30], &rows[30..]]);
        assert_eq!(bytes, written(&[&rows[..30], &rows[30..]]));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let differs = |columns: &[ColumnFacts], classes: [&str; 2]| {
            ReleaseFile::open(file.path()).unwrap().differs(columns, &classes.map(str::to_owned))
        };
        assert_eq!(differs(&columns(), ["cup", "mug"]), None);
        assert!(differs(&columns(), ["mug", "cup"]).is_some_and(|said| said.contains("metadata")));
        assert!(differs(&columns()[1..], ["cup", "mug"]).is_some_and(|said| said.contains("column image is not")));
        let mut other = columns();
        other[2].kind = ColumnKind::Int64;
        assert!(differs(&other, ["cup", "mug"]).is_some_and(|said| said.contains("no column item_id of type Int64")));
        for images in [true, false] {
            let mut found = Vec::new();
            ReleaseFile::open(file.path()).unwrap().rows(images, |row| found.push(row)).unwrap();
            let expected = |item: u32| ReleaseRowCheck {
                item_id: item,
                label: 1,
                category: "mug".to_owned(),
                sha256: "ab".to_owned(),
                verdict: None,
                image: if images { vec![item as u8; 9] } else { Vec::new() },
            };
            assert_eq!(found, (0..40).map(expected).collect::<Vec<_>>());
        }
        let mut found = Vec::new();
        ReleaseFile::open(file.path()).unwrap().cells(&columns(), |row| found.push(row)).unwrap();
        assert_eq!(found, rows);
        let cells = ReleaseFile::open(file.path()).unwrap().cells(&other, |_| {});
        assert!(cells.unwrap_err().to_string().contains("column item_id has another type"));
    }

    #[test]
    fn cells_of_every_kind_come_back_as_they_went_in_and_nulls_too() {
        let cells = [
            (ColumnKind::Image, Cell::Image(vec![1, 2], "a/b.png".to_owned())),
            (ColumnKind::ClassLabel, Cell::Int64(-1)),
            (ColumnKind::Text, Cell::Text(String::new())),
            (ColumnKind::Bool, Cell::Bool(false)),
            (ColumnKind::Int32, Cell::Int32(i32::MIN)),
            (ColumnKind::Int64, Cell::Int64(i64::MAX)),
            (ColumnKind::UInt32, Cell::UInt32(u32::MAX)),
            (ColumnKind::UInt64, Cell::UInt64(u64::MAX)),
            (ColumnKind::Float32, Cell::Float32(0.1)),
            (ColumnKind::Float64, Cell::Float64(0.1 + 0.2)),
            (ColumnKind::TextList, Cell::TextList(vec!["a".to_owned(), String::new()])),
            (ColumnKind::Int32List, Cell::Int32List(Vec::new())),
            (ColumnKind::Float32List, Cell::Float32List(vec![0.5, 0.25])),
        ];
        let columns: Vec<ColumnFacts> =
            cells.iter().enumerate().map(|(at, (kind, _))| column(&format!("c{at}"), *kind)).collect();
        let full: ReleaseRow = cells.iter().map(|(_, cell)| cell.clone()).collect();
        // An image is never null.
        let nulls = cells[1..].iter().map(|_| Cell::Null);
        let empty: ReleaseRow = std::iter::once(full[0].clone()).chain(nulls).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ReleaseWriter::new(file.reopen().unwrap(), &columns, &[]).unwrap();
        writer.group(&[full.clone(), empty.clone()]).unwrap();
        writer.finish().unwrap();
        let mut found = Vec::new();
        ReleaseFile::open(file.path()).unwrap().cells(&columns, |row| found.push(row)).unwrap();
        assert_eq!(found, [full, empty]);
    }

    #[test]
    fn a_cell_of_another_type_is_an_error_not_a_null() {
        let mut wrong = row(1);
        wrong[2] = Cell::Text("one".to_owned());
        let mut writer = ReleaseWriter::new(Vec::new(), &columns(), &[]).unwrap();
        let message = writer.group(&[wrong]).unwrap_err().to_string();
        assert!(message.contains("UInt32 holds Text"), "{message}");
    }

    #[test]
    fn a_file_that_is_no_table_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"PAR1 not parquet PAR1").unwrap();
        let message = ReleaseFile::open(file.path()).err().unwrap().to_string();
        assert!(message.contains(&file.path().display().to_string()), "{message}");
    }
}
