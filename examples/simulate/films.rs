//! Films with what is known of them, divided at random, and what models say of them.

use cinetag::{
    base::{DeviceChoice, Digest, Interrupt, NoProgress, Seed},
    catalog,
    dataset::Dataset,
    encode::EncoderContext,
    eval::{GateConfig, Groups, PinnedTest, Verdict, gate::judge, significance::Said},
    extract::OpenModalities,
    learn::{LearnConfig, TrainedModel, heads::FitContext},
    pipeline::Pipeline,
    store::FeatureStore,
};
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

/// Films with what is known of them.
pub(crate) struct Films {
    pub(crate) data: Dataset,
    pub(crate) groups: Vec<usize>,
    pub(crate) config: LearnConfig,
}

/// Probabilities and decisions, `[titles, genres]`.
pub(crate) struct Scored(pub(crate) Array2<f64>, pub(crate) Array2<bool>);

impl Films {
    pub(crate) fn read(pipeline: &Pipeline) -> Self {
        let (catalog, _) = catalog::load(&pipeline.catalog).unwrap();
        let modalities =
            OpenModalities::open(&pipeline.modality, &EncoderContext::default()).unwrap();
        let store = FeatureStore::open(&pipeline.run.store);
        let looked = modalities.stored(&catalog.titles, &store).unwrap();
        let data = looked.data.with_genres(catalog.vocabulary.names().to_vec(), catalog.labels());
        assert!(catalog.titles.iter().all(|title| title.labelled), "all films want labels");
        Self { data, groups: catalog.group_idxs(), config: pipeline.learn.clone() }
    }

    /// All films, groups in a random order and their films side by side: wherever it is divided, at most
    /// one group is cut.
    pub(crate) fn shuffled(&self, seed: Seed) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.groups.len()).collect();
        places.shuffle(&mut seed.rng("groups"));
        let mut films: Vec<usize> = (0..self.groups.len()).collect();
        films.sort_by_key(|&film| (places[self.groups[film]], film));
        films
    }

    /// A model of `train`, as `data` labels it.
    pub(crate) fn model(
        &self,
        data: &Dataset,
        train: &[usize],
        config: &LearnConfig,
        seed: Seed,
    ) -> TrainedModel {
        let context = FitContext {
            device: DeviceChoice::Cpu,
            seed,
            inner_folds: &[],
            progress: &NoProgress,
            interrupt: &Interrupt::default(),
            parts: None,
        };
        TrainedModel::fit(data, train, &self.groups, config, &context).unwrap()
    }

    /// The gate on these films, as they are truly labelled.
    pub(crate) fn judged(
        &self,
        old: &Scored,
        new: &Scored,
        films: &[usize],
        config: &GateConfig,
    ) -> Verdict {
        let labels = self.data.labels_matrix(films);
        let test = PinnedTest {
            labels: labels.view(),
            groups: Groups::new(films.iter().map(|&film| self.groups[film])),
            genres: &self.data.genres,
            digest: Digest::of_bytes(b"simulated"),
        };
        let [old, new] =
            [old, new].map(|scored| Said { scores: scored.0.view(), decisions: scored.1.view() });
        judge(old, new, &test, config)
    }
}

impl Scored {
    /// What a model says of films.
    pub(crate) fn of(model: &TrainedModel, data: &Dataset, films: &[usize]) -> Self {
        let said = model.predict(data, films).unwrap();
        let shape = (films.len(), data.num_genres());
        let probabilities = said.probability.iter().map(|&p| f64::from(p)).collect();
        Self(
            Array2::from_shape_vec(shape, probabilities).unwrap(),
            Array2::from_shape_vec(shape, said.decision).unwrap(),
        )
    }

    /// Of the first films.
    pub(crate) fn first(&self, num: usize) -> Self {
        let rows: Vec<usize> = (0..num).collect();
        Self(self.0.select(Axis(0), &rows), self.1.select(Axis(0), &rows))
    }
}

/// Mean, least and most.
pub(crate) fn spread(values: impl Iterator<Item = f64> + Clone) -> String {
    let num = values.clone().count().max(1) as f64;
    let (least, most) = values
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)));
    format!("{:+.3} ({least:+.3} to {most:+.3})", values.sum::<f64>() / num)
}
