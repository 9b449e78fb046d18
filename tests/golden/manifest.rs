//! What the manifest of weights says of networks against the networks themselves: fingerprints of
//! features rest on it where no weights are.

use cinetag::nn::{
    Device, ImageEncoder, ModelSource, Precision, SentenceBert, WeightCache, image_encoder::Traits,
    sentence_bert::Pooling, weights::Manifest,
};

use crate::networks::pretrained;

#[test]
fn the_manifest_knows_what_the_networks_are() {
    let nowhere = tempfile::tempdir().unwrap();
    let without = WeightCache::open(Some(nowhere.path().to_owned())).unwrap();
    for model in Manifest::built_in().models {
        let id = &model.id;
        let Some(files) = pretrained(id) else { continue };
        let source = ModelSource::Known(id.clone());
        assert_eq!(without.digest(&source).unwrap(), files.digest, "{id}");
        assert_eq!(cinetag::base::Digest::of_file(&files.weights).unwrap(), files.digest, "{id}");
        let known = Traits::of_network(&model.network, Precision::F32);
        assert_eq!(known.is_some(), model.network.starts_with("efficientnet"), "{id}");
        if let Some(known) = known {
            let load = |precision| ImageEncoder::load_in(&files, &Device::Cpu, precision).unwrap();
            assert_eq!(*load(Precision::F32).traits(), known, "{id}");
            let known = Traits::of_network(&model.network, Precision::F16).unwrap();
            assert_eq!(*load(Precision::F16).traits(), known, "{id}");
        }
        if let (Some(dim), Some(max_tokens)) = (model.dim, model.max_tokens) {
            let network = SentenceBert::load(&files, &Device::Cpu).unwrap();
            assert_eq!((network.dim(), network.max_tokens()), (dim, max_tokens), "{id}");
            assert_eq!(network.pooling(), Pooling::default(), "{id}");
        }
    }
}
