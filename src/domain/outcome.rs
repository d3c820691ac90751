//! The outcome of one item in one stage.
//!
//! Holds always: an item has exactly one outcome (kept, dropped or failed), because a stage must account for every row.

/// What happened to one item.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// The stage's work on it is done.
    Kept(T),
    /// The item itself cannot be used (a truncated file, no label); the reason is for people.
    Dropped(String),
    /// The item may be good, but the work on it failed (a model gave no number); the reason is for people.
    Failed(String),
}

impl<T> Outcome<T> {
    /// The value, if the item was kept.
    pub fn kept(self) -> Option<T> {
        match self {
            Self::Kept(value) => Some(value),
            Self::Dropped(_) | Self::Failed(_) => None,
        }
    }

    /// The reason why the item was not kept; `None` if it was.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Kept(_) => None,
            Self::Dropped(reason) | Self::Failed(reason) => Some(reason),
        }
    }

    /// Applies `turn` to the value of a kept item.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Kept(value) => Outcome::Kept(turn(value)),
            Self::Dropped(reason) => Outcome::Dropped(reason),
            Self::Failed(reason) => Outcome::Failed(reason),
        }
    }
}
