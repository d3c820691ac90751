//! Files of answers -> rows, for every tool that writes them.
//!
//! Bytes in, rows out: opens no file and knows neither runs nor tasks. Holds always: a row that is not valid is
//! returned with its problem, because every answer must be accounted for; only a file without any recognisable row is
//! an error; no input causes a panic, because the files come from outside.

mod error;
mod label_studio;
mod lines;
mod row;
mod table;

use crate::domain::RawAnswer;

pub use error::AnswersError;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 256 << 20;

/// Reads a file of answers to `questions` (their ids): Label Studio's JSON, our lines of JSON, or a CSV of ours, of
/// Prolific or of Mechanical Turk. The first byte that is not white space decides the format.
pub fn read(bytes: &[u8], questions: &[String]) -> Result<Vec<RawAnswer>, AnswersError> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match start {
        None => Err(AnswersError::Empty),
        Some(b'[') => label_studio::read(text, questions),
        Some(b'{') => Ok(lines::read(text)),
        Some(_) => table::read(text, questions),
    }
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
        let rows = read(text.as_bytes(), &questions()).unwrap();
        let plain = |row: &RawAnswer| match &row.problem {
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
                "ada@x.org t1 recognise yes",
                "ada@x.org t1 use not_sure",
                "! the annotation was cancelled",
                "! the annotation has no answer",
            ],
        );
        check(
            r#"[{"task": "t1", "annotator": 7, "recognise": "yes", "use": "no"}]"#,
            &["7 t1 recognise yes", "7 t1 use no"],
        );
    }

    #[test]
    fn our_own_lines() {
        check(LINES, &["ada t1 use yes", "! line 3 is not a JSON object", "! the question is empty"]);
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
            (b"a,b\n1,2\n", "no column for the task"),
            (b"task,use\nt1,yes\n", "no column for the person"),
            (b"task,person\nt1,ada\n", "no column for the answers"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no column"),
        ] {
            let message = read(text, &questions()).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
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
                if let Ok(rows) = read(&bytes, &questions()) {
                    assert!(rows.len() < 1000);
                }
            }
        }
    }
}
