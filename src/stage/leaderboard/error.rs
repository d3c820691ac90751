//! Why results cannot stand on one leaderboard.

use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// See the module.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
pub enum LeaderboardError {
    #[error("{path} has no results.json; give the folder of an evaluation, a folder with such files, or a file")]
    NoResults { path: String },
    #[error("{file} is not a results.json of schema {schema} ({problem}); ask its author for the file as it was made")]
    Unreadable { file: String, schema: u32, problem: String },
    #[error(
        "{file} is of {found}, but {first} is of {wanted}: results on other images are not comparable; leave it out"
    )]
    OtherPool { file: String, found: String, first: String, wanted: String },
    #[error(
        "{file} is of other categories than {first} (set {found} beside {wanted}), so its label space is another one; \
         leave it out, or evaluate again with --categories {wanted}"
    )]
    OtherCategories { file: String, found: String, first: String, wanted: String },
    #[error("{file}: {problem}; ask its author for the file as it was made, or evaluate the model again")]
    Inconsistent { file: String, problem: String },
    #[error("{file} has no outcomes in the label space {space}, which the others have; leave it out")]
    NoSpace { file: String, space: String },
    #[error(
        "{file} is of `{target}`, which mined the pool (as surrogate `{surrogate}`: the same weights); leave it out: \
         it is wrong by construction"
    )]
    Mined { file: String, target: String, surrogate: String },
    #[error("{a} and {b} are both of a target named `{target}`, with other weights or predictions; rename one of them")]
    SameName { a: String, b: String, target: String },
    #[error("{out} holds other files ({found}); choose a new or empty folder with --out")]
    OutTaken { out: String, found: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Work(#[from] WorkError),
}
