//! symphonia's sound decoders, fed with packets that FFmpeg's demuxer read.
//!
//! in: a packet; out: planes of f32, without the encoder's delay and padding. Codecs that
//! symphonia decodes as FFmpeg does: AAC-LC, MP3, Vorbis, FLAC, of one or two channels.
//! Not: 5.1 ("aac too complex"), SBR (HE-AAC), AAC with ADTS headers, and all that it does
//! not know (Opus, AC-3, E-AC-3, DTS, WMA, MP2 …).
//! reference: `decode_simple_internal` in `libavcodec/decode.c` (5.1) for delay and padding.

use ffmpeg_next::{
    Packet,
    codec::{Id, packet::side_data::Type as SideDataType},
    ffi,
    packet::Ref,
};
use symphonia::core::{
    codecs::audio::{
        AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known,
    },
    packet::PacketRef,
    units::{Duration, Timestamp},
};

use super::container::StreamFacts;

/// AAC's object type "low complexity" as FFmpeg numbers it.
const PROFILE_AAC_LC: i32 = 1;

/// Samples that libfaac's files begin too early; no header says so.
/// reference: `decode_fill` in `libavcodec/aacdec_template.c` (5.1).
const LIBFAAC_DELAY: usize = 1024;

/// Decoded samples, one plane a channel.
pub(super) struct Chunk {
    pub(super) planes: Vec<Vec<f32>>,
    pub(super) rate_hz: u32,
}

/// A decoder and what is still to be left out at the start.
pub(super) struct SymphoniaDecoder {
    decoder: Box<dyn AudioDecoder>,
    rate_hz: u32,
    num_channels: usize,
    num_skip: usize,
    codec: AudioCodecId,
    is_first: bool,
}

impl SymphoniaDecoder {
    /// A decoder for the stream, if symphonia is to be trusted with it.
    pub(super) fn open(stream: &StreamFacts) -> Option<Self> {
        #[allow(unsafe_code)]
        // SAFETY: the parameters belong to an open container; `extradata` holds so many bytes.
        let (extra_data, profile, rate_hz, num_channels) = unsafe {
            let parameters = &*stream.parameters.as_ptr();
            let extra_data = if parameters.extradata.is_null() || parameters.extradata_size <= 0 {
                None
            } else {
                let len = parameters.extradata_size as usize;
                Some(Box::from(std::slice::from_raw_parts(parameters.extradata, len)))
            };
            let rate_hz = u32::try_from(parameters.sample_rate).ok()?;
            let num_channels = usize::try_from(parameters.ch_layout.nb_channels).ok()?;
            (extra_data, parameters.profile, rate_hz, num_channels)
        };
        if !(1..=2).contains(&num_channels) {
            return None;
        }
        let (codec, needs_extra_data) = match stream.parameters.id() {
            Id::AAC if profile == PROFILE_AAC_LC => (well_known::CODEC_ID_AAC, true),
            Id::MP3 => (well_known::CODEC_ID_MP3, false),
            Id::VORBIS => (well_known::CODEC_ID_VORBIS, true),
            Id::FLAC => (well_known::CODEC_ID_FLAC, true),
            _ => return None,
        };
        if needs_extra_data && extra_data.is_none() {
            return None;
        }
        let parameters = AudioCodecParameters {
            codec,
            sample_rate: Some(rate_hz),
            extra_data,
            ..AudioCodecParameters::default()
        };
        let options = AudioDecoderOptions::default().gapless(false);
        let decoder =
            symphonia::default::get_codecs().make_audio_decoder(&parameters, &options).ok()?;
        Some(Self { decoder, rate_hz, num_channels, num_skip: 0, codec, is_first: true })
    }

