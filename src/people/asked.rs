//! Under which category people are asked about each picture.
//!
//! Candidates are asked about under one category: their own. A picture that somebody sees under two is therefore a
//! sentinel at least once. A picture is known by its place (item or file) and by its bytes, because the same photograph
//! may be an item and a file that is known to be good, or lie in two folders.
//!
//! Holds always: what was asked once is never forgotten, because anybody may get any sheet of any round.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::round::Round;
use crate::domain::{Sha256, Task, TaskImage};

/// The categories under which pictures were asked about.
#[derive(Debug, Default)]
pub struct Asked {
    /// Hashes of the images' bytes; an image that cannot be read has none.
    hashes: HashMap<TaskImage, Sha256>,
    by_image: HashMap<TaskImage, BTreeSet<String>>,
    by_hash: HashMap<Sha256, BTreeSet<String>>,
}

impl Asked {
    /// Nothing was asked yet.
    pub fn new(hashes: HashMap<TaskImage, Sha256>) -> Self {
        Self { hashes, ..Self::default() }
    }

    /// Notes that people are asked about an image under this category.
    pub fn note(&mut self, image: &TaskImage, category: &str) {
        self.by_image.entry(image.clone()).or_default().insert(category.to_owned());
        if let Some(&hash) = self.hashes.get(image) {
            self.by_hash.entry(hash).or_default().insert(category.to_owned());
        }
    }

    /// Whether people may be asked about an image under this category: it was shown under no other.
    pub fn allows(&self, image: &TaskImage, category: &str) -> bool {
        let hash = self.hashes.get(image);
        let before = [self.by_image.get(image), hash.and_then(|hash| self.by_hash.get(hash))];
        before.into_iter().flatten().flatten().all(|asked| asked == category)
    }

    /// What tells this picture from others: its bytes, or its place if they are not known.
    pub fn picture(&self, image: &TaskImage) -> Result<Sha256, TaskImage> {
        self.hashes.get(image).copied().ok_or_else(|| image.clone())
    }
}

