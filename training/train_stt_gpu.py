"""Trains the phone network on an accelerator, while processors speak.

    python training/train_stt_gpu.py --speech .cache/training/speech --out .cache/training/stt.pt --minutes 8 \
        --init models/starter/stt-en.onnx --text .cache/training/text.train.tsv.gz --short .cache/training/text.short.tsv.gz

All features lie in the accelerator's memory and are stretched, disturbed and batched there: one processor core only
starts its kernels. The other cores speak sentences for as long as training goes on (--speakers), so that little is heard
often; each shard joins when it is written. The learning rate follows the share of --minutes that has passed.
"""

import argparse
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from augment import Augmenter
from export_stt import weights_from_graph
from front_end import MELS
from network import PhoneNetwork, adopt, slots_of, weights_of
from train_stt import GRADIENT_NORM, SILENCE, WARM_UP_STEPS, load, phone_errors, read_shard

HERE = Path(__file__).parent
POOL_FRAMES = 100_000_000  # of 128 bytes; a pool that is full takes no more shards
FIRST_HOURS = 1.0  # that training waits for
REPORT_STEPS, CHECKPOINT_S = 500, 60
SLOT_SHARE = 0.8
STEADY_S = 20  # the end of the run looks for no more speech


class Pool:
    """Utterances in the accelerator's memory: features one after another, and labels likewise."""

    def __init__(self, device):
        self.device = device
        self.mel = torch.empty(0, MELS, dtype=torch.float16, device=device)
        self.labels = torch.empty(0, dtype=torch.int64, device=device)
        self.used = self.labels_used = 0
        self.rows = np.zeros((0, 4), np.int64)  # first frame, frames, first label, labels

    def add(self, utterances):
        frames = sum(len(mel) for mel, _ in utterances)
        if self.used + frames > POOL_FRAMES:
            return
        self.reserve(frames, sum(len(labels) for _, labels in utterances))
        rows = np.zeros((len(utterances), 4), np.int64)
        for row, (mel, labels) in zip(rows, utterances):
            row[:] = self.used, len(mel), self.labels_used, len(labels)
            self.used += len(mel)
            self.labels_used += len(labels)
        self.mel[rows[0, 0] : self.used] = torch.cat([mel for mel, _ in utterances]).to(self.device)
        self.labels[rows[0, 2] : self.labels_used] = torch.cat([labels for _, labels in utterances]).to(self.device)
        self.rows = np.concatenate([self.rows, rows])

    def reserve(self, frames, labels):
        """Doubles, so that a growing pool is copied a few times only."""
        for name, needed in (("mel", self.used + frames), ("labels", self.labels_used + labels)):
            own = getattr(self, name)
            if needed > len(own):
                larger = own.new_empty(max(needed, 2 * len(own)), *own.shape[1:])
                larger[: len(own)] = own
                setattr(self, name, larger)

    @property
    def hours(self):
        return self.used / 360_000

    def batches(self, frames_max, rng):
        """Arrays of row numbers of similar length, `frames_max` frames with padding each, in random order."""
        lengths = self.rows[:, 1] * rng.uniform(1, 1.1, len(self.rows))
        found, current, longest = [], [], 0
        for row in np.argsort(lengths):
            longest = max(longest, self.rows[row, 1])
            if current and longest * (len(current) + 1) > frames_max:
                found.append(np.array(current))
                current, longest = [], self.rows[row, 1]
            current.append(row)
        found.append(np.array(current))
        rng.shuffle(found)
        return found

    def collate(self, chosen, rng):
        """mel [batch, frames, 64], lengths, labels [batch, longest], label counts; half of the rows at another pace."""
        first, frames, first_label, counts = torch.from_numpy(self.rows[chosen].T).to(self.device)
        rows = self.rows[chosen]
        factor = np.where(rng.random(len(rows)) < 0.5, rng.uniform(0.75, 1.2, len(rows)), 1.0)
        paced = np.maximum(8, np.rint(rows[:, 1] * factor)).astype(np.int64)
        paced = np.where(slots_of(paced) * SLOT_SHARE > rows[:, 3], paced, rows[:, 1])
        lengths = torch.from_numpy(paced).to(self.device)
        at = torch.arange(int(paced.max()), device=self.device)[None]
        # Linear interpolation, as in change_tempo of augment.py.
        source = ((at + 0.5) * (frames / lengths)[:, None] - 0.5).clamp(min=0)
        source = torch.minimum(source, (frames - 1)[:, None])
        below = source.long()
        above = torch.minimum(below + 1, (frames - 1)[:, None])
        share = (source - below)[..., None]
        mel = torch.lerp(self.mel[first[:, None] + below].float(), self.mel[first[:, None] + above].float(), share)
        mel = mel.masked_fill((at >= lengths[:, None])[..., None], SILENCE)
        of_label = torch.arange(int(rows[:, 3].max()), device=self.device)[None]
        last = (counts - 1)[:, None].clamp(min=0)
        labels = self.labels[first_label[:, None] + torch.minimum(of_label, last)]
        return mel, lengths, labels, counts


class Arrivals:
    """Shards of a folder that were not seen before."""

    def __init__(self, folder, pool):
        self.folder, self.pool, self.seen = folder, pool, set()

    def look(self):
        for kind in ("train", "short"):
            for path in sorted(self.folder.glob(f"{kind}-*.npz")):
                if path not in self.seen:
                    self.seen.add(path)
                    self.pool.add(read_shard(path))


