//! The sidecars of one run: a writer for each tree, and what came of them in words.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use base::Digest;
use jiff::Timestamp;
use tag::Bundle;
use write::{
    TagSink, WriteError,
    format::{NewNfo, TagFormat, Tagged},
    sidecar::{RunHeader, SidecarReport, SidecarWriter},
};

use super::{Console, titles::Found};

/// Files that are left alone or failed are named up to this many; the rest is counted.
const MAX_NAMED: usize = 20;

/// Writes the sidecars of titles that may lie in several trees.
pub(super) struct Sidecars<'a> {
    writers: Vec<(PathBuf, SidecarWriter<'a>)>,
    /// `[titles]`: by sidecar, whose it is, and its number there.
    of_title: Vec<Vec<(usize, usize)>>,
    /// Those that are to be written.
    wanted: BTreeSet<(usize, usize)>,
}

impl<'a> Sidecars<'a> {
    /// Writers for the trees that were found; `None` where there are none.
    pub(super) fn new(
        format: &'static dyn TagFormat,
        found: &Found,
        bundle: &Bundle,
        began: Timestamp,
        (new_nfo, dry_run): (NewNfo, Option<&'a dyn Fn(String)>),
    ) -> Result<Option<Self>, WriteError> {
        if found.trees.is_empty() {
            return Ok(None);
        }
        let header = RunHeader {
            began,
            cinetag: env!("CARGO_PKG_VERSION").to_owned(),
            model: bundle.model_name(),
            format: format.name().to_owned(),
            bundle: Some(super::bundle::asked_for(bundle)),
        };
        let several = found.trees.len() > 1;
        let mut places = vec![Vec::new(); found.trees.len()];
        let mut of_title = Vec::new();
        for title in &found.opened.places {
            let holds =
                |tree: &PathBuf| !several || title.nfos.iter().any(|nfo| nfo.starts_with(tree));
            let tree_idx = found.trees.iter().position(holds).unwrap_or(0);
            let tree = &found.trees[tree_idx];
            let root = if several { tree } else { &found.opened.root };
            let own = write::places(title, root, tree, format.extension());
            let first = places[tree_idx].len();
            of_title.push((first..first + own.len()).map(|number| (tree_idx, number)).collect());
            places[tree_idx].extend(own);
        }
        let mut writers = Vec::new();
        for (tree, places) in found.trees.iter().zip(places) {
            let writer = SidecarWriter::new(tree, format, places, header.clone(), dry_run)?;
            writers.push((tree.clone(), writer.making(new_nfo)));
        }
        Ok(Some(Self { writers, of_title, wanted: BTreeSet::new() }))
    }

    /// What became of them, by tree.
    pub(super) fn finish(self) -> Vec<(PathBuf, SidecarReport)> {
        self.writers.into_iter().map(|(tree, writer)| (tree, writer.finish())).collect()
    }
}

impl TagSink for Sidecars<'_> {
    fn wants(&mut self, idx: usize, inputs: &Digest) -> bool {
        let before = self.wanted.len();
        for &(tree, own) in &self.of_title[idx] {
            if self.writers[tree].1.wants(own, inputs) {
                self.wanted.insert((tree, own));
            }
        }
        self.wanted.len() > before
    }

    fn write(&mut self, idx: usize, tagged: Tagged<'_>, inputs: Digest) -> Result<(), WriteError> {
        for &(tree, own) in &self.of_title[idx] {
            if self.wanted.remove(&(tree, own)) {
                self.writers[tree].1.write(own, tagged, inputs)?;
            }
        }
        Ok(())
    }
}

pub(super) fn say_sidecars(report: &SidecarReport, tree: &Path, dry_run: bool, console: &Console) {
    let say: &dyn Fn(String) = &|text| console.say(text);
    let lost: &dyn Fn(String) = &|text| console.lost(text);
    for (files, word, tell) in
        [(&report.left, "left alone", say), (&report.failed, "not written", lost)]
    {
        for (path, reason) in files.iter().take(MAX_NAMED) {
            tell(format!("{}: {word}: {reason}", path.display()));
        }
        if files.len() > MAX_NAMED {
            tell(format!("… and {} more {word}", files.len() - MAX_NAMED));
        }
    }
    match (report.num_not_made, report.new_nfo) {
        (0, _) => {}
        (num, NewNfo::WithId) => console.say(format!(
            "no NFO file is made for {num} films: no id of theirs is known, and with a file without \
             one Kodi would look nothing up (docs/libraries.md)\nhint: put the id into the folder's \
             name, such as `Heat (1995) [imdbid-tt0113277]`, or give --new-nfo always"
        )),
        (num, _) => console.say(format!("no NFO file is made for {num} films that have none")),
    }
    let would = if dry_run { "would be " } else { "" };
    console.say(format!(
        "sidecars: {} {would}new, {} {would}changed, {} as they should be, {} left alone, {} failed",
        report.num_new,
        report.num_changed,
        report.num_unchanged + report.num_same,
        report.left.len(),
        report.failed.len(),
    ));
    if let Some(run) = &report.run
        && report.num_new + report.num_changed > 0
    {
        console.say(format!("`cinetag tag undo {run} {}` takes it back", tree.display()));
    }
}
