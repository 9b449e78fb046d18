//! The network's shapes.
//!
//! source: Souček and Lokoč 2020, "`TransNet` V2"; the authors' published settings F = 16,
//! L = 3, S = 2, D = 1024.

/// Batch norm's epsilon.
pub(super) const BATCH_NORM_EPS: f64 = 1e-3;
/// How many frames apart the three taps of each branch's convolution over time are.
pub(super) const DILATIONS: [usize; 4] = [1, 2, 4, 8];
/// Cells of a layer that follow each other before pictures are made smaller.
pub(super) const LAYERS_PER_STAGE: usize = 2;
/// Colours are counted in 8 × 8 × 8 bins.
pub(super) const NUM_BINS: usize = 512;

/// Shapes of a network of this kind; tests have smaller ones.
#[derive(Clone, Debug)]
pub(super) struct Architecture {
    /// Rows of a frame.
    pub height: usize,
    /// Columns of a frame.
    pub width: usize,
    /// Channels of one branch in each stage; the four branches lie side by side.
    pub filters: Vec<usize>,
    /// Numbers by which two frames are compared.
    pub similarity_dim: usize,
    /// Numbers that a frame's similarities to its neighbours become.
    pub lookup_dim: usize,
    /// Neighbours that a frame is compared with, itself among them; odd.
    pub lookup: usize,
    /// Numbers before the last layer.
    pub hidden: usize,
}

impl Architecture {
    /// The published network.
    pub(super) fn published() -> Self {
        Self {
            height: super::HEIGHT_PX,
            width: super::WIDTH_PX,
            filters: vec![16, 32, 64],
            similarity_dim: 128,
            lookup_dim: 128,
            lookup: 101,
            hidden: 1024,
        }
    }

    /// Bytes of one frame.
    pub(super) fn frame_bytes(&self) -> usize {
        self.height * self.width * 3
    }

    /// Rows and columns before stage `idx`; behind the last one they are those of a stage more.
    pub(super) fn size(&self, idx: usize) -> (usize, usize) {
        (self.height >> idx, self.width >> idx)
    }

    /// Channels before stage `idx`.
    pub(super) fn channels(&self, idx: usize) -> usize {
        idx.checked_sub(1).map_or(3, |before| DILATIONS.len() * self.filters[before])
    }

    /// Numbers of all stages' averaged outputs.
    pub(super) fn pooled_dim(&self) -> usize {
        DILATIONS.len() * self.filters.iter().sum::<usize>()
    }

    /// Numbers of the last stage's output for one frame.
    pub(super) fn last_dim(&self) -> usize {
        let (height, width) = self.size(self.filters.len());
        height * width * self.channels(self.filters.len())
    }
}
