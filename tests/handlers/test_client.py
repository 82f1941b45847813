"""What a client sees in Telegram: greeted, told what to expect where that helps, and in their own language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.demo.scene import drawing
from handlers.callbacks import Ask, Close, Files, Menu, Send, UseTemplate
from inbox.acknowledgements import SILENCE
from inbox.hours import Hours, read_week
from inbox.model import Contact, DeliveryKind, Role
from inbox.notices import Post
from inbox.store.documents import DELIVERIES_OF_CONVERSATION, MESSAGES_OF_CONVERSATION
from tests.builders import BERNARD, ROUX, an_address, put
from tests.handlers.declaring import declare
from tests.handlers.stage import CABINET_TOKEN, Stage, labels

pytestmark = pytest.mark.asyncio

N = "\N{NO-BREAK SPACE}"
HOURS = Hours(week=read_week("mon-fri 8:30-12:30 14:00-18:30, sat 9:00-12:00"), holidays="FR")


class Clock:
    """What the desk takes for now."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now


SUNDAY = datetime(2026, 6, 7, 10, tzinfo=ZoneInfo("Europe/Paris"))
TUESDAY = datetime(2026, 6, 9, 9, tzinfo=ZoneInfo("Europe/Paris"))


# ---------------------------------------------------------------- what to expect


async def test_who_writes_on_a_sunday_is_told_once_when_the_account_opens(tmp_path: Path) -> None:
    clock = Clock(SUNDAY)
    async with Stage(tmp_path / "desk.db", clock=clock) as stage:
        declare(stage, hours=HOURS)
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start("", token=CABINET_TOKEN)
        nora.writes("Bonjour, avez-vous une place ?", token=CABINET_TOKEN)
        await stage.quiet()
        nora.writes("C'est assez pressé.", token=CABINET_TOKEN)
        await stage.quiet()
        said = [m["text"] for m in nora.user.messages(CABINET_TOKEN) if m["from"]["is_bot"]]
        assert said[1:] == [
            f"Dr Hélène Roux{N}: votre message est bien arrivé. Nous sommes fermés en ce moment et rouvrons "
            f"demain à 8 h 30{N}; nous vous répondrons à partir de là."
        ]
        # Whoever answers sees that she was told.
        await lea.sees("place")
        conversation = await stage.conversation()
        told = await stage.store.list(DELIVERIES_OF_CONVERSATION, conversation.id, DeliveryKind.ACKNOWLEDGEMENT)
        assert [d.state for d in told] == ["sent"]


async def test_while_it_is_open_and_somebody_holds_it_nothing_is_said(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(TUESDAY)) as stage:
        declare(stage, hours=HOURS)
        await stage.join("Léa")
        nora = stage.client()
        nora.user.start("", token=CABINET_TOKEN)
        nora.writes("Bonjour", token=CABINET_TOKEN)
        await stage.quiet()
        assert len([m for m in nora.user.messages(CABINET_TOKEN) if m["from"]["is_bot"]]) == 1


async def test_nobody_there_an_answer_promised_and_a_switch_that_is_off(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(TUESDAY)) as stage:
        nora, paul, lucas = stage.client(), stage.client(502, "Paul"), stage.client(503, "Lucas")
        for each in (nora, paul, lucas):
            each.user.start("", token=CABINET_TOKEN)
        declare(stage)
        nora.writes("Bonjour", token=CABINET_TOKEN)
        await stage.quiet()
        declare(stage, hours=HOURS, answer_minutes=240)
        paul.writes("Bonjour", token=CABINET_TOKEN)
        await stage.quiet()
        declare(stage, hours=HOURS, answer_minutes=240, tells_in_chats=False)
        lucas.writes("Bonjour", token=CABINET_TOKEN)
        await stage.quiet()
        newest = [each.user.messages(CABINET_TOKEN)[-1]["text"] for each in (nora, paul, lucas)]
        assert "Personne n’est disponible" in newest[0]
        assert newest[1].endswith("une réponse au plus tard aujourd’hui à 14 h 30.")
        assert newest[2] == "Bonjour"


