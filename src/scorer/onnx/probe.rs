//! A graph that is looked at before anybody knows how to call it: what it declares, and what it gives for pictures that
//! are prepared in several ways.
//!
//! One session on the CPU for all ways. Does not decide which way is right: `stage::inspect` does.

use std::path::Path;

use half::f16;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Outlet, Tensor, TensorElementType, ValueType};

use super::output::rows_of;
use super::tensor::Filler;
use crate::domain::{Device, Dtype, InputSpec, Layout};
use crate::imaging::RgbImage;
use crate::onnx::{Runtime, plain};
use crate::scorer::error::ScorerError;
use crate::scorer::ports::{Ask, Given, Port, PortKind};

/// See the module.
pub struct Probe {
    name: String,
    session: Session,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

impl Probe {
    /// Loads the graph in `file`.
    pub fn open(runtime: &Runtime, file: &Path, threads: usize) -> Result<Self, ScorerError> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let made = runtime.explain(|| runtime.options(Device::Cpu, threads)?.commit_from_file(file));
        let failed = |problem| ScorerError::Load { name: name.clone(), file: file.display().to_string(), problem };
        let session = made.map_err(failed)?;
        let (inputs, outputs) = (ports(session.inputs()), ports(session.outputs()));
        Ok(Self { name, session, inputs, outputs })
    }

    /// What it takes.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// What it gives.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// All numbers of every output of floats, by the output's place, for one call; the model has one input.
    pub fn all(&mut self, ask: Ask<'_>, pictures: &[RgbImage]) -> Result<Given, ScorerError> {
        let run = |error: ort::Error| ScorerError::Run { name: self.name.clone(), problem: plain(&error.to_string()) };
        let (Some(input), Some(last)) = (self.inputs.first(), pictures.last()) else { return Ok(Vec::new()) };
        let padded: Vec<&RgbImage> =
            pictures.iter().chain(std::iter::repeat(last)).take(ask.batch.max(pictures.len())).collect();
        let tensor = tensor(ask.input, &padded).map_err(run)?;
        let values = vec![(input.name.clone(), SessionInputValue::from(tensor))];
        let outputs = self.session.run(values).map_err(run)?;
        let mut given = Given::new();
        for (at, port) in self.outputs.iter().enumerate() {
            if let Ok(numbers) = rows_of(&outputs[port.name.as_str()]) {
                given.push((at, numbers));
            }
        }
        Ok(given)
    }

    /// The numbers of the output at place `output` for each of `pictures`; `width` for each.
    pub fn rows(
        &mut self,
        ask: Ask<'_>,
        output: usize,
        width: usize,
        pictures: &[RgbImage],
    ) -> Result<Vec<Vec<f32>>, ScorerError> {
        let mut rows = Vec::with_capacity(pictures.len());
        for chunk in pictures.chunks(ask.batch.max(1)) {
            let all = self.all(ask, chunk)?.into_iter().find(|(at, _)| *at == output);
            let numbers = all.map(|(_, numbers)| numbers).unwrap_or_default();
            if numbers.len() < width * chunk.len() {
                let problem = format!("it gives {} numbers for {} picture(s)", numbers.len(), chunk.len());
                return Err(ScorerError::Mismatch { name: self.name.clone(), problem });
            }
            rows.extend(numbers.chunks(width).take(chunk.len()).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }
}

fn ports(outlets: &[Outlet]) -> Vec<Port> {
    let port = |outlet: &Outlet| {
        let name = outlet.name().to_owned();
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
            return Port { name, kind: None, dims: Vec::new() };
        };
        let kind = match ty {
            TensorElementType::Float32 => PortKind::F32,
            TensorElementType::Float16 => PortKind::F16,
            TensorElementType::Uint8 => PortKind::U8,
            TensorElementType::Int64 | TensorElementType::Int32 => PortKind::Integer,
            _ => PortKind::Other,
        };
        Port { name, kind: Some(kind), dims: shape.iter().map(|&side| u64::try_from(side).ok()).collect() }
    };
    outlets.iter().map(port).collect()
}

fn tensor(spec: &InputSpec, pictures: &[&RgbImage]) -> ort::Result<DynValue> {
    let (width, height) = pictures.first().map_or((0, 0), |first| (first.width_px(), first.height_px()));
    let [n, w, h] = [pictures.len() as i64, width.into(), height.into()];
    let shape = match spec.layout {
        Layout::Nchw => [n, 3, h, w],
        Layout::Nhwc => [n, h, w, 3],
    };
    Ok(match spec.dtype {
        Dtype::F32 => Tensor::from_array((shape, filled(spec, pictures, |x| x as f32)))?.into_dyn(),
        Dtype::F16 => Tensor::from_array((shape, filled(spec, pictures, f16::from_f64)))?.into_dyn(),
        Dtype::U8 => Tensor::from_array((shape, filled(spec, pictures, |x| x as u8)))?.into_dyn(),
    })
}

fn filled<T: Copy>(spec: &InputSpec, pictures: &[&RgbImage], number: impl Fn(f64) -> T) -> Vec<T> {
    let filler = Filler::new(spec, number);
    let mut numbers = Vec::new();
    pictures.iter().for_each(|picture| filler.push(picture, &mut numbers));
    numbers
}
