//! Bundles that the program ships, so that titles can be tagged before anything was trained.
//!
//! in: `assets/bundles`, made by the pipelines of the same names, part of the program itself;
//! out: a [`Bundle`], and which of them suits some titles. Each says under which terms it may be
//! used ([`About`](super::About)).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base::DeviceChoice;
use catalog::Title;
use encode::{Instance, registry};
use extract::MadeBy;
use include_dir::{Dir, include_dir};

use super::{Bundle, BundleConfig, TagError};

/// A bundle inside the program.
pub struct ShippedBundle {
    /// Its name: on the command line, and of its folder in `assets/bundles`.
    pub name: &'static str,
    /// Its configuration, which names the digests of all its other files: the compiler sees a
    /// change of it, and not of a folder.
    config: &'static [u8],
}

macro_rules! shipped {
    ($($name:literal),*) => {
        /// All of them, in the order in which they are tried.
        pub static SHIPPED: &[ShippedBundle] = &[$(ShippedBundle {
            name: $name,
            config: include_bytes!(concat!("../../assets/bundles/", $name, "/bundle.json")),
        }),*];
    };
}

shipped!("films-research", "films-research-large", "plots-open");

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../assets/bundles");

impl ShippedBundle {
    /// The bundle of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SHIPPED.iter().find(|bundle| bundle.name == name)
    }

    /// All names, for messages.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        SHIPPED.iter().map(|bundle| bundle.name).collect()
    }

    /// The first that fits the titles: each thing that its head was fitted on (a picture, a text)
    /// is there for some of them. Where none does, the first that can look at anything, or the first.
    ///
    /// # Errors
    /// A bundle cannot be read, which is a bug.
    pub fn for_titles(titles: &[Title]) -> Result<Option<&'static Self>, TagError> {
        let mut partly = None;
        for bundle in SHIPPED {
            let seen = bundle.sources_seen(titles)?;
            let mut own = seen.iter().filter(|(is_own, _)| *is_own).peekable();
            if own.peek().is_some() && own.all(|(_, seen)| *seen) {
                return Ok(Some(bundle));
            }
            if partly.is_none() && seen.iter().any(|(_, seen)| *seen) {
                partly = Some(bundle);
            }
        }
        Ok(partly.or(SHIPPED.first()))
    }

    /// `[encoders]`: whether the head was fitted on it, and whether any title has what it looks at.
    fn sources_seen(&self, titles: &[Title]) -> Result<Vec<(bool, bool)>, TagError> {
        let config = self.config()?;
        // What is read off the catalog is there or not, and costs nothing.
        let is_encoder = |made_by: &MadeBy| matches!(made_by, MadeBy::Encoder(_));
        let encoders = config.modalities.iter().filter(|modality| is_encoder(&modality.made_by));
        let seen = encoders.map(|modality| {
            let settings = BTreeMap::from([(modality.name.clone(), modality.settings.clone())]);
            let instances = registry::instances(&settings).unwrap_or_default();
            let sees = |title: &Title, instance: &Instance| !instance.sources(title).is_empty();
            let is_own = modality.borrowed_from.is_none();
            (is_own, instances.iter().any(|own| titles.iter().any(|title| sees(title, own))))
        });
        Ok(seen.collect())
    }

    /// What is said of it, without its weights.
    ///
    /// # Errors
    /// It cannot be read, which is a bug.
    pub fn config(&self) -> Result<BundleConfig, TagError> {
        serde_json::from_slice(self.config).map_err(|error| TagError::Bundle {
            path: self.name.into(),
            message: format!("bundle.json: {error}"),
            hint: None,
        })
    }

    /// Loads it as any other: its files are laid out in a temporary folder and checked.
    ///
    /// # Errors
    /// The temporary folder cannot be written; the device is not there.
    pub fn load(&self, device: DeviceChoice) -> Result<Bundle, TagError> {
        let folder = tempfile::tempdir().map_err(TagError::file(std::env::temp_dir()))?;
        let bundle = Bundle::load(&self.lay_out_in(folder.path())?, device)?;
        Ok(Bundle { folder: PathBuf::from(self.name), ..bundle })
    }

    /// Writes it into a folder, below its name: where it can be loaded and copied from.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn lay_out_in(&self, folder: &Path) -> Result<PathBuf, TagError> {
        let own = FILES.get_dir(self.name).ok_or_else(|| TagError::Bundle {
            path: self.name.into(),
            message: "is not part of the program".to_owned(),
            hint: None,
        })?;
        lay_out(own, folder)?;
        Ok(folder.join(self.name))
    }
}

/// Writes a folder of the program below another one.
fn lay_out(dir: &Dir<'_>, to: &Path) -> Result<(), TagError> {
    let folder = to.join(dir.path());
    fs::create_dir_all(&folder).map_err(TagError::file(&folder))?;
    for file in dir.files() {
        let path = to.join(file.path());
        fs::write(&path, file.contents()).map_err(TagError::file(path))?;
    }
    dir.dirs().try_for_each(|dir| lay_out(dir, to))
}

