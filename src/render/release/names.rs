//! Names that are derived from data: files, folders and classes.
//!
//! Holds always: a file name stays inside its folder on every common file system; two texts never get the same name,
//! because one file would replace the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::Sha256;

use super::CategoryFacts;

/// Longest name of a file, in bytes.
const MAX_BYTES: usize = 80;
/// Hexadecimal digits of the hash that tells changed names apart.
const HASH_DIGITS: usize = 12;

/// A name for a file or folder, derived from any text: ASCII letters, digits, `-`, `_` and `.`, 1 to 80 bytes, no
/// leading or trailing dot, no leading `-`, and not the name of a Windows device.
///
/// A text that is such a name is not changed. Any other text is changed and gets the first digits of its SHA-256, so
/// that different texts have different names. Names may differ in case alone, which some file systems ignore.
pub fn safe_name(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { changed(text) }
}

/// Names for files or folders in the same folder, one for each text: as [`safe_name`], but no two names differ in case
/// alone.
pub fn safe_names<'a>(texts: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let mut taken = BTreeSet::new();
    let texts: BTreeSet<&str> = texts.collect();
    let name = |text| {
        let name = safe_name(text);
        let name = if taken.contains(&name.to_ascii_lowercase()) { changed(text) } else { name };
        taken.insert(name.to_ascii_lowercase());
        (text, name)
    };
    texts.into_iter().map(name).collect()
}

/// A text made a name, with the first digits of its hash.
fn changed(text: &str) -> String {
    let replaced: String = text.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    let stem = replaced.trim_start_matches(['.', '-']);
    let stem = &stem[..stem.len().min(MAX_BYTES - HASH_DIGITS - 1)];
    let stem = if stem.is_empty() { "_" } else { stem };
    format!("{stem}-{}", &Sha256::of(text.as_bytes()).to_string()[..HASH_DIGITS])
}

fn is_kept(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn is_plain(text: &str) -> bool {
    let has_place = (1..=MAX_BYTES).contains(&text.len());
    let has_ends = !text.starts_with(['.', '-']) && !text.ends_with('.');
    has_place && has_ends && text.chars().all(is_kept) && !is_device(text) && !looks_changed(text)
}

/// Whether Windows would open a device: `CON`, `nul.txt`, `com1` …
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().find_map(|device| stem.strip_prefix(device));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || numbered.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
}

/// Whether a text ends like a changed name. Such a text is changed too, because it could be the name of another text.
fn looks_changed(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Readable names of the classes, by label. Loaders need distinct names, so a name that several categories share is
/// followed by the id; if that is not enough, all names are ids.
///
/// The metadata of the data files must have the same names.
pub fn class_names(categories: &[CategoryFacts]) -> Vec<String> {
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    categories.iter().for_each(|category| *uses.entry(&category.name).or_default() += 1);
    let name = |category: &CategoryFacts| match uses[category.name.as_str()] {
        1 => category.name.clone(),
        _ => format!("{} ({})", category.name, category.id),
    };
    let names: Vec<String> = categories.iter().map(name).collect();
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() == categories.len() && names.iter().all(|name| !name.trim().is_empty()) {
        return names;
    }
    categories.iter().map(|category| category.id.clone()).collect()
}
