//! How to cite a release: `CITATION.cff` and BibTeX.
//!
//! Source: Citation File Format 1.2.0 and its JSON schema. A value that the schema would refuse (another kind of
//! address, an unknown licence, an invalid date) is left out.

use super::Release;
use super::licence::licence;
use super::text::{distinct, iso_date, visible, web_url, yaml};
use super::words;

/// `CITATION.cff`: YAML, of type `dataset`.
pub fn citation_cff(release: &Release) -> String {
    let line = |key: &str, value: Option<&str>| value.map(|value| format!("{key}: {}\n", yaml(value)));
    let licence = licence(&release.license).filter(|licence| licence.in_cff).and_then(|licence| licence.spdx);
    let message = format!("{} If you use these images, please cite the release as below.", words::status(release));
    let parts = [
        Some("cff-version: 1.2.0\n".to_owned()),
        line("message", Some(&message)),
        Some("type: dataset\n".to_owned()),
        line("title", Some(title(release))),
        Some(format!("authors:\n{}", authors(release))),
        line("version", Some(&release.version).filter(|version| !version.is_empty()).map(String::as_str)),
        line("date-released", iso_date(release.date.as_deref())),
        line("license", licence),
        line("url", web_url(release.homepage.as_deref())),
        line("abstract", Some(&words::about(release))),
        Some(keywords(release)),
        Some(identifiers(release)),
        references(release),
    ];
    parts.into_iter().flatten().collect()
}

/// The statements about `release` that `CITATION.cff` must contain and does not, one text each.
pub fn citation_lacks(text: &str, release: &Release) -> Vec<String> {
    let lines: [(&str, &str); 2] = [("title", title(release)), ("version", &release.version)];
    let lacks = lines.into_iter().filter(|(key, value)| {
        let line = format!("{key}: {}", yaml(value));
        !text.lines().any(|found| found == line)
    });
    let mut lacks: Vec<String> = lacks.map(|(key, value)| format!("its {key} is not {value:?}")).collect();
    if !text.contains(&yaml(&format!("sha256:{}", release.recipe_sha256))) {
        lacks.push("it does not have the hash of the recipe".to_owned());
    }
    lacks
}

/// The title, never empty, because the schema requires at least one character.
fn title(release: &Release) -> &str {
    if release.called().is_empty() { "hardset release" } else { release.called() }
}

/// Each author once; without authors, the makers as a group, because the schema requires an author.
fn authors(release: &Release) -> String {
    let authors = distinct(&release.authors);
    if authors.is_empty() {
        return format!("- name: {}\n", yaml(&format!("The makers of {}", title(release))));
    }
    authors.into_iter().map(author).collect()
}

fn author(name: &str) -> String {
    match family_and_given(name) {
        Some((family, given)) => format!("- family-names: {}\n  given-names: {}\n", yaml(family), yaml(given)),
        None => format!("- name: {}\n", yaml(name)),
    }
}

/// The parts of a person's name such as `Lee, Ann`; `None` for any other name, which may be a group's.
fn family_and_given(name: &str) -> Option<(&str, &str)> {
    let (family, given) = name.split_once(',')?;
    let (family, given) = (family.trim(), given.trim());
    (!family.is_empty() && !given.is_empty() && !given.contains(',')).then_some((family, given))
}

fn keywords(release: &Release) -> String {
    let words: String = words::keywords(release).iter().map(|word| format!("- {}\n", yaml(word))).collect();
    format!("keywords:\n{words}")
}

fn identifiers(release: &Release) -> String {
    let recipe = yaml(&format!("sha256:{}", release.recipe_sha256));
    format!("identifiers:\n- type: other\n  value: {recipe}\n  description: SHA-256 of the resolved recipe\n")
}

/// Other works, each as one text in the title: the schema wants separate authors, which cannot be found in a text.
fn references(release: &Release) -> Option<String> {
    let works = distinct(&release.citation_of);
    let reference = |work: &str| {
        format!("- type: generic\n  title: {}\n  authors:\n  - name: \"Authors as given in the title\"\n", yaml(work))
    };
    (!works.is_empty()).then(|| format!("references:\n{}", works.into_iter().map(reference).collect::<String>()))
}

/// A BibTeX entry of type `misc`.
pub fn bibtex(release: &Release) -> String {
    let field = |key: &str, value: String| format!("  {key} = {{{value}}},\n");
    let version = match release.verified {
        Some(_) => format!("Version {}", release.version),
        None => format!("Version {}, unverified hard set", release.version),
    };
    let authors: Vec<String> = distinct(&release.authors).into_iter().map(bib_name).collect();
    let year = iso_date(release.date.as_deref()).and_then(|date| date.get(..4));
    let parts = [
        Some(format!("@misc{{{},\n", bib_key(release))),
        Some(field("title", format!("{{{}}}", bib(title(release))))),
        (!authors.is_empty()).then(|| field("author", authors.join(" and "))),
        year.map(|year| field("year", year.to_owned())),
        Some(field("note", bib(&version))),
        // An address needs no escaping, because `web_url` excludes the characters that are special inside `\url`.
        web_url(release.homepage.as_deref()).map(|url| field("howpublished", format!("\\url{{{url}}}"))),
        Some("}\n".to_owned()),
    ];
    parts.into_iter().flatten().collect()
}

/// Text for a field in braces.
fn bib(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        match c {
            '{' | '}' => {}
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '&' | '%' | '#' | '_' | '$' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// One author. Braces around a name that contains the word `and` keep it one name.
fn bib_name(name: &str) -> String {
    let is_one_word = name.to_lowercase().split_whitespace().all(|word| word != "and");
    if is_one_word { bib(name) } else { format!("{{{}}}", bib(name)) }
}

/// Letters, digits and hyphens of name and version.
fn bib_key(release: &Release) -> String {
    let key: String = format!("{}-{}", release.name, release.version)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let words: Vec<&str> = key.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "release".to_owned() } else { words.join("-") }
}
