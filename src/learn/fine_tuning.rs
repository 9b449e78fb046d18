//! What is true of a text view whose network's last layers are trained.

use std::{collections::HashMap, sync::Arc};

use base::{DeviceChoice, Hinted};
use candle_core::{DType, Device, Tensor};
use dataset::{Dataset, SentenceStates};

use super::{
    LearnConfig, LearnError,
    config::{FineTuning, TextView},
    laws::{all, bert, config, fit, library, network, states_of},
};

/// Ten times what the states' f16 was measured to cost, of a vector's largest number.
const F16_ERROR: f32 = 2e-3;
const STORY: &str = "A story of love and war, of ghosts in the last city; her ship is his.";

fn fine_tuned(fine_tuned: FineTuning) -> LearnConfig {
    LearnConfig { text_views: vec![TextView::FineTuned], fine_tuned, ..config("late-fusion") }
}

fn quick(learning_rate: f64) -> LearnConfig {
    fine_tuned(FineTuning { learning_rate, ..FineTuning::default() })
}

/// The text alone, planted.
fn text_alone() -> Dataset {
    library(true).with_modalities(&[0])
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The weights that a fit leaves behind in its first member, by name.
fn weights(data: &Dataset, config: &LearnConfig) -> HashMap<String, Tensor> {
    let folder = tempfile::tempdir().unwrap();
    fit(data, config, 1).unwrap().save(folder.path()).unwrap();
    let path = folder.path().join("member-0/weights.safetensors");
    nn::tensor_file::load(path, &Device::Cpu).unwrap()
}

#[test]
fn the_layers_asked_for_change_and_no_other_is_kept() {
    let network = network("bert");
    for layers in [1, 2] {
        let settings = FineTuning { layers, learning_rate: 1e-3, ..FineTuning::default() };
        let learned = weights(&text_alone(), &fine_tuned(settings).with(|c| c.fusion.epochs = 2));
        let begun = network.weights_of(&network.last_layers(layers).unwrap()).unwrap();
        assert_eq!(begun.len(), 16 * layers);
        for (name, before) in &begun {
            let after = &learned[&format!("branches.0.{name}")];
            // Attention does not change when the same is added to the scores of all keys.
            let is_idle = name.ends_with("key.bias");
            assert!(is_idle || values(before) != values(after), "{name} is as it was");
        }
        let kept = learned.keys().filter(|name| name.contains("encoder.layer")).count();
        assert_eq!(kept, begun.len(), "layers below are the encoder's own");
    }
}

#[test]
fn the_loss_falls_further_than_with_layers_that_rest() {
    let data = text_alone();
    let last_loss = |learning_rate: f64| {
        let config =
            quick(learning_rate).with(|c| (c.fusion.batch_titles, c.fusion.patience) = (16, 25));
        let model = fit(&data, &config, 1).unwrap();
        let log = model.training()[0].clone();
        let (first, last) = (log.train_loss[0], *log.train_loss.last().unwrap());
        assert!(last < first, "{first} to {last}");
        last
    };
    let (rests, learns) = (last_loss(1e-9), last_loss(2e-3));
    assert!(learns < 0.9 * rests, "resting {rests}, learned {learns}");
}

#[test]
fn a_saved_model_says_the_same_and_wants_the_network_that_it_was_fitted_on() {
    let data = library(true);
    let model = fit(&data, &quick(2e-3).with(|c| c.fusion.epochs = 4), 5).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path()).unwrap();
    let opened = super::TrainedModel::load(folder.path(), DeviceChoice::Cpu).unwrap();
    // The data anew, as another run would bring it: nothing is left of the first one's states.
    let (before, after) =
        (model.predict(&data, &all()).unwrap(), opened.predict(&library(true), &all()).unwrap());
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&before.logit), bits(&after.logit));
    assert_eq!(bits(&before.contributions), bits(&after.contributions));

    let with = |sentences: Option<SentenceStates>| {
        let mut other = data.clone();
        Arc::make_mut(&mut other.modalities[0]).sentences = sentences.map(Arc::new);
        opened.predict(&other, &all()).unwrap_err().to_string()
    };
    let another = states_of(network("bert"), "another");
    let message = with(Some(another));
    assert!(message.contains("the last layers were trained on the encoder"), "{message}");
    let message = with(None);
    assert!(message.contains("no sentence network made its features"), "{message}");
}

