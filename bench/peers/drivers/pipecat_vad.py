"""Pipecat: a pipeline with its VADProcessor for each call, all on one event loop. Same schedule as the drivers in Node."""

import asyncio
import json
import resource
import sys
import time
import wave

from loguru import logger
from pipecat import __version__
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import EndFrame, Frame, InputAudioRawFrame, StartFrame, VADUserStartedSpeakingFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection
from pipecat.workers.runner import WorkerRunner

FRAME_S = 0.02
FRAME_BYTES = 640
WARM_UP_S = 2.0


class Clock:
    """When frames are due, and how late they were sent and done."""

    def __init__(self, calls: int):
        self.calls = calls
        self.start = 0.0
        self.latencies: list[float] = []
        self.lateness: list[float] = []
        self.speech_starts = 0

    def due(self, call: int, frame: int) -> float:
        return self.start + frame * FRAME_S + call * FRAME_S / self.calls

    def is_counted(self, frame: int) -> bool:
        return frame * FRAME_S >= WARM_UP_S


class TimedVAD(VADProcessor):
    """The processor as it is, with a stopwatch around it: it hands a frame on first and looks at it afterwards."""

    def __init__(self, call: int, clock: Clock, started: asyncio.Event, **kwargs):
        super().__init__(**kwargs)
        self._call = call
        self._clock = clock
        self._frame = 0
        self._started = started

    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._started.set()
        if isinstance(frame, InputAudioRawFrame):
            if self._clock.is_counted(self._frame):
                self._clock.latencies.append(time.monotonic() - self._clock.due(self._call, self._frame))
            self._frame += 1

    async def broadcast_frame(self, frame_cls, **kwargs):
        if frame_cls is VADUserStartedSpeakingFrame:
            self._clock.speech_starts += 1
        await super().broadcast_frame(frame_cls, **kwargs)


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


async def feed(workers, pcm: bytes, clock: Clock, seconds: float) -> float:
    """Sends each frame when it is due, or as soon after it as the loop allows. Returns the cores that were busy."""
    frames = int((WARM_UP_S + seconds) / FRAME_S)
    places = len(pcm) // FRAME_BYTES
    sent = [0] * clock.calls
    remaining = clock.calls * frames
    clock.start = time.monotonic() + 0.1
    cpu_before = cpu_at = 0.0
    while remaining > 0:
        now = time.monotonic()
        if cpu_at == 0.0 and now - clock.start >= WARM_UP_S:
            cpu_before, cpu_at = time.process_time(), now
        for call in range(clock.calls):
            while sent[call] < frames and clock.due(call, sent[call]) <= now:
                frame = sent[call]
                sent[call] += 1
                remaining -= 1
                if clock.is_counted(frame):
                    clock.lateness.append(time.monotonic() - clock.due(call, frame))
                at = ((call * 7 + frame) % places) * FRAME_BYTES
                chunk = pcm[at : at + FRAME_BYTES]
                await workers[call].queue_frame(InputAudioRawFrame(audio=chunk, sample_rate=16_000, num_channels=1))
        await asyncio.sleep(0.001)
    return (time.process_time() - cpu_before) / (time.monotonic() - cpu_at)


async def main(calls: int, seconds: float, recording: str):
    with wave.open(recording) as file:
        pcm = file.readframes(file.getnframes())
    clock = Clock(calls)
    workers, started = [], []
    runner = WorkerRunner(handle_sigint=False)
    for call in range(calls):
        event = asyncio.Event()
        analyzer = SileroVADAnalyzer(params=VADParams(confidence=0.7, start_secs=0.2, stop_secs=0.2, min_volume=0.0))
        vad = TimedVAD(call, clock, event, vad_analyzer=analyzer)
        params = PipelineParams(audio_in_sample_rate=16_000)
        workers.append(PipelineWorker(Pipeline([vad]), params=params, cancel_on_idle_timeout=False, enable_rtvi=False))
        started.append(event)
    await runner.add_workers(*workers)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(asyncio.gather(*(event.wait() for event in started)), 60)
    cores = await feed(workers, pcm, clock, seconds)
    await asyncio.sleep(0.5)
    counted = len(clock.lateness)
    report = {
        "driver": "pipecat",
        "version": __version__,
        "calls": calls,
        "p50Ms": quantile(clock.latencies, 0.5) * 1000,
        "p99Ms": quantile(clock.latencies, 0.99) * 1000,
        "latenessP99Ms": quantile(clock.lateness, 0.99) * 1000,
        "doneShare": len(clock.latencies) / max(1, counted),
        "cores": cores,
        "rssMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "speechStarts": clock.speech_starts,
    }
    print(json.dumps(report), flush=True)
    for worker in workers:
        await worker.queue_frame(EndFrame())
    await asyncio.wait_for(running, 30)


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[4]))
