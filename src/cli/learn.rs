//! `cinetag learn`: a bundle of one's own.

mod recipe;
mod refit;
mod tell;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use adapt::{Curated, Figures, Lesson, Material};
use base::{DeviceChoice, Seed};
use catalog::{CatalogSpec, Hints, Opened};
use encode::{EncoderContext, Modality, registry};
use extract::{ExtractSettings, OpenModalities, Session};
use jiff::Timestamp;
use learn::heads::FitContext;
use serde_json::Value;
use store::FeatureStore;
use tag::{Bundle, Grounds, ShippedBundle, Versions};

use super::{
    Console, Failure, SKIPPED,
    bundle::{Home, by_user, own},
    store::usual_folder,
};
use recipe::Recipe;
pub(super) use refit::{RefitArgs, refit};

#[derive(clap::Args)]
pub(super) struct Args {
    /// A media library, or a catalog with a column of genres: what people decided on is learned, genres
    /// that cinetag gave are not
    path: PathBuf,
    /// Write the bundle into this folder
    #[arg(short, long, value_name = "DIR", conflicts_with = "name")]
    out: Option<PathBuf>,
    /// Keep the bundle as a version under this name, which `cinetag refit NAME` learns anew
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    home: Home,
    /// The bundle to begin with: one that the program brings along, a folder, one's own, or none [default:
    /// the first of those that come along which fits what the titles have]
    #[arg(long, value_name = "BUNDLE")]
    prior: Option<String>,
    /// The column of the catalog that holds the titles' ids
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// So many titles are named that it would help most to label next
    #[arg(long, value_name = "N", default_value_t = 10)]
    next: usize,
    /// Make no held-out figures, which cost some eight times the learning itself
    #[arg(long)]
    no_figures: bool,
    /// What is drawn is drawn from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where features are kept [default: the store of this folder's pipelines, else the user's cache]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Where networks run: auto, cpu, cuda[:N] or metal[:N]
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<u8, Failure> {
    let recipe = Recipe {
        path: fs::canonicalize(&args.path).map_err(|error| {
            Failure::usage(format!("{}: {error}", args.path.display()), "check the path")
        })?,
        prior: args.prior.clone().map(|name| match fs::canonicalize(&name) {
            // It is found again from wherever the bundle is learned anew.
            Ok(folder) if folder.is_dir() => folder.to_string_lossy().into_owned(),
            _ => name,
        }),
        id_column: args.id_column.clone(),
        seed: args.seed,
        store: args.store.clone().map_or_else(usual_folder, Ok)?,
    };
    if let Some(out) = &args.out {
        Bundle::check_place(out)?;
    }
    let taught = Taught::new(&recipe, args.device, console)?;
    tell::curated(&taught.curated, &taught.opened.problems, console);
    let material = taught.material()?;
    tell::begins(&material, console);
    let context = fit_context(&recipe, args.device, console);
    let figures = if args.no_figures { None } else { Some(Figures::of(&material, &context)?) };
    if let Some(figures) = &figures {
        tell::figures(figures, console);
    }
    // Where no bundle is wanted it is made all the same: it says which titles are doubtful.
    let draft = tempfile::tempdir()?;
    let folder = args.out.clone().unwrap_or_else(|| draft.path().join("bundle"));
    let name = args.name.clone().or_else(|| name_of(&folder).filter(|_| args.out.is_some()));
    let name = name.unwrap_or_else(|| "learned".to_owned());
    let model = taught.lesson(&name, &material).bundle(&folder, figures.as_ref(), &context)?;
    let titles: Vec<usize> = (0..material.data.num_titles()).collect();
    let said = model.predict(&material.data, &titles).map_err(adapt::AdaptError::from)?;
    tell::next(&said, &material, &taught.opened.catalog, args.next, console);
    match (&args.out, &args.name) {
        (Some(out), _) => console.say(format!("bundle: {}", out.display())),
        (None, Some(name)) => keep(args, name, &folder, &recipe, console)?,
        (None, None) => {
            console.say("nothing was kept: --out DIR or --as NAME keeps the bundle");
        }
    }
    Ok(if taught.num_skipped > 0 { SKIPPED } else { 0 })
}

/// Adds the bundle as a version; the first of a name becomes current.
fn keep(
    args: &Args,
    name: &str,
    folder: &Path,
    recipe: &Recipe,
    console: &Console,
) -> Result<(), Failure> {
    let home = args.home.made()?;
    let versions = Versions::of(&home, name)?;
    let version = versions.add(folder)?;
    recipe.write(&versions)?;
    if versions.current()?.is_none() {
        let grounds = Grounds { judged: None, approved_by: Some(by_user(None)) };
        versions.promote(&version, &grounds, Timestamp::now())?;
    }
    let current = versions.current()?;
    console.data(format!("{name}@{version}"));
    console.say(match current {
        Some(current) if current == version => {
            format!("current: `cinetag tag … --bundle {name}` takes it")
        }
        _ => format!("`cinetag bundle promote {name} {version} --approve WHO` makes it current"),
    });
    Ok(())
}

fn fit_context<'a>(recipe: &Recipe, device: DeviceChoice, console: &'a Console) -> FitContext<'a> {
    FitContext {
        device,
        seed: Seed(recipe.seed),
        inner_folds: &[],
        progress: console,
        interrupt: &console.interrupt,
        parts: None,
    }
}

