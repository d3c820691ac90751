//! Compares a zero-shot model with a reference: tokens, pixels, rows of both towers, logits and probabilities.
//!
//! Pictures are the reference's own crops, so that a difference has one cause; that the program makes the same crops of
//! the photographs is a comparison of its own. Holds always: a tensor that the reference lacks is not compared, and one
//! of another shape is NaN apart, which no tolerance allows.

use std::path::Path;

use super::class_rows::{class_row, unit};
use super::pictures::Pictures;
use super::reference::{Numbers, Reference};
use super::text_tower::{TextSide, TextTower};
use super::zero_shot::{cosine, scores_of};
use crate::domain::{Activation, Compared, PLACE};
use crate::imaging::{self, RgbImage};
use crate::scorer::error::ScorerError;

/// Largest differences that rounding in another order explains, in f32.
const ROWS: f64 = 1e-4;
const CLASS_ROWS: f64 = 1e-5;
/// Of a cosine: each of the two rows is some 1e-6 apart. A logit is `scale` times as far, and the steepest sigmoid or
/// softmax a quarter of that.
const COSINES: f64 = 2e-6;
const PIXEL_VALUES: f64 = 1e-5;

/// The two sides of a model, and what they are compared with.
pub struct Examined<'a> {
    /// The side of texts.
    pub text: &'a TextSide<'a>,
    /// Its session.
    pub tower: TextTower,
    /// The side of pictures.
    pub pictures: Pictures,
    /// Finds a photograph by the name of its file.
    pub photo: &'a dyn Fn(&str) -> Option<RgbImage>,
}

/// Rows, each of length 1.
type Units = Vec<Vec<f32>>;