async def test_a_matter_taken_up_again_after_a_long_silence_is_told_anew(tmp_path: Path) -> None:
    clock = Clock(SUNDAY)
    async with Stage(tmp_path / "desk.db", clock=clock) as stage:
        declare(stage, hours=HOURS)
        nora = stage.client()
        nora.user.start("", token=CABINET_TOKEN)
        nora.writes("Bonjour", token=CABINET_TOKEN)
        await stage.quiet()
        clock.now += SILENCE - timedelta(minutes=1)
        nora.writes("Toujours là ?", token=CABINET_TOKEN)
        await stage.quiet()
        assert sum("votre message" in m.get("text", "") for m in nora.user.messages(CABINET_TOKEN)) == 1
        clock.now += SILENCE + timedelta(minutes=1)
        nora.writes("Me revoilà", token=CABINET_TOKEN)
        await stage.quiet()
        lines = [m["text"] for m in nora.user.messages(CABINET_TOKEN) if "votre message" in m.get("text", "")]
        # It is Monday, ten in the morning, by then: it is open, and nobody is there.
        assert len(lines) == 2
        assert "Personne" in lines[1]
        assert await stage.count_conversations() == 1


async def test_a_line_that_does_not_arrive_loses_nothing(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(SUNDAY)) as stage:
        declare(stage, hours=HOURS)
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start("", token=CABINET_TOKEN)
        await stage.quiet()
        nora.writes("Bonjour, une question", token=CABINET_TOKEN)
        nora.user.block(token=CABINET_TOKEN)
        await stage.quiet()
        await lea.sees("une question")
        assert await stage.said() == ["Bonjour, une question"]
        assert await stage.ledger_is_balanced()


# ---------------------------------------------------------------- greeted, in their language


async def test_a_link_greets_in_the_accounts_name_with_its_hours(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(TUESDAY)) as stage:
        declare(stage, hours=HOURS)
        nora = stage.client()
        nora.user.start(ROUX)
        await nora.sees(
            "vous écrivez à Dr Hélène Roux",
            "🕘 lun.–ven. 8 h 30–12 h 30, 14 h–18 h 30 ; sam. 9 h–12 h",
        )


