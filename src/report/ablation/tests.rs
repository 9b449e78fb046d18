use base::Seed;
use eval::Groups;
use learn::study::{Scored, all_subsets};
use ndarray::Array2;
use rand::RngExt;

use super::*;

/// Two modalities of unequal worth and all subsets, two seeds.
fn evidence() -> AblationEvidence {
    let mut rng = Seed(3).rng("ablation");
    let labels = Array2::from_shape_fn((120, 3), |(_, g)| rng.random_bool([0.5, 0.3, 0.2][g]));
    let mut scored = |noise: f64| -> Vec<Scored> {
        (0..2)
            .map(|_| {
                let probabilities = labels.mapv(|l| {
                    let center = if l { 0.7 } else { 0.3 };
                    (center + noise * (rng.random::<f64>() - 0.5)).clamp(0.0, 1.0)
                });
                let decisions = probabilities.mapv(|p| p >= 0.5);
                Scored { probabilities, decisions }
            })
            .collect()
    };
    let noise = [0.8, 1.0, 2.5];
    let systems: Vec<SystemEvidence> = all_subsets(2)
        .into_iter()
        .zip(noise)
        .map(|(modalities, noise)| SystemEvidence {
            name: format!("<{modalities:?}>"),
            head: "late-fusion".to_owned(),
            modalities,
            scored: scored(noise),
        })
        .collect();
    let views = systems
        .iter()
        .map(|s| ViewEvidence { present: s.modalities.clone(), scored: s.scored.clone() })
        .collect();
    let dropped = DroppedEvidence { frac: 0.7, aware: scored(1.0), zeros: scored(3.0) };
    AblationEvidence {
        title: "A sample & more".into(),
        notes: vec!["Made up.".into()],
        modalities: vec!["sight".into(), "sound".into()],
        genres: vec!["Drama".into(), "Comedy|Dark".into(), "War".into()],
        num_folds: 5,
        folds: (0..120).map(|t| t % 5).collect(),
        systems,
        views,
        dropped: Some(dropped),
        num_resamples: 99,
        seed: Some(Seed(1)),
        provenance: Provenance { split_digest: "ab".repeat(32), ..Provenance::default() },
        labels,
        ..AblationEvidence::default()
    }
}

#[test]
fn values_sum_to_what_the_reference_reaches_and_tests_are_corrected() {
    let report = evidence().assemble();
    assert_eq!((report.num_titles, report.num_seeds, report.systems.len()), (120, 2, 3));
    let shapley = report.shapley.as_ref().unwrap();
    for g in 0..3 {
        let sum = shapley.guess[g] + shapley.genres[g].iter().sum::<f64>();
        assert!((sum - report.systems[0].genre_ap[g].unwrap()).abs() < 1e-12);
    }
    let map = report.systems[0].figures.map.value;
    let guess = shapley.guess.iter().sum::<f64>() / 3.0;
    assert!((guess + shapley.map.iter().sum::<f64>() - map).abs() < 1e-12);
    assert!(shapley.map[0] > shapley.map[1], "the first modality is worth more");

    assert!(report.systems[0].loss.is_none());
    let loss = |k: usize| report.systems[k].loss.unwrap().map;
    assert!(loss(2).holm_p >= loss(2).randomisation_p);
    // The worst system lies outside chance; its p of 1/100 was doubled: two were compared.
    assert_eq!((loss(2).randomisation_p, loss(2).holm_p), (0.01, 0.02));
    assert_eq!(report.missing[1].retrained.unwrap().map, report.systems[1].figures.map.value);
    assert!(report.dropped.as_ref().unwrap().gain.macro_f1.difference.low > 0.0);
    let methods = loss(2).methods.unwrap();
    assert!(methods.difference.low > 0.0 && methods.p_value < 0.05, "{methods:?}");
    assert_eq!(report.genre_positives.len(), 3);

    let single = AblationEvidence { folds: vec![0; 120], ..evidence() }.assemble();
    assert!(single.systems[2].loss.unwrap().map.methods.is_none(), "one fold");
    let mut grouped = evidence();
    grouped.groups = Groups::new((0..120).map(|t| t / 3));
    let grouped = grouped.assemble();
    assert_eq!(grouped.systems[0].figures.map.value, map);
    assert_ne!(grouped.systems[0].figures.map, report.systems[0].figures.map);
    assert_ne!(grouped.systems[2].loss.unwrap().map, report.systems[2].loss.unwrap().map);

    let mut part = evidence();
    part.systems.pop();
    assert!(part.assemble().shapley.is_none(), "not every subset was tried");
}

#[test]
fn page_text_and_tables_hold_every_system_and_escape_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let report = evidence().assemble();
    let files = write(folder.path(), &report).unwrap();
    let names: Vec<_> =
        files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(
        names,
        [
            "ablation.html",
            "ablation.md",
            "ablation-systems.csv",
            "ablation-tests.csv",
            "ablation-genres.csv",
            "ablation-shapley.csv",
            "ablation-missing.csv",
            "ablation.json"
        ]
    );
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let html = read("ablation.html");
    assert!(html.contains("&lt;[0, 1]&gt;") && !html.contains("<[0, 1]>"));
    assert!(!html.contains("NaN") && html.contains("120 titles, split abababababab"));
    let markdown = read("ablation.md");
    assert!(markdown.contains("Comedy\\|Dark") && markdown.contains("## Shapley"));
    assert!(markdown.contains("| methods |") && html.contains("<th>methods</th>"));
    assert!(markdown.contains("Fewer than 50 titles: "), "the rarest genre has some 24");
    assert!(html.contains("Fewer than 50 titles: "));
    let tests = read("ablation-tests.csv");
    assert_eq!(tests.lines().count(), 1 + 2 * 6, "{tests}");
    assert!(tests.lines().next().unwrap().ends_with("methods_low,methods_high,methods_p"));
    let back: AblationReport = serde_json::from_str(&read("ablation.json")).unwrap();
    // The last digit of a number may go astray in reading.
    let told = |r: &AblationReport| -> Vec<_> {
        r.systems.iter().map(|s| (s.name.clone(), s.uses.clone(), s.loss.is_some())).collect()
    };
    assert_eq!(told(&back), told(&report));
    assert!(write(folder.path(), &AblationReport::default()).is_ok(), "nothing at all");
}
