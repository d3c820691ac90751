//! Files of answers as tools and people of the field make them: odd annotations, many spellings, encodings, quotation
//! marks that nobody closed. Every row costs itself alone, and every row is a vote or has a reason.

use std::fs;

use serde_json::{Value, json};

use crate::common::Hardset;
use crate::runs::{mined, tasks};

/// A run with one sheet, and a way to collect files as if they were the first.
struct Field {
    hardset: Hardset,
    /// Names of the tasks of the sheet.
    tasks: Vec<String>,
}

impl Field {
    fn new() -> Self {
        let hardset = mined(4, "check = { positives = 0.0, negatives = 0.0, repeats = 0.0, answered = 0.0 }");
        // Sentinels are no votes.
        let none = ["positives", "negatives", "repeats"].map(|kind| format!("--set annotate.sentinels.{kind}=0"));
        hardset.line(&format!("annotate export run --to csv --out out {}", none.join(" "))).ok();
        let tasks = tasks(&hardset.path("run"), 0);
        let sheet = tasks.iter().filter(|task| task.batch == tasks[0].batch);
        let tasks: Vec<String> = sheet.map(|task| task.name.clone()).collect();
        assert!(tasks.len() >= 40);
        Self { hardset, tasks }
    }

    /// Collects with these arguments, beside what was collected before; demands that every answer is accounted for.
    #[track_caller]
    fn collect(&self, args: &[&str], code: i32) -> Value {
        let all = [&["annotate", "collect", "run", "--format", "json", "-q"], args].concat();
        let said = self.hardset.run(&all).expect(code).json();
        let reasons: u64 = said["reasons"].as_object().expect("reasons").values().filter_map(Value::as_u64).sum();
        assert_eq!(said["answers"].as_u64(), Some(said["votes"].as_u64().expect("a number") + reasons), "{said}");
        said
    }

    /// Collects one file alone; `expected`: its rows, the votes, and the reasons with how many rows have each.
    #[track_caller]
    fn check(&self, file: impl AsRef<[u8]>, code: i32, expected: (usize, usize), reasons: &[(&str, usize)]) {
        for folder in ["run/answers", "run/verdicts"] {
            drop(fs::remove_dir_all(self.hardset.path(folder)));
        }
        self.hardset.write("given", file);
        let said = self.collect(&["given"], code);
        let reasons: serde_json::Map<String, Value> =
            reasons.iter().map(|(reason, count)| ((*reason).to_owned(), json!(count))).collect();
        assert_eq!(said["reasons"], Value::Object(reasons), "{said}");
        assert_eq!((said["answers"].clone(), said["votes"].clone()), (json!(expected.0), json!(expected.1)), "{said}");
        assert_eq!(said["inputs"][0]["rows"], json!(expected.0), "{said}");
    }

    /// A table of one person's answers to the first `count` tasks; `more`: cells at the end of the header and of rows.
    fn table(&self, count: usize, delimiter: &str, more: &str) -> String {
        let row = |task: &String| ["ada", task, "yes", "no", more].join(delimiter);
        let header = ["person", "task", "recognise", "use", "remark"].join(delimiter);
        [header].into_iter().chain(self.tasks[..count].iter().map(row)).map(|line| line + "\n").collect()
    }

    /// Tasks of Label Studio, one with each of these annotations.
    fn studio(&self, annotations: &[Value]) -> Value {
        let task = |at: usize| {
            let data = json!({ "task": self.tasks[at], "image": "x" });
            json!({ "id": at, "data": data, "annotations": [annotations[at]] })
        };
        (0..annotations.len()).map(task).collect()
    }

    /// Lines of ours: one answer to each of the first `count` tasks.
    fn lines(&self, count: usize) -> Vec<String> {
        let line = |task| json!({ "person": "ada", "task": task, "question": "use", "answer": "yes" }).to_string();
        self.tasks[..count].iter().map(line).collect()
    }
}

/// A choice in an annotation.
fn choice(question: &str, answer: &str) -> Value {
    json!({ "from_name": question, "to_name": "image", "type": "choices", "value": { "choices": [answer] } })
}

