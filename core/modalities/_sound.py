"""Decoded sound: how it is read, checked, resampled, drawn as a waveform and written for browsers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInput
from core.modalities._audio_frames import Samples

MAX_VALUES = 180_000_000
"""Samples over all channels that are held in memory: fifteen minutes of stereo at 96 kHz."""
_BLOCK = 1 << 16
_PEAKS = 600
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


@dataclass
class Sound:
    """channels: (c, n) float32 in about [-1, 1]; rate in Hz; `declared` seconds by the header where it says so."""

    channels: Samples
    rate: int
    codec: str
    declared: float | None = None

    @property
    def seconds(self) -> float:
        return self.channels.shape[1] / self.rate


class Collector:
    """Joins decoded blocks and stops with BadInput as soon as there are too many."""

    def __init__(self, name: str, limit_seconds: float) -> None:
        self.name, self.limit = name, limit_seconds
        self.blocks: list[Samples] = []
        self.rate = self.count = self.width = 0

    def add(self, block: Samples, rate: int) -> None:
        """`block` is (c, n); the first one decides channels and rate."""
        if not self.blocks:
            self.rate, self.width = rate, block.shape[0]
            check_shape(self.name, block.shape[0], rate)
        if block.shape[0] != self.width or rate != self.rate:
            raise BadInput(
                f"{self.name!r} changes its channels or sampling rate midway ({self.width} at {self.rate} Hz, then "
                f"{block.shape[0]} at {rate} Hz). Save it again with one rate."
            )
        self.blocks.append(block)
        self.count += block.shape[1]
        check_length(self.name, self.count / rate, self.limit)
        check_amount(self.name, self.count * self.width)

    def joined(self) -> Samples:
        """(c, n); (0, 0) where nothing came."""
        if not self.blocks:
            return np.zeros((0, 0), np.float32)
        out = np.empty((self.width, self.count), np.float32)
        start = 0
        for block in self.blocks:
            out[:, start : start + block.shape[1]] = block
            start += block.shape[1]
        self.blocks.clear()
        return out


def check_shape(name: str, channels: int, rate: int) -> None:
    if not 1 <= channels <= 16:
        raise BadInput(f"{name!r} has {channels} channels; one to sixteen are accepted. Mix it down to stereo.")
    if not 1000 <= rate <= 768_000:
        raise BadInput(f"{name!r} has a sampling rate of {rate} Hz; 1 to 768 kHz are accepted. Resample it to 48 kHz.")


def check_length(name: str, seconds: float, limit: float, noun: str = "sound") -> None:
    if seconds > limit + 0.5:
        raise BadInput(f"{name!r} is {noun} of more than {limit:g} seconds, the longest accepted. Cut it shorter.")


def check_amount(name: str, values: int) -> None:
    if values > MAX_VALUES:
        raise BadInput(
            f"{name!r} has too many samples in all ({values / 1e6:.0f} million; up to {MAX_VALUES / 1e6:.0f} million). "
            "Resample it to 48 kHz, or mix it down to stereo."
        )


def check_samples(name: str, sound: Sound, accepts: str) -> None:
    """Raises BadInput where there are no samples, or samples that are not numbers or out of all proportion."""
    if sound.channels.size == 0:
        raise BadInput(f"{name!r} has no samples, so there is nothing to hear; accepted are {accepts}.")
    high, low = float(sound.channels.max()), float(sound.channels.min())
    if not np.isfinite(high + low):
        raise BadInput(f"{name!r} holds samples that are not finite numbers (NaN or infinity). Export it again.")
    if max(high, -low) > 32.0:
        raise BadInput(
            f"{name!r} has samples up to {max(high, -low):.3g} where 1 is full scale. Export it as 16-bit or divide it."
        )


def read_soundfile(path: Path, name: str, limit_seconds: float) -> Sound:
    """Read WAV, FLAC or MP3 with libsndfile, in blocks; BadInput past a limit.

    What libsndfile itself raises (soundfile.SoundFileError) passes through.
    """
    import soundfile

    with soundfile.SoundFile(str(path)) as file:
        check_shape(name, file.channels, file.samplerate)
        declared = file.frames / file.samplerate
        codec = f"{file.format} {file.subtype}".replace("_", " ")
        known = 0 < file.frames < 1 << 50
        if known:
            check_length(name, declared, limit_seconds)
            check_amount(name, file.frames * file.channels)
        channels = np.empty((file.channels, file.frames if known else 0), np.float32)
        # not smaller, since libsndfile seeks after every block; not larger, so that turning (n, c) into (c, n) stays
        # in the cache
        buffer = np.empty((_BLOCK * 4, file.channels), np.float32)
        collector, count = Collector(name, limit_seconds), 0
        while True:
            block = file.read(out=buffer)
            if block.shape[0] == 0:
                break
            if collector.blocks or count + block.shape[0] > channels.shape[1]:
                # the header said less than there is
                collector.add(block.T.copy(), file.samplerate)
                continue
            channels[:, count : count + block.shape[0]] = block.T
            count += block.shape[0]
        channels = channels[:, :count]
        if collector.blocks:
            channels = np.concatenate([channels, collector.joined()], axis=1)
            check_length(name, channels.shape[1] / file.samplerate, limit_seconds)
        return Sound(channels, file.samplerate, codec, declared)


class SoundDecoder:
    """PyAV audio frames to blocks of float32, whatever their sample format."""

    def __init__(self) -> None:
        self.resampler: Any = None

    def blocks(self, frame: Any) -> Iterator[tuple[Samples, int]]:
        """(c, n) blocks and their rate; None flushes."""
        import av

        if frame is not None and frame.format.name == "fltp" and self.resampler is None:
            yield frame.to_ndarray(), frame.sample_rate
            return
        if self.resampler is None:
            if frame is None:
                return
            self.resampler = av.AudioResampler(format="fltp")
        for out in self.resampler.resample(frame):
            yield out.to_ndarray(), out.sample_rate


def resampled_mono(sound: Sound, rate: int) -> Samples:
    """(n,) float32 in [-1, 1] at `rate` Hz: the mean of the channels, resampled by FFmpeg's swresample."""
    import av

    mono = sound.channels.mean(0, dtype=np.float32)
    if sound.rate != rate:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        pieces = []
        for start in range(0, mono.size, _BLOCK * 4):
            frame = av.AudioFrame.from_ndarray(mono[None, start : start + _BLOCK * 4], format="flt", layout="mono")
            frame.sample_rate = sound.rate
            pieces += [out.to_ndarray()[0] for out in resampler.resample(frame)]
        pieces += [out.to_ndarray()[0] for out in resampler.resample(None)]
        mono = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        if mono.size == 0:
            # one or two samples vanish in the resampler's filter; a model still gets something to listen to
            mono = np.zeros(1, np.float32)
    return np.clip(mono, -1.0, 1.0)