def start_speakers(options):
    """Processes that write shards until they are told to stop."""
    processes = []
    for part in range(options.speakers):
        kind, text = ("short", options.short) if part % 7 == 6 else ("train", options.text)
        of = sum(1 for other in range(options.speakers) if (other % 7 == 6) == (kind == "short"))
        own = sum(1 for other in range(part) if (other % 7 == 6) == (kind == "short"))
        command = [sys.executable, HERE / "synthesise.py", "--text", text, "--out", options.speech, "--kind", kind]
        command += ["--shards", "100000", "--of", of, "--part", own, "--takes", options.takes, "--sentences", 100]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        processes.append(subprocess.Popen(list(map(str, command)), env=environment, stdout=subprocess.DEVNULL))
    return processes


class Trainer:
    def __init__(self, options, network, device):
        self.options, self.network, self.device = options, network, device
        fused = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.02, fused=fused
        )
        self.step, self.audio_s, self.losses = 0, 0.0, []
        self.started = self.saved = time.monotonic()
        torch.manual_seed(options.seed)

    @property
    def seconds(self):
        return time.monotonic() - self.started

    @property
    def progress(self):
        return self.seconds / (60 * self.options.minutes)

    def run(self, arrivals, tests):
        rng = np.random.default_rng(self.options.seed)
        augmenter = Augmenter(self.options.seed, self.device)
        while self.progress < 1:
            before = arrivals.pool.hours
            for chosen in arrivals.pool.batches(self.options.frames, rng):
                if self.progress >= 1 or arrivals.pool.hours > 1.1 * before:
                    break
                self.learn(arrivals.pool.collate(chosen, rng), augmenter, rng)
                if self.step % 50 == 0 and self.seconds < 60 * self.options.minutes - STEADY_S:
                    arrivals.look()
                self.report(arrivals.pool, tests)
        self.save()
        self.evaluate(tests)

    def learn(self, batch, augmenter, rng):
        mel, lengths, labels, counts = batch
        if rng.random() < self.options.disturbed:
            mel = augmenter(mel, lengths)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.network.logits(mel)
        logp = F.log_softmax(logits.float(), -1)
        loss = F.ctc_loss(logp.transpose(0, 1), labels, slots_of(lengths), counts, zero_infinity=True)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_NORM)
        annealed = 0.5 * (1 + math.cos(math.pi * min(1, self.progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.rate * annealed * min(1, (self.step + 1) / WARM_UP_STEPS)
        self.optimizer.step()
        self.step += 1
        self.audio_s += mel.shape[0] * mel.shape[1] / 100
        if self.step % 10 == 0:
            self.losses.append(loss.detach())

    def report(self, pool, tests):
        if self.step % REPORT_STEPS == 0 or self.step in (20, 100):
            loss = torch.stack(self.losses[-50:]).mean().item()
            heard = f"{self.audio_s / 3600:.0f} h heard of {pool.hours:.1f} h"
            print(f"step {self.step}, {self.seconds:.0f} s, {heard}, loss {loss:.3f}", flush=True)
        if time.monotonic() - self.saved > CHECKPOINT_S:
            self.save()
            self.evaluate(tests)
            self.saved = time.monotonic()

    def save(self):
        part = self.options.out.with_suffix(".part")
        torch.save({"network": {name: value.cpu() for name, value in self.network.state_dict().items()}}, part)
        part.replace(self.options.out)

    def evaluate(self, tests):
        errors = {kind: f"{phone_errors(self.network, heard):.2%}" for kind, heard in tests.items() if heard}
        print(f"step {self.step}, {self.seconds:.0f} s: phone errors {errors}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="folder of shards; watched while training")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--init", type=Path, help="weights to start from: a checkpoint (.pt) or an exported graph (.onnx)")
    parser.add_argument("--text", type=Path, help="sentences that the speakers say")
    parser.add_argument("--short", type=Path, help="short sentences that every seventh speaker says")
    parser.add_argument("--speakers", type=int, default=0, help="processes that speak while training goes on")
    parser.add_argument("--takes", type=int, default=2, help="rooms and telephones that each spoken sentence is put into")
    parser.add_argument("--rate", type=float, default=2.5e-3)
    parser.add_argument("--frames", type=int, default=60_000, help="frames of 10 ms in a batch")
    parser.add_argument("--disturbed", type=float, default=0.9, help="share of batches that are augmented")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    network = PhoneNetwork().to(device)
    if options.init is not None:
        read = weights_from_graph if options.init.suffix == ".onnx" else weights_of
        adopt(network, read(options.init))
    options.speech.mkdir(parents=True, exist_ok=True)
    tests = {kind: load(options.speech, kind) for kind in ("known", "espeak-held-out", "rms")}
    speakers = start_speakers(options)
    try:
        arrivals = Arrivals(options.speech, Pool(device))
        while arrivals.pool.hours < FIRST_HOURS:
            arrivals.look()
            time.sleep(0.5)
        Trainer(options, network, device).run(arrivals, tests)
    finally:
        for speaker in speakers:
            speaker.terminate()


if __name__ == "__main__":
    main()
