//! Floats that begin on a cache line, so that no vector of them straddles two.
#![allow(unsafe_code)] // one cast between an array type and its elements

/// A growing buffer of floats, aligned to 64 bytes.
#[derive(Clone, Default)]
pub struct Aligned {
    lines: Vec<Line>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

impl Aligned {
    /// Room for nothing yet.
    pub const fn new() -> Self {
        Self { lines: Vec::new() }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); len.div_ceil(16)] }
    }

    /// The first `len` floats with whatever they hold, grown with zeros where it is shorter.
    pub fn at_least(&mut self, len: usize) -> &mut [f32] {
        let lines = len.div_ceil(16);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0.0; 16]));
        }
        &mut self.as_mut_slice()[..len]
    }

    /// All of it, to the end of the last cache line.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: a Line is 16 floats without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16) }
    }

    /// As `as_slice`.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe {
            std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16)
        }
    }
}