/// What there is to learn from, looked at.
struct Taught {
    opened: Opened,
    curated: Curated,
    /// What holds the bundle to begin with while it is needed.
    _laid_out: tempfile::TempDir,
    prior: Option<PathBuf>,
    device: DeviceChoice,
    columns: CatalogSpec,
    settings: BTreeMap<String, Value>,
    session: Session,
    source: (String, base::Digest),
    num_skipped: usize,
}

impl Taught {
    fn new(recipe: &Recipe, device: DeviceChoice, console: &Console) -> Result<Self, Failure> {
        let laid_out = tempfile::tempdir()?;
        let (prior, opened) = open(recipe, laid_out.path())?;
        let bundle = prior.as_deref().map(|prior| Bundle::load(prior, device)).transpose()?;
        let name = name_of(&recipe.path).unwrap_or_default();
        let columns = match &bundle {
            Some(bundle) => bundle.config.catalog.clone(),
            None => catalog::open::declare(&recipe.path)?,
        };
        let columns = CatalogSpec { path: name.clone().into(), ..columns };
        let settings: BTreeMap<String, Value> = match &bundle {
            Some(bundle) => {
                let own = bundle.config.modalities.iter();
                own.map(|modality| (modality.name.clone(), modality.settings.clone())).collect()
            }
            None => seen(&opened, &recipe.path)?,
        };
        let context = EncoderContext { device, ..EncoderContext::default() };
        let modalities = match &bundle {
            Some(bundle) => bundle.open_modalities(&context)?,
            None => OpenModalities::open(&settings, &context)?,
        };
        base::output::make_folder(&recipe.store)?;
        let extracting = ExtractSettings { max_failed_frac: 1.0, ..ExtractSettings::default() };
        let session =
            Session::new(modalities.into(), &FeatureStore::open(&recipe.store), &extracting);
        let digest = catalog::digest(opened.file.as_deref().unwrap_or(&recipe.path))?;
        let curated = Curated::of(&opened.catalog);
        let titles = &opened.catalog.titles;
        let report = session.fill(titles, &extract::Retry::No, console, &console.interrupt)?;
        let num_skipped = report.encoders.iter().map(extract::EncoderReport::num_skipped).sum();
        Ok(Self {
            opened,
            curated,
            _laid_out: laid_out,
            prior,
            device,
            columns,
            settings,
            session,
            source: (name, digest),
            num_skipped,
        })
    }

    fn material(&self) -> Result<Material, Failure> {
        let titles = &self.opened.catalog.titles;
        let looked = self.session.modalities().stored(titles, self.session.store())?;
        let prior = self.prior.as_deref().map(|prior| Bundle::load(prior, self.device));
        Ok(Material::new(&self.opened.catalog, looked, prior.transpose()?)?)
    }

