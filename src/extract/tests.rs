//! The run as its callers see it, with an encoder whose features are the numbers of the plot.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base::{Digest, Fingerprint, Interrupt, NoProgress, TitleId};
use catalog::Title;
use dataset::Looked;
use encode::{EncodeError, EncoderContext, Features, Input, Modality, Opened, SourceKind};
use media::{Failure, ReasonCode, Want};
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{EncoderIdentity, FeatureStore, TextSegment, TimedText, digest_of_text};

use super::*;

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
    fn sources(&self, title: &Title, _settings: &Value) -> Vec<SourceKind> {
        title.plot.clone().map(SourceKind::Text).into_iter().collect()
    }
    fn check(&self, _settings: &Value) -> Result<(), EncodeError> {
        Ok(())
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
        Ok(Features::rows(data, Vec::new()))
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

fn open(encoder: Arc<dyn Encoder>) -> OpenEncoder {
    let instance = Instance { name: "numbers".to_owned(), modality: &Numbers, settings: json!({}) };
    OpenEncoder::new(instance, encoder)
}

/// Says the plot word by word, a second each; a plot of nothing but dots is silence.
struct Speaker(EncoderIdentity);

impl Speaker {
    fn open() -> OpenEncoder {
        let description = json!({"speaks": "slowly"});
        let fingerprint = Fingerprint::of(&description);
        let (name, row_unit) = ("said".to_owned(), "word".to_owned());
        let speaker = Self(EncoderIdentity { name, fingerprint, dim: 1, row_unit, description });
        let open = open(Arc::new(speaker));
        OpenEncoder { instance: Instance { name: "said".to_owned(), ..open.instance }, ..open }
    }
}

impl Encoder for Speaker {
    fn identity(&self) -> &EncoderIdentity {
        &self.0
    }
    fn wants(&self) -> Vec<Want> {
        Vec::new()
    }
    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        let segment = |(second, word): (usize, &str)| TextSegment {
            start_secs: second as f32,
            end_secs: second as f32 + 1.0,
            text: word.to_owned(),
        };
        let words = input.text()?.split(' ').filter(|word| *word != ".").enumerate();
        let segments: Vec<_> = words.map(segment).collect();
        if segments.is_empty() {
            return Err(Failure::new(ReasonCode::NoSpeech, ""));
        }
        let time_secs: Vec<f32> = segments.iter().map(|segment| segment.start_secs).collect();
        let text = Some(TimedText { segments, language: None });
        Ok(Features { data: vec![0.0; time_secs.len()], time_secs, text })
    }
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

fn modalities(encoders: impl Into<Vec<OpenEncoder>>) -> Arc<OpenModalities> {
    Arc::new(OpenModalities::from(encoders.into()))
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
    let modalities = modalities([open(Arc::new(encoder()))]);
    extract(titles, &modalities, store, settings, retry, &NoProgress, interrupt)
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
fn titles_that_come_bit_by_bit_cost_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let session = Session::new(modalities([open(Arc::new(encoder()))]), &store, &settings(2, 1.0));
    let own = store.encoder(encoder().identity()).unwrap();
    let mut read = vec![0];
    for chunk in 0..4 {
        let plots = (0..8).map(|k| (10 * chunk + k).to_string());
        let titles: Vec<_> = plots.enumerate().map(|(id, plot)| title(id, Some(&plot))).collect();
        let report = session.fill(&titles, &Retry::No, &NoProgress, &Interrupt::default()).unwrap();
        assert_eq!(report.encoders[0].computed, 8);
        // As who tags them asks once more.
        assert_eq!(own.index().unwrap().len(), 8 * (chunk + 1));
        read.push(own.num_files_read());
    }
    let each: Vec<usize> = read.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(each.iter().all(|files| (1..=8).contains(files)), "{each:?}");
    assert_eq!(own.num_files_read(), own.shards().unwrap().len(), "each shard once");
}

#[test]
fn what_one_encoder_says_another_reads_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let speaker = Speaker::open();
    let reader = OpenEncoder::reading(&speaker, 0, Arc::new(encoder()));
    let encoders = [speaker, reader];
    let plots = [Some("1 2"), None, Some(". ."), Some("3 four"), Some("1 2"), Some(". 5")];
    let titles: Vec<_> = plots.iter().enumerate().map(|(id, plot)| title(id, *plot)).collect();
    let run = |encoders: &[OpenEncoder]| {
        let interrupt = Interrupt::default();
        let (settings, retry) = (settings(1, 1.0), Retry::No);
        extract(&titles, &modalities(encoders), &store, &settings, &retry, &NoProgress, &interrupt)
            .unwrap()
    };
    let counts = |report: &EncoderReport| {
        (report.computed, report.cached, report.absent, report.num_failed())
    };

    // Alone first: the reader then finds the texts in the store.
    assert_eq!(counts(&run(&encoders[..1]).encoders[0]), (3, 1, 1, 1));
    let first = run(&encoders);
    assert_eq!(first.encoders[1].name, "said (text)");
    assert_eq!(counts(&first.encoders[0]), (0, 4, 1, 1));
    assert_eq!(counts(&first.encoders[1]), (2, 1, 2, 1), "silence is nothing to read");
    assert_eq!(counts(&run(&encoders).encoders[1]), (0, 3, 2, 1));

    let digests = store.sources().unwrap();
    let keys: Vec<Vec<Digest>> =
        titles.iter().map(|title| encoders[1].keys(&encoders, title, &digests)).collect();
    assert_eq!((keys[1].len(), &keys[0]), (0, &keys[4]));
    let rows = store.encoder(&encoders[1].identity).unwrap();
    let read = rows.read(&[keys[0][0], keys[5][0], keys[2][0]]).unwrap();
    assert_eq!((read.data, read.offsets), (vec![1.0, 2.0, 5.0], vec![0, 2, 3, 3]));
    assert_ne!(keys[0][0], encoders[0].keys(&encoders, &titles[0], &digests)[0]);
}

