//! The fair outcome of an answer: which choices it names, as whole words.
//!
//! An answer is taken as people read it: letters of any form (Unicode NFKC) and case, hyphens and blanks alike,
//! singular or plural. Longer names are looked for first and use their words up, so that a letter opener is not also a
//! pen. Does not understand sentences: "not a mug but a vase" names both.
//!
//! Holds always: the result does not depend on the order of synonyms; no answer causes a panic.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// One of the two choices: a category and what else it is called.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The name in the question. What is in brackets may be left out by an answer: `iron (for clothes)`.
    pub name: &'a str,
    /// Other names that count.
    pub synonyms: &'a [String],
}

/// Which of the two choices an answer names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FairOutcome {
    /// The true one alone.
    True,
    /// The other one alone.
    False,
    /// Both: counts as wrong, and is reported.
    Both,
    /// Neither: counts as wrong, and is reported.
    None,
}

impl FairOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::True, Self::False, Self::Both, Self::None];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "TRUE",
            Self::False => "FALSE",
            Self::Both => "BOTH",
            Self::None => "NONE",
        }
    }
}

/// A name as words, and which choices it names.
struct Phrase {
    words: Vec<String>,
    truth: bool,
    other: bool,
}

/// Which of `truth` and `other` the `answer` names.
pub fn fair_outcome(truth: Choice, other: Choice, answer: &str) -> FairOutcome {
    let mut phrases: Vec<Phrase> = Vec::new();
    for (choice, is_truth) in [(truth, true), (other, false)] {
        for words in names(choice) {
            match phrases.iter_mut().find(|phrase| phrase.words == words) {
                Some(phrase) => {
                    phrase.truth |= is_truth;
                    phrase.other |= !is_truth;
                }
                None => phrases.push(Phrase { words, truth: is_truth, other: !is_truth }),
            }
        }
    }
    let letters = |phrase: &Phrase| phrase.words.iter().map(|word| word.chars().count()).sum::<usize>();
    phrases
        .sort_by_cached_key(|phrase| std::cmp::Reverse((phrase.words.len(), letters(phrase), phrase.words.join(" "))));
    let mut words: Vec<Option<String>> = words_of(answer).into_iter().map(Some).collect();
    let (mut names_truth, mut names_other) = (false, false);
    for phrase in &phrases {
        if use_up(&mut words, &phrase.words) {
            names_truth |= phrase.truth;
            names_other |= phrase.other;
        }
    }
    match (names_truth, names_other) {
        (true, false) => FairOutcome::True,
        (false, true) => FairOutcome::False,
        (true, true) => FairOutcome::Both,
        (false, false) => FairOutcome::None,
    }
}

/// All names of a choice, each as words; with and without what is in brackets.
fn names(choice: Choice) -> Vec<Vec<String>> {
    let all = std::iter::once(choice.name).chain(choice.synonyms.iter().map(String::as_str));
    let both = all.flat_map(|name| [words_of(name), words_of(&without_brackets(name))]);
    both.filter(|words| !words.is_empty()).collect()
}

fn without_brackets(name: &str) -> String {
    let mut depth = 0_u32;
    let mut outside = String::new();
    for letter in name.nfkc() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(letter),
            _ => {}
        }
    }
    outside
}

/// Words in small letters; everything but letters, digits and what is put on them is between words.
fn words_of(text: &str) -> Vec<String> {
    let invisible = |letter: char| matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    let plain: String =
        text.chars().filter(|letter| !invisible(*letter)).nfkc().flat_map(char::to_lowercase).nfkc().collect();
    let in_word = |letter: char| letter.is_alphanumeric() || is_combining_mark(letter);
    plain.split(|letter| !in_word(letter)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Takes every occurrence of `name` out of `words`; whether there was one.
fn use_up(words: &mut [Option<String>], name: &[String]) -> bool {
    let mut found = false;
    let mut at = 0;
    while at + name.len() <= words.len() {
        let here = &mut words[at..at + name.len()];
        let matches =
            here.iter().zip(name).all(|(word, of_name)| word.as_ref().is_some_and(|word| is_form(word, of_name)));
        if matches {
            here.fill(None);
            found = true;
            at += name.len();
        } else {
            at += 1;
        }
    }
    found
}

/// Whether `word` is `singular`, or a plural of it.
fn is_form(word: &str, singular: &str) -> bool {
    if word == singular || IRREGULAR.contains(&(singular, word)) {
        return true;
    }
    let ends = |stem: &str, end: &str| word.strip_prefix(stem) == Some(end);
    let replaced = |last: &str, end: &str| singular.strip_suffix(last).is_some_and(|stem| ends(stem, end));
    let hisses = ["s", "x", "z", "ch", "sh", "o"].iter().any(|last| singular.ends_with(last));
    ends(singular, "s") && !singular.ends_with('s')
        || hisses && ends(singular, "es")
        || replaced("y", "ies")
        || replaced("f", "ves")
        || replaced("fe", "ves")
        || replaced("man", "men")
}

const IRREGULAR: [(&str, &str); 6] = [
    ("mouse", "mice"),
    ("goose", "geese"),
    ("foot", "feet"),
    ("tooth", "teeth"),
    ("child", "children"),
    ("person", "people"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The outcome of `truth / other`, each with its synonyms after a `|`.
    fn check(choices: &str, answer: &str, expected: &str) {
        let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        let (truth, other) = choices.split_once(" / ").unwrap();
        let (truth, other) = (words(truth), words(other));
        let outcome = fair_outcome(
            Choice { name: &truth[0], synonyms: &truth[1..] },
            Choice { name: &other[0], synonyms: &other[1..] },
            answer,
        );
        assert_eq!(outcome.name(), expected, "{choices}: {answer}");
    }

    #[test]
    fn names_count_as_whole_words() {
        check("tie / sock", "There are several varieties of cloth.", "NONE");
        check("pen / laptop (open)", "The laptop is open.", "FALSE");
        check("mug / vase", "It is not a mug but a vase.", "BOTH");
        check("mug / vase", "", "NONE");
        check("mug / vase", "MUG!", "TRUE");
    }

    #[test]
    fn longer_names_use_their_words_up() {
        check("pen / letter opener", "letter opener", "FALSE");
        check("weight scale|scale / weight (exercise)|weight", "a weight scale", "TRUE");
        check("wheel|bicycle wheel / bicycle", "A bicycle wheel.", "TRUE");
        check("wheel|bicycle wheel / bicycle", "A bicycle wheel on a bicycle", "BOTH");
    }

    #[test]
    fn letters_of_any_form_and_plurals_are_the_same_word() {
        check("mug / vase", "\u{ff2d}\u{ff35}\u{ff27}", "TRUE");
        check("café table / vase", "cafe\u{301}-tables", "TRUE");
        check("mug / vase", "a m\u{ad}ug", "TRUE");
        check("computer mouse / knife", "computer mice", "TRUE");
        check("computer mouse / knife", "two knives", "FALSE");
        check("dress / bus", "dresses and buses", "BOTH");
        check("tv / cherry", "cherries", "FALSE");
        check("glass / jean", "glasss", "NONE");
    }

    #[test]
    fn a_name_that_both_have_names_both() {
        check("mug|cup / goblet|cup", "a cup", "BOTH");
        check(" / ", "anything", "NONE");
    }
}
