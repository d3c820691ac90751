//! Why a Parquet file of images cannot be read; who opens it says which file it is.

/// Why a Parquet file of images cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImageParquetError {
    /// The file cannot be opened.
    #[error("cannot open it: {0}")]
    Open(std::io::Error),
    /// It is no Parquet, or damaged.
    #[error("it cannot be read as Parquet ({0})")]
    Unreadable(String),
    /// A column is missing, or holds something else.
    #[error("it has no column `{name}` of {expected}")]
    Column {
        /// The column.
        name: String,
        /// What it must hold.
        expected: &'static str,
    },
}
