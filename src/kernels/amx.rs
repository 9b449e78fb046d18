//! The matrix product on the tiles of AMX: as exact as in single precision, or in bf16.
//!
//! in and out: as [`super::matmul`]. Each number is split into two of 16 bits, `x ≈ high + low`
//! with what is left below 2⁻¹⁸ of it; of the four products of the halves all but low · low are
//! added up in single precision. So a product of two numbers is off by 2⁻¹⁶·⁴ at most, and sums
//! of many by less. Three products at the tiles' pace are four times as fast as one by vectors.
//! In bf16 the high halves are all there is: `HALVES` is 1 instead of 2, one product of three is
//! computed, and a product of two numbers is off by 2⁻⁸ at most.
//! One file, though long: the tiles' configuration, packing and loops share their constants.
//! source: Henry, Tang, Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype
//! For Higher-Precision Computations"; Intel, "Instruction Set Extensions Reference", chapter 3.
#![allow(unsafe_code)] // tile instructions, raw pointers into slices that the caller checked

#[allow(clippy::wildcard_imports)]
use std::arch::x86_64::*;
use std::{arch::asm, cell::RefCell, ops::Range, sync::OnceLock};

use super::{Aligned, matmul::Job};

/// Rows of a tile of the left side and of the result.
const TILE_ROWS: usize = 16;
/// Columns of a tile of the result: one vector.
const TILE_COLUMNS: usize = 16;
/// Steps of depth that one instruction adds up.
const TILE_DEPTH: usize = 32;
/// Floats that take the room of a tile.
const TILE: usize = 256;
/// Floats' room for the left side's tiles: half of the smallest second-level cache.
const LEFT_FLOATS: usize = 128 << 10;

/// Whether processor and system have AMX with bf16; asks the system for it.
pub(super) fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        const BF16: u32 = 1 << 22;
        const TILES: u32 = 1 << 24;
        // The standard library's own names for the two are not stable yet.
        __cpuid(0).eax >= 7
            && __cpuid_count(7, 0).edx & (BF16 | TILES) == (BF16 | TILES)
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bf16")
            && permitted()
    })
}

/// The tiles' state is large, so Linux keeps it only for processes that asked.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let result: isize;
    // SAFETY: this call reads and writes no memory of ours.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// Floats that a matrix `[depth, width]` takes when it is packed: for each tile of columns and
/// each tile of depth its halves, one behind the other.
pub(super) fn packed_len<const HALVES: usize>(depth: usize, width: usize) -> usize {
    width.div_ceil(TILE_COLUMNS) * depth.div_ceil(TILE_DEPTH) * HALVES * TILE
}

/// Floats that hold a bias for each column of all tiles.
pub(super) fn padded_width(width: usize) -> usize {
    width.next_multiple_of(TILE_COLUMNS)
}

/// Packs `element(k, n)` into the halves of tiles; a row of a tile holds two steps of depth, column
/// by column.
///
/// # Panics
/// Where `packed` is shorter than [`packed_len`] or AMX is not available.
pub(super) fn pack<const HALVES: usize>(
    depth: usize,
    width: usize,
    packed: &mut [f32],
    element: impl Fn(usize, usize) -> f32,
) {
    assert!(is_available() && packed.len() >= packed_len::<HALVES>(depth, width));
    let depth_tiles = depth.div_ceil(TILE_DEPTH);
    for (idx, halves) in packed.chunks_exact_mut(HALVES * TILE).enumerate() {
        let (first_n, first_k) = (idx / depth_tiles * TILE_COLUMNS, idx % depth_tiles * TILE_DEPTH);
        if first_n >= width {
            break;
        }
        for row in 0..TILE_DEPTH / 2 {
            let step = |k: usize| -> [f32; 16] {
                std::array::from_fn(|column| {
                    let n = first_n + column;
                    if k < depth && n < width { element(k, n) } else { 0.0 }
                })
            };
            let (even, odd) = (step(first_k + 2 * row), step(first_k + 2 * row + 1));
            let (high, low) = halves[row * 16..].split_at_mut(16);
            let low = (HALVES == 2).then(|| &mut low[TILE - 16..TILE]);
            // SAFETY: AMX implies the vectors.
            unsafe { split_steps(&even, &odd, high, low) }
        }
    }
}

