//! Checks the answers of all inputs: which count as votes, and whose assignments are set aside.
//!
//! Holds always: every answer is returned once, with a reason if it does not count, because a vote that vanishes
//! changes a verdict unseen; a person has one vote on an item and question.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::round::Round;
use super::same_person::unite;
use crate::domain::{
    AnnotateSpec, Answer, AnswerRow, Assignment, CheckSpec, ChecksPassed, ItemId, Task, TaskKind, VoteRow, parse_time,
};

/// The answers, each with a reason if it does not count, and the assignments.
#[derive(Debug, Default)]
pub struct CheckedAnswers {
    /// All answers, in the order in which they were given.
    pub votes: Vec<VoteRow>,
    /// One row for each sheet and person.
    pub assignments: Vec<Assignment>,
}

/// Why an assignment that is not finished does not count yet.
const TOO_FEW: &str = "too few of its sentinels are answered";

/// Whether the person has finished the sheet, passed or not; a sheet only started is not finished.
pub fn is_done(assignment: &Assignment) -> bool {
    assignment.reason.as_deref() != Some(TOO_FEW)
}

/// Answers of one person to one sheet: by task and question.
type Answers<'a> = BTreeMap<(&'a str, &'a str), Answer>;

/// The sheets to which the answers belong.
struct Sheets<'a> {
    spec: &'a AnnotateSpec,
    /// All tasks, by name.
    tasks: HashMap<&'a str, &'a Task>,
    /// The tasks of each sheet, by its name.
    by_batch: HashMap<&'a str, &'a [Task]>,
    /// Tasks whose images people could not see.
    blanks: &'a BTreeSet<String>,
}

/// Checks all answers. `rows`: those of all inputs, each input's in its own order. `blanks`: tasks whose images people
/// could not see.
pub fn check_answers(
    spec: &AnnotateSpec,
    rounds: &[Round],
    blanks: &BTreeSet<String>,
    mut rows: Vec<AnswerRow>,
) -> CheckedAnswers {
    unite(&mut rows);
    let tasks = rounds.iter().flat_map(|round| &round.tasks);
    let sheets = Sheets {
        spec,
        tasks: tasks.map(|task| (task.name.as_str(), task)).collect(),
        by_batch: rounds.iter().flat_map(Round::sheets).map(|sheet| (sheet[0].batch.as_str(), sheet)).collect(),
        blanks,
    };
    let rows = in_order(rows);
    let reasons = sheets.first_look(&rows);
    let mut answers: BTreeMap<(&str, &str), Answers> = BTreeMap::new();
    for (row, reason) in rows.iter().zip(&reasons) {
        if let (None, Some(task), Some(answer)) = (reason, sheets.tasks.get(row.task.as_str()), row.answer) {
            let sheet = answers.entry((&row.person, &task.batch)).or_default();
            sheet.insert((&row.task, &row.question), answer);
        }
    }
    let assignments = sheets.assignments(&answers);
    let votes = votes(&sheets.tasks, &rows, reasons, &assignments);
    CheckedAnswers { votes, assignments }
}

/// Rows by time, those without a time first; rows of one time in the order in which inputs were collected.
fn in_order(mut rows: Vec<AnswerRow>) -> Vec<AnswerRow> {
    rows.sort_by_key(|row| row.at_ms.unwrap_or(i64::MIN));
    rows
}

impl<'a> Sheets<'a> {
    /// Why rows cannot count, whatever the rest of their assignments. Of several answers of a person to one question
    /// about one task the last counts, because people correct themselves.
    fn first_look(&self, rows: &[AnswerRow]) -> Vec<Option<String>> {
        let closes = self.spec.check.closes.as_deref().and_then(parse_time);
        let mut later: HashMap<(&str, &str, &str), Option<Answer>> = HashMap::new();
        let mut reasons: Vec<Option<String>> = Vec::with_capacity(rows.len());
        for row in rows.iter().rev() {
            let mut reason = self.reason_of(row, closes);
            if reason.is_none() {
                reason = match later.insert((&row.person, &row.task, &row.question), row.answer) {
                    None => None,
                    Some(answer) if answer == row.answer => {
                        Some("the person gave the same answer again later".to_owned())
                    }
                    Some(_) => Some("the person changed this answer later".to_owned()),
                };
            }
            reasons.push(reason);
        }
        reasons.reverse();
        reasons
    }

