"""Of well-formed mail our reader says what the standard library says."""

from __future__ import annotations

from tests.bench.reading import by_default, by_us, mixed_mails


def test_well_formed_mail_is_read_as_the_standard_library_reads_it() -> None:
    for raw in mixed_mails(160):
        assert by_us(raw) == by_default(raw)
