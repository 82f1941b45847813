"""What strangers forge, replay and hide: seen by those it is for, answered to whom it came from, and nothing more."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

import msgspec
import pytest
from aiogram.filters.callback_data import CallbackData
from pymap.mime import MessageContent

from bot import logs
from channels.telegram.updates import arrival
from handlers import callbacks
from handlers.callbacks import Close, Discard, Duty, Edit, Files, Next, Queue, Release, Send, Show, Take, Undo
from handlers.incoming import accepting
from inbox.invitations import deep_link_payload, invite
from inbox.machinery import DeskKey
from inbox.matching import sign_message_id
from inbox.model import Direction, Role, Secretary
from inbox.parts import MessageId, new_id
from inbox.store.base import Changes
from inbox.store.documents import MESSAGES_OF_CONVERSATION, SECRETARY_BY_TELEGRAM
from tests.builders import BERNARD, DESK, KEY, MAIL, ROUX, put
from tests.handlers.stage import CABINET, CABINET_TOKEN, Seat, Stage, button

HOUR = timedelta(hours=1)
PAUL, STRANGER = "Paul Martin <paul.martin@example.net>", "Paul Martin <x@stranger.test>"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Replies leave at once."""
    async with Stage(tmp_path / "desk.db") as running:
        yield running


async def answered(stage: Stage, seat: Seat, words: str, reply: str = "C’est noté.") -> str:
    """She replies to the card with these words, and sends; the Message-ID her letter bears."""
    seat.writes(reply, to=await seat.sees(words, kind=Release))
    await seat.presses(await seat.sees("Aperçu", reply, kind=Send), Send)
    await stage.quiet()
    return stage.letters.sent[-1][0].message_id


# ---------------------------------------------------------------- forged threads


def _cut(ours: str) -> str:
    return ours.replace("@", "x@", 1)


FORGED: dict[str, Callable[[str], str]] = {
    "as it is": lambda ours: f"<{ours}>",
    "in capitals": lambda ours: f"<{ours.upper()}>",
    "without brackets": lambda ours: ours,
    "in two brackets": lambda ours: f"<<{ours}>>",
    "folded": lambda ours: f"<{ours[:20]}\r\n {ours[20:]}>",
    "with a comment": lambda ours: f"(moi) <{ours}> (toi)",
    "behind ten thousand others": lambda ours: " ".join([*(f"<{n}@x.test>" for n in range(10_000)), f"<{ours}>"]),
    "a broken signature": lambda ours: f"<{_cut(ours)}>",
    "another's signature": lambda ours: "<{}.{}@{}>".format(
        ours.split(".")[0], sign_message_id(KEY, MessageId(new_id()), "x").split(".")[1][:16], ours.split("@")[1]
    ),
    "a signature with another key": lambda ours: "<{}>".format(
        sign_message_id(DeskKey(id="x", secret=b"\x08" * 32), MessageId(ours.split(".")[0]), ours.split("@")[1])
    ),
    "the bare id": lambda ours: f"<{ours.split('.')[0]}>",
    "encoded": lambda ours: f"=?utf-8?q?<{ours}>?=",
}


@pytest.mark.parametrize("form", FORGED)
async def test_a_stranger_who_quotes_our_message_id_in_any_form_joins_nothing(stage: Stage, form: str) -> None:
    lea = await stage.join("Léa", serves=[ROUX])
    await stage.mail("Mon dossier secret", sender=PAUL, subject="Dossier")
    ours = await answered(stage, lea, "Mon dossier secret", "Voici votre résultat.")
    before = await stage.conversation(1)
    quoted = FORGED[form](ours)
    await stage.mail_raw(
        f"From: {STRANGER}\r\nTo: cabinet@roux.example\r\nSubject: Re: Dossier\r\nMessage-ID: <f@stranger.test>\r\n"
        f"In-Reply-To: {quoted}\r\nReferences: {quoted}\r\nReply-To: {PAUL}\r\n\r\nEnvoyez-moi la suite.\r\n".encode()
    )
    card = await lea.sees("Envoyez-moi la suite", "(x@stranger.test)")
    assert "dossier secret" not in str(card["text"])
    assert await stage.conversation(1) == before
    assert await stage.said(1) == ["Mon dossier secret\n".strip(), "Voici votre résultat."]
    # What she answers the stranger quotes nothing of Paul's, and refers to nothing but the stranger's own mail.
    await answered(stage, lea, "Envoyez-moi la suite", "Qui êtes-vous ?")
    letter, raw = stage.letters.sent[-1]
    assert b"secret" not in raw
    assert letter.recipients in (("paul.martin@example.net",), ("x@stranger.test",))
    assert await stage.said(1) == ["Mon dossier secret", "Voici votre résultat."]


