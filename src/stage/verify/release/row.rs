//! One row of a data file, as the checks of a release see it.

use crate::domain::{Cell, ColumnFacts, ReleaseRow};
use crate::stage::release::TopClasses;

/// One row, as the checks see it.
pub struct Row<'a> {
    /// Number of the item.
    pub item: u32,
    /// The label.
    pub label: i64,
    /// The encoded image.
    pub image: &'a [u8],
    /// Path of the image: `<kind>/<category>/<file>`.
    pub path: &'a str,
    /// Hash of the image, as the row has it.
    pub sha256: &'a str,
    /// The five likeliest classes of each surrogate.
    pub top5: Vec<TopClasses<'a>>,
    /// All cells.
    pub cells: &'a [Cell],
    /// Id of the category.
    pub category: &'a str,
    /// Kind of the nuisance.
    pub kind: Option<&'a str>,
    /// What people decided.
    pub verdict: Option<&'a str>,
    /// Whether each surrogate is right.
    pub right: Vec<bool>,
}

impl<'a> Row<'a> {
    /// The parts of a row with these columns; `None` if one is missing that every row has.
    pub fn read(surrogates: &[String], columns: &[ColumnFacts], cells: &'a ReleaseRow) -> Option<Self> {
        let cell = |name: &str| cells.get(columns.iter().position(|column| column.name == name)?);
        let text = |name: &str| match cell(name) {
            Some(Cell::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let (Cell::Image(image, path), Cell::Int64(label), Cell::UInt32(item)) =
            (cell("image")?, cell("label")?, cell("item_id")?)
        else {
            return None;
        };
        let (mut top5, mut right) = (Vec::with_capacity(surrogates.len()), Vec::with_capacity(surrogates.len()));
        for name in surrogates {
            let of = |what: &str| cell(&format!("{name}_{what}"));
            let (Cell::Int32List(ids), Cell::Float32List(probs)) = (of("top5_ids")?, of("top5_probs")?) else {
                return None;
            };
            top5.push(TopClasses { ids, probs });
            right.push(of("correct")? == &Cell::Bool(true));
        }
        Some(Self {
            item: *item,
            label: *label,
            image,
            path,
            sha256: text("sha256")?,
            top5,
            cells,
            category: text("category")?,
            kind: text("nuisance_kind"),
            verdict: text("verdict"),
            right,
        })
    }
}
