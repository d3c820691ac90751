//! TOML -> checked specs.
//!
//! Reads recipes, category sets, surrogates and the data manifest, refuses wrong values by file and key, and fills in
//! defaults. Does not look for weights or photographs (`assets`, `generator` do) and writes nothing.
//!
//! Holds always: every message names file and key, because the people who write TOML need not read Rust; an unknown key
//! is an error, because a misspelt key would silently leave the default in force.

mod annotate;
pub mod beside;
mod categories;
mod class_spaces;
mod error;
mod evaluate;
mod generate;
mod lookup;
mod manifest;
mod nuisances;
mod overrides;
mod recipe;
mod release;
mod standard;
mod surrogate;
mod weights_ref;
mod zero_shot;

pub use categories::{built_in_set, load as category_set};
pub use class_spaces::{ClassList, SpaceRef, class_names, space_of, wordnet_ids};
pub use error::ConfigError;
pub use evaluate::EvaluateRecipe;
pub use lookup::{built_in_names, find, real_path};
pub use manifest::{all_entries, entry, model_entry};
pub use overrides::Override;
pub use recipe::{MineRecipe, Recipe};
pub use standard::{SHIFTS, Shift, StandardError, StandardModel, StandardModels, StandardPoint, standard_models};
pub use surrogate::{ImportedDef, ModelDef, OnnxDef, SurrogateDef};
pub use weights_ref::WeightsRef;
pub use zero_shot::{TextDef, ZeroShotDef};
