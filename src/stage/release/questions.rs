//! Questions with two choices, as ImageNet-D has them for models that answer questions: the true category and the one
//! that the surrogates find likeliest.
//!
//! Holds always: the wrong choice is never the true category, because the question would then have no answer.

use std::collections::BTreeMap;

use super::ReleaseError;
use super::evidence::{Evidence, Reader};
use crate::config::class_names;
use crate::domain::{CategorySet, Prediction};
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
            kinds.entry(evidence.item.folder().to_owned()).or_default().push(row(evidence, categories, &names));
            Ok(())
        })?;
    }
    kinds.iter().try_for_each(|(kind, rows)| Ok(draft.put(&format!("questions/{kind}.csv"), &questions_csv(rows))?))
}

fn row(evidence: &Evidence, categories: &CategorySet, names: &[&str]) -> QuestionRow {
    let own = &evidence.category.name;
    let name = |class: i32| match usize::try_from(class) {
        // Where categories share a class, the true one goes first: it must not be its own wrong answer.
        Ok(class) if evidence.category.imagenet_ids.contains(&(class as u32)) => own.clone(),
        Ok(class) => categories.accepting(class as u32).first().map_or_else(
            || names.get(class).map_or_else(|| class.to_string(), |name| (*name).to_owned()),
            |category| category.name.clone(),
        ),
        Err(_) => class.to_string(),
    };
    let mut top = top_names(&evidence.predictions, name);
    // Few broad categories may cover all classes that the surrogates name.
    let rest = categories.entries.iter().map(|category| category.name.clone());
    let rest: Vec<String> = rest.filter(|name| !top.contains(name)).take(2).collect();
    top.extend(rest);
    let mut top = top.into_iter();
    QuestionRow {
        image_dir: evidence.item.path.clone(),
        gt_category: own.clone(),
        top1_pred_cate: top.next().unwrap_or_default(),
        top2_pred_cate: top.next().unwrap_or_default(),
    }
}

/// Names by the sum of the probabilities that the surrogates' five top classes give them, likeliest first; of equal
/// ones in the order of the alphabet. Two of them are never the same, so one at most is the true category.
fn top_names(predictions: &[&Prediction], name: impl Fn(i32) -> String) -> Vec<String> {
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    for prediction in predictions {
        for (class, prob) in prediction.top5_ids.iter().zip(prediction.top5_probs) {
            *sums.entry(name(*class)).or_default() += f64::from(prob);
        }
    }
    let mut names: Vec<(String, f64)> = sums.into_iter().collect();
    names.sort_by(|a, b| b.1.total_cmp(&a.1));
    names.into_iter().map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ItemId, SpacePrediction};

    fn prediction(ids: [i32; 5], probs: [f32; 5]) -> Prediction {
        let space = SpacePrediction { top1_id: ids[0], top1_prob: 0.0, correct: false, true_prob: 0.0, margin: 0.0 };
        Prediction {
            item_id: ItemId(0),
            top5_ids: ids,
            top5_probs: probs,
            true_rank: 1,
            any: space,
            masked: space,
            max_logit: None,
            energy: None,
        }
    }

    #[test]
    fn probabilities_of_all_surrogates_and_of_classes_with_one_name_add_up() {
        let (a, b) = (
            prediction([1, 2, 3, 4, 5], [0.5, 0.3, 0.1, 0.05, 0.05]),
            prediction([2, 3, 9, 8, 7], [0.4, 0.3, 0.1, 0.1, 0.1]),
        );
        let name = |class| if class == 3 { "n2".to_owned() } else { format!("n{class}") };
        assert_eq!(top_names(&[&a, &b], name)[..2], ["n2", "n1"]);
    }
}
