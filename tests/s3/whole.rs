//! Whole runs: built, killed, disturbed, read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{Hardset, Run, fake_recipe, hashes, sizes};
use crate::proxy::Proxy;
use crate::servers::{BUCKET, KEY, Kind, SECRET, Server, free_port};

/// How often a build, and a server, are killed.
const KILLS: usize = 4;
const RESTARTS: usize = 2;
/// Ranks of a job.
const RANKS: usize = 4;
/// How long a server is away.
const AWAY: Duration = Duration::from_millis(1500);
/// One call in so many is refused.
const REFUSED: usize = 8;
/// How long to wait for an object.
const WAIT: Duration = Duration::from_secs(120);

/// A server, the program, and what the recipe gives in a folder.
struct Trial {
    hardset: Hardset,
    server: Server,
    expected: BTreeMap<String, String>,
}

impl Trial {
    #[track_caller]
    fn start(kind: Kind) -> Option<Self> {
        let hardset = Hardset::new();
        let server = Server::start(kind, &hardset.path("server"))?;
        let recipe = fake_recipe("r", "images_per_category = 2\nfail_every = 97", "rule = \"at-least=2\"");
        hardset.write("r.toml", recipe.replace("shard_items = 64", "shard_items = 16"));
        hardset.line("build r.toml -q --run-dir folder").expect(3);
        let expected = files(&hardset, "folder");
        Some(Self { hardset, server, expected })
    }

    /// A call of the program on a machine whose copies lie in `scratch`.
    fn command(&self, line: &str, scratch: &str, port: u16) -> Command {
        let words: Vec<&str> = line.split_whitespace().chain(["--scratch", scratch]).collect();
        let mut command = self.hardset.command(&words);
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("AWS_REGION", "us-east-1");
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")).env("AWS_ALLOW_HTTP", "true");
        command
    }

    fn line(&self, line: &str, scratch: &str) -> Run {
        Run::of(&mut self.command(line, scratch, self.server.port))
    }

    fn build(&self, run: &str, port: u16) -> Child {
        let mut command = self.command(&format!("build r.toml -q --run-dir s3://{BUCKET}/{run}"), "here", port);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started")
    }

