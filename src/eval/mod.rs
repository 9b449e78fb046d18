//! Arrays in, numbers out: metrics, thresholds, calibration. Knows no file and no tensor library.