#[test]
fn a_run_that_waits_for_a_device_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let titles: Vec<_> = (0..20).map(|id| title(id, Some(&id.to_string()))).collect();
    let encoders = modalities([open(Arc::new(OnDevice(encoder())))]);
    let (retry, interrupt) = (Retry::No, Interrupt::default());
    let settings = settings(2, 1.0);
    let report =
        extract(&titles, &encoders, &store, &settings, &retry, &NoProgress, &interrupt).unwrap();
    assert!(report.cpu_secs.encode["numbers"] >= 20.0 * DEVICE_TIME.as_secs_f64());
    let bottleneck = report.bottleneck().unwrap();
    assert!(bottleneck.starts_with("encode numbers, "), "{bottleneck}");
}

/// Interrupts the run at the plot 0, and goes on once the store has the plot 1.
struct Interrupting {
    numbers: NumbersEncoder,
    store: FeatureStore,
    interrupt: Interrupt,
}

impl Encoder for Interrupting {
    fn identity(&self) -> &EncoderIdentity {
        self.numbers.identity()
    }
    fn wants(&self) -> Vec<Want> {
        Vec::new()
    }
    fn encode(&self, input: Input<'_>) -> Result<Features, Failure> {
        if input.text()? == "0" {
            self.interrupt.raise();
            let (own, began) = (self.store.encoder(self.identity()).unwrap(), Instant::now());
            while !own.index().unwrap().contains(&digest_of_text("1")) {
                assert!(
                    began.elapsed() < Duration::from_secs(60),
                    "it waits for the title in hand"
                );
            }
        }
        self.numbers.encode(input)
    }
}

