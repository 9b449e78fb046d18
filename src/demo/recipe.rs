//! Decides what each title is, before a single picture is drawn.
//!
//! in: a number of titles and a seed; out: [`Recipe`]s, which hold all that the painters and
//! players need. The first titles of a longer library are those of a shorter one.
//!
//! Each channel of a title (shots, sound, poster, wording, record) hears the title's genres
//! through a [`Mixture`] of its own: one genre may stay unexpressed, a wrong one may be mixed
//! in, and part of everything is drawn from no genre in particular. So every channel says
//! something, none says all, and some contradict each other.
//!
//! One file, though long: chances are drawn in one order, which a library of a seed depends on.

use base::Seed;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    plot,
    scene::{Setting, Shot},
    style::{GENRES, PLAIN, Palette, SoundStyle},
};

/// A true genre that a channel does not show, where there is another to show.
const UNEXPRESSED: f64 = 0.1;
/// A channel that shows a genre the title does not have.
const MISLEADING: f64 = 0.12;
/// A single pick that follows no genre.
const PLAIN_PICK: f64 = 0.15;
/// A poster of a title with several genres that shows two settings.
const TWO_PICTURES: f64 = 0.75;
/// A palette that is not that of the setting.
const OTHER_PALETTE: f64 = 0.25;
/// A title without trailer; without poster; without plot.
const MISSING: f64 = 0.07;
/// A trailer without sound stream, and one whose sound stream is silence.
const SOUNDLESS: f64 = 0.08;
/// One title in so many has a narrator, where there is one: to be listened to takes its time.
const NARRATED_EVERY: usize = 3;
/// An empty cell of the record.
const EMPTY_CELL: f64 = 0.08;
/// A wrong label: one genre dropped or added.
const WRONG_LABEL: f64 = 0.02;
/// A title whose genres nobody has written down.
const UNLABELLED: f64 = 0.03;

/// A title and all that is to be made for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recipe {
    pub(super) id: String,
    pub(super) name: String,
    /// What it is, positions in [`GENRES`], ascending.
    pub(super) genres: Vec<usize>,
    /// What the catalog says it is.
    pub(super) labels: Vec<usize>,
    pub(super) group: Option<String>,
    pub(super) record: Record,
    pub(super) story: Option<String>,
    pub(super) sheet: Option<Sheet>,
    pub(super) trailer: Option<Trailer>,
}

/// The catalog's facts about a title.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) year: Option<i32>,
    pub(super) minutes: Option<i32>,
    pub(super) language: Option<String>,
    pub(super) country: Option<String>,
    pub(super) director: Option<String>,
}

/// A poster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sheet {
    pub(super) name: String,
    /// One picture, or two of which the second fills the lower part.
    pub(super) shots: Vec<Shot>,
    /// The moment of the shots that is shown.
    pub(super) at_secs: f32,
    pub(super) png: bool,
    pub(super) title_above: bool,
}

/// A trailer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trailer {
    pub(super) name: String,
    pub(super) takes: Vec<Take>,
    pub(super) sound: Sound,
    /// VP9 and Opus in webm instead of H.264 and AAC in mp4.
    pub(super) webm: bool,
    pub(super) letterbox: bool,
    pub(super) grain: f32,
    /// How far colours are faded to grey, 0..1.
    pub(super) faded: f32,
    pub(super) keyframe_interval: u32,
    pub(super) seed: u64,
    /// What a voice reads over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) narration: Option<Narration>,
}

/// A text that is read aloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Narration {
    /// Who reads it.
    pub(super) voice: String,
    pub(super) text: String,
}

/// Has `voice` read every third story over its trailer, where that has sound.
pub(super) fn narrate(recipes: &mut [Recipe], voice: &str) {
    for recipe in recipes.iter_mut().step_by(NARRATED_EVERY) {
        let (Some(text), Some(trailer)) = (&recipe.story, &mut recipe.trailer) else { continue };
        if matches!(trailer.sound, Sound::Sections(_)) {
            let voice = voice.to_owned();
            trailer.narration = Some(Narration { voice, text: text.clone() });
        }
    }
}

/// A shot and its length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Take {
    pub(super) shot: Shot,
    pub(super) secs: f32,
    /// The cut is a keyframe by order; else the encoder decides.
    pub(super) keyframe: bool,
}

