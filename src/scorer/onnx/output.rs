//! Reads the numbers of a model's output, because two kinds of session need them.

use half::f16;
use ort::value::DynValue;

/// The output's numbers as f32, whatever its rank.
pub(super) fn rows_of(output: &DynValue) -> Result<Vec<f32>, String> {
    if let Ok((_, numbers)) = output.try_extract_tensor::<f32>() {
        return Ok(numbers.to_vec());
    }
    match output.try_extract_tensor::<f16>() {
        Ok((_, numbers)) => Ok(numbers.iter().map(|x| x.to_f32()).collect()),
        Err(_) => Err(format!("the output has type {}, but f32 or f16 is needed", output.dtype())),
    }
}
