//! What a picture shows and what its prompt says, drawn from one of two distributions.
//!
//! `ordinary`: each category with its usual covers and in its usual places, as photographs are; prompts are plain.
//! `everything`: besides that a place, texture or material of any kind, in a prompt of the product's form.

use crate::place::{PLACES, Place};
use crate::random::Random;
use crate::shape::{Category, Shape};
use crate::surface::{Cover, Finish, MATERIALS, TEXTURES, hue};
use crate::vector::{Vec3, v};

/// Which pictures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// Plain prompts alone.
    Ordinary,
    /// Plain prompts and nuisances.
    Everything,
    /// Nuisances alone: what `Everything` adds to `Ordinary`.
    Unusual,
}

/// What is said about a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Index in [`Category::ALL`].
    pub category: usize,
    /// `plain`, `background`, `texture` or `material`.
    pub kind: &'static str,
    /// The nuisance's id; empty for plain ones.
    pub value: &'static str,
    /// Id of the background that is drawn, said or not.
    pub place: &'static str,
    pub prompt: String,
}

/// All that is drawn.
pub struct Scene {
    pub label: Label,
    pub place: Place,
    pub shape: Shape,
    /// Covers of the parts.
    pub finishes: [Finish; 3],
    /// Larger side of the object, in half widths of the picture.
    pub size: f32,
    /// Where its middle lies, in half widths from the middle of the picture.
    pub offset: (f32, f32),
    /// Camera above the object's middle, in radians.
    pub elevation: f32,
    /// Direction to the light.
    pub light: Vec3,
    pub brightness: f32,
}

impl Scene {
    /// The scene of one seed.
    pub fn new(distribution: Distribution, seed: u64) -> Self {
        let r = &mut Random::new(seed);
        let category = r.below(Category::ALL.len());
        let (kind, value) = nuisance(distribution, r);
        let (name, _, noun) = Category::ALL[category];
        let place = match kind {
            "background" => value,
            // An unusual cover is seen in the usual place three times of four.
            _ if kind == "plain" || r.chance(0.75) => r.pick(usual_places(name)),
            _ => r.below(PLACES.len()),
        };
        let finishes = match kind {
            "texture" => [Finish::new(Cover::Texture(value), r); 3],
            "material" => [Finish::new(Cover::Material(value), r); 3],
            _ => usual_covers(name, r),
        };
        let (value, prompt) = prompt(kind, value, noun);
        let label = Label { category, kind, value, place: PLACES[place].0, prompt };
        Self::composed(label, name, (Place::new(place, r), finishes), r)
    }

    fn composed(label: Label, category: Category, (place, mut finishes): (Place, [Finish; 3]), r: &mut Random) -> Self {
        if category == Category::DeskLamp {
            finishes[2] = Finish::new(Cover::Lit, r).painted([v(1.0, 0.95, 0.75); 3]);
        }
        let angle = r.between(-1.0, 1.0);
        let light = v(angle.sin(), r.between(0.8, 1.6), angle.cos() * 0.9 + 0.2).unit();
        Self {
            label,
            place,
            shape: Shape::new(category, r),
            finishes,
            size: r.between(1.2, 1.7),
            offset: (r.between(-0.12, 0.12), r.between(-0.12, 0.06)),
            elevation: r.between(0.06, 0.28),
            light,
            brightness: r.between(0.88, 1.08),
        }
    }
}

fn nuisance(distribution: Distribution, r: &mut Random) -> (&'static str, usize) {
    let plain = match distribution {
        Distribution::Ordinary => 1.0,
        Distribution::Everything => 0.28,
        Distribution::Unusual => 0.0,
    };
    match r.unit() {
        _ if r.chance(plain) => ("plain", 0),
        t if t < 0.36 => ("background", r.below(PLACES.len())),
        t if t < 0.69 => ("texture", r.below(TEXTURES.len())),
        _ => ("material", r.below(MATERIALS.len())),
    }
}

/// The nuisance's id, and the prompt that the product makes of it: templates of `nuisances/*.toml`.
fn prompt(kind: &str, value: usize, noun: &str) -> (&'static str, String) {
    match kind {
        "background" => (PLACES[value].0, format!("A photo of {} {}", with_article(noun), PLACES[value].1)),
        "texture" => {
            let words = format!("{} {noun}", TEXTURES[value].1);
            (TEXTURES[value].0, format!("A photo of {}", with_article(&words)))
        }
        "material" => (MATERIALS[value].0, format!("A photo of {} made of {}", with_article(noun), MATERIALS[value].1)),
        _ => ("", format!("A photo of {}", with_article(noun))),
    }
}

/// The words with `a` or `an`; of the words that occur here, those that begin with a vowel's letter take `an`.
fn with_article(words: &str) -> String {
    let article = if words.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {words}")
}

