//! How often the gate says what, and what makes it refuse.

use cinetag::eval::{Outcome, Verdict};

use super::{super::films::spread, Found, update::Kind};

/// The gate's rules, by a word of their reasons.
const RULES: [(&str, &str); 6] = [
    ("micro F1", "micro F1 is worse"),
    ("mAP", "mAP is worse"),
    ("a genre's F1", "worse: F1"),
    ("a genre's AP", "worse: average precision"),
    ("calibration", "calibrated"),
    ("tags", "tags per title"),
];

/// What was said of updates of one kind.
pub(super) struct Table {
    /// Differences in truth: micro F1 and mAP.
    truth: Vec<[f64; 2]>,
    /// `[pinned]`
    said: Vec<Said>,
}

#[derive(Clone, Default)]
struct Said {
    promoted: usize,
    refused: usize,
    undecided: usize,
    /// `[RULES]`: refusals in which it had a part, and those that it alone made.
    rules: [[usize; 2]; RULES.len()],
    /// Refusals for genres alone.
    genres_alone: usize,
    /// Widths of the one-sided bounds of micro F1 and mAP, from the difference down, summed.
    reach: [f64; 2],
    more: Vec<usize>,
}

impl Table {
    pub(super) fn new(num_pinned: usize) -> Self {
        Self { truth: Vec::new(), said: vec![Said::default(); num_pinned] }
    }

    pub(super) fn add(&mut self, found: &Found) {
        self.truth.push([found.micro_f1, found.map]);
        self.said.iter_mut().zip(&found.verdicts).for_each(|(said, verdict)| said.add(verdict));
    }
}

impl Said {
    fn add(&mut self, verdict: &Verdict) {
        match verdict.outcome {
            Outcome::Promote => self.promoted += 1,
            Outcome::Refuse => self.refused += 1,
            Outcome::Undecided => self.undecided += 1,
        }
        for (reach, change) in self.reach.iter_mut().zip([verdict.micro_f1, verdict.map]) {
            *reach += change.difference - change.at_least;
        }
        self.more.extend(verdict.wanted.map(|wanted| wanted.more_titles));
        if verdict.outcome != Outcome::Refuse {
            return;
        }
        let has = RULES.map(|(_, words)| verdict.reasons.iter().any(|why| why.contains(words)));
        let num = has.iter().filter(|&&has| has).count();
        self.genres_alone += usize::from(num == usize::from(has[2]) + usize::from(has[3]));
        for (rule, has) in self.rules.iter_mut().zip(has) {
            rule[0] += usize::from(has);
            rule[1] += usize::from(has && num == 1);
        }
    }
}

/// Prints what was said of all kinds.
pub(super) fn print(kinds: &[Kind], tables: &[Table], pinned: &[usize]) {
    let rules = RULES.map(|(name, _)| format!(" {name} |")).concat();
    println!(
        "| update | in truth: micro F1 | mAP | pinned | promoted | refused | undecided | more wanted, \
         median | bound of micro F1 | of mAP |{rules} genres alone |"
    );
    println!("| --- |{}", " ---: |".repeat(10 + RULES.len()));
    for (kind, table) in kinds.iter().zip(tables) {
        let num = table.truth.len().max(1) as f64;
        let [micro_f1, map] = [0, 1].map(|k| spread(table.truth.iter().map(|truth| truth[k])));
        for (pinned, said) in pinned.iter().zip(&table.said) {
            let mut more = said.more.clone();
            more.sort_unstable();
            let more = more.get(more.len() / 2).map_or_else(String::new, usize::to_string);
            let rules = said.rules.map(|[all, alone]| format!(" {all} ({alone}) |")).concat();
            println!(
                "| {} | {micro_f1} | {map} | {pinned} | {} | {} | {} | {more} | {:.3} | {:.3} |{rules} {} |",
                kind.words(),
                said.promoted,
                said.refused,
                said.undecided,
                said.reach[0] / num,
                said.reach[1] / num,
                said.genres_alone,
            );
        }
    }
}
