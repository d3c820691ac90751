//! One instance of an ONNX classifier: pictures -> tensor -> scores.
//!
//! Holds always: nothing that a model returns is trusted: the number of its outputs and the range of its probabilities
//! are checked on a grey picture before any image is scored.

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};

use super::bound::{Bound, BoundError};
use super::neighbours;
use super::output::rows_of;
use super::shape::{self, Call};
use super::tensor::Filler;
use crate::domain::{Device, Dtype, OnnxModel, Outcome, OutputKind, ProbKind, Scores};
use crate::imaging::{self, RgbImage};
use crate::onnx::plain;
use crate::scorer::contract::Scorer;
use crate::scorer::error::ScorerError;
use crate::stats::softmax;

/// See the module.
pub struct Classifier {
    name: String,
    model: OnnxModel,
    /// Whether neither the model nor the recipe fixes the batch.
    takes_any: bool,
    /// Pictures in every call: a call with fewer is filled up with copies of the last, because other batches round
    /// otherwise.
    batch: usize,
    /// Whether every call is filled with copies of one picture.
    alone: bool,
    call: Call,
    filler: AnyFiller,
    session: AnySession,
}

enum AnySession {
    /// Called with a new tensor each time.
    Free(Session),
    /// Called with the same tensor each time.
    Bound(Box<Bound>),
}

enum AnyFiller {
    F32(Filler<f32>),
    F16(Filler<f16>),
    U8(Filler<u8>),
}

impl Classifier {
    /// Checks the session against the spec. `batch`: pictures in a call, unless the model or the recipe fixes them.
    pub fn new(name: &str, model: &OnnxModel, session: Session, batch: usize) -> Result<Self, ScorerError> {
        let call = checked(name, model, &session, batch)?;
        Ok(Self::of(name, model, call, batch, AnySession::Free(session)))
    }

    /// As [`Classifier::new`], for a session whose input is the same tensor in every call, on `device`.
    pub fn bound(
        name: &str,
        model: &OnnxModel,
        session: Session,
        batch: usize,
        device: Device,
    ) -> Result<Self, ScorerError> {
        let call = checked(name, model, &session, batch)?;
        let mut shape = shape::expected_shape(&model.input, model.preprocess.crop_px);
        shape[0] = call.batch.unwrap_or(batch) as i64;
        let bound = Bound::new(session, &call, shape, model.input.dtype, device);
        let bound = bound.map_err(|error| run_error(name, &error))?;
        Ok(Self::of(name, model, call, batch, AnySession::Bound(Box::new(bound))))
    }

    fn of(name: &str, model: &OnnxModel, call: Call, batch: usize, session: AnySession) -> Self {
        let filler = match model.input.dtype {
            Dtype::F32 => AnyFiller::F32(Filler::new(&model.input, |x| x as f32)),
            Dtype::F16 => AnyFiller::F16(Filler::new(&model.input, f16::from_f64)),
            Dtype::U8 => AnyFiller::U8(Filler::new(&model.input, |x| x as u8)),
        };
        let (takes_any, batch) = (call.batch.is_none(), call.batch.unwrap_or(batch).max(1));
        Self { name: name.to_owned(), model: model.clone(), takes_any, batch, alone: false, call, filler, session }
    }

    /// Whether neither the model nor the recipe fixes the batch.
    pub fn takes_any(&self) -> bool {
        self.takes_any
    }

    /// Scores each picture in a call of its own from now on.
    pub fn score_alone(&mut self) {
        self.alone = true;
    }