/// What is to be heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Sound {
    /// No stream.
    None,
    /// A stream of silence.
    Silence,
    /// One style after the other, equally long.
    Sections(Vec<(SoundStyle, u64)>),
}

/// Genres with their weights, as one channel of one title shows them.
struct Mixture(Vec<(usize, f32)>);

impl Mixture {
    fn of(genres: &[usize], rng: &mut ChaCha8Rng) -> Self {
        let mut shown: Vec<(usize, f32)> =
            genres.iter().map(|&genre| (genre, rng.random_range(0.6..1.0))).collect();
        if shown.len() > 1 && rng.random_bool(UNEXPRESSED) {
            shown.remove(rng.random_range(0..shown.len()));
        }
        if rng.random_bool(MISLEADING) {
            let wrong = rng.random_range(0..GENRES.len());
            shown.push((wrong, rng.random_range(0.6..1.2)));
        }
        Self(shown)
    }

    /// One genre, or now and then any.
    fn pick(&self, rng: &mut ChaCha8Rng) -> usize {
        if rng.random_bool(PLAIN_PICK) {
            return rng.random_range(0..GENRES.len());
        }
        weighted(&self.0, rng)
    }
}

fn weighted(choices: &[(usize, f32)], rng: &mut ChaCha8Rng) -> usize {
    let total: f32 = choices.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.random::<f32>() * total;
    for &(choice, weight) in choices {
        left -= weight;
        if left <= 0.0 {
            return choice;
        }
    }
    choices.last().map_or(0, |(choice, _)| *choice)
}

/// One of a list that is not empty.
pub(super) fn one_of<'a, T>(list: &'a [T], rng: &mut ChaCha8Rng) -> &'a T {
    &list[rng.random_range(0..list.len())]
}

/// The recipes of a library of `num_titles`.
pub(super) fn recipes(num_titles: usize, seed: Seed) -> Vec<Recipe> {
    let mut recipes = Vec::with_capacity(num_titles);
    let mut order: Vec<usize> = Vec::new();
    let mut taken = Vec::new();
    let mut supports = vec![0_usize; GENRES.len()];
    for production in 0.. {
        if recipes.len() >= num_titles {
            break;
        }
        let mut rng = seed.rng(&format!("production {production}"));
        // Every genre leads once in eight productions.
        if order.is_empty() {
            order = (0..GENRES.len()).collect();
            for i in (1..order.len()).rev() {
                order.swap(i, rng.random_range(0..=i));
            }
        }
        let genres = genres_around(order.pop().unwrap_or_default(), &supports, &mut rng);
        let name = loop {
            let name = plot::title_name(&mut rng);
            if !taken.contains(&name) {
                break name;
            }
        };
        taken.push(name.clone());
        let num_parts = match rng.random_range(0.0..1.0) {
            share if share < 0.84 => 1,
            share if share < 0.94 => 2,
            _ => 3,
        };
        let group = (num_parts > 1).then(|| format!("franchise-{production:03}"));
        for part in 0..num_parts {
            if recipes.len() >= num_titles {
                break;
            }
            let id = format!("synthetic-{:04}", recipes.len() + 1);
            let name = match part {
                0 => name.clone(),
                part => {
                    format!("{name} {}: {}", part + 1, PLAIN.sequels[part % PLAIN.sequels.len()])
                }
            };
            for genre in &genres {
                supports[*genre] += 1;
            }
            recipes.push(recipe(id, name, genres.clone(), group.clone(), seed));
        }
    }
    recipes
}

/// One to three genres: the leading one and those that go with it, the rarer ones first;
/// `supports` says how many titles each has so far.
fn genres_around(lead: usize, supports: &[usize], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let num_genres = match rng.random_range(0.0..1.0) {
        share if share < 0.42 => 1,
        share if share < 0.85 => 2,
        _ => 3,
    };
    let mut genres = vec![lead];
    while genres.len() < num_genres {
        let mut choices = Vec::new();
        for (other, style) in GENRES.iter().enumerate() {
            let gladly = GENRES[lead].with.get(&style.name);
            if let Some(&weight) = gladly.filter(|_| !genres.contains(&other)) {
                let rare = 4.0 / (4.0 + supports[other] as f32);
                choices.push((other, weight * rare * rare));
            }
        }
        genres.push(weighted(&choices, rng));
    }
    genres.sort_unstable();
    genres
}

