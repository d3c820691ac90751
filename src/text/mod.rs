//! Text for models: prompts and names of classes to token ids.
//!
//! Does not make prompts (`domain` does) and knows no network. Behind the feature `onnx`.

mod clip;
mod error;
mod tower;

pub use clip::{Prompt, Tokens};
pub use error::TextError;
pub use tower::{TextIds, TowerTokens};
