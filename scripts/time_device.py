#!/usr/bin/env python3
"""PyTorch on the shapes of the check of a device (`scripts/check_device`), in the same run.

    time_device.py JOBS DEVICE SECS

JOBS is the file that the check leaves: networks with their shapes. Weights are random where only the
speed counts. One row of JSON a measurement, as the check's own. Needs torch; timm for EfficientNet-Lite,
transformers for texts and speech: what lacks is said, and the others are measured.
"""

import json
import sys
import time

PRECISIONS = ["f32", "f16", "bf16"]
ROUNDS = 3


def say(what, unit, value=None, precision="", batch=0, note=""):
    row = {"part": "pytorch", "what": what, "unit": unit, "value": value, "precision": precision,
           "batch": batch, "note": note}
    print(json.dumps(row), flush=True)


def pictures(job, device, dtype):
    if job["what"] != "efficientnet-lite2":
        raise NotImplementedError("only EfficientNet-Lite2 is built here")
    import timm
    net = timm.create_model("tf_efficientnet_lite2", pretrained=False, num_classes=0)
    net = net.eval().to(device, dtype, memory_format=torch.channels_last)

    def prepare(batch):
        rgb = torch.randint(0, 256, (batch, job["side"], job["side"], 3), dtype=torch.uint8)

        def run():  # as cinetag: bytes go over, and are normalised there
            x = rgb.to(device).permute(0, 3, 1, 2).float().sub_(127).div_(128).to(dtype)
            return net(x.contiguous(memory_format=torch.channels_last))
        return run
    yield job["what"], 1, prepare


def texts(job, device, dtype):
    import transformers
    transformers.utils.logging.disable_progress_bar()
    net = transformers.AutoModel.from_pretrained(job["folder"]).eval().to(device, dtype)

    def prepare(batch):
        ids = torch.randint(1000, 20000, (batch, job["tokens"]))

        def run():
            there = ids.to(device)
            mean = net(input_ids=there, attention_mask=torch.ones_like(there)).last_hidden_state.mean(1)
            return torch.nn.functional.normalize(mean.float())
        return run
    yield job["what"], 1, prepare


def speech(job, device, dtype):
    if job["what"] != "whisper-tiny.en":
        raise NotImplementedError("only Whisper's tiny.en is built here")
    import transformers
    config = transformers.WhisperConfig(
        vocab_size=51864, d_model=384, encoder_layers=4, decoder_layers=4, encoder_attention_heads=6,
        decoder_attention_heads=6, encoder_ffn_dim=1536, decoder_ffn_dim=1536)
    net = transformers.WhisperForConditionalGeneration(config).eval().to(device, dtype)
    mels = torch.randn(1, 80, 3000)
    yield job["what"] + ", encoder", job["secs"], lambda _: lambda: net.model.encoder(mels.to(device, dtype)).last_hidden_state

    def write(_):
        def run():
            state = net.model.encoder(mels.to(device, dtype))
            ids, cache = torch.full((1, 1), 50257, device=device), None
            for _ in range(max(1, job["tokens"])):  # greedy, as many words as cinetag wrote
                out = net.model.decoder(input_ids=ids, encoder_hidden_states=state.last_hidden_state,
                                        past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                ids = net.proj_out(out.last_hidden_state[:, -1:]).argmax(-1)
                ids.item()  # the next step is chosen on the host, as cinetag's rules are
            return ids
        return run
    yield job["what"], job["secs"], write


def rate(run, secs):
    """Calls a second; results are copied back, which waits for the device."""
    rates = []
    run().float().cpu()
    for _ in range(ROUNDS):
        started, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - started < secs:
            run().float().cpu()
            calls += 1
        rates.append(calls / (time.perf_counter() - started))
    return sorted(rates)[ROUNDS // 2]


def measure(job, device, secs):
    make = {"pictures": pictures, "texts": texts, "speech": speech}[job["kind"]]
    for precision in PRECISIONS:
        dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[precision]
        for what, of_one, prepare in make(job, device, dtype):
            for batch in job["batches"]:
                try:
                    with torch.inference_mode():
                        found = rate(prepare(batch), secs)
                except torch.OutOfMemoryError:
                    break
                say(what, job["unit"], found * batch * of_one, precision, batch)
                if 1 / found > 3 * secs:
                    break


if __name__ == "__main__":
    jobs, device, secs = json.load(open(sys.argv[1])), sys.argv[2], float(sys.argv[3])
    try:
        import torch
    except ImportError as error:
        say("PyTorch", "", note=str(error))
        sys.exit(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # f32 as cinetag's
    say("PyTorch", "", note=f"{torch.__version__} on {torch.cuda.get_device_name() if device != 'cpu' else 'the processor'}")
    for job in jobs:
        try:
            measure(job, device, secs)
        except Exception as error:  # one network less, not all
            say(job["what"], job["unit"], note=f"not compared: {type(error).__name__}: {str(error).splitlines()[0][:120]}")