fn usual_places(category: Category) -> &'static [usize] {
    const LIVING: usize = 0;
    const KITCHEN: usize = 1;
    const LIBRARY: usize = 2;
    const STAGE: usize = 3;
    const STREET: usize = 4;
    const LAWN: usize = 5;
    const BEACH: usize = 6;
    const DESERT: usize = 8;
    const FOREST: usize = 10;
    const WHEAT: usize = 11;
    match category {
        Category::Mug => &[KITCHEN, LIVING, LIBRARY],
        Category::Umbrella => &[STREET, BEACH, BEACH],
        Category::Chair => &[LIVING, LIBRARY, STAGE],
        Category::Vase => &[LIVING, LIVING, STAGE],
        Category::DeskLamp => &[LIBRARY, LIBRARY, LIVING],
        Category::Hammer => &[STREET, LAWN],
        Category::Bench => &[LAWN, FOREST, STREET],
        Category::Bucket => &[BEACH, WHEAT, LAWN],
        Category::Teapot => &[KITCHEN, LIVING],
        Category::WineBottle => &[KITCHEN, WHEAT],
        Category::Plate => &[KITCHEN, LIVING],
        Category::Wheel => &[STREET, DESERT, WHEAT],
    }
}

/// Covers of the parts as they usually are.
fn usual_covers(category: Category, r: &mut Random) -> [Finish; 3] {
    let mut of = |id: &str| Finish::new(cover(id), r);
    let (wood, metal, glass) = (of("wood"), of("metal"), of("glass"));
    let (china, paint, paint2, stripes) = (of("ceramic"), of("plastic-opaque"), of("plastic-opaque"), of("striped"));
    let (dots, dark) = (of("polka-dotted"), of("plastic-opaque").painted([v(0.1, 0.1, 0.11); 3]));
    let toned = china.painted([hue(r.unit(), r.between(0.3, 0.8), r.between(0.5, 0.9)); 3]);
    match (category, r.below(4)) {
        (Category::Mug, 0) => [china; 3],
        (Category::Mug, 1) => [stripes, china, china],
        (Category::Mug | Category::Teapot, _) => [toned; 3],
        (Category::Umbrella, 0) => [dark, dark, metal],
        (Category::Umbrella, 1) => [paint, paint, wood],
        (Category::Umbrella, _) => [paint, paint2, metal],
        (Category::Chair, 0) => [metal, paint, metal],
        (Category::Chair | Category::Bench, 1) => [wood, wood, wood],
        (Category::Chair, _) => [wood, paint, wood],
        (Category::Vase, 0) => [glass; 3],
        (Category::Vase, 1) => [dots; 3],
        (Category::Vase, _) => [toned; 3],
        (Category::DeskLamp, 0) => [dark, metal, dark],
        (Category::DeskLamp, _) => [paint, metal, paint],
        (Category::Hammer, 0) => [paint, dark, paint],
        (Category::Hammer, _) => [wood, metal, wood],
        (Category::Bench, _) => [wood, dark, wood],
        (Category::Bucket, 0 | 1) => [metal, metal, metal],
        (Category::Bucket, _) => [paint, metal, paint],
        (Category::WineBottle, n) => [china.painted([bottle_colour(n); 3]), china, china],
        (Category::Plate, 0 | 1) => [china; 3],
        (Category::Plate, _) => [china, toned, china],
        (Category::Wheel, 0) => [wood; 3],
        (Category::Wheel, _) => [dark, metal, dark],
    }
}

/// Nearly black green, or brown.
fn bottle_colour(n: usize) -> Vec3 {
    if n < 3 { v(0.08, 0.2, 0.1) } else { v(0.22, 0.1, 0.05) }
}

fn cover(id: &str) -> Cover {
    let texture = TEXTURES.iter().position(|(known, _)| *known == id).map(Cover::Texture);
    let material = || MATERIALS.iter().position(|(known, _)| *known == id).map(Cover::Material);
    texture.or_else(material).unwrap_or(Cover::Lit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");

    /// Each id stands in this file of the product with these words.
    fn check(file: &str, rows: &[(&str, &str)], key: &str) {
        let text = std::fs::read_to_string(format!("{PRODUCT}/{file}")).expect(file);
        for (id, words) in rows {
            let row = text.lines().find(|line| line.contains(&format!("id = \"{id}\""))).expect(id);
            let name = format!("{key} = \"{words}\"");
            assert!(row.contains(&name) || row.contains(&format!("name = \"{words}\"")), "{row} against {name}");
        }
    }

    #[test]
    fn words_are_those_of_the_product() {
        check("nuisances/background.toml", &PLACES, "phrase");
        check("nuisances/texture.toml", &TEXTURES, "phrase");
        check("nuisances/material.toml", &MATERIALS, "phrase");
        let nouns: Vec<_> = Category::ALL.iter().map(|(_, id, noun)| (*id, *noun)).collect();
        check("categories/imagenet-d.toml", &nouns, "noun");
    }

    #[test]
    fn the_same_seed_gives_the_same_scene() {
        let label = |seed| Scene::new(Distribution::Everything, seed).label;
        assert_eq!(label(7), label(7));
        assert!((0..50).any(|seed| label(seed) != label(7)));
    }
}
