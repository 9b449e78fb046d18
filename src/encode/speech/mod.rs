//! What is said in a title's trailers: a text with times, heard by Whisper or read from subtitles.
//!
//! in: a catalog's transcript, a subtitle file beside the trailer or a track in it, else the sound;
//! out: segments with their times, `[segments, 2]`: the mean log-probability of a segment's words
//! and how likely nobody speaks (zeros where it was read).
//! Only what the speech detector calls speech is listened to. Another encoder makes features of the
//! words, as of a plot.
//! source: Radford et al. 2022, "Robust speech recognition via large-scale weak supervision".

mod gate;
mod listener;
mod subtitles;

use std::{io::Read, path::Path};

use base::file;
use catalog::{Title, decode_text, subtitles_of};
use nn::{Precision, audio_events};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::listener::Listener;
pub use self::subtitles::webvtt;
use super::{
    modality::{EncodeError, EncoderContext, Modality, Opened, SourceKind},
    plot, settings,
};

const NAME: &str = "speech";
/// A subtitle file beyond this is none.
const MAX_SUBTITLE_BYTES: u64 = 4 << 20;

/// What is said in the trailers.
pub struct Speech;

/// When a trailer is listened to. What is written down already is read all the same, but for
/// [`Hear::Never`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hear {
    /// Where the title has no plot: listening costs more than all else together.
    #[default]
    WhenNoPlot,
    /// Whenever there is a trailer.
    Always,
    /// Speech takes no part.
    Never,
}

impl Hear {
    /// All of them with their names.
    pub const ALL: [(&str, Self); 3] =
        [("when-no-plot", Self::WhenNoPlot), ("always", Self::Always), ("never", Self::Never)];
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    /// Whisper: its id in the weights manifest, or the path of its folder.
    model: String,
    /// What the network computes in on the processor: `int8`, `bf16` or `f32`; on a device `int8`
    /// stands for `f16`.
    precision: Precision,
    /// ISO 639-1: the language that is spoken; absent: each trailer's is detected, where the model
    /// knows several.
    language: Option<String>,
    /// Other languages are translated into English, where the model knows several.
    translate: bool,
    /// At most so much sound from the start, seconds.
    max_secs: f64,
    /// Of that at most so much speech, seconds: listening costs by it.
    max_speech_secs: f64,
    /// `when-no-plot`, `always` or `never`.
    hear: Hear,
    /// Sentence transformer that reads what was said: an id, or the path of its folder.
    text_model: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: "whisper-tiny.en".to_owned(),
            precision: Precision::Int8,
            language: None,
            translate: false,
            max_secs: 900.0,
            max_speech_secs: 240.0,
            hear: Hear::default(),
            text_model: "all-minilm-l6-v2".to_owned(),
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), EncodeError> {
        for (name, secs) in [("max_secs", self.max_secs), ("max_speech_secs", self.max_speech_secs)]
        {
            settings::expect(NAME, secs > 0.0 && secs <= 86_400.0, || {
                format!("`{name}` must be above 0 and at most 86400 s, got {secs}")
            })?;
        }
        let is_code =
            |code: &String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_lowercase());
        settings::expect(NAME, self.language.as_ref().is_none_or(is_code), || {
            let language = self.language.as_deref().unwrap_or_default();
            format!("`language` must be two letters such as en (ISO 639-1), got {language:?}")
        })
    }
}

impl Modality for Speech {
    fn name(&self) -> &'static str {
        NAME
    }

    fn about(&self) -> &'static str {
        "what is said in the trailers, heard by Whisper or read from subtitles, as a text with times"
    }

    fn defaults(&self) -> Value {
        settings::defaults::<Settings>()
    }

    fn weights(&self, settings: &Value) -> Vec<String> {
        let mut ids = settings::models(&self.defaults(), settings);
        ids.push(audio_events::MODEL.to_owned());
        ids
    }

    fn sources(&self, title: &Title, given: &Value) -> Vec<SourceKind> {
        let settings: Settings = settings::read(NAME, given).unwrap_or_default();
        sources(title, settings.hear)
    }

    fn check(&self, given: &Value) -> Result<(), EncodeError> {
        settings::read::<Settings>(NAME, given)?.check()
    }

    fn open(&self, given: &Value, context: &EncoderContext) -> Result<Opened, EncodeError> {
        let settings: Settings = settings::read(NAME, given)?;
        settings.check()?;
        let read_by = json!({ "model": settings.text_model });
        let listener = Box::new(Listener::open(settings, context)?);
        Ok(Opened::Text { listener, reader: plot::NAME, settings: read_by })
    }
}

