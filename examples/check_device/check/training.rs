//! The late-fusion head, trained on the device and on the processor from the same seed.
//!
//! Features are drawn: a title's genres, and in each modality the sum of its genres' directions
//! with noise. What is dropped in training is drawn on the host, so both see the same.

use cinetag::{
    base::{DeviceChoice, Interrupt, NoProgress, Seed, TitleId},
    dataset::{Content, Dataset, ModalityTable},
    learn::{
        LearnConfig,
        heads::{self, FitContext, FittedHead, Unfitted},
    },
    store::Ragged,
};
use rand::RngExt as _;

use super::{Fail, Row, Setup, parity::difference};

const PART: &str = "training";
const EPOCHS: usize = 8;
const GENRES: usize = 12;
/// Name, length of a row, most rows of a title.
const MODALITIES: [(&str, usize, usize); 3] =
    [("plot", 384, 1), ("poster", 1408, 1), ("frames", 1408, 8)];

/// See the module's head.
pub fn run(setup: &Setup, say: &mut dyn FnMut(Row)) -> Result<(), Fail> {
    let data = dataset(setup.titles);
    let (cpu, device) = (fit(&data, DeviceChoice::Cpu)?, fit(&data, setup.device)?);
    let logs = [cpu.training(), device.training()];
    let course = |losses: &[f64]| {
        let [first, last] = [losses.first(), losses.last()].map(|x| x.copied().unwrap_or(f64::NAN));
        format!("{first:.4} to {last:.4}")
    };
    let curves = logs.map(|log| &log.train_loss);
    let far = |epochs: usize| {
        let pairs = curves[0].iter().zip(curves[1]).take(epochs);
        let same = curves[0].len() == curves[1].len();
        let errors = pairs.map(|(a, b)| (a - b).abs() / a.abs());
        errors.fold(if same { 0.0 } else { f64::NAN }, |a, b| if a >= b { a } else { b })
    };
    let note = format!("processor {}, device {}", course(curves[0]), course(curves[1]));
    let f32 = |row| Row { precision: "f32".to_owned(), ..row };
    say(f32(Row::within(PART, "first epoch's loss", far(1), 1e-4, "of the processor's")));
    say(f32(Row {
        note,
        ..Row::within(PART, "loss curve", far(EPOCHS), 1e-2, "of the processor's")
    }));
    let maps = logs.map(|log| log.valid_map.last().copied().unwrap_or(f64::NAN));
    let note = format!("processor {:.4}, device {:.4}", maps[0], maps[1]);
    let map = Row::within(PART, "validation mAP", (maps[0] - maps[1]).abs(), 0.01, "apart");
    say(f32(Row { note, ..map }));
    // One head on the device judges as the same head on the processor.
    let folder = setup.out.join("head");
    std::fs::create_dir_all(&folder)?;
    cpu.save(&folder)?;
    let rows: Vec<usize> = (0..data.num_titles().min(200)).collect();
    let loaded = (heads::find(heads::late_fusion::NAME)?.load)(&folder, setup.device)?;
    let found = loaded.predict(&data, &rows)?.logits;
    let error = difference(&found, &cpu.predict(&data, &rows)?.logits);
    say(f32(Row::within(PART, "logits of one head", error, 1e-4, "of the largest")));
    let secs = logs.map(|log| log.seconds);
    let note = format!("processor {:.2} s", secs[0]);
    say(f32(Row { note, ..Row::number(PART, "time", secs[1], "s") }));
    Ok(())
}

fn fit(data: &Dataset, device: DeviceChoice) -> Result<Box<dyn FittedHead>, Fail> {
    let config = LearnConfig::default()
        .with(|config| (config.fusion.epochs, config.fusion.patience) = (EPOCHS, EPOCHS));
    let context = FitContext {
        device,
        seed: Seed(7),
        inner_folds: &[],
        progress: &NoProgress,
        interrupt: &Interrupt::default(),
        parts: None,
    };
    let (valid, train): (Vec<usize>, Vec<usize>) =
        (0..data.num_titles()).partition(|title| title.is_multiple_of(5));
    let Unfitted::Members(head) = (heads::find(&config.head)?.build)(&config) else {
        return Err("the usual head has no members".into());
    };
    Ok(head.fit(data, &train, &valid, &context)?)
}

fn dataset(titles: usize) -> Dataset {
    let mut rng = Seed(11).rng("labels");
    let labels: Vec<bool> = (0..titles * GENRES).map(|_| rng.random_bool(0.2)).collect();
    let modalities = MODALITIES.iter().map(|&(name, dim, most)| {
        let mut rng = Seed(11).rng(name);
        let mut draw =
            |len: usize| -> Vec<f32> { (0..len).map(|_| rng.random::<f32>() - 0.5).collect() };
        let directions = draw(GENRES * dim);
        let mut rows = Ragged::new(dim);
        for title in 0..titles {
            // Every seventh title lacks the modality, each another one.
            let num_rows =
                if (title + dim + most).is_multiple_of(7) { 0 } else { title % most + 1 };
            for _ in 0..num_rows {
                let mut row = draw(dim);
                let genres =
                    labels[title * GENRES..][..GENRES].iter().zip(directions.chunks_exact(dim));
                for (_, direction) in genres.filter(|(has, _)| **has) {
                    row.iter_mut().zip(direction).for_each(|(x, d)| *x += 0.3 * d);
                }
                rows.data.extend(row);
            }
            rows.offsets.push(rows.data.len() / dim);
        }
        ModalityTable::new(name, Content::Rows(rows)).into()
    });
    Dataset {
        titles: (0..titles).map(|title| TitleId::new(&format!("t{title}"))).collect(),
        genres: (0..GENRES).map(|genre| format!("g{genre}")).collect(),
        modalities: modalities.collect(),
        labels,
        label_weights: None,
    }
}
