use std::{fs, path::PathBuf};

use base::Seed;
use eval::Groups;
use ndarray::{Array2, Array3, Axis};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::*;

const GENRES: [&str; 12] = [
    "Drama",
    "Comedy",
    "Action",
    "Romance",
    "Crime & <i>Punishment</i>",
    "Adventure",
    "Thriller",
    "Fantasy \"high\"",
    "Horror",
    "Sci-Fi",
    "Documentary",
    "Western|Italian",
];

/// Held-out predictions as four modalities of unequal worth might give them, one of them often
/// missing; the last genre is rare.
fn evidence(num_titles: usize) -> Evidence {
    let mut rng = Seed(11).rng("sample");
    let genres = GENRES.len();
    let worth = [0.6, 0.5, 1.9, 1.0];
    let labels = Array2::from_shape_fn((num_titles, genres), |(_, g)| {
        rng.random_bool([0.45, 0.38, 0.2, 0.17, 0.15, 0.14, 0.12, 0.08, 0.07, 0.06, 0.02, 0.01][g])
    });
    let present =
        Array2::from_shape_fn((num_titles, 4), |(_, m)| rng.random_bool([0.9, 0.75, 0.95, 1.0][m]));
    let mut logits = vec![Array2::zeros((num_titles, genres)); 4];
    for (m, logits) in logits.iter_mut().enumerate() {
        for ((t, g), logit) in logits.indexed_iter_mut() {
            let prior: f64 = -0.9 - 0.25 * g as f64;
            let signal = if labels[[t, g]] { worth[m] } else { -0.3 * worth[m] };
            let noise = rng.random_range(-1.6..1.6);
            *logit = prior + if present[[t, m]] { signal + noise } else { 0.0 };
        }
    }
    let probability = |logit: &Array2<f64>| logit.mapv(eval::calibration::sigmoid);
    let decide = |p: &Array2<f64>| {
        let thresholds = eval::thresholds::fit_thresholds(p.view(), labels.view(), 20.0);
        (eval::thresholds::decide(p.view(), &thresholds), thresholds)
    };
    let fused = (&logits[0] + &logits[1] + &logits[2] * 2.0 + &logits[3]) / 3.2 - 0.1;
    let probabilities = probability(&fused);
    let (decisions, thresholds) = decide(&probabilities);
    let alone = logits
        .iter()
        .map(|logits| {
            let probabilities = probability(logits);
            let decisions = decide(&probabilities).0;
            Alone { probabilities, decisions }
        })
        .collect();
    Evidence {
        title: "A sample & its <figures>".into(),
        notes: vec![
            "This library is made up: the figures show the page, not the program.".into(),
            "Notes are text: <script>alert(1)</script> stays what it is.".into(),
            "Thresholds and calibration were fitted on training folds only.".into(),
        ],
        provenance: Provenance {
            catalog: "sample.csv".into(),
            split: "5 folds by the catalog's own column, groups whole".into(),
            split_digest: base::Digest::of_bytes(b"sample").to_string(),
            seed: Some(Seed(11)),
            version: "0.1.0".into(),
            settings: vec![("Head".into(), "late fusion, 3 members".into())],
        },
        circumstances: Circumstances {
            when: "2026-01-02 03:04 UTC".into(),
            machine: "2 cores, 8 GiB".into(),
            device: "cpu".into(),
            command_line: "cinetag run sample.toml --set a=\"b|c\"".into(),
            stages: vec![
                StageDuration { name: "extract".into(), seconds: Some(734.2) },
                StageDuration { name: "split".into(), seconds: None },
            ],
        },
        genres: GENRES.map(String::from).into(),
        modalities: ["sight", "sound", "words", "records"].map(String::from).into(),
        folds: (0..num_titles).map(|t| t % 5).collect(),
        groups: Groups::default(),
        labels,
        probabilities,
        decisions,
        thresholds,
        present,
        alone,
        fusion_weights: Some(weights(&mut rng, genres)),
        training: (0..5).map(|fold| training(&mut rng, fold)).collect(),
        references: vec![ReferenceRow {
            name: "words, TF-IDF + logistic regression".into(),
            source: "scikit-learn, 1,040 other films".into(),
            micro_f1: Some(0.595),
            macro_f1: Some(0.502),
            samples_f1: None,
            map: Some(0.494),
        }],
        titles: (0..num_titles).map(facts).collect(),
        uncalibrated: Some(fused.mapv(|z| eval::calibration::sigmoid(2.0 * z + 0.4))),
        contributions: Some(Array3::from_shape_fn((num_titles, genres, 4), |(t, g, m)| {
            logits[m][[t, g]] / 3.2
        })),
        names_genre: (0..num_titles).map(|t| t % 9 == 0).collect(),
        borrowed: Vec::new(),
        leaks: vec![LeakCheck {
            name: "Plots that name a genre of their film".into(),
            found: true,
            detail: "one in nine: \"a <b>horror</b> film\"".into(),
        }],
        operating_points: vec![OperatingPoint {
            asked: 0.9,
            num_genres: 7,
            precision: 0.88,
            recall: 0.31,
            abstained: 0.42,
            genres: eval::shares::kept(&[(9, 10), (4, 12), (0, 0), (30, 31)].repeat(3), 0.9),
        }],
        repeats: vec![RepeatRow { split_digest: "ab".repeat(32), ..RepeatRow::default() }; 2],
        num_resamples: 200,
        seed: Some(Seed(11)),
    }
}

