//! Names made of data: files, folders and classes.
//!
//! Holds always: a name of a file stays inside its folder, on every common file system; two texts never share one.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::Sha256;

use super::CategoryFacts;

/// Longest name of a file, in bytes.
const MAX_BYTES: usize = 80;
/// Hexadecimal digits of the hash that tells changed names apart.
const HASH_DIGITS: usize = 12;

/// A name for a file or a folder, made of any text: ASCII letters, digits, `-`, `_` and `.`, 1 to 80 bytes, no leading or
/// trailing dot, no leading `-`, none of the devices of Windows.
///
/// A text that is such a name stays as it is. Any other is changed and gets the first digits of its SHA-256, so that
/// different texts keep different names; capital and small letters are told apart, which some file systems do not.
pub fn safe_name(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { changed(text) }
}

/// Names for files or folders that lie beside each other, one for each text: as [`safe_name`], and no two differ in capital and
/// small letters alone.
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

/// `CON`, `nul.txt`, `com1` …: Windows opens a device.
fn is_device(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().find_map(|device| stem.strip_prefix(device));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || numbered.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
}

/// A text that ends like a changed name is changed too: it could be another text's.
fn looks_changed(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// Names of the classes by label: readable, with the id behind a name that several categories have, since loaders want them
/// distinct; the ids alone where that is not enough.
///
/// The data files' own metadata must say the same.
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
