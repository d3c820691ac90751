//! All files of the crate together: what a path names, and which file takes something from which.
//!
//! Names are looked up as the compiler does it, as far as imports need it: modules, items, imports and globs of a
//! module. Items that macros make are not known; their path then ends at the last module in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Module, Named, Source};

/// Modules from the root of the crate on.
pub type ModulePath = Vec<String>;

/// More hops from import to import than any real name has.
const MOST_HOPS: usize = 20;

pub struct File {
    /// Below `src/`.
    pub name: String,
    pub module: ModulePath,
    pub source: Source,
    /// Whether only tests have it.
    pub is_test: bool,
}

pub struct Tree {
    pub files: Vec<File>,
    /// File and place in [`Source::modules`].
    modules: BTreeMap<ModulePath, (usize, usize)>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    Module(ModulePath),
    /// An item of this module.
    Item(ModulePath),
}

impl Found {
    fn module(self) -> ModulePath {
        match self {
            Self::Module(module) | Self::Item(module) => module,
        }
    }
}

/// What a path of a file names.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Something of this crate: the module that the path speaks of, and the one that has the item.
    Here { spoken: ModulePath, home: ModulePath },
    /// Another crate, or a name that only the function knows.
    Elsewhere(String),
}

impl Tree {
    /// `files`: paths below `src/` and texts.
    pub fn new(files: &[(String, String)]) -> Self {
        let mut tree = Self { files: Vec::new(), modules: BTreeMap::new() };
        for (name, text) in files {
            let source = Source::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            tree.files.push(File { name: name.clone(), module: module_of(name), source, is_test: false });
        }
        for (at, file) in tree.files.iter().enumerate() {
            for (place, module) in file.source.modules.iter().enumerate() {
                tree.modules.insert([file.module.as_slice(), &module.inside].concat(), (at, place));
            }
        }
        let is_test: Vec<bool> = tree.files.iter().map(|file| tree.is_below_tests(&file.module)).collect();
        tree.files.iter_mut().zip(is_test).for_each(|(file, is_test)| file.is_test = is_test);
        tree
    }

    fn is_below_tests(&self, module: &[String]) -> bool {
        let declared = |at: usize| {
            let parent = self.module(&module[..at]);
            parent.is_some_and(|(_, parent)| parent.test_modules.contains(&module[at]))
        };
        (0..module.len()).any(declared)
    }

    /// Whether it is a module of the root that only tests have, such as `needs`.
    pub fn has_only_for_tests(&self, module: &[String]) -> bool {
        let root = self.module(&[]);
        root.is_some_and(|(_, root)| module.first().is_some_and(|name| root.test_modules.contains(name)))
    }

    fn module(&self, path: &[String]) -> Option<(&File, &Module)> {
        let (file, place) = *self.modules.get(path)?;
        Some((&self.files[file], &self.files[file].source.modules[place]))
    }

    /// What `named` of `file` names.
    pub fn place(&self, file: &File, named: &Named) -> Place {
        let scope = [file.module.as_slice(), &named.inside].concat();
        let Some(absolute) = absolute(&scope, &named.path) else {
            let elsewhere = Place::Elsewhere(named.path[0].clone());
            // What an import binds is not what it is made of: `use png;` names the crate.
            let own = named.binding.as_ref().filter(|_| named.path.len() == 1);
            return match self.look(&scope, &named.path, own.map(String::as_str), MOST_HOPS) {
                Some(found) => {
                    let home = found.module();
                    Place::Here { spoken: home.clone(), home }
                }
                None => elsewhere,
            };
        };
        let known = (0..=absolute.len()).rev().find(|&length| self.modules.contains_key(&absolute[..length]));
        // A name of the root is a module, even one that is not there.
        let spoken = absolute[..known.unwrap_or(0).max(1).min(absolute.len())].to_vec();
        let home = self.look(&[], &absolute, None, MOST_HOPS).map_or_else(|| spoken.clone(), Found::module);
        Place::Here { spoken, home }
    }

