"""Sound: a film's own, copied packet by packet, or encoded anew where the new file cannot hold it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from segcli.films.options import FilmOptions

if TYPE_CHECKING:
    import av

ENCODER = "aac"


@dataclass(frozen=True)
class Sound:
    """The sound of one film on its way into another.

    Attributes:
        source: The film, open for reading.
        streams: Number of a stream of the film -> the stream of the new file.
        anew: The numbers of those that are encoded anew.
    """

    source: av.container.InputContainer
    streams: dict[int, av.AudioStream]
    anew: frozenset[int]

    @classmethod
    def into(cls, target: av.container.OutputContainer, source: av.container.InputContainer) -> Sound:
        """Make the streams of the new file."""
        streams, anew = {}, set()
        for stream in source.streams.audio:
            if stream.codec_context is None:
                continue
            if stream.codec_context.codec.canonical_name in target.supported_codecs:
                streams[stream.index] = target.add_stream_from_template(stream)
            else:
                streams[stream.index] = target.add_stream(ENCODER, rate=stream.codec_context.sample_rate)
                anew.add(stream.index)
        return cls(source, streams, frozenset(anew))

    def packets(self, options: FilmOptions) -> Iterator[av.Packet]:
        """The packets of the part that is asked for, its beginning at time 0, in the order of their times."""
        start, end = options.start or 0.0, options.end
        origin = Fraction(max(0, self.source.start_time or 0), 10**6) + Fraction(start)
        for packet in self.source.demux([self.source.streams[index] for index in self.streams]):
            if packet.dts is None and packet.stream.index not in self.anew:
                continue  # the end
            if packet.pts is not None:
                seconds = float(packet.pts * packet.time_base - origin)
                if start and seconds < 0:
                    continue
                if end is not None and seconds >= end - start:
                    return
            yield from self._moved(packet, origin)

    def _moved(self, packet: av.Packet, origin: Fraction) -> Iterator[av.Packet]:
        target = self.streams[packet.stream.index]
        if packet.stream.index in self.anew:
            for frame in packet.decode():
                frame.pts = None if frame.pts is None else frame.pts - round(origin / frame.time_base)
                yield from target.encode(frame)
            return
        back = round(origin / packet.time_base)
        packet.dts -= back
        packet.pts = packet.dts if packet.pts is None else packet.pts - back
        packet.stream = target
        yield packet