    /// Scores grey pictures, so that a wrong model is found before any image is scored.
    pub fn try_out(&mut self) -> Result<(), ScorerError> {
        let (side, batch) = (self.model.preprocess.crop_px, self.batch);
        let grey = RgbImage::new(side, side, vec![128; 3 * (side as usize).pow(2)]);
        let grey = grey.map_err(|e| self.mismatch(e.to_string()))?;
        let scores = match self.scores_of(&vec![grey; batch]) {
            Err(ScorerError::Run { problem, .. }) if self.takes_any && batch > 1 => {
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

    /// Whether its numbers for a picture depend on the pictures beside it ([`neighbours`]).
    pub fn depends_on_neighbours(&mut self, device: Device) -> Result<bool, ScorerError> {
        if self.batch < 2 {
            return Ok(false);
        }
        neighbours::depend(device, self.model.preprocess.crop_px, self.batch, |pictures| self.rows_of(pictures))
    }

    fn mismatch(&self, problem: String) -> ScorerError {
        ScorerError::Mismatch { name: self.name.clone(), problem }
    }

    /// Scores pictures of the model's size.
    fn scores_of(&mut self, fitted: &[RgbImage]) -> Result<Vec<Scores>, ScorerError> {
        Ok(self.rows_of(fitted)?.iter().map(|row| self.scores(row)).collect())
    }

    /// The model's numbers for each of these pictures, one for each class.
    fn rows_of(&mut self, fitted: &[RgbImage]) -> Result<Vec<Vec<f32>>, ScorerError> {
        let (batch, classes) = (self.batch, self.model.output.classes as usize);
        let mut found = Vec::with_capacity(fitted.len());
        for chunk in fitted.chunks(if self.alone { 1 } else { batch }) {
            let rows = self.rows(chunk, batch)?;
            if rows.len() != batch * classes {
                return Err(self.mismatch(shape::other_classes(rows.len(), batch, classes)));
            }
            found.extend(rows.chunks(classes).take(chunk.len()).map(<[f32]>::to_vec));
        }
        Ok(found)
    }

    /// All numbers of the output for one call of the model; `chunk` has at most `batch` pictures.
    fn rows(&mut self, chunk: &[RgbImage], batch: usize) -> Result<Vec<f32>, ScorerError> {
        let (name, call) = (&self.name, &self.call);
        let mismatch = |problem: String| ScorerError::Mismatch { name: name.clone(), problem };
        match &mut self.session {
            AnySession::Free(session) => {
                let input = input(&self.model, &self.filler, chunk, batch).map_err(|error| run_error(name, &error))?;
                let inputs = vec![(call.input.clone(), SessionInputValue::from(input))];
                let outputs = session.run(inputs).map_err(|error| run_error(name, &error))?;
                rows_of(&outputs[call.output.as_str()]).map_err(mismatch)
            }
            AnySession::Bound(bound) => {
                match &self.filler {
                    AnyFiller::F32(filler) => write(filler, chunk, bound.input()),
                    AnyFiller::F16(filler) => write(filler, chunk, bound.input()),
                    AnyFiller::U8(filler) => write(filler, chunk, bound.input()),
                }
                bound.run(call).map_err(|error| match error {
                    BoundError::Run(error) => run_error(name, &error),
                    BoundError::Output(problem) => mismatch(problem),
                })
            }
        }
    }

    /// One row of the output as scores over the classes of the space. Extra classes take part in the softmax and are then
    /// left out.
    fn scores(&self, row: &[f32]) -> Scores {
        let offset = self.model.output.offset as usize;
        let (classes, kind) = (offset..row.len(), ProbKind::Choice);
        match self.model.output.kind {
            OutputKind::Probabilities => Scores { probs: row[classes].to_vec(), kind, max_logit: None, energy: None },
            OutputKind::Logits => {
                let logits = &row[classes.clone()];
                let max_logit = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = logits.iter().map(|&logit| f64::from(logit - max_logit).exp()).sum();
                let energy = -(f64::from(max_logit) + sum.ln()) as f32;
                let probs = softmax(row)[classes].to_vec();
                Scores { probs, kind, max_logit: Some(max_logit), energy: Some(energy) }
            }
        }
    }
}

fn checked(name: &str, model: &OnnxModel, session: &Session, batch: usize) -> Result<Call, ScorerError> {
    let mismatch = |problem: String| ScorerError::Mismatch { name: name.to_owned(), problem };
    shape::check(session, model, batch).map_err(mismatch)
}

fn run_error(name: &str, error: &ort::Error) -> ScorerError {
    let mut problem = plain(&error.to_string());
    if problem.contains("Failed to allocate memory") || problem.contains("out of memory") {
        problem += "; there is too little memory for this batch: lower mine.batch";
    }
    ScorerError::Run { name: name.to_owned(), problem }
}

/// The tensor for one call; the last picture is repeated until the batch is full.
fn input(model: &OnnxModel, filler: &AnyFiller, chunk: &[RgbImage], batch: usize) -> ort::Result<DynValue> {
    let mut shape = shape::expected_shape(&model.input, model.preprocess.crop_px);
    shape[0] = batch as i64;
    let padded = || chunk.iter().chain(std::iter::repeat_n(&chunk[chunk.len() - 1], batch - chunk.len()));
    Ok(match filler {
        AnyFiller::F32(filler) => Tensor::from_array((shape, filled(filler, padded())))?.into_dyn(),
        AnyFiller::F16(filler) => Tensor::from_array((shape, filled(filler, padded())))?.into_dyn(),
        AnyFiller::U8(filler) => Tensor::from_array((shape, filled(filler, padded())))?.into_dyn(),
    })
}

/// Writes pictures into the tensor of a whole batch; the last one is repeated until the batch is full.
fn write<T: Copy>(filler: &Filler<T>, chunk: &[RgbImage], tensor: &mut [T]) {
    let Some(last) = chunk.last() else { return };
    let numbers = last.pixels().len();
    let padded = chunk.iter().chain(std::iter::repeat(last));
    for (place, image) in tensor.chunks_exact_mut(numbers).zip(padded) {
        filler.write(image, place);
    }
}

fn filled<'a, T: Copy>(filler: &Filler<T>, images: impl Iterator<Item = &'a RgbImage>) -> Vec<T> {
    let mut tensor = Vec::new();
    images.for_each(|image| filler.push(image, &mut tensor));
    tensor
}

impl Scorer for Classifier {
    fn is_alone(&self) -> bool {
        self.alone
    }

    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        let fitted: Vec<_> = images.iter().map(|image| imaging::fit(image, &self.model.preprocess)).collect();
        let good: Vec<RgbImage> = fitted.iter().filter_map(|image| image.as_ref().ok().cloned()).collect();
        let mut scores = self.score_fitted(&good)?.into_iter();
        let outcome = |image: Result<RgbImage, imaging::FitError>| match image {
            Ok(_) => scores.next().unwrap_or_else(|| Outcome::Failed("no score came back".to_owned())),
            Err(error) => Outcome::Dropped(error.to_string()),
        };
        Ok(fitted.into_iter().map(outcome).collect())
    }

    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        Ok(self.scores_of(images)?.into_iter().map(Outcome::Kept).collect())
    }
}
