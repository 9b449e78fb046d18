//! What the networks cost a picture or a text, on inputs that are left in a folder for others to
//! be timed on: `scripts/bench_encoders`.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a measurement, not part of the program

use std::{collections::HashMap, env, fs, path::Path, time::Instant};

use candle_core::Tensor;
use cinetag::{
    base::DeviceChoice,
    nn::{
        Device, ImageEncoder, ModelSource, NnError, Precision, SentenceBert, TextWindow,
        WeightCache, device,
    },
};
use rayon::prelude::*;
use rustix::time::{ClockId, clock_gettime};

const BATCHES: [usize; 2] = [1, 32];
const THREADS: [usize; 2] = [1, 2];
const TOKENS: usize = 128;
/// A measurement is repeated so often, each at least so long; the median counts.
const ROUNDS: usize = 5;
const ROUND_SECS: f64 = 0.4;
const BF16: &str = "cinetag bf16";

/// Name and GFLOP a picture.
const PRETRAINED: [(&str, f64); 2] = [("efficientnet-lite0", 0.77), ("efficientnet-lite2", 1.72)];
/// Name, blocks of each stage, whether they are bottlenecks, GFLOP a picture.
const RESNETS: [(&str, [usize; 4], bool, f64); 2] =
    [("resnet18", [2, 2, 2, 2], false, 3.63), ("resnet50", [3, 4, 6, 3], true, 8.18)];

fn main() {
    let mut args = env::args().skip(1);
    let folder = args.next().expect("usage: bench_encoders FOLDER [NETWORK…]");
    let wanted: Vec<String> = args.collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    let cache = WeightCache::open(None).unwrap();
    println!("vector instructions: {}", device::cpu_kernels());
    println!("matrix product of candle's gemm, one thread: {:.0} GFLOP/s", peak_gflops());
    for (name, gflop) in PRETRAINED.into_iter().filter(|(name, _)| is_wanted(name)) {
        measure_pictures(folder, name, gflop, &cache, &ModelSource::Known(name.to_owned()));
    }
    for (name, depths, is_bottleneck, gflop) in RESNETS {
        if is_wanted(name) {
            let model = folder.join(name);
            fs::create_dir_all(&model).unwrap();
            let tensors = random_resnet(depths, is_bottleneck);
            candle_core::safetensors::save(&tensors, model.join("model.safetensors")).unwrap();
            measure_pictures(folder, name, gflop, &cache, &ModelSource::Path(model));
        }
    }
    if is_wanted("all-minilm-l6-v2") {
        measure_texts(folder, &cache);
    }
}

fn measure_pictures(
    folder: &Path,
    name: &str,
    gflop: f64,
    cache: &WeightCache,
    source: &ModelSource,
) {
    let files = cache.resolve(source).unwrap();
    let load = |precision| ImageEncoder::load_in(&files, &Device::Cpu, precision).unwrap();
    let (network, in_bf16) = (load(Precision::F32), load(Precision::Bf16));
    let picture = network.side_px() * network.side_px() * 3;
    let rgb = pictures(BATCHES[1], network.side_px());
    let embeddings = network.embed(&rgb).unwrap();
    fs::write(folder.join(format!("{name}.in")), &rgb).unwrap();
    write_floats(&folder.join(format!("{name}.out")), &embeddings);
    let error = largest_difference(&in_bf16.embed(&rgb).unwrap(), &embeddings);
    for (library, network, error) in [("cinetag", network, 0.0), (BF16, in_bf16, error)] {
        measure(library, name, gflop, error, |batch| {
            network.embed(&rgb[..batch * picture]).unwrap();
        });
    }
    measure_on_cuda(name, |device, precision| {
        let network = ImageEncoder::load_in(&files, device, precision)?;
        let rgb = &rgb;
        Ok(move |batch| drop(network.embed(&rgb[..batch * picture]).unwrap()))
    });
}

fn measure_texts(folder: &Path, cache: &WeightCache) {
    let name = "all-minilm-l6-v2";
    let files = cache.require(name).unwrap();
    let load = |precision| SentenceBert::load_in(&files, &Device::Cpu, precision).unwrap();
    let (network, in_bf16) = (load(Precision::F32), load(Precision::Bf16));
    let windows: Vec<TextWindow> = (0..BATCHES[1])
        .map(|seed| network.windows(&words(seed), TOKENS, 0).unwrap().swap_remove(0))
        .collect();
    assert!(windows.iter().all(|window| window.ids.len() == TOKENS));
    let ids: Vec<u8> =
        windows.iter().flat_map(|w| &w.ids).flat_map(|id| id.to_le_bytes()).collect();
    fs::write(folder.join(format!("{name}.in")), ids).unwrap();
    let vectors = network.embed(&windows).unwrap();
    write_floats(&folder.join(format!("{name}.out")), &vectors);
    let error = largest_difference(&in_bf16.embed(&windows).unwrap(), &vectors);
    for (library, network, error) in [("cinetag", network, 0.0), (BF16, in_bf16, error)] {
        measure(library, name, 2.87, error, |batch| {
            windows[..batch].par_iter().for_each(|window| {
                network.embed(std::slice::from_ref(window)).unwrap();
            });
        });
    }
    measure_on_cuda(name, |device, precision| {
        let network = SentenceBert::load_in(&files, device, precision)?;
        let windows = &windows;
        Ok(move |batch| drop(network.embed(&windows[..batch]).unwrap()))
    });
}