fn facts(title: usize) -> TitleFacts {
    TitleFacts {
        id: format!("s{title}"),
        name: format!("Sample & <i>{title}</i>"),
        year: (!title.is_multiple_of(7)).then(|| 1960 + (title % 60) as i32),
        plot: Some("Somebody <script>wants</script> something. ".repeat(9)),
    }
}

fn weights(rng: &mut ChaCha8Rng, genres: usize) -> Array2<f64> {
    let mut weights = Array2::from_shape_fn((genres, 4), |_| rng.random_range(0.05..1.0));
    for mut row in weights.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    weights
}

fn training(rng: &mut ChaCha8Rng, fold: usize) -> TrainingCurve {
    let num_epochs = 14 + fold;
    let mut course = |from: f64, to: f64, noise: f64| -> Vec<f64> {
        let at = |k: usize| to + (from - to) * (-0.35 * k as f64).exp();
        (0..num_epochs).map(|k| at(k) + rng.random_range(-noise..noise)).collect()
    };
    TrainingCurve {
        name: format!("fold {fold}"),
        train_loss: course(0.52, 0.21, 0.003),
        valid_map: course(0.2, 0.58, 0.012),
        best_epoch: num_epochs - 4,
    }
}

fn report() -> EvaluationReport {
    evidence(400).assemble().unwrap()
}

#[test]
fn the_page_loads_nothing() {
    let html = render::html(&report()).unwrap();
    for loads in
        ["http://", "https://", "<script", "src=", "url(", "@import", "<link", "<iframe", "xlink"]
    {
        assert!(!html.contains(loads), "{loads}");
    }
    assert!(html.contains("Content-Security-Policy"));
    // For the eye: where the sample may be looked at.
    if let Some(folder) = std::env::var_os("CINETAG_SAMPLE_REPORT") {
        write(&PathBuf::from(folder), &evidence(1500).assemble().unwrap()).unwrap();
    }
}

#[test]
fn names_and_notes_are_text_not_markup() {
    let report = report();
    let html = render::html(&report).unwrap();
    assert!(html.contains("Notes are text: &lt;script&gt;"));
    assert!(!html.contains("<i>Punishment"));
    assert!(html.matches("Crime &amp; &lt;i&gt;Punishment").count() >= 4, "table, plots, tips");
    assert!(html.contains("<title>A sample &amp; its &lt;figures&gt;</title>"));
    let markdown = render::markdown(&report).unwrap();
    assert!(markdown.contains("Western\\|Italian"));
    assert!(!markdown.contains("<script>"));
}

#[test]
fn markdown_tables_are_rectangular() {
    let markdown = render::markdown(&report()).unwrap();
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut before = 0;
    let mut num_rows = 0;
    for line in markdown.lines() {
        let now = columns(line);
        if line.starts_with('|') {
            assert!(before == 0 || before == now, "{line}");
            num_rows += 1;
        } else {
            assert_eq!(now, 0, "{line}");
        }
        before = now;
    }
    assert!(num_rows > 12 + 5, "{num_rows}\n{markdown}");
}

#[test]
fn genres_of_few_titles_are_named_and_what_is_held_fixed_is_said() {
    let report = report();
    let few = report.genres.iter().find(|genre| genre.metrics.support < 50).unwrap();
    let named = format!("Sci-Fi ({})", report.genres[9].metrics.support);
    assert!(few.metrics.support > 0 && report.genres[0].metrics.support >= 50);
    for text in [render::html(&report).unwrap(), render::markdown(&report).unwrap()] {
        let at = text.find("Fewer than 50 titles: ").unwrap();
        let note = text[at..].lines().next().unwrap();
        assert!(note.contains(&named) && !note.contains("Drama"), "{note}");
        assert!(text.contains("the fitted models are held fixed"));
    }
}

