//! Prompts -> token ids, as CLIP's tokenizer makes them.

use std::path::Path;

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::{ModelError, TextConfig, json::Json};

const BEGIN: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// CLIP's words; source: transformers, `CLIPConverter`.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A tokenizer.
pub(in super::super) struct Tokens {
    tokenizer: Tokenizer,
    begin: u32,
    end: u32,
    padding: u32,
    positions: usize,
}

/// A prompt in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Prompt {
    /// As many as the model has positions, 77 as a rule: begin, words, end, padding.
    pub ids: Vec<u32>,
    /// Tokens that did not fit.
    pub cut: usize,
}

impl Tokens {
    /// Reads `tokenizer/`: `tokenizer.json`, or where that is missing `vocab.json` and `merges.txt`.
    pub fn read(root: &Path, text: &TextConfig) -> Result<Self, ModelError> {
        let folder = root.join("tokenizer");
        let file = folder.join(if folder.join("tokenizer.json").is_file() { "tokenizer.json" } else { "vocab.json" });
        let bad = |problem: String| ModelError::File { file: file.display().to_string(), problem };
        let missing =
            ["vocab.json", "merges.txt"].map(|name| folder.join(name)).into_iter().find(|path| !path.is_file());
        let tokenizer = match (file.ends_with("tokenizer.json"), missing) {
            (true, _) => Tokenizer::from_file(&file),
            (false, None) => from_vocabulary(&folder),
            (false, Some(missing)) => {
                let problem = "is not there, and there is no tokenizer.json that could stand for it".to_owned();
                return Err(ModelError::File { file: missing.display().to_string(), problem });
            }
        };
        let mut tokenizer = tokenizer.map_err(|error| bad(format!("is no tokenizer of CLIP's kind: {error}")))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        let id = |token: &str| tokenizer.token_to_id(token).ok_or_else(|| bad(format!("has no token `{token}`")));
        let padding = padding(root)?;
        let (begin, end, padding) = (id(BEGIN)?, id(END)?, id(&padding)?);
        let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or_default();
        if largest as usize >= text.vocabulary {
            return Err(bad(format!(
                "has token {largest}, but the text encoder's `vocab_size` is {}",
                text.vocabulary
            )));
        }
        Ok(Self { tokenizer, begin, end, padding, positions: text.positions })
    }

    /// Tokens of every prompt.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The prompt's tokens; what is longer than the model reads is cut off, and counted.
    pub fn encode(&self, prompt: &str) -> Result<Prompt, String> {
        let encoding = self.tokenizer.encode_fast(prompt, false).map_err(|error| error.to_string())?;
        let words = encoding.get_ids();
        let kept = words.len().min(self.positions.saturating_sub(2));
        let mut ids = vec![self.begin];
        ids.extend(&words[..kept]);
        ids.push(self.end);
        ids.resize(self.positions, self.padding);
        Ok(Prompt { ids, cut: words.len() - kept })
    }
}

/// The padding token's name: SD 1.x pads with the end token, SD 2.x with `!`.
fn padding(root: &Path) -> Result<String, ModelError> {
    for name in ["tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json"] {
        if !root.join(name).is_file() {
            continue;
        }
        let json = Json::read(root, name)?;
        let token =
            json.get("pad_token").and_then(|token| token.get("content").unwrap_or(token).as_str().map(str::to_owned));
        if let Some(token) = token {
            return Ok(token);
        }
    }
    Ok(END.to_owned())
}

fn from_vocabulary(folder: &Path) -> tokenizers::Result<Tokenizer> {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let model = BPE::from_file(&path("vocab.json"), &path("merges.txt"));
    let model = model.unk_token(END.to_owned()).end_of_word_suffix("</w>".to_owned()).build()?;
    let mut tokenizer = Tokenizer::new(model);
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    tokenizer.with_normalizer(Some(Normalizers::new(vec![NFC.into(), spaces.into(), Lowercase.into()])))?;
    let split = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true)?;
    let bytes = ByteLevel::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![split.into(), bytes.into()])));
    let special = [BEGIN, END].map(|token| AddedToken::from(token, true));
    let _known = tokenizer.add_special_tokens(special)?;
    Ok(tokenizer)
}
