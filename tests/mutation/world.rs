//! The run and the release that are damaged, and folders that can be put back as they were.
//!
//! A small run of fakes that has everything that a run can have: lost items, a target, task sheets, answers from a file
//! and from the server, a picture that people could not see, verdicts. A verified release in all forms. And another run
//! of the same recipe for which nobody was asked, from which releases are made beside the first one.
//!
//! Holds always: what a command has done to a folder is undone before the next one, and files never share their bytes
//! with those of another folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use hardset::domain::Philox;
use hardset::imaging::{RgbImage, encode_png};

use crate::common::{Hardset, strings, table};
use crate::server::answer_one_sheet;

pub const RUN: &str = "run";
pub const RELEASE: &str = "release";
/// The run for which nobody was asked.
pub const OTHER: &str = "other";
pub const RECIPE: &str = "recipe.toml";

const QUESTIONS: [&str; 2] = ["recognise", "use"];
/// People whose answers come in a file; one more uses the server.
const PEOPLE: usize = 3;
const CATEGORIES: u32 = 10;

/// Makes it all, and demands that nothing is wrong with it.
pub fn make() -> Hardset {
    let hardset = Hardset::new();
    write_inputs(&hardset);
    hardset.line(&format!("build {RECIPE} --run-dir {RUN} -q")).expect(3);
    hardset.line(&format!("build {RECIPE} --run-dir {OTHER} -q --set annotate.export=[]")).expect(3);
    hide_a_picture(&hardset);
    let truth = Truth::of(&hardset.path(RUN));
    let answers = hardset.write("answers.csv", answers(&truth));
    answer_one_sheet(&hardset, RUN, &QUESTIONS, |task, question| truth.answer(task, question));
    hardset.line(&format!("annotate collect {RUN} {} -q", answers.display())).ok();
    hardset.line(&format!("report {RUN} -q")).ok();
    hardset.line(&format!("release {RUN} --out {RELEASE} --also imagefolder,webdataset,fiftyone -q")).ok();
    for name in [RUN, OTHER, RELEASE] {
        hardset.line(&format!("verify {name}")).ok();
    }
    let status = hardset.line(&format!("status {RELEASE} --format json")).ok().json();
    assert!(status["verified"] == true && status["images"].as_u64() > Some(2), "{status}");
    hardset
}

/// The recipe, its categories, and pictures of two of them that are known to be good.
fn write_inputs(hardset: &Hardset) {
    let category =
        |at: u32| format!("  {{ id = \"thing_{at}\", name = \"thing {at}\", imagenet_ids = [{}] }},\n", 500 + at);
    // Classes beside each other, because made-up classifiers confuse those.
    hardset.write("things.toml", format!("categories = [\n{}]\n", (0..CATEGORIES).map(category).collect::<String>()));
    for at in 0..6 {
        let bytes = |word: u64| Philox::new(at, 9).words(word).map(|word| word as u8);
        let pixels = (0..32 * 32 * 3 / 4).flat_map(bytes).collect();
        let image = RgbImage::new(32, 32, pixels).expect("it has as many bytes as it should");
        hardset.write(&format!("known/thing_{}/{at}.png", at % 2), encode_png(&image, &[]).expect("it can be encoded"));
    }
    hardset.write(
        RECIPE,
        "name = \"small\"\ncategories = \"things.toml\"\nshard_items = 32\n\n\
         [generate]\nsource = \"fake\"\nsize_px = 16\nimages_per_category = 6\nfail_every = 29\n\n\
         [mine]\nsurrogates = [\"fake-a\", \"fake-b\"]\ntargets = [\"fake-c\"]\nrule = \"at-least=1\"\n\n\
         [annotate]\nimage_px = 64\nimages_per_batch = 16\nmax_items = 16\npeople_per_batch = 4\nexport = [\"csv\"]\n\
         sentinels = { min_prob = 0.3, known_good = \"known\", positives = 3, negatives = 2, repeats = 1 }\n\n\
         [release]\nlicense = \"cc-by-4.0\"\nauthors = [\"Lee, Ann\"]\n",
    );
}

/// The one file of the run whose path has both parts.
fn the_file(run: &Path, folder: &str, part: &str) -> PathBuf {
    let tree = Tree::read(run);
    let found: Vec<&String> =
        tree.files.keys().filter(|name| name.starts_with(folder) && name.contains(part)).collect();
    let [name] = found[..] else { panic!("{folder} has not one file with {part}: {found:?}") };
    run.join(name)
}