/// Pairs of sheets on which a picture is asked about under two categories, by their places in all rounds.
///
/// A sentinel is never asked about under another category than before ([`Asked`]), but an image that was a sentinel may
/// have become a candidate by another mining, and candidates are asked about under their own category.
pub fn apart(rounds: &[Round]) -> Vec<(usize, usize)> {
    let mut shown: HashMap<&TaskImage, BTreeMap<&str, BTreeSet<usize>>> = HashMap::new();
    for (sheet, tasks) in rounds.iter().flat_map(Round::sheets).enumerate() {
        for Task { image, category, .. } in tasks {
            shown.entry(image).or_default().entry(category).or_default().insert(sheet);
        }
    }
    let mut pairs = BTreeSet::new();
    for sheets in shown.values().filter(|categories| categories.len() > 1) {
        let sheets: Vec<(&str, usize)> =
            sheets.iter().flat_map(|(&category, sheets)| sheets.iter().map(move |&sheet| (category, sheet))).collect();
        for (at, &(category, a)) in sheets.iter().enumerate() {
            let others = sheets[at + 1..].iter().filter(|&&(other, b)| other != category && a != b);
            pairs.extend(others.map(|&(_, b)| (a.min(b), a.max(b))));
        }
    }
    pairs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::choose::Candidate;
    use super::super::compose::Design;
    use super::super::shuffle::Draws;
    use super::super::supply::{Supply, Survey};
    use super::*;
    use crate::domain::{
        AnnotateSpec, Category, CategorySet, ClassSpace, ItemId, PlanRow, Prediction, Secret, Sentinels,
        SpacePrediction, TaskKind,
    };

    const CATEGORIES: [(&str, u32); 5] = [("mug", 504), ("cup", 968), ("chair", 423), ("vase", 883), ("plate", 923)];
    const ITEMS: u32 = 300;

    /// A pool of items, some of which have one picture, and files that are known to be good; some are copies of items,
    /// and some lie under two categories.
    fn hashes() -> HashMap<TaskImage, Sha256> {
        let of = |number: u32| Sha256::of(&number.to_le_bytes());
        let items = (0..ITEMS).map(|item| (TaskImage::Item(ItemId(item)), of(item % 283)));
        items.chain(known().into_iter().map(|(_, image, picture)| (image, of(picture)))).collect()
    }

    fn known() -> Vec<(String, TaskImage, u32)> {
        let file = |at: u32| {
            let category = CATEGORIES[at as usize % 5].0;
            (
                category.to_owned(),
                TaskImage::Known(format!("{category}/{at}.png")),
                if at < 20 { at + 1 } else { 1000 + at / 3 },
            )
        };
        (0..40).map(file).collect()
    }

    fn category_of(item: u32) -> (&'static str, u32) {
        CATEGORIES[item as usize % 5]
    }

    fn categories() -> CategorySet {
        let entries = CATEGORIES.iter().map(|(id, class)| Category::new(id, &[*class])).collect();
        CategorySet { name: "x".into(), sha256: Sha256::of(b""), entries }
    }

    fn plan() -> Vec<PlanRow> {
        let row = |item: u32| PlanRow {
            item_id: ItemId(item),
            category: category_of(item).0.into(),
            label_ids: vec![category_of(item).1 as i32],
            nuisance_kind: None,
            nuisance: None,
            template: None,
            prompt: None,
            negative_prompt: None,
            seed: 0,
            source: None,
        };
        (0..ITEMS).map(row).collect()
    }

    /// What a surrogate says in this round: sure of most items, and mixes up others each time.
    fn said(item: u32, draws: &mut Draws) -> Prediction {
        let own = category_of(item).1 as i32;
        let other = |draws: &mut Draws| CATEGORIES[draws.below(5)].1 as i32;
        let prob = if draws.below(4) == 0 { 0.2 } else { 0.95 };
        let any = SpacePrediction {
            top1_id: own,
            top1_prob: prob,
            correct: prob > 0.5,
            true_prob: prob,
            margin: 0.1,
            brier: None,
        };
        let (a, b) = (other(draws), other(draws));
        Prediction {
            item_id: ItemId(item),
            top5_ids: vec![own, a, b, 0, 1],
            top5_probs: vec![prob, [0.03, 0.004][draws.below(2)], 0.003, 0.0, 0.0],
            true_rank: 1,
            any,
            masked: any,
            max_logit: None,
            energy: None,
            masked_max_logit: None,
            masked_energy: None,
        }
    }

    /// One more round after `earlier`, by another mining.
    fn round(seed: u64, earlier: &[Round], rules: &Sentinels) -> Option<Round> {
        let (secret, set, plan) = (Secret::new([seed as u8; 32]), categories(), plan());
        let mut draws = Draws::new(seed * 1000 + earlier.len() as u64);
        let space = ClassSpace::imagenet((0..1000).map(|class| class.to_string()).collect(), Vec::new(), &set);
        let mut survey = Survey::new(&set, rules, &[&space]);
        survey.add(&plan, &[(0..ITEMS).map(|item| said(item, &mut draws)).collect()]);
        let sure: BTreeSet<TaskImage> = survey.images().collect();
        let judged: BTreeSet<ItemId> = earlier.iter().flat_map(Round::judged).collect();
        let mut candidates = Vec::new();
        for item in (0..ITEMS).filter(|_| draws.below(5) == 0).map(ItemId) {
            if !judged.contains(&item) && !sure.contains(&TaskImage::Item(item)) {
                candidates.push(Candidate { item_id: item, category: category_of(item.0).0.into(), people: 1 });
            }
        }
        let images: Vec<TaskImage> = candidates.iter().map(|candidate| TaskImage::Item(candidate.item_id)).collect();
        let mut asked = Asked::new(hashes());
        earlier.iter().flat_map(|round| &round.tasks).for_each(|task| asked.note(&task.image, &task.category));
        images.iter().zip(&candidates).for_each(|(image, candidate)| asked.note(image, &candidate.category));
        let mut supply = survey.supply(&secret, &asked);
        if rules.known_good.is_some() {
            supply.positives = known().into_iter().map(|(category, image, _)| (category, image)).collect();
            supply = supply.shuffled(&secret);
        }
        supply.one_category_each(&asked, &images);
        let Supply { positives, negatives } = &supply;
        if candidates.is_empty() || positives.len() < 3 || negatives.len() < 3 {
            return None;
        }
        let spec = AnnotateSpec { images_per_batch: 24, ..AnnotateSpec::default() };
        let design = Design { spec: &spec, secret: &secret, round: earlier.len() };
        Some(Round { index: earlier.len(), tasks: design.compose(candidates, &supply).unwrap() })
    }

    #[test]
    fn no_sentinel_is_asked_about_under_another_category_than_on_any_other_sheet() {
        let hashes = hashes();
        let (mut rounds_made, mut sentinels) = (0, [0, 0]);
        for seed in 1..80 {
            let known_good = (seed % 2 == 0).then(|| "known".into());
            let rules = Sentinels { known_good, ..Sentinels::default() };
            let mut rounds: Vec<Round> = Vec::new();
            while let Some(next) = (rounds.len() < 6).then(|| round(seed, &rounds, &rules)).flatten() {
                rounds.push(next);
                let mut asked: HashMap<Sha256, BTreeSet<&str>> = HashMap::new();
                for task in rounds.iter().flat_map(|round| &round.tasks) {
                    asked.entry(hashes[&task.image]).or_default().insert(&task.category);
                }
                // Candidates of this pool may show one picture under two categories: both are asked about.
                for task in &rounds[rounds.len() - 1].tasks {
                    let is_positive = task.kind == TaskKind::Positive;
                    if is_positive || task.kind == TaskKind::Negative {
                        sentinels[usize::from(is_positive)] += 1;
                        assert_eq!(asked[&hashes[&task.image]].len(), 1, "{task:?} of round {}", rounds.len());
                    }
                }
            }
            rounds_made += rounds.len();
            check_apart(&rounds);
        }
        assert!(rounds_made > 200 && sentinels.iter().all(|&count| count > 1000), "{rounds_made} {sentinels:?}");
    }

    /// Sheets with one image under two categories are apart, and no others.
    fn check_apart(rounds: &[Round]) {
        let sheets: Vec<&[Task]> = rounds.iter().flat_map(Round::sheets).collect();
        let mut expected = Vec::new();
        for (a, first) in sheets.iter().enumerate() {
            for (b, second) in sheets.iter().enumerate().skip(a + 1) {
                let differs = |x: &Task, y: &Task| x.image == y.image && x.category != y.category;
                if first.iter().any(|x| second.iter().any(|y| differs(x, y))) {
                    expected.push((a, b));
                }
            }
        }
        assert_eq!(apart(rounds), expected);
    }
}
