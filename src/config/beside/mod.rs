//! What the files beside a model say about it: the libraries' own JSON -> what of it a surrogate's TOML can say.
//!
//! One file for each library (`transformers`, `timm`, `open_clip`), `words` for text towers, `tensors` for the numbers
//! that only the weights have. Holds always: what a file does not say is absent here, not guessed; what a library does
//! that hardset cannot is a doubt, in words.

mod open_clip;
mod said;
mod tensors;
mod timm;
mod transformers;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ConfigError;
use crate::input;

pub use said::{CLIP_MEAN_STD, HALF_MEAN_STD, IMAGENET_MEAN_STD, SaidPreprocess};
pub use tensors::scalar;
pub use words::{TextFacts, TextFamily};

/// All that the files beside a model say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// How pictures become numbers.
    pub preprocess: Option<SaidPreprocess>,
    /// Names of the classes, by index.
    pub labels: Vec<String>,
    /// The file with these names, if it names all of them, each once.
    pub list: Option<PathBuf>,
    /// What is known of a text tower.
    pub text: TextFacts,
}

impl Beside {
    /// Reads the files in `folders`; of two files of the same name that of the first folder.
    pub fn read(folders: &[PathBuf]) -> Result<Self, ConfigError> {
        let json = |name: &str| {
            let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
            path.map(|path| read_json(&path)).transpose()
        };
        let config = json("config.json")?.unwrap_or_default();
        let preprocessor = json("preprocessor_config.json")?;
        let open_clip = json("open_clip_config.json")?;
        let said = preprocessor.as_ref().and_then(transformers::preprocess);
        let said = said.or_else(|| timm::preprocess(preprocessor.as_ref()?)).or_else(|| timm::preprocess(&config));
        let said = said.or_else(|| open_clip.as_ref().and_then(open_clip::preprocess));
        let tokenizer = [json("tokenizer.json")?, json("tokenizer_config.json")?, json("special_tokens_map.json")?];
        let text = words::facts(&config, open_clip.as_ref(), &tokenizer);
        let labels = labels(&config);
        let distinct: BTreeSet<&String> = labels.iter().filter(|label| !label.trim().is_empty()).collect();
        let is_list = distinct.len() == labels.len() && !labels.iter().any(|label| label.starts_with("LABEL_"));
        let path = folders.iter().map(|folder| folder.join("config.json")).find(|path| path.is_file());
        let list = path.filter(|_| is_list && !labels.is_empty());
        Ok(Self { preprocess: said, labels, list, text })
    }
}

fn read_json(path: &Path) -> Result<Value, ConfigError> {
    let file = path.display().to_string();
    let text =
        input::read_text(path, input::JSON_BYTES).map_err(|source| ConfigError::Read { file: file.clone(), source })?;
    let wrong = |problem: String| ConfigError::Toml { file: file.clone(), message: problem };
    let value: Value = serde_json::from_str(&text)
        .map_err(|e| wrong(format!("is not JSON: {e}; fetch the file again, or move it away")))?;
    if value.is_object() { Ok(value) } else { Err(wrong("is not a JSON object; fetch the file again".to_owned())) }
}

/// `id2label` of transformers, `label_names` of timm.
fn labels(config: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(names) = config.get("label_names").and_then(Value::as_array) {
        return names.iter().map(text).collect();
    }
    let Some(names) = config.get("id2label").and_then(Value::as_object) else { return Vec::new() };
    let mut labels = vec![String::new(); names.len()];
    for (index, name) in names {
        if let Some(place) = index.parse::<usize>().ok().and_then(|index| labels.get_mut(index)) {
            *place = text(name);
        }
    }
    labels
}
