//! Simulations with known truth: what the two intervals cover, and which models share a tier. Seeds are fixed, so that
//! every run has the same figures.
//!
//! Images are drawn as a grid makes them: each category and each nuisance has an effect on the logit of being right,
//! for all models and for each model by itself.

use std::time::Instant;

use hardset::stats::{self, ClusterDesign, Outcomes};

/// Uniform and normal draws of a seed (SplitMix64).
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ z >> 31) >> 11) as f64 * 2.0_f64.powi(-53)
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    fn normals(&mut self, count: usize, spread: f64) -> Vec<f64> {
        (0..count).map(|_| spread * self.normal()).collect()
    }

    fn below(&mut self, bound: usize) -> u32 {
        (self.uniform() * bound as f64) as u32
    }
}

/// How a pool is drawn.
#[derive(Clone, Copy)]
struct World {
    categories: usize,
    nuisances: usize,
    images: usize,
    /// Spread of the effects, in logits: of categories, of nuisances, and of both for each model by itself.
    spreads: [f64; 3],
    /// Logit of being right in the middle of all effects.
    middle: f64,
}

const QUICKSTART: World = World { categories: 12, nuisances: 31, images: 448, spreads: [0.7, 0.3, 0.5], middle: -0.4 };

/// A pool of this world: how it is grouped, and each model's outcomes; `shifts`: what a model is better by, in logits.
fn pool(world: &World, shifts: &[f64], draws: &mut Draws) -> (ClusterDesign, Vec<Vec<bool>>) {
    let effects = [draws.normals(world.categories, world.spreads[0]), draws.normals(world.nuisances, world.spreads[1])];
    let own = |draws: &mut Draws| {
        [draws.normals(world.categories, world.spreads[2]), draws.normals(world.nuisances, world.spreads[2] / 2.0)]
    };
    let owns: Vec<[Vec<f64>; 2]> = shifts.iter().map(|_| own(draws)).collect();
    let groups: Vec<[u32; 2]> =
        (0..world.images).map(|_| [draws.below(world.categories), draws.below(world.nuisances)]).collect();
    let mut outcomes = Vec::new();
    for (shift, own) in shifts.iter().zip(&owns) {
        let logit = |group: &[u32; 2]| {
            let at = |of: &[Vec<f64>; 2]| of[0][group[0] as usize] + of[1][group[1] as usize];
            world.middle + shift + at(&effects) + at(own)
        };
        outcomes.push(groups.iter().map(|group| draws.uniform() < stats::inverse_logit(logit(group))).collect());
    }
    let [categories, nuisances] = [0, 1].map(|way| groups.iter().map(|group| group[way]).collect::<Vec<u32>>());
    (ClusterDesign::new(&categories, Some(&nuisances)), outcomes)
}

/// The accuracy that a model has over all categories and nuisances of a world.
fn accuracy(world: &World, shift: f64, draws: &mut Draws) -> f64 {
    let [category, nuisance, own] = world.spreads;
    let spread = (category.powi(2) + nuisance.powi(2) + own.powi(2) * 1.25).sqrt();
    let draw = |draws: &mut Draws| stats::inverse_logit(world.middle + shift + spread * draws.normal());
    (0..400_000).map(|_| draw(draws)).sum::<f64>() / 400_000.0
}

/// Worlds whose intervals are held: few and many clusters, strong and no effects, near an edge.
fn worlds() -> [World; 5] {
    [
        QUICKSTART,
        World { spreads: [1.0, 0.5, 0.0], ..QUICKSTART },
        World { spreads: [0.0; 3], ..QUICKSTART },
        World { categories: 30, nuisances: 20, images: 600, middle: -1.5, ..QUICKSTART },
        World { categories: 113, nuisances: 60, images: 2_000, ..QUICKSTART },
    ]
}

#[test]
fn the_interval_of_objects_like_these_keeps_its_level() {
    for (at, world) in worlds().iter().enumerate() {
        let mut draws = Draws(at as u64);
        let (truth, pools) = (accuracy(world, 0.0, &mut draws), 1_000);
        let mut covered = 0;
        for _ in 0..pools {
            let (design, outcomes) = pool(world, &[0.0], &mut draws);
            let interval = stats::objects_like_these(&outcomes[0], &design).expect("two clusters or more").interval;
            covered += u32::from(interval.low <= truth && truth <= interval.high);
        }
        let share = f64::from(covered) / f64::from(pools);
        eprintln!("objects like these, world {at}: {share:.3} of {pools} intervals hold the truth");
        assert!((0.93..=0.97).contains(&share), "world {at}: {share}");
    }
}

