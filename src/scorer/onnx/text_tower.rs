//! The texts of a zero-shot model: its tokenizer, and the session that turns a text into a row.
//!
//! Holds always: a text is in a call of its own, filled up with copies of it, so that its row depends on no other text;
//! a tokenizer or a tower of another model is an error before the first row is used.

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, Tensor};

use super::output::rows_of;
use super::pictures::run_error;
use super::sessions::Sessions;
use super::shape::{self, IDS, OF_TEXTS};
use super::text_inputs::{self, TextInputs};
use crate::domain::{Device, Dtype, OnnxGraph, ZeroShotModel};
use crate::scorer::error::ScorerError;
use crate::text::{TextIds, TowerTokens};

/// The side of a zero-shot model that reads texts.
pub struct TextSide<'a> {
    /// The surrogate.
    pub name: &'a str,
    /// The model.
    pub model: &'a ZeroShotModel,
    /// Its tokenizer.
    pub tokens: TowerTokens,
}

/// A session that turns texts into rows.
pub struct TextTower {
    name: String,
    session: Session,
    output: String,
    /// Texts in a call, all of them the same.
    batch: usize,
    /// The pictures that a joint model gets.
    pictures: Option<(String, DynValue)>,
}

impl<'a> TextSide<'a> {
    /// Reads the tokenizer.
    pub fn read(name: &'a str, model: &'a ZeroShotModel) -> Result<Self, ScorerError> {
        let text = &model.text;
        let tokens = TowerTokens::read(&text.tokenizer.path, text.positions as usize, text.padding.as_deref());
        let tokens =
            tokens.map_err(|error| ScorerError::Mismatch { name: name.to_owned(), problem: error.to_string() })?;
        Ok(Self { name, model, tokens })
    }

    /// The graph that reads texts.
    pub fn graph(&self) -> &OnnxGraph {
        self.model.text.graph.as_ref().unwrap_or(&self.model.image.graph)
    }

    /// A cleaned text in tokens.
    pub fn encode(&self, text: &str) -> Result<TextIds, ScorerError> {
        self.tokens.encode(text).map_err(|problem| self.mismatch(problem))
    }

    /// An error if tower and tokenizer do not belong together, or the rows of texts are not as long as those of
    /// pictures, which have `width` numbers. Runs on the CPU, because a GPU reads past the end of a table unnoticed.
    pub fn check_width(&self, sessions: &Sessions, width: usize) -> Result<(), ScorerError> {
        let mut tower = self.tower(sessions.plain(Device::Cpu, self.name, self.graph())?)?;
        let largest = self.tokens.largest();
        let mut text = self.encode("")?;
        let row = tower.row(&text).map_err(|error| self.of_vocabulary(error, largest))?;
        text.ids.fill(largest);
        tower.row(&text).map_err(|error| self.of_vocabulary(error, largest))?;
        self.same_width(row.len(), width)
    }

    /// An error if rows of texts have another length than those of pictures.
    pub fn same_width(&self, of_texts: usize, of_pictures: usize) -> Result<(), ScorerError> {
        if of_texts == of_pictures {
            return Ok(());
        }
        let (text, image) = (self.graph().weights.path.display(), self.model.image.graph.weights.path.display());
        Err(self.mismatch(format!(
            "the text tower {text} gives rows of {of_texts} numbers, but the image tower {image} gives rows of \
             {of_pictures}; take both from one model, or name other outputs with text.output and output.name"
        )))
    }

    /// A call that read past the end of the table of tokens says so in its own way.
    fn of_vocabulary(&self, error: ScorerError, largest: u32) -> ScorerError {
        let ScorerError::Run { problem, .. } = &error else { return error };
        if !problem.contains("out of data bounds") && !problem.contains("out of range") {
            let hint = format!("does it read {} tokens at a time (text.positions)?", self.tokens.positions());
            return self.mismatch(format!("its text tower cannot read a text: {problem}; {hint}"));
        }
        let known = problem.rsplit_once(',').and_then(|(_, end)| end.trim_end_matches([']', '.', ' ']).parse().ok());
        let known = known.map_or_else(|| "fewer".to_owned(), |last: u64| (last + 1).to_string());
        let file = self.model.text.tokenizer.path.display();
        self.mismatch(format!(
            "{file} is the tokenizer of another model: it has token {largest}, but the text tower knows {known} \
             tokens; use the tokenizer.json from the folder of the text tower"
        ))
    }

