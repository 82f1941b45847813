"""A reply as it leaves, read back by our reader and by Python's own."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Reply
from channels.mail.compose import answer_subject, compose, letter_text, preview
from channels.mail.parse import read_mail
from inbox.envelope import Envelope
from inbox.model import Account, Conversation, Direction, Identity, Message
from inbox.notices import Letter
from inbox.particulars import Forward, Particulars
from inbox.parts import AccountId, ChannelId, ContactId, ConversationId, MessageId

NOW = datetime(2026, 10, 12, 14, 5, 33, 123456, tzinfo=UTC)
OUR_ID = "0190a3c1-0000-7000-8000-000000000001.0123456789abcdef@cabinet.test"


def reply(
    text: str = "Bonjour,\n\nC’est noté.",
    *,
    name: str = "Cabinet du Dr Roux",
    from_address: str | None = "cabinet@cabinet.test",
    signature: str = "",
    subject: str = "Rendez-vous",
    language: str = "fr",
    time_zone: str = "Europe/Paris",
    recipients: tuple[str, ...] = ("jean@client.test",),
    answers: Message | None = None,
    copies: tuple[str, ...] = (),
) -> Reply:
    account = Account(
        id=AccountId("cabinet"),
        name="Cabinet",
        language=language,
        time_zone=time_zone,
        identity=Identity(display_name=name, from_address=from_address, signature=signature),
    )
    conversation = Conversation(
        id=ConversationId("conversation"),
        number=12,
        account_id=account.id,
        contact_id=ContactId("jean"),
        channel_id=ChannelId("mail:cabinet"),
        subject=subject,
        opened_at=NOW,
        last_message_at=NOW,
    )
    return Reply(
        account=account,
        conversation=conversation,
        message_id=MessageId("0190a3c1-0000-7000-8000-000000000001"),
        external_id=OUR_ID,
        text=text,
        answers=answers,
        recipients=recipients,
        copies=copies,
        attachments=(),
        now=NOW,
    )


def message(text: str = "Puis-je venir lundi ?", **fields: Any) -> Message:
    known: dict[str, Any] = {
        "id": MessageId("inbound"),
        "account_id": AccountId("cabinet"),
        "conversation_id": ConversationId("conversation"),
        "position": 1,
        "direction": Direction.INBOUND,
        "channel_id": ChannelId("mail:cabinet"),
        "author_id": ContactId("jean"),
        "author_name": "Jean Dupont",
        "author_address": "jean@client.test",
        "external_id": "question@client.test",
        "written_at": datetime(2026, 10, 12, 8, 32, tzinfo=UTC),
        "created_at": NOW,
    }
    return Message(text=text, **(known | fields))


def octets(of: Reply) -> bytes:
    ((parcel),) = compose(of)
    (blob,) = parcel.blobs
    return blob.data


def letter(of: Reply) -> Letter:
    payload = compose(of)[0].payload
    assert isinstance(payload, Letter)
    return payload


def both(of: Reply) -> tuple[Envelope, EmailMessage]:
    """As we read it, and as Python does."""
    raw = octets(of)
    parsed = email.message_from_bytes(raw, policy=default)
    assert isinstance(parsed, EmailMessage)
    assert parsed.defects == []
    return read_mail(raw), parsed


def longest_line(raw: bytes) -> int:
    return max(len(line) for line in raw.split(b"\r\n") if not line.startswith(b"Message-ID: "))


def form(parsed: EmailMessage, subtype: str) -> str:
    body = parsed.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_the_same_reply_gives_the_same_octets_and_the_same_blob() -> None:
    assert compose(reply(answers=message())) == compose(reply(answers=message()))
    ((parcel),) = compose(reply())
    assert isinstance(parcel.payload, Letter)
    assert parcel.payload.blob_id == parcel.blobs[0].id
    assert parcel.payload.message_id == OUR_ID
    assert parcel.payload.sender == "cabinet@cabinet.test"
    assert parcel.payload.recipients == ("jean@client.test",)


def test_a_reply_leaves_in_the_accounts_name_in_the_clients_thread() -> None:
    answered = message(references=("first@client.test", "second@cabinet.test"))
    ours, parsed = both(
        reply(answers=answered, recipients=("jean@client.test",), copies=("anne@client.test", "luc@client.test"))
    )
    assert parsed["From"] == "Cabinet du Dr Roux <cabinet@cabinet.test>"
    assert parsed["To"] == "jean@client.test"
    assert parsed["Cc"] == "anne@client.test, luc@client.test"
    assert parsed["Bcc"] is None
    assert parsed["Subject"] == "Re: Rendez-vous"
    assert parsed["Date"] == "Mon, 12 Oct 2026 16:05:33 +0200"
    assert parsed["Message-ID"] == f"<{OUR_ID}>"
    assert parsed["In-Reply-To"] == "<question@client.test>"
    assert parsed["References"].split() == [
        "<first@client.test>",
        "<second@cabinet.test>",
        "<question@client.test>",
    ]
    assert parsed["Auto-Submitted"] is None
    assert ours.external_id == OUR_ID
    assert ours.references == ("question@client.test", "second@cabinet.test", "first@client.test")
    assert ours.written_at == NOW.replace(microsecond=0)
    assert ours.defects == ()


def test_words_signature_and_original_stand_in_both_forms() -> None:
    of = reply("Oui :\nlundi.", signature="Dr Roux\n01 23 45 67 89", answers=message("Lundi ?\n> avant\nMerci"))
    ours, parsed = both(of)
    words = (
        "Oui :\nlundi.\n\n-- \nDr Roux\n01 23 45 67 89\n\n"
        "Le 12 octobre 2026 à 10:32, Jean Dupont a écrit\xa0:\n> Lundi ?\n>> avant\n> Merci"
    )
    assert form(parsed, "plain").rstrip("\n") == words
    assert ours.text == words
    page = form(parsed, "html")
    assert '<html lang="fr">' in page
    assert "Oui :<br>\nlundi." in page
    assert "Dr Roux<br>" in page
    assert "Jean Dupont a écrit" in page
    assert re.search(r"<blockquote[^>]*>Lundi \?<br>\n&gt; avant<br>\nMerci</blockquote>", page)


def test_the_preview_is_what_leaves_without_the_original() -> None:
    of = reply(
        "Oui.", signature="Dr Roux", answers=message(), recipients=("jean@client.test",), copies=("anne@client.test",)
    )
    _, parsed = both(of)
    shown = preview(of)
    assert shown.text == letter_text(of) == "Oui.\n\n-- \nDr Roux"
    assert form(parsed, "plain").startswith(shown.text + "\n\nLe 12 octobre")
    assert shown.headers == (
        ("preview.from", parsed["From"]),
        ("preview.to", parsed["To"]),
        ("preview.cc", parsed["Cc"]),
        ("preview.subject", parsed["Subject"]),
    )


def test_the_original_is_introduced_in_the_accounts_language_and_time() -> None:
    of = reply("Yes.", language="en", time_zone="America/New_York", answers=message("Monday?"))
    _, parsed = both(of)
    assert "On October 12, 2026 at 04:32, Jean Dupont wrote:\n> Monday?" in form(parsed, "plain")
    assert parsed["Date"].endswith("-0400")
    assert parsed["Content-Language"] == "en"


def test_who_wrote_what_was_handed_on_reads_their_own_words_and_none_of_the_others() -> None:
    nora = Forward(
        address="nora@petit.example",
        name="Nora Petit",
        text="Où en est mon dossier ?",
        written_at=NOW,
        external_id="inner@petit.example",
    )
    handed_on = message(
        "Cette dame est pénible, dites non.\n\nOù en est mon dossier ?", particulars=Particulars(forwards=(nora,))
    )
    for to, copies in (("nora@petit.example", ()), ("jean@client.test", ("Nora@petit.example",))):
        envelope, parsed = both(reply(answers=handed_on, recipients=(to,), copies=copies))
        assert "> Où en est mon dossier ?" in envelope.text
        assert "Nora Petit a écrit" in envelope.text
        assert "pénible" not in envelope.text
        assert "pénible" not in form(parsed, "html")
        assert envelope.references[0] == "inner@petit.example"
        assert handed_on.external_id in envelope.references
    back, _ = both(reply(answers=handed_on))
    assert "> Cette dame est pénible" in back.text
    assert back.references == (handed_on.external_id,)
    undated = message(particulars=Particulars(forwards=(msgspec.structs.replace(nora, written_at=None),)))
    envelope, _ = both(reply(answers=undated, recipients=(nora.address,)))
    assert "\nNora Petit a écrit" in envelope.text


def test_a_very_long_original_is_quoted_in_part() -> None:
    _, parsed = both(reply("Oui.", answers=message("très long\n" * 20_000)))
    words = form(parsed, "plain")
    assert len(words) < 30_000
    assert words.rstrip().endswith("> […]")


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Rendez-vous", "Re: Rendez-vous"),
        ("Re: Re: RE : Rendez-vous", "Re: Rendez-vous"),
        ("AW: Termin", "Re: Termin"),
        ("Réservation", "Re: Réservation"),
        ("Retard", "Re: Retard"),
        ("", "Re:"),
    ],
)
def test_an_answers_subject_has_one_prefix(subject: str, shown: str) -> None:
    assert answer_subject(subject) == shown
    ours, parsed = both(reply(subject=subject, answers=message()))
    assert parsed["Subject"] == shown
    assert ours.subject == shown


def test_what_answers_nothing_has_no_prefix() -> None:
    ours, parsed = both(reply(subject="Appel de Mme Durand"))
    assert (ours.subject, parsed["Subject"]) == ("Appel de Mme Durand", "Appel de Mme Durand")


def test_a_subject_that_is_too_long_for_large_servers_leaves_without_its_end() -> None:
    shown = both(reply(subject="👩‍⚕️" * 60, answers=message()))[0].subject
    assert shown.endswith("…")
    assert f"Re: {'👩‍⚕️' * 60}".startswith(shown[:-1])
    assert shown == dict(preview(reply(subject="👩‍⚕️" * 60, answers=message())).headers)["preview.subject"]


@pytest.mark.parametrize(
    "subject",
    [
        "Réservation d’une table à l’étage pour douze personnes, très tôt, près de la fenêtre, s’il vous plaît, merci",
        "a" * 190,
        "é" * 190,
        "👩‍⚕️" * 40,
        "予約の確認について" * 20,
        "=?utf-8?q?not_encoded?= at all",
        "Re-lance : 50 % (n° 12) <b>gras</b> \"x\" 'y', a@b.test; c=d_e?",
    ],
)
def test_a_subject_of_any_kind_arrives_as_it_is(subject: str) -> None:
    raw = octets(reply(subject=subject, answers=message()))
    assert read_mail(raw).subject == f"Re: {subject}"[:204]
    assert email.message_from_bytes(raw, policy=default)["Subject"] == f"Re: {subject}"[:204]
    assert longest_line(raw) <= 78


@pytest.mark.parametrize(
    "name", ["Roux, Paul", 'Paul "le Doc" Roux', "Hélène Roux & Associés", "r@x.test", "(Roux)", "<b>", ""]
)
def test_a_name_of_any_kind_stays_a_name(name: str) -> None:
    ours, parsed = both(reply(name=name))
    (sender,) = parsed["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "cabinet@cabinet.test")
    assert ours.sender.value == "cabinet@cabinet.test"


ATTACKS = [
    "\r\nBcc: x@evil.test",
    "\nBcc: x@evil.test",
    "\rBcc: x@evil.test",
    "\x0bBcc: x@evil.test",
    "\u2028Bcc: x@evil.test",
    "\r\n\r\nBcc",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_a_person_wrote_becomes_a_header(attack: str) -> None:
    answered = message(
        author_name=f"Jean{attack}",
        author_address=f"jean@client.test{attack}",
        external_id=f"a@b.test{attack}",
        references=(f"c@d.test{attack}", "e@f.test"),
    )
    of = reply(
        name=f"Cabinet{attack}",
        from_address=f"cabinet@cabinet.test{attack}",
        subject=f"Sujet{attack}",
        language=f"fr{attack}",
        time_zone=f"Europe/Paris{attack}",
        recipients=(f"jean@client.test{attack}",),
        copies=(f"anne@client.test{attack}", "luc@client.test"),
        answers=answered,
    )
    head = octets(of).partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert set(names) <= {
        b"From", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"References", b"Content-Language",
        b"MIME-Version", b"Content-Type",
    }  # fmt: skip
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert b"\r" not in head.replace(b"\r\n", b"")
    _, parsed = both(of)
    assert [address.addr_spec for address in parsed["Cc"].addresses] == ["luc@client.test"]


@given(st.text(max_size=300), st.text(max_size=80), st.text(max_size=300))
def test_any_words_arrive_as_they_are(subject: str, name: str, text: str) -> None:
    of = reply(text, subject=subject, name=name, answers=message(text))
    raw = octets(of)
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    read = read_mail(raw)
    assert read.sender.value == "cabinet@cabinet.test"
    assert read.subject == answer_subject(subject)
    assert read.external_id == OUR_ID
    assert read.references == ("question@client.test",)
    said = email.message_from_bytes(raw, policy=default)
    assert isinstance(said, EmailMessage)
    assert form(said, "plain").startswith(letter_text(of))


def test_what_servers_change_on_their_way_is_encoded() -> None:
    text = "From here\n.\n..\nspaces \nfin\tx\n" + "x" * 3000
    raw = octets(reply(text))
    assert longest_line(raw) <= 78
    assert b"\nFrom here" not in raw
    assert not re.search(rb"[ \t]\r\n", raw.partition(b"\r\n\r\n")[2])
    assert form(both(reply(text))[1], "plain").rstrip("\n") == text


def test_what_is_mostly_not_latin_leaves_as_base64() -> None:
    text = "Здравствуйте, когда можно прийти?\n" * 20
    assert b"Content-Transfer-Encoding: base64" in octets(reply(text))
    ours, parsed = both(reply(text))
    assert form(parsed, "plain").rstrip() == text.rstrip()
    assert ours.text == text.rstrip()


def test_markup_in_words_is_shown_and_links_can_be_pressed() -> None:
    _, parsed = both(reply('<script>alert(1)</script> voyez https://x.test/a?b=1&c="2", merci.\n  en retrait'))
    page = form(parsed, "html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert '<a href="https://x.test/a?b=1&amp;c=">https://x.test/a?b=1&amp;c=</a>' in page
    assert "<br>\n &nbsp;en retrait" in page


def test_a_thread_of_many_mails_keeps_its_beginning_and_its_end() -> None:
    ids = tuple(f"{'x' * 100}{number}@client.test" for number in range(500))
    ours, parsed = both(reply(answers=message(references=ids)))
    kept = [one.strip("<>") for one in parsed["References"].split()]
    assert kept == [*ids[:20], *ids[-19:], "question@client.test"]
    assert ours.thread == tuple(kept)
    assert all(len(line) <= 998 for line in octets(reply(answers=message(references=ids))).split(b"\r\n"))


def test_a_mail_without_a_message_id_is_answered_within_what_it_referred_to() -> None:
    _, parsed = both(reply(answers=message(external_id=f"sha256:{'0' * 64}", references=("first@client.test",))))
    assert parsed["In-Reply-To"] is None
    assert parsed["References"] == "<first@client.test>"


def test_a_message_id_two_mails_shared_is_answered_by_its_real_name() -> None:
    _, parsed = both(reply(answers=message(external_id="fax#1@gate.test#0123456789abcdef")))
    assert parsed["In-Reply-To"] == "<fax#1@gate.test>"


def test_a_first_mail_refers_to_nothing() -> None:
    _, parsed = both(reply())
    assert parsed["References"] is parsed["In-Reply-To"] is None


def test_a_domain_beyond_ascii_leaves_in_its_ascii_form() -> None:
    of = reply(recipients=("jean@garçon.test",))
    assert letter(of).recipients == ("jean@xn--garon-0ra.test",)
    assert both(of)[1]["To"] == "jean@xn--garon-0ra.test"


def test_a_name_before_the_at_beyond_ascii_stays_as_it_is() -> None:
    of = reply(recipients=("jérôme@client.test",))
    assert letter(of).recipients == ("jérôme@client.test",)
    assert "To: jérôme@client.test\r\n".encode() in octets(of)
    assert read_mail(octets(of)).recipients == ("jérôme@client.test",)


def test_what_is_no_address_stays_out_of_the_header_and_is_left_to_its_server_to_refuse() -> None:
    of = reply(recipients=("not an address",))
    assert letter(of).recipients == ("not an address",)
    assert b"To: undisclosed-recipients:;\r\n" in octets(of)


def test_a_letter_can_be_stored() -> None:
    payload = letter(reply(answers=message("\ud800 demi")))
    assert msgspec.json.decode(msgspec.json.encode(payload), type=Letter) == payload
