//! Modalities: what a title is looked at through, and the frozen encoders that turn each
//! into numbers.
//!
//! A modality is one folder here plus one row in [`registry`]; its name is spelt nowhere
//! else. What an encoder gives for a title depends on that title alone: never on labels,
//! on other titles, or on the batch it travels in.

mod modality;
mod network;
mod pretrained;
pub mod registry;
mod settings;
mod shared;
mod zero_shot;

pub mod audio;
pub mod frames;
pub mod metadata;
pub mod plot;
pub mod poster;
pub mod speech;

pub use modality::{
    EncodeError, Encoder, EncoderContext, Features, Input, Modality, Opened, RecordReader,
    SourceKind,
};
pub use registry::Instance;
pub use shared::SharedNetworks;
