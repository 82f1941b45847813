"""A program of its own: any sound on standard input, the same as a voice message on standard output.

What strangers send is decoded in here and nowhere else, for decoders have
had holes in every year. The process has no secrets, can open nothing, and
has little memory and time; `channels.telegram.voice` starts it and believes
nothing it says without looking. It is run by its path, so that it loads
nothing of the desk's.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from io import BytesIO

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

MOST_OCTETS = 20 * 2**20
MOST_SECONDS = 20 * 60
PROCESSOR_SECONDS = 30
"""Twenty minutes of speech take four."""
WALL_SECONDS = 45
MOST_MEMORY = 512 * 2**20
"""Address space: the libraries take 170 MiB of it, what is read and written at most 30."""

RATE = 16_000
"""Telephones give 8000 samples a second, the better ones 16000."""
BIT_RATE = 24_000

SILENCE = b"RIFF\x64\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\x40\0\0\0" + b"\x80" * 64
"""A sound of our own: transcoded first, it has the library load all it loads when first used, while it still can."""

TOO_LONG = 3
NOT_A_SOUND = 4

# Only these demultiplexers and decoders are ever asked, whatever the octets would have others do.
_FORMATS = (
    # by their first octets: from where, which, the format's name to ffmpeg
    (0, b"RIFF", "wav"),
    (0, b"#!AMR", "amr"),  # RFC 4867 §5
    (4, b"ftyp", "mov"),  # 3GPP TS 26.244: an ISO 14496-12 file
    (0, b".snd", "au"),
    (0, b"FORM", "aiff"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
)
_DECODERS = (
    "pcm_s16le,pcm_s16be,pcm_u8,pcm_s8,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_alaw,"
    "pcm_mulaw,gsm_ms,gsm,adpcm_ima_wav,adpcm_ms,adpcm_g722,adpcm_g726,adpcm_g726le,g723_1,g729,truespeech,amrnb,"
    "amrwb,libopencore_amrnb,libopencore_amrwb,aac,mp3float,mp3,flac,alac,vorbis,opus,libopus,speex,libspeex"
)


class NotASound(ValueError):
    """Nothing in it can be heard."""


class TooLong(ValueError):
    """It lasts longer than a voice message may."""


def to_voice(octets: bytes) -> tuple[bytes, int]:
    """A sound as OGG with Opus, and how many seconds it lasts; of a damaged one what can be heard.

    Raises:
        NotASound, TooLong.
    """
    format = next((name for at, magic, name in _FORMATS if octets.startswith(magic, at)), None)
    if format is None:
        raise NotASound
    written = BytesIO()
    try:
        samples = _transcode(octets, format, written)
    except av.FFmpegError as error:
        raise NotASound from error
    if not samples:
        raise NotASound
    return written.getvalue(), max(1, round(samples / RATE))


def _transcode(octets: bytes, format: str, written: BytesIO) -> int:
    options = {"codec_whitelist": _DECODERS, "format_whitelist": "wav,amr,mov,mp4,m4a,3gp,3g2,mj2,au,aiff,flac,ogg"}
    samples = 0
    with (
        av.open(BytesIO(octets), "r", format=format, options=options) as source,
        av.open(written, "w", format="ogg") as target,
    ):
        if not source.streams.audio:
            raise NotASound
        heard = source.streams.audio[0]
        heard.codec_context.thread_count = 1
        spoken = target.add_stream("libopus", rate=RATE, layout="mono", options={"application": "voip"})
        spoken.bit_rate = BIT_RATE
        resampler = AudioResampler("s16", "mono", RATE)
        for frame in _frames(source, heard):
            for piece in resampler.resample(frame):
                # By the clock of what is heard: the file's own may jump by years.
                piece.pts, piece.time_base = samples, Fraction(1, RATE)
                samples += piece.samples
                if samples > MOST_SECONDS * RATE:
                    raise TooLong
                target.mux(spoken.encode(piece))
        target.mux(spoken.encode(None))
    return samples


def _frames(source: InputContainer, heard: AudioStream) -> Iterator[AudioFrame | None]:
    """All that can be decoded, then None; damaged packets are left out, and where the file breaks off it ends."""
    packets = source.demux(heard)
    while (packet := _next(packets)) is not None:
        with suppress(av.FFmpegError):
            yield from packet.decode()
    yield None


def _next(packets: Iterator[Packet[AudioStream]]) -> Packet[AudioStream] | None:
    try:
        return next(packets, None)
    except av.FFmpegError:
        return None


def main() -> int:
    """Transcode standard input to standard output: a line with the seconds, then the octets; the exit code."""
    to_voice(SILENCE)
    _confine()
    octets = sys.stdin.buffer.read(MOST_OCTETS + 1)
    if len(octets) > MOST_OCTETS:
        return TOO_LONG
    try:
        voice, seconds = to_voice(octets)
    except NotASound:
        return NOT_A_SOUND
    except TooLong:
        return TOO_LONG
    sys.stdout.buffer.write(b"%d\n" % seconds + voice)
    sys.stdout.buffer.flush()
    return 0


def _confine() -> None:
    """Give away what is not needed from here on. Where that cannot be done, the error ends it: nothing is read."""
    signal.alarm(WALL_SECONDS)
    with suppress(PermissionError):  # a sandbox that forbids it divides the processor by itself
        os.nice(10)
    limits = [
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),  # the three it has: no file is opened, no connection made
    ]
    if sys.platform == "linux":
        limits.append((resource.RLIMIT_AS, MOST_MEMORY))  # macOS neither keeps to it nor lets it be set
    for limit, most in limits:
        resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    sys.exit(main())
