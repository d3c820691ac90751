//! A job's scripts: for Slurm, Ray and Kubernetes. The texts lie beside this file, for people to read; here they are
//! filled in.
//!
//! Does not know what a rank is. Holds always: no script carries the number of ranks, because ranks that are started
//! again must be those of the job's record; what comes from people is quoted for the language that it stands in.

use std::path::Path;

use crate::domain::{JobEngine, JobRecord, JobStart};

/// Largest array of Slurm: one less than its default for MaxArraySize, which is one more than the largest id.
const ARRAY: usize = 1000;
/// Options of sbatch that say where, for whom and for how long jobs run; the job that finishes has them too.
const OF_ALL_JOBS: [&str; 18] = [
    "--time",
    "-t",
    "--constraint",
    "-C",
    "--exclude",
    "-x",
    "--partition",
    "-p",
    "--account",
    "-A",
    "--qos",
    "-q",
    "--reservation",
    "--mail-type",
    "--mail-user",
    "--clusters",
    "-M",
    "--comment",
];

/// Cores that prepare and encode images for a GPU, unless people say how many.
const CPUS_OF_A_GPU: usize = 4;

/// A file of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
    /// Whether it starts everything.
    pub starts: bool,
}

/// Which scripts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// Those that start all ranks.
    All,
    /// Those that start some of them again.
    Missing,
}

/// Where a job lies, and what it starts.
pub struct JobFacts<'a> {
    /// Its record.
    pub record: &'a JobRecord,
    /// Its name, as `0001`.
    pub name: &'a str,
    /// Its folder.
    pub folder: &'a Path,
    /// The ranks to start, ascending.
    pub ranks: &'a [usize],
}

/// The scripts of a job; of those that start some ranks again only what is not there yet, because people may have
/// changed the others.
pub fn scripts(job: &JobFacts, which: Scripts) -> Vec<Script> {
    let is_first = which == Scripts::All;
    let start = if is_first { "start.sh" } else { "start-missing.sh" };
    let script = |name, text, facts: &Filled| Script { name, text: fill(text, facts), starts: name == start };
    let (mut all, last) = match job.record.engine {
        JobEngine::Slurm => {
            let facts = of_slurm(job);
            let all = vec![
                script("array.sbatch", include_str!("array.sbatch"), &facts),
                script("finish.sbatch", include_str!("finish.sbatch"), &facts),
            ];
            (all, script(start, include_str!("start_slurm.sh"), &facts))
        }
        JobEngine::Ray => {
            let all = vec![script("ray_job.py", include_str!("ray_job.py"), &of_ray(job))];
            (all, script(start, include_str!("start_ray.sh"), &of_shell(job)))
        }
        JobEngine::Kubernetes => {
            let file = if is_first { "job.yaml" } else { "job-missing.yaml" };
            let facts = of_kubernetes(job, file, which);
            let manifest = script(file, include_str!("job.yaml"), &facts);
            let all = vec![script("finish.yaml", include_str!("finish.yaml"), &facts)];
            let start = script(start, include_str!("start_kubernetes.sh"), &facts);
            return if is_first { [vec![manifest], all, vec![start]].concat() } else { vec![manifest, start] };
        }
    };
    all.retain(|_| is_first);
    all.push(last);
    all
}

/// What stands for the places of a text.
type Filled = Vec<(&'static str, String)>;

fn fill(text: &str, places: &Filled) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        filled += before;
        filled += places.iter().find(|(place, _)| *place == name).map_or("", |(_, value)| value);
        rest = after;
    }
    filled + rest
}

fn of_shell(job: &JobFacts) -> Filled {
    let start = &job.record.start;
    vec![
        ("job", job.name.to_owned()),
        ("folder", shell(&job.folder.display().to_string())),
        ("hardset", shell(&start.program)),
        ("run", shell(&start.run)),
        ("worker_options", start.options.iter().map(|option| format!(" {}", shell(option))).collect()),
        ("ranks", in_ranges(job.ranks)),
    ]
}

fn of_slurm(job: &JobFacts) -> Filled {
    let options = sbatch_options(&job.record.start.engine_options);
    let for_all: Vec<String> = options.iter().filter(|option| is_for_all_jobs(option)).cloned().collect();
    let mut filled = of_shell(job);
    filled.push(("sbatch_options", options.join("\n")));
    filled.push(("finish_options", for_all.join("\n")));
    filled.push(("arrays", arrays(job.ranks, job.record.start.slots).join("\n")));
    filled
}

/// A line for each option: a word that begins with `-`, and its value if that is a word of its own.
fn sbatch_options(words: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if !word.starts_with('-') => *line += &format!(" {}", shell(word)),
            _ => lines.push(format!("#SBATCH {}", shell(word))),
        }
    }
    lines
}

