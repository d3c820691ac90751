//! Answers to two-choice questions: `parity/vqa`, with the outcomes of ImageNet-D's own code.

use std::collections::BTreeMap;
use std::path::Path;

use hardset::answers::two_choice::{
    Choice, ChoiceTally, FairOutcome, OfficialOutcome, fair_outcome, official_outcome, official_synonyms,
};

use super::{Differences, count, folders, json, numbers, rows, text};

fn fair(truth: &str, other: &str, answer: &str) -> FairOutcome {
    let list = |name: &str| official_synonyms(name).iter().map(|synonym| (*synonym).to_owned()).collect::<Vec<_>>();
    let (of_truth, of_other) = (list(truth), list(other));
    let choice = |name, synonyms| Choice { name, synonyms };
    fair_outcome(choice(truth, &of_truth), choice(other, &of_other), answer)
}

#[test]
fn every_answer_has_the_outcomes_of_the_reference() {
    for folder in folders("vqa") {
        let (mut tally, mut official_counts, mut fair_counts) =
            (ChoiceTally::default(), BTreeMap::new(), BTreeMap::new());
        let rows = rows(&folder.join("answers.tsv"), b'\t');
        for row in &rows {
            let (truth, other, answer) = (&row["gt_category"], &row["pred_category"], &row["answer"]);
            let official = official_outcome(truth, other, answer).expect("no answer is missing");
            let fair = fair(truth, other, answer);
            assert_eq!(official.name(), row["official"], "{truth} / {other}: {answer}");
            assert_eq!(fair.name(), row["fair"], "{truth} / {other}: {answer}");
            tally.add(fair, Some(official), true);
            *official_counts.entry(official.name()).or_insert(0_u64) += 1;
            *fair_counts.entry(fair.name()).or_insert(0_u64) += 1;
        }
        let summary = json(&folder.join("summary.json"));
        assert_eq!(rows.len() as u64, count(&summary["answers"]));
        for (rule, counts) in [("official", &official_counts), ("fair", &fair_counts)] {
            let theirs = summary[rule].as_object().expect("an object").iter();
            let theirs: BTreeMap<&str, u64> = theirs.map(|(name, value)| (name.as_str(), count(value))).collect();
            assert_eq!(*counts, theirs, "{rule}");
        }
        let accuracy = &summary["accuracy"];
        let mut differences = Differences::new(format!("vqa, {} answers", rows.len()), 1e-15);
        let official = &accuracy["official TRUE/(TRUE+FALSE)"];
        differences.hold_maybe("official", tally.official_accuracy(), official);
        let bounds = numbers(&accuracy["fair bounds (BOTH and NONE all wrong, all right)"]);
        for (ours, theirs) in tally.bounds().expect("there are answers").into_iter().zip(bounds) {
            differences.hold("fair", ours, theirs);
        }
    }
}

/// The names of ImageNet-D's 113 categories as its questions write them.
fn category_names() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("categories/imagenet-d.toml");
    let table: toml::Table = std::fs::read_to_string(file).expect("it is readable").parse().expect("it is TOML");
    let written = |id: &str| {
        let bracketed = [
            ("binder closed", "binder (closed)"),
            ("dress shoe men", "dress shoe (men)"),
            ("iron for clothes", "iron (for clothes)"),
            ("laptop open", "laptop (open)"),
            ("nail fastener", "nail (fastener)"),
            ("weight exercise", "weight (exercise)"),
        ];
        let plain = id.replace('_', " ");
        bracketed.iter().find(|(known, _)| *known == plain).map_or(plain, |(_, name)| (*name).to_owned())
    };
    let categories = table["categories"].as_array().expect("a list").iter();
    categories.map(|category| written(category["id"].as_str().expect("an id"))).collect()
}

/// An answer that is a choice's name, for all ordered pairs of names: ImageNet-D's rule decides otherwise for five.
#[test]
fn one_word_answers_of_all_pairs() {
    let names = category_names();
    for folder in folders("vqa") {
        for expected in json(&folder.join("summary.json"))["all_pairs"].as_array().expect("a list") {
            let says_truth = text(&expected["answer"]) == "the truth";
            let (mut pairs, mut official_otherwise, mut fair_otherwise) = (0, Vec::new(), 0);
            for truth in &names {
                for other in names.iter().filter(|other| *other != truth) {
                    let answer = if says_truth { truth } else { other };
                    let wanted = if says_truth { OfficialOutcome::True } else { OfficialOutcome::False };
                    let fair_wanted = if says_truth { FairOutcome::True } else { FairOutcome::False };
                    pairs += 1;
                    if official_outcome(truth, other, answer) != Some(wanted) {
                        official_otherwise.push([truth.as_str(), other.as_str()]);
                    }
                    fair_otherwise += u64::from(fair(truth, other, answer) != fair_wanted);
                }
            }
            assert_eq!(pairs, count(&expected["pairs"]));
            let examples = expected["examples"].as_array().expect("a list").iter();
            let examples: Vec<[&str; 2]> = examples.map(|example| [text(&example[0]), text(&example[1])]).collect();
            assert_eq!(official_otherwise, examples);
            assert_eq!(official_otherwise.len() as u64, count(&expected["scored otherwise"]));
            assert_eq!(fair_otherwise, count(&expected["fair, scored otherwise"]));
        }
    }
}
