//! Prompts -> token ids, as CLIP's tokenizer makes them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers, replace::ReplacePattern};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::TextError;
use crate::input;

const BEGIN: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";
/// CLIP's words; source: transformers, `CLIPConverter`.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A tokenizer.
pub struct Tokens {
    tokenizer: Tokenizer,
    begin: u32,
    end: u32,
    padding: u32,
    positions: usize,
}

/// A prompt in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// As many as the model has positions, usually 77: begin, words, end, padding.
    pub ids: Vec<u32>,
    /// Tokens that did not fit.
    pub cut: usize,
}

impl Tokens {
    /// Reads `tokenizer/` of the model in `root`: `tokenizer.json`, or where that is missing `vocab.json` and
    /// `merges.txt`.
    ///
    /// `vocabulary`: tokens that the text encoder knows; `positions`: tokens that it reads at a time.
    pub fn read(root: &Path, vocabulary: usize, positions: usize) -> Result<Self, TextError> {
        let (file, mut tokenizer) = tokenizer_of(&root.join("tokenizer"))?;
        let bad = |problem: String| TextError::file(&file, problem);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        let id = |token: &str| tokenizer.token_to_id(token).ok_or_else(|| bad(format!("has no token `{token}`")));
        let padding = padding(root)?;
        let ids = (id(BEGIN)?, id(END)?, id(&padding)?);
        // In diffusers a padding token is special wherever it stands: `!` never joins the word before it.
        let _known = tokenizer.add_special_tokens([AddedToken::from(padding, true)]).map_err(|e| bad(e.to_string()))?;
        let (begin, end, padding) = ids;
        let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or_default();
        if largest as usize >= vocabulary {
            return Err(bad(format!("has token {largest}, but the text encoder's `vocab_size` is {vocabulary}")));
        }
        Ok(Self { tokenizer, begin, end, padding, positions })
    }

    /// Tokens of every prompt.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The prompt's tokens; those that the model has no position for are cut off and counted.
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

/// The tokenizer in `folder`, and the file that it was read from.
fn tokenizer_of(folder: &Path) -> Result<(PathBuf, Tokenizer), TextError> {
    let whole = folder.join("tokenizer.json");
    let (file, tokenizer) = if whole.is_file() {
        let tokenizer = Tokenizer::from_file(&whole);
        (whole, tokenizer)
    } else {
        for name in ["vocab.json", "merges.txt"] {
            if !folder.join(name).is_file() {
                let problem = "is missing, and there is no tokenizer.json to read instead".to_owned();
                return Err(TextError::file(&folder.join(name), problem));
            }
        }
        (folder.join("vocab.json"), from_vocabulary(folder))
    };
    match tokenizer {
        Ok(tokenizer) => Ok((file, tokenizer)),
        Err(error) => Err(TextError::file(&file, format!("is not a tokenizer of CLIP's kind: {error}"))),
    }
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

/// The padding token's name: SD 1.x pads with the end token, SD 2.x with `!`.
fn padding(root: &Path) -> Result<String, TextError> {
    for name in ["tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json"] {
        let path = root.join(name);
        if !path.is_file() {
            continue;
        }
        let text = input::read_text(&path, input::JSON_BYTES)
            .map_err(|source| TextError::Read { file: path.display().to_string(), source })?;
        let map: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| TextError::file(&path, format!("is not a JSON object: {error}")))?;
        // Either the token itself or an object with its `content`.
        let token = map.get("pad_token").and_then(|token| token.get("content").unwrap_or(token).as_str());
        if let Some(token) = token {
            return Ok(token.to_owned());
        }
    }
    Ok(END.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::needs::needs;

    /// A model folder whose `tokenizer` has these files of the folder `from`, and what is given.
    fn model(from: &Path, files: &[&str], given: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("tokenizer");
        fs::create_dir(&to).unwrap();
        for file in files {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
        given.iter().for_each(|(file, text)| fs::write(to.join(file), text).unwrap());
        dir
    }

    const SECOND: &str = "tests/golden/sd-second/tokenizer";
    const VOCABULARY: [&str; 2] = ["vocab.json", "merges.txt"];

    #[test]
    fn where_an_exclamation_mark_pads_each_one_of_a_prompt_is_a_token_of_its_own() {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(SECOND);
        let read = |pad: &str| {
            let map = format!("{{\"pad_token\": {pad:?}}}");
            let dir = model(&from, &VOCABULARY, &[("special_tokens_map.json", &map)]);
            Tokens::read(dir.path(), 1 << 20, 77).unwrap()
        };
        let (padded, plain) = (read("!"), read(END));
        let words = |tokens: &Tokens, prompt: &str| {
            let ids = tokens.encode(prompt).unwrap().ids;
            let end = ids.iter().position(|&id| id == tokens.end).unwrap();
            ids[1..end].to_vec()
        };
        let mark = padded.padding;
        let parts = |parts: &[&str]| parts.iter().map(|part| words(&plain, part)).collect::<Vec<_>>().join(&mark);
        for (prompt, expected) in [
            ("a mug!", parts(&["a mug", ""])),
            ("a mug !! in a kitchen!now", parts(&["a mug", "", "in a kitchen", "now"])),
            ("!", parts(&["", ""])),
            ("a mug", parts(&["a mug"])),
        ] {
            assert_eq!(words(&padded, prompt), expected, "{prompt}");
        }
        assert!(!words(&plain, "a mug!").contains(&mark), "elsewhere it is the last letter of a word");
        assert_eq!(padded.encode("a mug").unwrap().ids[76], mark);
    }

    #[test]
    fn second_tokenizers_give_the_ids_of_transformers_with_and_without_tokenizer_json() {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/parity");
        for (name, files) in [
            ("sdxl-tiny", &["vocab.json", "merges.txt", "special_tokens_map.json"][..]),
            ("sdxl-tiny", &["tokenizer.json", "special_tokens_map.json"]),
            ("sd3-tiny", &["vocab.json", "merges.txt", "special_tokens_map.json"]),
        ] {
            let folder = shared.join(name);
            let Some(folder) = needs(&folder.display().to_string(), Some(&folder).filter(|f| f.is_dir())) else {
                return;
            };
            let bytes = fs::read(folder.join("reference.safetensors")).unwrap();
            let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            let prompts = metadata.metadata().clone().unwrap()["prompts"].clone();
            let prompts: Vec<String> = serde_json::from_str(&prompts).unwrap();
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let theirs = tensors.tensor("token_ids_2").unwrap().data().as_chunks::<8>().0.to_vec();
            let theirs: Vec<u32> = theirs.into_iter().map(|id| i64::from_le_bytes(id) as u32).collect();
            let dir = model(&folder.join("tokenizer_2"), files, &[]);
            let tokens = Tokens::read(dir.path(), 1 << 20, 77).unwrap();
            let ours: Vec<u32> = prompts.iter().flat_map(|prompt| tokens.encode(prompt).unwrap().ids).collect();
            assert!(prompts.iter().any(|prompt| prompt.contains('!')));
            assert_eq!(ours, theirs, "{name} {files:?}");
        }
    }
}
