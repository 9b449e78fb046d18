//! Settings of encoders: a TOML/JSON table over the defaults, unknown keys refused.

use nn::ModelSource;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::modality::EncodeError;

/// Reads settings of `modality`; keys that are absent keep their default.
///
/// # Errors
/// A key that `T` does not know (the message names those it does), or a value of another
/// type.
pub(super) fn read<T>(modality: &str, settings: &Value) -> Result<T, EncodeError>
where
    T: Default + Serialize + DeserializeOwned,
{
    let refuse = |message: String| EncodeError::Settings { modality: modality.to_owned(), message };
    let mut merged = defaults::<T>();
    let (Some(known), Some(given)) = (merged.as_object_mut(), settings.as_object()) else {
        return Err(refuse(format!("settings must be a table, got {settings}")));
    };
    for (key, value) in given {
        let Some(slot) = known.get_mut(key) else {
            let names: Vec<_> = known.keys().map(|name| format!("`{name}`")).collect();
            let names = names.join(", ");
            return Err(refuse(format!("unknown setting `{key}`, expected one of {names}")));
        };
        *slot = value.clone();
    }
    serde_json::from_value(merged).map_err(|error| {
        // Which one it is: the first that fits no defaults.
        let is_at_fault = |(key, value): &(&String, &Value)| {
            let mut alone = defaults::<T>();
            alone[key.as_str()] = (*value).clone();
            serde_json::from_value::<T>(alone).is_err()
        };
        match given.iter().find(is_at_fault) {
            Some((key, _)) => refuse(format!("`{key}`: {error}")),
            None => refuse(error.to_string()),
        }
    })
}

/// The default settings as a table.
pub(super) fn defaults<T: Default + Serialize>() -> Value {
    serde_json::to_value(T::default()).unwrap_or(Value::Null)
}

/// Ids of the pretrained models that settings name.
pub(super) fn models(defaults: &Value, settings: &Value) -> Vec<String> {
    let value = |key: &str| settings.get(key).or_else(|| defaults.get(key))?.as_str();
    let id = |name: &str| match name.parse() {
        Ok(ModelSource::Known(id)) => Some(id),
        _ => None,
    };
    ["model", "text_model"].into_iter().filter_map(value).filter_map(id).collect()
}

/// `Ok` if `condition` holds, else an error about a value out of range.
///
/// # Errors
/// The condition does not hold.
pub(super) fn expect(
    modality: &str,
    condition: bool,
    message: impl FnOnce() -> String,
) -> Result<(), EncodeError> {
    if condition {
        Ok(())
    } else {
        Err(EncodeError::Settings { modality: modality.to_owned(), message: message() })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Example {
        hop: u32,
        name: String,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { hop: 512, name: "x".to_owned() }
        }
    }

    #[test]
    fn absent_keys_keep_defaults_and_unknown_ones_are_named() {
        let read = |value| super::read::<Example>("example", &value);
        assert_eq!(read(json!({"hop": 256})).unwrap().hop, 256);
        assert_eq!(read(json!({})).unwrap(), Example::default());
        let message = read(json!({"hopp": 1})).unwrap_err().to_string();
        assert!(message.contains("`hopp`") && message.contains("`hop`, `name`"), "{message}");
        let message = read(json!({"hop": "wide"})).unwrap_err().to_string();
        assert!(message.contains("`hop`: invalid type"), "{message}");
    }
}