#[cfg(test)]
mod tests {
    use base::TitleId;

    use super::*;

    fn files_below(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                files_below(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }

    #[test]
    fn the_program_holds_every_file_of_every_bundle_and_they_load() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/bundles");
        let mut folders: Vec<String> = fs::read_dir(&assets)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        folders.sort();
        let mut names = ShippedBundle::names();
        names.sort_unstable();
        assert_eq!(names, folders);
        for bundle in SHIPPED {
            let mut on_disk = Vec::new();
            files_below(&assets.join(bundle.name), "", &mut on_disk);
            on_disk.retain(|name| name != "README.md");
            on_disk.sort();
            let mut held = Vec::new();
            let laid_out = tempfile::tempdir().unwrap();
            lay_out(FILES.get_dir(bundle.name).unwrap(), laid_out.path()).unwrap();
            files_below(&laid_out.path().join(bundle.name), "", &mut held);
            held.retain(|name| name != "README.md");
            held.sort();
            assert_eq!(held, on_disk, "{}", bundle.name);

            let loaded = bundle.load(DeviceChoice::Cpu).unwrap();
            assert_eq!(loaded.config.name, bundle.name);
            let about = &loaded.config.about;
            assert!(!about.terms.is_empty() && !about.attribution.is_empty(), "{}", bundle.name);
            assert!(!loaded.config.catalog.path.has_root(), "a path of somebody's machine");
            let card = fs::read_to_string(assets.join(bundle.name).join("README.md")).unwrap();
            assert!(card.contains(&about.terms) && card.contains("split digest"), "{card}");
            for genre in loaded.config.genres.names() {
                assert!(card.contains(&format!("\n| {genre} |")), "no figures for {genre}");
            }
        }
    }

    /// A row's figures in a table of Markdown, by its first cell; the last column is left out.
    fn row(page: &str, name: &str) -> Option<Vec<f64>> {
        let cells = |line: &str| line.split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
        let line = page.lines().map(cells).find(|cells| cells.get(1).is_some_and(|c| c == name))?;
        let figure = |cell: &String| cell.split_whitespace().next()?.parse().ok();
        Some(line[2..].iter().filter_map(figure).collect())
    }

    #[test]
    fn what_is_shipped_is_the_best_of_the_table_of_heads() {
        const PAGE: &str = include_str!("../../docs/heads.md");
        let (films, plots) = ("What they reach", "What they reach on a plot text alone");
        for (bundle, heading, wants_mpnet) in [
            ("films-research", films, false),
            ("films-research-large", films, true),
            ("plots-open", plots, false),
        ] {
            let mut sections = PAGE.split("\n## ").filter_map(|section| section.split_once('\n'));
            let (_, table) = sections.find(|(own, _)| *own == heading).unwrap();
            let names =
                table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
            let rows = names
                .filter(|name| name.contains("MPNet") == wants_mpnet)
                .filter_map(|name| Some((name, *row(table, name)?.get(3)?)));
            let (name, best) = rows.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            let shipped = ShippedBundle::find(bundle).unwrap();
            let head = shipped.config().unwrap().trained_on.learn["head"].clone();
            let own = head.as_str().unwrap();
            assert!(name.starts_with(own), "{bundle} has {own}, and {name} is better");
            let path =
                format!("{}/../../assets/bundles/{bundle}/README.md", env!("CARGO_MANIFEST_DIR"));
            let card = fs::read_to_string(path).unwrap();
            // Micro, macro and samples F1, mAP.
            let figures = row(&card, "**the bundle** (95 % interval)").unwrap();
            assert!((figures[3] - best).abs() <= 0.005, "{bundle}: {figures:?}, {name} {best}");
        }
    }

    #[test]
    fn what_titles_have_decides_which_bundle_is_taken() {
        let title = |poster: bool, plot: bool| Title {
            poster: poster.then(|| "poster.jpg".into()),
            plot: plot.then(|| "A door opens.".to_owned()),
            trailers: vec!["trailer.mp4".into()],
            ..Title::new(TitleId::new("t"))
        };
        let name = |titles: &[Title]| ShippedBundle::for_titles(titles).unwrap().unwrap().name;
        assert_eq!(name(&[title(true, true)]), "films-research");
        assert_eq!(name(&[title(false, true), title(true, false)]), "films-research");
        assert_eq!(name(&[title(true, false)]), "films-research", "it can look at something");
        assert_eq!(name(&[title(false, true)]), "plots-open");
        let silent = Title { trailers: vec!["t.mp4".into()], ..Title::new(TitleId::new("t")) };
        assert_eq!(name(&[silent]), "films-research", "trailers alone");
        assert_eq!(name(&[]), "films-research", "there is always one to say what it lacks");
    }
}
