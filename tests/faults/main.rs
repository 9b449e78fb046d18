//! Damaged, hostile and missing input; killed processes; full disks. What was whole stays
//! whole, and each fault has a name.

mod media;
mod store;
mod weights_pull;
