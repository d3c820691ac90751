//! Nothing that reaches people tells a sentinel from a candidate.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hardset::domain::{Task, TaskKind};

use crate::runs::{mined, tasks};

#[test]
fn nothing_in_500_batches_tells_a_sentinel_from_a_candidate() {
    // Noise for images: what could tell is the packing alone.
    let hardset = mined(520, "people_per_batch = 1\nimages_per_batch = 48");
    hardset.line("annotate export run --to csv --out out").ok();
    let tasks = tasks(&hardset.path("run"), 0);
    let sheets = tasks.chunk_by(|a, b| a.batch == b.batch).count();
    assert!(sheets >= 500, "{sheets}");
    let out = hardset.path("out");
    let sizes: BTreeSet<u64> = tasks.iter().map(|task| fs::metadata(image(&out, task)).expect("there").len()).collect();
    assert_eq!(sizes.len(), 1);
    let (train, test) = tasks.split_at(tasks.len() / 2);
    let auc = auc(&learn(&out, train), &out, test);
    eprintln!("area under the curve over {sheets} batches: {auc:.4}");
    // Half of 24,000 images, a sixth of them sentinels: the standard error of chance is 0.007.
    assert!((auc - 0.5).abs() < 0.025, "{auc}");
    // Images that come twice differ in name and bytes.
    let mut repeats = 0;
    for task in tasks.iter().take(480) {
        let TaskKind::Repeat(first) = &task.kind else { continue };
        repeats += 1;
        let first = tasks.iter().find(|other| other.name == *first).expect("the first one");
        let read = |task: &Task| fs::read(image(&out, task)).expect("there");
        let (a, b) = (read(first), read(task));
        let scan =
            |bytes: &[u8]| bytes[bytes.windows(2).rposition(|two| two == [0xff, 0xda]).expect("a scan")..].to_vec();
        assert!(first.name != task.name && a != b && scan(&a) != scan(&b));
    }
    assert!(repeats >= 10, "only {repeats} images that come twice on ten sheets");
    let text = fs::read_to_string(out.join("tasks.csv")).expect("there")
        + &fs::read_to_string(out.join("tasks.jsonl")).expect("there");
    assert!(
        !["positive", "negative", "sentinel", "repeat", "candidate", "item"].iter().any(|word| text.contains(word))
    );
}

pub fn image(out: &Path, task: &Task) -> PathBuf {
    out.join(format!("images/{}/{}.jpg", task.batch, task.name))
}

/// What somebody could see of a task without looking at the picture.
pub fn features(out: &Path, task: &Task) -> Vec<f64> {
    let path = image(out, task);
    let bytes = fs::read(&path).expect("the image is there");
    let header = &bytes[..bytes.len().min(4096)];
    let modified = fs::metadata(&path).and_then(|meta| meta.modified()).expect("a date");
    let since = modified.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let mut features: Vec<f64> =
        task.name.chars().map(|c| f64::from(c.to_digit(36).expect("a letter") - 10) / 25.0).collect();
    features.extend((0..48).map(|place| f64::from(u8::from(task.position == place))));
    features.push(bytes.len() as f64 / 1e5);
    features.push((since - 946_684_800.0) / 1e6);
    features.push(header.iter().map(|&byte| f64::from(byte)).sum::<f64>() / header.len() as f64 / 255.0);
    features.extend(
        (0..8).map(|part| header.iter().filter(|&&byte| byte / 32 == part).count() as f64 / header.len() as f64),
    );
    features.push(1.0);
    features
}

/// Logistic regression by stochastic gradient descent.
pub fn learn(out: &Path, tasks: &[Task]) -> Vec<f64> {
    let rows: Vec<(Vec<f64>, f64)> =
        tasks.iter().map(|task| (features(out, task), f64::from(u8::from(task.kind != TaskKind::Candidate)))).collect();
    let mut weights = vec![0.0; rows[0].0.len()];
    for step in 0..20 {
        let rate = 0.1 / (1.0 + f64::from(step));
        for (row, label) in &rows {
            let error = label - 1.0 / (1.0 + (-score(&weights, row)).exp());
            weights.iter_mut().zip(row).for_each(|(weight, x)| *weight += rate * error * x);
        }
    }
    weights
}

pub fn score(weights: &[f64], row: &[f64]) -> f64 {
    weights.iter().zip(row).map(|(weight, x)| weight * x).sum()
}

pub fn auc(weights: &[f64], out: &Path, tasks: &[Task]) -> f64 {
    let mut scored: Vec<(f64, bool)> =
        tasks.iter().map(|task| (score(weights, &features(out, task)), task.kind != TaskKind::Candidate)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = scored.iter().filter(|(_, sentinel)| *sentinel).count() as f64;
    let ranks: f64 =
        scored.iter().zip(1..).filter(|((_, sentinel), _)| *sentinel).map(|(_, rank)| f64::from(rank)).sum();
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * (scored.len() as f64 - positives))
}
