//! Damage of one input: of its bytes, of its numbers, of the tree of a JSON text.

use rand::{Rng, RngExt};
use serde_json::{Value, json};

use super::files;

/// No input is larger: what a few kilobytes cannot bring down, megabytes rarely do.
const MAX_BYTES: usize = 2 << 20;

/// How an input is made up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Bytes,
    /// See [`files`].
    Files,
}

/// One of the seeds, damaged in one to four places.
pub fn mutate(seeds: &[Vec<u8>], tokens: &[&[u8]], form: Form, rng: &mut impl Rng) -> Vec<u8> {
    let pick = |rng: &mut dyn Rng| &seeds[(rng.next_u64() % seeds.len() as u64) as usize];
    let (seed, other) = (pick(rng), pick(rng));
    let mut bytes = match form {
        Form::Bytes => damaged(seed, other, tokens, rng),
        Form::Files => {
            let (mut all, others) = (files::unpack(seed), files::unpack(other));
            let idx = rng.random_range(0..all.len());
            let (name, content) = &all[idx];
            let twin = others.iter().find(|(twin, _)| twin == name);
            let content = damaged(content, twin.map_or(content, |(_, twin)| twin), tokens, rng);
            all[idx].1 = content;
            if rng.random_range(0..16) == 0 {
                all.swap_remove(rng.random_range(0..all.len()));
            }
            files::pack(&all)
        }
    };
    bytes.truncate(MAX_BYTES);
    bytes
}

fn damaged(seed: &[u8], other: &[u8], tokens: &[&[u8]], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..[1, 1, 1, 2, 2, 3, 4][rng.random_range(0..7)] {
        if bytes.is_empty() {
            bytes.push(rng.random());
        }
        if rng.random_range(0..3) == 0
            && let Some(changed) = json_damaged(&bytes, tokens, rng)
        {
            bytes = changed;
            continue;
        }
        damage(&mut bytes, other, tokens, rng);
    }
    bytes
}

/// Numbers at the edges of what a reader may expect.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x10_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];
const FLOATS: [f64; 7] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e38, 1e-300, -0.0];
const DIGITS: [&str; 12] = [
    "-1",
    "0",
    "1",
    "65536",
    "4294967296",
    "2147483648",
    "18446744073709551615",
    "9223372036854775808",
    "99999999999999999999999",
    "1e308",
    "1e999",
    "0.5",
];

fn damage(bytes: &mut Vec<u8>, other: &[u8], tokens: &[&[u8]], rng: &mut impl Rng) {
    let len = bytes.len();
    let from = rng.random_range(0..len);
    let widest = [4, 16, 64, 1024, 1 << 16][rng.random_range(0..5)];
    let to = (from + rng.random_range(1..=widest)).min(len);
    let token = |rng: &mut dyn Rng| -> Vec<u8> {
        match tokens.len() as u64 {
            0 => vec![rng.next_u64() as u8],
            num => tokens[(rng.next_u64() % num) as usize].to_vec(),
        }
    };
    match rng.random_range(0..14) {
        0 | 1 => {
            for _ in 0..rng.random_range(1..=8) {
                let at = rng.random_range(0..len);
                bytes[at] ^= 1 << rng.random_range(0..8);
            }
        }
        2 => bytes[from] = rng.random(),
        3 | 4 => {
            let edge = EDGES[rng.random_range(0..EDGES.len())];
            let edge = edge.wrapping_add(rng.random_range(0..3)).wrapping_sub(1);
            let width = [1, 2, 4, 8][rng.random_range(0..4)];
            let number = match rng.random_range(0..3) {
                0 => edge.to_be_bytes()[8 - width..].to_vec(),
                _ => edge.to_le_bytes()[..width].to_vec(),
            };
            overwrite(bytes, from, &number);
        }
        5 => drop(bytes.drain(from..to)),
        6 => {
            let piece = bytes[from..to].to_vec();
            let times = if rng.random_range(0..4) == 0 { rng.random_range(1..2000) } else { 1 };
            insert(bytes, to, &piece.repeat(times.min(MAX_BYTES / piece.len())));
        }
        7 => {
            let token = token(rng);
            insert(bytes, from, &token);
        }
        8 => {
            let token = token(rng);
            overwrite(bytes, from, &token);
        }
        9 => {
            let times = 10_usize.pow(rng.random_range(1..=5));
            let token = token(rng);
            insert(bytes, from, &token.repeat(times.min(MAX_BYTES / token.len().max(1))));
        }
        10 if !other.is_empty() => {
            let start = rng.random_range(0..other.len());
            let end = (start + to - from).min(other.len());
            bytes.splice(from..to, other[start..end].iter().copied());
        }
        11 => bytes.truncate(from),
        12 => {
            let float = FLOATS[rng.random_range(0..FLOATS.len())];
            if rng.random_range(0..2) == 0 {
                overwrite(bytes, from & !3, &(float as f32).to_le_bytes());
            } else {
                overwrite(bytes, from & !7, &float.to_le_bytes());
            }
        }
        _ => digits(bytes, from, rng),
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes[at..].iter_mut().zip(with) {
        *byte = *new;
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if bytes.len() + piece.len() <= MAX_BYTES {
        bytes.splice(at..at, piece.iter().copied());
    }
}

/// The next number that is written in digits becomes another one.
fn digits(bytes: &mut Vec<u8>, from: usize, rng: &mut impl Rng) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[from..].iter().position(is_digit).map(|at| from + at) else { return };
    let len = bytes[start..].iter().take_while(|byte| is_digit(byte)).count();
    let new = DIGITS[rng.random_range(0..DIGITS.len())].bytes();
    bytes.splice(start..start + len, new);
}

/// Another tree, where the bytes are JSON.
fn json_damaged(bytes: &[u8], tokens: &[&[u8]], rng: &mut impl Rng) -> Option<Vec<u8>> {
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return None;
    }
    let mut tree: Value = serde_json::from_slice(bytes).ok()?;
    let mut count = 0;
    each(&mut tree, &mut |_| count += 1);
    let target = rng.random_range(0..count);
    let mut at = 0;
    each(&mut tree, &mut |node| {
        if at == target {
            replace(node, tokens, rng);
        }
        at += 1;
    });
    serde_json::to_vec(&tree).ok()
}

