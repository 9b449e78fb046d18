//! Titles and tags for the room's tests.

use std::collections::BTreeMap;

use base::TitleId;
use catalog::Title;
use tag::{GenreScore, Moment, TitleTags};

/// A title with a plot and no files.
pub(super) fn title_of(id: &str) -> Title {
    Title {
        name: "A <Film> & more".to_owned(),
        year: Some(1995),
        plot: Some("A locksmith\u{1} opens a door.".to_owned()),
        ..Title::new(TitleId::new(id))
    }
}

/// Tags of these genres, and a score of one more that is none.
pub(super) fn tags_of(genres: &[&str]) -> TitleTags {
    let title = title_of("film");
    let score = |(idx, genre): (usize, &&str)| GenreScore {
        genre: (*genre).to_owned(),
        probability: 0.7 - 0.1 * idx as f32,
        threshold: 0.38,
        decision: true,
        base: -0.9,
        contributions: BTreeMap::from([("ears".to_owned(), 0.4), ("eyes".to_owned(), 1.3)]),
    };
    let mut scores: Vec<_> = genres.iter().enumerate().map(score).collect();
    scores.push(GenreScore { decision: false, probability: 0.1, ..score((0, &"Western")) });
    TitleTags {
        id: title.id,
        title: title.name,
        year: title.year,
        genres: genres.iter().map(|&genre| genre.to_owned()).collect(),
        doubtful: Vec::new(),
        scores,
        from_speech_alone: false,
        said: Vec::new(),
        transcript: None,
        moments: BTreeMap::from([(
            "eyes".to_owned(),
            vec![Moment { time_secs: 12.4, weight: 0.5 }, Moment { time_secs: 3.0, weight: 0.25 }],
        )]),
        missing: BTreeMap::new(),
        model: "films@9f86d081884c7d65".to_owned(),
        version: "0.1.0".to_owned(),
        tagged_at: Some("2026-01-31T12:00:00Z".parse().unwrap()),
    }
}
