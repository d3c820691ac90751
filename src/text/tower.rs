//! Texts -> the token ids of a text tower, as the model's `tokenizer.json` says: CLIP's BPE, SentencePiece (SigLIP),
//! Gemma's BPE (SigLIP 2) and whatever else that file can describe.
//!
//! Does not clean texts (`domain` does). Holds always: a text has as many ids as the tower has positions; where it is
//! longer, its end goes and the tokens that end every text stay, because towers read their row there.

use std::path::Path;

use tokenizers::{AddedToken, PostProcessor, Tokenizer};

use super::TextError;
use crate::input;

/// Names of padding tokens, in the order in which they are looked for.
const PADDING: [&str; 3] = ["<pad>", "[PAD]", "<|pad|>"];

/// The tokenizer of a text tower.
pub struct TowerTokens {
    tokenizer: Tokenizer,
    padding: u32,
    positions: usize,
    /// Tokens that every text gets beside its own.
    added: usize,
}

/// A text in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextIds {
    /// As many as the tower has positions.
    pub ids: Vec<u32>,
    /// How many of them are not padding.
    pub used: usize,
}

impl TowerTokens {
    /// Reads `tokenizer.json` at `file`. `positions`: tokens that the tower reads at a time; `padding`: the token that
    /// fills up, else the file's own, else a special one that is called so, else the token that ends every text.
    pub fn read(file: &Path, positions: usize, padding: Option<&str>) -> Result<Self, TextError> {
        let bad = |problem: String| TextError::file(file, problem);
        let bytes = input::read(file, input::JSON_BYTES)
            .map_err(|source| TextError::Read { file: file.display().to_string(), source })?;
        let mut tokenizer =
            Tokenizer::from_bytes(bytes).map_err(|error| bad(format!("is not a tokenizer.json: {error}")))?;
        let own = tokenizer.get_padding().map(|padding| padding.pad_token.clone());
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        let padding = match padding.map(str::to_owned).or(own) {
            Some(token) => {
                let id = tokenizer.token_to_id(&token);
                let id = id.ok_or_else(|| bad(format!("has no token `{token}`; correct text.padding")))?;
                let _known = tokenizer.add_special_tokens([AddedToken::from(token, true)]);
                id
            }
            None => usual_padding(&tokenizer).ok_or_else(|| {
                bad("has no padding token and no token that ends a text; name one with text.padding".to_owned())
            })?,
        };
        let added = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if added >= positions {
            return Err(bad(format!("adds {added} tokens to every text, but text.positions is {positions}")));
        }
        Ok(Self { tokenizer, padding, positions, added })
    }

    /// Tokens of every text.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The largest id of the vocabulary; tokens that were added to it do not count, because towers need not know them.
    pub fn largest(&self) -> u32 {
        self.tokenizer.get_vocab(false).into_values().max().unwrap_or_default()
    }

    /// The text's tokens.
    pub fn encode(&self, text: &str) -> Result<TextIds, String> {
        let refused = |error: tokenizers::Error| format!("{text:?} cannot be split into tokens: {error}");
        let mut words = self.tokenizer.encode(text, false).map_err(refused)?;
        words.truncate(self.positions - self.added, 0, tokenizers::TruncationDirection::Right);
        let mut ids = self.tokenizer.post_process(words, None, true).map_err(refused)?.get_ids().to_vec();
        ids.truncate(self.positions);
        let used = ids.len();
        ids.resize(self.positions, self.padding);
        Ok(TextIds { ids, used })
    }
}

fn usual_padding(tokenizer: &Tokenizer) -> Option<u32> {
    // SigLIP's vocabulary has a `<pad>` that is a word like any other; it is filled up with the end token.
    let special = tokenizer.get_added_tokens_decoder();
    let is_special = |token: &str| special.values().any(|added| added.special && added.content == token);
    let known = PADDING.iter().find(|token| is_special(token)).and_then(|token| tokenizer.token_to_id(token));
    known.or_else(|| tokenizer.encode("", true).ok()?.get_ids().last().copied())
}