/// An annotation by person 3 that answers both questions, with some keys replaced; `null` as text removes a key.
fn note(changes: Value) -> Value {
    let mut note = json!({ "id": 900, "completed_by": 3, "was_cancelled": false, "updated_at": "2026-11-20T10:00:00Z",
                           "result": [choice("recognise", "yes"), choice("use", "no")] });
    for (key, value) in changes.as_object().expect("an object") {
        note[key] = value.clone();
    }
    note
}

#[test]
fn an_odd_annotation_costs_itself_alone() {
    let field = Field::new();
    let good = note(json!({}));
    // What is missing or null.
    let notes = ["id", "was_cancelled", "updated_at", "completed_by", "result"].map(|key| note(json!({ key: null })));
    let notes = [std::slice::from_ref(&good), &notes[..]].concat();
    let expected = [("the person is empty", 2), ("the person skipped the task", 1)];
    field.check(field.studio(&notes).to_string(), 3, (11, 8), &expected);
    // Other types.
    let list = "annotation 1 has a `result` that is not a list";
    let skipped = "annotation 1 has a `was_cancelled` that is neither true nor false";
    let odd = [
        json!({ "result": { "x": 1 } }),
        json!({ "result": "yes" }),
        json!({ "was_cancelled": "ada@x.org" }),
        json!({ "completed_by": [3] }),
        json!({ "id": { "a": 1 }, "updated_at": 7 }),
    ];
    let mut notes = vec![good.clone(), json!(7), good.clone()];
    notes.extend(odd.map(note));
    let expected = [(list, 2), (skipped, 1), ("annotation 1 is not an object", 1), ("the person is empty", 2)];
    field.check(field.studio(&notes).to_string(), 3, (12, 6), &expected);
    // Controls of the project's own, results that are none, a choice that is none or several.
    let results = |results: Value| note(json!({ "result": results }));
    let notes = [
        results(json!([choice("recognise", "yes"), choice("mood", "good"), choice("use", "no")])),
        results(
            json!([choice("use", "yes"), { "from_name": "remark", "type": "textarea", "value": { "text": ["é"] } }]),
        ),
        results(json!([choice("use", "yes"), 5, { "value": {} }])),
        results(json!([{ "from_name": "use", "value": { "choices": ["yes", "no"] } }, choice("recognise", "perhaps")])),
        results(
            json!([{ "from_name": "use", "value": { "choices": [] } }, { "from_name": "recognise", "value": null }]),
        ),
    ];
    let expected = [
        ("several answers to one question", 1),
        ("the answer is empty", 2),
        ("the answer is not yes, no or not_sure", 1),
        ("the question is empty", 2),
        ("the recipe does not have this question", 2),
    ];
    field.check(field.studio(&notes).to_string(), 3, (12, 4), &expected);
    // Tasks that are odd themselves.
    let mut tasks = field.studio(&[good.clone(), good.clone(), good.clone(), good]);
    tasks[0]["annotations"] = json!({ "id": 1 });
    tasks[1]["annotations"] = json!(null);
    tasks[2]["data"] = json!("none");
    tasks.as_array_mut().expect("a list").extend([json!(null), json!("x")]);
    let expected = [("it is not a JSON object", 2), ("its annotations are not a list", 1), ("the task is empty", 2)];
    field.check(tasks.to_string(), 3, (7, 2), &expected);
}

#[test]
fn what_people_skipped_is_no_fault() {
    let field = Field::new();
    let skipped = "the person skipped the task";
    let notes =
        [note(json!({})), note(json!({ "was_cancelled": true })), note(json!({ "was_cancelled": true, "result": [] }))];
    field.check(field.studio(&notes).to_string(), 0, (4, 2), &[(skipped, 2)]);
    let minimal = json!([
        { "task": field.tasks[0], "annotator": 3, "annotation_id": 1, "recognise": "yes", "use": "no" },
        { "task": field.tasks[1], "annotator": 3, "annotation_id": 2 },
        { "task": field.tasks[2], "annotator": 3, "annotation_id": 3, "recognise": null, "use": "" },
    ]);
    field.check(minimal.to_string(), 0, (4, 2), &[(skipped, 2)]);
    let table = format!(
        "person,task,recognise,use\nada,{0},,\nada,{1}, ,\" \"\nada,{2},?,y\n,,,\n",
        field.tasks[0], field.tasks[1], field.tasks[2]
    );
    field.check(table, 0, (4, 2), &[(skipped, 2)]);
    // A skipped question is: the person has seen the image and was asked.
    let half = format!("person,task,recognise,use\nada,{},yes,\n", field.tasks[0]);
    field.check(half, 3, (2, 1), &[("the answer is empty", 1)]);
}

