//! Bundles that the program ships, so that titles can be tagged before anything was trained.
//!
//! in: `assets/bundles`, made by the pipelines of the same names, part of the program itself;
//! out: a [`Bundle`], and which of them suits some titles. Each says under which terms it may be
//! used ([`About`](super::About)).

use std::{fs, path::PathBuf};

use super::{Bundle, BundleConfig, TagError};
use crate::{base::DeviceChoice, catalog::Title, encode::registry};

/// A bundle inside the program.
pub struct ShippedBundle {
    /// Its name: on the command line, and of its folder in `assets/bundles`.
    pub name: &'static str,
    /// Its files by their path in the folder, the card left out.
    files: &'static [(&'static str, &'static [u8])],
}

macro_rules! shipped {
    ($($name:literal),*) => { shipped! {@ $($name: [
        "bundle.json",
        "model/model.json",
        "model/member-0/head.json",
        "model/member-0/weights.safetensors",
        "model/member-1/head.json",
        "model/member-1/weights.safetensors",
        "model/member-2/head.json",
        "model/member-2/weights.safetensors",
        "model/member-3/head.json",
        "model/member-3/weights.safetensors"
    ]),* } };
    (@ $($name:literal: [$($file:literal),+]),*) => {
        /// All of them, in the order in which they are tried.
        pub static SHIPPED: &[ShippedBundle] = &[$(ShippedBundle {
            name: $name,
            files: &[$((
                $file,
                include_bytes!(concat!("../../assets/bundles/", $name, "/", $file)),
            )),+],
        }),*];
    };
}

shipped!("films-research", "plots-open");

const CONFIG: &str = "bundle.json";

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

    /// The first that fits the titles: each thing that it looks at (a picture, a text) is there
    /// for some of them. Where none does, the first that can look at anything, or the first.
    ///
    /// # Errors
    /// A bundle cannot be read, which is a bug.
    pub fn for_titles(titles: &[Title]) -> Result<Option<&'static Self>, TagError> {
        let mut partly = None;
        for bundle in SHIPPED {
            let seen = bundle.sources_seen(titles)?;
            if seen.iter().all(|&seen| seen) {
                return Ok(Some(bundle));
            }
            if partly.is_none() && seen.contains(&true) {
                partly = Some(bundle);
            }
        }
        Ok(partly.or(SHIPPED.first()))
    }

    /// `[encoders]`: whether any title has what it looks at.
    fn sources_seen(&self, titles: &[Title]) -> Result<Vec<bool>, TagError> {
        let config = self.config()?;
        // What is read off the catalog is there or not, and costs nothing.
        let encoders = config.modalities.iter().filter(|modality| modality.made_by.is_string());
        let seen = encoders.map(|modality| {
            registry::find(&modality.name)
                .is_some_and(|found| titles.iter().any(|title| found.source(title).is_some()))
        });
        Ok(seen.collect())
    }

    /// What is said of it, without its weights.
    ///
    /// # Errors
    /// It cannot be read, which is a bug.
    pub fn config(&self) -> Result<BundleConfig, TagError> {
        let file = self.files.iter().find(|(name, _)| *name == CONFIG);
        let bytes = file.map_or(&b""[..], |(_, bytes)| bytes);
        serde_json::from_slice(bytes).map_err(|error| TagError::Bundle {
            path: self.name.into(),
            message: format!("{CONFIG}: {error}"),
            hint: None,
        })
    }

    /// Loads it as any other: its files are laid out in a temporary folder and checked.
    ///
    /// # Errors
    /// The temporary folder cannot be written; the device is not there.
    pub fn load(&self, device: DeviceChoice) -> Result<Bundle, TagError> {
        let folder = tempfile::tempdir()?;
        for (name, bytes) in self.files {
            let path = folder.path().join(name);
            let parent = path.parent().unwrap_or(folder.path());
            fs::create_dir_all(parent).map_err(TagError::file(parent))?;
            fs::write(&path, bytes).map_err(TagError::file(path))?;
        }
        let bundle = Bundle::load(folder.path(), device)?;
        Ok(Bundle { folder: PathBuf::from(self.name), ..bundle })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::tag::testing::title_of;

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
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bundles");
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
            let mut held: Vec<&str> = bundle.files.iter().map(|(name, _)| *name).collect();
            held.sort_unstable();
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

    #[test]
    fn what_titles_have_decides_which_bundle_is_taken() {
        let title = |poster: bool, plot: bool| Title {
            poster: poster.then(|| "poster.jpg".into()),
            plot: plot.then(|| "A door opens.".to_owned()),
            trailers: vec!["trailer.mp4".into()],
            ..title_of("t")
        };
        let name = |titles: &[Title]| ShippedBundle::for_titles(titles).unwrap().unwrap().name;
        assert_eq!(name(&[title(true, true)]), "films-research");
        assert_eq!(name(&[title(false, true), title(true, false)]), "films-research");
        assert_eq!(name(&[title(true, false)]), "films-research", "it can look at something");
        assert_eq!(name(&[title(false, true)]), "plots-open");
        assert_eq!(name(&[]), "films-research", "there is always one to say what it lacks");
    }
}
