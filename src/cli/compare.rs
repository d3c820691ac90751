//! `hardset compare`: two targets of an evaluation.
//!
//! Does not count: `stage::compare` does.

use serde_json::json;

use super::error::Error;
use super::evaluation_args::CompareArgs;
use super::output::Output;
use super::session::Session;
use crate::stage::compare::{Ask, Compared, compare};

pub fn run(session: &Session, args: &CompareArgs) -> Result<Output, Error> {
    let ctx = session.context_in_folder(&args.evaluation, "an evaluation")?;
    let ask = Ask {
        evaluation: args.evaluation.clone(),
        a: args.a.clone(),
        b: args.b.clone(),
        space: args.label_space,
        margin: args.margin,
        out: args.out.clone(),
        max_images: args.max_images,
    };
    let compared = compare(&ctx, &ask)?;
    Ok(Output::new(text(&compared), as_json(&compared)))
}

fn text(compared: &Compared) -> String {
    let Compared { path, row, kinds, margin, .. } = compared;
    let points = |share: f64| format!("{:+.1}", share * 100.0);
    let interval = match (row.low, row.high) {
        (Some(low), Some(high)) => format!(" ({} to {}, 95 %)", points(low), points(high)),
        _ => String::new(),
    };
    let p = |p: f64| if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
    let cluster = row.p_cluster.map_or_else(String::new, |cluster| format!("; objects like these: {}", p(cluster)));
    let equivalent = match row.equivalent_within {
        Some(within) if within <= *margin => {
            format!("equivalent within {:.1} points (they are within {:.1})", margin * 100.0, within * 100.0)
        }
        Some(within) => {
            format!(
                "not shown to be equivalent within {:.1} points; within {:.1} they are",
                margin * 100.0,
                within * 100.0
            )
        }
        None => format!("not shown to be equivalent within {:.1} points", margin * 100.0),
    };
    let mut lines = vec![
        format!("{} against {}, label space {}, {} images", row.a, row.b, row.space, row.n),
        format!("difference: {} points{interval}", points(row.difference)),
        format!("only {}: {}; only {}: {}", row.a, row.only_a, row.b, row.only_b),
        format!("these images: exact McNemar {}{cluster}", p(row.p_mcnemar)),
        equivalent,
    ];
    for kind in kinds {
        let (name, images) = (&kind.kind, kind.images);
        lines.push(format!("{name}: only {} {}, only {} {}, of {images}", row.a, kind.only_a, row.b, kind.only_b));
    }
    lines.push(format!("page: {}", path.display()));
    lines.join("\n")
}

fn as_json(compared: &Compared) -> serde_json::Value {
    let Compared { path, row, kinds, margin, only_a, only_b } = compared;
    let mut by_kind = Vec::with_capacity(kinds.len());
    for kind in kinds {
        by_kind.push(json!({
            "kind": kind.kind, "images": kind.images, "right_a": kind.right_a, "right_b": kind.right_b,
            "only_a": kind.only_a, "only_b": kind.only_b,
        }));
    }
    json!({
        "page": path.display().to_string(), "a": row.a, "b": row.b, "space": row.space, "n": row.n,
        "difference": row.difference, "low": row.low, "high": row.high, "p_mcnemar": row.p_mcnemar,
        "p_cluster": row.p_cluster, "equivalent_within": row.equivalent_within, "margin": margin,
        "equivalent": row.equivalent_within.is_some_and(|within| within <= *margin),
        "kinds": by_kind, "only_a": only_a, "only_b": only_b,
    })
}
