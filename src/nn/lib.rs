//! Network architectures, the devices they run on, and where their weights come from.
//!
//! candle holds tensors, weights and every device but the processor; on the processor the
//! inner loops are our own ([`kernels`]), because candle's convolutions and activations are
//! several times slower than need be. Whatever runs on our kernels also exists in plain candle
//! operators: that is what other devices run and what the kernels are tested against.

pub mod attention_pool;
pub mod audio_events;
pub mod checkpoint;
pub mod clip_text;
pub mod device;
pub mod efficientnet_lite;
mod error;
pub mod image_encoder;
pub mod musicnn;
mod on_demand;
mod on_device;
mod precision;
pub mod sentence_bert;
mod state_dict;
pub mod tensor_file;
mod tokenizer_file;
pub mod transnet_v2;
pub mod unit_length;
pub mod weights;
pub mod whisper;

pub use audio_events::AudioEvents;
pub use candle_core::Device;
pub use efficientnet_lite::{EfficientNetLite, Variant};
pub use error::NnError;
pub use image_encoder::ImageEncoder;
pub use musicnn::Musicnn;
pub use on_demand::OnDemand;
pub use precision::Precision;
pub use sentence_bert::{SentenceBert, TextWindow};
pub use transnet_v2::TransNetV2;
pub use weights::{ModelFiles, ModelSource, WeightCache, WeightsError};
pub use whisper::Whisper;