/// All nodes, parents first; what a node is changed to is not entered.
fn each(node: &mut Value, tell: &mut dyn FnMut(&mut Value)) {
    let before = std::mem::discriminant(node);
    tell(node);
    if std::mem::discriminant(node) != before {
        return;
    }
    match node {
        Value::Array(values) => values.iter_mut().for_each(|value| each(value, tell)),
        Value::Object(map) => map.values_mut().for_each(|value| each(value, tell)),
        _ => {}
    }
}

fn replace(node: &mut Value, tokens: &[&[u8]], rng: &mut impl Rng) {
    let choice = rng.random_range(0..12);
    match (choice, &mut *node) {
        (0..4, Value::Array(values)) if !values.is_empty() => {
            let idx = rng.random_range(0..values.len());
            match choice {
                0 => drop(values.remove(idx)),
                1 => values.insert(idx, values[idx].clone()),
                2 => values.clear(),
                _ => {
                    let times = rng.random_range(1..200);
                    values.extend(std::iter::repeat_n(values[idx].clone(), times));
                }
            }
        }
        (0..3, Value::Object(map)) if !map.is_empty() => {
            let name = map.keys().nth(rng.random_range(0..map.len())).cloned().unwrap_or_default();
            let value = map.remove(&name).unwrap_or_default();
            if choice > 0
                && let Some(token) = text(tokens, rng)
            {
                map.insert(token, value);
            }
        }
        (_, Value::Number(number)) => {
            let old = number.as_f64().unwrap_or(0.0);
            *node = match rng.random_range(0..8) {
                0 => json!(old + 1.0),
                1 => json!(number.as_u64().unwrap_or(0).wrapping_add(1)),
                2 => json!(number.as_u64().unwrap_or(1).saturating_sub(1)),
                3 => json!(-1),
                4 => json!(1e308),
                5 => json!(old * 1e6),
                _ => json!(EDGES[rng.random_range(0..EDGES.len())]),
            };
        }
        (4, _) => *node = Value::Null,
        (5, _) => *node = json!(EDGES[rng.random_range(0..EDGES.len())]),
        (6, _) => *node = json!([]),
        (7, _) => *node = json!({}),
        (8, _) => *node = (0..100).fold(json!(1), |inner, _| json!([inner])),
        (9, _) => *node = json!("x".repeat(1 << rng.random_range(0..16))),
        _ => *node = json!(text(tokens, rng).unwrap_or_default()),
    }
}

fn text(tokens: &[&[u8]], rng: &mut impl Rng) -> Option<String> {
    let idx = rng.random_range(0..tokens.len().max(1));
    tokens.get(idx).map(|token| String::from_utf8_lossy(token).into_owned())
}
