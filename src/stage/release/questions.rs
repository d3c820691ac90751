//! Questions with two choices, as ImageNet-D has them for models that answer questions: the true category and the one
//! that the surrogates find likeliest.
//!
//! Holds always: the wrong choice is never the true category, because the question would then have no answer.

use std::collections::BTreeMap;

use super::ReleaseError;
use super::evidence::Reader;
use crate::domain::{Category, CategorySet, ClassSpace};
use crate::render::release::{QuestionRow, questions_csv};
use crate::store::Draft;

/// Items that are read at a time.
const BLOCK: usize = 1024;

/// Writes `questions/<kind>.csv`; `spaces`: the class space of each surrogate.
pub fn write(
    reader: &mut Reader,
    categories: &CategorySet,
    spaces: &[&ClassSpace],
    draft: &Draft,
) -> Result<(), ReleaseError> {
    let mut kinds: BTreeMap<String, Vec<QuestionRow>> = BTreeMap::new();
    for start in (0..reader.chosen().len()).step_by(BLOCK) {
        let range = start..reader.chosen().len().min(start + BLOCK);
        reader.read(range, false, |evidence| {
            let top5 = evidence.predictions.iter().map(|row| TopClasses { ids: &row.top5_ids, probs: &row.top5_probs });
            let asked = Asked { path: &evidence.item.path, category: evidence.category, top5: top5.collect() };
            let row = question(&asked, categories, spaces);
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

/// The question; `spaces`: the class space of each surrogate, in the mining's order.
pub fn question(asked: &Asked, categories: &CategorySet, spaces: &[&ClassSpace]) -> QuestionRow {
    let own = &asked.category.name;
    let name = |space: &ClassSpace, class: i32| {
        let index = class as u32;
        // Where categories share a class, the true one goes first: it must not be its own wrong answer.
        if space.accepted(&asked.category.id).contains(&index) {
            return own.clone();
        }
        let accepting = categories.entries.iter().find(|category| space.accepted(&category.id).contains(&index));
        accepting.map_or_else(|| space.class_name(class).to_owned(), |category| category.name.clone())
    };
    let mut top =
        top_names(&asked.top5, |at, class| spaces.get(at).map_or_else(String::new, |space| name(space, class)));
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
fn top_names(top5: &[TopClasses], name: impl Fn(usize, i32) -> String) -> Vec<String> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for (at, TopClasses { ids, probs }) in top5.iter().enumerate() {
        for (class, prob) in ids.iter().zip(*probs) {
            *sums.entry(name(at, *class)).or_default() += f64::from(*prob);
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
        let name = |_: usize, class: i32| if class == 3 { "n2".to_owned() } else { format!("n{class}") };
        assert_eq!(top_names(&[a, b], name)[..2], ["n2", "n1"]);
    }
}
