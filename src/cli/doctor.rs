//! `cinetag doctor`: what this machine has and what is missing.

use std::{num::NonZero, thread};

use base::{DeviceChoice, Hinted};
use nn::{
    device,
    weights::{ModelStatus, WeightCache},
};

use super::{Console, Failure};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The device to try: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let line = |name: &str, text: String| console.data(format!("{name:<10} {text}"));
    let mut mends = Vec::new();
    line("cinetag", env!("CARGO_PKG_VERSION").to_owned());
    line(
        "processor",
        format!(
            "{} cores, vector kernels: {}",
            thread::available_parallelism().map_or(1, NonZero::get),
            device::cpu_kernels()
        ),
    );
    match device::resolve(args.device) {
        Ok((device, note)) => {
            let note = note.map_or_else(String::new, |note| format!(" ({note})"));
            line("device", format!("{}{note}", device::name(&device)));
        }
        Err(error) => {
            line("device", error.to_string());
            mends.extend(error.hint());
        }
    }
    let built_for = [(device::HAS_CUDA, "cuda"), (device::HAS_METAL, "metal")];
    let built_for: Vec<_> =
        built_for.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
    line("built for", format!("cpu {}", built_for.join(" ")).trim_end().to_owned());
    line("FFmpeg", media::ffmpeg_versions().to_string());
    let settings = media::PoolSettings { jobs: 1, ..media::PoolSettings::default() };
    match media::DecodePool::new(settings) {
        Ok(pool) => line("sandbox", format!("{} around decode workers", pool.sandbox())),
        Err(error) => {
            line("sandbox", format!("no decode worker can be started: {error}"));
            mends.extend(error.hint());
        }
    }
    line("HDF5", store::library_version());
    let cache = WeightCache::open(None)?;
    line("weights", cache.folder().display().to_string());
    for entry in cache.list() {
        let status = match entry.status {
            ModelStatus::Ready => "ready".to_owned(),
            ModelStatus::Absent => "absent".to_owned(),
            ModelStatus::Damaged(why) => {
                mends.push(format!("`cinetag models pull {}` gets it again", entry.model.id));
                format!("damaged: {why}")
            }
        };
        line("", format!("{:<20} {status}", entry.model.id));
    }
    for mend in &mends {
        console.lost(format!("hint: {mend}"));
    }
    Ok(u8::from(!mends.is_empty()))
}
