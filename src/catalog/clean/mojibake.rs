//! Texts that were UTF-8, read as Windows-1252, and written down so: `cafÃ©` for `café`.
//!
//! source: the way of the Python library ftfy, in its simplest case: turned back byte by byte
//! where that gives valid UTF-8 for every run of letters that looks broken.

use encoding_rs::WINDOWS_1252;

/// What the first byte of a character in UTF-8 looks like in Windows-1252.
const LEADS: [char; 15] =
    ['Ã', 'Â', 'Å', 'Ä', 'â', 'Ð', 'Ñ', 'Î', 'Ï', 'Ø', 'Ù', 'ã', 'å', 'æ', 'ð'];
/// Broken twice over is mended in two rounds.
const MAX_ROUNDS: usize = 2;

/// The text as it was meant; `None` where nothing looks broken.
pub(super) fn mended(text: &str) -> Option<String> {
    let mut current = None;
    for _ in 0..MAX_ROUNDS {
        let Some(better) = one_round(current.as_deref().unwrap_or(text)) else { break };
        current = Some(better);
    }
    current
}

fn one_round(text: &str) -> Option<String> {
    if !text.contains(LEADS) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut is_better = false;
    let mut rest = text;
    while let Some(at) = rest.find(LEADS) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((character, len)) = character(rest) {
            is_better = true;
            out.push(character);
            rest = &rest[len..];
        } else {
            let lead = rest.chars().next()?;
            out.push(lead);
            rest = &rest[lead.len_utf8()..];
        }
    }
    out.push_str(rest);
    is_better.then_some(out)
}

/// The character whose bytes, each read as one of Windows-1252, stand at the beginning; and how
/// long they are there.
fn character(text: &str) -> Option<(char, usize)> {
    let mut bytes = [0; 4];
    let mut len = 0;
    let mut num_bytes = 0;
    let mut needed = 4;
    for c in text.chars().take(4) {
        bytes[num_bytes] = byte_of(c)?;
        if num_bytes == 0 {
            needed = match bytes[0] {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return None,
            };
        }
        num_bytes += 1;
        len += c.len_utf8();
        if num_bytes == needed {
            let decoded = str::from_utf8(&bytes[..needed]).ok()?;
            return Some((decoded.chars().next()?, len));
        }
    }
    None
}

/// The byte that Windows-1252 (or Latin-1, where that has none) reads as this character.
fn byte_of(c: char) -> Option<u8> {
    if (c as u32) < 0x100 {
        return Some(c as u8);
    }
    let mut buffer = [0; 4];
    let (bytes, _, has_none) = WINDOWS_1252.encode(c.encode_utf8(&mut buffer));
    (!has_none && bytes.len() == 1).then(|| bytes[0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// UTF-8 read as Windows-1252.
    fn broken(text: &str) -> String {
        WINDOWS_1252.decode_without_bom_handling(text.as_bytes()).0.into_owned()
    }

    #[test]
    fn what_was_read_wrongly_is_read_again() {
        for text in ["café", "naïve — “quoted”…", "Łódź", "Амели", "千と千尋", "it’s"]
        {
            assert_eq!(mended(&broken(text)).as_deref(), Some(text));
        }
        assert_eq!(mended(&broken(&broken("café"))).as_deref(), Some("café"));
        assert_eq!(mended("half cafÃ© and half café").as_deref(), Some("half café and half café"));
    }

    #[test]
    fn what_is_right_is_left_alone() {
        for text in ["", "plain", "café", "São Paulo", "ÃO", "Ångström", "Â", "âge", "Señor Ñandú"]
        {
            assert_eq!(mended(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn ordinary_latin_text_is_never_changed(text in "[a-zäöüßéèêëàáçñ ]{0,40}") {
            prop_assert_eq!(mended(&text), None);
        }
    }
}
