//! Keyframes found by the index of a container, for films that are too long to be read whole.
//!
//! in: an open container; out: the packets of some keyframes, evenly spread. Only the places
//! that the index names are read: of a film of two hours as much as of a trailer.

use ffmpeg_next::{Packet, ffi};

use super::{
    container::{Container, StreamFacts},
    film::Taker,
    libav,
    request::{Failure, ReasonCode},
};

/// Films that are longer are sought in where they can be, seconds.
const LONG_SECS: f64 = 900.0;

/// Keyframes of an index that can be relied on are not farther apart, seconds.
const GAP_SECS: f64 = 60.0;

/// After a jump the keyframe comes within so many packets of its stream.
const MAX_PACKETS: usize = 256;

/// When the keyframes of a long film are that its index names: ticks, ascending. `None` where
/// the film is short or its index does not reach over it.
pub(super) fn of_long_film(container: &mut Container, stream: &StreamFacts) -> Option<Vec<i64>> {
    let duration_secs = container.duration_secs.filter(|secs| *secs > LONG_SECS)?;
    // Matroska reads its index with the first jump.
    seek(container, stream, ((duration_secs / 2.0) / stream.tick_secs) as i64).ok()?;
    let ticks = keyframe_ticks(container, stream.index);
    reaches_over(&ticks, duration_secs / stream.tick_secs, GAP_SECS / stream.tick_secs)
        .then_some(ticks)
}

/// Some demuxers note only where they have been.
fn reaches_over(ticks: &[i64], duration: f64, most_gap: f64) -> bool {
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return false };
    let gap = ticks.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    (last - first) as f64 > 0.9 * duration && gap as f64 <= most_gap
}

/// At most `num` of the times, each the nearest to one of as many evenly spaced moments.
pub(super) fn evenly(ticks: &[i64], num: usize) -> Vec<i64> {
    let (Some(&first), Some(&last)) = (ticks.first(), ticks.last()) else { return Vec::new() };
    if ticks.len() <= num {
        return ticks.to_vec();
    }
    let step = (last - first) as f64 / num.saturating_sub(1).max(1) as f64;
    let nearest = |n: usize| {
        let moment = first + (n as f64 * step) as i64;
        let after = ticks.partition_point(|tick| *tick < moment).min(ticks.len() - 1);
        let before = after.saturating_sub(1);
        if ticks[after] - moment < moment - ticks[before] { ticks[after] } else { ticks[before] }
    };
    let mut chosen: Vec<i64> = (0..num).map(nearest).collect();
    chosen.dedup();
    chosen
}

/// Jumps to each keyframe and hands its packet to the picker. Says how many could not be had.
///
/// # Errors
/// Those of the picker.
pub(super) fn feed(
    container: &mut Container,
    stream: &StreamFacts,
    ticks: &[i64],
    picker: &mut dyn Taker,
) -> Result<Option<Failure>, Failure> {
    container.keep_only(&[stream.index]);
    let mut num_lost = 0;
    for tick in ticks {
        match keyframe_at(container, stream, *tick) {
            Some(packet) => {
                let is_encrypted = libav::is_encrypted(&packet);
                picker.push(packet, is_encrypted)?;
            }
            None => num_lost += 1,
        }
    }
    Ok((num_lost > 0).then(|| {
        let text = format!("{num_lost} of {} keyframes cannot be read", ticks.len());
        Failure::new(ReasonCode::Truncated, libav::detail(text, &libav::take_log()))
    }))
}

/// The packet of the last keyframe up to a time; `None` where it cannot be read.
pub(super) fn keyframe_at(
    container: &mut Container,
    stream: &StreamFacts,
    tick: i64,
) -> Option<Packet> {
    seek(container, stream, tick).ok()?;
    for _ in 0..MAX_PACKETS {
        let mut packet = Packet::empty();
        packet.read(&mut container.input).ok()?;
        if packet.stream() == stream.index && packet.is_key() && packet.size() > 0 {
            return Some(packet);
        }
    }
    None
}

fn seek(container: &mut Container, stream: &StreamFacts, tick: i64) -> Result<(), Failure> {
    container.has_jumped = true;
    #[allow(unsafe_code)]
    // SAFETY: the container is open and has this stream.
    let sought = unsafe {
        let backward = ffi::AVSEEK_FLAG_BACKWARD;
        ffi::av_seek_frame(container.input.as_mut_ptr(), stream.index as i32, tick, backward)
    };
    if sought < 0 { Err(libav::failure(sought.into())) } else { Ok(()) }
}

fn keyframe_ticks(container: &mut Container, stream_index: usize) -> Vec<i64> {
    #[allow(unsafe_code)]
    // SAFETY: the stream is one of the container's; entries are read before anything else is
    // done to it.
    let mut ticks: Vec<i64> = unsafe {
        let stream = *(*container.input.as_mut_ptr()).streams.add(stream_index);
        let count = ffi::avformat_index_get_entries_count(stream);
        (0..count)
            .filter_map(|entry| ffi::avformat_index_get_entry(stream, entry).as_ref())
            .filter(|entry| entry.flags() & ffi::AVINDEX_KEYFRAME != 0)
            .map(|entry| entry.timestamp)
            .collect()
    };
    ticks.sort_unstable();
    ticks.dedup();
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spread_evenly_and_none_comes_twice() {
        let every_second: Vec<i64> = (0..7200).map(|n| n * 1000).collect();
        assert_eq!(evenly(&every_second, 5), [0, 1_800_000, 3_599_000, 5_399_000, 7_199_000]);
        assert_eq!(evenly(&[5, 6, 7], 8), [5, 6, 7]);
        assert_eq!(evenly(&[], 8), [] as [i64; 0]);
        assert_eq!(evenly(&[0, 1, 2, 3, 1000], 3), [0, 3, 1000]);
        assert_eq!(evenly(&[0, 500, 1000], 1), [0]);
    }

    #[test]
    fn an_index_with_holes_is_none() {
        let every_ten: Vec<i64> = (0..100).map(|n| n * 10).collect();
        assert!(reaches_over(&every_ten, 1000.0, 60.0));
        assert!(!reaches_over(&every_ten[..50], 1000.0, 60.0), "the end is missing");
        let holes = [&every_ten[..20], &every_ten[80..]].concat();
        assert!(!reaches_over(&holes, 1000.0, 60.0));
        assert!(!reaches_over(&[], 1000.0, 60.0));
    }
}
