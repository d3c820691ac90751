//! The version of a format: of run directories and of releases.
//!
//! Holds always: an equal major version can be read. A newer minor version only adds fields, which an older program
//! ignores when it reads; it does not change such a run, because it would lose them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FormatVersion {
    /// Raised when older programs could misread what is written.
    pub major: u32,
    /// Raised when fields are added that older programs may ignore.
    pub minor: u32,
}

impl FormatVersion {
    /// Whether a program that writes this version can read what has the version `found`.
    pub fn can_read(self, found: Self) -> bool {
        found.major == self.major
    }

    /// Whether a program that writes this version can change what has the version `found` without losing fields.
    pub fn can_change(self, found: Self) -> bool {
        found.major == self.major && found.minor <= self.minor
    }
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
