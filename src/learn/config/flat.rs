//! How settings are read and written.
//!
//! Written they are one flat table, in the order of old: files, locks, models and the keys of studies
//! stay what they were. Read, a setting may stand in `[learn]` itself or in the table of its part,
//! not in both.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    Base, Borrowing, Calibration, ClassWeights, Decide, FineTuning, LabelScheme, LearnConfig,
    LossKind, Pooling, PriorSettings, Resampling, SequenceSettings, StackSettings, TextView,
    TreeSettings,
};
use crate::transform::{TfIdfSettings, Word2vecSettings};

/// Declares what is written, in its order, and the tables of which each may be read.
macro_rules! settings {
    (
        written { $( $(#[$attr:meta])* $name:ident: $type:ty = $($path:ident).+, )+ }
        tables { $( $table:ident: $Table:ident { $( $member:ident: $member_type:ty, )+ } )+ }
    ) => {
        #[derive(Serialize)]
        struct Written<'a> {
            $( $(#[$attr])* $name: &'a $type, )+
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Read {
            $( #[serde(default, deserialize_with = "said")] $name: Option<$type>, )+
            $( #[serde(default, deserialize_with = "said")] $table: Option<$Table>, )+
        }

        $(
            #[derive(Deserialize)]
            #[serde(deny_unknown_fields)]
            struct $Table {
                $(
                    #[serde(default, deserialize_with = "said")]
                    $member: Option<$member_type>,
                )+
            }
        )+

        /// The tables below `[learn]` whose settings may stand in `[learn]` itself, too.
        pub const TABLES: &[(&str, &[&str])] =
            &[ $( (stringify!($table), &[ $( stringify!($member) ),+ ]) ),+ ];

        impl Serialize for LearnConfig {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Written { $( $name: &self.$($path).+, )+ }.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for LearnConfig {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let read = Read::deserialize(deserializer)?;
                let mut config = Self::default();
                $(
                    if let Some(table) = read.$table {
                        $(
                            if let Some(value) = table.$member {
                                if read.$member.is_some() {
                                    let (table, name) = (stringify!($table), stringify!($member));
                                    return Err(D::Error::custom(twice(table, name)));
                                }
                                config.$table.$member = value;
                            }
                        )+
                    }
                )+
                $(
                    if let Some(value) = read.$name {
                        config.$($path).+ = value;
                    }
                )+
                Ok(config)
            }
        }
    };
}

settings! {
    written {
        head: String = head,
        #[serde(skip_serializing_if = "is_usual")]
        text_views: Vec<TextView> = text_views,
        tfidf: TfIdfSettings = tfidf,
        word2vec: Word2vecSettings = word2vec,
        #[serde(skip_serializing_if = "is_usual")]
        glove: Option<PathBuf> = glove,
        sequence: SequenceSettings = sequence,
        #[serde(skip_serializing_if = "is_usual")]
        fine_tuned: FineTuning = fine_tuned,
        labels: LabelScheme = classical.labels,
        chains: usize = classical.chains,
        base: Base = base,
        #[serde(skip_serializing_if = "is_usual")]
        stack: StackSettings = stack,
        c: f64 = classical.c,
        gamma: f64 = classical.gamma,
        neighbours: usize = classical.neighbours,
        trees: TreeSettings = trees,
        pooling: Pooling = fusion.pooling,
        queries: usize = fusion.queries,
        hidden: usize = fusion.hidden,
        dropout: f64 = fusion.dropout,
        modality_dropout: f64 = fusion.modality_dropout,
        loss: LossKind = fusion.loss,
        unimodal_loss: f64 = fusion.unimodal_loss,
        class_weights: ClassWeights = imbalance.class_weights,
        effective_beta: f64 = imbalance.effective_beta,
        resampling: Resampling = imbalance.resampling,
        resampled_frac: f64 = imbalance.resampled_frac,
        #[serde(skip_serializing_if = "is_usual")]
        class_weight_power: Option<f64> = imbalance.class_weight_power,
        class_weight_cap: f64 = imbalance.class_weight_cap,
        label_smoothing: f64 = imbalance.label_smoothing,
        learning_rate: f64 = fusion.learning_rate,
        weight_decay: f64 = fusion.weight_decay,
        epochs: usize = fusion.epochs,
        patience: usize = fusion.patience,
        batch_titles: usize = fusion.batch_titles,
        ema: f64 = fusion.ema,
        members: usize = members,
        min_support: usize = min_support,
        #[serde(skip_serializing_if = "is_usual")]
        decide: Option<Decide> = decisions.decide,
        threshold_shrinkage: f64 = decisions.threshold_shrinkage,
        at_least_one: bool = decisions.at_least_one,
        #[serde(skip_serializing_if = "is_usual")]
        abstain: bool = decisions.abstain,
        calibration: Calibration = decisions.calibration,
        #[serde(skip_serializing_if = "is_usual")]
        precision: Option<f64> = decisions.precision,
        #[serde(skip_serializing_if = "is_usual")]
        borrowed: BTreeMap<String, Borrowing> = borrowed,
        #[serde(skip_serializing_if = "is_usual")]
        prior: Option<PriorSettings> = prior,
    }
    tables {
        fusion: FusionTable {
            pooling: Pooling,
            queries: usize,
            hidden: usize,
            dropout: f64,
            modality_dropout: f64,
            loss: LossKind,
            unimodal_loss: f64,
            learning_rate: f64,
            weight_decay: f64,
            epochs: usize,
            patience: usize,
            batch_titles: usize,
            ema: f64,
        }
        classical: ClassicalTable {
            labels: LabelScheme,
            chains: usize,
            c: f64,
            gamma: f64,
            neighbours: usize,
        }
        imbalance: ImbalanceTable {
            class_weights: ClassWeights,
            effective_beta: f64,
            resampling: Resampling,
            resampled_frac: f64,
            class_weight_power: Option<f64>,
            class_weight_cap: f64,
            label_smoothing: f64,
        }
        decisions: DecisionTable {
            decide: Option<Decide>,
            threshold_shrinkage: f64,
            at_least_one: bool,
            abstain: bool,
            calibration: Calibration,
            precision: Option<f64>,
        }
    }
}

/// A value that is there. Unlike an `Option`, it may not be null.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde gives a reference to the field
fn is_usual<T: Default + PartialEq>(value: &&T) -> bool {
    **value == T::default()
}

/// What is told of a setting that is given in both ways.
#[must_use]
pub fn twice(table: &str, name: &str) -> String {
    format!("`learn.{table}.{name}` and `learn.{name}` are one setting, given twice")
}

/// Where else a setting of `[learn]` may stand: its path below the table, of its path below the table.
#[must_use]
pub fn other_place(path: &[String]) -> Option<Vec<&'static str>> {
    let of = |&(table, names): &(&'static str, &'static [&'static str])| match path {
        [name] => names.iter().find(|own| *own == name).map(|own| vec![table, *own]),
        [part, name] if part == table => {
            names.iter().find(|own| *own == name).map(|own| vec![*own])
        }
        _ => None,
    };
    TABLES.iter().find_map(of)
}

/// What is told of a setting by its short name, told by the name that `has` knows: whether a file has
/// a setting in this table.
#[must_use]
pub fn as_written(message: &str, has: impl Fn(&str, &str) -> bool) -> String {
    let mut message = message.to_owned();
    for (table, names) in TABLES {
        for name in names.iter().filter(|name| has(table, name)) {
            message =
                message.replace(&format!("`learn.{name}`"), &format!("`learn.{table}.{name}`"));
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn flat(config: &LearnConfig) -> serde_json::Map<String, Value> {
        serde_json::to_value(config).unwrap().as_object().unwrap().clone()
    }

    /// Every setting but for those of [`LearnConfig::default`] that are left out where they are usual.
    const WRITTEN: &str = r#"{"head":"late-fusion","tfidf":{"ngrams":2,"min_texts":2,"sublinear":true,"stop_words":true,
"max_terms":0},"word2vec":{"dim":64,"window":5,"negatives":5,"min_count":3,"epochs":5,
"learning_rate":0.05},"sequence":{"kind":"cnn","embedding":64,"max_words":150,"min_texts":3},
"labels":"binary-relevance","chains":5,"base":"logistic-regression","c":3.0,"gamma":1.0,
"neighbours":30,"trees":{"trees":100,"min_leaf_titles":2,"rounds":100,"step":0.1,"depth":4,
"subsample":0.7},"pooling":"attention","queries":4,"hidden":64,"dropout":0.4,
"modality_dropout":0.25,"loss":"bce","unimodal_loss":0.5,"class_weights":"power",
"effective_beta":0.999,"resampling":"none","resampled_frac":0.25,"class_weight_cap":5.0,
"label_smoothing":0.02,"learning_rate":0.002,"weight_decay":0.02,"epochs":60,"patience":10,
"batch_titles":256,"ema":0.0,"members":4,"min_support":2,"threshold_shrinkage":10.0,
"at_least_one":true,"calibration":"platt"}"#;

    #[test]
    fn what_is_written_is_flat_and_stays_what_it_was() {
        let written = serde_json::to_string(&LearnConfig::default()).unwrap();
        assert_eq!(written, WRITTEN.lines().collect::<String>());
        let read: LearnConfig = serde_json::from_str(WRITTEN).unwrap();
        assert_eq!(read, LearnConfig::default());
        assert!(serde_json::from_str::<LearnConfig>("{\"dropout\": null}").is_err());
    }

    #[test]
    fn a_setting_is_read_flat_or_in_its_table_and_not_in_both() {
        let all = LearnConfig::default().with(|config| {
            config.decisions.decide = Some(Decide::ExpectedF1);
            config.decisions.precision = Some(0.5);
            config.decisions.abstain = true;
            config.imbalance.class_weight_power = Some(0.25);
        });
        let values = flat(&all);
        for (table, names) in TABLES {
            for name in *names {
                let value = &values[*name];
                let short: LearnConfig = serde_json::from_value(json!({ *name: value })).unwrap();
                let long = json!({ *table: { *name: value } });
                let long: LearnConfig = serde_json::from_value(long).unwrap();
                assert_eq!(short, long, "{table}.{name}");
                assert_eq!(flat(&long).get(*name), Some(value), "{table}.{name}");
                let both = json!({ *name: value, *table: { *name: value } });
                let refused = serde_json::from_value::<LearnConfig>(both).unwrap_err().to_string();
                assert_eq!(refused, twice(table, name));
            }
        }
        let all: LearnConfig = serde_json::from_value(Value::Object(values)).unwrap();
        assert!(all.decisions.abstain);
        let refused = toml::from_str::<LearnConfig>("[fusion]\nhiden = 3").unwrap_err();
        assert!(refused.message().contains("unknown field `hiden`"), "{refused}");
    }
}
