//! Questions with two choices: their table as CSV, and the section of the page.

use maud::{Markup, html};

use super::super::parts::tables::{head, table};
use super::super::parts::text::name;
use super::data::EvaluationPage;
use super::leaderboard::interval;
use super::section::{find, section};
use crate::domain::ChoiceRow;
use crate::render::numbers::{DASH, bounds, count, percent};

const HEAD: [&str; 8] = ["path", "truth", "other", "first", "question", "answer", "fair", "official"];
const FIRST: [&str; 2] = ["truth", "other"];
const SPACE: &str = "two-choice";

/// `questions.csv` and `answers/<name>.csv`.
pub fn choices_csv(rows: &[ChoiceRow]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // These cannot fail: they write into memory, and all rows have the cells of the head.
    let _ = writer.write_record(HEAD);
    for row in rows {
        let first = if row.truth_first { FIRST[0] } else { FIRST[1] };
        let question = row.question();
        let _ = writer.write_record([
            &row.path,
            &row.truth,
            &row.other,
            first,
            &question,
            &row.answer,
            &row.fair,
            &row.official,
        ]);
    }
    writer.into_inner().unwrap_or_default()
}

/// `left-out.csv`: paths and reasons.
pub fn left_out_csv<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let _ = writer.write_record(["path", "reason"]);
    for (path, reason) in rows {
        let _ = writer.write_record([path, reason]);
    }
    writer.into_inner().unwrap_or_default()
}

/// The rows of [`choices_csv`]; an error says what is wrong.
pub fn read_choices(bytes: &[u8]) -> Result<Vec<ChoiceRow>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    if reader.headers().map_err(|e| e.to_string())? != HEAD[..] {
        return Err(format!("its first line is not {}", HEAD.join(",")));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let text = |at: usize| record.get(at).unwrap_or_default().to_owned();
        rows.push(ChoiceRow {
            path: text(0),
            truth: text(1),
            other: text(2),
            truth_first: text(3) == FIRST[0],
            answer: text(5),
            fair: text(6),
            official: text(7),
        });
    }
    Ok(rows)
}

/// The section; absent without answers.
pub fn choices(page: &EvaluationPage) -> Option<Markup> {
    let mut names: Vec<&str> = page
        .figures
        .iter()
        .filter(|figure| figure.space == SPACE && figure.metric == "accuracy")
        .map(|figure| figure.target.as_str())
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return None;
    }
    let row = |target: &&str| {
        let found = |metric: &str| find(page.figures, target, SPACE, metric);
        let value = |metric: &str| found(metric).and_then(|figure| figure.value);
        let shown = |metric: &str| value(metric).map_or_else(|| DASH.to_owned(), percent);
        let counted = |metric: &str| value(metric).map_or_else(|| DASH.to_owned(), |value| count(value as u64));
        let within = |metric: &str| found(metric).and_then(interval).map_or_else(|| DASH.to_owned(), |i| bounds(&i));
        html! {
            th scope="row" { (name(target)) }
            td.number { (shown("accuracy")) }
            td.number { (within("accuracy")) }
            td.number { (shown("accuracy_at_most")) }
            td.number { (counted("answers_both")) }
            td.number { (counted("answers_none")) }
            td.number { (shown("first_choice")) " " span.of { (within("first_choice")) } }
            td.number { (shown("accuracy_official")) }
            td.number { (count(found("accuracy").map_or(0, |figure| figure.n))) }
        }
    };
    let rows: Vec<Markup> = names.iter().map(row).collect();
    let titles =
        ["Model", "Right#", "95 %#", "At most#", "Both#", "None#", "First choice#", "ImageNet-D's rule#", "Questions#"];
    let note = "Answers in free text. Right: names the true category alone, as whole words; chance is 50 %. Both and \
                none count as wrong; at most: if they were all right. First choice: 50 % without a bias for the place. \
                ImageNet-D's rule looks for substrings and leaves out what it cannot decide.";
    section("choices", "Questions with two choices", note, table("Two choices", &head(&titles), &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let row = |path: &str, answer: &str, truth_first: bool| ChoiceRow {
            path: path.to_owned(),
            truth: "mug".to_owned(),
            other: "vase, tall".to_owned(),
            truth_first,
            answer: answer.to_owned(),
            fair: "TRUE".to_owned(),
            official: String::new(),
        };
        let rows = vec![row("a/b.png", "a \"mug\",\nI think", true), row("c.png", "", false)];
        assert_eq!(read_choices(&choices_csv(&rows)), Ok(rows.clone()));
        assert!(rows[1].question().ends_with(": vase, tall, mug."));
        assert!(read_choices(b"path,truth\n").is_err());
    }
}
