"""Of well-formed mail our reader says what the standard library says."""

from __future__ import annotations

from tests.bench.reading import Read, by_default, by_us, mixed_mails


def test_well_formed_mail_is_read_as_the_standard_library_reads_it() -> None:
    for raw in mixed_mails(160):
        assert _in_words(by_us(raw)) == _in_words(by_default(raw))


def _in_words(read: Read) -> Read:
    """The same, with one blank between words: line ends and blanks at line ends are nobody's words."""
    return read._replace(text=" ".join(read.text.split()))
