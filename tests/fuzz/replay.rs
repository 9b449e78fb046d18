//! Trying again what was found once, and that the watch sees what it is there to see.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    child::FILES,
    corpus,
    hunt::write_seeds,
    targets::{PLANTED, TARGETS, Target},
    watch::{End, MAX_TIME, Places, watch},
};

/// Whether every input of the corpus is survived and every planted fault is not.
pub fn replay() -> bool {
    let scratch = tempfile::tempdir().expect("a folder to write to");
    let try_out = |target: &Target, inputs: &[PathBuf], max_time: Duration| -> End {
        let own = scratch.path().join(target.name);
        let seeds = own.join("seeds");
        if !seeds.exists() {
            write_seeds(target, &seeds);
        }
        let mut orders = vec![FILES.to_owned()];
        orders.extend(inputs.iter().map(|path| path.to_string_lossy().into_owned()));
        watch(target.name, &Places { seeds: &seeds, scratch: &own }, &orders, None, max_time)
    };
    let mut is_well = true;
    let mut claim = |holds: bool, what: String| {
        println!("{what} ... {}", if holds { "ok" } else { "FAILED" });
        is_well &= holds;
    };
    for (fault, expected) in
        [("", None), ("panic", Some("panic")), ("hang", Some("hang")), ("memory", Some("memory"))]
    {
        let input = scratch.path().join("fault");
        fs::write(&input, fault).expect("an input is written");
        // What is to hang is waited for a moment only.
        let end = try_out(&PLANTED, &[input], Duration::from_secs(2));
        let found = end.finding.map(|finding| finding.signature);
        let found = found.as_deref().map(|words| words.split(' ').next().unwrap_or_default());
        claim(found == expected, format!("planted fault {fault:?} is told as {expected:?}"));
    }
    for target in TARGETS {
        let folder = corpus().join(target.name);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut inputs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        inputs.sort();
        let end = try_out(target, &inputs, MAX_TIME);
        let what = format!("{}: its seeds and {} inputs of the corpus", target.name, inputs.len());
        if let Some(finding) = &end.finding {
            let input = finding.number.and_then(|number| inputs.get(number as usize));
            println!("{input:?}: {}\n{}", finding.signature, finding.words);
        }
        claim(end.finding.is_none(), what);
    }
    is_well
}
