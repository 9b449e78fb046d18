//! What an extraction did and where its time went.

use std::{collections::BTreeMap, fmt};

use media::{Hwaccel, ReasonCode};
use serde::{Deserialize, Serialize};

/// Below this share of their time spent computing, titles worked on wait for something else.
const MOSTLY_BUSY: f64 = 0.6;

/// Sum over a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExtractReport {
    /// Titles looked at.
    pub num_titles: usize,
    /// Films decoded in this run.
    pub num_films: usize,
    /// Their length in hours.
    pub film_hours: f64,
    /// Per encoder, in the pipeline's order.
    pub encoders: Vec<EncoderReport>,
    /// CPU seconds by stage, all threads and workers.
    pub cpu_secs: StageSecs,
    /// Seconds from start to end.
    pub wall_secs: f64,
    /// Seconds until the first title was done.
    pub first_title_secs: f64,
    /// Titles worked on at once, each with a worker.
    pub jobs: usize,
    /// What decoded pictures.
    pub hwaccel: HwaccelReport,
    /// Greatest memory.
    pub peak_memory: PeakMemory,
}

/// Hardware that was asked for, and what was there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HwaccelReport {
    /// As the settings say.
    pub wanted: Hwaccel,
    /// `none`: the processor.
    pub used: Hwaccel,
}

/// Greatest resident sizes, bytes; 0 where the system does not tell (outside of Linux).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PeakMemory {
    /// Of this process, with the networks.
    pub process_bytes: u64,
    /// Of the greatest decode worker; there are as many as titles worked on at once.
    pub worker_bytes: u64,
}

/// What one encoder did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EncoderReport {
    /// The modality.
    pub name: String,
    /// The folder in the store.
    pub folder: String,
    /// Computed in this run.
    pub computed: usize,
    /// Already in the store.
    pub cached: usize,
    /// The catalog names no source.
    pub absent: usize,
    /// Features of a part of the source only, among those computed.
    pub partial: usize,
    /// Failures by reason code, known ones counted.
    pub failed: BTreeMap<String, usize>,
    /// Those of them that were known before.
    pub known_failed: usize,
}

impl EncoderReport {
    /// Titles without features although the catalog names a source.
    #[must_use]
    pub fn num_failed(&self) -> usize {
        self.failed.values().sum()
    }

    /// Those of them that want a look: all but ordinary absences.
    #[must_use]
    pub fn num_skipped(&self) -> usize {
        self.failed.iter().filter(|(code, _)| !is_ordinary(code)).map(|(_, count)| count).sum()
    }
}

/// Whether a reason is ordinary in a library: a silent film, a film that is only sound, one in which
/// nobody speaks or only in another language.
pub(super) fn is_ordinary(code: &str) -> bool {
    let ordinary = [
        ReasonCode::NoAudioStream,
        ReasonCode::NoVideoStream,
        ReasonCode::NoSubtitles,
        ReasonCode::NoSpeech,
        ReasonCode::UnsupportedLanguage,
    ];
    ordinary.iter().any(|c| c.as_str() == code)
}

/// CPU seconds by stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageSecs {
    /// Demuxing, decoding and scaling of pictures, in the workers.
    pub decode_picture: f64,
    /// Decoding and resampling of sound, in the workers.
    pub decode_sound: f64,
    /// Each encoder by its name; by the clock where a device computes.
    pub encode: BTreeMap<String, f64>,
    /// Digests of sources (wall seconds of the threads that made them).
    pub digest: f64,
    /// Writing shards (wall seconds).
    pub write: f64,
}

impl StageSecs {
    /// Adds another's seconds.
    pub fn add(&mut self, other: &Self) {
        self.decode_picture += other.decode_picture;
        self.decode_sound += other.decode_sound;
        self.digest += other.digest;
        self.write += other.write;
        for (name, secs) in &other.encode {
            *self.encode.entry(name.clone()).or_default() += secs;
        }
    }