/// Prints, for each precision and batch, items a second on the CUDA device, where there is one.
fn measure_on_cuda<R: Fn(usize)>(
    name: &str,
    load: impl Fn(&Device, Precision) -> Result<R, NnError>,
) {
    let Ok((device, _)) = device::resolve(DeviceChoice::Cuda(0)) else { return };
    for (precision, word) in
        [(Precision::F32, "f32"), (Precision::F16, "f16"), (Precision::Bf16, "bf16")]
    {
        let run = load(&device, precision).unwrap();
        for batch in BATCHES {
            let [_, wall_ms] = median_ms(batch, &run);
            println!("cinetag cuda\t{name}\t{word}\t{batch}\t{:.0}", 1e3 / wall_ms);
        }
    }
}

/// A `ResNet` of full size with random weights, by torchvision's names.
fn random_resnet(depths: [usize; 4], is_bottleneck: bool) -> HashMap<String, Tensor> {
    let mut tensors = HashMap::new();
    let mut add = |conv: &str, norm: &str, shape: [usize; 4], gain: f32| {
        let std = (2.0 / (shape[1] * shape[2] * shape[3]) as f32).sqrt();
        let weight = Tensor::randn(0.0, std, &shape, &Device::Cpu).unwrap();
        tensors.insert(format!("{conv}.weight"), weight);
        for (part, value) in
            [("weight", gain), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)]
        {
            let tensor = Tensor::full(value, shape[0], &Device::Cpu).unwrap();
            tensors.insert(format!("{norm}.{part}"), tensor);
        }
    };
    add("conv1", "bn1", [64, 3, 7, 7], 1.0);
    let mut channels = 64;
    for (stage, depth) in depths.into_iter().enumerate() {
        let inside = 64 << stage;
        let width = if is_bottleneck { 4 * inside } else { inside };
        for idx in 0..depth {
            let block = format!("layer{}.{idx}", stage + 1);
            let shapes = if is_bottleneck {
                vec![[inside, channels, 1, 1], [inside, inside, 3, 3], [width, inside, 1, 1]]
            } else {
                vec![[width, channels, 3, 3], [width, width, 3, 3]]
            };
            let last = shapes.len();
            for (idx, shape) in (1..).zip(shapes) {
                // What is added to the input is small, or numbers would double with each block.
                let gain = if idx == last { 0.2 } else { 1.0 };
                add(&format!("{block}.conv{idx}"), &format!("{block}.bn{idx}"), shape, gain);
            }
            if idx == 0 && channels != width {
                let name = format!("{block}.downsample");
                add(&format!("{name}.0"), &format!("{name}.1"), [width, channels, 1, 1], 0.7);
            }
            channels = width;
        }
    }
    tensors
}

/// Prints CPU and wall milliseconds an item, how much of the CPU's time is arithmetic, and how far
/// results are from those in f32.
fn measure(library: &str, name: &str, gflop: f64, error: f32, run: impl Fn(usize) + Sync) {
    for threads in THREADS {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for batch in BATCHES {
            let [cpu_ms, wall_ms] = pool.install(|| median_ms(batch, &run));
            println!(
                "{library}\t{name}\t{threads}\t{batch}\t{cpu_ms:.2}\t{wall_ms:.2}\t{:.0}\t{error:.1e}",
                gflop / cpu_ms * 1e3
            );
        }
    }
}

fn median_ms(batch: usize, run: impl Fn(usize)) -> [f64; 2] {
    run(batch);
    let mut rounds: Vec<[f64; 2]> = (0..ROUNDS)
        .map(|_| {
            let (cpu, wall) = (cpu_secs(), Instant::now());
            let mut num_items = 0;
            while wall.elapsed().as_secs_f64() < ROUND_SECS {
                run(batch);
                num_items += batch;
            }
            [cpu_secs() - cpu, wall.elapsed().as_secs_f64()].map(|s| s * 1e3 / num_items as f64)
        })
        .collect();
    rounds.sort_by(|a, b| a[0].total_cmp(&b[0]));
    rounds[ROUNDS / 2]
}

/// CPU time of all threads.
fn cpu_secs() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn peak_gflops() -> f64 {
    const SIDE: usize = 1024;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let a = Tensor::randn(0_f32, 1.0, (SIDE, SIDE), &Device::Cpu).unwrap();
        let mut best = f64::INFINITY;
        for _ in 0..10 {
            let before = cpu_secs();
            a.matmul(&a).unwrap();
            best = best.min(cpu_secs() - before);
        }
        2.0 * (SIDE as f64).powi(3) / best * 1e-9
    })
}

/// Coloured gradients with some noise: neither flat nor without structure.
fn pictures(count: usize, side_px: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut rgb = Vec::with_capacity(count * side_px * side_px * 3);
    for picture in 0..count {
        for y in 0..side_px {
            for x in 0..side_px {
                for colour in 0..3 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let wave = (x * (colour + 1) + y * (picture % 5 + 1)) % 251;
                    rgb.push((wave as u8).wrapping_add((state >> 28) as u8));
                }
            }
        }
    }
    rgb
}

/// More words than fit into a window.
fn words(seed: usize) -> String {
    const WORDS: [&str; 12] = [
        "a",
        "detective",
        "follows",
        "the",
        "letter",
        "through",
        "winter",
        "and",
        "her",
        "brother",
        "waits",
        "alone",
    ];
    (0..2 * TOKENS)
        .map(|n| WORDS[(n * (seed + 3) + n / 7) % WORDS.len()])
        .collect::<Vec<_>>()
        .join(" ")
}

/// As part of the largest value.
fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(0_f32, |max, x| max.max(x.abs()));
    found.iter().zip(expected).fold(0_f32, |max, (a, b)| max.max((a - b).abs())) / largest
}

fn write_floats(path: &Path, floats: &[f32]) {
    let bytes: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(path, bytes).unwrap();
}
