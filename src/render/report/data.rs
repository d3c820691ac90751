//! What the report shows, as records.
//!
//! Does not compute or lay out anything: the caller fills in every figure, because only the caller has seen the whole
//! pool.

use crate::stats::Interval;

/// Everything that the page shows. The order of `surrogates` and `leave_one_out` is kept; other lists are ordered here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Heading of the page, for example the name of the pipeline.
    pub title: String,
    /// The settings of the run, as (name, value), in this order: recipe, rule, label space, version, seed, runtime …
    pub facts: Vec<(String, String)>,
    /// What is noticed of the scorers, one sentence each.
    pub warnings: Vec<String>,
    /// Images in the pool: the denominator of the hard set's share.
    pub pool_items: u64,
    /// Images in the hard set, shown here or not.
    pub hard_items: u64,
    /// Items that a stage lost.
    pub dropped_items: u64,
    /// Images marked as near ties, in the whole pool.
    pub near_ties: u64,
    /// One row for each surrogate.
    pub surrogates: Vec<SurrogateRow>,
    /// One row for each target.
    pub targets: Vec<TargetRow>,
    /// One row for each value of a nuisance; empty for photographs.
    pub nuisances: Vec<NuisanceRow>,
    /// Images by number of failing surrogates: index 0..=k.
    pub failures_histogram: Vec<u64>,
    /// The number of failures from which an image is hard (`at-least=3` gives 3); bars from there on are set off.
    /// `None` if the rule is not a number of failures.
    pub hard_from_failures: Option<u32>,
    /// How similarly the surrogates fail, pair by pair.
    pub agreement: Agreement,
    /// One row for each surrogate; empty when there is only one.
    pub leave_one_out: Vec<LeaveOneOut>,
    /// Wrong classes that several surrogates give.
    pub confusions: Vec<Confusion>,
    /// One row for each category of the pool, with or without hard images.
    pub categories: Vec<CategoryRow>,
    /// People's verdicts on the hard images; `None` without answers.
    pub people: Option<People>,
    /// Lost items: a row for each problem.
    pub dropped: Vec<DroppedItem>,
    /// Hard images to show.
    pub cards: Vec<Card>,
    /// Hard images that are not in `cards`, because the page is limited.
    pub cards_left_out: u64,
}

/// Answers of people and what follows from them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct People {
    /// When an image is accepted, in words.
    pub rule: String,
    /// Images that people accepted.
    pub accepted: u64,
    /// Images that people rejected.
    pub rejected: u64,
    /// Images with too few valid votes.
    pub undecided: u64,
    /// Sheets filled in.
    pub assignments: u64,
    /// Sheets set aside because of their sentinels.
    pub set_aside: u64,
    /// Agreement on each question.
    pub opinions: Vec<Opinion>,
    /// The contribution of each person.
    pub people: Vec<Person>,
    /// Images on which people disagree, the most disputed first.
    pub disputed: Vec<Disputed>,
}

/// How much people agree on one question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Opinion {
    /// The question.
    pub question: String,
    /// Votes that count.
    pub votes: u64,
    /// Share of pairs of votes on one image that are equal, in [0, 1].
    pub agreement: Option<f64>,
    /// Krippendorff's alpha, at most 1.
    pub alpha: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
}

/// What one person contributed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// The person's opaque name.
    pub name: String,
    /// Sheets filled in.
    pub sheets: u64,
    /// Sheets set aside.
    pub set_aside: u64,
    /// Votes that count.
    pub votes: u64,
    /// Share of equal votes among all pairs with other people, in [0, 1].
    pub agreement: Option<f64>,
}

/// An image on which people disagree.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disputed {
    /// The item's id.
    pub item_id: String,
    /// The category, readable.
    pub label: String,
    /// People's verdict.
    pub verdict: String,
    /// A JPEG file; empty if the image could not be read.
    pub thumbnail_jpeg: Vec<u8>,
    /// The votes on each question: no, not sure, yes.
    pub votes: Vec<(String, [u64; 3])>,
}

/// One surrogate over the pool and over the hard set.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateRow {
    /// The surrogate's name.
    pub name: String,
    /// Hexadecimal SHA-256 of the weights.
    pub weights_sha256: String,
    /// Its class space, and how many classes that has: `imagenet-1k (1,000)`.
    pub space: String,
    /// Top-1 accuracy on the pool.
    pub accuracy: Interval,
    /// Images scored: the denominator of `accuracy`.
    pub items: u64,
    /// Images of `items` on which it is right.
    pub correct: u64,
    /// Hard images on which it is right.
    pub correct_on_hard: u64,
    /// Hard images: the denominator of `correct_on_hard`.
    pub hard_items: u64,
    /// The runtime and device, for example `onnxruntime 1.31.1, cpu`.
    pub runtime: String,
}

