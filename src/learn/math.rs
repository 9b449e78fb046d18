//! Functions of tensors that several floors share.

use candle_core::{Result, Tensor};

/// `ln(1 + exp(x))` without overflow and with the right gradient everywhere.
///
/// # Errors
/// The device's error.
pub fn softplus(x: &Tensor) -> Result<Tensor> {
    let shift = x.detach().relu()?;
    let near = (x - &shift)?.exp()?;
    let far = shift.neg()?.exp()?;
    (near + far)?.log()? + shift
}