    /// The tower in `session`, which is its graph's.
    pub fn tower(&self, session: Session) -> Result<TextTower, ScorerError> {
        let mismatch = |problem: String| self.mismatch(format!("its text tower cannot be used: {problem}"));
        let inputs = session.inputs();
        let Some(texts) = TextInputs::of(inputs).map_err(mismatch)? else {
            let names = shape::names(inputs);
            let problem = format!("it has no input for token ids (`{IDS}`), only {names}; name it with text.weights");
            return Err(mismatch(format!("{problem}: is it the image tower?")));
        };
        let batch = texts.batch().map_err(mismatch)?.unwrap_or(1);
        let output = shape::pick_output(session.outputs(), self.model.text.output.as_deref(), &OF_TEXTS, "text.output");
        let output = output.map_err(mismatch)?;
        let pictures = shape::picture_input(inputs).map(|input| self.no_pictures(input, batch));
        let pictures = pictures.transpose().map_err(mismatch)?;
        Ok(TextTower { name: self.name.to_owned(), session, output, batch, pictures })
    }

    /// Zeros for a joint model's input for pictures.
    fn no_pictures(&self, input: &Outlet, batch: usize) -> Result<(String, DynValue), String> {
        let image = &self.model.image;
        let mut shape = shape::expected_shape(&image.input, image.preprocess.crop_px);
        shape[0] = text_inputs::fixed(input, 0)?.unwrap_or(batch) as i64;
        let count = shape.iter().product::<i64>() as usize;
        let zeros = match image.input.dtype {
            Dtype::F32 => Tensor::from_array((shape, vec![0_f32; count])).map(Tensor::into_dyn),
            Dtype::F16 => Tensor::from_array((shape, vec![f16::ZERO; count])).map(Tensor::into_dyn),
            Dtype::U8 => Tensor::from_array((shape, vec![0_u8; count])).map(Tensor::into_dyn),
        };
        Ok((input.name().to_owned(), zeros.map_err(|error| error.to_string())?))
    }

    /// A tower for the device of `sessions`.
    pub fn tower_on_device(&self, sessions: &Sessions) -> Result<TextTower, ScorerError> {
        let session = match sessions.device() {
            Device::Cuda(_) => sessions.on_device(self.name, self.graph(), 1)?,
            Device::Cpu | Device::Auto => sessions.plain(Device::Cpu, self.name, self.graph())?,
        };
        self.tower(session)
    }

    /// An error about this model.
    pub fn mismatch(&self, problem: String) -> ScorerError {
        ScorerError::Mismatch { name: self.name.to_owned(), problem }
    }
}

impl TextTower {
    /// The row of a text.
    pub fn row(&mut self, text: &TextIds) -> Result<Vec<f32>, ScorerError> {
        let mismatch = |problem: String| ScorerError::Mismatch { name: self.name.clone(), problem };
        let texts = TextInputs::of(self.session.inputs()).map_err(mismatch)?;
        let values = texts.map(|texts| texts.values(text, self.batch)).transpose().map_err(mismatch)?;
        let mut inputs: Vec<_> = values.unwrap_or_default().into_iter().map(|(name, v)| (name, v.into())).collect();
        let pictures = self.pictures.iter();
        inputs.extend(pictures.map(|(name, value)| (name.clone(), SessionInputValue::from(value))));
        let outputs = self.session.run(inputs).map_err(|error| run_error(&self.name, &error))?;
        let numbers = rows_of(&outputs[self.output.as_str()]).map_err(mismatch)?;
        if numbers.is_empty() || !numbers.len().is_multiple_of(self.batch) {
            let problem = format!("its text tower gives {} numbers for {} text(s)", numbers.len(), self.batch);
            return Err(mismatch(format!("{problem}; name another output with text.output")));
        }
        Ok(numbers[..numbers.len() / self.batch].to_vec())
    }
}
