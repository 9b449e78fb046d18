//! As much of Thrift's compact protocol as Parquet's headers need.
//!
//! in: bytes; out: numbers of fields by their ids, anything else passed over. Depth is limited, and
//! nothing is allocated for a length that the bytes claim.
//! source: Apache Thrift, "Thrift Compact protocol encoding"

/// Lists and structs within each other, at most; Parquet's have five.
const MAX_DEPTH: usize = 16;

const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;

/// Bytes that are no such encoding, or end too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads from the front.
pub(super) struct Thrift<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    fn bytes(&mut self, num: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(num).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.bytes(1)?[0])
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    /// A whole number of 16, 32 or 64 bits.
    pub(super) fn number(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// A list's number of elements and their kind.
    pub(super) fn list(&mut self) -> Result<(u64, u8), Malformed> {
        let head = self.byte()?;
        let num = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Ok((num, head & 15))
    }

    /// The fields of a struct: `field` gets each one's id and kind and reads its value, or leaves it
    /// to be passed over.
    pub(super) fn fields(
        &mut self,
        mut field: impl FnMut(&mut Self, i64, u8) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.fields_within(0, &mut field)
    }

    fn fields_within(
        &mut self,
        depth: usize,
        field: &mut dyn FnMut(&mut Self, i64, u8) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            let kind = head & 15;
            if kind == STOP {
                return Ok(());
            }
            let step = i64::from(head >> 4);
            id = if step == 0 { self.number()? } else { id.checked_add(step).ok_or(Malformed)? };
            let before = self.rest.len();
            field(self, id, kind)?;
            if self.rest.len() == before {
                self.skip(kind, depth)?;
            }
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        match kind {
            TRUE | FALSE => Ok(()), // the kind is the value
            BYTE => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            DOUBLE => self.bytes(8).map(drop),
            BINARY => {
                let len = self.varint()?;
                self.bytes(usize::try_from(len).map_err(|_| Malformed)?).map(drop)
            }
            LIST | SET => {
                let (num, kind) = self.list()?;
                (0..num).try_for_each(|_| self.skip_element(kind, depth + 1))
            }
            MAP => {
                let num = self.varint()?;
                let kinds = if num == 0 { 0 } else { self.byte()? };
                (0..num).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth + 1)?;
                    self.skip_element(kinds & 15, depth + 1)
                })
            }
            STRUCT => self.fields_within(depth + 1, &mut |_, _, _| Ok(())),
            _ => Err(Malformed),
        }
    }

    /// In lists and maps a truth value is a byte of its own.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Result<(), Malformed> {
        match kind {
            TRUE | FALSE => self.byte().map(drop),
            kind => self.skip(kind, depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_ids_and_all_else_is_passed_over() {
        // 1: -3, 2: "ab", 3: [true, false], 4: {1: {}}, 5: true, 20: 300, 21: 1.0, 22: {1: 2}
        let bytes = [
            0x15, 5, 0x18, 2, b'a', b'b', 0x19, 0x21, 1, 2, 0x1c, 0x1c, 0, 0, 0x11, 0x05, 40, 0xd8,
            4, 0x17, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x1b, 1, 0x55, 2, 4, 0, 9,
        ];
        let mut found = Vec::new();
        let mut thrift = Thrift { rest: &bytes };
        thrift
            .fields(|thrift, id, kind| {
                if matches!(kind, 4..=6) {
                    found.push((id, thrift.number()?));
                }
                Ok(())
            })
            .unwrap();
        assert_eq!((found, thrift.rest), (vec![(1, -3), (20, 300)], &[9][..]));
        for len in 0..bytes.len() - 1 {
            assert!(Thrift { rest: &bytes[..len] }.fields(|_, _, _| Ok(())).is_err(), "{len}");
        }
    }

    #[test]
    fn depth_and_length_cost_nothing() {
        let deep = vec![0x1c_u8; 1 << 20];
        assert!(Thrift { rest: &deep }.fields(|_, _, _| Ok(())).is_err());
        let long = [0x18, 0xff, 0xff, 0xff, 0xff, 0x7f, b'a'];
        assert!(Thrift { rest: &long }.fields(|_, _, _| Ok(())).is_err());
        let many = [0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x7f, 1];
        assert!(Thrift { rest: &many }.fields(|_, _, _| Ok(())).is_err());
    }
}
