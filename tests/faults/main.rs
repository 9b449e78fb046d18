//! Damage, kills and full disks: old data stays whole.

mod store;
mod weights_pull;
