//! What all sections of the page use: their heading, and a figure about all images.

use maud::Markup;

use super::super::parts::tables;
use crate::domain::Figure;

/// A section with its heading.
pub fn section(id: &str, title: &str, note: &str, body: Markup) -> Option<Markup> {
    Some(tables::section(id, title, note, body))
}

/// A figure about all images.
pub fn find<'a>(figures: &'a [Figure], target: &str, space: &str, metric: &str) -> Option<&'a Figure> {
    figures.iter().find(|figure| {
        figure.group_by == "all" && figure.metric == metric && figure.target == target && figure.space == space
    })
}
