//! Which items are hard: the rule, its thresholds and its label space.
//!
//! Defines the rule; `stats` applies it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How many surrogates must fail on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    /// Every one (a shared failure in ImageNet-D's sense).
    All,
    /// This many or more, at least 1.
    AtLeast(u32),
}

/// Why a rule cannot be read or applied.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// Not the name of a rule.
    #[error("`{0}` is not a rule; write `all` or `at-least=K` with K of 1 or more")]
    Unknown(String),
    /// The rule asks for more failures than there are surrogates.
    #[error("rule `{rule}` can never hold with {surrogates} surrogate(s); lower it or add surrogates")]
    Impossible {
        /// The rule.
        rule: Rule,
        /// How many surrogates there are.
        surrogates: usize,
    },
    /// A threshold outside its range.
    #[error("{key} = {value} is outside {low} to {high}")]
    Threshold {
        /// The recipe's key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Smallest sensible value.
        low: f64,
        /// Largest sensible value.
        high: f64,
    },
    /// There is no surrogate, or more than the 64 that a table's bit mask holds.
    #[error("{0} surrogates are selected; a mining needs 1 to 64, each once")]
    Count(usize),
}

impl Rule {
    /// The number of failing surrogates that makes an item hard, when there are `surrogates` of them.
    pub fn needed(self, surrogates: usize) -> u32 {
        match self {
            Self::All => surrogates as u32,
            Self::AtLeast(k) => k,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::AtLeast(k) => write!(f, "at-least={k}"),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text == "all" {
            return Ok(Self::All);
        }
        let count = text.strip_prefix("at-least=").and_then(|k| k.parse().ok()).filter(|&k| k >= 1);
        count.map(Self::AtLeast).ok_or_else(|| RuleError::Unknown(text.to_owned()))
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

/// The classes among which a prediction is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSpace {
    /// All classes of the model; a prediction is right if the top class is any accepted one, as in ImageNet-D.
    AnyOfIds,
    /// Only classes that some category of the run accepts, as in ImageNet-A and ImageNet-R.
    Masked,
}

impl LabelSpace {
    /// Both.
    pub const ALL: [Self; 2] = [Self::AnyOfIds, Self::Masked];
}

impl fmt::Display for LabelSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyOfIds => "any-of-ids",
            Self::Masked => "masked",
        })
    }
}

impl FromStr for LabelSpace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|space| space.to_string() == text);
        found.ok_or_else(|| "write any-of-ids or masked".to_owned())
    }
}

/// One mining: which surrogates, and when an item is hard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelectSpec {
    /// Names of the surrogates that vote, each once, 1 to 64.
    pub surrogates: Vec<String>,
    /// How many must fail.
    pub rule: Rule,
    /// The classes among which a prediction is taken.
    pub label_space: LabelSpace,
    /// A wrong surrogate counts as failing only if it gives the true category at most this probability, in [0, 1]
    /// (1 = no bound; ImageNet-A sets such a bound in addition to "wrong").
    pub max_true_prob: f64,
    /// A wrong surrogate counts as failing only if its margin is at most this, in [-1, 0] (0 = no bound).
    pub max_margin: f64,
    /// An item is a near tie if some margin is closer to 0 than this: another machine may judge it differently.
    pub near_tie: f64,
}

impl SelectSpec {
    /// Refuses a rule that can never hold and thresholds outside their ranges.
    pub fn check(&self) -> Result<(), RuleError> {
        let mut names = self.surrogates.clone();
        names.sort_unstable();
        names.dedup();
        let count = self.surrogates.len();
        if names.len() != count || !(1..=64).contains(&count) {
            return Err(RuleError::Count(count));
        }
        if self.rule.needed(count) as usize > count {
            return Err(RuleError::Impossible { rule: self.rule, surrogates: count });
        }
        in_range("mine.max_true_prob", self.max_true_prob, 0.0, 1.0)?;
        in_range("mine.max_margin", self.max_margin, -1.0, 0.0)?;
        in_range("mine.near_tie", self.near_tie, 0.0, 1.0)
    }

    /// Whether the rule bounds the probability of the true category.
    pub fn bounds_true_prob(&self) -> bool {
        self.max_true_prob < 1.0
    }

    /// A readable name that different minings may share; [`super::RunSpec::mining_id`] distinguishes them.
    pub(super) fn label(&self) -> String {
        format!("{}-of-{}.{}", self.rule.to_string().replace('=', "-"), self.surrogates.len(), self.label_space)
    }
}

fn in_range(key: &'static str, value: f64, low: f64, high: f64) -> Result<(), RuleError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(RuleError::Threshold { key, value, low, high }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(names: &[&str], rule: &str) -> SelectSpec {
        SelectSpec {
            surrogates: names.iter().map(|&n| n.to_owned()).collect(),
            rule: rule.parse().unwrap(),
            label_space: LabelSpace::AnyOfIds,
            max_true_prob: 1.0,
            max_margin: 0.0,
            near_tie: 0.0,
        }
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in ["all", "at-least=1", "at-least=12"] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in ["", "at-least=0", "at-least=", "most", "at-least=-1"] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }

    #[test]
    fn impossible_minings_are_refused() {
        assert!(select(&["a", "b"], "at-least=2").check().is_ok());
        assert!(select(&["a", "b"], "at-least=3").check().is_err());
        assert!(select(&[], "all").check().is_err());
        assert!(select(&["a", "a"], "all").check().is_err());
        assert!(SelectSpec { max_true_prob: 1.5, ..select(&["a"], "all") }.check().is_err());
        assert!(SelectSpec { max_margin: f64::NAN, ..select(&["a"], "all") }.check().is_err());
    }
}