    /// Follows `path` from module `from` on; `not`: an import whose own binding must not answer.
    fn look(&self, from: &[String], path: &[String], not: Option<&str>, hops: usize) -> Option<Found> {
        let Some((name, rest)) = path.split_first() else { return Some(Found::Module(from.to_vec())) };
        let child = [from, std::slice::from_ref(name)].concat();
        if self.modules.contains_key(&child) {
            return self.look(&child, rest, None, hops);
        }
        let (file, module) = self.module(from)?;
        if module.items.contains(name) {
            return Some(Found::Item(from.to_vec()));
        }
        if hops == 0 || not == Some(name.as_str()) {
            return None;
        }
        let here = |named: &&Named| named.imported && named.inside == module.inside;
        for import in file.source.named.iter().filter(here) {
            let found = match &import.binding {
                Some(binding) if binding == name => self.follow(from, import, hops)?,
                Some(_) => continue,
                None => {
                    let Some(Found::Module(opened)) = self.follow(from, import, hops) else { continue };
                    let Some(found) = self.look(&opened, std::slice::from_ref(name), None, hops - 1) else { continue };
                    found
                }
            };
            return match found {
                Found::Module(module) => self.look(&module, rest, None, hops - 1),
                item => Some(item),
            };
        }
        None
    }

    fn follow(&self, from: &[String], import: &Named, hops: usize) -> Option<Found> {
        match absolute(from, &import.path) {
            Some(absolute) => self.look(&[], &absolute, None, hops - 1),
            // A glob of another crate: no other import says what it holds.
            None if import.binding.is_none() => self.look(from, &import.path, None, 0),
            None => self.look(from, &import.path, import.binding.as_deref(), hops - 1),
        }
    }

    /// Which files each file takes something from, tests left out; by their places in `files`.
    ///
    /// A `mod.rs` that only hands on what its own files have takes nothing from them.
    pub fn arrows(&self) -> Vec<BTreeSet<usize>> {
        let taken = |file: &File| {
            let used = file.source.named.iter().filter(|named| !named.in_tests && !is_handed_on(file, named));
            let places = used.filter_map(|named| match self.place(file, named) {
                Place::Here { home, .. } => self.modules.get(&home).map(|&(at, _)| at),
                Place::Elsewhere(_) => None,
            });
            places.filter(|&at| self.files[at].name != file.name).collect()
        };
        self.files.iter().map(|file| if file.is_test { BTreeSet::new() } else { taken(file) }).collect()
    }

    /// Groups of files of one room that take from each other, in one direction and back; each with its arrows.
    pub fn circles(&self) -> Vec<Circle> {
        let mut arrows = self.arrows();
        for (at, targets) in arrows.iter_mut().enumerate() {
            let room = self.files[at].module.first();
            targets.retain(|&to| room.is_some() && self.files[to].module.first() == room);
        }
        let reached: Vec<BTreeSet<usize>> = (0..arrows.len()).map(|at| reach(&arrows, at)).collect();
        let mut circles: Vec<Circle> = Vec::new();
        let mut done = BTreeSet::new();
        for at in 0..arrows.len() {
            let group: BTreeSet<usize> = reached[at].iter().copied().filter(|&to| reached[to].contains(&at)).collect();
            if group.is_empty() || !done.insert(group.clone()) {
                continue;
            }
            let name = |at: usize| self.files[at].name.clone();
            let mut circle = Circle { files: group.iter().copied().map(name).collect(), arrows: Vec::new() };
            circle.files.sort();
            for &from in &group {
                circle.arrows.extend(arrows[from].intersection(&group).map(|&to| (name(from), name(to))));
            }
            circle.arrows.sort();
            circles.push(circle);
        }
        circles
    }
}

/// Files that take from each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Circle {
    pub files: Vec<String>,
    /// From, to.
    pub arrows: Vec<(String, String)>,
}

/// Whether a file only passes a name on from a module below its own, without a word about it.
pub fn is_handed_on(file: &File, named: &Named) -> bool {
    let is_spoken = named.binding.as_ref().is_some_and(|binding| file.source.spoken.contains(binding));
    let from_below = !matches!(named.path[0].as_str(), "crate" | "super");
    named.exported && from_below && !is_spoken
}

