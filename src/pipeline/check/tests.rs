//! Wrong settings of every kind, and what is told of them.

use std::fs;

use base::{ErrorKind, Hinted};

use super::*;
use crate::Override;

/// Line 1 to 12; what a case adds begins on line 13.
const HEAD: &str = "[run]\nname = \"t\"\nfolder = \"runs/t\"\n\n[catalog]\npath = \"films.csv\"\n\n\
                    [[stage]]\nname = \"features\"\nkind = \"extract\"\n\n\n";

fn read(text: &str, set: &[&str]) -> Result<Pipeline, (String, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    fs::write(&path, text).unwrap();
    let set: Vec<Override> = set.iter().map(|text| text.parse().unwrap()).collect();
    Pipeline::read(&path, &set).map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        let hint = error.hint().unwrap_or_default();
        let PipelineError::Spec { place, message, .. } = error else { panic!("{error}") };
        let place = place.rsplit('/').next().unwrap_or_default().to_owned();
        (place, message, hint)
    })
}

/// What is added, the place, and parts of message and hint.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("[lern]", "p.toml:13", "`lern`", "did you mean `learn`?"),
    ("[learn]\nhead = \"stakcing\"", "p.toml:14", "unknown head", "did you mean `stacking`?"),
    ("[learn]\nhed = \"stacking\"", "p.toml:14", "unknown field `hed`", "`head`"),
    ("[learn]\n\ndropout = 2.0", "p.toml:15", "`learn.dropout` must be between", ""),
    ("[learn.fusion]\n\ndropout = 2.0", "p.toml:15", "`learn.fusion.dropout` must be between", ""),
    ("[learn.fusion]\nhiden = 3", "p.toml:14", "unknown field `hiden`", "did you mean `hidden`?"),
    ("[learn.fusion]\npooling = \"atention\"", "p.toml:14", "unknown variant", "`attention`"),
    ("[learn.fusoin]\nhidden = 3", "p.toml:13", "unknown field `fusoin`", "`fusion`"),
    (
        "[learn]\ndropout = 0.1\n[learn.fusion]\ndropout = 0.1",
        "p.toml:16",
        "`learn.fusion.dropout` and `learn.dropout` are one setting, given twice",
        "take one of them out",
    ),
    ("[learn.trees]\ndepth = 0", "p.toml:14", "`learn.trees.depth` must be", ""),
    ("[learn]\npooling = \"atention\"", "p.toml:14", "unknown variant", "`attention`"),
    ("[learn]\ntext_views = [\"tf-idff\"]", "p.toml:14", "`tf-idff`", "`tf-idf`"),
    ("[learn.borrowed.speech]\nfrom = \"plot\"", "p.toml:13", "wants \"speech\"", "add"),
    ("[modality.psoter]", "p.toml:13", "modality psoter: is not known", "`poster`"),
    ("[modality.b]\nkind = \"framse\"", "p.toml:14", "is not known", "`frames`"),
    ("[modality.plot]\n\nmodle = \"x\"", "p.toml:15", "`modle`", "did you mean `model`?"),
    (
        "[modality.plot]\nmodel = \"all-minilm-l6-v3\"",
        "p.toml:14",
        "unknown model",
        "did you mean `all-minilm-l6-v2`?",
    ),
    (
        "[modality.b]\nkind = \"poster\"\nmodel = \"efficientnet-lite9\"",
        "p.toml:15",
        "modality b: unknown model",
        "`efficientnet-lite0`",
    ),
    ("[modality.plot]\nwindow_tokens = 3", "p.toml:14", "`window_tokens` must be", ""),
    ("[modality.audio]\nhop_length = 0", "p.toml:14", "`hop_length` must be", ""),
    ("[modality.frames]\nmax_frames = 0", "p.toml:14", "`max_frames` must be", ""),
    ("[modality.frames]\nsampling = \"shot\"", "p.toml:14", "`sampling`", "`shots`"),
    ("[modality.speech]\nlanguage = \"eng\"", "p.toml:14", "`language` must be", ""),
    ("[modality.metadata]\nmax_people = 0", "p.toml:14", "`max_people` must be", ""),
    (
        "[catalog.metadata]\nnumbers = [\"runtime\"]\n[modality.metadata]\nnumbers = \
         [\"year\", \"runtme\"]",
        "p.toml:16",
        "`runtme`, which the catalog does not keep",
        "`runtime`",
    ),
    ("[modality.poster]\nzero_shot = [\"\"]", "p.toml:14", "`zero_shot` must", ""),
    ("[catalog.genres]\nseparator = \"jsno\"", "p.toml:14", "`jsno`", "`json`"),
    ("[catalog.genres]\nvocabulary = \"imbd\"", "p.toml:14", "names `imbd`", "`imdb`"),
    (
        "[catalog.genres.crosswalk]\nfrom = \"tdmb\"\nto = \"imdb\"",
        "p.toml:13",
        "names `tdmb`",
        "`tmdb`",
    ),
    ("[catalog.columns]\nid = \"\"", "p.toml:14", "must name a column", "name the column"),
    ("[catalog.columns]\ngenre = \"x\"", "p.toml:14", "`genre`", "`genres`"),
    ("[extract]\nshard_titels = 3", "p.toml:14", "`shard_titels`", "`shard_titles`"),
    ("[extract]\nmax_failed_frac = 50", "p.toml:14", "`extract.max_failed_frac`", ""),
    ("[extract]\nhwaccel = \"cdua\"", "p.toml:14", "cdua", ""),
    ("[extract.limits]\ncpu_secs = 0", "p.toml:14", "`extract.limits.cpu_secs`", ""),
    ("[[stage]]\nname = \"x\"\nkind = \"trian\"", "p.toml:15", "`trian`", "`train`"),
    (
        "[[stage]]\nname = \"x\"\nkind = \"report\"\nneesd = [\"features\"]",
        "p.toml:16",
        "stage x: unknown field `neesd`",
        "did you mean `needs`?",
    ),
    ("[[stage]]\nnmae = \"x\"\nkind = \"report\"", "p.toml:14", "`nmae`", "`name`"),
    ("[[stage]]\nname = \"x\"", "p.toml:13", "needs a `kind`", ""),
    (
        "[[stage]]\nname = \"x\"\nkind = \"report\"\nneeds = [\"featuers\"]",
        "p.toml:16",
        "needs \"featuers\"",
        "did you mean `features`?",
    ),
    ("[[stage]]\nname = \"features\"\nkind = \"report\"", "p.toml:14", "two stages", ""),
    ("[[stage]]\nname = \"x\"\nkind = \"split\"\nfolds = 1", "p.toml:16", "2 or more", ""),
    ("[[stage]]\nname = \"x\"\nkind = \"split\"\nby = \"catalogue\"", "p.toml:16", "", "`catalog`"),
    (
        "[[stage]]\nname = \"x\"\nkind = \"split\"\nby = \"catalog\"\nrepeats = 3",
        "p.toml:17",
        "`repeats` must be 1",
        "stratified",
    ),
    ("[[stage]]\nname = \"x\"\nkind = \"tag\"", "p.toml:15", "trains no bundle", "train"),
    ("x = [", "p.toml:13", "", ""),
];

