//! One instance of an ONNX classifier: pictures -> tensor -> scores.

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};

use super::shape::{self, Call};
use super::tensor::Filler;
use crate::domain::{Dtype, IMAGENET_CLASSES, OnnxModel, Outcome, OutputKind, Scores};
use crate::imaging::{self, RgbImage};
use crate::stats::softmax;

use crate::surrogate::{Surrogate, SurrogateError};

/// See the module.
pub struct Classifier {
    name: String,
    model: OnnxModel,
    call: Call,
    filler: AnyFiller,
    session: Session,
}

enum AnyFiller {
    F32(Filler<f32>),
    F16(Filler<f16>),
    U8(Filler<u8>),
}

impl Classifier {
    /// Checks the session against the spec.
    pub fn new(name: &str, model: &OnnxModel, session: Session) -> Result<Self, SurrogateError> {
        let mismatch = |problem: String| SurrogateError::Mismatch { name: name.to_owned(), problem };
        let call = shape::check(&session, model).map_err(mismatch)?;
        let filler = match model.input.dtype {
            Dtype::F32 => AnyFiller::F32(Filler::new(&model.input, |x| x as f32)),
            Dtype::F16 => AnyFiller::F16(Filler::new(&model.input, f16::from_f64)),
            Dtype::U8 => AnyFiller::U8(Filler::new(&model.input, |x| x as u8)),
        };
        Ok(Self { name: name.to_owned(), model: model.clone(), call, filler, session })
    }

    /// Scores grey pictures, `batch` at a time: what is wrong with a model shows before anything is spent on it.
    pub fn try_out(&mut self, batch: usize) -> Result<(), SurrogateError> {
        let side = self.model.preprocess.crop_px;
        let grey = RgbImage::new(side, side, vec![128; 3 * (side as usize).pow(2)]);
        let grey = grey.map_err(|e| self.mismatch(e.to_string()))?;
        let scores = match self.score_fitted(&vec![grey; batch.max(1)]) {
            Err(SurrogateError::Run { problem, .. }) if self.call.batch.is_none() && batch > 1 => {
                let advice = "if it takes one picture at a time, write input.batch = 1";
                return Err(self.mismatch(format!("it cannot score {batch} pictures at once: {problem}; {advice}")));
            }
            scores => scores?,
        };
        match scores[0].probs.iter().find(|p| !(0.0..=1.0001).contains(*p)) {
            None => Ok(()),
            Some(p) if p.is_finite() => {
                Err(self.mismatch(format!("it gives {p} as a probability; is output.kind \"logits\"?")))
            }
            Some(p) => Err(self.mismatch(format!(
                "it gives {p} for a plain grey picture; the weights or the preprocessing are wrong"
            ))),
        }
    }

    fn mismatch(&self, problem: String) -> SurrogateError {
        SurrogateError::Mismatch { name: self.name.clone(), problem }
    }

    /// Scores pictures that have the model's size already.
    fn score_fitted(&mut self, fitted: &[RgbImage]) -> Result<Vec<Scores>, SurrogateError> {
        let batch = self.call.batch.unwrap_or(fitted.len()).max(1);
        let mut scores = Vec::with_capacity(fitted.len());
        for chunk in fitted.chunks(batch) {
            let input = self.input(chunk, batch).map_err(|e| self.failed(&e))?;
            let name = self.call.input.clone();
            let rows = match self.session.run(vec![(name, SessionInputValue::from(input))]) {
                Ok(outputs) => rows_of(&outputs[self.call.output.as_str()]),
                Err(error) => return Err(SurrogateError::Run { name: self.name.clone(), problem: error.to_string() }),
            };
            let rows = rows.map_err(|problem| self.mismatch(problem))?;
            let classes = self.model.output.classes as usize;
            if rows.len() != batch * classes {
                let problem = format!(
                    "the output has {} numbers for {batch} picture(s), not {batch} x {classes} classes",
                    rows.len()
                );
                return Err(self.mismatch(problem));
            }
            scores.extend(rows.chunks(classes).take(chunk.len()).map(|row| self.scores(row)));
        }
        Ok(scores)
    }

    fn failed(&self, error: &ort::Error) -> SurrogateError {
        SurrogateError::Run { name: self.name.clone(), problem: error.to_string() }
    }

    /// The tensor for one call; a model with a fixed batch gets its last picture again until that is full.
    fn input(&self, chunk: &[RgbImage], batch: usize) -> ort::Result<DynValue> {
        let mut shape = shape::expected_shape(&self.model.input, self.model.preprocess.crop_px);
        shape[0] = batch as i64;
        let padded = || chunk.iter().chain(std::iter::repeat_n(&chunk[chunk.len() - 1], batch - chunk.len()));
        Ok(match &self.filler {
            AnyFiller::F32(filler) => Tensor::from_array((shape, filled(filler, padded())))?.into_dyn(),
            AnyFiller::F16(filler) => Tensor::from_array((shape, filled(filler, padded())))?.into_dyn(),
            AnyFiller::U8(filler) => Tensor::from_array((shape, filled(filler, padded())))?.into_dyn(),
        })
    }

    /// One row of the output as scores over ImageNet's classes; extra classes take part in the softmax and are left out.
    fn scores(&self, row: &[f32]) -> Scores {
        let offset = self.model.output.offset as usize;
        let classes = offset..offset + IMAGENET_CLASSES;
        match self.model.output.kind {
            OutputKind::Probabilities => Scores { probs: row[classes].to_vec(), max_logit: None, energy: None },
            OutputKind::Logits => {
                let logits = &row[classes.clone()];
                let max_logit = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max_logit).exp()).sum();
                let energy = -(f64::from(max_logit) + sum.ln()) as f32;
                Scores { probs: softmax(row)[classes].to_vec(), max_logit: Some(max_logit), energy: Some(energy) }
            }
        }
    }
}

fn filled<'a, T: Copy>(filler: &Filler<T>, images: impl Iterator<Item = &'a RgbImage>) -> Vec<T> {
    let mut tensor = Vec::new();
    images.for_each(|image| filler.push(image, &mut tensor));
    tensor
}

/// The output's numbers as f32, whatever its rank.
fn rows_of(output: &DynValue) -> Result<Vec<f32>, String> {
    if let Ok((_, numbers)) = output.try_extract_tensor::<f32>() {
        return Ok(numbers.to_vec());
    }
    match output.try_extract_tensor::<f16>() {
        Ok((_, numbers)) => Ok(numbers.iter().map(|x| x.to_f32()).collect()),
        Err(_) => Err(format!("the output has type {}, but f32 or f16 is wanted", output.dtype())),
    }
}

impl Surrogate for Classifier {
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, SurrogateError> {
        let fitted: Vec<_> = images.iter().map(|image| imaging::fit(image, &self.model.preprocess)).collect();
        let good: Vec<RgbImage> = fitted.iter().filter_map(|image| image.as_ref().ok().cloned()).collect();
        let mut scores = if good.is_empty() { Vec::new() } else { self.score_fitted(&good)? }.into_iter();
        let outcome = |image: Result<RgbImage, imaging::FitError>| match image {
            Ok(_) => scores.next().map_or_else(|| Outcome::Failed("no score came back".to_owned()), Outcome::Kept),
            Err(error) => Outcome::Dropped(error.to_string()),
        };
        Ok(fitted.into_iter().map(outcome).collect())
    }
}