/// Everything that can be reached from `start` by at least one arrow.
fn reach(arrows: &[BTreeSet<usize>], start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<usize> = arrows[start].iter().copied().collect();
    while let Some(at) = open.pop() {
        if reached.insert(at) {
            open.extend(&arrows[at]);
        }
    }
    reached
}

/// Module path of a file below `src/`: `stage/mine/score.rs` -> `[stage, score]`; the root is empty.
fn module_of(file: &str) -> ModulePath {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" => Vec::new(),
        stem => stem.split('/').map(str::to_owned).collect(),
    }
}

/// The path from the root on; `None` where it begins with a name of its own module or another crate.
fn absolute(scope: &[String], path: &[String]) -> Option<ModulePath> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (start, rest) = match path[0].as_str() {
        "crate" | "hardset" => (&scope[..0], &path[1..]),
        "self" => {
            let supers = path[1..].iter().take_while(|part| *part == "super").count();
            (&scope[..scope.len().saturating_sub(supers)], &path[1 + supers..])
        }
        "super" => (&scope[..scope.len().saturating_sub(supers)], &path[supers..]),
        _ => return None,
    };
    Some([start, rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        Tree::new(&files.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect::<Vec<_>>())
    }

    /// The one place that looks for circles in made-up files: the files of each, joined by blanks.
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let circles: Vec<String> = tree(files).circles().iter().map(|circle| circle.files.join(" ")).collect();
        assert_eq!(circles, expected, "{files:?}");
    }

    #[test]
    fn files_that_take_from_each_other_are_a_circle() {
        check(&[("a/mod.rs", "mod b; mod c;"), ("a/b.rs", "use super::c::X;"), ("a/c.rs", "pub struct X;")], &[]);
        let back = "pub struct X; fn f() { crate::a::b::g() }";
        let files = [("a/mod.rs", "mod b; mod c;"), ("a/b.rs", "use super::c::X; pub fn g() {}"), ("a/c.rs", back)];
        check(&files, &["a/b.rs a/c.rs"]);
        let in_a_macro = [("a/mod.rs", ""), ("a/b.rs", "fn f() { x!(super::c::X) }"), ("a/c.rs", "use super::b::f;")];
        check(&in_a_macro, &["a/b.rs a/c.rs"]);
    }

    #[test]
    fn a_name_that_is_handed_on_leads_to_the_file_that_has_it() {
        let hands_on = ("a/mod.rs", "mod b; mod c; pub use b::B; pub(crate) use c::*;");
        check(&[hands_on, ("a/b.rs", "pub struct B; use super::C;"), ("a/c.rs", "pub struct C;")], &[]);
        let files = [hands_on, ("a/b.rs", "pub struct B; use super::C;"), ("a/c.rs", "pub struct C(super::B);")];
        check(&files, &["a/b.rs a/c.rs"]);
        let renamed = [("a/mod.rs", "pub use b::B as D;"), ("a/b.rs", "pub struct B; use super::D as E;")];
        check(&renamed, &[]);
    }

    #[test]
    fn a_mod_file_that_has_code_of_its_own_is_a_file_like_others() {
        let child = ("a/b.rs", "use super::Kind; pub fn f() {}");
        check(&[("a/mod.rs", "mod b; pub enum Kind {} pub use b::f;"), child], &[]);
        check(&[("a/mod.rs", "mod b; pub enum Kind {} fn g() { b::f() }"), child], &["a/b.rs a/mod.rs"]);
        check(&[("a/mod.rs", "mod b; pub enum Kind {} pub use b::f; fn g() { f() }"), child], &["a/b.rs a/mod.rs"]);
    }

    #[test]
    fn tests_are_no_part_of_a_circle() {
        let files = [
            ("a/mod.rs", "mod b; #[cfg(test)] mod tests; pub fn f() { b::g() }"),
            ("a/b.rs", "pub fn g() {} #[cfg(test)] mod tests { use crate::a::f; use super::*; }"),
            ("a/tests.rs", "use super::f; pub fn h() {}"),
        ];
        check(&files, &[]);
    }

    #[test]
    fn rooms_are_looked_at_one_by_one() {
        check(&[("a.rs", "pub struct A; use crate::b::B;"), ("b.rs", "pub struct B; use crate::a::A;")], &[]);
    }
}
