//! The matrix of kappa: how far targets are right and wrong on the same images, like ones side by side.

use std::collections::HashMap;

use maud::{Markup, html};

use super::super::parts::text::name;
use super::data::EvaluationPage;
use super::section::section;
use crate::domain::AgreementRow;
use crate::render::numbers::{DASH, coefficient};

/// The section; absent with fewer than two targets.
pub fn matrix(page: &EvaluationPage, space: &str) -> Option<Markup> {
    let mut kappas: HashMap<(&str, &str), &AgreementRow> = HashMap::new();
    for row in page.agreements.iter().filter(|row| row.space == space && !row.b_is_surrogate) {
        kappas.insert((&row.a, &row.b), row);
        kappas.insert((&row.b, &row.a), row);
    }
    if kappas.is_empty() {
        return None;
    }
    let names: Vec<&str> = page.order.iter().map(|&place| page.record.targets[place].name.as_str()).collect();
    let note = "Cohen's kappa of being right on the same images (error consistency): 1 for twins, 0 for strangers. \
                Targets with like errors are side by side.";
    section(
        "agreement",
        "Agreement of errors",
        note,
        html! {
            div.scroll role="region" aria-label="Kappa" tabindex="0" {
                table.matrix {
                    thead { tr {
                        th scope="col" { "Target" }
                        @for place in 1..=names.len() { th.number scope="col" { (place) } }
                    } }
                    tbody {
                        @for (at, a) in names.iter().enumerate() {
                            tr {
                                th scope="row" { span.index { (at + 1) } (name(a)) }
                                @for b in &names { (cell(kappas.get(&(*a, *b)).copied(), a == b)) }
                            }
                        }
                    }
                }
            }
        },
    )
}

fn cell(row: Option<&AgreementRow>, is_itself: bool) -> Markup {
    let kappa = row.and_then(|row| row.kappa);
    let class = kappa.map_or_else(String::new, |kappa| {
        let sign = if kappa < 0.0 { 'n' } else { 'p' };
        format!("{sign}{}", (kappa.abs().min(1.0) * 10.0).round())
    });
    let title = row.map(|row| {
        let same = row.same_wrong_class.map_or_else(String::new, |same| format!(", same wrong class {same:.2}"));
        format!("observed {:.3}, by chance {:.3}{same}", row.observed, row.expected)
    });
    html! {
        td class={ "number " (class) } title=[title] {
            @if is_itself { "·" } @else if kappa.is_some() { (coefficient(kappa)) } @else { (DASH) }
        }
    }
}
