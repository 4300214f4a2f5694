"""Runs Pipecat's own services in real pipelines against a server and prints what they heard and made, a line of JSON each.

    python drive.py http://127.0.0.1:8080 recording.wav

The services are as published: only their base URLs are set.
"""

import asyncio
import json
import sys
import wave

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.deepgram.flux.stt import DeepgramFluxSTTService
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.deepgram.tts import DeepgramTTSService
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 16_000
FRAME_S = 0.02
TEXT = "The kitchen lights are on."


class Collector(FrameProcessor):
    """Keeps what comes out of the service, and says when what is waited for has come."""

    def __init__(self, is_last):
        super().__init__()
        self.frames: list[Frame] = []
        self.done = asyncio.Event()
        self._is_last = is_last

    async def process_frame(self, frame: Frame, direction: FrameDirection):
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        if self._is_last(frame):
            self.done.set()
        await self.push_frame(frame, direction)

    def of(self, kind):
        return [frame for frame in self.frames if isinstance(frame, kind)]


async def run(service, feed, is_last, timeout_s=30.0) -> Collector:
    collector = Collector(is_last)
    worker = PipelineWorker(
        Pipeline([service, collector]),
        params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=24_000),
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def _(_worker, _frame):
        started.set()

    async def drive():
        await asyncio.wait_for(started.wait(), timeout_s)
        await feed(worker)
        try:
            await asyncio.wait_for(collector.done.wait(), timeout_s)
        finally:
            await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), drive())
    return collector


def speak(pcm: bytes, with_vad: bool):
    """The recording at the pace of a microphone; a voice detector's verdicts around it, where the service wants them."""

    async def feed(worker):
        step = int(RATE_HZ * FRAME_S) * 2
        if with_vad:
            await worker.queue_frame(VADUserStartedSpeakingFrame(start_secs=0.2))
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for at in range(0, len(pcm), step):
            chunk = pcm[at : at + step]
            await worker.queue_frame(InputAudioRawFrame(audio=chunk, sample_rate=RATE_HZ, num_channels=1))
            await asyncio.sleep(max(0.0, begin + at / (2 * RATE_HZ) - loop.time()))
        if with_vad:
            await worker.queue_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))

    return feed


async def say(worker):
    await worker.queue_frame(TTSSpeakFrame(TEXT))


async def say_as_llm(worker):
    await worker.queue_frame(LLMFullResponseStartFrame())
    for word in TEXT.split(" "):
        await worker.queue_frame(TextFrame(f"{word} "))
    await worker.queue_frame(LLMFullResponseEndFrame())


def report(name: str, collector: Collector):
    audio = b"".join(frame.audio for frame in collector.of(TTSAudioRawFrame))
    print(
        json.dumps(
            {
                "service": name,
                "finals": [frame.text for frame in collector.of(TranscriptionFrame)],
                "interims": len(collector.of(InterimTranscriptionFrame)),
                "audioSamples": len(audio) // 2,
                "peak": max((abs(int.from_bytes(audio[i : i + 2], "little", signed=True)) for i in range(0, len(audio), 2)), default=0),
                "stopped": len(collector.of(TTSStoppedFrame)),
                "errors": [frame.error for frame in collector.of(ErrorFrame)],
            }
        ),
        flush=True,
    )


async def main(url: str, recording: str):
    with wave.open(recording) as file:
        pcm = file.readframes(file.getnframes())
    ws = url.replace("http", "ws", 1)
    is_final = lambda frame: isinstance(frame, TranscriptionFrame)  # noqa: E731
    is_stopped = lambda frame: isinstance(frame, TTSStoppedFrame)  # noqa: E731
    key = "any"
    report("DeepgramSTTService", await run(DeepgramSTTService(api_key=key, base_url=ws), speak(pcm, True), is_final))
    report("DeepgramFluxSTTService", await run(DeepgramFluxSTTService(api_key=key, url=f"{ws}/v2/listen"), speak(pcm, False), is_final))
    report("OpenAISTTService", await run(OpenAISTTService(api_key=key, base_url=f"{url}/v1"), speak(pcm, True), is_final))
    report("DeepgramTTSService", await run(DeepgramTTSService(api_key=key, base_url=ws), say_as_llm, is_stopped))
    report("OpenAITTSService", await run(OpenAITTSService(api_key=key, base_url=f"{url}/v1"), say, is_stopped))


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    asyncio.run(main(sys.argv[1], sys.argv[2]))
