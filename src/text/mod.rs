//! Text for models: prompts to token ids.
//!
//! Does not make prompts (`domain` does) and knows no network. Behind the feature `diffusion`.

mod clip;
mod error;

pub use clip::{Prompt, Tokens};
pub use error::TextError;