#[test]
fn one_annotation_in_two_exports_is_one_persons() {
    let field = Field::new();
    let notes: Vec<Value> = (0..10).map(|at| note(json!({ "id": 900 + at }))).collect();
    field.hardset.write("full.json", field.studio(&notes).to_string());
    let flat = |annotator: &str, at: usize, key: &str| {
        json!({ "task": field.tasks[at], key: annotator, "annotation_id": 900 + at, "recognise": "yes", "use": "no",
                "updated_at": "2026-11-20T10:00:00Z" })
    };
    field
        .hardset
        .write("min.json", (0..10).map(|at| flat("ada@x.org", at, "annotator")).collect::<Value>().to_string());
    let said = field.collect(&["full.json", "min.json"], 0);
    assert_eq!((said["answers"].clone(), said["votes"].clone()), (json!(40), json!(20)), "{said}");
    assert_eq!(said["reasons"], json!({ "the person gave the same answer again later": 20 }));
    // The tool's table of the same annotations, and its JSON with the person as an object.
    let rows = (0..10).map(|at| format!("{},ada@x.org,{},2026-11-20T10:00:00Z,yes,no\n", field.tasks[at], 900 + at));
    let header = "task,annotator,annotation_id,updated_at,recognise,use\n".to_owned();
    field.hardset.write("table.csv", [header].into_iter().chain(rows).collect::<String>());
    let person = json!({ "completed_by": { "id": 3, "email": "Ada@X.org" } });
    let mut named = notes.clone();
    named.iter_mut().for_each(|note| note["completed_by"] = person["completed_by"].clone());
    field.hardset.write("object.json", serde_json::to_vec_pretty(&field.studio(&named)).expect("it is JSON"));
    let said = field.collect(&["table.csv", "object.json"], 0);
    assert_eq!((said["answers"].clone(), said["votes"].clone()), (json!(80), json!(20)), "{said}");
    // Another person's annotation is another vote, whoever has the number.
    let other = json!([flat("bob@x.org", 20, "annotator"), flat("eve@x.org", 21, "completed_by")]);
    field.hardset.write("other.json", other.to_string());
    let said = field.collect(&["other.json"], 0);
    assert_eq!(said["votes"], json!(24), "{said}");
}

#[test]
fn a_person_can_be_named_for_a_file() {
    let field = Field::new();
    let notes: Vec<Value> = (0..10).map(|at| note(json!({ "id": 900 + at }))).collect();
    field.hardset.write("a.json", field.studio(&notes).to_string());
    field.hardset.write("b.json", serde_json::to_vec_pretty(&field.studio(&notes)).expect("it is JSON"));
    // Two installations, both with a user 3.
    let merged = field.collect(&["a.json", "b.json"], 0);
    assert_eq!(merged["votes"], json!(20), "{merged}");
    // The same files with their people replace what was collected.
    let said = field.collect(&["--person", "ada", "a.json", "--person", "bob", "b.json"], 0);
    assert_eq!((said["answers"].clone(), said["votes"].clone()), (json!(40), json!(40)), "{said}");
    let again = field.collect(&["--person", " ADA", "a.json"], 0);
    assert_eq!(again["votes"], json!(40), "case and blanks do not matter: {again}");
    // A table without a column for the person.
    let table = format!("task,recognise,use\n{},yes,no\n", field.tasks[30]);
    field.hardset.write("t.csv", &table);
    field
        .hardset
        .line("annotate collect run t.csv")
        .refused(2, &["t.csv", "no column for the person", "task | recognise | use"]);
    let said = field.collect(&["--person", "eve", "t.csv"], 0);
    assert_eq!(said["votes"], json!(42), "{said}");
    // One file cannot be of two people, whoever came first; a name is needed; a database knows its people.
    field.hardset.write("copy.csv", &table);
    for (args, parts) in [
        ("--person ada t.csv --person bob t.csv", &["t.csv", "for two people"][..]),
        ("--person eve t.csv --person bob copy.csv", &["copy.csv", "t.csv", "for another person"]),
        ("--person ada nowhere.csv", &["nowhere.csv"]),
    ] {
        field.hardset.line(&format!("annotate collect run {args}")).refused(2, parts);
    }
    field.hardset.run(&["annotate", "collect", "run", "--person", " ", "t.csv"]).refused(2, &["--person NAME FILE"]);
    field.hardset.write("d.sqlite", b"SQLite format 3\0and more");
    field.hardset.line("annotate collect run --person ada d.sqlite").refused(2, &["d.sqlite", "leave --person out"]);
    assert_eq!(field.collect(&[], 0)["votes"], json!(42), "a call that failed changes nothing");
}

