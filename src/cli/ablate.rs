//! `cinetag ablate`: which modality is worth what.

use pipeline::AblateOptions;

use super::{Console, Failure, run::Common};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Instead of all subsets of the modalities: all of them, and all without this one; may be
    /// repeated
    #[arg(long, value_name = "MODALITY")]
    without: Vec<String>,
    /// Heads to compare, by comma; the first is the reference [default: the pipeline's]
    #[arg(long, value_name = "HEAD,…", value_delimiter = ',')]
    heads: Vec<String>,
    /// Seeds that every figure is a mean over
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    seeds: u8,
    /// A first look: two members and at most 30 epochs in every fit
    #[arg(long)]
    quick: bool,
    /// Resamples and draws behind intervals and tests
    #[arg(long, default_value_t = 1000)]
    resamples: usize,
    /// Also compare masks against zeros, every input dropped with this probability
    #[arg(long, value_name = "SHARE", value_parser = share)]
    dropped: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to below 1, such as 0.7".to_owned()),
    }
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let pipeline = args.common.read()?;
    let run = args.common.options();
    let options = AblateOptions {
        without: args.without.clone(),
        heads: args.heads.clone(),
        num_seeds: usize::from(args.seeds),
        quick: args.quick,
        num_resamples: args.resamples,
        dropped: args.dropped,
    };
    let done = pipeline::ablate(&pipeline, &options, &run, console, &console.interrupt)?;
    let report = &done.report;
    console.say(format!(
        "{} of {} cells trained now; {} titles, split {}",
        done.num_computed,
        done.num_cells,
        report.num_titles,
        &report.provenance.split_digest[..16.min(report.provenance.split_digest.len())]
    ));
    for system in &report.systems {
        let f = &system.figures;
        let p = system.loss.map_or_else(String::new, |loss| {
            let tested = loss.macro_f1;
            let methods = tested
                .methods
                .map_or_else(String::new, |methods| format!(", {:.3} methods", methods.p_value));
            format!("  p {:.3} Holm{methods}", tested.holm_p)
        });
        console.say(format!(
            "{:<32} micro F1 {:.3}  macro F1 {:.3} ({:.3}–{:.3})  mAP {:.3}{p}",
            system.name,
            f.micro_f1.value,
            f.macro_f1.value,
            f.macro_f1.low,
            f.macro_f1.high,
            f.map.value
        ));
    }
    if let Some(dropped) = &report.dropped {
        let gain = &dropped.gain.macro_f1;
        console.say(format!(
            "{:.0} % of inputs dropped: macro F1 {:.3} with masks, {:.3} with zeros ({:+.3}, p {:.3})",
            100.0 * dropped.frac,
            dropped.aware.macro_f1.value,
            dropped.zeros.macro_f1.value,
            gain.difference.value,
            gain.randomisation_p
        ));
    }
    if let Some(page) = done.files.first() {
        console.data(page.display().to_string());
    }
    Ok(0)
}
