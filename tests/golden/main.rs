//! Numbers of reference libraries, computed by `scripts/golden/*.py` and checked in.

mod catalog;
mod librosa_mfcc;
mod pillow_resize;
mod networks;
mod sklearn_metrics;
mod torch_head;