fn is_for_all_jobs(line: &str) -> bool {
    let option = line.trim_start_matches("#SBATCH ").trim_start_matches('\'');
    let name = option.split(['=', ' ']).next().unwrap_or_default();
    // A short one may have its value in the same word: -pgpu.
    let is_short = |known: &&str| !known.starts_with("--") && option.starts_with(*known);
    OF_ALL_JOBS.contains(&name) || OF_ALL_JOBS.iter().any(is_short)
}

/// The lines that submit arrays: ids that Slurm allows, and what is added to them. Slurm's limit is that of one array,
/// so several share the slots by their sizes; each has one at least.
fn arrays(ranks: &[usize], slots: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for piece in pieces(ranks) {
        let offset = piece.first().copied().unwrap_or(0);
        let ids: Vec<usize> = piece.iter().map(|rank| rank - offset).collect();
        let share = |slots: usize| (slots * piece.len()).div_ceil(ranks.len());
        let limit = slots.map_or_else(String::new, |slots| format!("%{}", share(slots)));
        lines.push(format!("submit {}{limit} {offset}", in_ranges(&ids)));
    }
    lines
}

/// Ascending ranks in pieces of like sizes, in each of which they differ by less than the largest array.
fn pieces(ranks: &[usize]) -> Vec<&[usize]> {
    let size = ranks.len().div_ceil(ranks.len().div_ceil(ARRAY).max(1)).max(1);
    let (mut pieces, mut start) = (Vec::new(), 0);
    for end in 1..=ranks.len() {
        let is_full = end - start == size;
        if end == ranks.len() || is_full || ranks[end] - ranks[start] >= ARRAY {
            pieces.push(&ranks[start..end]);
            start = end;
        }
    }
    pieces
}

fn of_ray(job: &JobFacts) -> Filled {
    let start = &job.record.start;
    vec![
        ("job", job.name.to_owned()),
        ("hardset", quoted(&start.program)),
        ("run", quoted(&start.run)),
        ("worker_options", format!("[{}]", start.options.iter().map(|o| quoted(o)).collect::<Vec<_>>().join(", "))),
        ("cpus", cpus_of_ray(start).to_string()),
        ("logs", quoted(&job.folder.join("logs").display().to_string())),
        ("gpus", start.gpus.to_string()),
        ("slots", start.slots.unwrap_or(0).to_string()),
    ]
}

/// Ray keeps no task from using more cores than it has asked for, so that each rank is told how many it has.
fn cpus_of_ray(start: &JobStart) -> usize {
    let threads = start.options.iter().find_map(|option| option.strip_prefix("--threads=")?.parse().ok());
    threads.unwrap_or(if start.gpus > 0 { CPUS_OF_A_GPU * start.gpus } else { 1 })
}

fn of_kubernetes(job: &JobFacts, file: &str, which: Scripts) -> Filled {
    let start = &job.record.start;
    let mut options = start.options.clone();
    if which == Scripts::Missing {
        let ranks = job.ranks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        options.push(format!("--among={ranks}"));
    }
    let slots = start.slots.unwrap_or(job.ranks.len()).min(job.ranks.len());
    // Without a claim the run is in a bucket.
    let place = start.claim.as_ref().map_or_else(
        || include_str!("bucket.yaml").to_owned(),
        |claim| fill(include_str!("volume.yaml"), &vec![("run", quoted(&start.run)), ("claim", quoted(claim))]),
    );
    vec![
        ("job", job.name.to_owned()),
        ("file", file.to_owned()),
        ("name", format!("hardset-{}", job.name)),
        ("completions", job.ranks.len().to_string()),
        ("parallelism", slots.to_string()),
        ("image", quoted(start.image.as_deref().unwrap_or_default())),
        ("hardset", quoted(&start.program)),
        ("run", quoted(&start.run)),
        ("worker_options", options.iter().map(|option| format!(", {}", quoted(option))).collect()),
        ("gpus", start.gpus.to_string()),
        ("place", place),
    ]
}