#[test]
fn it_begins_where_the_frozen_features_are() {
    for family in ["bert", "distilbert", "xlm-roberta"] {
        let network = network(family);
        let states = states_of(network.clone(), family);
        let window = network.first_window(STORY, 16).unwrap();
        let frozen = network.embed(std::slice::from_ref(&window)).unwrap();
        for layers in [1, 2] {
            let last = network.last_layers(layers).unwrap();
            let weights = network.weights_of(&last).unwrap();
            let tokens = states.of(&[STORY], last.num_below(), 16).unwrap().remove(0);
            let tokens = tokens.to_dtype(DType::F32).unwrap().unsqueeze(0).unwrap();
            let param = |name: &str| Ok(weights[name].clone());
            let found =
                last.forward(&tokens, &[window.ids.len()], &param, &mut |x: Tensor| Ok(x)).unwrap();
            let largest = frozen.iter().fold(0_f32, |max, x| max.max(x.abs()));
            for (found, frozen) in values(&found).iter().zip(&frozen) {
                let error = (found - frozen).abs() / largest;
                assert!(error <= F16_ERROR, "{family} {layers}: {error}");
            }
        }
    }
}

#[test]
fn states_are_computed_once_for_all_tables_of_the_data() {
    let states = bert();
    let of =
        |text: &str| values(&states.of(&[text], 1, 16).unwrap()[0].to_dtype(DType::F32).unwrap());
    assert_eq!(of(STORY), of(STORY));
    let both = states.of(&[STORY, "a ship", STORY], 1, 16).unwrap();
    assert_eq!(both[0].id(), both[2].id(), "computed once");
    assert_eq!(states.of(&[STORY], 1, 16).unwrap()[0].id(), both[0].id(), "and kept");
    assert_ne!(states.of(&[STORY], 0, 16).unwrap()[0].id(), both[0].id());
    assert_eq!(states.of(&[STORY], 1, 5).unwrap()[0].dims(), [5, 24]);
    assert_eq!(states.of(&[""], 1, 5).unwrap()[0].dims(), [2, 24], "the special tokens alone");
    let data = library(true);
    let masked = data.masked(|title, _| title % 2 == 0);
    let shared = |data: &Dataset| data.modalities[0].sentences.clone().unwrap();
    assert!(Arc::ptr_eq(&shared(&data), &shared(&masked)));
}

#[test]
fn the_datas_digest_covers_the_network() {
    let mut data = library(true);
    let before = data.digest();
    assert_eq!(before, library(true).digest());
    let other = states_of(network("bert"), "another");
    Arc::make_mut(&mut data.modalities[0]).sentences = Some(Arc::new(other));
    assert_ne!(data.digest(), before);
}

#[test]
fn what_cannot_be_trained_is_refused_with_a_mend() {
    let refusal = |data: &Dataset, settings: FineTuning| -> LearnError {
        fit(data, &fine_tuned(settings), 1).err().unwrap()
    };
    let data = text_alone();
    let of = |family: &str| {
        let mut data = data.clone();
        let states = states_of(network(family), family);
        Arc::make_mut(&mut data.modalities[0]).sentences = Some(Arc::new(states));
        data
    };
    let mut without = data.clone();
    Arc::make_mut(&mut without.modalities[0]).sentences = None;
    let defaults = FineTuning::default;
    for (error, words, mend) in [
        (
            refusal(&data, FineTuning { layers: 3, ..defaults() }),
            "`learn.fine_tuned.layers` must be at most 2",
            "got 3",
        ),
        (
            refusal(&data, FineTuning { max_tokens: 161, ..defaults() }),
            "`learn.fine_tuned.max_tokens` must be at most 160",
            "got 161",
        ),
        (refusal(&of("mpnet"), defaults()), "MPNet", "all-minilm-l6-v2"),
        (refusal(&without, defaults()), "no sentence network", "take \"fine-tuned\" out"),
    ] {
        let hint = error.hint().unwrap_or_default();
        assert!(error.to_string().contains(words), "{error}");
        assert!(hint.contains(mend) || error.to_string().contains(mend), "{error}: {hint}");
    }
}