    /// The sum of all.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.stages().iter().map(|(_, secs)| secs).sum()
    }

    /// All stages with their names, in the order of the work.
    #[must_use]
    pub fn stages(&self) -> Vec<(String, f64)> {
        let mut stages = vec![
            ("digest sources".to_owned(), self.digest),
            ("decode pictures".to_owned(), self.decode_picture),
            ("decode sound".to_owned(), self.decode_sound),
        ];
        stages.extend(self.encode.iter().map(|(name, secs)| (format!("encode {name}"), *secs)));
        stages.push(("write shards".to_owned(), self.write));
        stages
    }
}

impl ExtractReport {
    /// What would have to be faster for the run to be faster: the stage that costs most, or
    /// something outside of it. `None` where nothing was computed.
    #[must_use]
    pub fn bottleneck(&self) -> Option<String> {
        let total = self.cpu_secs.total();
        let stages = self.cpu_secs.stages();
        let (name, secs) = stages.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let busy = total / (self.wall_secs * self.jobs as f64).max(1e-9);
        if total < 0.5 {
            None
        } else if busy < MOSTLY_BUSY {
            Some(format!(
                "waiting: the {} at once computed {:.0} % of the time; a slow disk, one long \
                 title, or other programs",
                self.jobs,
                100.0 * busy
            ))
        } else {
            Some(format!("{name}, {:.0} % of computing", 100.0 * secs / total))
        }
    }

    /// Films decoded a minute.
    #[must_use]
    pub fn films_per_minute(&self) -> f64 {
        60.0 * self.num_films as f64 / self.wall_secs.max(1e-9)
    }
}

impl fmt::Display for ExtractReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} titles in {:.1} s ({} films, {:.2} hours decoded; {} at once)",
            self.num_titles, self.wall_secs, self.num_films, self.film_hours, self.jobs
        )?;
        for encoder in &self.encoders {
            write!(
                f,
                "  {:<9} {:>6} computed {:>6} cached {:>5} without source {:>5} failed",
                encoder.name,
                encoder.computed,
                encoder.cached,
                encoder.absent,
                encoder.num_failed()
            )?;
            let reasons: Vec<_> =
                encoder.failed.iter().map(|(code, count)| format!("{code} {count}")).collect();
            if reasons.is_empty() {
                writeln!(f)?;
            } else {
                writeln!(f, ": {}", reasons.join(", "))?;
            }
        }
        let (stages, total) = (self.cpu_secs.stages(), self.cpu_secs.total());
        if total > 0.5 {
            writeln!(f, "  where {total:.1} s of computing went:")?;
            for (name, secs) in stages.iter().filter(|(_, secs)| *secs > 0.0) {
                writeln!(f, "    {name:<18} {secs:>8.1} s {:>5.1} %", 100.0 * secs / total)?;
            }
        }
        if let Some(bottleneck) = self.bottleneck() {
            writeln!(f, "  bottleneck: {bottleneck}")?;
        }
        match &self.hwaccel {
            HwaccelReport { wanted: Hwaccel::None, .. } => {}
            HwaccelReport { wanted, used: Hwaccel::None } => {
                writeln!(f, "  pictures were decoded by the processor: {wanted} is not there")?;
            }
            HwaccelReport { used, .. } => writeln!(f, "  pictures were decoded by {used}")?,
        }
        if self.num_films > 0 {
            writeln!(f, "  {:.1} films a minute", self.films_per_minute())?;
        }
        let PeakMemory { process_bytes, worker_bytes } = self.peak_memory;
        if process_bytes > 0 && total > 0.5 {
            let [process, worker] = [process_bytes, worker_bytes].map(|bytes| bytes >> 20);
            writeln!(
                f,
                "  peak memory {process} MiB, and {worker} MiB in each of {} workers",
                self.jobs
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bottleneck_is_the_dearest_stage_unless_most_time_is_spent_waiting() {
        let mut report = ExtractReport { jobs: 2, wall_secs: 10.0, ..ExtractReport::default() };
        assert_eq!(report.bottleneck(), None);
        report.cpu_secs.decode_picture = 15.0;
        report.cpu_secs.encode.insert("posters".to_owned(), 4.0);
        assert_eq!(report.bottleneck().unwrap(), "decode pictures, 79 % of computing");
        report.wall_secs = 50.0;
        assert!(report.bottleneck().unwrap().contains("computed 19 % of the time"));
    }
}
