//! The family's shapes.
//!
//! source: Tan and Le 2019, EfficientNet; `efficientnet_lite_builder.py` of its authors: no
//! squeeze-excite, `ReLU6`, stem and head of fixed width, TensorFlow's "SAME" padding.

use std::{collections::HashMap, fmt, str::FromStr};

use candle_core::Tensor;

/// Length of an embedding.
pub const DIM: usize = 1280;
/// Batch norm's epsilon.
pub(crate) const BATCH_NORM_EPS: f64 = 1e-3;
/// A pixel 0..255 enters the network as `(x − 127) / 128`.
pub(crate) const PIXEL_MEAN: f32 = 127.0;
/// See [`PIXEL_MEAN`].
pub(crate) const PIXEL_SCALE: f32 = 128.0;
/// Channels after the first convolution.
pub(crate) const STEM_WIDTH: usize = 32;

/// Which of the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// 224 px, 4.7 million weights, 0.8 GFLOP a picture.
    Lite0,
    /// 240 px, 5.4 million weights.
    Lite1,
    /// 260 px, 6.1 million weights, 1.7 GFLOP a picture.
    Lite2,
}

/// No such variant.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown network {0:?}: expected efficientnet-lite0, efficientnet-lite1 or efficientnet-lite2"
)]
pub struct UnknownVariant(String);

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lite0, Self::Lite1, Self::Lite2];

    /// Side of the square picture that it was trained on, in pixels.
    #[must_use]
    pub fn side_px(self) -> usize {
        match self {
            Self::Lite0 => 224,
            Self::Lite1 => 240,
            Self::Lite2 => 260,
        }
    }

    /// The name in the weights manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lite0 => "efficientnet-lite0",
            Self::Lite1 => "efficientnet-lite1",
            Self::Lite2 => "efficientnet-lite2",
        }
    }

    /// The variant whose tensors these are, by their names and shapes; `None` for others.
    pub(crate) fn of_tensors(tensors: &HashMap<String, Tensor>) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| {
            let architecture = variant.architecture();
            let last = architecture.blocks.len() - 1;
            let head = [architecture.head_width, architecture.last_width(), 1, 1];
            tensors.get("_conv_head.weight").is_some_and(|tensor| tensor.dims() == head)
                && tensors.contains_key(&format!("_blocks.{last}._bn2.weight"))
                && !tensors.contains_key(&format!("_blocks.{}._bn2.weight", last + 1))
        })
    }

    pub(crate) fn architecture(self) -> Architecture {
        let repeats = match self {
            Self::Lite0 => [1, 2, 2, 3, 3, 4, 1],
            Self::Lite1 | Self::Lite2 => [1, 3, 3, 4, 4, 5, 1],
        };
        let widths = match self {
            Self::Lite0 | Self::Lite1 => [16, 24, 40, 80, 112, 192, 320],
            Self::Lite2 => [16, 24, 48, 88, 120, 208, 352],
        };
        Architecture::new(self.side_px(), STEM_WIDTH, repeats, widths, DIM)
    }
}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(text: &str) -> Result<Self, UnknownVariant> {
        Self::ALL
            .into_iter()
            .find(|variant| variant.name() == text)
            .ok_or_else(|| UnknownVariant(text.to_owned()))
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Shapes of one network of the family.
#[derive(Clone, Debug)]
pub(crate) struct Architecture {
    pub side_px: usize,
    pub stem_width: usize,
    pub blocks: Vec<Block>,
    pub head_width: usize,
}

/// One inverted residual block: 1×1 expansion, depthwise convolution, 1×1 projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the depthwise convolution.
    pub stride: usize,
    /// How many times wider the inside is; 1 means that there is no expansion.
    pub expansion: usize,
    pub width_in: usize,
    pub width_out: usize,
}

impl Block {
    pub(crate) fn width_inside(&self) -> usize {
        self.width_in * self.expansion
    }

    /// The input is added to the output where both have the same shape.
    pub(crate) fn has_skip(&self) -> bool {
        self.stride == 1 && self.width_in == self.width_out
    }
}

/// `(kernel, stride, expansion)` of the first block of each stage; later ones have stride 1.
const STAGES: [(usize, usize, usize); 7] =
    [(3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6)];

impl Architecture {
    pub(crate) fn new(
        side_px: usize,
        stem_width: usize,
        repeats: [usize; 7],
        widths: [usize; 7],
        head_width: usize,
    ) -> Self {
        let mut blocks = Vec::new();
        let mut width_in = stem_width;
        for ((kernel, first_stride, expansion), (repeats, width_out)) in
            STAGES.into_iter().zip(repeats.into_iter().zip(widths))
        {
            for idx in 0..repeats {
                let stride = if idx == 0 { first_stride } else { 1 };
                blocks.push(Block { kernel, stride, expansion, width_in, width_out });
                width_in = width_out;
            }
        }
        Self { side_px, stem_width, blocks, head_width }
    }

    /// Channels that enter the head.
    pub(crate) fn last_width(&self) -> usize {
        self.blocks.last().map_or(self.stem_width, |block| block.width_out)
    }
}

/// TensorFlow's "SAME" padding of one axis: `(before, after, length of the output)`. At stride
/// 2 it is asymmetric: what is left over goes to the end.
pub(crate) fn same_padding(length: usize, kernel: usize, stride: usize) -> (usize, usize, usize) {
    let out = length.div_ceil(stride);
    let total = ((out - 1) * stride + kernel).saturating_sub(length);
    (total / 2, total - total / 2, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_the_family() {
        let lite0 = Variant::Lite0.architecture();
        assert_eq!((lite0.blocks.len(), lite0.last_width()), (16, 320));
        let lite2 = Variant::Lite2.architecture();
        assert_eq!((lite2.blocks.len(), lite2.last_width()), (21, 352));
        assert_eq!(
            lite2.blocks[4],
            Block { kernel: 5, stride: 2, expansion: 6, width_in: 24, width_out: 48 }
        );
        assert!(!lite2.blocks[0].has_skip() && lite2.blocks[2].has_skip());
    }

    #[test]
    fn same_padding_is_asymmetric_at_stride_2() {
        assert_eq!(same_padding(224, 3, 2), (0, 1, 112));
        assert_eq!(same_padding(65, 3, 2), (1, 1, 33));
        assert_eq!(same_padding(56, 5, 2), (1, 2, 28));
        assert_eq!(same_padding(7, 5, 1), (2, 2, 7));
        assert_eq!(same_padding(1, 1, 2), (0, 0, 1));
    }

    #[test]
    fn names_round_trip() {
        for variant in Variant::ALL {
            assert_eq!(variant.name().parse::<Variant>().unwrap(), variant);
        }
        assert!("efficientnet-b0".parse::<Variant>().is_err());
    }
}
