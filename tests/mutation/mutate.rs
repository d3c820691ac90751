//! What is done to a file: one thing at a time.
//!
//! Holds always: a mutation changes the bytes of its file and of no other; the same files give the same mutations.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::rows::exchanged;
use crate::values::{Syntax, changed, values};

/// Flipped bytes and changed values of a file in an ordinary run of the tests, and flipped bytes with
/// `HARDSET_MUTATIONS=all`, which changes all values.
const FLIPS: usize = 5;
const VALUES: usize = 8;
const MOST_FLIPS: usize = 32;
/// Values of `spec.toml`, which has many and which everything depends on.
const VALUES_OF_SPEC: usize = 40;
/// Files of one folder of things that can be made anew, unless their paths are asked for.
const CACHED: usize = 2;
/// Which bit of a byte. Not the sixth: it turns small letters into capitals, which hashes may be written in.
const BITS: [u8; 4] = [0x01, 0x80, 0x10, 0x04];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Emptied,
    Cut,
    Removed,
    Flipped,
    Exchanged,
    Value,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Emptied, Self::Cut, Self::Removed, Self::Flipped, Self::Exchanged, Self::Value];

    pub fn name(self) -> &'static str {
        match self {
            Self::Emptied => "emptied",
            Self::Cut => "cut in half",
            Self::Removed => "removed",
            Self::Flipped => "one byte flipped",
            Self::Exchanged => "two rows exchanged",
            Self::Value => "one value changed",
        }
    }
}

/// One change of one file.
pub struct Mutation {
    /// The file, relative to the folder of all.
    pub file: String,
    pub kind: Kind,
    /// Where, for people.
    pub place: String,
    /// What the file holds then; `None` if it is gone.
    pub bytes: Option<Vec<u8>>,
}

/// How much is tried.
#[derive(Debug, Clone)]
pub struct Effort {
    all: bool,
    /// Only files with this in their path.
    only: String,
}

impl Effort {
    /// `HARDSET_MUTATIONS`: `all`, or a part of a path, whose files then get all.
    pub fn from_env() -> Self {
        match std::env::var("HARDSET_MUTATIONS") {
            Err(_) => Self { all: false, only: String::new() },
            Ok(all) if all == "all" => Self { all: true, only: String::new() },
            Ok(only) => Self { all: true, only },
        }
    }

    /// Every mutation of these files, which lie in `dir`. `is_cache`: whether a file can be made anew.
    pub fn mutations<'a>(
        &self,
        dir: &Path,
        files: impl Iterator<Item = (&'a String, &'a Vec<u8>)>,
        is_cache: impl Fn(&str) -> bool,
    ) -> Vec<Mutation> {
        let mut mutations = Vec::new();
        let mut cached: BTreeMap<String, usize> = BTreeMap::new();
        for (file, bytes) in files.filter(|(file, _)| file.contains(&self.only)) {
            if is_cache(file) && self.only.is_empty() {
                // Pictures of one folder are all alike.
                let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
                let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
                let seen = cached.entry(format!("{folder} {extension}")).or_default();
                *seen += 1;
                if *seen > CACHED {
                    continue;
                }
            }
            self.of_file(dir, file, bytes, &mut mutations);
        }
        mutations
    }

    fn of_file(&self, dir: &Path, file: &str, bytes: &[u8], mutations: &mut Vec<Mutation>) {
        let mut add = |kind: Kind, place: String, new: Option<Vec<u8>>| {
            if new.as_deref() != Some(bytes) {
                mutations.push(Mutation { file: file.to_owned(), kind, place, bytes: new });
            }
        };
        add(Kind::Removed, String::new(), None);
        add(Kind::Emptied, String::new(), Some(Vec::new()));
        add(Kind::Cut, String::new(), Some(bytes[..bytes.len() / 2].to_vec()));
        let seed = file.bytes().map(usize::from).sum::<usize>();
        for at in spread(if self.all { MOST_FLIPS } else { FLIPS }, bytes.len()) {
            let mut new = bytes.to_vec();
            new[at] ^= BITS[(seed + at) % BITS.len()];
            add(Kind::Flipped, format!("at {at}"), Some(new));
        }
        if let Some(new) = exchanged(&dir.join(file), bytes) {
            add(Kind::Exchanged, String::new(), Some(new));
        }
        let Some(syntax) = Syntax::of(file) else { return };
        let text = std::str::from_utf8(bytes).expect("it is text");
        let places = values(text, syntax);
        let some = if file.ends_with("spec.toml") { VALUES_OF_SPEC } else { VALUES };
        for at in spread(if self.all { places.len() } else { some }, places.len()) {
            let line = text[..places[at].start].matches('\n').count() + 1;
            let value: String = text[places[at].clone()].chars().take(24).collect();
            let new = changed(text, &places[at], syntax).into_bytes();
            add(Kind::Value, format!("{value} in line {line}"), Some(new));
        }
    }
}

/// Different places in 0..len, at most `wanted`: evenly from near the start to near the end.
fn spread(wanted: usize, len: usize) -> BTreeSet<usize> {
    if wanted >= len {
        return (0..len).collect();
    }
    let last = wanted.saturating_sub(1).max(1);
    (0..wanted).map(|part| len * (2 * last + 96 * part) / (100 * last)).collect()
}

#[test]
fn few_places_are_spread_and_many_are_all() {
    let check = |wanted: usize, len: usize, expected: &[usize]| {
        assert_eq!(spread(wanted, len).into_iter().collect::<Vec<_>>(), expected);
    };
    check(3, 1000, &[20, 500, 980]);
    check(3, 4, &[0, 2, 3]);
    check(5, 3, &[0, 1, 2]);
    check(3, 0, &[]);
}
