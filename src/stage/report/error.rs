//! Why there is no page.

use crate::pool::PoolError;
use crate::stage::annotate::AnnotateError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// What people answered cannot be read.
    #[error(transparent)]
    People(#[from] AnnotateError),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The page cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
}