    /// Why a row cannot count, known from the row alone. `closes`: in milliseconds since 1970 (UTC).
    fn reason_of(&self, row: &AnswerRow, closes: Option<i64>) -> Option<String> {
        if let Some(problem) = &row.problem {
            return Some(problem.clone());
        }
        if !self.tasks.contains_key(row.task.as_str()) {
            return Some("the task is not on a sheet of this run".to_owned());
        }
        if !self.spec.questions.iter().any(|question| question.id == row.question) {
            return Some("the recipe does not have this question".to_owned());
        }
        match (closes, row.at_ms) {
            (Some(_), None) => return Some("it has no time, but the recipe has a closing date".to_owned()),
            (Some(closes), Some(at)) if at > closes => return Some("given after the closing date".to_owned()),
            _ => {}
        }
        self.blanks.contains(&row.task).then(|| "the image could not be shown".to_owned())
    }

    /// Every assignment with its sentinels counted, and whether it or its person is set aside.
    fn assignments(&self, answers: &BTreeMap<(&str, &str), Answers>) -> Vec<Assignment> {
        let mut assignments = Vec::with_capacity(answers.len());
        for ((person, batch), answers) in answers {
            let Some(sheet) = self.by_batch.get(batch) else { continue };
            let shown: Vec<&Task> = sheet.iter().filter(|task| !self.blanks.contains(&task.name)).collect();
            let mut row = Assignment {
                batch: (*batch).to_owned(),
                person: (*person).to_owned(),
                answers: answers.len() as u32,
                positives: ChecksPassed::default(),
                negatives: ChecksPassed::default(),
                repeats: ChecksPassed::default(),
                reason: None,
            };
            self.check(&mut row, &shown, answers);
            assignments.push(row);
        }
        self.set_people_aside(&mut assignments);
        assignments
    }

    /// Counts the sentinels of an assignment and sets it aside if too many of them failed.
    fn check(&self, row: &mut Assignment, shown: &[&Task], answers: &Answers) {
        // Number of sentinel answers that a whole sheet has, in the order positive, negative, repeat.
        let mut wanted = [0_u32; 3];
        for task in shown {
            for question in &self.spec.questions {
                let answer = |task: &str| answers.get(&(task, question.id.as_str())).copied();
                let own = answer(&task.name);
                let (kind, passed) = match &task.kind {
                    TaskKind::Positive if question.positives => (0, own.map(|own| own == Answer::Yes)),
                    TaskKind::Negative if question.negatives => (1, own.map(|own| own == Answer::No)),
                    TaskKind::Repeat(first) => (2, own.zip(answer(first)).map(|(own, first)| own == first)),
                    TaskKind::Candidate | TaskKind::Positive | TaskKind::Negative => continue,
                };
                wanted[kind] += 1;
                if let Some(passed) = passed {
                    [&mut row.positives, &mut row.negatives, &mut row.repeats][kind].count(passed);
                }
            }
        }
        let counted = [row.positives, row.negatives, row.repeats];
        let few = counted.iter().zip(wanted).any(|(counted, wanted)| {
            let answered = ChecksPassed { passed: counted.all, all: wanted };
            !answered.reaches(self.spec.check.answered)
        });
        row.reason = match failed(&self.spec.check, row) {
            Some(failed) => Some(format!("the sentinels failed: {failed}")),
            None if few => Some(TOO_FEW.to_owned()),
            None => None,
        };
    }

    /// A person who fails over all sheets also loses the sheets that passed by luck.
    fn set_people_aside(&self, assignments: &mut [Assignment]) {
        let mut places_of: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, assignment) in assignments.iter().enumerate() {
            places_of.entry(assignment.person.clone()).or_default().push(at);
        }
        for places in places_of.values().filter(|places| places.len() > 1) {
            let mut all = Assignment { reason: None, ..assignments[places[0]].clone() };
            for &at in &places[1..] {
                all.positives.add(assignments[at].positives);
                all.negatives.add(assignments[at].negatives);
                all.repeats.add(assignments[at].repeats);
            }
            let Some(failed) = failed(&self.spec.check, &all) else { continue };
            for &at in places {
                let reason = &mut assignments[at].reason;
                if reason.is_none() {
                    *reason = Some(format!("the person failed the sentinels of all sheets: {failed}"));
                }
            }
        }
    }
}

