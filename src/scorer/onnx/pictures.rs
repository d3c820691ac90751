//! A session that turns pictures into rows of numbers: pictures -> tensor -> rows.
//!
//! Does not know what the numbers are: classes of a classifier, or the row of an image tower. Holds always: a row
//! depends on its picture alone, and every row has the same length, which a grey picture shows before any image is
//! scored.

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor};

use super::bound::{Bound, BoundError};
use super::graph::PictureGraph;
use super::neighbours;
use super::output::rows_of;
use super::shape::{self, Call};
use super::tensor::Filler;
use super::text_inputs::{Values, beside_pictures};
use crate::domain::{Device, Dtype, Geometry, Outcome, Scores};
use crate::imaging::{self, RgbImage};
use crate::onnx::plain;
use crate::scorer::error::ScorerError;
use crate::text::TextIds;

/// See the module.
pub struct Pictures {
    name: String,
    graph: PictureGraph,
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
    /// The row of a grey picture.
    grey: Vec<f32>,
}

enum AnySession {
    /// Called with a new tensor each time, and with the same values for other inputs.
    Free(Session, Values),
    /// Called with the same tensor each time.
    Bound(Box<Bound>),
}

enum AnyFiller {
    F32(Filler<f32>),
    F16(Filler<f16>),
    U8(Filler<u8>),
}

impl Pictures {
    /// Checks the session against the TOML. `beside`: what its inputs for texts get; `batch`: pictures in a call,
    /// unless the model or the recipe fixes them.
    pub fn new(
        name: &str,
        graph: &PictureGraph,
        session: Session,
        beside: Option<&TextIds>,
        batch: usize,
    ) -> Result<Self, ScorerError> {
        let (call, values) = checked(name, graph, &session, (beside, batch))?;
        Ok(Self::of(name, graph, call, batch, AnySession::Free(session, values)))
    }

    /// As [`Pictures::new`], for a session whose input is the same tensor in every call. `place`: pictures in a call,
    /// and the device.
    pub fn bound(
        name: &str,
        graph: &PictureGraph,
        session: Session,
        beside: Option<&TextIds>,
        place: (usize, Device),
    ) -> Result<Self, ScorerError> {
        let (batch, device) = place;
        let (call, values) = checked(name, graph, &session, (beside, batch))?;
        let mut shape = shape::expected_shape(&graph.input, graph.preprocess.crop_px);
        shape[0] = call.batch.unwrap_or(batch) as i64;
        let bound = Bound::new(session, &call, shape, graph.input.dtype, device);
        let bound = bound.and_then(|bound| bound.with(values)).map_err(|error| run_error(name, &error))?;
        Ok(Self::of(name, graph, call, batch, AnySession::Bound(Box::new(bound))))
    }

    fn of(name: &str, graph: &PictureGraph, call: Call, batch: usize, session: AnySession) -> Self {
        let filler = match graph.input.dtype {
            Dtype::F32 => AnyFiller::F32(Filler::new(&graph.input, |x| x as f32)),
            Dtype::F16 => AnyFiller::F16(Filler::new(&graph.input, f16::from_f64)),
            Dtype::U8 => AnyFiller::U8(Filler::new(&graph.input, |x| x as u8)),
        };
        let (takes_any, batch) = (call.batch.is_none(), call.batch.unwrap_or(batch).max(1));
        let (name, graph) = (name.to_owned(), graph.clone());
        Self { name, graph, takes_any, batch, alone: false, call, filler, session, grey: Vec::new() }
    }

    /// Whether neither the model nor the recipe fixes the batch.
    pub fn take_any(&self) -> bool {
        self.takes_any
    }

    /// Puts each picture into a call of its own from now on.
    pub fn call_alone(&mut self) {
        self.alone = true;
    }

    /// Whether each picture is in a call of its own.
    pub fn are_alone(&self) -> bool {
        self.alone
    }

    /// From a picture to the model's size.
    pub fn preprocess(&self) -> &Geometry {
        &self.graph.preprocess
    }

    /// The row of a grey picture, once it was tried.
    pub fn grey(&self) -> &[f32] {
        &self.grey
    }

    /// Numbers of a row, once it was tried.
    pub fn width(&self) -> usize {
        self.grey.len()
    }

    /// Makes rows of grey pictures, so that a wrong model is found before any image is scored.
    pub fn try_out(&mut self) -> Result<(), ScorerError> {
        let (side, batch) = (self.graph.preprocess.crop_px, self.batch);
        let grey = RgbImage::new(side, side, vec![128; 3 * (side as usize).pow(2)]);
        let grey = grey.map_err(|e| self.mismatch(e.to_string()))?;
        let rows = match self.rows(&vec![grey; batch]) {
            Err(ScorerError::Run { problem, .. }) if self.takes_any && batch > 1 => {
                let advice = "if it takes one picture at a time, write input.batch = 1";
                return Err(self.mismatch(format!("it cannot score {batch} pictures at once: {problem}; {advice}")));
            }
            rows => rows?,
        };
        self.grey = rows.into_iter().next().unwrap_or_default();
        Ok(())
    }

    /// Whether the row of a picture depends on the pictures beside it ([`neighbours`]).
    pub fn depend_on_neighbours(&mut self, device: Device) -> Result<bool, ScorerError> {
        if self.batch < 2 {
            return Ok(false);
        }
        neighbours::depend(device, self.graph.preprocess.crop_px, self.batch, |pictures| self.rows(pictures))
    }

