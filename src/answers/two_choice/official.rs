//! The outcome that ImageNet-D's code gives to an answer (`LLaVA/compute_accuracy.py`, commit d8bb2df, MIT), for
//! comparison with published figures.
//!
//! It looks for names and a list of synonyms as parts of words, so that "environment" names an iron; answers that name
//! both or neither leave its denominator. Holds always: equal to that code, traps included.

/// What that code writes beside an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfficialOutcome {
    /// The true choice.
    True,
    /// The other choice.
    False,
    /// Both; not counted.
    Double,
    /// Neither; not counted.
    Todo,
}

impl OfficialOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::True, Self::False, Self::Double, Self::Todo];

    /// Its name in that code.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "TRUE",
            Self::False => "FALSE",
            Self::Double => "DOUBLE",
            Self::Todo => "TODO",
        }
    }
}

/// The outcome of `answer` where the choices are `truth` and `other`; `None` for an answer that pandas reads as
/// missing, at which that code stops.
pub fn official_outcome(truth: &str, other: &str, answer: &str) -> Option<OfficialOutcome> {
    if MISSING.contains(&answer) {
        return None;
    }
    let answer = answer.to_lowercase();
    let names = |choice: &str| {
        answer.contains(choice) || official_synonyms(choice).iter().any(|synonym| answer.contains(synonym))
    };
    let (names_truth, names_other) = (names(truth), names(other));
    if LONGER_FIRST.contains(&(other, truth)) && names_other {
        return Some(OfficialOutcome::False);
    }
    let one_contains_the_other = LONGER_FIRST.contains(&(truth, other)) || LONGER_FIRST.contains(&(other, truth));
    Some(match (names_truth, names_other) {
        (true, true) if !one_contains_the_other => OfficialOutcome::Double,
        (true, _) => OfficialOutcome::True,
        (false, true) => OfficialOutcome::False,
        (false, false) => OfficialOutcome::Todo,
    })
}

/// The synonyms that ImageNet-D's code knows for a name.
pub fn official_synonyms(name: &str) -> &'static [&'static str] {
    SYNONYMS.iter().find(|(known, _)| *known == name).map_or(&[], |(_, synonyms)| synonyms)
}

/// Pairs in which the first name contains the second, for which that code looks for the first one first.
const LONGER_FIRST: [(&str, &str); 2] = [("can opener", "pen"), ("drying rack for plates", "plate")];

/// What pandas reads as a missing value (`STR_NA_VALUES` of pandas 2).
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Its `word_mapping_dict`.
const SYNONYMS: [(&str, &[&str]); 32] = [
    ("dishcloth", &["dishrag"]),
    ("weight (exercise)", &["dumbbell", "weight"]),
    ("nail (fastener)", &["nail"]),
    ("tv", &["television"]),
    ("iron (for clothes)", &["iron"]),
    ("t shirt", &["t-shirt", "shirt"]),
    ("laptop (open)", &["laptop"]),
    ("dress shoe (men)", &["dress shoe"]),
    ("binder (closed)", &["binder"]),
    ("portable heater", &["heater"]),
    ("computer mouse", &["mouse"]),
    ("still camera", &["camera"]),
    ("lampshade", &["lamp shade"]),
    ("trash bin", &["trash can"]),
    ("winter glove", &["glove"]),
    ("band aid", &["band-aid", "bandaid"]),
    ("toilet paper roll", &["roll of toilet paper"]),
    ("pill bottle", &["pill"]),
    ("soup bowl", &["bowl of soup"]),
    ("water bottle", &["bottle of water"]),
    ("pop can", &["can of"]),
    ("weight scale", &["scale"]),
    ("sandal", &["flip flop"]),
    ("swimming trunks", &["swimming trunk"]),
    ("bread loaf", &["bread"]),
    ("coffee or french press", &["coffee press", "french press", "coffee machine", "coffee maker"]),
    ("mixing or salad bowl", &["mixing bowl", "salad bowl"]),
    ("alarm clock", &["clock"]),
    ("wheel", &["bicycle wheel"]),
    ("ladle", &["spoon"]),
    ("matchstick", &["match"]),
    ("cellphone", &["cell phone", "mobile phone"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(truth: &str, other: &str, answer: &str) -> &'static str {
        official_outcome(truth, other, answer).map_or("stops", OfficialOutcome::name)
    }

    #[test]
    fn parts_of_words_count() {
        assert_eq!(outcome("iron (for clothes)", "toaster", "A toaster in a kitchen environment."), "DOUBLE");
        assert_eq!(outcome("tie", "sock", "several varieties"), "TRUE");
        assert_eq!(outcome("mug", "vase", "a wooden table"), "TODO");
        assert_eq!(outcome("mug", "vase", ""), "stops");
    }

    #[test]
    fn two_pairs_are_looked_after() {
        assert_eq!(outcome("pen", "can opener", "can opener"), "FALSE");
        assert_eq!(outcome("can opener", "pen", "can opener"), "TRUE");
        assert_eq!(outcome("can opener", "pen", "pen"), "FALSE");
        assert_eq!(outcome("plate", "drying rack for plates", "plate"), "TRUE");
        assert_eq!(outcome("letter opener", "pen", "letter opener"), "DOUBLE");
    }
}
