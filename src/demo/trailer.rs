//! Renders a trailer: takes one after the other, a title card, and the sound to them.

use std::path::Path;

use base::Interrupt;
use kernels::{Isa, Resampler};
use media::mux::{AudioCodec, AudioSettings, MovieWriter, VideoCodec, VideoSettings};

use super::{
    DemoError, NOTE,
    canvas::{Canvas, shade},
    lettering, narrator,
    recipe::{Narration, Sound, Take, Trailer},
    scene, score,
};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const FPS: u32 = 24;
const CARD_SECS: f32 = 0.8;
/// How loud music is behind a voice, and the voice.
const MUSIC_BEHIND: f32 = 0.2;
const VOICE_LEVEL: f32 = 0.9;

/// Writes the trailer to `path`; gives the names of the encoders that made it.
pub(super) fn render(
    path: &Path,
    trailer: &Trailer,
    interrupt: &Interrupt,
) -> Result<Vec<String>, DemoError> {
    let (video_codec, audio_codec, rate_hz) = if trailer.webm {
        (VideoCodec::Vp9, AudioCodec::Opus, 48_000)
    } else {
        (VideoCodec::H264, AudioCodec::Aac, 44_100)
    };
    let video = VideoSettings {
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        codec: video_codec,
        keyframe_interval: trailer.keyframe_interval,
    };
    let audio =
        (trailer.sound != Sound::None).then_some(AudioSettings { rate_hz, codec: audio_codec });
    let tags = [("title", trailer.name.as_str()), ("comment", NOTE)];
    let mut writer = MovieWriter::create_tagged(path, video, audio, &tags)?;

    let narration = trailer.narration.as_ref().and_then(|narration| voice(narration, rate_hz));
    let said_frames = narration.as_ref().map_or(0, Vec::len) as f32 / rate_hz as f32 * FPS as f32;
    let len_of = |take: &Take| (take.secs * FPS as f32).round().max(1.0) as u32;
    let mut takes: Vec<(&Take, u32)> = trailer.takes.iter().map(|t| (t, len_of(t))).collect();
    // A narrator is not interrupted: the takes come once more until all is said.
    let mut num_shown: u32 = takes.iter().map(|(_, len)| len).sum();
    for take in trailer.takes.iter().cycle() {
        if num_shown as f32 >= said_frames {
            break;
        }
        takes.push((take, len_of(take)));
        num_shown += len_of(take);
    }
    let card_len = (CARD_SECS * FPS as f32) as u32;
    let num_frames = num_shown + card_len;
    let mut sound = soundtrack(&trailer.sound, num_frames as f32 / FPS as f32, rate_hz);
    if let Some(voice) = &narration {
        mix(&mut sound, voice);
    }
    let mut sound = sound.chunks((rate_hz / FPS) as usize);

    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    let mut frame_idx = 0;
    for (take, len) in takes {
        interrupt.check()?;
        for frame in 0..len {
            scene::draw(&mut canvas, &take.shot, frame as f32 / FPS as f32);
            if trailer.faded > 0.0 {
                canvas.fade_colors(trailer.faded);
            }
            if trailer.letterbox {
                canvas.letterbox(2.2);
            }
            let picture = canvas.develop(trailer.grain, trailer.seed ^ frame_idx << 32);
            if frame == 0 && take.keyframe {
                writer.keyframe(&picture)?;
            } else {
                writer.frame(&picture)?;
            }
            frame_idx += 1;
            sound.next().map_or(Ok(()), |chunk| writer.samples(chunk))?;
        }
    }
    for frame in 0..card_len {
        card(&mut canvas, &trailer.name, (frame as f32 / 6.0).min(1.0));
        writer.frame(&canvas.develop(trailer.grain, trailer.seed ^ frame_idx << 32))?;
        frame_idx += 1;
        sound.next().map_or(Ok(()), |chunk| writer.samples(chunk))?;
    }
    let encoders = writer.encoders().to_vec();
    writer.finish()?;
    Ok(encoders)
}

/// White letters on black, fading in.
fn card(canvas: &mut Canvas, name: &str, light: f32) {
    canvas.gradient([0.02; 3], [0.05; 3]);
    let wide = canvas.aspect();
    let ink = [0.9 * light; 3];
    let end = lettering::write_block(canvas, name, 0.22, [wide * 0.8, 0.5], 0.15, ink);
    let ink = shade([0.75, 0.62, 0.3], light);
    lettering::write(canvas, "synthetic demo", wide / 2.0, (end + 0.06).min(0.88), 0.06, ink);
}

/// What is read aloud, at this rate.
fn voice(narration: &Narration, rate_hz: u32) -> Option<Vec<f32>> {
    let (samples, own_hz) = narrator::read_aloud(&narration.text)?;
    let mut resampled = Vec::new();
    let mut resampler = Resampler::new(Isa::detect(), own_hz, rate_hz)?;
    resampler.push(&samples, &mut resampled);
    resampler.finish(&mut resampled);
    Some(resampled)
}

/// Lays a voice over music, which steps back for it.
fn mix(sound: &mut [f32], voice: &[f32]) {
    for (sample, voice) in sound.iter_mut().zip(voice) {
        *sample = (*sample * MUSIC_BEHIND + voice * VOICE_LEVEL).clamp(-1.0, 1.0);
    }
}

fn soundtrack(sound: &Sound, secs: f32, rate_hz: u32) -> Vec<f32> {
    match sound {
        Sound::None => Vec::new(),
        Sound::Silence => vec![0.0; (secs * rate_hz as f32) as usize],
        Sound::Sections(sections) => {
            let each = secs / sections.len() as f32;
            let play = |(style, seed): &(_, u64)| score::play(style, *seed, each, rate_hz);
            sections.iter().flat_map(play).collect()
        }
    }
}
