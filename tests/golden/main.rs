//! Numbers of reference libraries, computed by `scripts/golden/*.py` and checked in.

mod sklearn_metrics;
