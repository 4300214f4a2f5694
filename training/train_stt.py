"""Trains the phone network.

    python training/train_stt.py --speech .cache/training/speech --out .cache/training/stt.pt --minutes 90

Each of --ranks processes computes gradients on its own batches with one thread; they are averaged through shared memory,
which on a few cores is two to three times as fast as one process with threads. The learning rate follows the share of
--minutes that has passed, so that the run ends in time, annealed. A checkpoint is written every five minutes;
--resume goes on from it, --init starts a new schedule from other weights.
"""

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from augment import Augmenter, change_tempo
from export_stt import weights_from_graph
from front_end import MELS, POWER_FLOOR
from network import PhoneNetwork, adopt, slots_of, weights_of
from phones import BLANK

SILENCE = math.log(POWER_FLOOR)
CHECKPOINT_S, REPORT_STEPS = 300, 100
WARM_UP_STEPS = 100
PLAIN_STEPS = 1500  # a network that starts from nothing first learns without disturbances, or it does not start at all
GRADIENT_NORM = 1.0
EVALUATED = 100


def read_shard(path):
    """[(mel f16 [frames, 64], labels i64)] of one shard."""
    shard = np.load(path)
    mel, labels = shard["mel"], shard["labels"]
    ends = zip(shard["melOffsets"], shard["melOffsets"][1:], shard["labelsOffsets"], shard["labelsOffsets"][1:])
    return [
        (torch.from_numpy(mel[start:end]), torch.from_numpy(labels[first:last].astype(np.int64)))
        for start, end, first, last in ends
        # CTC needs a slot for each phone and one between equal ones.
        if slots_of(end - start) * 0.8 > last - first
    ]


def load(folder, kind, shards=None):
    """The utterances of all shards of a kind."""
    return [each for path in sorted(folder.glob(f"{kind}-*.npz"))[:shards] for each in read_shard(path)]


def batches(utterances, frames_max, rng=None):
    """Lists of indices of similar length, `frames_max` frames with padding each; in random order with `rng`."""
    jitter = (lambda: 1 + 0.1 * rng.random()) if rng else (lambda: 1)
    order = sorted(range(len(utterances)), key=lambda index: len(utterances[index][0]) * jitter())
    found, current, longest = [], [], 0
    for index in order:
        longest = max(longest, len(utterances[index][0]))
        if current and longest * (len(current) + 1) > frames_max:
            found.append(current)
            current, longest = [], len(utterances[index][0])
        current.append(index)
    found.append(current)
    if rng:
        rng.shuffle(found)
    return found


def collate(utterances, indices, rng=None):
    """mel [batch, frames, 64], lengths, labels one after another, label counts; with `rng` each at its own pace."""
    chosen = []
    for index in indices:
        mel, labels = utterances[index]
        mel = mel.float()
        # Faster than the synthesisers speak, slower not: their slow speech is already drawn out.
        factor = rng.uniform(0.8, 1.15) if rng and rng.random() < 0.5 else 1
        if factor != 1 and slots_of(round(len(mel) * factor)) * 0.8 > len(labels):
            mel = change_tempo(mel, factor)
        chosen.append((mel, labels))
    lengths = torch.tensor([len(mel) for mel, _ in chosen])
    padded = torch.full((len(chosen), int(lengths.max()), MELS), SILENCE)
    for row, (mel, _) in enumerate(chosen):
        padded[row, : len(mel)] = mel
    labels = [labels for _, labels in chosen]
    return padded, lengths, torch.cat(labels), torch.tensor([len(each) for each in labels])


def edits(found, wanted):
    row = list(range(len(wanted) + 1))
    for i, left in enumerate(found, 1):
        corner, row[0] = row[0], i
        for j, right in enumerate(wanted, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (left != right))
    return row[-1]


@torch.no_grad()
def phone_errors(network, utterances):
    """Edits of the greedy reading per phone of the dictionary's."""
    network.eval()
    device = next(network.parameters()).device
    wrong = total = 0
    for indices in batches(utterances[:EVALUATED], 12_000):
        mel, lengths, _, _ = collate(utterances, indices)
        best = network(mel.to(device)).argmax(-1).cpu()
        for row, index in enumerate(indices):
            labels = torch.unique_consecutive(best[row, : slots_of(int(lengths[row]))])
            wanted = utterances[index][1].tolist()
            wrong += edits(labels[labels != BLANK].tolist(), wanted)
            total += len(wanted)
    network.train()
    return wrong / total