#[test]
fn groups_are_drawn_whole_and_move_no_figure() {
    let alone = report();
    let mut grouped = evidence(400);
    grouped.groups = Groups::new((0..400).map(|t| t / 2));
    let grouped = grouped.assemble().unwrap();
    assert_eq!(grouped.fusion, alone.fusion);
    assert_ne!(grouped.intervals, alone.intervals);
    assert_ne!(grouped.alone[0].fusion_gain, alone.alone[0].fusion_gain);
}

#[test]
fn page_text_and_figures_say_the_same_numbers() {
    let report = report();
    let (html, markdown) = (render::html(&report).unwrap(), render::markdown(&report).unwrap());
    let mut said = vec![report.reliability.brier, report.fusion.hamming_loss];
    said.extend(report.intervals.entries().map(|(_, interval)| interval.value));
    said.extend(report.alone.iter().map(|alone| alone.all.map.value));
    said.extend(report.genres.iter().filter_map(|genre| genre.metrics.ap));
    for number in said {
        let text = format!("{number:.3}");
        assert!(html.contains(&text), "{text} in the page");
        assert!(markdown.contains(&text), "{text} in the text");
    }
    let digest = &report.provenance.split_digest;
    assert!(html.matches(&digest[..12]).count() >= 8, "figures say which split they stand on");
}

#[test]
fn metrics_read_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let report = report();
    let written = write(folder.path(), &report).unwrap();
    let mut back = read_metrics(&written.metrics).unwrap();
    assert_eq!(back.circumstances, Circumstances::default());
    back.circumstances = report.circumstances.clone();
    same("report", &serde_json::to_value(&back).unwrap(), &serde_json::to_value(&report).unwrap());
    let num_files = 3 + written.tables.len();
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        num_files,
        "nothing temporary is left"
    );
    let genres = fs::read_to_string(&written.tables[0]).unwrap();
    assert_eq!(genres.lines().count(), 1 + GENRES.len(), "{genres}");
    assert!(genres.contains("\"Fantasy \"\"high\"\"\""), "{genres}");
    fs::write(&written.metrics, "{}").unwrap();
    assert!(matches!(read_metrics(&written.metrics), Err(ReportError::Json { .. })));
}

/// Equal but for the last bit that reading a decimal may cost.
fn same(place: &str, a: &serde_json::Value, b: &serde_json::Value) {
    use serde_json::Value;
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{place}");
            a.iter().for_each(|(key, v)| same(&format!("{place}.{key}"), v, &b[key]));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().zip(b).for_each(|(x, y)| same(place, x, y));
        }
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap(), y.as_f64().unwrap());
            assert!((x - y).abs() <= 1e-15 * y.abs(), "{place}: {x} {y}");
        }
        _ => assert_eq!(a, b, "{place}"),
    }
}

#[test]
fn where_and_when_is_no_part_of_the_figures() {
    let here = evidence(60).assemble().unwrap();
    let mut elsewhere = evidence(60).assemble().unwrap();
    elsewhere.circumstances = Circumstances::default();
    assert_eq!(metrics_json(&here), metrics_json(&elsewhere));
    assert!(!metrics_json(&here).contains("734.2"));
}

#[test]
fn figures_are_those_of_the_arrays() {
    let evidence = evidence(300);
    let labels = evidence.labels.clone();
    let present = evidence.present.clone();
    let words = evidence.alone[2].clone();
    let report = evidence.assemble().unwrap();
    let support = labels.column(0).iter().filter(|&&l| l).count();
    assert_eq!(report.co_occurrence[0][0], support as u64);
    assert_eq!(report.genres[0].metrics.support, support);
    let both = labels.rows().into_iter().filter(|row| row[0] && row[3]).count();
    assert_eq!(report.co_occurrence[3][0], both as u64);
    let rows: Vec<usize> = (0..300).filter(|&t| present[[t, 2]]).collect();
    assert_eq!(report.alone[2].num_present, rows.len());
    let by_hand = eval::ranking::mean_average_precision(
        words.probabilities.select(Axis(0), &rows).view(),
        labels.select(Axis(0), &rows).view(),
    );
    assert!((report.alone[2].present.map - by_hand).abs() < 1e-12);
    assert_eq!(report.folds.iter().map(|fold| fold.num_titles).sum::<usize>(), 300);
    assert_eq!(report.by_presence.iter().map(|row| row.num_titles).sum::<usize>(), 300);
    let pairs: u64 = report.reliability.bins.iter().map(|bin| bin.count).sum();
    assert_eq!(pairs, 300 * 12);
}