async def test_another_link_says_where_words_go_from_now_on(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        nora = stage.client()
        nora.user.start(ROUX)
        await nora.sees("vous écrivez à Dr Hélène Roux")
        nora.writes("Pour le docteur")
        await stage.quiet()
        nora.user.start(BERNARD)
        await nora.sees("À partir de maintenant, vous écrivez à Plomberie Bernard")
        nora.writes("Pour le plombier")
        await stage.quiet()
        assert (await stage.conversation(1)).account_id == ROUX
        assert (await stage.conversation(2)).account_id == BERNARD


async def test_a_link_of_nobodys_names_no_account_to_a_stranger(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        nora = stage.client()
        for payload in ("nobody", "unsorted", ""):
            nora.user.start(payload)
            await stage.quiet()
        assert nora.sees_nothing_of("Roux", "Bernard", "attribuer")
        await nora.sees("Écrivez-nous votre demande")
        # Who came before is told to whom they write: their words still go there.
        nora.writes("Bonjour ?")
        nora.user.start(BERNARD)
        await nora.sees("Bonjour, vous écrivez à Plomberie Bernard")
        nora.user.start("nobody")
        await stage.quiet()
        assert "vous écrivez à Plomberie Bernard" in nora.screen[-1]


async def test_what_is_said_by_itself_follows_the_language_of_their_telegram(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(SUNDAY)) as stage:
        declare(stage, hours=HOURS)
        nora = stage.client()
        for language, says in (("en-GB", "open again tomorrow at 8:30"), ("pt", "rouvrons demain")):
            nora.user.language_code = language
            nora.user.start(ROUX)
            await nora.sees(says)
        nora.user.language_code = "en"
        nora.writes("Hello")
        await stage.quiet()
        assert nora.screen[-1].startswith("Dr Hélène Roux: your message has arrived. We are closed at the moment")
        conversation = await stage.conversation()
        assert (await stage.store.get(Contact, conversation.contact_id)).language == "en"


# ---------------------------------------------------------------- by mail


async def test_an_acknowledgement_says_when_the_account_opens_and_answers(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(SUNDAY)) as stage:
        declare(stage, hours=HOURS, answer_minutes=60, acknowledgement="Bien reçu.\n{hours} {answer}\nÀ bientôt")
        await stage.mail(to="cabinet@roux.example")
        await stage.quiet()
        declare(stage, acknowledgement="")
        await stage.mail(to="cabinet@roux.example", sender="Zoé <zoe@example.net>", subject="Autre chose")
        await stage.quiet()
        letters = [message_from_bytes(raw, policy=policy.SMTP) for _, raw in stage.letters.sent]
        texts = [letter.get_body(("plain",)).get_content() for letter in letters]  # type: ignore[union-attr]
        assert len(texts) == 2
        for text in texts:
            assert "fermés en ce moment" in text
            assert "au plus tard" in text
            assert "{" not in text


async def test_a_reopened_matter_is_the_same_one(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start(ROUX)
        nora.writes("Une question")
        card = await lea.sees("Une question", kind=Close)
        await lea.presses(card, Close)
        nora.writes("Encore moi")
        await stage.quiet()
        assert await stage.said() == ["Une question", "Encore moi"]


# ---------------------------------------------------------------- who blocked us


async def test_a_reply_to_who_blocked_the_bot_comes_back_at_once_and_no_other_leaves(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start(ROUX)
        nora.writes("Une question")
        card = await lea.sees("Une question", kind=Close)
        contact = await stage.store.get(Contact, (await stage.conversation()).contact_id)
        mail = an_address(contact, "nora@example.net", used_at=datetime.now(UTC))
        await put(stage.store, mail)
        lea.writes("Oui, venez jeudi.", to=card)
        preview = await lea.sees("Aperçu", kind=Send)
        # Telegram tells the bot only in answer to what it sends: the update about it is lost.
        stage.telegram.bot().chats[501].blocked = True
        await lea.presses(preview, Send)
        card = await lea.sees("⛔ Le client a bloqué nos messages", "nora@example.net", kind=Close)
        lea.writes("Et vendredi ?", to=card)
        preview = await lea.sees("Et vendredi ?", "⛔ Le client a bloqué nos messages", "nora@example.net", kind=Send)
        assert "rien ne lui arrive" in await lea.presses(preview, Send)
        assert len(await stage.replies("dead")) == 1
        # They come back by themselves, and it can leave.
        stage.telegram.bot().chats[501].blocked = False
        nora.writes("Me revoilà")
        await lea.sees("Me revoilà", kind=Close)
        assert "⛔" not in (await lea.sees("Me revoilà", kind=Close))["text"]


async def test_whoever_blocks_and_lets_us_in_again_is_seen_on_the_card(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start(ROUX)
        nora.writes("Une question")
        await lea.sees("Une question", kind=Close)
        nora.user.block()
        await lea.sees("⛔ Le client a bloqué nos messages", "Une question")
        nora.user.unblock()
        await stage.quiet()
        assert "⛔" not in (await lea.sees("Une question", kind=Close))["text"]


# ---------------------------------------------------------------- whose name is seen


async def test_no_name_of_a_secretary_leaves_unless_the_account_wants_it(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db", clock=Clock(TUESDAY)) as stage:
        marc = await stage.join("Marc", role=Role.SUPERVISOR, on_duty=False)
        lea = await stage.join("Léandre")
        marc.writes("/modele Accord\nC'est d'accord.\n{secretaire}")
        await stage.quiet()
        declare(stage, acknowledgement="", answer_minutes=60)
        nora = stage.client()
        nora.user.start(ROUX)
        nora.writes("Par Telegram")
        await stage.mail("Par mail", subject="Question")
        for words in ("Par Telegram", "Par mail"):
            await lea.presses(await lea.sees(words, kind=Menu), Menu, "⋯")
            await lea.presses(await lea.sees(words, kind=Ask), Menu, "Modèles")
            toast = await lea.presses(await lea.sees(words, kind=UseTemplate), UseTemplate, "Accord")
            assert "ne montre pas les noms" in toast
            await lea.presses(await lea.sees("Aperçu", "C'est d'accord.\nDr Hélène Roux", kind=Send), Send)
        await stage.quiet()
        assert [p.text for d in await stage.replies("sent") if isinstance(p := d.payload, Post)] == [
            "C'est d'accord.\nDr Hélène Roux"
        ]
        for secret in ("Léandre", lea.secretary.id, str(lea.secretary.telegram_user_id)):
            assert nora.sees_nothing_of(secret)
            for _, raw in stage.letters.sent:
                letter = message_from_bytes(raw, policy=policy.SMTP)
                parts = [part.get_content() for part in letter.walk() if part.get_content_maintype() == "text"]
                assert secret not in "\n".join([*map(str, letter.items()), *parts])
        assert len(stage.letters.sent) == 2


# ---------------------------------------------------------------- what they answer, and what they change


async def test_the_card_says_which_words_a_client_answers(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start(ROUX)
        first = nora.writes("Lundi à neuf heures ou mardi à dix heures ?")
        nora.writes("Et pour le parking ?")
        above = nora.user.send_text("Celui-là me va", reply_to=first["message_id"], quote="mardi à dix heures")
        card = await lea.sees("Celui-là me va", "↪ répond à : « mardi à dix heures »")
        # What answers the words right above it needs no line for that.
        nora.writes("Vraiment", to=above)
        card = await lea.sees("Vraiment", kind=Close)
        assert card["text"].count("↪ répond à") == 1
        assert await stage.count_conversations() == 1


async def test_an_edit_after_the_answer_is_marked_and_what_it_said_before_is_kept(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea = await stage.join("Léa")
        nora = stage.client()
        nora.user.start(ROUX)
        asked = nora.writes("Jeudi à neuf heures ?")
        lea.writes("Oui.", to=await lea.sees("Jeudi", kind=Close))
        await lea.presses(await lea.sees("Aperçu", kind=Send), Send)
        await nora.sees("Oui.")
        nora.user.edit_text(asked["message_id"], "Vendredi à neuf heures ?")
        await lea.sees("Vendredi à neuf heures", "modifié")
        conversation = await stage.conversation()
        (message, *_) = await stage.store.list(MESSAGES_OF_CONVERSATION, conversation.id)
        assert [r.text for r in message.revisions] == ["Jeudi à neuf heures ?"]


async def test_an_album_is_one_message_on_one_card_that_rings_once(tmp_path: Path) -> None:
    async with Stage(tmp_path / "desk.db") as stage:
        lea, nora = await stage.join("Léa"), stage.client()
        nora.user.start("roux")
        nora.user.send_album([("photo", f"{n}.png", "image/png", drawing()) for n in range(3)], caption="Ma fuite")
        card = await lea.sees("Pour vous", "Ma fuite", kind=Files)
        await stage.quiet()
        card = await lea.sees("Pour vous", "Ma fuite", kind=Files)
        assert any("3" in label for label in labels(card) if "📎" in label)
        assert await stage.said() == ["Ma fuite"]
        assert sum("Pour vous" in text for text in lea.screen) == 1
        lea.writes("Bien reçu", to=card)
        preview = await lea.sees("Aperçu", "Bien reçu", kind=Send)
        assert "J’ai lu" not in " ".join(labels(preview))
        await lea.presses(card, Files)
        assert sum("photo" in m for m in lea.user.messages()) == 3
