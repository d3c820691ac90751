//! One person under two ids: a tool's export for programs has e-mail addresses where that for people has numbers.
//!
//! Holds always: two ids are one person's only if the same annotation, with the same answer at the same time, has both;
//! numbers of annotations alone are equal in two installations of a tool. Inputs of format 2.0 have no numbers of
//! annotations, so a row without one and a row with one are the same annotation if task, question, answer and time are.

use std::collections::{BTreeMap, HashMap};

use crate::domain::{Answer, AnswerRow};

/// An answer at a time: task, question, answer, milliseconds since 1970 (UTC).
type Place<'a> = (&'a str, &'a str, Option<Answer>, i64);

/// Gives every person one id in all rows: of several the first in the order of the alphabet.
pub fn unite(rows: &mut [AnswerRow]) {
    let mut given: HashMap<Place, Vec<&AnswerRow>> = HashMap::new();
    let mut known_as: BTreeMap<String, String> = BTreeMap::new();
    for row in rows.iter() {
        let Some(at_ms) = row.at_ms else { continue };
        let others = given.entry((&row.task, &row.question, row.answer, at_ms)).or_default();
        for other in others.iter().filter(|other| other.person != row.person && is_same_annotation(other, row)) {
            join(&mut known_as, &other.person, &row.person);
        }
        others.push(row);
    }
    if known_as.is_empty() {
        return;
    }
    for row in rows {
        row.person = first(&known_as, &row.person).to_owned();
    }
}

fn is_same_annotation(a: &AnswerRow, b: &AnswerRow) -> bool {
    match (&a.annotation, &b.annotation) {
        (Some(a), Some(b)) => a == b,
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    }
}

/// Notes that two ids are one person's.
fn join(known_as: &mut BTreeMap<String, String>, a: &str, b: &str) {
    let (a, b) = (first(known_as, a).to_owned(), first(known_as, b).to_owned());
    if a != b {
        known_as.insert(a.clone().max(b.clone()), a.min(b));
    }
}

/// The id that stands for this one.
fn first<'a>(known_as: &'a BTreeMap<String, String>, mut id: &'a str) -> &'a str {
    while let Some(other) = known_as.get(id) {
        id = other;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as `person annotation task answer at`, before; the people, after.
    fn check(rows: &[&str], expected: &str) {
        let row = |text: &&str| {
            let parts: Vec<&str> = text.split(' ').collect();
            AnswerRow {
                person: parts[0].into(),
                annotation: Some(parts[1].into()).filter(|id| id != "-"),
                task: parts[2].into(),
                question: "use".into(),
                answer: Answer::read(parts[3]),
                at_ms: parts[4].parse().ok(),
                problem: None,
            }
        };
        let mut rows: Vec<AnswerRow> = rows.iter().map(row).collect();
        unite(&mut rows);
        let people: Vec<&str> = rows.iter().map(|row| row.person.as_str()).collect();
        assert_eq!(people.join(" "), expected);
    }

    #[test]
    fn the_same_annotation_under_two_ids_is_one_persons() {
        check(&["7 a1 t1 yes 5", "ada a1 t1 yes 5", "ada a2 t2 no 6", "bob a3 t1 no 9"], "7 7 7 bob");
        // As an input of format 2.0 and one of today have it.
        check(&["ada - t1 yes 5", "ada - t2 no 6", "7 a1 t1 yes 5"], "7 7 7");
        check(&["c a1 t1 yes 5", "b a1 t1 yes 5", "b a2 t2 no 6", "a a2 t2 no 6"], "a a a a");
    }

    #[test]
    fn equal_numbers_of_annotations_are_not_enough() {
        check(&["7 a1 t1 yes 5", "ada a1 t1 yes 6"], "7 ada");
        check(&["7 a1 t1 yes 5", "ada a1 t1 no 5"], "7 ada");
        check(&["7 a1 t1 yes 5", "ada a1 t2 yes 5"], "7 ada");
        check(&["7 - t1 yes 5", "ada - t1 yes 5"], "7 ada");
        check(&["7 a1 t1 yes -", "ada a1 t1 yes -"], "7 ada");
    }
}
