//! Tags what lies in a folder (posters, plots, a media library) with a bundle that comes with the
//! program, and says why:
//!
//!     cargo run --release --example tag_a_folder -- films/
//!
//! Weights come by `cinetag models pull all-minilm-l6-v2 efficientnet-lite2`.

#![allow(clippy::print_stdout)] // it is what it is for

use std::{env, error::Error, path::PathBuf};

use cinetag::{
    base::DeviceChoice,
    catalog::{self, Hints},
    encode::EncoderContext,
    extract::{ExtractSettings, Session},
    media::worker,
    store::FeatureStore,
    tag::{ShippedBundle, Tagger},
};

fn main() -> Result<(), Box<dyn Error>> {
    // Files are decoded in processes of this same program.
    worker::serve_if_asked();

    let folder: PathBuf = env::args().nth(1).ok_or("name a folder")?.into();
    let opened = catalog::open(&[folder], &Hints::default())?;
    println!("{}: {} titles", opened.seen, opened.catalog.titles.len());

    let titles = &opened.catalog.titles;
    let shipped = ShippedBundle::for_titles(titles)?.ok_or("no bundle fits these titles")?;
    let bundle = shipped.load(DeviceChoice::Auto)?;
    let modalities = bundle.open_modalities(&EncoderContext::default())?;

    // Lives for as long as titles come: what was seen once is read from the store.
    let store = FeatureStore::open("feature_store".as_ref());
    let session = Session::new(modalities.into(), &store, &ExtractSettings::default());
    let tagger = Tagger::new(&bundle);
    for title in titles {
        let tags = tagger.tag(std::slice::from_ref(title), session.look(title)?)?;
        for tags in tags {
            println!("{}: {}", tags.title, tags.genres.join(", "));
            for score in tags.scores.iter().filter(|score| score.decision) {
                println!("    {} {:.2}: {:?}", score.genre, score.probability, score.contributions);
            }
            for (modality, reason) in &tags.missing {
                println!("    without {modality}: {reason}");
            }
        }
    }
    session.publish()?;
    Ok(())
}