impl Examined<'_> {
    /// All comparisons with the reference at `path`.
    pub fn compare(mut self, path: &Path) -> Result<Vec<Compared>, ScorerError> {
        let file = |problem: String| self.text.mismatch(format!("{} {problem}", path.display()));
        let reference = Reference::read(path).map_err(file)?;
        let mut compared = Vec::new();
        let texts = self.of_prompts(&reference, &mut compared)?;
        let classes = self.of_classes(&reference, &mut compared)?;
        let images = self.of_pictures(&reference, &mut compared)?;
        self.of_logits(&reference, &images, (&texts, &classes), &mut compared)?;
        if compared.is_empty() {
            return Err(self.text.mismatch(format!("{} has no tensor that can be compared", path.display())));
        }
        Ok(compared)
    }

    fn of_prompts(&mut self, reference: &Reference, compared: &mut Vec<Compared>) -> Result<Units, ScorerError> {
        let clean = self.text.model.text.clean;
        let mut ids = Vec::new();
        let mut rows = Vec::new();
        for prompt in &reference.prompts {
            let text = self.text.encode(&clean.of(prompt))?;
            ids.extend(text.ids.iter().map(|&id| i64::from(id)));
            rows.push(self.tower.row(&text)?);
        }
        let units = self.units(&rows)?;
        compared.extend(differing("token ids", &ids, self.there(reference.i64("token_ids"))?));
        compared.extend(apart("text rows", &rows, self.there(reference.f32("text_features"))?, ROWS));
        compared.extend(apart("text rows / norm", &units, self.there(reference.f32("text_embeds"))?, ROWS));
        Ok(units)
    }

    fn of_classes(&mut self, reference: &Reference, compared: &mut Vec<Compared>) -> Result<Units, ScorerError> {
        let clean = self.text.model.text.clean;
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        for class in reference.classes.iter().filter(|_| !reference.templates.is_empty()) {
            let fill = |template: &String| clean.of(&template.replace(PLACE, class));
            let texts: Vec<String> = reference.templates.iter().map(fill).collect();
            for text in &texts {
                ids.extend(self.text.encode(text)?.ids.iter().map(|&id| i64::from(id)));
            }
            rows.push(class_row(self.text, &mut self.tower, &texts)?);
        }
        compared.extend(differing("class token ids", &ids, self.there(reference.i64("class_token_ids"))?));
        compared.extend(apart("class rows", &rows, self.there(reference.f32("class_weights"))?, CLASS_ROWS));
        Ok(rows)
    }

    fn of_pictures(&mut self, reference: &Reference, compared: &mut Vec<Compared>) -> Result<Units, ScorerError> {
        let Some(crops) = self.there(reference.u8("crops_u8"))? else { return Ok(Units::new()) };
        let side = self.pictures.preprocess().crop_px;
        if crops.shape.len() != 4 || crops.shape[1..] != [side as usize, side as usize, 3] {
            let shape = &crops.shape;
            let problem = format!("the reference has crops of shape {shape:?}, but preprocess.crop_px is {side}");
            return Err(self.text.mismatch(problem));
        }
        let pixels = 3 * (side as usize).pow(2);
        let images = crops.numbers.chunks(pixels).map(|crop| RgbImage::new(side, side, crop.to_vec()));
        let images: Vec<RgbImage> =
            images.collect::<Result<_, _>>().map_err(|error| self.text.mismatch(error.to_string()))?;
        compared.extend(self.of_photos(reference, &images));
        let values = self.pictures.tensor_of(&images);
        let wanted = self.there(reference.f32("pixel_values"))?;
        compared.extend(apart("pixel values", &[values], wanted, PIXEL_VALUES));
        let rows = self.pictures.rows(&images)?;
        let mut alone = Vec::new();
        for image in &images {
            alone.extend(self.pictures.rows(std::slice::from_ref(image))?);
        }
        let units = self.units(&rows)?;
        compared.extend(apart("image rows", &rows, self.there(reference.f32("image_features"))?, ROWS));
        compared.extend(apart("image rows / norm", &units, self.there(reference.f32("image_embeds"))?, ROWS));
        let differ = rows.concat().iter().zip(alone.concat()).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        compared.push(row("image rows one by one", "differ", differ as f64, 0.0));
        Ok(units)
    }

    /// The crops that are made of the photographs, where all of them are found.
    fn of_photos(&self, reference: &Reference, crops: &[RgbImage]) -> Option<Compared> {
        if reference.photos.is_empty() || reference.photos.len() != crops.len() {
            return None;
        }
        let mut differ = 0;
        for (name, crop) in reference.photos.iter().zip(crops) {
            let fitted = imaging::fit(&(self.photo)(name)?, self.pictures.preprocess()).ok()?;
            differ += fitted.pixels().iter().zip(crop.pixels()).filter(|(a, b)| a != b).count();
        }
        Some(row("pixels of photographs", "differ", differ as f64, 0.0))
    }

    fn of_logits(
        &self,
        reference: &Reference,
        images: &Units,
        texts: (&Units, &Units),
        compared: &mut Vec<Compared>,
    ) -> Result<(), ScorerError> {
        let model = self.text.model;
        let allowed = COSINES * model.scale;
        // The classifier of CLIP_benchmark takes a softmax, whatever the model was trained with.
        let sides = [
            ("logits", "logits_per_image", "probabilities", "probs", texts.0, model.activation),
            ("class logits", "class_logits", "class probabilities", "class_probs", texts.1, Activation::Softmax),
        ];
        for (logits_name, logits_key, probs_name, probs_key, texts, activation) in sides {
            let logit = |image: &Vec<f32>, text: &Vec<f32>| (model.scale * cosine(image, text) + model.bias) as f32;
            let logits: Units =
                images.iter().map(|image| texts.iter().map(|text| logit(image, text)).collect()).collect();
            let probs: Units = logits.iter().map(|logits| scores_of(logits, activation).probs).collect();
            compared.extend(apart(logits_name, &logits, self.there(reference.f32(logits_key))?, allowed));
            compared.extend(apart(probs_name, &probs, self.there(reference.f32(probs_key))?, allowed / 4.0));
        }
        Ok(())
    }

    fn units(&self, rows: &[Vec<f32>]) -> Result<Units, ScorerError> {
        let units: Result<Units, &str> = rows.iter().map(|row| unit(row)).collect();
        units.map_err(|problem| self.text.mismatch(format!("a row of the reference's pictures or texts {problem}")))
    }

    fn there<T>(&self, tensor: Result<T, String>) -> Result<T, ScorerError> {
        tensor.map_err(|problem| self.text.mismatch(format!("the reference {problem}")))
    }
}

fn row(what: &str, measure: &'static str, found: f64, allowed: f64) -> Compared {
    Compared { what: what.to_owned(), measure, found, allowed }
}

fn differing(what: &str, ours: &[i64], theirs: Option<Numbers<i64>>) -> Option<Compared> {
    let theirs = theirs?.numbers;
    let differ = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count() + ours.len().abs_diff(theirs.len());
    Some(row(what, "differ", differ as f64, 0.0))
}

fn apart(what: &str, ours: &[Vec<f32>], theirs: Option<Numbers<f32>>, allowed: f64) -> Option<Compared> {
    let (ours, theirs) = (ours.concat(), theirs?.numbers);
    let differences = ours.iter().zip(&theirs).map(|(a, b)| f64::from((a - b).abs()));
    let most = differences.fold(0.0, |most, apart| if apart.is_nan() || apart > most { apart } else { most });
    let found = if ours.len() == theirs.len() { most } else { f64::NAN };
    Some(row(what, "max abs", found, allowed))
}