/// One target over the pool and over the hard set.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// Hexadecimal SHA-256 of the weights.
    pub weights_sha256: String,
    /// Its class space, and how many classes that has: `imagenet-1k (1,000)`.
    pub space: String,
    /// Top-1 accuracy on the pool.
    pub on_pool: Interval,
    /// Images of the pool that it has scored.
    pub items: u64,
    /// Top-1 accuracy on the hard set; `None` without hard images.
    pub on_hard: Option<Interval>,
    /// Hard images that it has scored.
    pub hard_items: u64,
    /// The runtime and device.
    pub runtime: String,
}

/// The images with one value of a nuisance, or with any value of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct NuisanceRow {
    /// The kind.
    pub kind: String,
    /// The value; `None` for all of the kind.
    pub value: Option<String>,
    /// Its images in the pool.
    pub items: u64,
    /// Its images in the hard set.
    pub hard: u64,
    /// Top-1 accuracy, the mean over the surrogates.
    pub accuracy: Interval,
}

/// Pairwise agreement of the surrogates: square matrices in the order of `names`; `None` where a figure is undefined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agreement {
    /// The surrogates, in the order of rows and columns.
    pub names: Vec<String>,
    /// Error consistency: Cohen's kappa of right and wrong, in [-1, 1] (Geirhos, Meding and Wichmann, 2020).
    pub kappa: Vec<Vec<Option<f64>>>,
    /// The share in [0, 1] of images with the same class among those on which both are wrong.
    pub both_wrong_same_class: Vec<Vec<Option<f64>>>,
}

/// One surrogate against the images that the others mine without it.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaveOneOut {
    /// The surrogate that is left out.
    pub left_out: String,
    /// Images that the rule selects without this surrogate.
    pub mined_by_others: u64,
    /// Its accuracy on these images; `None` if there are none.
    pub accuracy_on_them: Option<Interval>,
    /// Its accuracy on the whole pool, for comparison.
    pub accuracy_on_pool: Interval,
}

/// A wrong class that failing surrogates share: images of `label` that they take for `predicted`.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    /// The true class, readable.
    pub label: String,
    /// The wrong class, readable.
    pub predicted: String,
    /// Images that are confused in this way.
    pub items: u64,
    /// The surrogates that confuse them.
    pub surrogates: Vec<String>,
}

/// How much of a category is hard.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryRow {
    /// The category's name.
    pub name: String,
    /// Its images in the pool.
    pub items: u64,
    /// Its images in the hard set.
    pub hard: u64,
}

/// A problem with an item that is not in the result.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedItem {
    /// The item's id or its file.
    pub what: String,
    /// The stage that lost it.
    pub stage: String,
    /// The reason, in words.
    pub reason: String,
}

/// One hard image.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The item's id, unique in the run.
    pub item_id: String,
    /// The source of the image; it is shown and never opened.
    pub file: String,
    /// Its nuisance and prompt, if it was made from a prompt.
    pub made_from: Option<MadeFrom>,
    /// The true class, readable.
    pub label: String,
    /// The category, by which the page filters.
    pub category: String,
    /// A JPEG file, at most 256 px on its longer side; empty if the image could not be read.
    pub thumbnail_jpeg: Vec<u8>,
    /// Width of the image itself.
    pub width_px: u32,
    /// Its height.
    pub height_px: u32,
    /// The prediction of each surrogate.
    pub predictions: Vec<ModelPrediction>,
    /// The prediction of each target.
    pub targets: Vec<ModelPrediction>,
    /// Surrogates that are wrong: 0 to the number of `predictions`.
    pub n_failed: u32,
    /// The class that most failing surrogates gave, and how many gave it.
    pub agreed_wrong: Option<(String, u32)>,
    /// Whether a surrogate's two best classes are so close that another machine may swap them; the caller decides.
    pub near_tie: bool,
    /// Whether so many failing surrogates agree on one wrong class that the label may be wrong; the caller decides.
    pub suspect_label: bool,
}

/// The nuisance and prompt of a made image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MadeFrom {
    /// Kind of nuisance; may be empty.
    pub kind: String,
    /// Its value.
    pub value: String,
    /// The prompt; may be empty.
    pub prompt: String,
}

/// The prediction of one surrogate or target for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelPrediction {
    /// The surrogate's name, as in its [`SurrogateRow`].
    pub surrogate: String,
    /// Its top class, readable.
    pub predicted: String,
    /// Probability of the top class, in [0, 1].
    pub prob: f32,
    /// Probability of the true class, in [0, 1].
    pub true_prob: f32,
    /// Rank of the true class, 1 = top.
    pub true_rank: u32,
    /// Whether the top class counts as right.
    pub correct: bool,
}