/// A line of 16 floats of the high tile from two steps of depth, and of the low one where there is
/// one.
#[target_feature(enable = "avx512f,avx512bf16")]
fn split_steps(even: &[f32; 16], odd: &[f32; 16], high: &mut [f32], low: Option<&mut [f32]>) {
    assert!(high.len() == 16 && low.as_ref().is_none_or(|low| low.len() == 16));
    // SAFETY: all of them are 16 floats.
    unsafe {
        let (even, odd) = (_mm512_loadu_ps(even.as_ptr()), _mm512_loadu_ps(odd.as_ptr()));
        let (even_high, odd_high) = (bits(even), bits(odd));
        let line = |even, odd| _mm512_or_si512(even, _mm512_slli_epi32::<16>(odd));
        _mm512_storeu_si512(high.as_mut_ptr().cast(), line(even_high, odd_high));
        if let Some(low) = low {
            let even_low = bits(_mm512_sub_ps(even, number(even_high)));
            let odd_low = bits(_mm512_sub_ps(odd, number(odd_high)));
            _mm512_storeu_si512(low.as_mut_ptr().cast(), line(even_low, odd_low));
        }
    }
}

/// The nearest number of 16 bits to each, in the lower half of its lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn bits(x: __m512) -> __m512i {
    // SAFETY: both are 256 bits without any that are not allowed.
    let halves: __m256i = unsafe { std::mem::transmute(_mm512_cvtneps_pbh(x)) };
    _mm512_cvtepu16_epi32(halves)
}

/// The numbers whose bits stand in the lower half of their lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn number(bits: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
}

thread_local! {
    /// The left side's tiles, used again for every product.
    static LEFT: RefCell<Aligned> = const { RefCell::new(Aligned::new()) };
}

/// `out = clamp(left · matrix + bias + add)`.
///
/// # Safety
/// AMX is available; pointers and lengths of the job fit each other; `panels` were packed by
/// [`pack`] and `bias` has [`padded_width`] floats.
pub(super) unsafe fn multiply<const HALVES: usize>(job: &Job) {
    let depth_tiles = job.depth.div_ceil(TILE_DEPTH);
    // Two tiles of rows side by side; all of them of nearly equal height.
    let chunk_tiles = (LEFT_FLOATS / (depth_tiles * HALVES * TILE)).max(2) & !1;
    let num_tiles = job.num_rows.div_ceil(TILE_ROWS);
    let num_chunks = num_tiles.div_ceil(chunk_tiles);
    LEFT.with_borrow_mut(|left| {
        for chunk in 0..num_chunks {
            let share = |chunk: usize| chunk * job.num_rows / num_chunks;
            // SAFETY: the caller's.
            unsafe {
                multiply_rows::<HALVES>(job, depth_tiles, share(chunk)..share(chunk + 1), left);
            }
        }
    });
}