#[test]
fn submissions_that_were_withdrawn_do_not_count() {
    let field = Field::new();
    let header = |person: &str, status: &str| format!("{person},{status},Input.task,Answer.recognise,Answer.use\n");
    for (person, column, good, withdrawn) in [
        (
            "Participant id",
            "Status",
            ["APPROVED", "AWAITING REVIEW"],
            ["RETURNED", "TIMED-OUT", "REJECTED", "SCREENED OUT"],
        ),
        ("WorkerId", "AssignmentStatus", ["Approved", "Submitted"], ["Rejected", "Abandoned", "Returned", "Expired"]),
        (
            "worker-ID",
            "assignment status",
            ["accepted", ""],
            ["rejected: too fast", "TimedOut", "time_out", "Cancelled"],
        ),
        (
            "PROLIFIC PID",
            "Submission_Status",
            ["partially approved", "x"],
            ["returned by participant", "active", "RESERVED", "revoked"],
        ),
    ] {
        let row = |at: usize, status: &str| format!("p,{status},{},yes,no\n", field.tasks[at]);
        let statuses = good.iter().chain(&withdrawn).enumerate();
        let rows: String = statuses.map(|(at, status)| row(at, status)).collect();
        let reasons = withdrawn.map(|status| format!("the submission has the status {status}"));
        let reasons: Vec<(&str, usize)> = reasons.iter().map(|reason| (reason.as_str(), 2)).collect();
        field.check(header(person, column) + &rows, 0, (12, 4), &reasons);
    }
}

#[test]
fn tables_are_read_as_spreadsheets_save_them() {
    let field = Field::new();
    let wide = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for delimiter in [",", ";", "\t"] {
        let text = field.table(10, delimiter, "ä 猫");
        for text in [text.clone(), text.replace('\n', "\r\n"), text.replace('\n', "\r"), format!("\n \n{text}\n\n")] {
            field.check(&text, 0, (20, 20), &[]);
        }
        field.check(format!("\u{feff}{text}"), 0, (20, 20), &[]);
        let stated = format!("sep={delimiter}\r\n{text}");
        for text in [&text, &stated] {
            field.check([&[0xff, 0xfe][..], &wide(text, u16::to_le_bytes)].concat(), 0, (20, 20), &[]);
            field.check([&[0xfe, 0xff][..], &wide(text, u16::to_be_bytes)].concat(), 0, (20, 20), &[]);
            field.check(wide(text, u16::to_le_bytes), 0, (20, 20), &[]);
        }
        field.check(&stated, 0, (20, 20), &[]);
        field.check(format!("\"sep={delimiter}\"\n{text}"), 0, (20, 20), &[]);
    }
    // Windows-1252 in a remark costs nothing; half a letter of UTF-16 neither.
    let old =
        [field.table(5, ";", "caf").into_bytes(), format!("ada;{};yes;no;\u{1}", field.tasks[6]).into_bytes()].concat();
    let old: Vec<u8> = old.into_iter().map(|byte| if byte == 1 { 0xe9 } else { byte }).collect();
    field.check(&old, 0, (12, 12), &[]);
    let mut half = wide(&field.table(5, "\t", "x"), u16::to_le_bytes);
    half.push(b'a');
    field.check(&half, 0, (10, 10), &[]);
    // A cell too many moves the answers behind it, so that they would be answers to other questions.
    let header = "person,task,remark,recognise,use\n";
    let row = |at: usize, remark: &str| format!("ada,{},{remark},no,yes\n", field.tasks[at]);
    let table = [header, &row(0, "small"), &row(1, "small, yes"), &row(2, "\"small, yes\""), &row(3, "")].concat();
    field.check(table, 3, (7, 6), &[("it has 6 cells, but the table has 5 columns", 1)]);
    field.check(field.table(3, ",", "x,,"), 0, (6, 6), &[]);
}

