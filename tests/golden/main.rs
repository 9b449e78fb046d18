//! Numbers of reference libraries, computed by `scripts/golden/*.py` and checked in.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod catalog;
mod check_device;
mod clip_zero_shot;
mod cut_lists;
mod devices;
mod esc10;
mod leaks;
mod librosa_extra;
mod librosa_mfcc;
mod manifest;
mod networks;
mod pictures;
mod pillow_resize;
mod shots;
mod sklearn_heads;
mod sklearn_metrics;
mod sound_networks;
mod sources;
mod text_networks;
mod torch_fine_tuning;
mod torch_head;
mod torch_text;
mod whisper;
