//! `batches/NNNNN.tasks.parquet` and `batches/NNNNN.sentinels.parquet`: the tasks of a round, and the sentinels among
//! them.
//!
//! There are two tables, because the one that is needed to make sheets must not reveal the sentinels. Holds always:
//! rows of the second are tasks of the first; a task that the second does not name is a candidate.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{ItemId, Task, TaskImage, TaskKind};

/// Both tables as Parquet: the tasks, and the sentinels among them.
pub fn encode(tasks: &[Task]) -> Result<(Vec<u8>, Vec<u8>), TableError> {
    let texts = |name: &str, text: fn(&Task) -> &str| texts(name, tasks, text);
    let item = |task: &Task| if let TaskImage::Item(item) = task.image { Some(item.0) } else { None };
    let known = |task: &Task| if let TaskImage::Known(path) = &task.image { Some(path.clone()) } else { None };
    let all = frame::encode(vec![
        texts("batch", |task| &task.batch),
        Column::new("people".into(), tasks.iter().map(|task| task.people).collect::<Vec<u32>>()),
        Column::new("position".into(), tasks.iter().map(|task| task.position).collect::<Vec<u32>>()),
        texts("task", |task| &task.name),
        texts("category", |task| &task.category),
        Column::new("item_id".into(), tasks.iter().map(item).collect::<Vec<Option<u32>>>()),
        Column::new("known_good".into(), tasks.iter().map(known).collect::<Vec<Option<String>>>()),
    ])?;
    let sentinels: Vec<&Task> = tasks.iter().filter(|task| task.kind != TaskKind::Candidate).collect();
    let first = |task: &&Task| if let TaskKind::Repeat(first) = &task.kind { Some(first.clone()) } else { None };
    let secret = frame::encode(vec![
        Column::new("task".into(), sentinels.iter().map(|task| task.name.as_str()).collect::<Vec<&str>>()),
        Column::new("kind".into(), sentinels.iter().map(|task| task.kind.name()).collect::<Vec<&str>>()),
        Column::new("repeats_task".into(), sentinels.iter().map(first).collect::<Vec<Option<String>>>()),
    ])?;
    Ok((all, secret))
}

fn texts(name: &str, tasks: &[Task], text: fn(&Task) -> &str) -> Column {
    Column::new(name.into(), tasks.iter().map(text).collect::<Vec<&str>>())
}

/// The tasks of a round, in order.
pub fn decode(tasks: &Path, sentinels: &Path) -> Result<Vec<Task>, TableError> {
    let mut kinds: BTreeMap<String, TaskKind> = kinds(sentinels)?.into_iter().collect();
    let columns = ["batch", "people", "position", "task", "category", "item_id", "known_good"];
    let mut rows = frame::read_rows(tasks, &columns, |frame| {
        let (people, positions) = (frame::u32s(frame, "people")?, frame::u32s(frame, "position")?);
        let [batches, names, categories] = ["batch", "task", "category"].map(|name| frame::full_strings(frame, name));
        let (items, known) = (frame.column("item_id")?.u32()?, frame::strings(frame, "known_good")?);
        let rows = batches?.into_iter().zip(names?).zip(categories?).zip(known).enumerate();
        Ok(rows
            .map(|(at, (((batch, name), category), known))| Task {
                batch,
                people: people[at],
                position: positions[at],
                name,
                category,
                image: known
                    .map_or_else(|| TaskImage::Item(ItemId(items.get(at).unwrap_or_default())), TaskImage::Known),
                kind: TaskKind::Candidate,
            })
            .collect())
    })?;
    for task in &mut rows {
        task.kind = kinds.remove(&task.name).unwrap_or(TaskKind::Candidate);
    }
    Ok(rows)
}

fn kinds(sentinels: &Path) -> Result<Vec<(String, TaskKind)>, TableError> {
    frame::read_rows(sentinels, &["task", "kind", "repeats_task"], |frame| {
        let (tasks, kinds) = (frame::full_strings(frame, "task")?, frame::full_strings(frame, "kind")?);
        let repeated = frame::full_strings(frame, "repeats_task")?;
        let mut rows = Vec::with_capacity(tasks.len());
        for ((task, kind), repeated) in tasks.into_iter().zip(kinds).zip(repeated) {
            let kind = match kind.as_str() {
                "positive" => TaskKind::Positive,
                "negative" => TaskKind::Negative,
                _ => TaskKind::Repeat(repeated),
            };
            rows.push((task, kind));
        }
        Ok(rows)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_back_with_what_they_secretly_are() {
        let task = |name: &str, image, kind| Task {
            batch: "b".into(),
            people: 3,
            position: 7,
            name: name.into(),
            category: "mug, \"big\"".into(),
            image,
            kind,
        };
        let rows = vec![
            task("1", TaskImage::Item(ItemId(0)), TaskKind::Candidate),
            task("2", TaskImage::Known("mug/1.png".into()), TaskKind::Positive),
            task("3", TaskImage::Item(ItemId(9)), TaskKind::Negative),
            task("4", TaskImage::Item(ItemId(0)), TaskKind::Repeat("1".into())),
        ];
        let dir = tempfile::tempdir().unwrap();
        let (all, secret) = (dir.path().join("a"), dir.path().join("b"));
        let (a, b) = encode(&rows).unwrap();
        std::fs::write(&all, a).unwrap();
        std::fs::write(&secret, b).unwrap();
        assert_eq!(decode(&all, &secret).unwrap(), rows);
    }
}