#[test]
fn who_interrupts_does_not_lose_what_was_computed_to_the_titles_in_hand() {
    let folder = tempfile::tempdir().unwrap();
    let (store, interrupt) = (FeatureStore::open(folder.path()), Interrupt::default());
    let encoder = Interrupting {
        numbers: encoder(),
        store: FeatureStore::open(folder.path()),
        interrupt: interrupt.clone(),
    };
    let encoders = modalities([open(Arc::new(encoder))]);
    let titles: Vec<_> =
        ["1", "0", "2"].iter().enumerate().map(|(id, plot)| title(id, Some(plot))).collect();
    let settings = ExtractSettings { jobs: 1, ..ExtractSettings::default() };
    let run = extract(&titles, &encoders, &store, &settings, &Retry::No, &NoProgress, &interrupt);
    assert!(matches!(run.unwrap_err(), ExtractError::Interrupted(_)));
    let index = store.encoder(&encoders.encoders()[0].identity).unwrap().index().unwrap();
    let knows = ["1", "0", "2"].map(|plot| index.contains(&digest_of_text(plot)));
    assert_eq!(knows, [true, true, false], "the title in hand is finished, no other begun");
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

/// What was seen, in a form that can be compared to the bit.
fn bits(looked: &Looked) -> (String, String, String) {
    let transcripts = serde_json::to_string(&looked.transcripts).unwrap();
    (looked.data.digest().to_string(), transcripts, format!("{:?}", looked.failures))
}

proptest! {
    // Each case writes shards.
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is seen from memory, what is read back from the store, and what another process finds
    /// there are equal to the bit, in whatever portions titles come and shards are published.
    #[test]
    fn looking_from_memory_and_through_the_store_are_one(
        plots in prop::collection::vec(
            prop_oneof![
                Just(None),
                // Numbers that f16 rounds, does not hold (1e6), holds barely; silence; no number.
                prop::collection::vec(
                    prop::sample::select(vec!["0.1234567", "-3.3333", "65504", "1e-7", "1e6", ".", "x"]),
                    1..4,
                ).prop_map(|words| Some(words.join(" "))),
            ],
            1..12,
        ),
        portion in 1_usize..5,
        shard_titles in 1_usize..6,
        is_published_between in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = FeatureStore::open(folder.path());
        let speaker = Speaker::open();
        let reader = OpenEncoder::reading(&speaker, 0, Arc::new(encoder()));
        let seeing = modalities([speaker, reader, open(Arc::new(encoder()))]);
        let titles: Vec<_> =
            plots.iter().enumerate().map(|(id, plot)| title(id, plot.as_deref())).collect();
        let settings = ExtractSettings { shard_titles, ..settings(2, 1.0) };
        let session = Session::new(Arc::clone(&seeing), &store, &settings);
        let stop = Interrupt::default();
        let mut from_memory = Vec::new();
        for titles in titles.chunks(portion) {
            from_memory.push(bits(&session.look_all(titles, &NoProgress, &stop).unwrap().0));
            if is_published_between {
                session.publish().unwrap();
            }
        }
        // What was computed before is seen again, published or not.
        let again = bits(&session.look_all(&titles, &NoProgress, &stop).unwrap().0);
        session.publish().unwrap();
        let elsewhere = FeatureStore::open(folder.path());
        for (titles, seen) in titles.chunks(portion).zip(&from_memory) {
            prop_assert_eq!(&bits(&seeing.stored(titles, &elsewhere).unwrap()), seen);
        }
        prop_assert_eq!(bits(&seeing.stored(&titles, &elsewhere).unwrap()), again);
    }
}

#[test]
fn who_looks_publishes_behind_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path());
    let seeing = modalities([open(Arc::new(encoder()))]);
    let titles: Vec<_> = (0..6).map(|id| title(id, Some(&id.to_string()))).collect();
    let session = Session::new(Arc::clone(&seeing), &store, &settings(1, 1.0));
    let own = store.encoder(encoder().identity()).unwrap();
    for title in &titles {
        let looked = session.look(title).unwrap();
        assert!(looked.data.modalities[0].present(0), "seen at once");
    }
    // Four titles are worth a shard (`settings`).
    assert_eq!((own.index().unwrap().len(), own.shards().unwrap().len()), (4, 1));
    drop(session);
    assert_eq!((own.index().unwrap().len(), own.shards().unwrap().len()), (6, 2));
    assert!(seeing.stored(&[title(9, Some("7"))], &store).is_err(), "it was never looked at");
}
