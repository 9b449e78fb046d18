//! Bytes of unknown encoding as text.
//!
//! in: bytes, and the encoding that the file declares, if it does; out: text. A byte order mark
//! goes before the declaration, the declaration before UTF-8; bytes that are none of these are
//! read as Windows-1252, which no byte breaks.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Reads bytes as text; the byte order mark is taken off.
#[must_use]
pub fn decode(bytes: &[u8], declared: Option<&str>) -> String {
    let declared = declared.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    // A text that is read byte by byte cannot be UTF-16, whatever it declares.
    let declared = declared.filter(|encoding| encoding.is_ascii_compatible());
    let (encoding, mark_len) = Encoding::for_bom(bytes).unwrap_or((declared.unwrap_or(UTF_8), 0));
    encoding
        .decode_without_bom_handling_and_without_replacement(&bytes[mark_len..])
        .unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(bytes).0)
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_then_declaration_then_utf8_then_a_guess() {
        assert_eq!(decode("é".as_bytes(), None), "é");
        assert_eq!(decode(b"\xef\xbb\xbf\xc3\xa9", Some("latin1")), "é");
        assert_eq!(decode(b"\xff\xfeA\0\xe9\0", None), "Aé");
        assert_eq!(decode(b"\xb1", Some("ISO-8859-2")), "ą");
        assert_eq!(decode(b"caf\xe9 \x93x\x94", None), "café “x”");
        assert_eq!(decode(b"caf\xe9", Some("utf-8")), "café");
        assert_eq!(decode(b"plain", Some("utf-16")), "plain");
        assert_eq!(decode(b"", None), "");
    }
}
