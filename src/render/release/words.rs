//! The sentences about a release that several documents share.
//!
//! Holds always: the sentences are plain text with unchanged data; the document that contains them escapes them.

use super::{PeopleFacts, QuestionFacts, Release, SourceFacts, SurrogateFacts};
use crate::render::numbers::{coefficient, count, counted, percent, share};

/// Whether people have looked at the images, which is the first statement of every document.
pub fn status(release: &Release) -> String {
    match &release.verified {
        Some(_) => {
            "Verified: people looked at the images, and only those that they accepted are in the release.".into()
        }
        None => {
            "Unverified hard set: no person has looked at these images. Some of the labels are wrong, and an image \
                 with a wrong label looks like a hard one."
                .into()
        }
    }
}

/// The release in one sentence.
pub fn summary(release: &Release) -> String {
    format!(
        "{} of {} on which image classifiers fail, mined from a pool of {}.",
        counted(release.images, "image"),
        categories(release),
        counted(release.pool_items, "image"),
    )
}

fn categories(release: &Release) -> String {
    // A set may have categories without hard images.
    match release.categories.iter().filter(|category| category.images > 0).count() {
        1 => "1 category".into(),
        n => format!("{} categories", count(n as u64)),
    }
}

/// Status, summary and the authors' own words.
pub fn about(release: &Release) -> String {
    let own = release.description.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let sentences = [Some(status(release)), Some(summary(release)), own.map(str::to_owned)];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Keywords for search engines.
pub fn keywords(release: &Release) -> Vec<&'static str> {
    let status = if release.verified.is_some() { "verified-by-people" } else { "unverified" };
    let mut words = vec!["hardset", "benchmark", "robustness", "hard-examples", "imagenet", status];
    match release.source {
        SourceFacts::Diffusion { .. } => words.extend(["synthetic", "diffusion"]),
        SourceFacts::Photographs { .. } => words.push("photographs"),
        SourceFacts::Benchmark { .. } => words.push("subset"),
        SourceFacts::Fake => words.push("noise"),
    }
    words
}

/// How the images were made.
pub fn source(release: &Release) -> String {
    match &release.source {
        SourceFacts::Photographs { folder_name } => {
            format!("Photographs from the folder {folder_name}. hardset read them and did not take them.")
        }
        SourceFacts::Benchmark { name, layout } => {
            format!("The images are those of {name} ({layout}); none was made for this release.")
        }
        SourceFacts::Diffusion { model, model_sha256, sampler, steps, guidance, width_px, height_px, .. } => format!(
            "Pictures made from text by the model {model} (SHA-256 of the weights {model_sha256}) with the sampler \
            {sampler}, {steps} steps and guidance {guidance}, {width_px} x {height_px} pixels. Prompts are templates \
            with a category and a nuisance filled in; each row has its prompt and its seed."
        ),
        SourceFacts::Fake => {
            "Noise, made for trying the program. It shows nothing, and scores on it mean nothing.".into()
        }
    }
}

/// How the hard images were found.
pub fn mining(release: &Release) -> String {
    format!(
        "Each image of the pool was scored by {}. The rule for a hard image is {}; a prediction is taken {}. Of {}, {} \
         are hard ({}).",
        counted(release.surrogates.len() as u64, "surrogate"),
        release.rule,
        label_space(release),
        counted(release.pool_items, "image"),
        count(release.hard_items),
        share(release.hard_items, release.pool_items),
    )
}

fn label_space(release: &Release) -> String {
    let spaces = spaces(release);
    match release.label_space.as_str() {
        "any-of-ids" => {
            format!("among all classes {spaces} and is right if it is any class of the category (any-of-ids)")
        }
        "masked" => format!("among those classes {spaces} only that belong to the release's categories (masked)"),
        other => format!("in the label space {other} {spaces}"),
    }
}

