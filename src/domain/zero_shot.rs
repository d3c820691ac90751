//! Zero-shot models: a tower for pictures and one for texts, whose rows are compared; classes are texts.
//!
//! Does not read files and runs no model (`scorer` does). Holds always: the names of the classes are written out, in
//! the order of the class space, so that a run says what was asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Geometry, InputSpec, OnnxGraph, PinnedFile, Sha256};

/// What stands for the name of a class in a template.
pub const PLACE: &str = "{}";

/// A zero-shot model in ONNX format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZeroShotModel {
    /// What makes rows of pictures.
    pub image: ImageTower,
    /// What makes rows of texts.
    pub text: TextTower,
    /// Texts with `{}` for the name of a class; the rows of several are averaged.
    pub templates: Vec<String>,
    /// What turns logits into probabilities.
    pub activation: Activation,
    /// A logit is `scale * cosine + bias`.
    pub scale: f64,
    /// See `scale`.
    #[serde(default)]
    pub bias: f64,
    /// Licence of the weights, from the data manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Names of the classes, in the order of the class space.
    pub names: Vec<String>,
}

/// The tower for pictures, or the joint model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageTower {
    /// Its graph.
    pub graph: OnnxGraph,
    /// From a picture to the tower's size.
    pub preprocess: Geometry,
    /// From pixels to the input tensor.
    pub input: InputSpec,
    /// Name of the output with the rows; else `image_embeds`, `pooler_output`, or the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// The tower for texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextTower {
    /// Its graph; `None` if the image tower's graph takes texts too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<OnnxGraph>,
    /// A `tokenizer.json`.
    pub tokenizer: PinnedFile,
    /// Tokens of every text, padding included.
    pub positions: u32,
    /// The token that fills up; else the tokenizer's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<String>,
    /// What is done to a text before it is split into tokens.
    pub clean: Cleaning,
    /// Name of the output with the rows; else `text_embeds`, `pooler_output`, or the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// What turns logits into probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// One of the classes: CLIP.
    Softmax,
    /// Each class on its own: SigLIP.
    Sigmoid,
}

impl Activation {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
        }
    }
}

/// What is done to a text before it is split into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cleaning {
    /// Nothing.
    #[default]
    AsIs,
    /// Lower case.
    Lower,
    /// Underscores become spaces, punctuation of ASCII goes, lower case, one space between words: SigLIP in open_clip
    /// (`canonicalize_text`), whose mending of broken Unicode and HTML (ftfy) is left out.
    Canonical,
}

impl Cleaning {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Lower => "lower",
            Self::Canonical => "canonical",
        }
    }

    /// The text as the tokenizer gets it.
    pub fn of(self, text: &str) -> String {
        match self {
            Self::AsIs => text.to_owned(),
            Self::Lower => text.to_lowercase(),
            Self::Canonical => {
                let kept = text.replace('_', " ");
                let kept: String = kept.chars().filter(|c| !c.is_ascii_punctuation()).collect();
                kept.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
            }
        }
    }
}

impl ZeroShotModel {
    /// Its graphs: that of the pictures, and that of the texts unless it is the same.
    pub fn graphs(&self) -> impl Iterator<Item = &OnnxGraph> {
        std::iter::once(&self.image.graph).chain(&self.text.graph)
    }

    /// The files that a path leads to: graphs and tokenizer.
    pub fn files_mut(&mut self) -> impl Iterator<Item = &mut PinnedFile> {
        let text = self.text.graph.as_mut().map(|graph| &mut graph.weights);
        [&mut self.image.graph.weights, &mut self.text.tokenizer].into_iter().chain(text)
    }

    /// Hash of all of its files: of what `sha256sum` prints about `image`, `text` (left out in a joint model) and
    /// `tokenizer`, graphs by their [`OnnxGraph::sha256`].
    pub fn sha256(&self) -> Sha256 {
        let mut lines = format!("{}  image\n", self.image.graph.sha256());
        if let Some(graph) = &self.text.graph {
            lines += &format!("{}  text\n", graph.sha256());
        }
        lines += &format!("{}  tokenizer\n", self.text.tokenizer.sha256);
        Sha256::of(lines.as_bytes())
    }

    /// Every text that is asked, cleaned: class by class, template by template.
    pub fn texts(&self) -> Vec<String> {
        let of_class =
            |name: &String| self.templates.iter().map(|template| filled(template, name, self.text.clean)).collect();
        self.names.iter().flat_map::<Vec<String>, _>(of_class).collect()
    }
}

/// A template with the name of a class, cleaned.
fn filled(template: &str, name: &str, clean: Cleaning) -> String {
    clean.of(&template.replace(PLACE, name))
}

/// The first two classes whose texts are the same, by place: the second of them can never be predicted.
pub fn same_texts(names: &[String], templates: &[String], clean: Cleaning) -> Option<(usize, usize)> {
    let mut seen = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        let texts: Vec<String> = templates.iter().map(|template| filled(template, name, clean)).collect();
        if let Some(first) = seen.insert(texts, place) {
            return Some((first, place));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cleaned_as_open_clip_does() {
        let check = |clean: Cleaning, text: &str, expected: &str| assert_eq!(clean.of(text), expected, "{clean:?}");
        check(Cleaning::AsIs, "  A Photo_of, a T-Shirt! ", "  A Photo_of, a T-Shirt! ");
        check(Cleaning::Lower, "  A Photo_of, a T-Shirt! ", "  a photo_of, a t-shirt! ");
        check(Cleaning::Canonical, "  A Photo_of, a\tT-Shirt! ", "a photo of a tshirt");
        check(Cleaning::Canonical, "Übergröße “quoted”, 100%", "übergröße “quoted” 100");
        check(Cleaning::Canonical, "!?", "");
    }

    #[test]
    fn two_classes_with_one_text_are_found_by_what_the_tokenizer_gets() {
        let check = |names: &[&str], clean: Cleaning, expected: Option<(usize, usize)>| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(same_texts(&names, &["a {}.".to_owned(), "the {}".to_owned()], clean), expected, "{names:?}");
        };
        check(&["crane", "mug", "crane"], Cleaning::AsIs, Some((0, 2)));
        check(&["T-shirt", "tshirt"], Cleaning::AsIs, None);
        check(&["mug", "T-shirt", "tshirt"], Cleaning::Canonical, Some((1, 2)));
        check(&["Crane", "crane"], Cleaning::Lower, Some((0, 1)));
    }
}