/// A known picture is gone while sheets are exported: from then on people see a grey square.
fn hide_a_picture(hardset: &Hardset) {
    let tasks = table(&the_file(&hardset.path(RUN), "batches/", "tasks"));
    let shown = strings(&tasks, "known_good").into_iter().find(|file| !file.is_empty()).expect("one is on a sheet");
    let (picture, hidden) = (hardset.path("known").join(shown), hardset.path("hidden.png"));
    fs::rename(&picture, &hidden).expect("it was there");
    hardset.line(&format!("annotate export {RUN} --to csv --out grey -q")).expect(3);
    fs::rename(&hidden, &picture).expect("it was there");
    assert!(Tree::read(&hardset.path(RUN)).files.keys().any(|name| name.contains("blank")));
}

/// What people know: the kind of every task that is a sentinel, and the item that a task shows.
struct Truth {
    kinds: HashMap<String, String>,
    items: HashMap<String, u32>,
}

impl Truth {
    fn of(run: &Path) -> Self {
        let sentinels = table(&the_file(run, "batches/", "sentinels"));
        let kinds = strings(&sentinels, "task").into_iter().zip(strings(&sentinels, "kind")).collect();
        let tasks = table(&the_file(run, "batches/", "tasks"));
        let items = tasks.column("item_id").and_then(|column| column.u32()).expect("items are numbers");
        let items = strings(&tasks, "task").into_iter().zip(items.iter().map(Option::unwrap_or_default)).collect();
        Self { kinds, items }
    }

    /// Right about sentinels, the same for an image that comes twice; people do not recognise one item in four.
    fn answer(&self, task: &str, question: &str) -> &'static str {
        match self.kinds.get(task).map(String::as_str) {
            Some("negative") => "no",
            Some("positive") => "yes",
            _ if question == "recognise" && self.items[task].is_multiple_of(4) => "no",
            _ => "yes",
        }
    }
}

/// What people have filled in.
fn answers(truth: &Truth) -> String {
    let mut tasks: Vec<&String> = truth.items.keys().collect();
    tasks.sort();
    let mut text = "person,task,question,answer\n".to_owned();
    for (person, task) in (0..PEOPLE).flat_map(|person| tasks.iter().map(move |task| (person, task))) {
        for question in QUESTIONS {
            text += &format!("p{person}@example.org,{task},{question},{}\n", truth.answer(task, question));
        }
    }
    text
}

/// All files below a folder, in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    pub files: BTreeMap<String, Vec<u8>>,
    /// Permissions; not compared by commands, but the secret must stay one.
    modes: BTreeMap<String, u32>,
}

impl Tree {
    pub fn read(folder: &Path) -> Self {
        let mut tree = Self::default();
        tree.add(folder, "");
        tree
    }

    /// Several folders of one home.
    pub fn of(home: &Path, folders: &[&str]) -> Self {
        let mut tree = Self::default();
        folders.iter().for_each(|folder| tree.add(&home.join(folder), folder));
        tree
    }

    fn add(&mut self, folder: &Path, inside: &str) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if inside.is_empty() { name } else { format!("{inside}/{name}") };
            if entry.path().is_dir() {
                self.add(&entry.path(), &name);
            } else {
                self.modes.insert(name.clone(), entry.metadata().map_or(0o644, |meta| meta.permissions().mode()));
                self.files.insert(name, fs::read(entry.path()).expect("it can be read"));
            }
        }
    }

    /// The same with one file changed, or gone.
    pub fn with(&self, file: &str, bytes: Option<&Vec<u8>>) -> Self {
        let mut tree = self.clone();
        match bytes {
            Some(bytes) => drop(tree.files.insert(file.to_owned(), bytes.clone())),
            None => drop(tree.files.remove(file)),
        }
        tree
    }

    /// Makes `home`, which holds `now`, hold this.
    pub fn restore(&self, home: &Path, now: &Self) {
        for name in now.files.keys().filter(|name| self.files.get(*name) != now.files.get(*name)) {
            // Never into the old bytes: another name may be a link to them.
            fs::remove_file(home.join(name)).expect("it was there");
        }
        for (name, bytes) in self.files.iter().filter(|(name, bytes)| now.files.get(*name) != Some(*bytes)) {
            let path = home.join(name);
            fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("folders can be made");
            fs::write(&path, bytes).expect("it can be written");
            let mode = self.modes.get(name).copied().unwrap_or(0o644);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        let tops: BTreeSet<&str> = self.files.keys().filter_map(|name| name.split('/').next()).collect();
        for entry in fs::read_dir(home).expect("it is a folder").flatten() {
            // Folders that a command made, also empty ones.
            let name = entry.file_name();
            if entry.path().is_dir() && !tops.contains(name.to_string_lossy().as_ref()) {
                fs::remove_dir_all(entry.path()).expect("it can be removed");
            }
        }
    }
}
