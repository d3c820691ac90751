//! The record of an evaluation: what was evaluated, and how, without a path, a host or a clock.
//!
//! Holds always: it has everything but the tables that figures depend on.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Ask, GALLERY};
use super::error::EvaluateError;
use super::pools;
use crate::domain::{
    BenchmarkSource, EvaluationRecord, Geometry, PoolRecord, PoolRole, Resize, Sha256, SurrogateModel, SurrogateSpec,
    TargetRecord,
};
use crate::pool::Pool;
use crate::source::OpenedPool;
use crate::stage::mine::Scored;
use crate::stage::prepare::{TOOL, all_described};
use crate::store::EVALUATION_FORMAT;
use crate::table::PoolColumns;

/// The record before anything is scored; `stored`: that of an earlier call, whose settings stay unless others are
/// given.
pub fn start(
    ask: &Ask,
    opened: &OpenedPool,
    stored: Option<&EvaluationRecord>,
) -> Result<EvaluationRecord, EvaluateError> {
    let label_spaces = match stored {
        _ if !ask.label_spaces.is_empty() => ask.label_spaces.clone(),
        Some(stored) => stored.label_spaces.clone(),
        None => pools::common_spaces(opened)?,
    };
    let nothing = PoolRecord {
        name: String::new(),
        version: None,
        layout: String::new(),
        sums_sha256: None,
        images_sha256: Sha256::of(b""),
        images: 0,
        categories: String::new(),
        category_count: 0,
        categories_sha256: Sha256::of(b""),
        left_out: 0,
        prepared_px: None,
    };
    Ok(EvaluationRecord {
        format: EVALUATION_FORMAT,
        tool: TOOL.to_owned(),
        seed: ask.seed.or(stored.map(|stored| stored.seed)).unwrap_or(0),
        label_spaces,
        margin: ask.margin.or(stored.map(|stored| stored.margin)).unwrap_or(super::ask::MARGIN),
        baseline: ask.baseline.clone().or_else(|| stored.and_then(|stored| stored.baseline.clone())),
        line: stored.and_then(|stored| stored.line.clone()),
        keep_logits: ask.keep_logits || stored.is_some_and(|stored| stored.keep_logits),
        gallery: ask
            .max_images
            .map(|most| most as u64)
            .or(stored.map(|stored| stored.gallery))
            .unwrap_or(GALLERY as u64),
        pool: nothing,
        clean: None,
        ood: None,
        answers: stored.map_or_else(Vec::new, |stored| stored.answers.clone()),
        tables: BTreeMap::new(),
        targets: Vec::new(),
        surrogates: pools::surrogates(opened)?,
    })
}

/// A pool, once its images are known; `images`: what they show, and the hash of that.
pub fn pool(
    role: PoolRole,
    opened: &OpenedPool,
    source: &BenchmarkSource,
    images: (&PoolColumns, Sha256),
) -> PoolRecord {
    let shown: BTreeSet<&str> = images.0.category.iter().map(String::as_str).collect();
    let is_pool = role == PoolRole::Pool;
    PoolRecord {
        name: if is_pool { opened.name.clone() } else { source.name() },
        version: opened.version.clone().filter(|_| is_pool),
        layout: source.layout.name().to_owned(),
        sums_sha256: opened.key.filter(|_| is_pool),
        images_sha256: images.1,
        images: images.0.len() as u64,
        categories: opened.categories.name.clone(),
        category_count: shown.len() as u64,
        categories_sha256: opened.categories.identity(),
        left_out: 0,
        prepared_px: source.prepared_px,
    }
}

/// The targets that have scored the pool.
pub fn targets(pool: &Pool, scored: &[Scored]) -> Result<Vec<TargetRecord>, EvaluateError> {
    let mut records = Vec::with_capacity(scored.len());
    for (target, scored) in pool.spec().targets().into_iter().zip(scored) {
        records.push(TargetRecord {
            name: target.name.clone(),
            weights_sha256: target.weights_sha256(),
            kind: kind(target).to_owned(),
            class_space: target.space.clone(),
            classes: pool.space(&target.name)?.len() as u64,
            preprocessing: preprocessing(target),
            runtime: all_described(&scored.records.records),
        });
    }
    Ok(records)
}

/// Checks that the names in the record are those of targets.
pub fn check(record: &EvaluationRecord) -> Result<(), EvaluateError> {
    record.baseline.as_ref().map_or(Ok(()), |name| place(record, "--baseline", name).map(drop))
}

/// The place of a target; `option`: what asks for it, for the message.
pub fn place(record: &EvaluationRecord, option: &'static str, name: &str) -> Result<usize, EvaluateError> {
    record.targets.iter().position(|target| target.name == name).ok_or_else(|| {
        let known: Vec<&str> = record.targets.iter().map(|target| target.name.as_str()).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        EvaluateError::NoSuchTarget { option, name: name.to_owned(), known }
    })
}

fn kind(target: &SurrogateSpec) -> &'static str {
    match &target.model {
        SurrogateModel::Onnx(_) => "onnx",
        SurrogateModel::ZeroShot(_) => "zero-shot",
        SurrogateModel::Imported(_) => "imported",
        SurrogateModel::Fake(_) => "fake",
    }
}

fn preprocessing(target: &SurrogateSpec) -> String {
    match &target.model {
        SurrogateModel::Onnx(model) => geometry(&model.preprocess),
        SurrogateModel::ZeroShot(model) => geometry(&model.image.preprocess),
        SurrogateModel::Imported(_) | SurrogateModel::Fake(_) => String::new(),
    }
}

/// As in `shorter side 256 px bilinear, centre 224 px`.
fn geometry(geometry: &Geometry) -> String {
    let Geometry { resize, interpolation, antialias, crop_px, crop: _ } = geometry;
    let filter = format!("{interpolation:?}").to_lowercase();
    let filter = if *antialias { filter } else { format!("{filter} without antialias") };
    let resized = match resize {
        Resize::Shorter(px) => format!("shorter side {px} px {filter}"),
        Resize::Squash(px) => format!("both sides {px} px {filter}"),
        Resize::None => "no resize".to_owned(),
    };
    format!("{resized}, centre {crop_px} px")
}
