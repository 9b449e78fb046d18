//! Whether all numbers of something fitted are numbers: a model that a stranger made may hold NaN and
//! infinities, which pass through every product and come out as an answer of some kind.
//!
//! in: whatever can be saved, walked through as if it were; out: the first float that is not finite

use std::fmt::{self, Display};

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// A number that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotFinite(String);

impl serde::ser::Error for NotFinite {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Whether every float in `fitted` is finite.
///
/// # Errors
/// The first that is not.
pub fn check(fitted: &impl Serialize) -> Result<(), NotFinite> {
    fitted.serialize(Walk)
}

fn finite(number: f64) -> Result<(), NotFinite> {
    if number.is_finite() {
        Ok(())
    } else {
        Err(NotFinite::custom(format_args!("it holds {number} in the place of a number")))
    }
}

#[derive(Clone, Copy)]
struct Walk;

/// Values that hold no floats.
macro_rules! leaves {
    ($($name:ident: $type:ty),*) => {$(
        fn $name(self, _: $type) -> Result<(), NotFinite> {
            Ok(())
        }
    )*};
}

impl Serializer for Walk {
    type Ok = ();
    type Error = NotFinite;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    leaves! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str, serialize_bytes: &[u8],
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_unit_struct: &'static str
    }

    fn serialize_f32(self, number: f32) -> Result<(), NotFinite> {
        finite(f64::from(number))
    }

    fn serialize_f64(self, number: f64) -> Result<(), NotFinite> {
        finite(number)
    }

    fn serialize_none(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), NotFinite> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotFinite> {
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NotFinite> {
        Ok(self)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), NotFinite> {
        Ok(())
    }
}

/// What consists of values one after another.
macro_rules! lists {
    ($($trait:ident $element:ident),*) => {$(
        impl $trait for Walk {
            type Ok = ();
            type Error = NotFinite;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), NotFinite> {
                Ok(())
            }
        }
    )*};
}
lists! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

/// What consists of values with names.
macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl $trait for Walk {
            type Ok = ();
            type Error = NotFinite;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), NotFinite> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), NotFinite> {
                Ok(())
            }
        }
    )*};
}
structs! { SerializeStruct, SerializeStructVariant }

impl SerializeMap for Walk {
    type Ok = ();
    type Error = NotFinite;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotFinite> {
        key.serialize(*self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotFinite> {
        value.serialize(*self)
    }

    fn end(self) -> Result<(), NotFinite> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    enum Part {
        None,
        One(f32),
        Two(f64, u8),
        Named { x: Option<f32> },
    }

    #[derive(Serialize)]
    struct Whole {
        name: &'static str,
        parts: Vec<Part>,
        by_name: BTreeMap<u8, (f32, Box<f64>)>,
    }

    fn whole(part: Part, in_map: f64) -> Whole {
        let parts = vec![Part::None, part];
        Whole { name: "NaN", parts, by_name: BTreeMap::from([(1, (0.0, Box::new(in_map)))]) }
    }

    #[test]
    fn a_number_that_is_none_is_found_wherever_it_stands() {
        for part in [Part::None, Part::One(f32::MAX), Part::Two(0.0, 1), Part::Named { x: None }] {
            check(&whole(part, -1e308)).unwrap();
        }
        let (nan, inf) = (f32::NAN, f64::NEG_INFINITY);
        for part in [Part::One(nan), Part::Two(inf, 1), Part::Named { x: Some(nan) }] {
            check(&whole(part, 0.0)).unwrap_err();
        }
        let words = check(&whole(Part::None, inf)).unwrap_err().to_string();
        assert_eq!(words, "it holds -inf in the place of a number");
    }
}
