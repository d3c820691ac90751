//! Images that can serve as sentinels: those of which all surrogates are sure, or a folder of images known to be good.
//!
//! A negative sentinel asks about a category that surrogates confuse with the image's own, but that none of them gives
//! for this image: near, and surely wrong. The nearness of two categories is the probability that images of one get for
//! the other, summed over images and surrogates.
//!
//! Holds always: people are asked about an image under one category only, in all rounds, because candidates are, and
//! two questions about it would give it away.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::asked::Asked;
use super::shuffle::shuffle;
use crate::domain::{CategorySet, ClassSpace, ItemId, PlanRow, Prediction, Secret, Sentinels, TaskImage};

/// Largest number of sure images that are kept for each category; enough for any number of sheets.
const MOST_SURE: usize = 32;
/// Number of nearest categories from which a negative sentinel takes its question.
const NEAREST: usize = 10;

/// Images for sentinels, in an order that the run's secret decides.
#[derive(Debug, Default)]
pub struct Supply {
    /// Category and an image that surely shows it.
    pub positives: Vec<(String, TaskImage)>,
    /// Category and an image that surely does not show it.
    pub negatives: Vec<(String, TaskImage)>,
}

/// Collects from predictions, shard by shard, which images are sure and which categories are near.
pub struct Survey<'a> {
    categories: &'a CategorySet,
    rules: &'a Sentinels,
    /// The distinct class spaces of the surrogates.
    spaces: Vec<&'a ClassSpace>,
    /// For each surrogate, the place of its space.
    space_of: Vec<usize>,
    /// Categories by the classes that they accept.
    accepting: HashMap<SpaceClass, Vec<usize>>,
    places: HashMap<&'a str, usize>,
    sure: BTreeMap<usize, Vec<SureItem>>,
    /// By (category, other category): probability that the first's images get for the second's classes.
    mixed_up: HashMap<(usize, usize), f64>,
}

/// The place of a space, and one of its classes.
type SpaceClass = (usize, i32);

struct SureItem {
    item_id: ItemId,
    /// The largest probability that a surrogate gives a class that is not the item's own; those in some top five only.
    others: BTreeMap<SpaceClass, f32>,
    /// The largest probability that a class outside the lists of top classes can have.
    unlisted: f32,
}

/// One item as all surrogates see it.
#[derive(Default)]
struct ItemSurvey {
    surrogates: usize,
    sure: bool,
    others: BTreeMap<SpaceClass, f32>,
    unlisted: f32,
}

