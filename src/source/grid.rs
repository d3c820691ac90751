//! The grid of prompts: any of its rows by number, without the ones before it.
//!
//! Order: category, kind of nuisance, its value, template, repetition. Holds always: with a sub-sample every category
//! has the same number of pairs, the kinds get equal shares of them over all categories, and within a kind the values
//! are used equally often, give or take one.

use std::ops::Range;

use crate::domain::{
    Category, CategorySet, ItemId, NuisanceSet, NuisanceValue, Philox, PlanRow, PromptGrid, render_prompt,
};

/// Streams of a recipe's random numbers.
const SEEDS: u64 = 0;
const VALUES: u64 = 1 << 32;

/// A grid of prompts over some categories.
#[derive(Debug, Clone)]
pub struct Grid {
    prompts: PromptGrid,
    seed: u64,
    /// For each kind, its values in the order in which sub-samples take them.
    orders: Vec<Vec<usize>>,
    rows: Vec<CategoryRows>,
    pairs: u64,
    items: u64,
}

/// What one category gets.
#[derive(Debug, Clone)]
struct CategoryRows {
    category: Category,
    /// Number of its first item.
    first: u64,
    /// For each kind, the category's part of the order: each begins where the one of the category before ended.
    windows: Vec<Range<usize>>,
}

impl Grid {
    /// The grid of `prompts` over `categories`.
    pub fn new(prompts: &PromptGrid, categories: &CategorySet, seed: u64) -> Self {
        let sizes: Vec<usize> = prompts.nuisances.iter().map(|set| set.values.len()).collect();
        let mut orders = Vec::new();
        for (kind, &size) in sizes.iter().enumerate() {
            let stream = Philox::new(seed, VALUES + kind as u64);
            orders.push(if prompts.pairs_per_category.is_some() {
                shuffled(size, stream)
            } else {
                (0..size).collect()
            });
        }
        let mut grid = Self { prompts: prompts.clone(), seed, orders, rows: Vec::new(), pairs: 0, items: 0 };
        let mut used = vec![0; sizes.len()];
        for (place, category) in categories.entries.iter().enumerate() {
            let quotas = quotas(&sizes, prompts.pairs_per_category, place);
            let windows = used.iter().zip(&quotas).map(|(&start, quota)| start..start + quota).collect();
            grid.rows.push(CategoryRows { category: category.clone(), first: grid.items, windows });
            if prompts.pairs_per_category.is_some() {
                used.iter_mut().zip(&quotas).for_each(|(used, quota)| *used += quota);
            }
            grid.pairs += quotas.iter().sum::<usize>() as u64;
            let images = quotas.iter().zip(&prompts.nuisances).map(|(&n, set)| n as u64 * images(set, prompts));
            grid.items += images.sum::<u64>();
        }
        grid
    }