def write_waveform(sound: Sound, loudness: float | None, peak: float | None, path: Path) -> Path:
    """JSON for drawing and loudness matching: up to 600 [least, greatest] pairs, seconds, lufs, peak_dbfs.

    `lufs` is as heard on two loudspeakers: browsers play one channel on both, which makes it 3 dB louder than
    BS.1770 counts a single channel. null where the sound is silent.
    """
    mono = sound.channels.mean(0, dtype=np.float32)
    count = min(_PEAKS, mono.size)
    edges = np.linspace(0, mono.size, count + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)
    heard = loudness + 3.01 if loudness is not None and sound.channels.shape[0] == 1 else loudness
    path.write_text(
        json.dumps(
            {
                "peaks": [[round(float(a), 4), round(float(b), 4)] for a, b in zip(low, high, strict=True)],
                "seconds": round(sound.seconds, 3),
                "lufs": None if heard is None else round(heard, 2),
                "peak_dbfs": None if peak is None else round(peak, 2),
            }
        )
    )
    return path


def write_playable(sound: Sound, source: Path, suffix: str, folder: Path) -> Path:
    """A file that every browser plays: MP3 and plain WAV are copied, the rest becomes 16-bit WAV, or MP3 past 90 s."""
    import soundfile

    plain = sound.codec in ("WAV PCM 16", "WAV PCM U8", "WAV PCM 24", "WAV FLOAT", "WAVEX PCM 16", "WAVEX PCM 24")
    if (suffix == ".mp3" or plain) and sound.channels.shape[0] <= 2:
        return Path(shutil.copyfile(source, folder / f"view{suffix}"))
    heard = np.clip(sound.channels if sound.channels.shape[0] <= 2 else _stereo(sound.channels), -1.0, 1.0)
    if sound.seconds > 90 and sound.rate in _MP3_RATES:
        target = folder / "view.mp3"
        with soundfile.SoundFile(
            str(target), "w", sound.rate, heard.shape[0], format="MP3", bitrate_mode="VARIABLE", compression_level=0.1
        ) as file:
            for start in range(0, heard.shape[1], _BLOCK):
                file.write(heard[:, start : start + _BLOCK].T)
        return target
    target = folder / "view.wav"
    soundfile.write(str(target), heard.T, sound.rate, subtype="PCM_16")
    return target


def _stereo(channels: Samples) -> Samples:
    """Left and right of surround sound by ITU-R BS.775: centre and surrounds at −3 dB, no LFE; scaled to fit."""
    left, right = channels[0].copy(), channels[1].copy()
    share = np.float32(0.7071)
    surrounds: Iterable[Samples] = channels[4:] if channels.shape[0] >= 6 else channels[3:]
    left += share * channels[2]
    right += share * channels[2]
    for index, row in enumerate(surrounds):
        target = right if index % 2 else left
        target += share * row
    both = np.stack([left, right])
    return (both / max(1.0, float(np.abs(both).max()))).astype(np.float32)