/// What a title's speech is known from.
fn sources(title: &Title, hear: Hear) -> Vec<SourceKind> {
    if hear == Hear::Never {
        return Vec::new();
    }
    if let Some(said) = title.transcript.as_ref().filter(|said| !said.trim().is_empty()) {
        return vec![SourceKind::Text(said.clone())];
    }
    let has_plot = title.plot.as_ref().is_some_and(|plot| !plot.trim().is_empty());
    let is_heard = hear == Hear::Always || !has_plot;
    let of_trailer = |trailer: &std::path::PathBuf| {
        let written = subtitles_of(trailer).and_then(|path| read(&path)).map(SourceKind::Text);
        written.or_else(|| is_heard.then(|| SourceKind::File(trailer.clone())))
    };
    title.trailers.iter().filter_map(of_trailer).collect()
}

/// A subtitle file's text; `None` where it cannot be read or says nothing.
fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    file::open(path).ok()?.take(MAX_SUBTITLE_BYTES + 1).read_to_end(&mut bytes).ok()?;
    let text = decode_text(&bytes, None);
    (bytes.len() as u64 <= MAX_SUBTITLE_BYTES && !subtitles::parse(&text).segments.is_empty())
        .then_some(text)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use std::fs;

    use base::TitleId;

    use super::*;

    fn title(plot: Option<&str>, transcript: Option<&str>, trailers: &[PathBuf]) -> Title {
        Title {
            plot: plot.map(str::to_owned),
            transcript: transcript.map(str::to_owned),
            trailers: trailers.to_vec(),
            ..Title::new(TitleId::new("t"))
        }
    }

    fn file(path: &str) -> SourceKind {
        SourceKind::File(path.into())
    }

    #[test]
    fn trailers_are_listened_to_where_there_is_no_plot_unless_asked_otherwise() {
        let trailers = [PathBuf::from("a.mp4"), PathBuf::from("b.mp4")];
        let both = vec![file("a.mp4"), file("b.mp4")];
        let (bare, plotted) = (title(None, None, &trailers), title(Some("p"), None, &trailers));
        assert_eq!(sources(&bare, Hear::WhenNoPlot), both);
        assert_eq!(sources(&title(Some(" "), None, &trailers), Hear::WhenNoPlot), both);
        assert_eq!(sources(&plotted, Hear::WhenNoPlot), []);
        assert_eq!(sources(&plotted, Hear::Always), both);
        assert_eq!(sources(&bare, Hear::Never), []);
    }

    #[test]
    fn what_is_written_down_is_read_instead() {
        let folder = tempfile::tempdir().unwrap();
        let trailer = folder.path().join("a-trailer.mp4");
        fs::write(&trailer, b"").unwrap();
        let cue = "1\n00:00:01,000 --> 00:00:02,000\nHallo\n";
        fs::write(folder.path().join("a-trailer.srt"), cue).unwrap();
        let text = vec![SourceKind::Text(cue.to_owned())];
        let trailers = [trailer.clone()];
        assert_eq!(sources(&title(None, None, &trailers), Hear::WhenNoPlot), text);
        assert_eq!(sources(&title(Some("p"), None, &trailers), Hear::WhenNoPlot), text);
        let said = title(Some("p"), Some("in a world"), &trailers);
        assert_eq!(
            sources(&said, Hear::WhenNoPlot),
            [SourceKind::Text("in a world".to_owned())],
            "the catalog's own comes first"
        );
        fs::write(folder.path().join("a-trailer.srt"), "\n").unwrap();
        let heard = vec![SourceKind::File(trailer)];
        assert_eq!(sources(&title(None, None, &trailers), Hear::WhenNoPlot), heard);
    }

    #[test]
    fn settings_that_cannot_be_are_refused_with_what_can() {
        let context = EncoderContext::default();
        for (settings, words) in [
            (json!({"max_secs": 0}), "`max_secs` must be above 0"),
            (json!({"max_speech_secs": -1}), "`max_speech_secs`"),
            (json!({"language": "english"}), "two letters such as en"),
            (json!({"hear": "sometimes"}), "expected one of `when-no-plot`"),
        ] {
            let message = Speech.open(&settings, &context).err().unwrap().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
