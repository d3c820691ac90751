//! The report of one run: records in, the bytes of one self-contained `index.html` out.
//!
//! Does not read or write files, ask the clock, decode images or compute a statistic: whoever calls [`render`]
//! has counted, estimated and shrunk the photographs already. Anything derived here is a sum, a share or an order.
//!
//! Holds always: the page asks nothing of the network (thumbnails are `data:` URIs, style and script are inline and
//! named by hash in its content security policy); every piece of data is escaped; the same report gives the same bytes;
//! without JavaScript everything still shows.

mod charts;
mod gallery;
mod groups;
mod page;
mod people;
mod sections;
mod tables;
pub(in crate::render) mod text;

#[cfg(test)]
mod tests;

/// Everything that the page says. Order of `surrogates` and `leave_one_out` is kept; the other lists are ordered here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Heading of the page, for example the name of the pipeline.
    pub title: String,
    /// What was run, as (name, value): recipe, rule, label space, tool version, seed, runtime … in this order.
    pub facts: Vec<(String, String)>,
    /// Images in the pool: the denominator of the hard set's share.
    pub pool_items: u64,
    /// Images in the hard set, shown here or not.
    pub hard_items: u64,
    /// Images that a stage dropped.
    pub dropped_items: u64,
    /// Images marked as near ties, in the whole pool.
    pub near_ties: u64,
    /// One row for each classifier that mined.
    pub surrogates: Vec<SurrogateRow>,
    /// One row for each model that was scored and had no say.
    pub targets: Vec<TargetRow>,
    /// One row for each value of a nuisance; empty for photographs.
    pub nuisances: Vec<NuisanceRow>,
    /// Images by number of failing surrogates: index 0..=k.
    pub failures_histogram: Vec<u64>,
    /// Fewest failures that make an image hard, where the rule is a count (`at-least=3` gives 3); bars from there on are
    /// set off. `None` for rules of another kind.
    pub hard_from_failures: Option<u32>,
    /// How far the surrogates fail alike, pair by pair.
    pub agreement: Agreement,
    /// One row for each surrogate; empty when there is only one.
    pub leave_one_out: Vec<LeaveOneOut>,
    /// Wrong classes that surrogates share.
    pub confusions: Vec<Confusion>,
    /// One row for each category of the pool, whether it has hard images or not.
    pub categories: Vec<CategoryRow>,
    /// What people said of the hard images; `None` before anybody has.
    pub people: Option<People>,
    /// Why images were dropped: a row for everything that went wrong with one of them.
    pub dropped: Vec<DroppedItem>,
    /// Hard images to show.
    pub cards: Vec<Card>,
    /// Hard images that are not among `cards` because of the page's limit.
    pub cards_left_out: u64,
}

/// What people said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct People {
    /// When an image is accepted, in words.
    pub rule: String,
    /// Images by verdict.
    pub accepted: u64,
    /// See `accepted`.
    pub rejected: u64,
    /// See `accepted`.
    pub undecided: u64,
    /// Sheets filled in.
    pub assignments: u64,
    /// Of these, set aside for their sentinels.
    pub set_aside: u64,
    /// One for each question.
    pub opinions: Vec<Opinion>,
    /// One for each person.
    pub people: Vec<Person>,
    /// Images on which people are split, most first.
    pub disputed: Vec<Disputed>,
}

/// How far people agree on one question.
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

/// One person's part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// Opaque.
    pub name: String,
    /// Sheets filled in.
    pub sheets: u64,
    /// Of these, set aside.
    pub set_aside: u64,
    /// Votes that count.
    pub votes: u64,
    /// Share of pairs with other people's votes that are equal, in [0, 1].
    pub agreement: Option<f64>,
}

/// An image on which people are split.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Disputed {
    /// The item's id.
    pub item_id: String,
    /// The category, readable.
    pub label: String,
    /// What was decided.
    pub verdict: String,
    /// A JPEG file; empty when the image could not be read again.
    pub thumbnail_jpeg: Vec<u8>,
    /// For each question the votes: no, not sure, yes.
    pub votes: Vec<(String, [u64; 3])>,
}

/// One surrogate over the pool and over the hard set.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateRow {
    /// The surrogate's name.
    pub name: String,
    /// Hexadecimal SHA-256 of the weights.
    pub weights_sha256: String,
    /// Top-1 accuracy on the pool.
    pub accuracy: Interval,
    /// Images scored: the denominator of `accuracy`.
    pub items: u64,
    /// Of `items`, those that it has right.
    pub correct: u64,
    /// Of the `hard_items` hard images, those that it has right.
    pub correct_on_hard: u64,
    /// Hard images: the denominator of `correct_on_hard`.
    pub hard_items: u64,
    /// What ran it, for example `onnxruntime 1.31.1, cpu`.
    pub runtime: String,
}