fn recipe(
    id: String,
    name: String,
    genres: Vec<usize>,
    group: Option<String>,
    seed: Seed,
) -> Recipe {
    let stream = |what: &str| seed.derive(&id).rng(what);
    let mut rng = stream("gaps");
    let (mut no_trailer, mut no_sheet, no_story) =
        (rng.random_bool(MISSING), rng.random_bool(MISSING), rng.random_bool(MISSING));
    if no_story && no_sheet {
        (no_trailer, no_sheet) = (false, no_sheet && !no_trailer);
    }
    let mut labels = genres.clone();
    if rng.random_bool(WRONG_LABEL) {
        let other = rng.random_range(0..GENRES.len());
        if !labels.contains(&other) {
            labels.push(other);
        } else if labels.len() > 1 {
            labels.retain(|label| *label != other);
        }
        labels.sort_unstable();
    }
    if rng.random_bool(UNLABELLED) {
        labels.clear();
    }
    let record = record(&genres, &mut stream("facts"));
    let story = (!no_story).then(|| {
        let mut rng = stream("wording");
        let mixture = Mixture::of(&genres, &mut rng);
        plot::story(&mut rng, |rng| mixture.pick(rng))
    });
    let sheet = (!no_sheet).then(|| sheet(&name, &genres, &mut stream("sheet")));
    let trailer =
        (!no_trailer).then(|| trailer(&name, &genres, &mut stream("takes"), &mut stream("score")));
    Recipe { id, name, genres, labels, group, record, story, sheet, trailer }
}

fn record(genres: &[usize], rng: &mut ChaCha8Rng) -> Record {
    let mixture = Mixture::of(genres, rng);
    let within = |[low, high]: [i32; 2], rng: &mut ChaCha8Rng| rng.random_range(low..=high);
    let year = within(GENRES[mixture.pick(rng)].record.years, rng);
    let minutes = within(GENRES[mixture.pick(rng)].record.minutes, rng);
    let market = one_of(&GENRES[mixture.pick(rng)].record.markets, rng);
    let (language, country) = market.split_once('/').unwrap_or((market, ""));
    // Each genre has two directors at home, who work elsewhere too.
    let home = mixture.pick(rng) + GENRES.len() * rng.random_range(0..2);
    let away = rng.random_range(0..PLAIN.directors.len());
    let director = PLAIN.directors[if rng.random_bool(0.6) { home } else { away }].clone();
    let mut known = || !rng.random_bool(EMPTY_CELL);
    Record {
        year: known().then_some(year),
        minutes: known().then_some(minutes),
        language: known().then(|| language.to_owned()),
        country: known().then(|| country.to_owned()),
        director: known().then_some(director),
    }
}

fn shot(mixture: &Mixture, rng: &mut ChaCha8Rng) -> (usize, Shot) {
    let genre = mixture.pick(rng);
    let setting: Setting = *one_of(&GENRES[genre].settings, rng);
    let painted_as = if rng.random_bool(OTHER_PALETTE) { mixture.pick(rng) } else { genre };
    let palette: Palette = *one_of(&GENRES[painted_as].palettes, rng);
    let motion = (GENRES[genre].motion * rng.random_range(0.6..1.4)).min(1.2);
    (genre, Shot { setting, palette, seed: rng.random(), motion })
}

fn sheet(name: &str, genres: &[usize], rng: &mut ChaCha8Rng) -> Sheet {
    let mixture = Mixture::of(genres, rng);
    let mut shots = vec![shot(&mixture, rng).1];
    if mixture.0.len() > 1 && rng.random_bool(TWO_PICTURES) {
        let second = shot(&mixture, rng).1;
        if second.setting != shots[0].setting {
            shots.push(second);
        }
    }
    Sheet {
        name: name.to_owned(),
        shots,
        at_secs: rng.random_range(0.4..1.2),
        png: rng.random_bool(0.2),
        title_above: rng.random_bool(0.4),
    }
}

fn trailer(name: &str, genres: &[usize], rng: &mut ChaCha8Rng, score: &mut ChaCha8Rng) -> Trailer {
    let mixture = Mixture::of(genres, rng);
    let wanted_secs = rng.random_range(8.0..13.5);
    let mut takes: Vec<Take> = Vec::new();
    while takes.iter().map(|take| take.secs).sum::<f32>() < wanted_secs {
        let (genre, shot) = shot(&mixture, rng);
        let [shortest, longest] = GENRES[genre].shot_secs;
        let secs = rng.random_range(shortest..longest);
        takes.push(Take { shot, secs, keyframe: rng.random_bool(0.6) });
    }
    Trailer {
        name: name.to_owned(),
        takes,
        sound: sound(genres, score),
        webm: rng.random_bool(0.15),
        letterbox: rng.random_bool(0.35),
        grain: rng.random_range(0.0..0.03),
        faded: if rng.random_bool(0.06) { 1.0 } else { rng.random_range(0.0..0.25) },
        keyframe_interval: rng.random_range(48..120),
        seed: rng.random(),
        narration: None,
    }
}