    /// Decodes a packet; `None` when symphonia fails on it, or gives another rate or number of
    /// channels than the container states (SBR that was not declared).
    pub(super) fn decode(&mut self, packet: &Packet) -> Option<Chunk> {
        let data = packet.data().unwrap_or_default();
        let reference = PacketRef::new(0, Timestamp::from(0_i64), Duration::from(0_u64), data);
        let decoded = self.decoder.decode_ref(&reference).ok()?;
        let rate_hz = decoded.spec().rate();
        if rate_hz != self.rate_hz || decoded.num_planes() != self.num_channels {
            return None;
        }
        // Where FFmpeg gives nothing, symphonia gives silence: for Vorbis' first packet, which
        // has nothing to overlap with, and for AAC packets that hold no channel.
        let is_first = std::mem::replace(&mut self.is_first, false);
        if (self.codec == well_known::CODEC_ID_VORBIS && is_first)
            || (self.codec == well_known::CODEC_ID_AAC && !aac_has_channel(data))
        {
            return Some(Chunk { planes: vec![Vec::new(); self.num_channels], rate_hz });
        }
        if self.codec == well_known::CODEC_ID_AAC && is_first && names_libfaac(data) {
            self.num_skip = LIBFAAC_DELAY;
        }
        let mut planes: Vec<Vec<f32>> = Vec::new();
        decoded.copy_to_vecs_planar(&mut planes);
        let num_samples = planes.first().map_or(0, Vec::len);
        let mut keep = 0..num_samples;
        let mut num_padding = 0;
        let skip = packet.side_data().find(|data| data.kind() == SideDataType::SkipSamples);
        if let Some((start, end)) = skip.as_ref().and_then(|data| skip_counts(data.data())) {
            self.num_skip = start;
            num_padding = end;
        }
        if is_discarded(packet) {
            self.num_skip = self.num_skip.saturating_sub(num_samples);
            keep = 0..0;
        } else if self.num_skip > 0 {
            let num_skipped = self.num_skip.min(num_samples);
            self.num_skip -= num_skipped;
            keep.start = num_skipped;
        }
        if num_padding <= keep.len() {
            keep.end -= num_padding;
        }
        for plane in &mut planes {
            plane.truncate(keep.end);
            plane.drain(..keep.start.min(plane.len()));
        }
        Some(Chunk { planes, rate_hz })
    }
}

/// libfaac writes its name into the first packet.
fn names_libfaac(data: &[u8]) -> bool {
    data[..data.len().min(64)].windows(8).any(|bytes| bytes == b"libfaac ")
}

/// Is there a channel among the elements of a raw AAC block, or only filling and data (an
/// encoder's name in the first packet)?
/// source: ISO/IEC 14496-3, 4.4.2.1 (`raw_data_block`).
fn aac_has_channel(data: &[u8]) -> bool {
    let mut at = 0;
    let mut bits = |num: usize| {
        let mut value = 0;
        for bit in at..at + num {
            let byte = data.get(bit / 8).copied().unwrap_or(0);
            value = value << 1 | usize::from(byte >> (7 - bit % 8) & 1);
        }
        at += num;
        (value, at)
    };
    loop {
        match bits(3) {
            // End of the block, or of the data.
            (7, _) => return false,
            (_, end) if end > data.len() * 8 => return false,
            // Data: tag, alignment, length.
            (4, _) => {
                let is_aligned = bits(5).0 & 1 == 1;
                let (mut num_bytes, mut end) = bits(8);
                if num_bytes == 255 {
                    let (more, now) = bits(8);
                    (num_bytes, end) = (num_bytes + more, now);
                }
                let padding = if is_aligned { end.next_multiple_of(8) - end } else { 0 };
                bits(padding);
                bits(num_bytes * 8);
            }
            // Filling.
            (6, _) => {
                let mut num_bytes = bits(4).0;
                if num_bytes == 15 {
                    num_bytes += bits(8).0;
                    num_bytes -= 1;
                }
                bits(num_bytes * 8);
            }
            _ => return true,
        }
    }
}

/// `AV_PKT_DATA_SKIP_SAMPLES`: samples to skip at the start and at the end, 32 bits each.
fn skip_counts(data: &[u8]) -> Option<(usize, usize)> {
    let number = |at: usize| {
        let bytes = data.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(i32::from_le_bytes(bytes)).ok()
    };
    Some((number(0)?, number(4)?))
}

/// The demuxer wants it decoded but not shown: it lies before the edit list's begin.
fn is_discarded(packet: &Packet) -> bool {
    #[allow(unsafe_code)]
    // SAFETY: the packet is alive. (`Packet::flags` drops this bit.)
    let flags = unsafe { (*packet.as_ptr()).flags };
    flags & ffi::AV_PKT_FLAG_DISCARD != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aac_packets_without_a_channel_are_told() {
        // Filling of 3 bytes, then the end: 110 0011 + 24 bits + 111.
        assert!(!aac_has_channel(&[0b1100_0110, 0, 0, 1, 0b1100_0000]));
        // Filling of 0 bytes, then a channel pair (001).
        assert!(aac_has_channel(&[0b1100_0000, 0b1000_0000]));
        // Data of 1 byte, aligned: 100 0000 1 0000 0001 + 8 bits, then a single channel (000).
        assert!(aac_has_channel(&[0b1000_0001, 1, 0xff, 0]));
        assert!(!aac_has_channel(&[]));
        assert!(!aac_has_channel(&[0xe0]));
    }

    #[test]
    fn skip_counts_are_little_endian_and_never_negative() {
        assert_eq!(skip_counts(&[0, 4, 0, 0, 2, 0, 0, 0, 0, 0]), Some((1024, 2)));
        assert_eq!(skip_counts(&[0, 4, 0]), None);
        assert_eq!(skip_counts(&[0xff; 10]), None);
    }
}
