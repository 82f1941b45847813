"""What others wrote, without the person who is forgotten."""

import time

import pytest

from inbox.blots import BLOT, Blots

PAUL = Blots({"paul@example.net"}, {"Paul Martin"}, {"one@example.net"})


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("écrivez à paul@example.net.", f"écrivez à {BLOT}."),
        ("PAUL@Example.NET", BLOT),
        ("jean-paul@example.net, paul@example.net.fr, paul@example.network", None),
        ("Paul Martin et Paule Martin", f"{BLOT} et Paule Martin"),
        ("Paul, Martin, Martine", None),
    ],
)
def test_their_address_and_whole_name_go_and_nobody_elses(said: str, left: str | None) -> None:
    assert PAUL.text(said) == (said if left is None else left)


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b"To: Paul M. <paul@example.net>, Anne <a@b.c>\r\n", b"To:xxxx xx <xxxxxxxxxxxxxxxx>, Anne <a@b.c>\r\n"),
        (b'Cc: "M, P" <paul@example.net>\r\n', b'Cc: "xx x" <xxxxxxxxxxxxxxxx>\r\n'),
        (b"References: <zero@x> <one@example.net>", b"References: <zero@x> <xxxxxxxxxxxxxxx>"),
    ],
)
def test_a_raw_mail_keeps_its_form(raw: bytes, left: bytes) -> None:
    blotted = PAUL.octets(raw)
    assert blotted.replace(b" ", b"") == left.replace(b" ", b"")
    assert len(blotted) == len(raw)


def test_a_line_without_end_costs_no_more_than_its_length() -> None:
    began = time.process_time()
    PAUL.octets(b"a <paul@example.net> " * 4_000 + b"x" * 2_000_000)
    assert time.process_time() - began < 20
