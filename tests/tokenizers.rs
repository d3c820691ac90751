//! Second tokenizers, which pad with `!`, give the ids of transformers, with and without `tokenizer.json`.
//!
//! Needs the project's shared data; says so loudly and checks nothing where it is not there.

#![cfg(feature = "onnx")]

mod common;

use std::fs;

use common::test_data;
use hardset::text::Tokens;
use safetensors::SafeTensors;

#[test]
fn every_exclamation_mark_is_the_padding_token() {
    for (name, files) in [
        ("sdxl-tiny", &["vocab.json", "merges.txt", "special_tokens_map.json"][..]),
        ("sdxl-tiny", &["tokenizer.json", "special_tokens_map.json"]),
        ("sd3-tiny", &["vocab.json", "merges.txt", "special_tokens_map.json"]),
    ] {
        let Some(folder) = test_data(&format!("parity/{name}")) else { return };
        let bytes = fs::read(folder.join("reference.safetensors")).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let prompts = metadata.metadata().clone().unwrap()["prompts"].clone();
        let prompts: Vec<String> = serde_json::from_str(&prompts).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let theirs = tensors.tensor("token_ids_2").unwrap().data().as_chunks::<8>().0.to_vec();
        let theirs: Vec<u32> = theirs.into_iter().map(|id| i64::from_le_bytes(id) as u32).collect();
        let model = tempfile::tempdir().unwrap();
        let to = model.path().join("tokenizer");
        fs::create_dir(&to).unwrap();
        for file in files {
            fs::copy(folder.join("tokenizer_2").join(file), to.join(file)).unwrap();
        }
        let tokens = Tokens::read(model.path(), 1 << 20, 77).unwrap();
        let ours: Vec<u32> = prompts.iter().flat_map(|prompt| tokens.encode(prompt).unwrap().ids).collect();
        assert!(prompts.iter().any(|prompt| prompt.contains('!')), "{prompts:?}");
        assert_eq!(ours, theirs, "{name} {files:?}");
    }
}
