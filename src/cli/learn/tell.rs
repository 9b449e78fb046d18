//! What `cinetag learn` says.

use adapt::{Curated, Figures, Material, doubtful};
use catalog::{Catalog, Problem, ProblemKind};
use learn::ModelPrediction;

use super::Console;

/// Titles of which somebody would ask what they bring.
const MORE: usize = 50;

/// What people decided.
pub(super) fn curated(curated: &Curated, problems: &[Problem], console: &Console) {
    console.say(format!(
        "{} titles, {} with genres that people decided on{}",
        curated.num_titles,
        curated.num_labelled,
        match curated.num_partly {
            0 => String::new(),
            num => format!(", {num} of which not all is known"),
        }
    ));
    for problem in problems.iter().filter(|problem| problem.kind == ProblemKind::LeftOut) {
        console.problem(problem);
    }
    let width = curated.genres.iter().map(|genre| genre.genre.chars().count()).max().unwrap_or(0);
    for genre in &curated.genres {
        let unknown = match genre.unknown {
            0 => String::new(),
            num => format!("  {num} not known"),
        };
        console.data(format!(
            "{:width$}  {:>6} yes  {:>6} no{unknown}",
            genre.genre, genre.yes, genre.no
        ));
    }
}

/// What is learned, and from where.
pub(super) fn begins(material: &Material, console: &Console) {
    let new: Vec<&str> =
        material.genres.iter().filter(|own| own.there.is_none()).map(|own| &*own.name).collect();
    if let Some(prior) = &material.prior {
        let bundle = &prior.bundle;
        console.say(format!("begins with {}", bundle.model_name()));
        let about = &bundle.config.about;
        for (what, text) in [("terms", &about.terms), ("attribution", &about.attribution)] {
            if !text.is_empty() {
                console.say(format!("{what}: {text}"));
            }
        }
        let known = material.train.iter().filter(|&&title| material.known[title]).count();
        if known > 0 {
            console.say(format!(
                "{known} of the curated titles it was trained on: what it says of these is left out"
            ));
        }
        if !new.is_empty() {
            console.say(format!("genres that it does not know: {}", new.join(", ")));
        }
    }
}

/// Held-out figures.
pub(super) fn figures(figures: &Figures, console: &Console) {
    let verdict = &figures.verdict;
    console.data(format!(
        "held out, {} titles: micro F1 {:.3}, mAP {:.3}",
        figures.num_titles, verdict.micro_f1.new, verdict.map.new
    ));
    if figures.is_compared {
        for (name, change) in [("micro F1", &verdict.micro_f1), ("mAP", &verdict.map)] {
            console.data(format!(
                "  {name} {:+.3} ({:+.3} to {:+.3}, 90 %) beside the bundle that it begins with",
                change.difference, change.at_least, change.at_most
            ));
        }
    }
    if let Some([micro_f1, map]) = figures.of_more(MORE) {
        console.data(format!(
            "  {MORE} titles more would bring about {micro_f1:+.3} micro F1, {map:+.3} mAP, as the second half \
             of these did"
        ));
    }
}

/// The titles to label next.
pub(super) fn next(
    said: &ModelPrediction,
    material: &Material,
    catalog: &Catalog,
    num: usize,
    console: &Console,
) {
    let is_open = |title: usize| material.train.binary_search(&title).is_err();
    let found = doubtful(said, is_open, num);
    if found.is_empty() {
        return;
    }
    console.say("to label next, by the wrong genres to be expected of each:");
    for (title, errors) in found {
        let title = &catalog.titles[title];
        console.data(format!("{errors:>5.1}  {}  {}", title.id, title.name));
    }
}