/// Shapes of the eight tiles, as `ldtilecfg` reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Computes the result's `rows`, whose left side has room in `left`.
///
/// # Safety
/// As [`multiply`]'s.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn multiply_rows<const HALVES: usize>(
    job: &Job,
    depth_tiles: usize,
    rows: Range<usize>,
    left: &mut Aligned,
) {
    // Floats from one row of tiles, or column of them, to the next.
    let line = depth_tiles * HALVES * TILE;
    let height = rows.len().div_ceil(rows.len().div_ceil(TILE_ROWS));
    let num_tiles = rows.len().div_ceil(height);
    let left = left.at_least(num_tiles * line).as_mut_ptr();
    // Tiles 0 to 3 hold results, 4 and 5 the left side, 6 and 7 the matrix.
    let mut shapes =
        Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    shapes.row_bytes[..8].fill(64);
    shapes.rows[..6].fill(height as u8);
    shapes.rows[6..8].fill(TILE_ROWS as u8);
    let mut results = Results([0.0; 4 * TILE]);
    let results = results.0.as_mut_ptr();
    let column_tiles = job.width.div_ceil(TILE_COLUMNS);
    // SAFETY: the caller's; `left` has the halves of each tile of rows and of depth, `panels`
    // those of each of columns and of depth, and the second of each two is looked at where it is.
    unsafe {
        split_left::<HALVES>(job, depth_tiles, rows.clone(), height, left);
        asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly));
        for column in (0..column_tiles).step_by(2) {
            let matrix = job.panels.add(column * line);
            let next = matrix.wrapping_add(line);
            for tile in (0..num_tiles).step_by(2) {
                let upper = left.add(tile * line).cast_const();
                let lower = upper.wrapping_add(line);
                let first_row = rows.start + tile * height;
                let finish = |row: usize, columns: usize, first: usize, step: usize| {
                    let first_row = first_row + row * height;
                    let rows = first_row..rows.end.min(first_row + height);
                    let sums = Sums { first: results.add(first * TILE), step: step * TILE };
                    write(job, rows, (column + columns) * TILE_COLUMNS, sums);
                };
                match (tile + 1 < num_tiles, column + 1 < column_tiles) {
                    (true, true) => {
                        two_by_two::<HALVES>(upper, lower, matrix, next, depth_tiles, results);
                        finish(0, 0, 0, 0);
                        finish(0, 1, 1, 0);
                        finish(1, 0, 2, 0);
                        finish(1, 1, 3, 0);
                    }
                    (true, false) => {
                        two_by_one::<HALVES>(upper, lower, matrix, depth_tiles, results);
                        finish(0, 0, 0, 1);
                        finish(1, 0, 2, 1);
                    }
                    (false, true) => {
                        one_by_two::<HALVES>(upper, matrix, next, depth_tiles, results);
                        finish(0, 0, 0, 2);
                        finish(0, 1, 1, 2);
                    }
                    (false, false) => {
                        one_by_one::<HALVES>(upper, matrix, depth_tiles, results);
                        finish(0, 0, 0, 1);
                    }
                }
            }
        }
        asm!("tilerelease", options(nostack, nomem));
    }
}

/// The four tiles of results.
#[repr(C, align(64))]
struct Results([f32; 4 * TILE]);

/// A tile of the result: one of [`Results`], or the sum of two that lie `step` floats apart.
#[derive(Clone, Copy)]
struct Sums {
    first: *const f32,
    /// 0 for one.
    step: usize,
}

/// Splits rows of the left side into the halves of `[row tiles, depth tiles]`, zeros behind the depth.
/// What the last tile has below the last row is left as it is: no result that counts reads it.
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn split_left<const HALVES: usize>(
    job: &Job,
    depth_tiles: usize,
    rows: Range<usize>,
    height: usize,
    left: *mut f32,
) {
    let mask = |count: usize| -> __mmask16 { if count < 16 { (1 << count) - 1 } else { !0 } };
    for (idx, row) in rows.enumerate() {
        // SAFETY: the row is one of the job's; masks keep the reads inside its depth. `left` has
        // room for the halves of all rows.
        unsafe {
            let from = job.left.add(row * job.left_stride);
            let to = left.add(idx / height * depth_tiles * HALVES * TILE + idx % height * 16);
            for tile in 0..depth_tiles {
                let first = tile * TILE_DEPTH;
                let rest = job.depth - first;
                let one = _mm512_maskz_loadu_ps(mask(rest), from.wrapping_add(first));
                let two = _mm512_maskz_loadu_ps(
                    mask(rest.saturating_sub(16)),
                    from.wrapping_add(first + 16),
                );
                let high: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(two, one));
                let to = to.add(tile * HALVES * TILE);
                _mm512_store_si512(to.cast(), high);
                if HALVES == 1 {
                    continue;
                }
                let one_high = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(high));
                let two_high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64::<1>(high));
                let low: __m512i = std::mem::transmute(_mm512_cvtne2ps_pbh(
                    _mm512_sub_ps(two, number(two_high)),
                    _mm512_sub_ps(one, number(one_high)),
                ));
                _mm512_store_si512(to.add(TILE).cast(), low);
            }
        }
    }
}

