//! `cinetag modalities`: what there is to look at a title through.

use super::{Console, Failure};
use crate::encode::registry::MODALITIES;

#[derive(clap::Args)]
pub(super) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[allow(clippy::unnecessary_wraps)] // every command has this shape
pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    for modality in MODALITIES {
        let defaults = modality.defaults();
        if args.json {
            let line = serde_json::json!({
                "name": modality.name(), "about": modality.about(), "defaults": defaults,
            });
            console.data(line.to_string());
            continue;
        }
        console.data(format!("# {}", modality.about()));
        console.data(format!("[modality.{}]", modality.name()));
        console.data(toml::to_string(&defaults).unwrap_or_default());
    }
    Ok(0)
}
