//! The recipe, card, Croissant and citation of a release, held against its data files and `release.json`.
//!
//! Holds always: facts are compared whatever version made the release; words and layout byte for byte only if this one
//! did, because another may word them in another way.

use super::follow::compare;
use super::known::{Findings, Known};
use super::rows::Found;
use crate::domain::CategoryCount;
use crate::render::release::{card, card_lacks, citation_cff, citation_lacks, croissant, croissant_lacks};
use crate::stage::release::{Contents, category_counts, surrogate_records};

const CARD: &str = "README.md";
const CROISSANT: &str = "croissant.json";
const CITATION: &str = "CITATION.cff";
const RECIPE: &str = "recipe.toml";

/// Checks that the recipe is the one of `release.json`.
pub fn check_recipe(known: &Known, findings: &mut Findings) {
    let (record, recipe) = (known.record, known.recipe);
    let right: Vec<u64> = record.surrogates.iter().map(|surrogate| surrogate.right_on_pool).collect();
    if recipe.voters().len() != right.len() || surrogate_records(recipe, &right) != record.surrogates {
        findings.wrong(RECIPE, "its surrogates or their weights are not those of release.json");
    }
    if recipe.mining_id() != record.mining || recipe.release.version != record.version || recipe.name != record.name {
        findings.wrong(RECIPE, "its mining, version or name is not that of release.json");
    }
    let images: Vec<u64> = record.categories.iter().map(|category| category.images).collect();
    let categories: Vec<CategoryCount> = category_counts(recipe, images);
    if recipe.categories.entries.len() != record.categories.len() || categories != record.categories {
        findings.wrong(RECIPE, "its categories are not those of release.json");
    }
    let asked = record.people.iter().flat_map(|people| &people.questions).map(|question| &question.id);
    let are_those = asked.eq(recipe.annotate.questions.iter().map(|question| &question.id));
    if record.people.is_some() != record.verified || (record.verified && !are_those) {
        findings.wrong(RECIPE, "its questions to people are not those of release.json");
    }
    if surrogates_right(known).any(|right| right > record.pool_images) || record.images > record.pool_images {
        findings.wrong("release.json", "it counts more images than its pool has");
    }
}

fn surrogates_right<'a>(known: &'a Known) -> impl Iterator<Item = u64> + 'a {
    known.record.surrogates.iter().map(|surrogate| surrogate.right_on_pool)
}

/// Checks card, Croissant and citation; `excluded`: images that were left out, by reason.
pub fn check(known: &Known, found: &Found, excluded: Vec<(String, u64)>, findings: &mut Findings) {
    let contents = Contents {
        recipe: known.recipe,
        record: known.record,
        excluded,
        kinds: found.kinds.iter().map(|(kind, images)| (kind.clone(), *images)).collect(),
        right: found.right.clone(),
        recipe_sha256: known.names.get(RECIPE).cloned().unwrap_or_default(),
    };
    let facts = contents.facts();
    let lacks = |name: &str, bytes: &[u8]| match name {
        CARD => card_lacks(&String::from_utf8_lossy(bytes), known.record),
        CITATION => citation_lacks(&String::from_utf8_lossy(bytes), &facts),
        _ => croissant_lacks(bytes, &facts),
    };
    let wanted = [
        (CARD, card(&facts).into_bytes()),
        (CROISSANT, croissant(&facts)),
        (CITATION, citation_cff(&facts).into_bytes()),
    ];
    for (name, wanted) in &wanted {
        let lacks = match std::fs::read(known.folder.join(name)) {
            Ok(bytes) => lacks(name, &bytes),
            Err(error) => vec![format!("it cannot be read: {error}")],
        };
        lacks.iter().for_each(|lack| findings.wrong(name, lack));
        if lacks.is_empty() && known.is_ours() {
            compare(known, name, wanted, findings);
        }
    }
}