#[test]
fn the_interval_of_a_difference_keeps_its_level() {
    for (at, world) in worlds().iter().enumerate() {
        let (mut draws, pools) = (Draws(100 + at as u64), 1_000);
        let mut covered = 0;
        for _ in 0..pools {
            let (design, outcomes) = pool(world, &[0.0, 0.0], &mut draws);
            let difference = stats::cluster_difference(&outcomes[0], &outcomes[1], &design).expect("clusters");
            covered += u32::from(difference.interval.low <= 0.0 && 0.0 <= difference.interval.high);
        }
        let share = f64::from(covered) / f64::from(pools);
        eprintln!("difference, world {at}: {share:.3} of {pools} intervals hold 0");
        assert!((0.93..=0.97).contains(&share), "world {at}: {share}");
    }
}

/// Images are drawn from a fixed set of chances: what Wilson's interval speaks of.
#[test]
fn the_interval_of_these_images_keeps_its_level() {
    for (at, (truth, images)) in [(0.42, 448), (0.8, 400), (0.05, 1_000), (0.5, 60)].into_iter().enumerate() {
        let (mut draws, pools) = (Draws(200 + at as u64), 4_000);
        let mut covered = 0;
        for _ in 0..pools {
            let right = (0..images).filter(|_| draws.uniform() < truth).count() as u64;
            let interval = stats::proportion(right, images).expect("there are images").interval;
            covered += u32::from(interval.low <= truth && truth <= interval.high);
        }
        let share = f64::from(covered) / f64::from(pools);
        eprintln!("these images, {truth} of {images}: {share:.3} of {pools} intervals hold the truth");
        assert!((0.93..=0.97).contains(&share), "{truth} of {images}: {share}");
    }
}

/// Two models, apart by `times` the smallest difference that the pool can show: in how many pools of 200 they share a
/// tier.
fn shared_tiers(world: &World, clustered: bool, times: f64, seed: u64) -> u32 {
    let mut draws = Draws(seed);
    let (design, outcomes) = pool(world, &[0.0, 0.0], &mut draws);
    let shown = |design: &ClusterDesign, outcomes: &[Vec<bool>]| {
        let mut both = Outcomes::new(world.images);
        outcomes.iter().for_each(|right| both.push(right));
        let right = both.all_right();
        let all = stats::compare_all(&both, clustered.then_some(design));
        (all.smallest_difference(), all.tiers(&right, 0.05).len())
    };
    let smallest = shown(&design, &outcomes).0.expect("the pool shows something");
    // A shift in logits moves an accuracy near one half by a quarter of it, less where effects spread.
    let slope = (accuracy(world, 0.05, &mut draws) - accuracy(world, -0.05, &mut draws)) / 0.1;
    let shift = times * smallest / slope;
    let mut shared = 0;
    for _ in 0..200 {
        let (design, outcomes) = pool(world, &[shift / 2.0, -shift / 2.0], &mut draws);
        shared += u32::from(shown(&design, &outcomes).1 == 1);
    }
    eprintln!("{times} x {smallest:.3}, clusters {clustered}: {shared} of 200 pools have one tier");
    shared
}

#[test]
fn models_closer_than_can_be_shown_share_a_tier_and_others_do_not() {
    let independent = World { spreads: [0.0; 3], images: 2_000, ..QUICKSTART };
    let clustered = World { categories: 40, nuisances: 40, images: 2_000, spreads: [0.7, 0.3, 0.3], ..QUICKSTART };
    for (world, by_clusters) in [(independent, false), (clustered, true)] {
        assert!(shared_tiers(&world, by_clusters, 0.25, 5) >= 160);
        assert!(shared_tiers(&world, by_clusters, 2.0, 6) <= 10);
    }
}

/// 50,000 images, 50 models, all 1,225 pairs, with clusters: a few seconds.
#[test]
fn fifty_models_on_fifty_thousand_images() {
    let world = World { categories: 113, nuisances: 547, images: 50_000, ..QUICKSTART };
    let shifts: Vec<f64> = (0..50).map(|model| f64::from(model) * 0.02).collect();
    let (design, models) = pool(&world, &shifts, &mut Draws(300));
    let start = Instant::now();
    let mut outcomes = Outcomes::new(world.images);
    models.iter().for_each(|right| outcomes.push(right));
    let all = stats::compare_all(&outcomes, Some(&design));
    let tiers = all.tiers(&outcomes.all_right(), 0.05);
    let compared = start.elapsed();
    let tops: Vec<Vec<i32>> =
        (0..50).map(|model| (0..50_000).map(|image| (image * 7 + model) % 1000).collect()).collect();
    let classes: Vec<&[i32]> = tops.iter().map(Vec::as_slice).collect();
    let agreement = stats::agreement_of_all(&outcomes, &classes);
    let objects: Vec<_> = models.iter().map(|right| stats::objects_like_these(right, &design)).collect();
    eprintln!("50,000 x 50: pairs and tiers {compared:.2?}, with agreement and intervals {:.2?}", start.elapsed());
    assert_eq!((all.pairs.len(), agreement.len(), objects.len()), (1_225, 1_225, 50));
    assert_eq!(tiers.iter().map(|tier| tier.members.len()).sum::<usize>(), 50);
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