@pytest.mark.parametrize("form", FORGED)
async def test_only_a_reference_with_its_true_signature_brings_a_client_back_to_their_request(
    stage: Stage, form: str
) -> None:
    lea = await stage.join("Léa", serves=[ROUX])
    await stage.mail("Bonjour", sender=PAUL)
    ours = await answered(stage, lea, "Bonjour")
    await stage.mail_raw(
        f"From: {PAUL}\r\nTo: cabinet@roux.example\r\nSubject: Re:\r\nMessage-ID: <again@example.net>\r\n"
        f"In-Reply-To: {FORGED[form](ours)}\r\n\r\nMerci.\r\n".encode()
    )
    await lea.sees("Merci.")
    joins = form in ("as it is", "without brackets", "in two brackets", "folded", "with a comment", "encoded")
    assert ("Merci." in await stage.said(1)) is joins
    assert await stage.count_conversations() == (1 if joins else 2)


async def test_what_one_account_was_told_is_threaded_shown_and_answered_in_no_other(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", own_account={CABINET: ROUX}) as stage:
        for account_id, address in ((ROUX, "cabinet@roux.example"), (BERNARD, "contact@bernard.example")):
            known = msgspec.structs.replace(stage.desk.accounts[account_id], addresses=(address,))
            stage.desk.accounts[account_id] = known  # type: ignore[index]  # as the config would declare it
        lea, ines = await stage.join("Léa", serves=[ROUX]), await stage.join("Inès", serves=[BERNARD])
        theirs = await stage.mail("Résultat d’analyse", sender=PAUL, to="cabinet@roux.example")
        ours = await answered(stage, lea, "analyse", "Tout va bien.")
        for name in (theirs, ours):
            await stage.mail("Et la chaudière ?", sender=PAUL, answers=name, to="contact@bernard.example")
        await ines.sees("Et la chaudière ?")
        await stage.quiet()
        assert await stage.said(1) == ["Résultat d’analyse", "Tout va bien."]
        assert ines.sees_nothing_of("analyse", "Tout va bien", "Roux", "#1 ", "Fait référence")
        assert lea.sees_nothing_of("chaudière", "Bernard")
        # The very same mail to both: each has its own.
        await stage.mail("À vous deux", sender=PAUL, message_id="both@example.net", to="cabinet@roux.example")
        await stage.mail("À vous deux", sender=PAUL, message_id="both@example.net", to="contact@bernard.example")
        await lea.sees("À vous deux")
        await ines.sees("À vous deux")


async def test_a_replayed_mail_changes_nothing_whatever_uid_it_comes_under(stage: Stage) -> None:
    lea = await stage.join("Léa")
    raw = (
        f"From: {PAUL}\r\nTo: cabinet@roux.example\r\nSubject: Un\r\nMessage-ID: <one@example.net>\r\n\r\nUne fois.\r\n"
    )
    for ends, key in (("\r\n", "1:1"), ("\r\n", "1:1"), ("\r\n", "9:1"), ("\n", "9:2")):
        await stage.mail_raw(raw.replace("\r\n", ends).encode(), key=key)
    await lea.sees("Une fois.")
    await stage.quiet()
    assert await stage.said(1) == ["Une fois."]
    assert [r.reason for r in await stage.receipts(MAIL, "ignored")] == ["received before"] * 2


# ---------------------------------------------------------------- injected headers

LINE = "Bcc: victime@stranger.test"
HIDDEN = {
    "a line end": "\r\n" + LINE,
    "a line feed": "\n" + LINE,
    "a return": "\r" + LINE,
    "an end of the header": "\r\n\r\n" + LINE,
    "a folded line": "\r\n " + LINE,
    "nul": "\0" + LINE,
    "a line separator": "\u2028" + LINE,
    "a paragraph separator": "\u2029" + LINE,
    "a next line": "\x85" + LINE,
    "a vertical tab": "\x0b" + LINE,
    "a form feed": "\x0c" + LINE,
    "an override": "\u202e" + LINE,
}


def _word(text: str) -> str:
    return "=?utf-8?q?" + "".join(f"={octet:02X}" for octet in text.encode()) + "?="


def _percent(text: str) -> str:
    return "".join(f"%{octet:02X}" for octet in text.encode())


def check_letter(raw: bytes, recipients: tuple[str, ...]) -> None:
    """Two other parsers, and the letter of RFC 5322, find our fields and nobody else in the header."""
    head, _, _ = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert all(re.fullmatch(rb"(?:[A-Z][A-Za-z-]*: | )[^\r\n\0]+", line) for line in lines), lines
    names = [line.partition(b":")[0].decode().lower() for line in lines if not line.startswith(b" ")]
    wanted = {"from", "to", "subject", "date", "message-id", "content-language", "mime-version", "content-type"}
    assert set(names) - {"in-reply-to", "references"} == wanted
    parsed = message_from_bytes(raw, policy=policy.default)
    assert parsed.defects == []
    assert [name.lower() for name in parsed] == names
    assert [address for _, address in getaddresses(parsed.get_all("To", []))] == list(recipients)
    assert not any(CONTROLS.search(str(value)) for value in parsed.values())
    other = MessageContent.parse(raw)
    assert [name.decode().lower() for name, _ in other.header.folded] == names
    assert [a.addr_spec for to in other.header.parsed.to or () for a in to.addresses] == list(recipients)


def assert_logs_are_ours(logged: str) -> None:
    lines = re.split("[\r\n\x0b\x0c\x85\u2028\u2029]", logged)
    assert not [line for line in lines if line.startswith("Bcc")]
    assert "\0" not in logged


@pytest.mark.parametrize("hidden", HIDDEN)
async def test_nothing_hidden_in_a_mail_becomes_a_header_a_log_line_or_a_line_of_the_card(
    stage: Stage, hidden: str
) -> None:
    out = io.StringIO()
    logs.configure("console", "debug", out)
    lea, raw_text = await stage.join("Léa"), HIDDEN[hidden]
    word, percent = _word("x" + raw_text), _percent("x" + raw_text)
    raw = (
        f"From: {_word('Paul' + raw_text)} <paul.martin@example.net>\r\nTo: cabinet@roux.example, {word}\r\n"
        f"Subject: {_word('Devis' + raw_text)}\r\nReply-To: {word} <paul{_word(raw_text)}@example.net>\r\n"
        f"Message-ID: <{word}one@example.net>\r\nIn-Reply-To: <{word}>\r\nReferences: <a@b> {word} <{word}c@d>\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nBonjour.\r\n--b\r\n'
        f"Content-Type: application/pdf; name*=utf-8''{percent}.pdf\r\n"
        f'Content-Disposition: attachment; filename="{word}.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
    )
    await stage.mail_raw(raw.encode())
    card = await lea.sees("Bonjour.")
    lines = str(card["text"]).splitlines()
    assert not any(line.startswith("Bcc") for line in lines)
    assert not CONTROLS.search(str(card["text"]))
    assert lines[1].startswith("👤 Paul")
    await lea.presses(card, Files)
    await answered(stage, lea, "Bonjour.")
    letter, sent = stage.letters.sent[-1]
    assert "stranger" not in "".join(letter.recipients)
    check_letter(sent, letter.recipients)
    assert LINE.encode() not in sent.partition(b"\r\n\r\n")[0].split(b"Subject")[0]
    (file,) = [m for m in lea.user.messages() if "document" in m]
    assert not CONTROLS.search(file["document"]["file_name"])
    logged = out.getvalue()
    assert not any(
        line.startswith(("Bcc", "\x85", "\u2028")) for line in re.split("[\r\n\x0b\x0c\x85\u2028\u2029]", logged)
    )
    assert "\0" not in logged


@pytest.mark.parametrize("hidden", HIDDEN)
async def test_nothing_hidden_in_a_telegram_name_or_text_becomes_a_line_of_the_card_or_a_log(
    stage: Stage, hidden: str
) -> None:
    out = io.StringIO()
    logs.configure("console", "debug", out)
    lea = await stage.join("Léa")
    nora = stage.client(501, "Nora" + HIDDEN[hidden])
    nora.user.start("roux")
    nora.writes("Bonjour" + HIDDEN[hidden])
    card = str((await lea.sees("Bonjour"))["text"])
    assert [line for line in card.split("\n")[:4] if line.startswith("Bcc")] == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", card)
    assert_logs_are_ours(out.getvalue())


# ---------------------------------------------------------------- forged presses

OLD = [
    "claim:1",
    "take:1",
    "v1:take:x",
    "take",
    "Take:x",
    "TAKE:x",
    "take:x:y",
    "duty",
    "duty:",
    "sendx:1:1",
    "\u202etake:x",
]


@pytest.mark.parametrize(
    "data", [*OLD, "x" * 64, "é" * 32, "take:" + "a" * 59, ":" * 64, "send:a:" + "9" * 57, "\n", " "]
)
async def test_data_of_an_older_desk_or_of_nobodys_making_changes_nothing(stage: Stage, data: str) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour")
    card = await lea.sees("Bonjour", kind=Release)
    before = await stage.conversation()
    await lea.forges(card, data)
    assert await stage.conversation() == before
    assert await stage.receipts(DESK, "parked") == []
    assert await stage.ledger_is_balanced()


async def test_a_press_on_a_message_of_somebody_elses_is_that_persons_and_no_more(stage: Stage) -> None:
    lea, ines = await stage.join("Léa", serves=[ROUX]), await stage.join("Inès", serves=[BERNARD])
    await stage.mail("Secret", subject="Secret")
    card = await lea.sees("Secret", kind=Release)
    stolen = {**card, "chat": {"id": ines.user.id, "type": "private"}}
    press = {
        "id": "777",
        "from": ines.user.as_user(),
        "chat_instance": "1",
        "data": button(card, Release),
    }
    before = await stage.conversation()
    for number, message in enumerate(
        (card, stolen, {"message_id": card["message_id"], "chat": card["chat"], "date": 0})
    ):
        update = {"update_id": 900_000 + number, "callback_query": {**press, "message": message}}
        await accepting(stage.desk, DESK)([arrival(update)], str(900_001 + number))
        await stage.quiet()
    assert await stage.conversation() == before
    assert ines.sees_nothing_of("Secret")
    assert await stage.receipts(DESK, "parked") == []


async def test_every_button_pressed_again_after_it_served_changes_nothing(stage: Stage) -> None:
    lea = await stage.join("Léa")
    await stage.mail("Bonjour")
    card = await lea.sees("Bonjour", kind=Release)
    lea.writes("Oui", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    pressed = [button(preview, kind) for kind in (Send, Edit, Discard)]
    close = button(card, Close)
    await lea.presses(preview, Send)
    await lea.presses(await lea.sees("Bonjour", kind=Close), Close)
    before = await stage.conversation()
    for data in [*pressed, close, button(card, Release)]:
        assert data is not None
        await lea.forges(preview, data)
        await lea.forges(preview, data)
    after = await stage.conversation()
    assert (after.status, after.inbound_count, after.message_count) == (before.status, 1, 2)
    assert len(stage.letters.sent) == 1


async def test_a_client_who_is_sent_a_card_can_press_forward_or_quote_it_and_gets_nothing(stage: Stage) -> None:
    lea, nora = await stage.join("Léa", serves=[ROUX]), stage.client()
    await stage.mail("Secret médical", subject="Secret")
    card = await lea.sees("Secret médical", kind=Release)
    nora.user.start("roux")
    greeting = await nora.sees("vous écrivez à")
    before = await stage.conversation()
    kinds: list[type[CallbackData]] = [Take, Release, Show, Undo, Discard, Edit, Files, Next, Queue]
    for kind in kinds:
        fields = dict.fromkeys(kind.model_fields, before.id)
        assert await nora.forges(greeting, kind(**fields)) == ""
    assert await nora.forges(greeting, Duty(on=True)) == ""
    # She forwards the card, and answers it, buttons and all, as a modified program could claim.
    passed_on = {"forward_origin": {"type": "user", "sender_user": lea.user.as_user()}, "text": card["text"]}
    nora.user.send_raw({**passed_on, "reply_markup": card["reply_markup"]})
    nora.user.send_raw({"text": "Prends-la", "reply_to_message": {**card, "chat": nora.user.as_chat()}})
    await stage.quiet()
    assert await stage.conversation() == before
    assert nora.sees_nothing_of("médical")
    assert await stage.said(2) == [f"[↪ Léa]\n{card['text']}", "Prends-la"]


async def test_a_retired_secretary_presses_and_writes_as_anybody_from_outside(stage: Stage) -> None:
    lea, ines = await stage.join("Léa", serves=[ROUX]), await stage.join("Inès", on_duty=False)
    await stage.mail("Bonjour", subject="Secret")
    card = await lea.sees("Bonjour", kind=Release)
    lea.writes("Brouillon", to=card)
    preview = await lea.sees("Aperçu", kind=Send)
    gone = await stage.store.get(Secretary, lea.secretary.id)
    await stage.store.commit(Changes(replacements=[msgspec.structs.replace(gone, active=False)]))
    seen = list(lea.screen)
    for message, kind in ((preview, Send), (preview, Discard), (card, Release), (card, Close)):
        assert await lea.presses(message, kind) == ""
    for words in ("/file", "/suivante", "/ici", "Envoyez donc"):
        lea.writes(words, to=card)
    await stage.mail("Encore", subject="Secret bis")
    await stage.quiet()
    assert lea.screen == seen
    assert stage.letters.sent == []
    assert await stage.said(1) == ["Bonjour"]
    reasons = [r.reason for r in await stage.receipts(DESK, "ignored")]
    assert reasons.count("a press by someone who is not at the desk") == 4
    assert ines.name == "Inès"


# ---------------------------------------------------------------- invitations


async def test_an_invitation_used_by_many_at_once_makes_one_secretary(stage: Stage) -> None:
    token = "t" * 43
    await put(stage.store, invite(Role.OWNER, token=token, now=stage.desk.clock(), lifetime=HOUR, name="Zoé"))
    people = [stage.client(900 + number, f"N{number}") for number in range(8)]
    for person in people:
        person.user.start(deep_link_payload(token))
    await stage.quiet()
    found = [await stage.store.find_by(SECRETARY_BY_TELEGRAM, person.user.id) for person in people]
    assert len([secretary for secretary in found if secretary is not None]) == 1
    welcomed = [person for person in people if not person.sees_nothing_of("Bienvenue")]
    refused = [person for person in people if not person.sees_nothing_of("a déjà servi")]
    assert (len(welcomed), len(refused)) == (1, 7)


@pytest.mark.parametrize(
    "payload",
    [
        "i-",
        "i-" + "t" * 42,
        "i-" + "t" * 44,
        "i-" + "T" * 43,
        "I-" + "t" * 43,
        "i-" + "t" * 43 + " x",
        "i-i-" + "t" * 43,
        "t" * 43,
    ],
)
async def test_an_invitation_that_is_not_exactly_one_lets_nobody_in(stage: Stage, payload: str) -> None:
    await put(stage.store, invite(Role.OWNER, token="t" * 43, now=stage.desk.clock(), lifetime=HOUR))
    max_ = stage.client(901, "Max")
    max_.user.start(payload)
    await stage.quiet()
    assert await stage.store.find_by(SECRETARY_BY_TELEGRAM, 901) is None
    assert max_.sees_nothing_of("Bienvenue parmi", "en service")


async def test_an_invitation_that_expired_or_was_shown_to_a_clients_bot_lets_nobody_in(stage: Stage) -> None:
    now = stage.desk.clock()
    await put(
        stage.store,
        invite(Role.OWNER, token="o" * 43, now=now - 2 * HOUR, lifetime=HOUR),
        invite(Role.OWNER, token="n" * 43, now=now, lifetime=HOUR),
    )
    max_ = stage.client(901, "Max")
    max_.user.start(deep_link_payload("o" * 43))
    await max_.sees("a expiré")
    max_.user.start(deep_link_payload("n" * 43), token=CABINET_TOKEN)
    await stage.quiet()
    assert await stage.store.find_by(SECRETARY_BY_TELEGRAM, 901) is None


async def test_an_edit_into_an_invitation_or_one_in_the_middle_of_words_is_none(stage: Stage) -> None:
    await put(stage.store, invite(Role.OWNER, token="t" * 43, now=stage.desk.clock(), lifetime=HOUR))
    nora = stage.client(902)
    nora.user.start("roux")
    said = nora.writes("Bonjour")
    nora.user.edit_text(said["message_id"], f"/start {deep_link_payload('t' * 43)}")
    nora.writes(f"voici : /start {deep_link_payload('t' * 43)}")
    await stage.quiet()
    assert await stage.store.find_by(SECRETARY_BY_TELEGRAM, 902) is None


async def test_a_client_who_is_invited_joins_with_what_the_invitation_grants_and_their_words_stay_a_clients(
    stage: Stage,
) -> None:
    lea, nora = await stage.join("Léa", serves=[ROUX]), stage.client()
    nora.user.start("roux")
    nora.writes("Ma question")
    await lea.sees("Ma question")
    await put(
        stage.store,
        invite(Role.SECRETARY, token="t" * 43, now=stage.desk.clock(), lifetime=HOUR, accounts=[BERNARD]),
    )
    nora.user.start(deep_link_payload("t" * 43))
    await nora.sees("Bienvenue", kind=Duty)
    conversation = await stage.conversation(1)
    for forged in (Take(conversation=conversation.id), Release(conversation=conversation.id)):
        assert await nora.forges(nora.user.messages()[1], forged) == "Introuvable, ou hors de vos comptes."
    assert await stage.said(1) == ["Ma question"]
    assert await stage.holder(1) == "Léa"


# ---------------------------------------------------------------- replayed updates


async def test_an_update_that_telegram_or_anybody_sends_again_has_one_effect(stage: Stage) -> None:
    lea, nora = await stage.join("Léa"), stage.client()
    nora.user.start("roux")
    said = nora.writes("Une fois")
    await lea.sees("Une fois")
    update = {"update_id": 1, "message": said}
    for number in (1, 1, 2, 3):
        await accepting(stage.desk, DESK)([arrival({**update, "update_id": number})], str(number + 1))
    await stage.quiet()
    (message,) = await stage.store.list(MESSAGES_OF_CONVERSATION, (await stage.conversation()).id)
    assert (message.text, message.direction) == ("Une fois", Direction.INBOUND)
    assert {r.reason for r in await stage.receipts(DESK, "ignored")} == {"received before"}


async def test_ten_presses_on_take_by_ten_people_have_one_holder(stage: Stage) -> None:
    seats = [await stage.join(f"S{number}", serves=[BERNARD]) for number in range(10)]
    nora = stage.client()
    nora.user.start("bernard")
    nora.writes("Fuite d’eau")
    cards = [await seat.sees("Fuite d’eau", kind=Take) for seat in seats]
    conversation_id = (await stage.conversation()).id
    toasts = await asyncio.gather(
        *(
            seat.user.press(card["message_id"], callbacks.Take(conversation=conversation_id).pack())
            for seat, card in zip(seats, cards, strict=True)
        )
    )
    await stage.quiet()
    holder = await stage.holder()
    assert holder is not None
    assert sum(holder in toast.text for toast in toasts) == 9, [toast.text for toast in toasts]