/// Writes rows of one tile of the result: bias, addition and clamping.
#[target_feature(enable = "avx512f")]
unsafe fn write(job: &Job, rows: Range<usize>, column: usize, sums: Sums) {
    let count = job.width - column;
    let mask: __mmask16 = if count < 16 { (1 << count) - 1 } else { !0 };
    let mut place = job.rows.position(rows.start);
    let mut left_in_run = job.rows.run - rows.start % job.rows.run;
    // SAFETY: the caller's: rows and the columns of the mask lie inside the result, the bias is
    // there for whole tiles, and `sums` has a line for each row.
    unsafe {
        let bias = _mm512_loadu_ps(job.bias.add(column));
        let (low, high) = (_mm512_set1_ps(job.clamp.low), _mm512_set1_ps(job.clamp.high));
        for idx in 0..rows.len() {
            let mut sum = _mm512_load_ps(sums.first.add(idx * 16));
            if sums.step > 0 {
                sum = _mm512_add_ps(sum, _mm512_load_ps(sums.first.add(sums.step + idx * 16)));
            }
            sum = _mm512_add_ps(sum, bias);
            let at = place * job.out_stride + column;
            if !job.add.is_null() {
                sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, job.add.wrapping_add(at)));
            }
            // In this order a NaN stays one.
            sum = _mm512_min_ps(high, _mm512_max_ps(low, sum));
            _mm512_mask_storeu_ps(job.out.wrapping_add(at), mask, sum);
            place += 1;
            left_in_run -= 1;
            if left_in_run == 0 {
                place += job.rows.gap;
                left_in_run = job.rows.run;
            }
        }
    }
}