/// Which shares are too small.
fn failed(check: &CheckSpec, row: &Assignment) -> Option<String> {
    let kinds = [
        ("positive", row.positives, check.positives),
        ("negative", row.negatives, check.negatives),
        ("repeated", row.repeats, check.repeats),
    ];
    let mut failed = Vec::new();
    for (kind, passed, least) in kinds {
        if !passed.reaches(least) {
            failed.push(format!("{} of {} {kind}, {least} is the least share", passed.passed, passed.all));
        }
    }
    if failed.is_empty() { None } else { Some(failed.join("; ")) }
}

fn votes(
    tasks: &HashMap<&str, &Task>,
    rows: &[AnswerRow],
    reasons: Vec<Option<String>>,
    assignments: &[Assignment],
) -> Vec<VoteRow> {
    let aside: HashSet<(&str, &str)> = (assignments.iter().filter(|row| row.reason.is_some()))
        .map(|row| (row.person.as_str(), row.batch.as_str()))
        .collect();
    let mut judged: BTreeSet<(&str, ItemId, &str)> = BTreeSet::new();
    let mut votes = Vec::with_capacity(rows.len());
    for (row, first_reason) in rows.iter().zip(reasons) {
        let task = tasks.get(row.task.as_str()).copied();
        let item_id = task.and_then(|task| task.image.item());
        let mut reason = first_reason.or_else(|| secret_reason(task?, row, &aside));
        if let (None, Some(item)) = (&reason, item_id)
            && !judged.insert((&row.person, item, &row.question))
        {
            reason = Some("the person judged this image on another sheet".to_owned());
        }
        let set_aside = |task: &Task| aside.contains(&(row.person.as_str(), task.batch.as_str()));
        let is_sentinel =
            task.is_some_and(|task| sentinel(task).is_some() && reason == sentinel(task) && !set_aside(task));
        let batch = task.map(|task| task.batch.clone());
        votes.push(VoteRow { given: row.clone(), batch, item_id, is_sentinel, reason });
    }
    votes
}

/// Why a vote does not count although its row is valid: the task is a sentinel, or the assignment is set aside.
fn secret_reason(task: &Task, row: &AnswerRow, aside: &HashSet<(&str, &str)>) -> Option<String> {
    let set_aside = || aside.contains(&(row.person.as_str(), task.batch.as_str()));
    sentinel(task).or_else(|| set_aside().then(|| "the assignment is set aside".to_owned()))
}

