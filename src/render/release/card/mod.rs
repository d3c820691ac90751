//! `README.md`: the dataset card, metadata in YAML and then a datasheet.
//!
//! Holds always: the first paragraph says whether people have looked at the images; the first of the known limits is
//! the bias of the surrogates.

mod front;
mod sections;

use super::Release;
use super::text::markdown;
use super::words;
use crate::domain::ReleaseRecord;

/// The card. Never fails: an empty release gives a card that says so.
pub fn card(release: &Release) -> String {
    let parts = [
        front::matter(release),
        heading(release),
        sections::summary(release),
        sections::images(release),
        sections::making(release),
        sections::mining(release),
        sections::people(release),
        sections::columns(release),
        sections::loading(release),
        sections::verifying(release),
        sections::uses(release),
        sections::limits(release),
        sections::versions(release),
        sections::licences(release),
        sections::citing(release),
        sections::categories(release),
    ];
    parts.concat()
}

fn heading(release: &Release) -> String {
    let (bold, rest) = match words::status(release).split_once(": ") {
        Some((bold, rest)) => (format!("{bold}."), capital(rest)),
        None => (String::new(), words::status(release)),
    };
    let own = release.description.as_deref().map(markdown).filter(|text| !text.is_empty());
    let own = own.map(|text| format!("{text}\n\n")).unwrap_or_default();
    format!(
        "\n# {}\n\n> **{bold}** {}\n\n{}\n\n{own}This card follows \"Datasheets for Datasets\" (Gebru et al., 2021).\n",
        markdown(release.called()),
        markdown(&rest),
        markdown(&words::summary(release)),
    )
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// The statements about the release `record` that the card must contain and does not, one text each.
pub fn card_lacks(card: &str, record: &ReleaseRecord) -> Vec<String> {
    let mut lacks = Vec::new();
    for surrogate in &record.surrogates {
        let weights = surrogate.weights_sha256.map(|hash| hash.to_string());
        if !card.contains(&surrogate.name) || weights.is_some_and(|weights| !card.contains(&weights)) {
            lacks.push(format!("the surrogate {} or the hash of its weights is missing", surrogate.name));
        }
    }
    if !card.contains(&format!("    num_examples: {}\n", record.images)) {
        lacks.push(format!("it does not say that there are {} images", record.images));
    }
    let status = if record.verified { "> **Verified.**" } else { "> **Unverified hard set.**" };
    if !card.contains(status) {
        lacks.push("it does not say, or says wrongly, whether people have looked at the images".to_owned());
    }
    lacks
}