fn sound(genres: &[usize], rng: &mut ChaCha8Rng) -> Sound {
    if rng.random_bool(SOUNDLESS) {
        return if rng.random_bool(0.7) { Sound::None } else { Sound::Silence };
    }
    let mixture = Mixture::of(genres, rng);
    let sections = (0..rng.random_range(3..=4)).map(|_| {
        let mut style = GENRES[mixture.pick(rng)].sound.clone();
        style.tempo_bpm *= rng.random_range(0.88..1.14);
        style.loudness_db += rng.random_range(-3.5..3.5);
        style.register_hz *= rng.random_range(0.8..1.25);
        style.noise_hz *= rng.random_range(0.7..1.4);
        for share in [
            &mut style.lead,
            &mut style.pad,
            &mut style.drums,
            &mut style.hats,
            &mut style.bass,
            &mut style.noise,
            &mut style.narration,
        ] {
            *share *= rng.random_range(0.6..1.4);
        }
        (style, rng.random())
    });
    Sound::Sections(sections.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_a_longer_library_begins_like_a_shorter_one() {
        let all = recipes(60, Seed(1));
        assert_eq!(all, recipes(60, Seed(1)));
        assert_eq!(all[..17], recipes(17, Seed(1)));
        assert_ne!(all, recipes(60, Seed(2)));
    }

    #[test]
    fn a_voice_changes_nothing_but_what_is_read_aloud() {
        let silent = recipes(60, Seed(1));
        let mut narrated = silent.clone();
        narrate(&mut narrated, "a voice");
        let read: Vec<&Recipe> = narrated
            .iter()
            .filter(|recipe| recipe.trailer.as_ref().is_some_and(|t| t.narration.is_some()))
            .collect();
        assert!(read.len() >= 12, "{} are narrated", read.len());
        for recipe in read {
            let trailer = recipe.trailer.as_ref().unwrap();
            assert_eq!(trailer.narration.as_ref().map(|n| &n.text), recipe.story.as_ref());
        }
        for recipe in &mut narrated {
            recipe.trailer.iter_mut().for_each(|trailer| trailer.narration = None);
        }
        assert_eq!(narrated, silent);
    }

    #[test]
    fn sixty_titles_have_what_a_lesson_needs() {
        for seed in 0..20 {
            let all = recipes(60, Seed(seed));
            assert_eq!(all.len(), 60);
            for genre in 0..GENRES.len() {
                let support = all.iter().filter(|r| r.labels.contains(&genre)).count();
                assert!(support >= 7, "seed {seed}: {support} of {}", GENRES[genre].name);
            }
            let count = |is: &dyn Fn(&Recipe) -> bool| all.iter().filter(|r| is(r)).count();
            assert!(count(&|r| r.genres.len() > 1) > 15);
            assert!(count(&|r| r.trailer.is_none()) < 15);
            for r in &all {
                assert!(r.story.is_some() || r.sheet.is_some() || r.trailer.is_some(), "{}", r.id);
            }
        }
    }

    #[test]
    fn the_usual_library_has_every_kind_of_gap() {
        let all = recipes(super::super::NUM_TITLES, super::super::SEED);
        let some = |is: &dyn Fn(&Recipe) -> bool| assert!(all.iter().any(is));
        some(&|r| r.trailer.is_none());
        some(&|r| r.sheet.is_none());
        some(&|r| r.story.is_none());
        some(&|r| r.labels.is_empty());
        some(&|r| !r.labels.is_empty() && r.labels != r.genres);
        some(&|r| r.trailer.as_ref().is_some_and(|t| t.sound == Sound::None));
        some(&|r| r.trailer.as_ref().is_some_and(|t| t.sound == Sound::Silence));
        some(&|r| r.trailer.as_ref().is_some_and(|t| t.webm));
        some(&|r| r.record.year.is_none());
        some(&|r| r.group.is_some());
    }
}