/// A model that had no say, over the pool and over the hard set.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// Hexadecimal SHA-256 of the weights.
    pub weights_sha256: String,
    /// Top-1 accuracy on the pool.
    pub on_pool: Interval,
    /// Images of the pool that it has scored.
    pub items: u64,
    /// Top-1 accuracy on the hard set; `None` without hard images.
    pub on_hard: Option<Interval>,
    /// Hard images that it has scored.
    pub hard_items: u64,
    /// What ran it.
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
    /// Those of them in the hard set.
    pub hard: u64,
    /// Top-1 accuracy, the mean over the surrogates.
    pub accuracy: Interval,
}

/// A proportion with its 95 % Wilson interval, all in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The observed proportion.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Pairwise agreement of the surrogates: square matrices in the order of `names`; `None` where it is undefined.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agreement {
    /// The surrogates, in the order of rows and columns.
    pub names: Vec<String>,
    /// Error consistency: Cohen's kappa of right and wrong, in [-1, 1] (Geirhos, Meding and Wichmann, 2020).
    pub kappa: Vec<Vec<Option<f64>>>,
    /// Of the images on which both are wrong, the share in [0, 1] on which they give the same class.
    pub both_wrong_same_class: Vec<Vec<Option<f64>>>,
}

/// One surrogate against the images that the others mine without it.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaveOneOut {
    /// The surrogate that has no say.
    pub left_out: String,
    /// Images that the rule selects when this surrogate has no say.
    pub mined_by_others: u64,
    /// Its accuracy on those; `None` when there are none.
    pub accuracy_on_them: Option<Interval>,
    /// Its accuracy on the whole pool, for comparison.
    pub accuracy_on_pool: Interval,
}

/// A wrong class that failing surrogates share: images of `label` that are called `predicted`.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    /// The true class, readable.
    pub label: String,
    /// The wrong class, readable.
    pub predicted: String,
    /// Images that are confused in this way.
    pub items: u64,
    /// The surrogates that make it.
    pub surrogates: Vec<String>,
}

/// How much of a category is hard.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoryRow {
    /// The category's name.
    pub name: String,
    /// Its images in the pool.
    pub items: u64,
    /// Those of them in the hard set.
    pub hard: u64,
}

/// An image that left the run before it could be mined.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedItem {
    /// The item's id or its file.
    pub what: String,
    /// The stage that dropped it.
    pub stage: String,
    /// Why, in words.
    pub reason: String,
}

/// One hard image.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// The item's id, unique in the run.
    pub item_id: String,
    /// Where the image came from: shown, never opened.
    pub file: String,
    /// Kind and value of its nuisance, and the prompt, if it was made from one.
    pub made_from: Option<MadeFrom>,
    /// The true class, readable.
    pub label: String,
    /// The category, by which the page filters.
    pub category: String,
    /// A JPEG file, about 320 px on its longer side; empty when the image could not be read again.
    pub thumbnail_jpeg: Vec<u8>,
    /// Width of the image itself.
    pub width_px: u32,
    /// Its height.
    pub height_px: u32,
    /// One for each surrogate.
    pub verdicts: Vec<Verdict>,
    /// One for each target.
    pub targets: Vec<Verdict>,
    /// Surrogates that are wrong: 0 to the number of `verdicts`.
    pub n_failed: u32,
    /// The class that most failing surrogates gave, and how many gave it.
    pub agreed_wrong: Option<(String, u32)>,
    /// A surrogate's two best classes were too close for its verdict to be safe; the threshold is the caller's.
    pub near_tie: bool,
    /// Most failing surrogates (the caller says how many that is) agree on one wrong class: perhaps the label is wrong.
    pub suspect_label: bool,
}

/// What a made image was asked to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MadeFrom {
    /// Kind of nuisance; may be empty.
    pub kind: String,
    /// Its value.
    pub value: String,
    /// The prompt; may be empty.
    pub prompt: String,
}

/// What one surrogate said of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
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
    /// Whether the label space counts the top class as right.
    pub correct: bool,
}

/// Writes the page: UTF-8, one file, ready to be stored as `index.html` or sent by mail.
///
/// Never fails: an empty report is a page that says so, and a number that is not finite is shown as a dash.
pub fn render(report: &Report) -> Vec<u8> {
    page::page(report).into_string().into_bytes()
}