class Trainer:
    """One rank. Rank 0 reports and writes; all hold the same weights, since they apply the same mean gradient."""

    def __init__(self, options, network, shared, rank):
        self.options, self.network, self.shared, self.rank = options, network, shared, rank
        self.parameters = list(network.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=options.rate, betas=(0.9, 0.98), weight_decay=0.02)
        self.step, self.audio_s, self.before_s, self.losses = 0, 0.0, 0.0, []
        if options.resume and options.out.exists():
            self.restore(torch.load(options.out, weights_only=True))
        self.started = self.saved = time.monotonic()

    def restore(self, saved):
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.audio_s, self.before_s = saved["step"], saved["audio_s"], saved["seconds"]

    @property
    def seconds(self):
        return self.before_s + time.monotonic() - self.started

    def run(self, utterances, tests):
        self.tests = tests
        augmenter = Augmenter(1000 + self.rank + self.step)
        epoch = 0
        while True:
            # All ranks shuffle alike and take turns.
            order = batches(utterances, self.options.frames, random.Random(f"{epoch} {self.step}"))
            rng = random.Random(f"{epoch} {self.step} {self.rank}")
            for start in range(0, len(order) - self.options.ranks, self.options.ranks):
                if self.progress() >= 1:
                    return self.finish()
                self.learn(collate(utterances, order[start + self.rank], rng), augmenter, rng)
                if self.rank == 0:
                    self.look_after()
            epoch += 1

    def progress(self):
        """The share of the time that has passed, as rank 0 sees it: the ranks must agree on each step's rate."""
        if self.rank == 0:
            self.shared.progress[0] = self.seconds / (60 * self.options.minutes)
        self.shared.barrier.wait()
        share = float(self.shared.progress[0])
        self.shared.barrier.wait()
        return share

    def learn(self, batch, augmenter, rng):
        mel, lengths, labels, label_counts = batch
        begins = self.options.init is not None or self.step > PLAIN_STEPS
        if begins and rng.random() < self.options.disturbed:
            mel = augmenter(mel, lengths)
        log_probabilities = self.network(mel).transpose(0, 1)
        loss = F.ctc_loss(log_probabilities, labels, slots_of(lengths), label_counts, zero_infinity=True)
        self.optimizer.zero_grad()
        loss.backward()
        gradients = self.shared.gradients
        gradients[self.rank] = torch.cat([parameter.grad.view(-1) for parameter in self.parameters])
        self.shared.barrier.wait()
        mean = gradients.mean(0)
        self.shared.barrier.wait()
        for parameter, part in zip(self.parameters, mean.split([p.numel() for p in self.parameters])):
            parameter.grad = part.view_as(parameter)
        torch.nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        share = float(self.shared.progress[0])
        for group in self.optimizer.param_groups:
            annealed = 0.5 * (1 + math.cos(math.pi * min(1, share)))
            group["lr"] = self.options.rate * annealed * min(1, (self.step + 1) / WARM_UP_STEPS)
        self.optimizer.step()
        self.step += 1
        self.audio_s += self.options.ranks * float(lengths.sum()) / 100
        self.losses.append(loss.item())

    def look_after(self):
        if self.step % REPORT_STEPS == 0:
            loss, hours = np.mean(self.losses[-REPORT_STEPS:]), self.audio_s / 3600
            print(f"step {self.step}, {self.seconds:.0f} s, {hours:.1f} h heard, loss {loss:.3f}", flush=True)
        if time.monotonic() - self.saved > CHECKPOINT_S:
            self.save()
            self.evaluate()
            self.saved = time.monotonic()

    def evaluate(self):
        errors = {kind: f"{phone_errors(self.network, heard):.2%}" for kind, heard in self.tests.items() if heard}
        print(f"step {self.step}: phone errors {errors}", flush=True)

    def save(self):
        part = self.options.out.with_suffix(".part")
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**state, "step": self.step, "audio_s": self.audio_s, "seconds": self.seconds}, part)
        part.replace(self.options.out)

    def finish(self):
        if self.rank == 0:
            self.save()
            self.evaluate()


class Shared:
    def __init__(self, ranks, size):
        self.gradients = torch.zeros(ranks, size).share_memory_()
        self.progress = torch.zeros(1, dtype=torch.float64).share_memory_()
        self.barrier = mp.get_context("fork").Barrier(ranks)


def first_network(options):
    torch.manual_seed(options.seed)
    network = PhoneNetwork()
    if options.init is not None:
        read = weights_from_graph if options.init.suffix == ".onnx" else weights_of
        adopt(network, read(options.init))
    return network


def work(rank, options, network, shared, utterances, tests):
    torch.set_num_threads(1)
    Trainer(options, network, shared, rank).run(utterances, tests)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--init", type=Path, help="weights to start from: a checkpoint (.pt) or an exported graph (.onnx)")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--frames", type=int, default=6000, help="frames of 10 ms in each rank's batch")
    parser.add_argument("--disturbed", type=float, default=0.85, help="share of batches that are augmented")
    parser.add_argument("--shards", type=int, help="train on so many only")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    utterances = load(options.speech, "train", options.shards) + load(options.speech, "short")
    tests = {kind: load(options.speech, kind) for kind in ("known", "espeak-held-out", "rms")}
    hours = sum(len(mel) for mel, _ in utterances) / 360_000
    network = first_network(options)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{len(utterances)} utterances, {hours:.1f} h; {parameters} parameters", flush=True)
    shared = Shared(options.ranks, parameters)
    arguments = (options, network, shared, utterances, tests)
    others = [mp.get_context("fork").Process(target=work, args=(rank, *arguments)) for rank in range(1, options.ranks)]
    for process in others:
        process.start()
    work(0, *arguments)
    for process in others:
        process.join()


if __name__ == "__main__":
    main()