#[test]
fn what_a_model_says_of_itself_is_held_against_the_titles() {
    let report = report();
    // Stated probabilities of this sample are no calibrated ones: the page says so.
    let chance = report.reliability.by_chance.unwrap();
    assert!(chance.mean < chance.high && report.reliability.is_above_chance, "{chance:?}");
    let drama = &report.genres[0].reliability;
    assert!(drama.by_chance.unwrap().mean > chance.mean, "fewer pairs, more by chance");
    assert_eq!(drama.bins.iter().map(|bin| bin.count).sum::<u64>(), 400);
    // `words` has the strongest signal and the largest part.
    let reason = report.reasons.iter().find(|reason| reason.genre == 0).unwrap();
    assert_eq!(report.modalities[reason.best], "words");
    let present = evidence(400).present;
    let has_all = |t: &usize| present.row(*t).iter().all(|&has| has);
    assert!(reason.num_tags <= (0..400).filter(has_all).count());
    let html = render::html(&report).unwrap();
    let markdown = render::markdown(&report).unwrap();
    for page in [&html, &markdown] {
        assert!(page.contains("0.97 (0.84–0.99)"), "30 of 31, Wilson's interval");
        assert!(page.contains("Do tags name the modality that knows?"));
        assert!(page.contains(&format!("{:.4}", drama.expected_calibration_error)));
    }
    // 4 of 12 where 0.9 was asked for; 9 of 10 keeps it.
    assert!(html.contains(r#"<td class="found">0.33 (0.14–0.61) of 12 †</td>"#));
    assert!(markdown.contains("**0.33 (0.14–0.61)** of 12 † |"));
    assert!(html.contains("<td>0.90 (0.60–0.98) of 10</td>"));
    // Without contributions and resamples nothing is said.
    let silent = Evidence { contributions: None, num_resamples: 0, ..evidence(60) };
    let silent = silent.assemble().unwrap();
    assert!(silent.reasons.is_empty() && silent.reliability.by_chance.is_none());
    assert!(!render::html(&silent).unwrap().contains("Do tags name"));
}

#[test]
fn next_to_nothing_still_makes_a_page() {
    let none = Evidence { genres: vec!["Drama".into()], ..Evidence::default() };
    let none = Evidence {
        labels: Array2::from_elem((0, 1), false),
        probabilities: Array2::zeros((0, 1)),
        decisions: Array2::from_elem((0, 1), false),
        thresholds: vec![0.5],
        ..none
    };
    let one_unlabelled = Evidence {
        labels: Array2::from_elem((1, 1), false),
        probabilities: Array2::zeros((1, 1)),
        decisions: Array2::from_elem((1, 1), false),
        present: Array2::from_elem((1, 0), false),
        folds: vec![0],
        ..none.clone()
    };
    for evidence in [none, one_unlabelled] {
        let report = evidence.assemble().unwrap();
        let html = render::html(&report).unwrap();
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        render::markdown(&report).unwrap();
    }
}

#[test]
fn arrays_that_do_not_belong_together_are_refused() {
    let mut wrong = evidence(20);
    wrong.thresholds.pop();
    let error = wrong.assemble().unwrap_err();
    assert_eq!(error.to_string(), "`thresholds`: expected [12], got [11]");
    let mut wrong = evidence(20);
    wrong.groups = Groups::new(0..19);
    assert_eq!(wrong.assemble().unwrap_err().to_string(), "`groups`: expected [20], got [19]");
    let mut wrong = evidence(20);
    wrong.alone[1].decisions = Array2::from_elem((19, 12), false);
    assert!(wrong.assemble().unwrap_err().to_string().starts_with("`alone.decisions`"));
}

#[test]
fn an_unwritable_folder_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    fs::write(&file, "").unwrap();
    let error = write(&file, &evidence(20).assemble().unwrap()).unwrap_err();
    assert!(matches!(error, ReportError::File { action: "written", .. }));
    assert!(error.hint().is_some());
}

#[test]
fn the_plot_of_genres_together_stands_alone_as_a_file() {
    let genres = ["Drama", "Western & <Italian>"].map(str::to_owned);
    let svg = super::co_occurrence_svg(&genres, &[vec![4, 1], vec![1, 2]]);
    assert!(svg.starts_with(r#"<svg xmlns="http://www.w3.org/2000/svg""#), "{svg}");
    assert!(svg.trim_end().ends_with("</svg>") && svg.matches("<style>").count() == 1);
    assert!(svg.contains("1 of the 4 titles with Drama also have Western &amp; &lt;Italian&gt;"));
    assert_eq!(svg.matches("<rect").count(), 4);
}
