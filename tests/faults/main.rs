//! Damaged, hostile and missing input; killed processes; full disks. What was whole stays
//! whole, and each fault has a name.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // it is a test

mod bundles;
mod media;
mod mutations;
mod networks;
mod not_files;
mod outputs;
#[cfg(target_os = "linux")]
mod sandbox;
mod sessions;
mod shards;
mod store;
mod weights_pull;
