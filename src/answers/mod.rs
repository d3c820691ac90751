//! Files of answers -> rows, for every tool that writes them.
//!
//! Bytes in, rows out: opens no file and knows neither runs nor tasks. Holds always: a row that is not valid is
//! returned with its problem and costs no other, because every answer must be accounted for; only a file without any
//! recognisable row is an error; no input causes a panic, because the files come from outside.

mod error;
mod json;
mod label_studio;
mod records;
mod row;
mod table;
pub mod two_choice;

use crate::domain::RawAnswer;
use crate::input;

pub use error::AnswersError;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 20;

/// Reads a file of answers to `questions` (their ids): JSON of Label Studio or our lines of it, or a table of ours, of
/// Label Studio, of Prolific or of Mechanical Turk. The first character that is not white space decides the format.
/// `person`: who gave all answers, whatever the file says.
pub fn read(bytes: &[u8], questions: &[String], person: Option<&str>) -> Result<Vec<RawAnswer>, AnswersError> {
    // A name in an old encoding must not cost the other cells.
    let text = input::text_with_gaps(bytes);
    let rows = match text.trim_start().chars().next() {
        None => return Err(AnswersError::Empty),
        Some('[' | '{') => json::read(&text, questions)?,
        Some(_) if json::are_lines(&text) => json::read(&text, questions)?,
        Some(_) => table::read(&text, questions, person.is_some())?,
    };
    Ok(match person {
        Some(person) => rows.into_iter().map(|row| given_by(row, person)).collect(),
        None => rows,
    })
}

/// The row as an answer of this person. Another installation of a tool has other annotations of the same number.
fn given_by(row: RawAnswer, person: &str) -> RawAnswer {
    let problem = row.problem.filter(|problem| problem != row::NO_PERSON);
    let is_open = problem.is_none();
    let row = RawAnswer { person: person.to_owned(), annotation: None, problem, ..row };
    if is_open { row::checked(row) } else { row }
}

/// Whether the file is a database of `annotate serve`.
pub fn is_database(bytes: &[u8]) -> bool {
    bytes.starts_with(b"SQLite format 3\0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Philox;

    fn questions() -> Vec<String> {
        vec!["recognise".to_owned(), "use".to_owned()]
    }

    /// Rows as `person task question answer`, or the problem.
    fn check(text: &str, expected: &[&str]) {
        let rows = read(text.as_bytes(), &questions(), None).unwrap();
        let plain = |row: &RawAnswer| match &row.problem {
            Some(problem) if row.is_excused => format!("({problem})"),
            Some(problem) => format!("! {problem}"),
            None => format!("{} {} {} {}", row.person, row.task, row.question, row.answer),
        };
        assert_eq!(rows.iter().map(plain).collect::<Vec<_>>(), expected, "{text}");
    }

    const LABEL_STUDIO: &str = r#"[{"id": 1, "data": {"task": "t1", "image": "x"}, "annotations": [
        {"id": 5, "completed_by": {"id": 3, "email": "ada@x.org"}, "was_cancelled": false,
         "created_at": "2026-11-22T10:00:00Z",
         "result": [{"from_name": "recognise", "type": "choices", "value": {"choices": ["yes"]}},
                    {"from_name": "use", "type": "choices", "value": {"choices": ["not_sure"]}}]},
        {"id": 6, "completed_by": 4, "was_cancelled": true, "result": []},
        {"id": 7, "completed_by": 5, "result": []}]}]"#;
    const LINES: &str = r#"{"person":"ada","task":"t1","question":"use","answer":"yes","at":"2026-11-22T10:00:00Z"}

