//! Why the work with people stops.
//!
//! Every message says what to do next, because those who run an annotation have people waiting.

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
    /// Prolific loads images from the web only.
    #[error(
        "Prolific loads images from the web: give the URL under which you will publish the folder, with --image-url \
         https://…"
    )]
    ImageUrl,
    /// Annotators would get more than they may see.
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
    /// There is no such round.
    #[error("{run} has no round {number} of task sheets; it has {rounds}: choose one of them with --round")]
    NoSuchRound {
        /// The run directory.
        run: String,
        /// The number asked for.
        number: u64,
        /// How many there are.
        rounds: usize,
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
        "other machines can reach {address}; if they should, add --allow-remote and put a proxy with TLS in front of \
         the page"
    )]
    Remote {
        /// The address.
        address: String,
    },
    /// Links need a name.
    #[error("people cannot open {address}; give the name under which they reach this machine with --host NAME")]
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
