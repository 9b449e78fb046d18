//! Who looks at titles when a decoder hangs and somebody wants to stop.

use std::{path::Path, sync::mpsc::channel, thread, time::Duration};

use cinetag::{
    base::{Interrupt, NoProgress, TitleId},
    catalog::Title,
    encode::EncoderContext,
    extract::{ExtractError, ExtractSettings, OpenModalities, Session},
    store::FeatureStore,
};
use serde_json::json;

use super::media::{misbehaving, write_tone};

/// Long enough for any answer, and much shorter than a decoder may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn title(folder: &Path, name: &str) -> Title {
    let trailers = vec![folder.join(name)];
    Title { trailers, ..Title::new(TitleId::new(name)) }
}

#[test]
fn titles_in_hand_are_given_their_time_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let names = ["good.wav", "stuck.wav"];
    // Of unlike content: one source is decoded once, whatever it is called.
    for (name, secs) in names.into_iter().zip(1..) {
        write_tone(&root.join(name), 16_000, secs);
    }
    let titles = names.map(|name| title(root, name));
    let settings = [("audio".to_owned(), json!({}))].into();
    let modalities = OpenModalities::open(&settings, &EncoderContext::default()).unwrap();
    let store = FeatureStore::open(&root.join("store"));
    let limits = ExtractSettings { jobs: 2, grace_secs: 0, ..ExtractSettings::default() };
    let session = Session::new(modalities.into(), &store, &limits)
        .decoding_with(misbehaving(root, "hang:stuck"));

    let interrupt = Interrupt::default();
    let (sender, ended) = channel();
    thread::scope(|scope| {
        let (session, interrupt) = (&session, &interrupt);
        scope.spawn(move || {
            let looked = session.look_all(&titles, &NoProgress, interrupt);
            sender.send(looked.map(drop)).unwrap();
        });
        // The other title is done while one hangs.
        let own = store.encoder(&session.modalities().encoders()[0].identity).unwrap();
        while session.num_held() == 0 {
            assert!(ended.try_recv().is_err(), "it does not wait for the decoder that hangs");
            thread::yield_now();
        }
        interrupt.raise();
        let looked = ended.recv_timeout(PATIENCE).expect("it waits for the decoder that hangs");
        assert!(matches!(looked.unwrap_err(), ExtractError::Interrupted(_)));
        let index = own.index().unwrap();
        assert_eq!((index.len(), index.failures().len()), (1, 0), "nothing is known of the other");
    });
}