#[test]
fn every_wrong_setting_is_told_with_its_line_and_what_was_meant() {
    let is_told = |(added, place, message, hint): &&(&str, &str, &str, &str)| {
        read(&format!("{HEAD}{added}\n"), &[]).err().is_some_and(|told| {
            let right = told.0 == *place && told.1.contains(message) && told.2.contains(hint);
            right || {
                println!("{added}\n  {told:?}");
                false
            }
        })
    };
    let amiss: Vec<_> = CASES.iter().filter(|case| !is_told(case)).collect();
    assert!(amiss.is_empty(), "{amiss:#?}");
    assert!(read(HEAD, &[]).is_ok());
}

#[test]
fn what_the_command_line_sets_is_told_by_its_own_words() {
    for (set, message, hint) in [
        ("lern.epochs=3", "`lern`", "`learn`"),
        ("learn.head=stakcing", "unknown head", "did you mean `stacking`?"),
        ("learn.dropout=2.0", "`learn.dropout` must be", ""),
        ("learn.fusion.dropout=2.0", "`learn.fusion.dropout` must be", ""),
        ("learn.fusion.hiden=2", "`hiden`", "`hidden`"),
        ("learn={ dropout = 2.0 }", "`learn.dropout` must be", ""),
        ("modality.plot.modle=x", "`modle`", "`model`"),
        ("run.device=gpu", "unknown device", ""),
        ("stage.featuers.needs=[]", "there is no stage called", "did you mean `features`?"),
        ("stage.features.neds=[]", "`neds`", "`needs`"),
        ("stage.features.needs=[\"x\"]", "needs \"x\"", ""),
        ("stage=3", "no list of stages", "[[stage]]"),
        ("run.name.x=3", "not a table", "keys are"),
    ] {
        let told = read(HEAD, &["run.seed=4", set]).unwrap_err();
        assert_eq!(told.0, format!("--set {set}"), "{told:?}");
        assert!(told.1.contains(message) && told.2.contains(hint), "{set}: {told:?}");
    }
    let long = read(HEAD, &["learn.fusion.dropout=0.3", "learn.decisions.abstain=true"]).unwrap();
    let short = read(HEAD, &["learn.dropout=0.3", "learn.abstain=true"]).unwrap();
    assert_eq!(long.learn, short.learn);
    assert_eq!(long.to_toml(), short.to_toml());
    for (file, set) in [
        ("[learn.fusion]\ndropout = 0.1\n", "learn.dropout=0.3"),
        ("[learn]\ndropout = 0.1\n", "learn.fusion.dropout=0.3"),
        ("", "learn.dropout=0.3"),
    ] {
        let pipeline = read(&format!("{HEAD}{file}"), &["learn.fusion.dropout=0.2", set]).unwrap();
        assert_eq!(pipeline.learn.fusion.dropout, 0.3, "{set} over {file:?}");
    }
    let set = ["run.seed=4", "catalog.path=a b/c.csv", "stage.features.needs=[]"];
    let pipeline = read(HEAD, &set).unwrap();
    assert_eq!(pipeline.run.seed.0, 4);
    assert_eq!(pipeline.catalog.path, std::path::Path::new("a b/c.csv"));
}

/// The files that come along are read, and mean what they meant.
#[test]
fn the_projects_own_pipelines_are_sound() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let pipeline = Pipeline::read(&path, &[]).unwrap();
        let again = tempfile::NamedTempFile::new().unwrap();
        fs::write(again.path(), pipeline.to_toml()).unwrap();
        let again = Pipeline::read(again.path(), &[]).unwrap();
        assert_eq!(again.to_toml(), pipeline.to_toml(), "{}", path.display());
    }
}
