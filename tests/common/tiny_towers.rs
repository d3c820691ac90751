//! Zero-shot models of two towers of a few nodes, written by hand, with a tokenizer of letters.
//!
//! The row of a text is the mean of its letters' rows, the row of a picture a product with its pixels.

use super::tiny::{INPUTS, weights};
use super::tiny_onnx::{Model, Type};

/// Numbers of a row.
pub const WIDTH: u64 = 16;
/// Tokens that the text tower knows: the letters of [`tokenizer`] and four special ones.
pub const VOCABULARY: u64 = 4 + LETTERS.len() as u64;
/// Tokens of every text.
pub const POSITIONS: i64 = 48;

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'-()/";

/// `pixel_values` of `[batch, 3, 8, 8]` -> `image_embeds`; add what comes after with [`Model::node`].
pub fn image_tower(width: u64) -> Model {
    with_pictures(Model::default().input("pixel_values", &[-1, 3, 8, 8]), width)
        .node("Identity image_rows -> image_embeds")
        .output("image_embeds", Type::F32, &[-1, width as i64])
}

/// `input_ids` of `[batch, 48]` -> `text_embeds`.
pub fn text_tower(vocabulary: u64, width: u64) -> Model {
    with_texts(Model::default().input_of("input_ids", Type::I64, &[-1, POSITIONS]), vocabulary, width)
        .node("Identity text_rows -> text_embeds")
        .output("text_embeds", Type::F32, &[-1, width as i64])
}

/// Both in one graph, as transformers.js has them.
pub fn joint() -> Model {
    let model =
        Model::default().input_of("input_ids", Type::I64, &[-1, POSITIONS]).input("pixel_values", &[-1, 3, 8, 8]);
    let model = with_texts(with_pictures(model, WIDTH), VOCABULARY, WIDTH)
        .node_with("Transpose image_rows -> columns", &[])
        .node("MatMul text_rows columns -> logits_per_text")
        .node("Identity image_rows -> image_embeds")
        .node("Identity text_rows -> text_embeds");
    ["logits_per_text", "text_embeds", "image_embeds"]
        .iter()
        .fold(model, |m, name| m.output(name, Type::F32, &[-1, -1]))
}

fn with_pictures(model: Model, width: u64) -> Model {
    model
        .constant("pixels", &[INPUTS as u64, width], &weights(width))
        .node("Flatten pixel_values -> flat")
        .node("MatMul flat pixels -> image_rows")
}

fn with_texts(model: Model, vocabulary: u64, width: u64) -> Model {
    let level = |i: u64| ((i.wrapping_mul(2_246_822_519) >> 9) % 1999) as f32 / 1000.0 - 1.0;
    let table: Vec<f32> = (0..vocabulary * width).map(level).collect();
    model
        .constant("letters", &[vocabulary, width], &table)
        .node("Gather letters input_ids -> letter_rows")
        .node_with("ReduceMean letter_rows -> text_rows", &[("axes", &[1]), ("keepdims", &[0])])
}

/// A `tokenizer.json` that splits a text into letters, with a token at its end; `more` words follow the letters.
pub fn tokenizer(more: &[&str]) -> String {
    let special = ["<pad>", "<end>", "<unk>", "<begin>"];
    let words = special.iter().map(|word| (*word).to_owned()).chain(LETTERS.chars().map(String::from));
    let words = words.chain(more.iter().map(|word| (*word).to_owned()));
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        words.enumerate().map(|(id, word)| (word, id.into())).collect();
    let added = special.iter().enumerate().map(|(id, word)| {
        serde_json::json!({ "id": id, "content": word, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true })
    });
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": { "type": "Split", "pattern": { "Regex": "." }, "behavior": "Isolated", "invert": false },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "<end>", "type_id": 0 } }],
            "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            "special_tokens": { "<end>": { "id": "<end>", "ids": [1], "tokens": ["<end>"] } }
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" }
    })
    .to_string()
}