    fn lesson<'a>(&'a self, name: &'a str, material: &'a Material) -> Lesson<'a> {
        Lesson {
            name,
            catalog: &self.opened.catalog,
            source: self.source.clone(),
            columns: self.columns.clone(),
            modalities: self.session.modalities(),
            settings: &self.settings,
            material,
        }
    }

    /// The gate on the pinned titles whose genres are all known; `None` where one of the bundles was
    /// trained on them.
    fn judged(
        &self,
        folders: [&Path; 2],
        console: &Console,
    ) -> Result<Option<eval::Verdict>, Failure> {
        let [old, new] = folders.map(|folder| Bundle::load(folder, self.device));
        let (old, new) = (old?, new?);
        if !old.config.trained_on.pinned_aside || !new.config.trained_on.pinned_aside {
            return Ok(None);
        }
        let mut catalog = self.opened.catalog.clone();
        catalog.titles.retain(|title| {
            let is_known = title.labelled && title.unknown_genres.is_empty();
            is_known && eval::pinned::is_pinned(title.group_name())
        });
        if catalog.titles.is_empty() {
            return Ok(None);
        }
        let choice = tag::Choice::default();
        let job = |bundle| write::TagJob {
            titles: &catalog.titles,
            bundle,
            session: &self.session,
            choice: &choice,
            tagged_at: None,
        };
        let verdict = write::judge(&job(&old), &job(&new), &catalog, console, &console.interrupt)?;
        Ok(Some(verdict))
    }
}

/// Where the bundle to begin with lies, and the titles as it reads them.
fn open(recipe: &Recipe, folder: &Path) -> Result<(Option<PathBuf>, Opened), Failure> {
    let read = |trained: &[CatalogSpec]| {
        let id_column = recipe.id_column.as_deref();
        let hints = Hints { trained, id_column, real_paths: true, ..Hints::default() };
        catalog::open(std::slice::from_ref(&recipe.path), &hints)
    };
    let shipped = |bundle: &ShippedBundle| -> Result<_, Failure> {
        let opened = read(&[bundle.config()?.catalog])?;
        Ok((Some(bundle.lay_out_in(folder)?), opened))
    };
    let Some(name) = recipe.prior.as_deref() else {
        let columns = tag::SHIPPED.iter().map(|bundle| bundle.config().map(|own| own.catalog));
        let opened = read(&columns.collect::<Result<Vec<_>, _>>()?)?;
        return match ShippedBundle::for_titles(&opened.catalog.titles)? {
            Some(bundle) => shipped(bundle),
            None => Ok((None, opened)),
        };
    };
    if name == "none" {
        return Ok((None, read(&[])?));
    }
    if let Some(bundle) = ShippedBundle::find(name).filter(|_| !Path::new(name).exists()) {
        return shipped(bundle);
    }
    let place = if Path::new(name).is_dir() { Some(name.into()) } else { own(name)? };
    let place: PathBuf = place.ok_or_else(|| {
        Failure::usage(
            format!("--prior {name}: neither a folder nor a bundle"),
            format!("one of {}, a folder, or none", ShippedBundle::names().join(", ")),
        )
    })?;
    let opened = read(&[Bundle::load(&place, DeviceChoice::Cpu)?.config.catalog])?;
    Ok((Some(place), opened))
}

/// The modalities that any title has something for, with their usual settings; not those that listen, which
/// cost most and are of use beside a bundle that knows what is said.
fn seen(opened: &Opened, path: &Path) -> Result<BTreeMap<String, Value>, Failure> {
    let is_seen = |modality: &&dyn Modality| {
        let usual = modality.defaults();
        let mut titles = opened.catalog.titles.iter();
        usual.get("hear").is_none()
            && titles.any(|title| !modality.sources(title, &usual).is_empty())
    };
    let modalities = registry::names().into_iter().filter_map(registry::find).filter(is_seen);
    let nothing = || Value::Object(serde_json::Map::new());
    let seen: BTreeMap<String, Value> =
        modalities.map(|modality| (modality.name().to_owned(), nothing())).collect();
    if seen.is_empty() {
        return Err(Failure::usage(
            format!("{}: no title has anything to look at", path.display()),
            "give the titles plots, posters or trailers",
        ));
    }
    Ok(seen)
}

fn name_of(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}