    /// Waits until the run has so many objects, or the build has ended.
    fn wait_for(&self, run: &str, objects: usize, build: &mut Child) {
        let start = Instant::now();
        while sizes(&self.server.run(run)).len() < objects && build.try_wait().expect("it is ours").is_none() {
            assert!(start.elapsed() < WAIT, "{run} never had {objects} objects");
            sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn assert_same(&self, run: &str) {
        let differing = self.differing(run);
        assert!(differing.is_empty(), "these differ or stand on one side only: {differing:?}");
    }

    fn differing(&self, run: &str) -> Vec<String> {
        let mut found = self.server.objects(run);
        found.retain(|name, _| !name.starts_with("jobs/"));
        let names: std::collections::BTreeSet<_> = found.keys().chain(self.expected.keys()).collect();
        names.into_iter().filter(|name| found.get(*name) != self.expected.get(*name)).cloned().collect()
    }

    fn is_built_and_read_by_another_machine(&self) {
        let proxy = Proxy::start(self.server.port, None);
        let url = format!("s3://{BUCKET}/built");
        ended(self.build("built", proxy.port)).expect(3).out(&[&format!("manifest: {url}/manifest.parquet")]);
        let calls = proxy.passed();
        let units = self.expected.keys().filter(|name| name.ends_with(".json")).count();
        eprintln!("{calls:?} calls for {units} records and {} objects", self.expected.len());
        self.assert_same("built");
        self.line(&format!("verify {url}"), "there").ok().out(&[&format!("{url}: all")]);
        self.line(&format!("status {url}"), "elsewhere").ok().out(&["hard "]);
        // The page has the same bytes whoever makes it, and `mine` has nothing to do.
        self.line(&format!("report {url}"), "elsewhere").ok().out(&[&format!("{url}/report/index.html")]);
        self.line(&format!("mine {url}"), "third").expect(3).out(&["fake-a: 224 images scored, 0 of them"]);
        self.line(&format!("release {url} --out release"), "fourth").expect(0);
        self.assert_same("built");
        self.hardset.line("verify release").ok();
    }

    fn damage_is_seen(&mut self) {
        let url = format!("s3://{BUCKET}/built");
        let (name, _) = self.expected.iter().find(|(name, _)| name.ends_with(".tar")).expect("there are images");
        let path = self.server.run("built").join(name);
        let mut bytes = std::fs::read(&path).expect("it can be read");
        bytes[600] ^= 1;
        std::fs::write(&path, &bytes).expect("it can be written");
        let found = self.line(&format!("verify {url}"), "there").expect(3);
        assert!(found.stdout.contains(&format!("{url}/{name} is damaged: its SHA-256")), "{}", found.stdout);
        bytes.pop();
        std::fs::write(&path, &bytes).expect("it can be written");
        // rclone remembers sizes; what it has not written itself it sees after a start.
        self.server.restart(Duration::ZERO);
        // Another size is seen at every start, and healed.
        let healed = self.line(&format!("build r.toml -q --run-dir {url}"), "here").expect(3);
        assert!(healed.stderr.is_empty(), "{}", healed.stderr);
        self.assert_same("built");
    }

    fn is_killed_again_and_again(&self) {
        let mut landed = 0;
        for kill in 1..=KILLS {
            let mut build = self.build("killed", self.server.port);
            self.wait_for("killed", self.expected.len() * kill / (KILLS + 1), &mut build);
            build.kill().expect("it is ours");
            landed += usize::from(build.wait().expect("it is ours").code().is_none());
        }
        assert!(landed > 0, "no kill came in time");
        // The last one continues on another machine.
        self.line(&format!("build r.toml -q --run-dir s3://{BUCKET}/killed"), "there").expect(3);
        self.assert_same("killed");
    }

    fn its_server_is_killed_and_started_again(&mut self) {
        let mut build = self.build("restarted", self.server.port);
        for restart in 1..=RESTARTS {
            self.wait_for("restarted", self.expected.len() * restart / (RESTARTS + 1), &mut build);
            assert!(build.try_wait().expect("it is ours").is_none(), "the build was done before");
            self.server.restart(AWAY);
        }
        ended(build).expect(3);
        self.assert_same("restarted");
    }

    fn its_server_is_busy(&self) {
        let proxy = Proxy::start(self.server.port, Some(REFUSED));
        ended(self.build("busy", proxy.port)).expect(3);
        eprintln!("{} calls were refused, {:?} came through", proxy.refused(), proxy.passed());
        assert!(proxy.refused() > 10);
        self.assert_same("busy");
    }

    /// Two machines at once, which know nothing of each other.
    fn two_machines_build_it(&self) {
        let line = format!("build r.toml -q --run-dir s3://{BUCKET}/twice");
        let mut builds = Vec::new();
        for scratch in ["one", "two"] {
            let mut command = self.command(&line, scratch, self.server.port);
            let build = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            builds.push(build.expect("the program can be started"));
        }
        for build in builds {
            ended(build).expect(3);
        }
        self.assert_same("twice");
    }

    /// Each rank of a job on a machine of its own, two of them on two machines at once, one killed and started again.
    fn ranks_of_a_job_make_it(&self) {
        let url = format!("s3://{BUCKET}/job");
        self.line(&format!("plan r.toml --run-dir {url}"), "login").ok();
        self.line(&format!("submit {url} --to ray --ranks {RANKS}"), "login").ok().out(&["job 0001 of s3://"]);
        let mut workers = Vec::new();
        for (rank, scratch) in (0..RANKS).map(|rank| (rank, format!("node-{rank}"))).chain([(0, "node-x".to_owned())]) {
            let line = format!("worker {url} --job 0001 --rank {rank} -q");
            let mut command = self.command(&line, &scratch, self.server.port);
            let worker = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            workers.push(worker.expect("the program can be started"));
        }
        let mut killed = workers.remove(1);
        killed.kill().expect("it is ours");
        assert!(killed.wait().expect("it is ours").code().is_none(), "it was through before");
        for worker in workers {
            ended(worker).ok();
        }
        let lacking = self.line(&format!("finish {url}"), "login").expect(4);
        assert!(lacking.stderr.contains("1 of 4 ranks have no valid record: 1"), "{lacking:?}");
        self.line(&format!("submit {url} --missing"), "login").ok();
        self.line(&format!("worker {url} --job 0001 --rank 1 -q"), "node-y").ok();
        self.line(&format!("finish {url}"), "login").expect(3);
        self.assert_same("job");
        self.line(&format!("status {url}"), "elsewhere").ok();
    }

    /// Objects of many pieces are sent in parts, and read in parts.
    fn large_objects_go_in_parts(&self) {
        let recipe = fake_recipe("l", "images_per_category = 1", "").replace("size_px = 32", "size_px = 512");
        self.hardset.write("l.toml", recipe.replace("shard_items = 64", "shard_items = 128"));
        self.hardset.line("build l.toml -q --run-dir large").ok();
        let url = format!("s3://{BUCKET}/large");
        self.line(&format!("build l.toml -q --run-dir {url}"), "here").ok();
        let expected = files(&self.hardset, "large");
        assert_eq!(self.server.objects("large"), expected);
        assert!(sizes(&self.server.run("large")).into_iter().any(|bytes| bytes > 40 << 20));
        self.line(&format!("verify {url}"), "there").ok();
    }
}

/// The files of a run in a folder; the lock is no part of a run in a bucket.
fn files(hardset: &Hardset, run: &str) -> BTreeMap<String, String> {
    let folder: PathBuf = hardset.path(run);
    let mut files = hashes(&folder);
    files.remove("lock");
    files
}

fn ended(child: Child) -> Run {
    let output = child.wait_with_output().expect("the program can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn campaign(kind: Kind) {
    let Some(mut trial) = Trial::start(kind) else { return };
    trial.is_built_and_read_by_another_machine();
    trial.is_killed_again_and_again();
    trial.its_server_is_busy();
    trial.two_machines_build_it();
    trial.ranks_of_a_job_make_it();
    trial.its_server_is_killed_and_started_again();
    trial.large_objects_go_in_parts();
    trial.damage_is_seen();
}

#[test]
fn a_run_on_localbucket_has_the_bytes_of_one_in_a_folder() {
    campaign(Kind::Localbucket);
}

#[test]
fn a_run_on_s3s_fs_has_the_bytes_of_one_in_a_folder() {
    campaign(Kind::S3sFs);
}

#[test]
fn a_run_on_rclone_has_the_bytes_of_one_in_a_folder() {
    campaign(Kind::Rclone);
}

#[test]
fn a_server_that_is_not_there_is_named_soon() {
    let hardset = Hardset::new();
    let mut command = hardset.command(&["status", "s3://b/run"]);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", free_port())).env("AWS_ALLOW_HTTP", "true");
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
    let start = Instant::now();
    Run::of(&mut command).refused(4, &["cannot open s3://b/run", "docs/buckets.md"]);
    assert!(start.elapsed() < Duration::from_secs(60));
}