/// Why answers to sentinels are no votes.
fn sentinel(task: &Task) -> Option<String> {
    (task.kind != TaskKind::Candidate).then(|| format!("a {} sentinel", task.kind.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TaskImage;

    /// ImageNet-D's first question alone.
    fn spec() -> AnnotateSpec {
        let mut spec = AnnotateSpec::default();
        spec.questions.truncate(1);
        spec
    }

    /// One sheet of two candidates (`c1`, `c2`), `c1` again (`r`), a positive (`p`) and a negative (`n`).
    fn rounds() -> Vec<Round> {
        let task = |name: &str, item: u32, kind| Task {
            batch: "b".into(),
            people: 3,
            position: 0,
            name: name.into(),
            category: "mug".into(),
            image: TaskImage::Item(ItemId(item)),
            kind,
        };
        let tasks = vec![
            task("c1", 1, TaskKind::Candidate),
            task("c2", 2, TaskKind::Candidate),
            task("r", 1, TaskKind::Repeat("c1".into())),
            task("p", 8, TaskKind::Positive),
            task("n", 9, TaskKind::Negative),
        ];
        vec![Round { index: 0, tasks }]
    }

    /// `person task answer` of the question `recognise`, at times 0, 1, 2 …
    fn rows(text: &str) -> Vec<AnswerRow> {
        let row = |at: i64, line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let mut word = || words.next().unwrap();
            let (person, task) = (word(), word());
            let answer = Answer::read(&word());
            AnswerRow {
                person,
                task,
                question: "recognise".into(),
                answer,
                at_ms: Some(at),
                problem: None,
                annotation: None,
            }
        };
        (0..).zip(text.split(',')).map(|(at, line)| row(at, line)).collect()
    }

    fn check(answers: &str, expected: &[&str]) {
        let checked = check_answers(&spec(), &rounds(), &BTreeSet::new(), rows(answers));
        let said = |vote: &VoteRow| vote.reason.clone().unwrap_or_else(|| "counts".to_owned());
        let found: Vec<String> = checked.votes.iter().map(said).collect();
        assert!(found.iter().zip(expected).all(|(found, part)| found.contains(part)), "{found:#?}");
        assert_eq!(found.len(), expected.len());
    }

    #[test]
    fn votes_of_a_careful_person_count_and_sentinels_do_not() {
        check(
            "a c1 yes, a c2 no, a r yes, a p yes, a n no",
            &["counts", "counts", "a repeat sentinel", "a positive sentinel", "a negative sentinel"],
        );
    }

    #[test]
    fn who_always_says_yes_is_set_aside() {
        check(
            "a c1 yes, a c2 yes, a r yes, a p yes, a n yes",
            &["set aside", "set aside", "a repeat", "a positive", "a negative"],
        );
    }

    #[test]
    fn who_says_another_thing_of_the_same_image_is_set_aside() {
        check("a c1 yes, a r no, a p yes, a n no", &["set aside", "a repeat", "a positive", "a negative"]);
    }

    #[test]
    fn an_assignment_with_an_unanswered_sentinel_waits() {
        check("a c1 yes, a c2 yes", &["set aside", "set aside"]);
        check("a c1 yes, a p yes, a n no", &["set aside", "a positive", "a negative"]);
    }

    #[test]
    fn the_last_answer_of_a_person_is_the_one() {
        check(
            "a p yes, a n no, a c1 no, a c1 no, a r yes, a c1 yes, a x yes",
            &["a positive", "a negative", "same answer again", "changed", "a repeat", "counts", "not on a sheet"],
        );
    }

    #[test]
    fn what_could_not_be_shown_neither_counts_nor_sets_anybody_aside() {
        let blanks = ["n".to_owned(), "c2".to_owned()].into();
        let checked = check_answers(&spec(), &rounds(), &blanks, rows("a c1 yes, a c2 no, a r yes, a p yes, a n yes"));
        let counts: Vec<bool> = checked.votes.iter().map(|vote| vote.reason.is_none()).collect();
        assert_eq!(counts, [true, false, false, false, false]);
    }

    #[test]
    fn late_answers_and_other_questions_do_not_count() {
        let spec = AnnotateSpec {
            check: CheckSpec { closes: Some("1970-01-01T00:00:00Z".into()), ..CheckSpec::default() },
            ..spec()
        };
        let mut rows = rows("a c1 yes, a c2 yes, a c2 no");
        rows[2].question = "colour".into();
        let reasons: Vec<_> = check_answers(&spec, &rounds(), &BTreeSet::new(), rows)
            .votes
            .into_iter()
            .map(|vote| vote.reason.unwrap_or_default())
            .collect();
        assert!(reasons[1].contains("closing") && reasons[2].contains("does not have this question"), "{reasons:?}");
    }

    #[test]
    fn a_person_who_fails_over_all_sheets_loses_the_sheets_that_passed_by_luck() {
        let mut rounds = rounds();
        let again = |task: &Task| Task { batch: "d".into(), name: format!("d{}", task.name), ..task.clone() };
        let other: Vec<Task> = rounds[0].tasks.iter().map(again).collect();
        rounds[0].tasks.extend(other);
        let again = |task: &Task| match &task.kind {
            TaskKind::Repeat(first) => TaskKind::Repeat(format!("d{first}")),
            kind => kind.clone(),
        };
        rounds[0].tasks.iter_mut().filter(|task| task.batch == "d").for_each(|task| task.kind = again(task));
        let rows = rows("a c1 yes, a r yes, a p yes, a n no, a dc1 yes, a dr yes, a dp no, a dn yes");
        let checked = check_answers(&spec(), &rounds, &BTreeSet::new(), rows);
        let reasons: Vec<_> = checked.assignments.iter().map(|row| row.reason.clone().unwrap_or_default()).collect();
        assert!(reasons[0].contains("all sheets") && reasons[1].contains("the sentinels failed"), "{reasons:?}");
    }
}
