//! The report of one run: records in, the bytes of one self-contained `index.html` out.
//!
//! Does not read or write files, ask the clock, decode images or compute a statistic: the caller of [`render`] has
//! counted, estimated and shrunk the images. Anything derived here is a sum, a share or an order.
//!
//! Holds always: the page loads nothing from the network (thumbnails are `data:` URIs, style and script are inline and
//! named by hash in its content security policy); all data is escaped; the same report gives the same bytes;
//! everything is visible without JavaScript.

mod data;
mod gallery;
mod groups;
mod page;
mod people;
mod sections;

#[cfg(test)]
mod tests;

pub use crate::stats::Interval;
pub use data::{
    Agreement, Card, CategoryRow, Confusion, Disputed, DroppedItem, LeaveOneOut, MadeFrom, ModelPrediction,
    NuisanceRow, Opinion, People, Person, Report, SurrogateRow, TargetRow,
};

/// The page: UTF-8, one file that can be stored as `index.html` or sent by mail.
///
/// Never fails: an empty report gives a page that says so, and a number that is not finite is shown as a dash.
pub fn render(report: &Report) -> Vec<u8> {
    page::page(report).into_string().into_bytes()
}