/// `of imagenet-1k (1,000)`: the class spaces of the surrogates.
fn spaces(release: &Release) -> String {
    let mut names: Vec<String> = Vec::new();
    for SurrogateFacts { space, classes, .. } in &release.surrogates {
        let name = format!("{space} ({})", count(*classes));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match &names[..] {
        [] => "of a class space".to_owned(),
        [one] => format!("of {one}"),
        several => format!("of each surrogate's class space, {},", several.join(" or ")),
    }
}

/// One surrogate in a sentence.
pub fn surrogate(surrogate: &SurrogateFacts) -> String {
    let SurrogateFacts { name, weights_sha256, space, classes, accuracy_on_pool, accuracy_on_release, .. } = surrogate;
    let hash_of = if surrogate.is_imported { "file of imported predictions" } else { "weights" };
    format!(
        "{name}: SHA-256 of the {hash_of} {weights_sha256}, class space {space} ({} classes), top-1 accuracy {} on the \
         pool and {} on the release.",
        count(*classes),
        percent(*accuracy_on_pool),
        percent(*accuracy_on_release)
    )
}

/// `1 person`, `12 people`.
pub fn people(number: u64) -> String {
    if number == 1 { "1 person".into() } else { format!("{} people", count(number)) }
}

/// How people judged.
pub fn annotation(facts: &PeopleFacts) -> String {
    format!(
        "{} filled in {}; {} set aside because of sentinels, which are images with known answers. {} All figures about \
         people cover the {} that they judged, including images that are not in the release.",
        people(facts.people),
        counted(facts.assignments, "sheet"),
        if facts.set_aside == 1 { "1 was".into() } else { format!("{} were", count(facts.set_aside)) },
        facts.rule,
        counted(facts.judged, "image"),
    )
}

/// How much people agree on one question.
pub fn agreement(question: &QuestionFacts) -> String {
    let interval = match question.alpha_interval {
        Some((low, high)) => format!(" (95 % interval {} to {})", coefficient(Some(low)), coefficient(Some(high))),
        None => String::new(),
    };
    format!(
        "Question \"{}\": {} that count, accepted from {} yes; {} of pairs of votes on one image agree; Krippendorff's \
         alpha {}{interval}.",
        question.text,
        counted(question.votes, "vote"),
        percent(question.accept_at),
        percent(question.percent_agreement.unwrap_or(f64::NAN)),
        coefficient(question.alpha),
    )
}

/// The limits of the release, each with a heading and an explanation, the surrogates' bias first.
pub fn limits(release: &Release) -> Vec<(&'static str, String)> {
    let mut limits =
        vec![("Surrogate bias", surrogate_bias(release)), ("Labels", labels(release)), source_limit(release)];
    limits.push((
        "Selection",
        "The release contains only images on which the surrogates fail. Accuracy on them does not measure accuracy on \
         ordinary images, and the numbers of two releases can be compared only if pool, surrogates and rule are the \
         same."
            .into(),
    ));
    limits.push((
        "Categories",
        format!(
            "{}, each with the ImageNet-1k classes that its definition in the recipe accepts. Their numbers of images \
             differ, so report accuracy for each category too.",
            categories(release)
        ),
    ));
    limits
}

/// The effect on scores of choosing images by surrogates.
pub fn surrogate_bias(release: &Release) -> String {
    let names: Vec<&str> = release.surrogates.iter().map(|surrogate| surrogate.name.as_str()).collect();
    format!(
        "The images were chosen because these classifiers fail on them: {}. Their own scores are low by construction, \
         so surrogates are never targets. The scores of models that resemble them (in architecture, training data or \
         distillation) are too low as well, and models that differ from them look better in comparison.",
        if names.is_empty() { "none named".into() } else { names.join(", ") }
    )
}

fn labels(release: &Release) -> String {
    match release.verified {
        Some(_) => "People accepted each image, but people err and disagree; the section about people says how much. \
                    Selecting by failure collects wrong labels, so more of them may remain than in images chosen at \
                    random."
            .into(),
        None => "Nobody has checked the labels. Selecting by failure collects wrong labels: part of what looks like \
                 failure of a model is an image that does not show its category. Say so wherever scores on this \
                 release are reported."
            .into(),
    }
}

fn source_limit(release: &Release) -> (&'static str, String) {
    match release.source {
        SourceFacts::Diffusion { .. } => (
            "Generated images",
            "None of the images is a photograph. They have the generator's artefacts and the biases of its training \
             data, an image does not always follow its prompt, and results need not carry over to photographs."
                .into(),
        ),
        SourceFacts::Photographs { .. } => (
            "Photographs",
            "Any bias of the folder is also in the release, and models may have been trained on the same \
             photographs."
                .into(),
        ),
        SourceFacts::Benchmark { .. } => (
            "Images of another benchmark",
            "Any bias of that benchmark is also in the release, and models may have been chosen by their scores on it."
                .into(),
        ),
        SourceFacts::Fake => ("Noise", "The images show nothing, so nothing can be concluded from them.".into()),
    }
}

/// What is known about people and places in the images.
pub fn personal(release: &Release) -> &'static str {
    match release.source {
        SourceFacts::Diffusion { .. } => {
            "The images are generated; none is a photograph of a person. Generators can still render likenesses of \
             people in their training data, and nobody has searched for such likenesses."
        }
        SourceFacts::Photographs { .. } => {
            "The photographs may show people, number plates or private places. hardset has blurred and removed nothing."
        }
        SourceFacts::Benchmark { .. } => {
            "The images are those of another benchmark, which says what they may show. hardset has blurred and removed \
             nothing."
        }
        SourceFacts::Fake => "None: the images are noise.",
    }
}

/// The intended use of the release, and uses that it is not for.
pub const USES: [&str; 2] = [
    "Testing image classifiers that are not among the surrogates, with the surrogates named beside the scores.",
    "Not for training, for choosing models or hyperparameters, or for decisions about people.",
];
