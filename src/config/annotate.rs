//! The section `[annotate]` of a recipe: checks and defaults.

use std::path::Path;

use super::{ConfigError, Override, real_path};
use crate::domain::{AnnotateSpec, ExportFormat, parse_time};

/// The largest sheet: more images than a person judges in one sitting.
const MOST_IMAGES: u32 = 1000;

/// Checks the section of the recipe `file` in folder `dir`; its path is made absolute.
pub fn check(mut spec: AnnotateSpec, dir: &Path, file: &str) -> Result<AnnotateSpec, ConfigError> {
    if let Some(folder) = &mut spec.sentinels.known_good {
        *folder = real_path(&dir.join(&*folder));
    }
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, &format!("annotate.{key}"), problem));
    if !(1..=MOST_IMAGES).contains(&spec.images_per_batch) {
        return refuse("images_per_batch", "is outside 1 to 1000");
    }
    if spec.sentinels.per_batch() + spec.sentinels.repeats > spec.images_per_batch || spec.candidates_per_batch() == 0 {
        return refuse("images_per_batch", "leaves no room for candidates beside the sentinels; make it larger");
    }
    if 4 * spec.sentinels.repeats > spec.images_per_batch {
        return refuse(
            "sentinels.repeats",
            "is more than a quarter of images_per_batch, so that repeats would be too close together",
        );
    }
    if !(1..=1000).contains(&spec.people_per_batch) {
        return refuse("people_per_batch", "is outside 1 to 1000");
    }
    if !(64..=2048).contains(&spec.image_px) {
        return refuse("image_px", "is outside 64 to 2048");
    }
    if spec.max_items == Some(0) || spec.verdict.min_votes == 0 {
        return refuse("max_items", "and `verdict.min_votes` must be 1 or more");
    }
    let shares = [
        ("sentinels.min_prob", spec.sentinels.min_prob),
        ("sentinels.max_other_prob", spec.sentinels.max_other_prob),
        ("check.answered", spec.check.answered),
        ("check.positives", spec.check.positives),
        ("check.negatives", spec.check.negatives),
        ("check.repeats", spec.check.repeats),
    ];
    if let Some((key, _)) = shares.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
        return refuse(key, "is outside 0 to 1");
    }
    if !(0.0..1e6).contains(&spec.pay.reward) || !(0.0..=10.0).contains(&spec.pay.fee) {
        return refuse("pay", "needs a `reward` of 0 or more and a `fee` of 0 to 10 (a share of the reward)");
    }
    if spec.check.closes.as_deref().is_some_and(|closes| parse_time(closes).is_none()) {
        return refuse("check.closes", "is not a date and time such as \"2026-12-01T00:00:00Z\"");
    }
    if spec.export.contains(&ExportFormat::Prolific) {
        return refuse("export", "cannot contain \"prolific\", which needs `annotate export --image-url`");
    }
    questions(&spec, file)?;
    Ok(spec)
}

fn questions(spec: &AnnotateSpec, file: &str) -> Result<(), ConfigError> {
    let refuse = |problem: String| Err(ConfigError::value(file, "annotate.questions", problem));
    let plain = |id: &str| {
        id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.len() <= 40
            && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for (at, question) in spec.questions.iter().enumerate() {
        let id = &question.id;
        if !plain(id) || TAKEN.contains(&id.as_str()) {
            return refuse(format!(
                "has the id `{id}`; use lower-case letters, digits and `_`, but not one of {TAKEN:?}"
            ));
        }
        // The column `<id>_question` of task files has the text of a question.
        if spec.questions[..at].iter().any(|other| other.id == *id) || id.ends_with("_question") {
            return refuse(format!("has the id `{id}`, which is used twice or ends in `_question`"));
        }
        if question.text.trim().is_empty() || !(0.0..=1.0).contains(&question.accept_at) {
            return refuse(format!("`{id}` needs a `text`, and `accept_at` from 0 to 1"));
        }
    }
    if spec.questions.is_empty() {
        return refuse("is empty; ask at least one question".to_owned());
    }
    if spec.sentinels.negatives > 0 && !spec.questions.iter().any(|question| question.negatives) {
        let problem = "has no question with `negatives = true`, so that negative sentinels would check nothing; \
                       set it for one question, or set `sentinels.negatives = 0`";
        return refuse(problem.to_owned());
    }
    Ok(())
}

/// Ids that questions cannot have: columns of task files, and columns that have another meaning in files of answers.
const TAKEN: [&str; 20] = [
    "batch",
    "task",
    "image",
    "category",
    "gloss",
    "person",
    "position",
    "at",
    "question",
    "question_id",
    "instruction",
    "answer",
    "response",
    "value",
    "participant",
    "worker",
    "annotator",
    "created_at",
    "updated_at",
    "answered_at",
];

impl Override {
    /// A stored section with some keys changed; `overrides` name them in full (`annotate.check.repeats`).
    pub fn annotate(spec: &AnnotateSpec, overrides: &[Self], file: &str) -> Result<AnnotateSpec, ConfigError> {
        check(Self::section("annotate", spec, overrides, file)?, Path::new(""), file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<AnnotateSpec, String> {
        let spec: AnnotateSpec = toml::from_str(text).map_err(|e| e.to_string())?;
        check(spec, Path::new("/recipes"), "x.toml").map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_section_is_imagenetv2s_design_with_imagenet_ds_questions() {
        let spec = checked("").unwrap();
        assert_eq!((spec.images_per_batch, spec.people_per_batch, spec.candidates_per_batch()), (48, 10, 40));
        assert_eq!(spec.questions.iter().map(|q| q.id.as_str()).collect::<Vec<_>>(), ["recognise", "use"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_key() {
        for (text, key) in [
            ("images_per_batch = 8", "annotate.images_per_batch"),
            ("image_px = 1", "annotate.image_px"),
            ("sentinels = { repeats = 13 }", "annotate.sentinels.repeats"),
            ("check.repeats = 2", "annotate.check.repeats"),
            ("check.closes = 'soon'", "annotate.check.closes"),
            ("questions = [{ id = 'task', text = 'x', accept_at = 1, negatives = true }]", "annotate.questions"),
            ("questions = [{ id = 'a', text = 'x', accept_at = 1 }]", "annotate.questions"),
            ("export = ['prolific']", "annotate.export"),
            ("surprise = 1", "surprise"),
        ] {
            let message = checked(text).unwrap_err();
            assert!(message.contains(key), "{text}: {message}");
        }
    }

    #[test]
    fn a_stored_section_takes_changes_of_its_own_keys_only() {
        let change = |text: &str| Override::annotate(&AnnotateSpec::default(), &[text.parse().unwrap()], "spec.toml");
        assert_eq!(change("annotate.verdict.min_votes=5").unwrap().verdict.min_votes, 5);
        assert!(change("mine.rule=all").unwrap_err().to_string().contains("[annotate]"));
        assert!(change("annotate.people_per_batch=0").is_err());
    }
}
