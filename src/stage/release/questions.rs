//! Questions with two choices, as ImageNet-D has them for models that answer questions: the true category and the one
//! that the surrogates find likeliest.
//!
//! Holds always: the wrong choice is never the true category, because the question would then have no answer.

use std::collections::BTreeMap;

use super::ReleaseError;
use super::evidence::Reader;
use crate::config::class_names;
use crate::domain::{Category, CategorySet};
use crate::render::release::{QuestionRow, questions_csv};
use crate::store::Draft;

/// Items that are read at a time.
const BLOCK: usize = 1024;

/// Writes `questions/<kind>.csv`.
pub fn write(reader: &mut Reader, categories: &CategorySet, draft: &Draft) -> Result<(), ReleaseError> {
    let mut kinds: BTreeMap<String, Vec<QuestionRow>> = BTreeMap::new();
    let names = class_names();
    for start in (0..reader.chosen().len()).step_by(BLOCK) {
        let range = start..reader.chosen().len().min(start + BLOCK);
        reader.read(range, false, |evidence| {
            let top5 = evidence.predictions.iter().map(|row| TopClasses { ids: &row.top5_ids, probs: &row.top5_probs });
            let asked = Asked { path: &evidence.item.path, category: evidence.category, top5: top5.collect() };
            let row = question(&asked, categories, &names);
            kinds.entry(evidence.item.folder().to_owned()).or_default().push(row);
            Ok(())
        })?;
    }
    kinds.iter().try_for_each(|(kind, rows)| Ok(draft.put(&format!("questions/{kind}.csv"), &questions_csv(rows))?))
}

/// What a question is made from: the image's path and category, and the five likeliest classes of each surrogate.
pub struct Asked<'a> {
    /// Path of the image.
    pub path: &'a str,
    /// Its category.
    pub category: &'a Category,
    /// Classes and probabilities of each surrogate, in the mining's order.
    pub top5: Vec<TopClasses<'a>>,
}

/// The likeliest classes of a surrogate, and their probabilities.
#[derive(Clone, Copy)]
pub struct TopClasses<'a> {
    /// The classes.
    pub ids: &'a [i32],
    /// Their probabilities.
    pub probs: &'a [f32],
}

/// The question; `names`: those of ImageNet's classes.
pub fn question(asked: &Asked, categories: &CategorySet, names: &[&str]) -> QuestionRow {
    let own = &asked.category.name;
    let name = |class: i32| match usize::try_from(class) {
        // Where categories share a class, the true one goes first: it must not be its own wrong answer.
        Ok(class) if asked.category.imagenet_ids.contains(&(class as u32)) => own.clone(),
        Ok(class) => categories.accepting(class as u32).first().map_or_else(
            || names.get(class).map_or_else(|| class.to_string(), |name| (*name).to_owned()),
            |category| category.name.clone(),
        ),
        Err(_) => class.to_string(),
    };
    let mut top = top_names(&asked.top5, name);
    // Few broad categories may cover all classes that the surrogates name.
    let rest = categories.entries.iter().map(|category| category.name.clone());
    let rest: Vec<String> = rest.filter(|name| !top.contains(name)).take(2).collect();
    top.extend(rest);
    let mut top = top.into_iter();
    QuestionRow {
        image_dir: asked.path.to_owned(),
        gt_category: own.clone(),
        top1_pred_cate: top.next().unwrap_or_default(),
        top2_pred_cate: top.next().unwrap_or_default(),
    }
}

/// Names by the sum of the probabilities that the surrogates' five top classes give them, likeliest first; of equal
/// ones in the order of the alphabet. Two of them are never the same, so one at most is the true category.
fn top_names(top5: &[TopClasses], name: impl Fn(i32) -> String) -> Vec<String> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for TopClasses { ids, probs } in top5 {
        for (class, prob) in ids.iter().zip(*probs) {
            *sums.entry(name(*class)).or_default() += f64::from(*prob);
        }
    }
    let mut names: Vec<(String, f64)> = sums.into_iter().collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    names.into_iter().map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_all_surrogates_and_of_classes_with_one_name_add_up() {
        let a = TopClasses { ids: &[1, 2, 3, 4, 5], probs: &[0.5, 0.3, 0.1, 0.05, 0.05] };
        let b = TopClasses { ids: &[2, 3, 9, 8, 7], probs: &[0.4, 0.3, 0.1, 0.1, 0.1] };
        let name = |class| if class == 3 { "n2".to_owned() } else { format!("n{class}") };
        assert_eq!(top_names(&[a, b], name)[..2], ["n2", "n1"]);
    }
}
