//! Vectors of unit length.

/// Brings a vector to unit length, as `torch.nn.functional.normalize`: norms below 1e-12 count as
/// that.
pub fn to_unit_length(vector: &mut [f32]) {
    let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-12) as f32;
    for x in vector {
        *x /= norm;
    }
}
