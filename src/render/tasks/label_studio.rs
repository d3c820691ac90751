//! Label Studio: tasks to import and the labelling configuration for them.
//!
//! Source: Label Studio's documentation of "Basic Label Studio JSON format" and of the tags Image, Header and Choices.

use serde_json::{Map, Value, json};

use super::line::{CHOICES, TaskLine};

/// `tasks.json`: one object for each task; the texts of questions as `question_<id>`.
pub fn label_studio_tasks(lines: &[TaskLine]) -> Vec<u8> {
    let task = |line: &TaskLine| {
        let fixed =
            [("image", &line.image), ("task", &line.task), ("batch", &line.batch), ("category", &line.category)];
        let mut data: Map<String, Value> =
            fixed.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        data.insert("gloss".to_owned(), json!(line.gloss.as_deref().unwrap_or_default()));
        data.extend(line.questions.iter().map(|(id, text)| (format!("question_{id}"), json!(text))));
        json!({ "data": data })
    };
    let tasks: Vec<Value> = lines.iter().map(task).collect();
    serde_json::to_vec_pretty(&tasks).unwrap_or_default()
}

/// `config.xml`: the image, and a choice for each question id. Texts come from the tasks, so nothing needs escaping.
pub fn label_studio_config(questions: &[String]) -> String {
    let choices: String = CHOICES
        .iter()
        .map(|(value, text)| format!("    <Choice value=\"{value}\" alias=\"{value}\" html=\"{text}\"/>\n"))
        .collect();
    let question = |id: &String| {
        format!(
            "  <Header value=\"$question_{id}\" size=\"4\"/>\n  <Choices name=\"{id}\" toName=\"image\" \
             choice=\"single-radio\" required=\"true\" showInline=\"true\">\n{choices}  </Choices>\n"
        )
    };
    let questions: String = questions.iter().map(question).collect();
    format!(
        "<View>\n  <Image name=\"image\" value=\"$image\" zoom=\"true\"/>\n  \
         <Text name=\"gloss\" value=\"$gloss\"/>\n{questions}</View>\n"
    )
}
