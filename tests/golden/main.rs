//! Numbers of reference libraries, computed by `scripts/golden/*.py` and checked in.

mod catalog;
mod librosa_mfcc;
mod networks;
mod pillow_resize;
mod sklearn_metrics;
mod torch_head;
