//! What became of one item in one stage.
//!
//! Holds always: an item is kept, dropped or failed, never two of these and never none.

/// The fate of one item.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<T> {
    /// The work on it is done.
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

    /// Why the item was not kept, if it was not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Kept(_) => None,
            Self::Dropped(reason) | Self::Failed(reason) => Some(reason),
        }
    }

    /// Turns the value of a kept item into another.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Kept(value) => Outcome::Kept(turn(value)),
            Self::Dropped(reason) => Outcome::Dropped(reason),
            Self::Failed(reason) => Outcome::Failed(reason),
        }
    }
}
