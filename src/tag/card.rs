//! The model card: what whoever meets a bundle must know of it.

use std::fmt::Write;

use learn::TrainedModel;

use super::{BundleConfig, BundleModality};

/// `README.md` of a bundle. `figures` is a Markdown table of held-out figures, if there are
/// any.
#[must_use]
pub fn model_card(config: &BundleConfig, model: &TrainedModel, figures: Option<&str>) -> String {
    let mut card = String::new();
    let trained = &config.trained_on;
    let names: Vec<_> = config.modalities.iter().map(|m| m.name.as_str()).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(
        card,
        "# {}\n\nA cinetag bundle: genres for films from {}.\n",
        config.name,
        names.join(", ")
    );
    for note in &config.notes {
        let _ = writeln!(card, "> {note}\n");
    }
    let about = &config.about;
    let mut section = |heading: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(card, "## {heading}\n\n{text}\n");
        }
    };
    section("Terms", &about.terms);
    section("Attribution", &about.attribution);
    section("Intended use", &about.intended_use);
    let limits: Vec<String> = about.limits.iter().map(|limit| format!("- {limit}")).collect();
    section("What it does not know", &limits.join("\n"));
    section("The data", &about.data);
    let _ = writeln!(
        card,
        "## Trained on\n\n{} labelled titles of `{}` (SHA-256 {}), seed {}, {}.\n",
        trained.num_titles,
        trained.catalog,
        trained.catalog_sha256,
        trained.seed,
        match model.spec().num_members {
            1 => "fitted once".to_owned(),
            members => format!("{members} members"),
        }
    );
    let _ = writeln!(card, "## Genres\n\n{}\n", config.genres.names().join(", "));
    let _ = writeln!(card, "## How well\n");
    let _ = match figures {
        Some(figures) => writeln!(
            card,
            "Held-out figures of a cross-validation with the same settings; the bundle itself \
             was trained on all of these titles.\n\n{figures}"
        ),
        None => {
            writeln!(card, "Not measured: the pipeline has no evaluation before the training.\n")
        }
    };
    let _ = writeln!(card, "## Encoders\n");
    for BundleModality { name, made_by, min_stated, .. } in &config.modalities {
        let least = match min_stated {
            0 => String::new(),
            least => format!(", not looked at where fewer than {least} columns are stated"),
        };
        let _ = writeln!(card, "- {name}: {made_by}{least}");
    }
    let _ = writeln!(
        card,
        "\n`cinetag tag PATH… --bundle DIR` uses it, and refuses where an encoder at hand is not \
         one of these. A probability is calibrated on films like those it was trained on; on \
         others it is a guess. Genres that are not in the list are never given."
    );
    card
}
