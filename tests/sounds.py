"""Sounds as telephones and their exchanges write them."""

from __future__ import annotations

import io
import math
import struct
import wave
from array import array
from typing import cast

import av
from av.audio.stream import AudioStream

RATE = 8000


def wav(seconds: float, rate: int = RATE) -> bytes:
    """A tone, in PCM."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        second = array("h", (int(9000 * math.sin(n * math.tau * 440 / rate)) for n in range(rate))).tobytes()
        whole, rest = divmod(int(seconds * rate), rate)
        file.writeframes(second * whole + second[: rest * 2])
    return written.getvalue()


def encoded(codec: str, container: str, seconds: float = 2) -> bytes:
    """The same, written by ffmpeg."""
    written = io.BytesIO()
    with (
        av.open(written, "w", format=container) as target,
        av.open(io.BytesIO(wav(seconds)), "r", format="wav") as source,
    ):
        stream = cast(AudioStream, target.add_stream(codec, rate=RATE, layout="mono"))
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return written.getvalue()


def gsm_wav(seconds: float = 2) -> bytes:
    """Silence in GSM 6.10 as Windows writes it: 65 octets for 320 samples. ffmpeg only reads that."""
    data = bytes(65) * round(seconds * 25)
    head = struct.pack("<HHIIHHHH", 0x31, 1, RATE, 1625, 65, 0, 2, 320)
    chunks = b"".join(
        name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
        for name, body in ((b"fmt ", head), (b"fact", struct.pack("<I", len(data) // 65 * 320)), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def wide_amr(seconds: float = 2) -> bytes:
    """AMR-WB at 23.85 kbit/s, written by hand: a type 8 frame has 61 octets (RFC 4867 §5.3)."""
    return b"#!AMR-WB\n" + (b"\x44" + bytes(60)) * round(seconds * 50)


def length_of(ogg: bytes) -> float:
    """The seconds that whoever plays it hears."""
    with av.open(io.BytesIO(ogg), "r", format="ogg") as source:
        assert source.streams.audio[0].codec_context.name in ("opus", "libopus")
        assert source.streams.audio[0].codec_context.layout.name == "mono"
        return sum(frame.samples / frame.sample_rate for frame in source.decode(audio=0))


SOUNDS = {
    "PCM": lambda: wav(2),
    "PCM at 48 kHz": lambda: wav(2, 48_000),
    "A-law": lambda: encoded("pcm_alaw", "wav"),
    "µ-law": lambda: encoded("pcm_mulaw", "wav"),
    "µ-law in AU": lambda: encoded("pcm_mulaw", "au"),
    "IMA ADPCM": lambda: encoded("adpcm_ima_wav", "wav"),
    "MS ADPCM": lambda: encoded("adpcm_ms", "wav"),
    "G.726": lambda: encoded("g726", "wav"),
    "MP3 in WAV": lambda: encoded("libmp3lame", "wav"),
    "GSM 6.10": gsm_wav,
    "AMR": lambda: encoded("libopencore_amrnb", "amr"),
    "AMR-WB": wide_amr,
    "AMR in 3GP": lambda: encoded("libopencore_amrnb", "3gp"),
    "AAC in 3GP": lambda: encoded("aac", "3gp"),
    "FLAC": lambda: encoded("flac", "flac"),
}
"""Two seconds of each."""
