//! The run as its callers see it, with an encoder whose features are the numbers of the plot.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    base::{Fingerprint, Interrupt, NoProgress, TitleId},
    catalog::Title,
    encode::{EncodeError, EncoderContext, Features, Input, Opened, SourceKind},
    media::{Failure, ReasonCode, Want},
    store::{EncoderIdentity, FeatureStore},
};

struct Numbers;

struct NumbersEncoder(EncoderIdentity);

impl Modality for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }
    fn about(&self) -> &'static str {
        "The numbers that the plot is made of."
    }
    fn defaults(&self) -> Value {
        json!({})
    }
    fn source(&self, title: &Title) -> Option<SourceKind> {
        title.plot.clone().map(SourceKind::Text)
    }
    fn open(&self, _: &Value, _: &EncoderContext) -> Result<Opened, EncodeError> {
        Ok(Opened::Encoder(Box::new(encoder())))
    }
}

impl Encoder for NumbersEncoder {
    fn identity(&self) -> &EncoderIdentity {
        &self.0
    }
    fn wants(&self) -> Vec<Want> {
        Vec::new()
    }
    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let data = input
            .text()?
            .split(' ')
            .map(|word| {
                word.parse().map_err(|_| Failure::new(ReasonCode::NoContent, format!("{word:?}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Features { data, time_secs: Vec::new() })
    }
}

fn encoder() -> NumbersEncoder {
    let description = json!({"algorithm_version": 1});
    NumbersEncoder(EncoderIdentity {
        name: "numbers".to_owned(),
        fingerprint: Fingerprint::of(&description),
        dim: 1,
        row_unit: "number".to_owned(),
        description,
    })
}

/// Its numbers come from a device that takes its time.
struct OnDevice(NumbersEncoder);

const DEVICE_TIME: Duration = Duration::from_millis(30);

impl Encoder for OnDevice {
    fn identity(&self) -> &EncoderIdentity {
        self.0.identity()
    }
    fn wants(&self) -> Vec<Want> {
        self.0.wants()
    }
    fn is_on_device(&self) -> bool {
        true
    }
    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let (_device, answer) = crossbeam_channel::bounded::<()>(0);
        assert!(answer.recv_timeout(DEVICE_TIME).is_err());
        self.0.encode(input)
    }
}

fn title(id: usize, plot: Option<&str>) -> Title {
    Title {
        name: format!("Title {id}"),
        plot: plot.map(str::to_owned),
        ..Title::new(TitleId::new(&format!("t{id}")))
    }
}

fn run(
    titles: &[Title],
    store: &FeatureStore,
    settings: &ExtractSettings,
    retry: &Retry,
    interrupt: &Interrupt,
) -> Result<ExtractReport, ExtractError> {
    let encoders = [OpenEncoder { modality: &Numbers, encoder: Box::new(encoder()) }];
    extract(titles, &encoders, store, settings, retry, &NoProgress, interrupt)
}

fn settings(jobs: usize, max_failed_frac: f64) -> ExtractSettings {
    ExtractSettings { jobs, shard_titles: 4, max_failed_frac, ..ExtractSettings::default() }
}

#[test]
fn every_title_is_counted_once_and_a_second_run_computes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    // f16 ends at 65,504: what does not fit is a failure, not an infinity.
    let plots = [Some("1 2"), None, Some("3"), Some("four"), Some("1e6"), Some("1 2")];
    let titles: Vec<_> = plots.iter().enumerate().map(|(id, plot)| title(id, *plot)).collect();
    let run = |retry| run(&titles, &store, &settings(2, 1.0), &retry, &Interrupt::default());

    let first = run(Retry::No).unwrap();
    let numbers = &first.encoders[0];
    assert_eq!(first.num_titles, 6);
    assert_eq!((numbers.computed, numbers.cached, numbers.absent), (2, 1, 1));
    assert_eq!(numbers.failed.values().collect::<Vec<_>>(), [&1, &1], "{:?}", numbers.failed);
    assert_eq!((numbers.num_failed(), numbers.num_skipped(), numbers.known_failed), (2, 2, 0));

    let second = run(Retry::No).unwrap();
    let again = &second.encoders[0];
    assert_eq!((again.computed, again.cached, again.absent), (0, 3, 1));
    assert_eq!((&again.failed, again.known_failed), (&numbers.failed, 2));

    let reasons = Retry::Reasons(["no_content".to_owned()].into());
    assert_eq!(run(reasons).unwrap().encoders[0].known_failed, 1);
    assert_eq!(run(Retry::All).unwrap().encoders[0].known_failed, 0);
}

#[test]
fn a_run_that_waits_for_a_device_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let titles: Vec<_> = (0..20).map(|id| title(id, Some(&id.to_string()))).collect();
    let encoders = [OpenEncoder { modality: &Numbers, encoder: Box::new(OnDevice(encoder())) }];
    let (retry, interrupt) = (Retry::No, Interrupt::default());
    let settings = settings(2, 1.0);
    let report =
        extract(&titles, &encoders, &store, &settings, &retry, &NoProgress, &interrupt).unwrap();
    assert!(report.cpu_secs.encode["numbers"] >= 20.0 * DEVICE_TIME.as_secs_f64());
    let bottleneck = report.bottleneck().unwrap();
    assert!(bottleneck.starts_with("encode numbers, "), "{bottleneck}");
}

#[test]
fn a_hopeless_run_ends_and_keeps_what_it_computed() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let titles: Vec<_> = (0..200)
        .map(|id| title(id, Some(&if id < 10 { id.to_string() } else { format!("no {id}") })))
        .collect();
    let interrupt = Interrupt::default();
    let error = run(&titles, &store, &settings(2, 0.25), &Retry::No, &interrupt).unwrap_err();
    assert!(matches!(error, ExtractError::TooManyFailures { .. }), "{error}");
    let patient = run(&titles, &store, &settings(2, 1.0), &Retry::No, &interrupt).unwrap();
    assert_eq!(patient.encoders[0].cached, 10);
    assert!(patient.encoders[0].known_failed >= 10);
    assert_eq!(patient.encoders[0].num_failed(), 190);
}

#[test]
fn an_interrupted_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let interrupt = Interrupt::default();
    interrupt.raise();
    let titles = [title(0, Some("1"))];
    let error = run(&titles, &store, &settings(1, 1.0), &Retry::No, &interrupt).unwrap_err();
    assert!(matches!(error, ExtractError::Interrupted(_)));
}
