//! Why images cannot be made.

use super::diffusion::DiffusionError;

/// Why images cannot be made at all.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The diffusion model cannot be used.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
}

impl GeneratorError {
    /// Whether an engine stopped working, which no input explains.
    pub fn is_unexpected(&self) -> bool {
        matches!(self, Self::Diffusion(error) if error.is_unexpected())
    }

    /// Whether something that is needed is missing, rather than wrong: a file, a device, a part of this build.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Diffusion(error) if error.is_missing())
    }
}
