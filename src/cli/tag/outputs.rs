//! Where a tagging writes, claimed before anything is computed.

use std::path::Path;

use base::{Claim, FolderClaim, OutputFile, Outputs, output::make_folder};
use report::ContactSheet;
use tag::Bundle;
use write::{TableSink, TranscriptSink, WriteError};

use super::{Args, Console, Failure, titles::Found};

/// Folder of a contact sheet's pictures.
pub(super) const PICTURES: &str = "pictures";
/// Transcripts that are left alone are named up to this many; the rest is counted.
const MAX_NAMED: usize = 20;

/// What the command line asks for and may be written.
pub(super) struct Claimed {
    pub(super) out: Option<Claim>,
    pub(super) untagged: Option<Claim>,
    pub(super) transcripts: Option<TranscriptSink>,
    /// Remembers the pages of a contact sheet when it is dropped.
    _review: Option<FolderClaim>,
}

impl Claimed {
    pub(super) fn new(args: &Args, found: &Found, bundle: &Bundle) -> Result<Self, Failure> {
        let mut outputs = Outputs::new(args.overwrite);
        let opened = &found.opened;
        let titles = &opened.catalog.titles;
        let media = titles.iter().flat_map(|title| title.poster.iter().chain(&title.trailers));
        let named = args.paths.iter().filter(|path| !path.is_dir());
        let nfos = opened.places.iter().flat_map(|place| &place.nfos);
        let read = named.chain(media).chain(nfos).chain(&opened.file);
        read.for_each(|path| outputs.reads(path));
        bundle.paths().iter().for_each(|path| outputs.reads(path));

        let out = args.out.as_deref().map(|path| outputs.claim(path)).transpose()?;
        let untagged = args.untagged.as_deref().map(|path| outputs.claim(path)).transpose()?;
        let review = args.review.as_deref().map(|folder| {
            let pages = ContactSheet::page_names(titles.len());
            outputs.claim_folder(folder, pages.iter().map(String::as_str), &[PICTURES])
        });
        let transcripts = args.transcripts.as_deref().map(|folder| -> Result<_, Failure> {
            make_folder(folder)?;
            Ok(TranscriptSink::new(folder.to_owned(), args.overwrite))
        });
        Ok(Self {
            out,
            untagged,
            transcripts: transcripts.transpose()?,
            _review: review.transpose()?,
        })
    }
}

/// A file of tags in the making, or standard output.
pub(super) struct Table {
    pub(super) file: Option<OutputFile>,
    pub(super) sink: TableSink<'static>,
}

impl Table {
    pub(super) fn begin(claim: Claim, args: &Args, bundle: &Bundle) -> Result<Self, WriteError> {
        let path = claim.path().to_owned();
        let file =
            claim.begin().map_err(|source| WriteError::File { path: path.clone(), source })?;
        let sink = TableSink::create(file.path(), args.format_of(&path), bundle)?.named(&path);
        Ok(Self { file: Some(file), sink })
    }

    pub(super) fn only_undecided(self) -> Self {
        Self { sink: self.sink.only_undecided(), ..self }
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        self.sink.finish()?;
        Ok(self.file.map(OutputFile::publish).transpose().map(|_| ())?)
    }
}

/// Names the transcripts that somebody else wrote; gives their number.
pub(super) fn say_transcripts(transcripts: &TranscriptSink, console: &Console) -> usize {
    let left = transcripts.left();
    let name = |path: &Path| format!("{}: left alone: cinetag did not write it so", path.display());
    left.iter().take(MAX_NAMED).for_each(|path| console.say(name(path)));
    if left.len() > MAX_NAMED {
        console.say(format!("… and {} more transcripts left alone", left.len() - MAX_NAMED));
    }
    if !left.is_empty() {
        console.say("--overwrite replaces them");
    }
    left.len()
}