#[test]
fn an_open_quotation_mark_costs_its_line() {
    let field = Field::new();
    let reason = [("a quotation mark is not closed", 1)];
    for delimiter in [",", ";", "\t"] {
        let whole = field.table(40, delimiter, "a \"mug\"");
        let lines: Vec<&str> = whole.lines().collect();
        // One row of the table, at its start, in the middle and at its end, in the first and in the last cell.
        for at in [1, 2, 20, 39, 40] {
            for open in
                [format!("\"{}", lines[at].replace("a \"mug\"", "a mug")), lines[at].replace("a \"mug\"", "\"a mug")]
            {
                let mut lines = lines.clone();
                lines[at] = &open;
                field.check(lines.join("\n"), 3, (79, 78), &reason);
                field.check(lines.join("\r\n") + "\r\n", 3, (79, 78), &reason);
            }
        }
        // Three of them, and cells of several lines between.
        let mut lines = lines.clone();
        let long = lines[10].replace("a \"mug\"", "\"two\n\nlines\"");
        let open = [5, 6, 30].map(|at: usize| lines[at].replace("a \"mug\"", "\"open"));
        lines[10] = &long;
        for (at, line) in [5, 6, 30].into_iter().zip(&open) {
            lines[at] = line;
        }
        field.check(lines.join("\n"), 3, (77, 74), &[("a quotation mark is not closed", 3)]);
    }
}

#[test]
fn json_is_read_however_it_is_laid_out() {
    let field = Field::new();
    let lines = field.lines(20);
    let objects: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("it is JSON");
    field.check(pretty(&objects[0]), 0, (1, 1), &[]);
    field.check(objects.iter().map(pretty).collect::<Vec<_>>().join("\n"), 0, (20, 20), &[]);
    field.check(lines[0].clone() + "\n" + &pretty(&objects[1]), 0, (2, 2), &[]);
    field.check(pretty(&json!(objects)), 0, (20, 20), &[]);
    field.check(lines.join(""), 0, (20, 20), &[]);
    let notes: Vec<Value> = (0..10).map(|at| note(json!({ "id": at }))).collect();
    let studio = field.studio(&notes);
    for key in ["tasks", "results", "data"] {
        let answer = json!({ "count": 10, "next": null, key: studio });
        field.check(pretty(&answer), 0, (20, 20), &[]);
        field.check(answer.to_string(), 0, (20, 20), &[]);
    }
    field.check(format!("\u{feff}\n {}", pretty(&studio[0])), 0, (2, 2), &[]);
    let one_a_line: Vec<String> = studio.as_array().expect("a list").iter().map(Value::to_string).collect();
    field.check(one_a_line.join("\r\n"), 0, (20, 20), &[]);
}

#[test]
fn a_broken_line_among_json_lines_costs_itself() {
    let field = Field::new();
    let reason = "it is not a JSON object";
    let broken = |at: usize, line: &str| {
        let mut lines = field.lines(30);
        lines[at] = line.to_owned();
        lines.join("\n")
    };
    let cut = &field.lines(1)[0][..40];
    for at in [0, 1, 15, 29] {
        for line in [cut, "not json", "[1, 2", "{\"person\": \"ada\", }", "\"", "{{}}"] {
            field.check(broken(at, line), 3, (30, 29), &[(reason, 1)]);
        }
    }
    let mut bytes = broken(3, "{\"person\": \"\u{1}\"}").into_bytes();
    bytes.iter_mut().filter(|byte| **byte == 1).for_each(|byte| *byte = 0xff);
    field.check(&bytes, 3, (30, 29), &[("the task is empty", 1)]);
    let mut lines = field.lines(30);
    lines[..3].iter_mut().for_each(|line| line.insert(9, '"'));
    field.check(lines.join("\r\n"), 3, (30, 27), &[(reason, 3)]);
    // A document that is cut is not lines.
    let cut = serde_json::to_string_pretty(&field.studio(&[note(json!({})), note(json!({}))])).expect("it is JSON");
    field.hardset.write("cut.json", &cut[..cut.len() - 20]);
    field.hardset.line("annotate collect run cut.json").refused(2, &["cut.json", "not JSON", "export it again"]);
}

