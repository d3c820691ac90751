//! Why the work with people stops.

use crate::config::ConfigError;
use crate::people::SheetError;
use crate::pool::PoolError;
use crate::server::ServerError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// Why the work with people stops.
#[derive(Debug, thiserror::Error)]
pub enum AnnotateError {
    /// The recipe is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The run cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// Task sheets cannot be made.
    #[error(transparent)]
    Sheets(#[from] SheetError),
    /// The page for people cannot be served.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// An image that people are to see cannot be shown.
    #[error("cannot show {image}: {reason}")]
    TaskImage {
        /// Item or file.
        image: String,
        /// Why.
        reason: String,
    },
    /// Prolific reads images from addresses only.
    #[error(
        "Prolific shows images by their addresses: say with --image-url https://… where you will put the folder that \
         is written"
    )]
    ImageUrl,
    /// People would get more than they should.
    #[error("{out} is inside the run directory, which annotators must not see; choose a folder outside with --out")]
    OutInside {
        /// The folder.
        out: String,
    },
    /// There is nothing to answer yet.
    #[error("{run} has no task sheets yet; make them with `hardset annotate export {run} --to … --out DIR`")]
    NoSheets {
        /// The run directory.
        run: String,
    },
    /// A file of answers cannot be used.
    #[error("{file}: {problem}")]
    Answers {
        /// The file.
        file: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Other machines would reach the page.
    #[error(
        "other machines can reach {address}; say --allow-remote if that is meant, and put a proxy with TLS before the \
         page"
    )]
    Remote {
        /// The address.
        address: String,
    },
    /// Links need a name.
    #[error(
        "{address} is not an address that people can open; say with --host NAME under which name they reach this \
         machine"
    )]
    NoHost {
        /// The address.
        address: String,
    },
    /// A name of a person cannot be used.
    #[error("--people: {problem}")]
    PersonName {
        /// What is wrong.
        problem: String,
    },
}
