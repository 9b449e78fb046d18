//! `cinetag modalities`: what there is to look at a title through.

use encode::registry::MODALITIES;
use serde_json::Value;

use super::{Console, Failure};

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
        for (key, value) in defaults.as_object().into_iter().flatten() {
            // TOML has no word for what is absent; its other values are written as JSON's are.
            console.data(match value {
                Value::Null => format!("# {key} = …, absent if not given"),
                value => format!("{key} = {value}"),
            });
        }
        console.data("");
    }
    Ok(0)
}