#[test]
fn numbered_columns_belong_together_by_their_numbers() {
    let field = Field::new();
    let task = |at: usize| field.tasks[at].clone();
    let table =
        |names: Vec<String>, cells: Vec<String>| format!("WorkerId,{}\nw,{}\n", names.join(","), cells.join(","));
    // Twelve tasks in a row: 1 is no beginning of 10.
    let names =
        (1..=12).flat_map(|n| ["Input.task", "Answer.recognise", "Answer.use"].map(|name| format!("{name}_{n}")));
    let cells = (0..12).flat_map(|at| [task(at), "yes".to_owned(), "no".to_owned()]);
    field.check(table(names.clone().collect(), cells.clone().collect()), 0, (24, 24), &[]);
    // The same without the last three tasks of a sheet that is not full.
    let part = cells.enumerate().map(|(at, cell)| if at < 27 { cell } else { String::new() });
    field.check(table(names.collect(), part.collect()), 0, (18, 18), &[]);
    // Gaps: numbers are names, not places.
    let gaps =
        ["Input.task_3", "Input.task_07", "Answer.use_07", "Answer.use_3", "Answer.recognise_3", "Answer.recognise_07"];
    let cells = [task(0), task(1), "no".into(), "yes".into(), "yes".into(), "no".into()];
    field.check(table(gaps.map(str::to_owned).into(), cells.into()), 0, (4, 4), &[]);
    // Strays: answers without a task, a task without answers.
    let strays =
        ["Input.task_1", "Answer.recognise_1", "Answer.use_1", "Answer.use_10", "Input.task_2", "Answer.use.yes"];
    let cells = [task(0), "yes".into(), "no".into(), "no".into(), task(1), "true".into()];
    let expected = [
        ("the column answer.use.yes belongs to no task of the table", 1),
        ("the column answer.use_10 belongs to no task of the table", 1),
        ("the table has no columns of answers for input.task_2", 1),
    ];
    field.check(table(strays.map(str::to_owned).into(), cells.into()), 3, (5, 2), &expected);
    // A column for each choice, numbered.
    let choices = [
        "Input.task_1",
        "Input.task_11",
        "Answer.use_1.yes",
        "Answer.use_1.no",
        "Answer.use_11.yes",
        "Answer.use_11.no",
    ];
    let cells = [task(0), task(1), "true".into(), "false".into(), "FALSE".into(), "True".into()];
    field.check(table(choices.map(str::to_owned).into(), cells.into()), 0, (2, 2), &[]);
}

#[test]
fn several_answers_to_one_question_are_none() {
    let field = Field::new();
    let reason = "several answers to one question";
    let turk = format!(
        "WorkerId,Input.task,Answer.use.yes,Answer.use.no\nw,{0},true,true\nw,{1},true,false\n",
        field.tasks[0], field.tasks[1]
    );
    field.check(turk, 3, (2, 1), &[(reason, 1)]);
    let twice = format!(
        "person,task,use,Could it? [use]\nada,{0},yes,no\nada,{1},yes,yes\nada,{2},,no\n",
        field.tasks[0], field.tasks[1], field.tasks[2]
    );
    field.check(twice, 3, (3, 2), &[(reason, 1)]);
    let minimal = json!([
        { "task": field.tasks[0], "annotator": 1, "recognise": { "choices": ["yes", "no"] },
          "use": { "choices": ["no"] } },
        { "task": field.tasks[1], "annotator": 1, "recognise": ["yes"], "use": ["yes", "not_sure"] },
    ]);
    field.check(minimal.to_string(), 3, (4, 2), &[(reason, 2)]);
}