    fn mismatch(&self, problem: String) -> ScorerError {
        ScorerError::Mismatch { name: self.name.clone(), problem }
    }

    /// The row of each of these pictures of the model's size.
    pub fn rows(&mut self, fitted: &[RgbImage]) -> Result<Vec<Vec<f32>>, ScorerError> {
        let batch = self.batch;
        let mut found = Vec::with_capacity(fitted.len());
        for chunk in fitted.chunks(if self.alone { 1 } else { batch }) {
            let numbers = self.numbers(chunk, batch)?;
            let known = self.graph.classes.or(Some(self.grey.len()).filter(|&width| width > 0));
            let width = match known {
                Some(width) if numbers.len() == batch * width => width,
                None if !numbers.is_empty() && numbers.len().is_multiple_of(batch) => numbers.len() / batch,
                known => return Err(self.mismatch(self.other_length(numbers.len(), known))),
            };
            found.extend(numbers.chunks(width).take(chunk.len()).map(<[f32]>::to_vec));
        }
        Ok(found)
    }

    fn other_length(&self, numbers: usize, width: Option<usize>) -> String {
        match (self.graph.classes, width) {
            (Some(classes), _) => shape::other_classes(numbers, self.batch, classes),
            (None, Some(width)) => format!(
                "its image tower gives {numbers} numbers for {} picture(s), not {} x {width} as before",
                self.batch, self.batch
            ),
            (None, None) => format!(
                "its image tower gives {numbers} numbers for {} picture(s), which are no rows; name another output \
                 with output.name",
                self.batch
            ),
        }
    }

    /// All numbers of the output for one call of the model; `chunk` has at most `batch` pictures.
    fn numbers(&mut self, chunk: &[RgbImage], batch: usize) -> Result<Vec<f32>, ScorerError> {
        let (name, call) = (&self.name, &self.call);
        let mismatch = |problem: String| ScorerError::Mismatch { name: name.clone(), problem };
        match &mut self.session {
            AnySession::Free(session, values) => {
                let input = input(&self.graph, &self.filler, chunk, batch).map_err(|error| run_error(name, &error))?;
                let mut inputs = vec![(call.input.clone(), SessionInputValue::from(input))];
                inputs.extend(values.iter().map(|(name, value)| (name.clone(), SessionInputValue::from(value))));
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

    /// The numbers of the input tensor for these pictures, in f32.
    pub fn tensor_of(&self, pictures: &[RgbImage]) -> Vec<f32> {
        match &self.filler {
            AnyFiller::F32(filler) => filled(filler, pictures.iter()),
            AnyFiller::F16(filler) => filled(filler, pictures.iter()).into_iter().map(f16::to_f32).collect(),
            AnyFiller::U8(filler) => filled(filler, pictures.iter()).into_iter().map(f32::from).collect(),
        }
    }
}

/// One outcome for each image: dropped where it cannot be fitted, else what `score` says of the fitted ones.
pub fn score_fitting(
    images: &[&RgbImage],
    preprocess: &Geometry,
    score: impl FnOnce(&[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError>,
) -> Result<Vec<Outcome<Scores>>, ScorerError> {
    let fitted: Vec<_> = images.iter().map(|image| imaging::fit(image, preprocess)).collect();
    let good: Vec<RgbImage> = fitted.iter().filter_map(|image| image.as_ref().ok().cloned()).collect();
    let mut scores = score(&good)?.into_iter();
    let outcome = |image: Result<RgbImage, imaging::FitError>| match image {
        Ok(_) => scores.next().unwrap_or_else(|| Outcome::Failed("no score came back".to_owned())),
        Err(error) => Outcome::Dropped(error.to_string()),
    };
    Ok(fitted.into_iter().map(outcome).collect())
}

/// How the session is called, and the values of its inputs for texts.
fn checked(
    name: &str,
    graph: &PictureGraph,
    session: &Session,
    with: (Option<&TextIds>, usize),
) -> Result<(Call, Values), ScorerError> {
    let (beside, batch) = with;
    let mismatch = |problem: String| ScorerError::Mismatch { name: name.to_owned(), problem };
    let call = shape::check(session, graph, batch).map_err(mismatch)?;
    let batch = call.batch.unwrap_or(batch);
    let values = beside.map(|text| beside_pictures(session.inputs(), text, batch)).transpose().map_err(mismatch)?;
    let values = values.unwrap_or_default();
    Ok((call, values))
}

/// An error of a call, with what to do if memory is short.
pub fn run_error(name: &str, error: &ort::Error) -> ScorerError {
    let mut problem = plain(&error.to_string());
    if problem.contains("Failed to allocate memory") || problem.contains("out of memory") {
        problem += "; there is too little memory for this batch: lower mine.batch";
    }
    ScorerError::Run { name: name.to_owned(), problem }
}

/// The tensor for one call; the last picture is repeated until the batch is full.
fn input(graph: &PictureGraph, filler: &AnyFiller, chunk: &[RgbImage], batch: usize) -> ort::Result<DynValue> {
    let mut shape = shape::expected_shape(&graph.input, graph.preprocess.crop_px);
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