    /// Pairs of a category and a nuisance.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// Categories.
    pub fn categories(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Images.
    pub fn len(&self) -> u64 {
        self.items
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// Row `at`, which must be below [`len`](Self::len).
    pub fn row(&self, at: u32) -> PlanRow {
        let here = &self.rows[self.rows.partition_point(|rows| rows.first <= u64::from(at)) - 1];
        let mut rest = u64::from(at) - here.first;
        let mut kind = 0;
        let per_value = loop {
            let per_value = images(&self.prompts.nuisances[kind], &self.prompts);
            let size = here.windows[kind].len() as u64 * per_value;
            if rest < size {
                break per_value;
            }
            rest -= size;
            kind += 1;
        };
        let (set, order) = (&self.prompts.nuisances[kind], &self.orders[kind]);
        let value = order[(here.windows[kind].start + (rest / per_value) as usize) % order.len()];
        let template = (rest % per_value) / u64::from(self.prompts.images_per_prompt);
        self.made(at, &here.category, set, &set.values[value], template as usize)
    }

    /// `template`: which of the set's, unless the value has its own.
    fn made(&self, at: u32, category: &Category, set: &NuisanceSet, value: &NuisanceValue, template: usize) -> PlanRow {
        let template = value.template.as_deref().unwrap_or_else(|| &set.templates[template]);
        let negative = &self.prompts.negative_prompt;
        PlanRow {
            item_id: ItemId(at),
            category: category.id.clone(),
            label_ids: category.imagenet_ids.iter().map(|&id| id as i32).collect(),
            nuisance_kind: Some(set.kind.clone()),
            nuisance: Some(value.id.clone()),
            template: Some(template.to_owned()),
            prompt: Some(render_prompt(template, category, value.phrase.as_deref().unwrap_or_default())),
            negative_prompt: (!negative.is_empty()).then(|| negative.clone()),
            seed: Philox::new(self.seed, SEEDS).u64(u64::from(at)),
            source: None,
        }
    }
}

/// Images of one value of a kind. Either all of its values have their own template or none has (`config` checks this).
fn images(set: &NuisanceSet, prompts: &PromptGrid) -> u64 {
    set.templates.len().max(1) as u64 * u64::from(prompts.images_per_prompt)
}

/// How many values of each kind the category at `place` gets: equal shares. What a small kind cannot give is shared out
/// again; a remainder goes to a different kind for each category.
fn quotas(sizes: &[usize], wanted: Option<u32>, place: usize) -> Vec<usize> {
    let Some(wanted) = wanted else { return sizes.to_vec() };
    let mut quotas = vec![0; sizes.len()];
    let mut left = (wanted as usize).min(sizes.iter().sum());
    while left > 0 {
        let mut open: Vec<usize> = (0..sizes.len()).filter(|&kind| quotas[kind] < sizes[kind]).collect();
        let turn = place * left % open.len();
        open.rotate_left(turn);
        let share = (left / open.len()).max(1);
        for kind in open {
            let taken = share.min(sizes[kind] - quotas[kind]).min(left);
            quotas[kind] += taken;
            left -= taken;
        }
    }
    quotas
}

/// 0 to `n`, shuffled (Fisher and Yates).
fn shuffled(n: usize, random: Philox) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        order.swap(at, (random.u64(at as u64) % (at as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::Sha256;

    fn set(kind: &str, values: usize, templates: &[&str]) -> NuisanceSet {
        let value = |at| match templates {
            [] => NuisanceValue {
                id: format!("{kind}{at}"),
                phrase: None,
                template: Some(format!("{kind}{at} {{category}}")),
            },
            _ => NuisanceValue { id: format!("{kind}{at}"), phrase: Some(format!("{kind} {at}")), template: None },
        };
        NuisanceSet {
            kind: kind.to_owned(),
            sha256: Sha256::of(b""),
            templates: templates.iter().map(|&template| template.to_owned()).collect(),
            values: (0..values).map(value).collect(),
        }
    }

    fn grid(nuisances: Vec<NuisanceSet>, images_per_prompt: u32, pairs_per_category: Option<u32>) -> Grid {
        let entries = ["mug", "umbrella", "chair"].map(|id| Category::new(id, &[7])).to_vec();
        let categories = CategorySet { name: "x".into(), sha256: Sha256::of(b""), entries };
        let prompts = PromptGrid { negative_prompt: String::new(), images_per_prompt, pairs_per_category, nuisances };
        Grid::new(&prompts, &categories, 7)
    }

    fn prompts(grid: &Grid) -> Vec<String> {
        (0..grid.len()).map(|at| grid.row(at as u32).prompt.unwrap()).collect()
    }

    #[test]
    fn every_cell_comes_once_in_order() {
        let grid =
            grid(vec![set("b", 2, &["{a} {category} {nuisance}", "{nuisance} {category}"]), set("t", 1, &[])], 2, None);
        assert_eq!((grid.pairs(), grid.len()), (9, 30));
        let prompts = prompts(&grid);
        assert_eq!(prompts[..3], ["a mug b 0", "a mug b 0", "b 0 mug"]);
        assert_eq!(prompts[8..12], ["t0 mug", "t0 mug", "an umbrella b 0", "an umbrella b 0"]);
        let (first, second) = (grid.row(0), grid.row(1));
        assert!(first.prompt == second.prompt && first.seed != second.seed);
    }

    #[test]
    fn a_sub_sample_is_balanced_over_kinds_and_values_and_follows_the_seed() {
        let grid = grid(
            vec![set("b", 10, &["{category} {nuisance}"]), set("t", 2, &[]), set("m", 6, &["{category} {nuisance}"])],
            1,
            Some(8),
        );
        assert_eq!((grid.pairs(), grid.len()), (24, 24));
        let mut used: BTreeMap<(String, String), usize> = BTreeMap::new();
        for at in 0..24 {
            let row = grid.row(at);
            *used.entry((row.nuisance_kind.unwrap(), row.nuisance.unwrap())).or_default() += 1;
        }
        let of = |kind: &str| used.iter().filter(|((k, _), _)| k == kind).map(|(_, n)| *n).collect::<Vec<_>>();
        assert_eq!((of("b").iter().sum::<usize>(), of("t").iter().sum(), of("m").iter().sum()), (9, 6, 9));
        assert!(of("b").iter().all(|&n| n == 1) && of("t") == [3, 3] && of("m").iter().all(|n| (1..=2).contains(n)));
    }

    #[test]
    fn quotas_never_exceed_a_kind_and_add_up() {
        let check = |wanted, place, expected: [usize; 3]| {
            assert_eq!(quotas(&[468, 47, 32], wanted, place), expected, "{wanted:?} at {place}");
        };
        check(Some(100), 0, [34, 34, 32]);
        check(Some(1000), 0, [468, 47, 32]);
        check(None, 0, [468, 47, 32]);
        // Two of three kinds, in turn.
        check(Some(2), 0, [1, 1, 0]);
        check(Some(2), 1, [1, 0, 1]);
        check(Some(2), 2, [0, 1, 1]);
        check(Some(4), 1, [1, 2, 1]);
    }
}