impl<'a> Survey<'a> {
    /// A survey without shards; `of_surrogates`: the class space of each.
    pub fn new(categories: &'a CategorySet, rules: &'a Sentinels, of_surrogates: &[&'a ClassSpace]) -> Self {
        let mut spaces: Vec<&ClassSpace> = Vec::new();
        let mut space_of = Vec::with_capacity(of_surrogates.len());
        for space in of_surrogates {
            let known = spaces.iter().position(|known| known.name == space.name);
            space_of.push(known.unwrap_or(spaces.len()));
            if known.is_none() {
                spaces.push(space);
            }
        }
        let mut accepting: HashMap<SpaceClass, Vec<usize>> = HashMap::new();
        for (at, space) in spaces.iter().enumerate() {
            for (class, places) in space.places(categories).into_iter().enumerate() {
                accepting.insert((at, class as i32), places);
            }
        }
        let places =
            categories.entries.iter().enumerate().map(|(place, category)| (category.id.as_str(), place)).collect();
        let (sure, mixed_up) = (BTreeMap::new(), HashMap::new());
        Self { categories, rules, spaces, space_of, accepting, places, sure, mixed_up }
    }

    /// Adds one shard: its plan, and the predictions of each surrogate.
    pub fn add(&mut self, plan: &[PlanRow], predictions: &[Vec<Prediction>]) {
        let labels: HashMap<ItemId, &PlanRow> = plan.iter().map(|row| (row.item_id, row)).collect();
        let mut items: BTreeMap<ItemId, ItemSurvey> = BTreeMap::new();
        let all = predictions.iter().zip(&self.space_of).flat_map(|(rows, &at)| rows.iter().map(move |row| (at, row)));
        for (at, prediction) in all {
            let Some(row) = labels.get(&prediction.item_id) else { continue };
            let accepted = self.spaces[at].accepted(&row.category);
            let item =
                items.entry(prediction.item_id).or_insert_with(|| ItemSurvey { sure: true, ..ItemSurvey::default() });
            item.surrogates += 1;
            item.sure &= prediction.any.correct && f64::from(prediction.any.true_prob) >= self.rules.min_prob;
            item.unlisted = item.unlisted.max(unlisted(prediction, self.spaces[at]));
            for (&class, &prob) in prediction.top5_ids.iter().zip(&prediction.top5_probs) {
                if !accepted.contains(&(class as u32)) {
                    let most = item.others.entry((at, class)).or_default();
                    *most = most.max(prob);
                }
            }
        }
        for (item_id, item) in items.into_iter().filter(|(_, item)| item.surrogates == predictions.len()) {
            if let Some(&place) = labels.get(&item_id).and_then(|row| self.places.get(row.category.as_str())) {
                self.note(item_id, place, item);
            }
        }
    }

    fn note(&mut self, item_id: ItemId, place: usize, item: ItemSurvey) {
        for (class, prob) in &item.others {
            for &other in self.accepting.get(class).into_iter().flatten() {
                *self.mixed_up.entry((place, other)).or_default() += f64::from(*prob);
            }
        }
        let sure = self.sure.entry(place).or_default();
        if item.sure && sure.len() < MOST_SURE {
            sure.push(SureItem { item_id, others: item.others, unlisted: item.unlisted });
        }
    }

    /// All images that can be sentinels, by what the surrogates say.
    pub fn images(&self) -> impl Iterator<Item = TaskImage> {
        self.sure.values().flatten().map(|item| TaskImage::Item(item.item_id))
    }

    /// The images for sentinels, in the secret's order. An image that people were `asked` about stays what it was. Of
    /// those that can serve as either kind, half are negative; more or fewer if a kind would lack some, and all if
    /// there is a folder of known good images.
    pub fn supply(self, secret: &Secret, asked: &Asked) -> Supply {
        let id = |place: usize| self.categories.entries[place].id.clone();
        let near = self.near();
        let (mut positives, mut negatives, mut either) = (Vec::new(), Vec::new(), Vec::new());
        for (&place, items) in &self.sure {
            let own = id(place);
            for item in items {
                let image = TaskImage::Item(item.item_id);
                let may_ask = |other: &usize| self.surely_not(item, *other) && asked.allows(&image, &id(*other));
                let other = near.get(&place).into_iter().flatten().copied().find(may_ask).map(id);
                match (asked.allows(&image, &own), other) {
                    (true, Some(other)) => either.push((own.clone(), other, image)),
                    (true, None) => positives.push((own.clone(), image)),
                    (false, Some(other)) => negatives.push((other, image)),
                    (false, None) => {}
                }
            }
        }
        let more = match self.rules.known_good {
            Some(_) => either.len(),
            None => self.negatives_of(either.len(), positives.len(), negatives.len()),
        };
        let either = shuffle(either, secret.seed("kinds", ""));
        let (first, rest) = either.split_at(more);
        positives.extend(rest.iter().map(|(own, _, image)| (own.clone(), image.clone())));
        negatives.extend(first.iter().map(|(_, other, image)| (other.clone(), image.clone())));
        Supply { positives, negatives }.shuffled(secret)
    }

    /// How many of `either` images are to be negative, beside images that can be of one kind only.
    fn negatives_of(&self, either: usize, positive_only: usize, negative_only: usize) -> usize {
        let positives = self.rules.positives as usize;
        let negatives = (self.rules.negatives as usize).saturating_sub(negative_only);
        let half = either.div_ceil(2).max(negatives).min(either);
        if positive_only + (either - half) < positives { negatives.min(either) } else { half }
    }

    /// For each category those confused with it, nearest first; none shares a class with it.
    fn near(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut pairs: BTreeMap<usize, BTreeMap<usize, f64>> = BTreeMap::new();
        for (&(a, b), &prob) in &self.mixed_up {
            *pairs.entry(a).or_default().entry(b).or_default() += prob;
            *pairs.entry(b).or_default().entry(a).or_default() += prob;
        }
        let apart = |a: usize, b: usize| a != b && !self.share_a_class(a, b);
        let mut near = BTreeMap::new();
        for (a, others) in pairs {
            let mut others: Vec<(usize, f64)> = others.into_iter().filter(|&(b, _)| apart(a, b)).collect();
            others.sort_by(|x, y| y.1.total_cmp(&x.1));
            near.insert(a, others.into_iter().take(NEAREST).map(|(b, _)| b).collect());
        }
        near
    }

    fn share_a_class(&self, a: usize, b: usize) -> bool {
        let id = |place: usize| self.categories.entries[place].id.as_str();
        self.spaces.iter().any(|space| space.accepted(id(a)).iter().any(|class| space.accepted(id(b)).contains(class)))
    }

    /// Whether no surrogate gives the image more than a trace of the other category.
    fn surely_not(&self, item: &SureItem, other: usize) -> bool {
        let id = &self.categories.entries[other].id;
        let mut most = item.unlisted;
        for (at, space) in self.spaces.iter().enumerate() {
            for &class in space.accepted(id) {
                most = most.max(item.others.get(&(at, class as i32)).copied().unwrap_or(0.0));
            }
        }
        f64::from(most) <= self.rules.max_other_prob
    }
}

/// The largest probability that a class can have which the prediction does not list.
fn unlisted(prediction: &Prediction, space: &ClassSpace) -> f32 {
    if prediction.top5_ids.len() == space.len() {
        return 0.0;
    }
    prediction.top5_probs.last().copied().unwrap_or(1.0)
}

impl Supply {
    /// The same images, those on earlier sheets last.
    pub fn unused_first(mut self, used: &HashSet<&TaskImage>) -> Self {
        for images in [&mut self.positives, &mut self.negatives] {
            images.sort_by_key(|(_, image)| used.contains(image));
        }
        self
    }

