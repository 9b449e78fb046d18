//! How alike each frame is to its neighbours, and the colours of frames.

use super::architecture::NUM_BINS;

/// Rows scaled to length 1; rows of zeros stay as they are.
pub(super) fn normalize_rows(rows: &mut [f32], width: usize) {
    for row in rows.chunks_exact_mut(width) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        for x in row {
            *x /= length;
        }
    }
}

/// Colour histograms `[frames, 512]` of length 1; a colour's bin is the upper three bits of red,
/// green and blue. `rgb` is `[frames, frame_bytes]`.
pub(super) fn histograms(rgb: &[u8], frame_bytes: usize) -> Vec<f32> {
    let mut counts = vec![0.0; rgb.len() / frame_bytes * NUM_BINS];
    for (frame, counts) in rgb.chunks_exact(frame_bytes).zip(counts.chunks_exact_mut(NUM_BINS)) {
        for pixel in frame.chunks_exact(3) {
            let [r, g, b] = [0, 1, 2].map(|colour| usize::from(pixel[colour] >> 5));
            counts[r << 6 | g << 3 | b] += 1.0;
        }
    }
    normalize_rows(&mut counts, NUM_BINS);
    counts
}

/// From the similarities of all frames to all, `[frames, frames]`, those to the `lookup` frames
/// around each, `[frames, lookup]`; zeros beyond the window's ends.
pub(super) fn neighbours(similarities: &[f32], num_frames: usize, lookup: usize) -> Vec<f32> {
    let reach = lookup / 2;
    let mut around = vec![0.0; num_frames * lookup];
    for frame in 0..num_frames {
        let from = frame.saturating_sub(reach);
        let to = (frame + reach + 1).min(num_frames);
        let at = frame * lookup + from + reach - frame;
        around[at..at + to - from]
            .copy_from_slice(&similarities[frame * num_frames + from..frame * num_frames + to]);
    }
    around
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_centred_and_zero_beyond_the_ends() {
        let similarities: Vec<f32> = (0..9).map(|x| x as f32 + 1.0).collect();
        #[rustfmt::skip]
        let expected = [
            0.0, 0.0, 1.0, 2.0, 3.0,
            0.0, 4.0, 5.0, 6.0, 0.0,
            7.0, 8.0, 9.0, 0.0, 0.0,
        ];
        assert_eq!(neighbours(&similarities, 3, 5), expected);
        assert_eq!(neighbours(&similarities, 3, 1), [1.0, 5.0, 9.0]);
    }

    #[test]
    fn histograms_count_colours_by_their_upper_bits() {
        let found = histograms(&[0, 31, 31, 255, 255, 224, 32, 0, 0, 63, 0, 0], 6);
        let (first, second) = found.split_at(NUM_BINS);
        let half = 0.5_f32.sqrt();
        assert!((first[0] - half).abs() < 1e-6 && (first[511] - half).abs() < 1e-6);
        assert!((second[64] - 1.0).abs() < 1e-6);
        assert_eq!(found.iter().filter(|x| **x > 0.0).count(), 3);
    }
}
