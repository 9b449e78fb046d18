//! Every kernel for the processor, on every instruction set that it has, at shapes of the networks:
//! `cargo bench --bench kernels`. Elements are multiplications with their additions, or numbers.

#![allow(missing_docs)] // the macro's functions

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernels::{
    Aligned, Clamp, Depthwise, DepthwiseShape, Isa, PackedMatrix, Resampler, Rows, Winograd, dot,
    gelu, layer_norm, softmax, sum,
};

/// Numbers between −1 and 1 that repeat late.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + 13) % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn matrix_product(c: &mut Criterion) {
    let mut group = c.benchmark_group("matrix product");
    // Lite2 early and late, ResNet's widest, BERT's narrow and wide layers.
    for (rows, depth, width) in
        [(4225, 96, 24), (81, 1248, 208), (49, 2048, 512), (128, 384, 1152), (128, 1536, 384)]
    {
        let (weight, bias) = (numbers(depth * width), numbers(width));
        let left = numbers(rows * depth);
        let mut out = Aligned::zeros(rows * width);
        group.throughput(Throughput::Elements((rows * depth * width) as u64));
        for isa in Isa::available() {
            let matrix = PackedMatrix::from_rows(isa, &weight, &bias);
            let id = BenchmarkId::new(isa.name(), format!("{rows}x{depth}x{width}"));
            group.bench_function(id, |b| {
                b.iter(|| {
                    let out = out.as_mut_slice();
                    let left = black_box(&left);
                    matrix.multiply(rows, left, depth, None, Clamp::RELU, out, width, Rows::DENSE);
                });
            });
        }
    }
}

fn convolution(c: &mut Criterion) {
    let mut group = c.benchmark_group("depthwise");
    for (kernel, stride, channels, side) in [(3, 1, 96, 65), (5, 1, 720, 17), (5, 2, 720, 17)] {
        let reach = (side - 1) * stride + kernel;
        let (input, weight) =
            (numbers(reach * reach * channels), numbers(channels * kernel * kernel));
        let mut out = vec![0.0; side * side * channels];
        let shape = DepthwiseShape { columns_in: reach, columns_out: side, rows_out: side };
        group.throughput(Throughput::Elements((out.len() * kernel * kernel) as u64));
        for isa in Isa::available() {
            let bias = numbers(channels);
            let layer = Depthwise::new(isa, kernel, stride, &weight, &bias, Clamp::RELU6);
            let id = BenchmarkId::new(isa.name(), format!("{kernel}/{stride} {side}²x{channels}"));
            group.bench_function(id, |b| {
                b.iter(|| layer.apply(shape, black_box(&input), &mut out));
            });
        }
    }
    group.finish();

    let mut group = c.benchmark_group("winograd 3x3");
    for (side, channels) in [(56, 64), (14, 256)] {
        let (input, weight) = (numbers(side * side * channels), numbers(channels * channels * 9));
        let mut out = vec![0.0; side * side * channels];
        let mut scratch = Aligned::new();
        group.throughput(Throughput::Elements((out.len() * channels * 9) as u64));
        for isa in Isa::available() {
            let layer = Winograd::new(isa, &weight, &numbers(channels), 1);
            group.bench_function(
                BenchmarkId::new(isa.name(), format!("{side}²x{channels}")),
                |b| {
                    b.iter(|| {
                        let input = (black_box(&input[..]), side);
                        layer.apply(input, None, Clamp::RELU, &mut scratch, &mut out);
                    });
                },
            );
        }
    }
}

fn transformer(c: &mut Criterion) {
    const TOKENS: usize = 128;
    const DIM: usize = 384;
    let mut group = c.benchmark_group("transformer");
    group.throughput(Throughput::Elements((TOKENS * DIM) as u64));
    let (gamma, beta) = (numbers(DIM), numbers(DIM));
    for isa in Isa::available() {
        let mut rows = numbers(TOKENS * DIM);
        group.bench_function(BenchmarkId::new("layer norm", isa.name()), |b| {
            b.iter(|| layer_norm(isa, black_box(&mut rows), &gamma, &beta, 1e-12));
        });
        group.bench_function(BenchmarkId::new("softmax", isa.name()), |b| {
            b.iter(|| softmax(isa, black_box(&mut rows), DIM));
        });
        group.bench_function(BenchmarkId::new("gelu", isa.name()), |b| {
            b.iter(|| gelu(isa, black_box(&mut rows)));
        });
    }
}

fn sound(c: &mut Criterion) {
    let mut group = c.benchmark_group("sound");
    let samples = numbers(48_000 * 10);
    group.throughput(Throughput::Elements(samples.len() as u64));
    for isa in Isa::available() {
        for (from, to) in [(48_000, 22_050), (48_000, 16_000)] {
            let id = BenchmarkId::new(format!("resample {from} to {to}"), isa.name());
            group.bench_function(id, |b| {
                b.iter(|| {
                    let mut resampler = Resampler::new(isa, from, to).expect("a simple ratio");
                    let mut out = Vec::new();
                    resampler.push(black_box(&samples), &mut out);
                    resampler.finish(&mut out);
                    out
                });
            });
        }
        group.bench_function(BenchmarkId::new("dot", isa.name()), |b| {
            b.iter(|| dot(isa, black_box(&samples), &samples));
        });
        group.bench_function(BenchmarkId::new("sum", isa.name()), |b| {
            b.iter(|| sum(isa, black_box(&samples)));
        });
    }
}

criterion_group!(benches, matrix_product, convolution, transformer, sound);
criterion_main!(benches);