    /// Removes images that people were or will be asked about under another category, those that show the picture of a
    /// candidate of this round, and all but the first of one picture.
    pub fn one_category_each(&mut self, asked: &Asked, candidates: &[TaskImage]) {
        let mut shown: HashSet<_> = candidates.iter().map(|image| asked.picture(image)).collect();
        for images in [&mut self.positives, &mut self.negatives] {
            images.retain(|(category, image)| asked.allows(image, category) && shown.insert(asked.picture(image)));
        }
    }

    /// Removes the images in `bad`.
    pub fn without(&mut self, bad: &BTreeSet<TaskImage>) {
        for images in [&mut self.positives, &mut self.negatives] {
            images.retain(|(_, image)| !bad.contains(image));
        }
    }

    /// The same images in the secret's order.
    pub fn shuffled(self, secret: &Secret) -> Self {
        Self {
            positives: shuffle(self.positives, secret.seed("positives", "")),
            negatives: shuffle(self.negatives, secret.seed("negatives", "")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Category, Sha256, SpacePrediction};

    fn categories() -> CategorySet {
        let entries = vec![
            Category::new("mug", &[504]),
            Category::new("cup", &[968]),
            Category::new("cup_or_mug", &[968, 504]),
            Category::new("chair", &[423]),
        ];
        CategorySet { name: "x".into(), sha256: Sha256::of(b""), entries }
    }

    fn row(item: u32, category: &str, class: i32) -> PlanRow {
        PlanRow {
            item_id: ItemId(item),
            category: category.into(),
            label_ids: vec![class],
            nuisance_kind: None,
            nuisance: None,
            template: None,
            prompt: None,
            negative_prompt: None,
            seed: 0,
            source: None,
        }
    }

    /// The class gets `prob`, class 968 the share `cup` and class 423 hardly anything.
    fn said(item: u32, class: i32, prob: f32, cup: f32) -> Prediction {
        let any = SpacePrediction {
            top1_id: class,
            top1_prob: prob,
            correct: prob > 0.5,
            true_prob: prob,
            margin: 0.1,
            brier: None,
        };
        Prediction {
            item_id: ItemId(item),
            top5_ids: vec![class, 968, 423, 0, 1],
            top5_probs: vec![prob, cup, 0.001, 0.0, 0.0],
            true_rank: 1,
            any,
            masked: any,
            max_logit: None,
            energy: None,
            masked_max_logit: None,
            masked_energy: None,
        }
    }

    fn supply(prob: f32, cup: f32) -> Supply {
        let (set, rules) = (categories(), Sentinels::default());
        let space = ClassSpace::imagenet((0..1000).map(|class| class.to_string()).collect(), Vec::new(), &set);
        let mut survey = Survey::new(&set, &rules, &[&space, &space]);
        let plan: Vec<PlanRow> = (0..41).map(|item| row(item, "mug", 504)).collect();
        let one = (0..41).map(|item| if item == 40 { said(40, 504, 0.3, 0.6) } else { said(item, 504, prob, cup) });
        survey.add(&plan, &[one.collect(), (0..40).map(|item| said(item, 504, 0.9, 0.0)).collect()]);
        survey.supply(&Secret::new([1; 32]), &Asked::default())
    }

    #[test]
    fn only_what_all_surrogates_are_sure_of_serves_and_for_one_kind_only() {
        let Supply { positives, negatives } = supply(0.9, 0.0);
        assert_eq!(positives.len() + negatives.len(), MOST_SURE);
        assert!(positives.len() > 8 && negatives.len() > 8, "{} and {}", positives.len(), negatives.len());
        assert!(!positives.iter().any(|(_, image)| negatives.iter().any(|(_, other)| image == other)));
        assert!(supply(0.4, 0.0).positives.is_empty());
    }

    #[test]
    fn a_negative_asks_for_the_nearest_category_that_the_image_surely_is_not() {
        let asked = |cup| supply(0.9, cup).negatives.into_iter().map(|(category, _)| category).next();
        assert_eq!(asked(0.005).as_deref(), Some("cup"), "and never `cup_or_mug`, which shares a class");
        assert_eq!(asked(0.05).as_deref(), Some("chair"));
    }
}
