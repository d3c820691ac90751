//! What the files of a two-tower model say about its text tower: places, padding, how texts are cleaned.
//!
//! Source: transformers 5.24 (`modeling_clip`, `modeling_siglip`, their tokenizers), open_clip 3 (`tokenizer.py`).

use serde_json::Value;

/// What a text tower needs to be called; what no file says is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFacts {
    /// What kind of model it is.
    pub family: Option<TextFamily>,
    /// Tokens of a text, with begin, end and padding.
    pub positions: Option<u32>,
    /// The token with which texts are filled up.
    pub padding: Option<String>,
    /// `as-is`, `lower` or `canonical`.
    pub clean: Option<&'static str>,
}

/// Families of models of two towers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFamily {
    /// Trained with a softmax over texts.
    Clip,
    /// Trained with a sigmoid for each pair.
    Siglip,
}

/// `tokenizer`: tokenizer.json, tokenizer_config.json, special_tokens_map.json.
pub(super) fn facts(config: &Value, open_clip: Option<&Value>, tokenizer: &[Option<Value>; 3]) -> TextFacts {
    let [json, tokens, special] = tokenizer.each_ref().map(Option::as_ref);
    let kind = config.get("model_type").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let of_open_clip = open_clip.and_then(|file| file.get("model_cfg").or(Some(file)));
    let text_cfg = of_open_clip.and_then(|model| model.get("text_cfg"));
    let has_bias = of_open_clip.is_some_and(|model| model.get("init_logit_bias").is_some());
    let family = match kind.as_str() {
        kind if kind.starts_with("siglip") => Some(TextFamily::Siglip),
        kind if kind.contains("clip") => Some(TextFamily::Clip),
        _ => of_open_clip.map(|_| if has_bias { TextFamily::Siglip } else { TextFamily::Clip }),
    };
    let whole = |value: Option<&Value>| value.and_then(Value::as_u64).filter(|n| (1..=8192).contains(n));
    let positions = whole(config.get("text_config").and_then(|text| text.get("max_position_embeddings")));
    let positions = positions.or_else(|| whole(text_cfg.and_then(|text| text.get("context_length"))));
    let positions = positions.or_else(|| whole(tokens.and_then(|tokens| tokens.get("model_max_length"))));
    let token = |file: Option<&Value>| {
        let token = file?.get("pad_token")?;
        token.as_str().or_else(|| token.get("content")?.as_str()).map(str::to_owned)
    };
    let canonical = text_cfg.and_then(|text| text.get("tokenizer_kwargs")?.get("clean")?.as_str());
    let clean = match (family, canonical) {
        (_, Some("canonicalize")) => Some("canonical"),
        (_, Some("lower")) => Some("lower"),
        // SigLIP was trained on lower-cased text; the files of the second do not say so.
        (Some(TextFamily::Siglip), _) => json.map(|json| if lowers(json) { "as-is" } else { "lower" }),
        (Some(TextFamily::Clip), _) => Some("as-is"),
        (None, _) => None,
    };
    let padding = token(tokens).or_else(|| token(special));
    TextFacts { family, positions: positions.map(|n| n as u32), padding, clean }
}

/// Whether a tokenizer.json lower-cases by itself.
fn lowers(json: &Value) -> bool {
    let normalizer = json.get("normalizer").unwrap_or(&Value::Null);
    let is_lower = |part: &Value| part.get("type").and_then(Value::as_str) == Some("Lowercase");
    let parts = normalizer.get("normalizers").and_then(Value::as_array);
    is_lower(normalizer) || parts.is_some_and(|parts| parts.iter().any(is_lower))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_siglip_is_lowered_unless_its_tokenizer_does_it() {
        let config = json!({"model_type": "siglip", "text_config": {"max_position_embeddings": 64}});
        let clean = |normalizer: Value| {
            let files = [Some(json!({"normalizer": normalizer})), Some(json!({"pad_token": "<pad>"})), None];
            let facts = facts(&config, None, &files);
            assert_eq!((facts.family, facts.positions), (Some(TextFamily::Siglip), Some(64)));
            assert_eq!(facts.padding.as_deref(), Some("<pad>"));
            facts.clean
        };
        assert_eq!(clean(json!({"type": "Replace"})), Some("lower"));
        assert_eq!(clean(json!({"type": "Sequence", "normalizers": [{"type": "Lowercase"}]})), Some("as-is"));
    }

    #[test]
    fn open_clip_says_it_in_its_own_words() {
        let text = json!({"context_length": 64, "tokenizer_kwargs": {"clean": "canonicalize"}});
        let file = json!({"model_cfg": {"init_logit_bias": -10, "text_cfg": text}});
        let special = json!({"pad_token": {"content": "</s>"}});
        let facts = facts(&Value::Null, Some(&file), &[None, None, Some(special)]);
        let expected = TextFacts {
            family: Some(TextFamily::Siglip),
            positions: Some(64),
            padding: Some("</s>".to_owned()),
            clean: Some("canonical"),
        };
        assert_eq!(facts, expected);
    }
}
