//! `cinetag explain`: why a title gets its genres.

use base::json;
use std::fmt::Write as _;

use tag::{Explanation, GenreScore};

use super::{Console, Failure, run::Common};

/// Genres that are shown beside those decided on.
const MIN_SHOWN: usize = 3;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    common: Common,
    /// Id or name of a title of the pipeline's catalog
    #[arg(value_name = "TITLE")]
    title: String,
    /// All of it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let pipeline = args.common.read()?;
    let found = pipeline::explain(&pipeline, &args.title, console, &console.interrupt)?;
    if args.json {
        console.data(json::pretty(&found).trim_end());
    } else {
        console.data(text(&found));
    }
    Ok(0)
}

fn text(found: &Explanation) -> String {
    let tags = &found.tags;
    let year = tags.year.map_or_else(String::new, |year| format!(" ({year})"));
    let mut out = format!("{}{year}  {}  model {}", tags.title, tags.id, tags.model);
    for (k, score) in tags.scores.iter().enumerate() {
        if score.decision || k < MIN_SHOWN {
            genre(score, &mut out);
        }
        for effect in found.words.get(&score.genre).iter().copied().flatten() {
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "\n    {:+.3}  {:?} (word {})",
                effect.log_odds,
                effect.word,
                effect.position + 1
            );
        }
    }
    for said in &tags.said {
        let time = said.time_secs.map_or_else(String::new, |secs| format!("{secs:.1} s: "));
        let _ = write!(
            out,
            "\nsaid for {}: {:+.3}  {:?} ({time}{})",
            said.genre, said.log_odds, said.word, said.quote
        );
    }
    for (modality, moments) in &tags.moments {
        let moments: Vec<String> = moments
            .iter()
            .map(|moment| format!("{:.1} s ({:.0} %)", moment.time_secs, 100.0 * moment.weight))
            .collect();
        let _ = write!(out, "\n{modality}: looked at most at {}", moments.join(", "));
    }
    for (modality, reason) in &tags.missing {
        let _ = write!(out, "\n{modality}: missing, {reason}");
    }
    out
}

fn genre(score: &GenreScore, out: &mut String) {
    let verdict = if score.decision { "a tag" } else { "no tag" };
    let _ = write!(
        out,
        "\n{}: {verdict}, probability {:.3}, threshold {:.3}\n    {:+.3} base",
        score.genre, score.probability, score.threshold, score.base
    );
    let mut sum = score.base;
    for (modality, part) in &score.contributions {
        sum += part;
        let _ = write!(out, " {part:+.3} {modality}");
    }
    let _ = write!(out, " = {sum:+.3} log-odds");
}
