//! One comparison of a model's numbers with a stored reference.

/// One comparison with the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What was compared.
    pub what: String,
    /// The measure: `differ`, `max abs`, `rel L2`, `levels`, `unequal`.
    pub measure: &'static str,
    /// What was found.
    pub found: f64,
    /// The most that is allowed.
    pub allowed: f64,
}

impl Compared {
    /// Whether the difference is allowed; a NaN is not.
    pub fn ok(&self) -> bool {
        self.found <= self.allowed
    }
}