not json
{"person":"ada","task":"t2"}
"#;
    const WIDE: &str = "\u{feff}batch,task,image,category,person,recognise_question,recognise,use_question,use\n\
        b,t1,i,\"a, \"\"b\"\"\nc\",ada,q,yes,q,\nb,t2,i,=1+1,ada,q,No,q,?\n";
    const PROLIFIC: &str = "Participant id,META_TASK,Can you recognise it? [recognise],\
        Could it be used? [use],Completed at\n\
        p1,t1,Yes,Not sure,2026-11-22T10:00:00Z\n";
    const TURK: &str = "HITId,WorkerId,SubmitTime,Input.task_1,Input.task_2,Answer.recognise_1,Answer.recognise_2,\
        Answer.use_1.yes,Answer.use_1.no,Answer.use_2.yes,Answer.use_2.no\n\
        h,w,Tue,t1,t2,yes,no,true,false,false,true\n";
    const LONG: &str = "worker,task,question,answer\nada,t1,use,yes\nada,t1,use\n,t1,use,yes\n";

    #[test]
    fn label_studios_export() {
        check(
            LABEL_STUDIO,
            &[
                "3 t1 recognise yes",
                "3 t1 use not_sure",
                "(the person skipped the task)",
                "(the person skipped the task)",
            ],
        );
        check(
            r#"[{"task": "t1", "annotator": 7, "recognise": "yes", "use": "no"}]"#,
            &["7 t1 recognise yes", "7 t1 use no"],
        );
    }

    #[test]
    fn our_own_lines() {
        check(LINES, &["ada t1 use yes", "! line 3: it is not a JSON object", "! the question is empty"]);
    }

    #[test]
    fn tables_of_ours_of_prolific_and_of_mechanical_turk() {
        check(WIDE, &["ada t1 recognise yes", "! the answer is empty", "ada t2 recognise No", "ada t2 use ?"]);
        check(PROLIFIC, &["p1 t1 recognise Yes", "p1 t1 use Not sure"]);
        check(TURK, &["w t1 recognise yes", "w t1 use yes", "w t2 recognise no", "w t2 use no"]);
        check(LONG, &["ada t1 use yes", "! the answer is empty", "! the person is empty"]);
    }

    #[test]
    fn what_holds_no_answers_is_an_error_that_says_what_is_missing() {
        for (text, part) in [
            (&b""[..], "empty"),
            (b"[{\"id\": ", "not JSON"),
            (b"[1, 2]", "not JSON"),
            (b"{\"a\": 1,\n\"b\": ", "not JSON"),
            (b"", "empty"),
            (b"a,b\n1,2\n", "no column for the task"),
            (b"task,use\nt1,yes\n", "no column for the person"),
            (b"task,person\nt1,ada\n", "no column for the answers"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no column"),
        ] {
            let message = read(text, &questions(), None).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn an_odd_annotation_costs_itself_alone() {
        let note = |id: u32, odd: &str| {
            format!(
                r#"{{"id": {id}, "data": {{"task": "t{id}"}}, "annotations": [{{"id": {id}, "completed_by": 3, {odd}
                "result": [{{"from_name": "use", "value": {{"choices": ["yes"]}}}},
                           {{"from_name": "remark", "value": {{"text": ["blurred"]}}}}]}}]}}"#
            )
        };
        let export = [note(1, ""), note(2, r#""was_cancelled": 7,"#), note(3, r#""created_at": null,"#)].join(",");
        let other = r#"{"id": 4, "data": {"task": "t4"}, "annotations": "none"}, {"id": 5, "annotations": []}, 6"#;
        let expected = [
            "3 t1 use yes",
            "(the recipe does not have this question)",
            "! entry 2: annotation 1 has a `was_cancelled` that is neither true nor false",
            "3 t3 use yes",
            "(the recipe does not have this question)",
            "! entry 4: its annotations are not a list",
            "! entry 6: it is not a JSON object",
        ];
        check(&format!("[{export}, {other}]"), &expected);
        check(&format!("{{\"total\": 3, \"tasks\": [{export}, {other}]}}"), &expected);
        let one_a_line = [note(1, ""), note(3, "")].map(|task| task.replace('\n', " ")).join("\n");
        check(&one_a_line, &[&expected[..2], &expected[3..5]].concat());
    }

    #[test]
    fn objects_of_several_lines_are_objects_and_not_as_many_rows() {
        let object =
            "{\n  \"person\": \"ada\",\n  \"task\": \"t1\",\n  \"question\": \"use\",\n  \"answer\": \"yes\"\n}";
        check(object, &["ada t1 use yes"]);
        check(&format!("{object}\n{object}\n"), &["ada t1 use yes", "ada t1 use yes"]);
        check(&format!("[{object}]"), &["ada t1 use yes"]);
        check("{\n \"x\": 1\n}\n", &["! the task is empty"]);
    }

    #[test]
    fn tables_of_spreadsheets_in_every_encoding() {
        for delimiter in [",", ";", "\t"] {
            let table = ["task", "person", "recognise", "use"].join(delimiter)
                + "\r\n"
                + &["t1", "ada", "yes", "no"].join(delimiter)
                + "\r\n"
                + &delimiter.repeat(3);
            check(&table, &["ada t1 recognise yes", "ada t1 use no"]);
            let wide: Vec<u8> =
                [0xff, 0xfe].into_iter().chain(table.encode_utf16().flat_map(u16::to_le_bytes)).collect();
            assert_eq!(read(&wide, &questions(), None), read(table.as_bytes(), &questions(), None));
        }
        let old = b"task;person;use;remark\nt1;ada;yes;caf\xe9\n";
        assert_eq!(read(old, &questions(), None).unwrap()[0].answer, "yes");
        let unknown = read(b"a;b\n1;2\n", &questions(), None).unwrap_err().to_string();
        assert!(unknown.contains("its first line is `a | b`"), "{unknown}");
    }

    #[test]
    fn submissions_that_were_withdrawn_and_tasks_that_were_skipped_are_no_answers() {
        let rows = ["APPROVED", "RETURNED", "TIMED-OUT", "Rejected", "awaiting review", ""];
        let rows = rows.map(|status| format!("{status},p,t1,yes"));
        let withdrawn = |status: &str| format!("(the submission has the status {status})");
        let expected = [
            "p t1 use yes".to_owned(),
            withdrawn("RETURNED"),
            withdrawn("TIMED-OUT"),
            withdrawn("Rejected"),
            "p t1 use yes".to_owned(),
            "p t1 use yes".to_owned(),
        ];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&format!("Status,person,task,use\n{}", rows.join("\n")), &expected);
        check(
            "task,person,recognise,use\nt1,ada,,\nt2,ada,yes,\n",
            &["(the person skipped the task)", "ada t2 recognise yes", "! the answer is empty"],
        );
    }

    #[test]
    fn columns_that_belong_together_are_not_lost() {
        let table = "WorkerId,Input.task_1,Input.task_10,Answer.use_1,Answer.use_2\nw,t1,t2,yes,no\nw,t3,,no,\n";
        check(
            table,
            &[
                "w t1 use yes",
                "! line 2: the table has no columns of answers for input.task_10",
                "! the column answer.use_2 belongs to no task of the table",
                "w t3 use no",
            ],
        );
        let ten = "WorkerId,Input.task_1,Input.task_10,Answer.use_1,Answer.use_10\nw,t1,t2,yes,no\n";
        check(ten, &["w t1 use yes", "w t2 use no"]);
        let both = "WorkerId,Input.task,Input.task_2,Answer.use,Answer.use_2\nw,t1,t2,yes,no\n";
        check(both, &["w t1 use yes", "w t2 use no"]);
        check(
            "task,person,Answer.use.yes,Answer.use.no\nt1,w,true,true\n",
            &["! line 2: several answers to one question"],
        );
    }

    #[test]
    fn a_person_can_be_named_for_a_whole_file() {
        let named = |text: &str| read(text.as_bytes(), &questions(), Some("bob")).unwrap();
        for text in
            [LABEL_STUDIO, WIDE, TURK, LONG, "task,use\nt1,yes\n", r#"{"task":"t","question":"use","answer":"no"}"#]
        {
            let rows = named(text);
            assert!(rows.iter().all(|row| row.person == "bob" && row.annotation.is_none()), "{rows:?}");
            assert!(rows.iter().any(|row| row.problem.is_none()), "{rows:?}");
        }
        assert_eq!(named("task,person,question,answer\nt1,,use,\n")[0].problem.as_deref(), Some("the answer is empty"));
    }

    #[test]
    fn no_mutation_of_any_format_panics() {
        for (stream, text) in [LABEL_STUDIO, LINES, WIDE, PROLIFIC, TURK, LONG].iter().enumerate() {
            let draws = Philox::new(11, stream as u64);
            for round in 0..10_000 {
                let mut bytes = text.as_bytes().to_vec();
                for step in 0..1 + draws.u64(round) % 8 {
                    let [at, what, value, span] = draws.words(1_000_000 + 8 * round + step);
                    let at = at as usize % bytes.len().max(1);
                    match what % 4 {
                        _ if bytes.is_empty() => {}
                        0 => bytes[at] = value as u8,
                        1 => bytes.insert(at, value as u8),
                        2 => drop(bytes.drain(at..(at + span as usize % 20).min(bytes.len()))),
                        _ => bytes.truncate(at),
                    }
                }
                if let Ok(rows) = read(&bytes, &questions(), None) {
                    assert!(rows.len() < 1000);
                }
            }
        }
    }
}