/// A loop over the depth: from tiles of the left side (`upper`, `lower` rows) and of the matrix
/// (`first`, `second` columns) to four tiles of results. Where there are fewer than four
/// products, the halves' are added up apart, so that no sum waits for the one before.
macro_rules! tile_loop {
    ($(#[$doc:meta])* $name:ident($($operand:ident),*):
        bf16: $($high:literal)*; rest of f32: $($low:literal)*) => {
        $(#[$doc])*
        unsafe fn $name<const HALVES: usize>(
            $($operand: *const f32,)*
            depth_tiles: usize,
            results: *mut f32,
        ) {
            // SAFETY: the caller's pointers are valid for the halves of `depth_tiles` tiles and for
            // four tiles; the tiles are configured.
            unsafe {
                if HALVES == 1 {
                    tile_loop!(@run $($operand)*; depth_tiles, results; "1024"; $($high)*);
                } else {
                    tile_loop!(@run $($operand)*; depth_tiles, results; "2048"; $($high)* $($low)*);
                }
            }
        }
    };
    (@run $($operand:ident)*; $count:ident, $results:ident; $bytes:literal; $($line:literal)*) => {
        asm!(
            "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
            "2:",
            $($line,)*
            $(concat!("add {", stringify!($operand), "}, ", $bytes),)*
            "dec {count}",
            "jnz 2b",
            "tilestored [{results} + {line}], tmm0",
            "tilestored [{results} + {line} + 1024], tmm1",
            "tilestored [{results} + {line} + 2048], tmm2",
            "tilestored [{results} + {line} + 3072], tmm3",
            $($operand = inout(reg) $operand => _,)*
            count = inout(reg) $count => _,
            line = in(reg) 64_usize,
            results = in(reg) $results,
            options(nostack),
        )
    };
}

tile_loop! {
    /// Results 0 and 1 are the upper row's, 2 and 3 the lower one's.
    two_by_two(upper, lower, first, second):
    bf16:
    "tileloadd tmm4, [{upper} + {line}]"
    "tileloadd tmm6, [{first} + {line}]"
    "tdpbf16ps tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{second} + {line}]"
    "tdpbf16ps tmm1, tmm4, tmm7"
    "tileloadd tmm5, [{lower} + {line}]"
    "tdpbf16ps tmm2, tmm5, tmm6"
    "tdpbf16ps tmm3, tmm5, tmm7";
    rest of f32:
    "tileloadd tmm6, [{first} + {line} + 1024]"
    "tdpbf16ps tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{second} + {line} + 1024]"
    "tdpbf16ps tmm1, tmm4, tmm7"
    "tdpbf16ps tmm2, tmm5, tmm6"
    "tdpbf16ps tmm3, tmm5, tmm7"
    "tileloadd tmm4, [{upper} + {line} + 1024]"
    "tileloadd tmm6, [{first} + {line}]"
    "tdpbf16ps tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{second} + {line}]"
    "tdpbf16ps tmm1, tmm4, tmm7"
    "tileloadd tmm5, [{lower} + {line} + 1024]"
    "tdpbf16ps tmm2, tmm5, tmm6"
    "tdpbf16ps tmm3, tmm5, tmm7"
}

tile_loop! {
    /// Results 0 + 1 are the upper row's, 2 + 3 the lower one's.
    two_by_one(upper, lower, first):
    bf16:
    "tileloadd tmm6, [{first} + {line}]"
    "tileloadd tmm4, [{upper} + {line}]"
    "tdpbf16ps tmm0, tmm4, tmm6"
    "tileloadd tmm5, [{lower} + {line}]"
    "tdpbf16ps tmm2, tmm5, tmm6";
    rest of f32:
    "tileloadd tmm7, [{first} + {line} + 1024]"
    "tdpbf16ps tmm1, tmm4, tmm7"
    "tdpbf16ps tmm3, tmm5, tmm7"
    "tileloadd tmm4, [{upper} + {line} + 1024]"
    "tdpbf16ps tmm1, tmm4, tmm6"
    "tileloadd tmm5, [{lower} + {line} + 1024]"
    "tdpbf16ps tmm3, tmm5, tmm6"
}

tile_loop! {
    /// Results 0 + 2 are the first column's, 1 + 3 the second one's.
    one_by_two(upper, first, second):
    bf16:
    "tileloadd tmm4, [{upper} + {line}]"
    "tileloadd tmm6, [{first} + {line}]"
    "tdpbf16ps tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{second} + {line}]"
    "tdpbf16ps tmm1, tmm4, tmm7";
    rest of f32:
    "tileloadd tmm5, [{upper} + {line} + 1024]"
    "tdpbf16ps tmm2, tmm5, tmm6"
    "tdpbf16ps tmm3, tmm5, tmm7"
    "tileloadd tmm6, [{first} + {line} + 1024]"
    "tdpbf16ps tmm2, tmm4, tmm6"
    "tileloadd tmm7, [{second} + {line} + 1024]"
    "tdpbf16ps tmm3, tmm4, tmm7"
}

tile_loop! {
    /// Results 0 + 1 are the only ones.
    one_by_one(upper, first):
    bf16:
    "tileloadd tmm4, [{upper} + {line}]"
    "tileloadd tmm6, [{first} + {line}]"
    "tdpbf16ps tmm0, tmm4, tmm6";
    rest of f32:
    "tileloadd tmm5, [{upper} + {line} + 1024]"
    "tdpbf16ps tmm1, tmm5, tmm6"
    "tileloadd tmm7, [{first} + {line} + 1024]"
    "tdpbf16ps tmm1, tmm4, tmm7"
}
