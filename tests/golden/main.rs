//! Numbers of reference libraries, computed by `scripts/golden/*.py` and checked in.

mod librosa_mfcc;
mod networks;
mod sklearn_metrics;