/// A word of a shell's command.
pub fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A string of JSON, which is one of Python and of YAML too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Ascending numbers as `0-99,403`.
fn in_ranges(numbers: &[usize]) -> String {
    let mut parts = Vec::new();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        match run {
            [only] => parts.push(only.to_string()),
            [first, .., last] => parts.push(format!("{first}-{last}")),
            [] => {}
        }
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;

    fn record(engine: JobEngine) -> JobRecord {
        JobRecord {
            tool: "hardset".to_owned(),
            engine,
            ranks: 2500,
            spec_sha256: Sha256::of(b"spec"),
            plan_sha256: Sha256::of(b"plan"),
            mixed_devices: false,
            start: JobStart {
                program: "/opt/it's here/hardset".to_owned(),
                run: "/shared/a run".to_owned(),
                slots: Some(200),
                options: vec!["--device=cuda:0".to_owned()],
                gpus: 1,
                image: Some("registry/hardset:1".to_owned()),
                claim: Some("runs".to_owned()),
                engine_options: vec!["--partition=gpu".to_owned(), "--gres=gpu:1".to_owned()],
            },
        }
    }

    fn texts(engine: JobEngine, ranks: &[usize], which: Scripts) -> Vec<Script> {
        let record = record(engine);
        scripts(&JobFacts { record: &record, name: "0001", folder: Path::new("/shared/a run/jobs/0001"), ranks }, which)
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_no_script_has_the_number_of_ranks() {
        let ranks: Vec<usize> = (0..2500).collect();
        for engine in [JobEngine::Slurm, JobEngine::Ray, JobEngine::Kubernetes] {
            for which in [Scripts::All, Scripts::Missing] {
                let scripts = texts(engine, &ranks, which);
                assert_eq!(scripts.iter().filter(|script| script.starts).count(), 1);
                for Script { name, text, .. } in scripts {
                    assert!(!text.contains("{{") && !text.contains("}}"), "{name}:\n{text}");
                    assert!(text.contains("0001"), "{name}:\n{text}");
                    assert!(!text.contains("--ranks 2500") && !text.contains("--world"), "{name}:\n{text}");
                }
            }
        }
    }

    #[test]
    fn a_run_in_a_bucket_has_credentials_in_place_of_a_volume() {
        let mut record = record(JobEngine::Kubernetes);
        record.start = JobStart { run: "s3://bucket/run".to_owned(), claim: None, ..record.start };
        let facts = JobFacts { record: &record, name: "0001", folder: Path::new("/cache/jobs/0001"), ranks: &[0] };
        for Script { name, text, .. } in scripts(&facts, Scripts::All) {
            assert!(!text.contains("{{") && !text.contains("volume"), "{name}:\n{text}");
            assert_eq!(text.contains("name: hardset-bucket"), name.ends_with(".yaml"), "{name}:\n{text}");
        }
    }

    #[test]
    fn arrays_of_slurm_have_ids_that_it_allows() {
        let ranks: Vec<usize> = (0..2500).collect();
        let lines = ["submit 0-833%34 0", "submit 0-833%34 834", "submit 0-831%34 1668"];
        assert_eq!(arrays(&ranks, Some(100)), lines);
        assert_eq!(arrays(&[17, 18, 403, 1403], None), ["submit 0-1,386 17", "submit 0 1403"]);
        assert_eq!(arrays(&[5], Some(3)), ["submit 0%3 5"]);
        assert!(arrays(&[], None).is_empty());
    }

    #[test]
    fn what_comes_from_people_is_quoted() {
        let slurm = texts(JobEngine::Slurm, &[0], Scripts::All);
        assert!(slurm[0].text.contains(r"hardset='/opt/it'\''s here/hardset'"), "{}", slurm[0].text);
        assert!(slurm[0].text.contains("#SBATCH --gres=gpu:1\n") && !slurm[1].text.contains("--gres"));
        assert!(slurm[1].text.contains("#SBATCH --partition=gpu\n"), "{}", slurm[1].text);
        let words = ["-p", "gpu", "--comment=it's a test", "--exclusive"].map(str::to_owned);
        assert!(!is_for_all_jobs("#SBATCH -n4"));
        assert!(is_for_all_jobs("#SBATCH -pgpu") && is_for_all_jobs("#SBATCH -t4:00:00"));
        let lines = ["#SBATCH -p gpu", r"#SBATCH '--comment=it'\''s a test'", "#SBATCH --exclusive"];
        assert_eq!(sbatch_options(&words), lines);
        assert!(is_for_all_jobs(lines[0]) && is_for_all_jobs(lines[1]) && !is_for_all_jobs(lines[2]));
        let yaml = &texts(JobEngine::Kubernetes, &[17, 403], Scripts::Missing)[0].text;
        assert!(yaml.contains(r#""--device=cuda:0", "--among=17,403"]"#), "{yaml}");
        assert!(yaml.contains("claimName: \"runs\"") && !yaml.contains("envFrom"), "{yaml}");
        assert!(yaml.contains("completions: 2\n") && yaml.contains(r#"mountPath: "/shared/a run""#), "{yaml}");
    }
}
