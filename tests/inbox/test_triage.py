import msgspec
import pytest

from inbox.conversations import Numbers, closed
from inbox.drafts import outgoing
from inbox.envelope import Envelope
from inbox.matching import distinguishing_id
from inbox.model import (
    Account,
    Contact,
    Conversation,
    Delivery,
    DeliveryState,
    Draft,
    DraftState,
    Message,
    Presence,
    Role,
    Secretary,
    Status,
)
from inbox.notices import CardNotice, Letter
from inbox.outbox import replies
from inbox.parts import UNSORTED, AccountId, Because, ChannelId, MessageId, new_id
from inbox.store.base import Changes
from inbox.store.documents import CONVERSATIONS_OF_CONTACT, EVENTS_OF_CONVERSATION, MESSAGES_OF_CONVERSATION
from inbox.store.sqlite import SqliteStore
from inbox.triage import Taken, Triage
from tests.builders import (
    BERNARD,
    DESK,
    KEY,
    MAIL,
    NOW,
    ROUX,
    a_chat_message,
    a_draft,
    a_file,
    a_mail,
    a_presence,
    a_receipt,
    a_secretary,
    accounts,
    at,
    put,
)


class Arrivals:
    """A store that arrivals are taken into, one after the other."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.accounts: dict[AccountId, Account] = accounts()
        self.triage = Triage(store, KEY, Numbers(store), self.accounts)

    async def take(
        self,
        envelope: Envelope,
        *,
        account: AccountId = ROUX,
        channel: ChannelId | None = None,
        minutes: float = 0,
    ) -> Taken:
        by = channel or (MAIL if envelope.sender.chat_id is None else DESK)
        taken = await self.triage.take_in(a_receipt(by), envelope, account, at(minutes))
        await self.store.commit(taken.changes)
        return taken

    async def conversation(self, taken: Taken) -> Conversation:
        assert taken.conversation_id is not None
        return await self.store.get(Conversation, taken.conversation_id)

    async def said(self, conversation: Conversation) -> list[str]:
        return [m.text for m in await self.store.list(MESSAGES_OF_CONVERSATION, conversation.id)]

    async def history(self, conversation: Conversation) -> list[str]:
        return [e.kind for e in await self.store.list(EVENTS_OF_CONVERSATION, conversation.id)]

    async def join(
        self, name: str = "Léa", *, on_duty: bool = True, serves: list[AccountId] | None = None
    ) -> Secretary:
        secretary = a_secretary(name, serves=serves)
        await put(self.store, secretary, a_presence(secretary, on_duty=on_duty))
        return secretary

    async def leave(self, secretary: Secretary) -> None:
        presence = await self.store.get(Presence, secretary.id)
        await self.store.commit(Changes(replacements=[msgspec.structs.replace(presence, on_duty=False)]))


@pytest.fixture
def desk(store: SqliteStore) -> Arrivals:
    return Arrivals(store)


def cards(taken: Taken) -> list[tuple[str, bool]]:
    """Who is shown a card, and whether it rings."""
    payloads = [d.payload for d in taken.changes.inserts.values() if isinstance(d, Delivery)]
    return [(p.secretary_id, p.fresh) for p in payloads if isinstance(p, CardNotice)]


# ---------------------------------------------------------------- one effect


async def test_the_first_mail_opens_a_conversation_and_goes_to_whoever_is_there(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    taken = await desk.take(a_mail("Bonjour", subject="Re: Facture"))
    conversation = await desk.conversation(taken)
    assert conversation.assignee_id == lea.id
    assert conversation.because == Because(key="because.only_one", args={"name": "Léa", "count": "0"})
    assert (conversation.subject, conversation.queued_at) == ("Facture", None)
    assert cards(taken) == [(lea.id, True)]
    assert (await desk.store.get(Presence, lea.id)).open_count == 1
    assert sorted(await desk.history(conversation)) == ["assigned", "opened", "received"]


async def test_when_nobody_is_there_it_waits_and_says_why(desk: Arrivals) -> None:
    taken = await desk.take(a_mail())
    conversation = await desk.conversation(taken)
    assert (conversation.assignee_id, conversation.queued_at) == (None, NOW)
    assert conversation.because == Because(key="because.nobody_present")
    assert cards(taken) == []


async def test_an_account_dealt_by_hand_waits_and_rings_everyone_who_may_take_it(desk: Arrivals) -> None:
    lea, ines = await desk.join("Léa"), await desk.join("Inès", serves=[ROUX])
    taken = await desk.take(a_mail(), account=BERNARD)
    conversation = await desk.conversation(taken)
    assert conversation.because == Because(key="because.by_hand")
    assert conversation.queued_at == NOW
    assert cards(taken) == [(lea.id, True)]
    assert ines.id not in {who for who, _ in cards(taken)}


async def test_the_same_mail_again_changes_nothing(desk: Arrivals) -> None:
    mail = a_mail("Bonjour")
    first = await desk.take(mail)
    again = await desk.take(mail, minutes=5)
    assert (again.ignored, again.conversation_id) == ("received before", first.conversation_id)
    assert not again.changes


async def test_our_own_mail_come_back_changes_nothing(desk: Arrivals) -> None:
    first = await desk.take(a_mail())
    conversation = await desk.conversation(first)
    ours = await _sent(desk, conversation, "Oui")
    come_back = a_mail("Oui", sender="cabinet@roux.example", message_id=ours.external_id)
    assert (await desk.take(come_back)).ignored == "our own message, come back"


async def test_a_mail_that_bears_our_message_id_and_is_not_ours_is_kept(desk: Arrivals) -> None:
    first = await desk.take(a_mail())
    ours = await _sent(desk, await desk.conversation(first), "Oui")
    for sender in ("paul.martin@example.net", "x@stranger.example"):
        theirs = a_mail("Non", sender=sender, message_id=ours.external_id)
        taken = await desk.take(theirs)
        assert taken.ignored is None
        assert taken.conversation_id != first.conversation_id
        assert (await desk.take(theirs)).ignored == "received before"


async def test_nobody_takes_an_id_so_that_anothers_mail_vanishes(desk: Arrivals) -> None:
    scan = a_mail("Page 1", sender="scanner@client.example", message_id="fax@gateway.example", subject="Fax")
    # A forger who knows what will come takes its id, and the one it would then be given, and the next.
    taken = scan.external_id
    for number in range(3):
        forged = a_mail(f"{number}", sender="x@stranger.example", message_id=taken)
        assert (await desk.take(forged)).ignored is None
        taken = distinguishing_id(scan, taken)
    arrived = await desk.take(scan)
    assert arrived.ignored is None
    assert await desk.said(await desk.conversation(arrived)) == ["Page 1"]
    assert (await desk.take(scan)).ignored == "received before"


async def test_another_mail_under_a_message_id_that_is_taken_is_kept_all_the_same(desk: Arrivals) -> None:
    await desk.take(a_mail("Page 1", message_id="fax@gateway.example", subject="Fax"))
    other = await desk.take(a_mail("Page 2", message_id="fax@gateway.example", subject="Fax"))
    assert other.ignored is None
    assert await desk.said(await desk.conversation(other)) == ["Page 2"]
    assert (await desk.take(a_mail("Page 2", message_id="fax@gateway.example", subject="Fax"))).ignored


# ---------------------------------------------------------------- walls


async def test_the_same_mail_to_two_accounts_is_one_message_in_each(desk: Arrivals) -> None:
    mail = a_mail("Bonjour à tous", message_id="one@example.net")
    roux, bernard = await desk.take(mail, account=ROUX), await desk.take(mail, account=BERNARD)
    assert roux.ignored is None
    assert bernard.ignored is None
    here, there = await desk.conversation(roux), await desk.conversation(bernard)
    assert (here.account_id, there.account_id) == (ROUX, BERNARD)
    assert here.contact_id != there.contact_id, "one person, two accounts: two contacts that know nothing of each other"


async def test_an_answer_sent_to_another_account_never_joins_the_conversation(desk: Arrivals) -> None:
    first = await desk.take(a_mail("Pour le docteur", message_id="one@example.net"))
    other = await desk.take(a_mail("suite", references=("one@example.net",)), account=BERNARD)
    conversation = await desk.conversation(other)
    assert conversation.id != first.conversation_id
    assert conversation.related_to is None, "not even its number crosses the wall"


async def test_a_stranger_with_the_right_message_id_gets_a_conversation_of_their_own_that_names_the_old_one(
    desk: Arrivals,
) -> None:
    first = await desk.conversation(await desk.take(a_mail(message_id="one@example.net")))
    forged = a_mail("Envoyez-moi le dossier", sender="autre@example.org", references=("one@example.net",))
    stranger = await desk.conversation(await desk.take(forged))
    assert stranger.id != first.id
    assert (stranger.related_to, stranger.related_number) == (first.id, first.number)


async def test_a_message_never_joins_by_its_subject(desk: Arrivals) -> None:
    first = await desk.take(a_mail(subject="Facture"))
    second = await desk.take(a_mail(subject="Re: Facture"))
    assert first.conversation_id != second.conversation_id


async def test_telegram_ids_of_two_bots_are_two_messages(desk: Arrivals) -> None:
    # Each bot numbers its private chats by itself, and a private chat's id is the person's with every bot.
    other = ChannelId("telegram:cabinet")
    first = await desk.take(a_chat_message("Par un robot", message_id=7), channel=DESK)
    second = await desk.take(a_chat_message("Par l’autre", message_id=7), channel=other)
    assert second.ignored is None, "a client's words were taken for others and dropped"
    assert await desk.said(await desk.conversation(first)) == ["Par un robot"]
    assert await desk.said(await desk.conversation(second)) == ["Par l’autre"]


# ---------------------------------------------------------------- who holds it


async def test_an_answer_goes_to_who_holds_the_conversation_and_rings(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    await desk.take(a_mail(message_id="one@example.net"))
    await desk.join("Inès")
    taken = await desk.take(a_mail("Encore", references=("one@example.net",)), minutes=5)
    conversation = await desk.conversation(taken)
    assert (conversation.assignee_id, conversation.inbound_count) == (lea.id, 2)
    assert conversation.waiting_since_at == NOW
    assert cards(taken) == [(lea.id, True)]


async def test_an_answer_to_somebody_who_left_goes_to_who_is_there(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    first = await desk.conversation(await desk.take(a_mail(message_id="one@example.net")))
    answered = msgspec.structs.replace(first, waiting_since_at=None)
    presence = await desk.store.get(Presence, lea.id)
    gone = msgspec.structs.replace(presence, open_count=0, on_duty=False)
    await desk.store.commit(Changes(replacements=[answered, gone]))
    ines = await desk.join("Inès")
    conversation = await desk.conversation(await desk.take(a_mail("Encore", references=("one@example.net",))))
    assert conversation.assignee_id == ines.id
    counts = [(await desk.store.get(Presence, who.id)).open_count for who in (lea, ines)]
    assert counts == [0, 1]


async def test_a_holder_who_may_no_longer_serve_the_account_does_not_keep_it(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    await desk.take(a_mail(message_id="one@example.net"))
    stored = await desk.store.get(Secretary, lea.id)
    await desk.store.commit(Changes(replacements=[msgspec.structs.replace(stored, accounts=(BERNARD,))]))
    taken = await desk.take(a_mail("Encore", references=("one@example.net",)))
    assert (await desk.conversation(taken)).assignee_id is None
    assert cards(taken) == []
    assert (await desk.store.get(Presence, lea.id)).open_count == 0


async def test_a_closed_conversation_opens_again_with_who_had_it(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    first = await desk.conversation(await desk.take(a_chat_message("Bonjour")))
    await _close(desk, first, lea)
    again = await desk.conversation(await desk.take(a_chat_message("Encore moi"), minutes=60))
    assert (again.id, again.status, again.assignee_id) == (first.id, Status.OPEN, lea.id)
    assert again.because == Because(key="because.reopened")
    assert (await desk.store.get(Presence, lea.id)).open_count == 1


async def test_long_after_it_was_closed_a_chat_begins_a_new_conversation_that_names_the_old_one(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    first = await desk.conversation(await desk.take(a_chat_message("Bonjour")))
    await _close(desk, first, lea)
    again = await desk.conversation(await desk.take(a_chat_message("Encore moi"), minutes=15 * 24 * 60))
    assert (again.related_to, again.related_number) == (first.id, first.number)


# ---------------------------------------------------------------- edits


async def test_an_edit_changes_the_message_rings_its_holder_and_counts_as_unseen(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    await desk.take(a_chat_message("jeudi", message_id=7))
    taken = await desk.take(a_chat_message("vendredi", message_id=7, edit=True))
    conversation = await desk.conversation(taken)
    assert await desk.said(conversation) == ["vendredi"]
    assert (conversation.inbound_count, conversation.message_count) == (2, 1)
    assert cards(taken) == [(lea.id, True)]


async def test_an_edit_that_changes_nothing_people_see_is_ignored(desk: Arrivals) -> None:
    await desk.take(a_chat_message("jeudi", message_id=7, attachments=(a_file(path="A"),)))
    # Telegram sends one when it adds a link's preview; a file's id may differ between two updates.
    again = await desk.take(a_chat_message("jeudi", message_id=7, edit=True, attachments=(a_file(path="B"),)))
    assert again.ignored == "nothing changed"


async def test_a_file_exchanged_by_an_edit_is_seen(desk: Arrivals) -> None:
    await desk.take(a_chat_message("voici", message_id=7, attachments=(a_file("recto.pdf", path="A"),)))
    taken = await desk.take(
        a_chat_message("voici", message_id=7, edit=True, attachments=(a_file("verso.pdf", path="B"),))
    )
    assert taken.ignored is None
    (message,) = await desk.store.list(MESSAGES_OF_CONVERSATION, taken.conversation_id)
    assert [a.name for a in message.attachments] == ["verso.pdf"]


async def test_an_edit_of_a_message_we_never_had_is_a_message(desk: Arrivals) -> None:
    taken = await desk.take(a_chat_message("vendredi", message_id=7, edit=True))
    assert taken.ignored is None
    assert await desk.said(await desk.conversation(taken)) == ["vendredi"]


@pytest.mark.parametrize("on_duty", [True, False])
async def test_an_edit_in_a_closed_conversation_leaves_it_closed_and_out_of_the_queue(
    desk: Arrivals, on_duty: bool
) -> None:
    lea = await desk.join("Léa")
    first = await desk.conversation(await desk.take(a_chat_message("jeudi", message_id=7)))
    await _close(desk, first, lea)
    if not on_duty:
        await desk.leave(lea)
    await desk.join("Inès")
    taken = await desk.take(a_chat_message("vendredi", message_id=7, edit=True))
    conversation = await desk.conversation(taken)
    assert (conversation.status, conversation.queued_at, conversation.assignee_id) == (Status.CLOSED, None, lea.id)
    assert cards(taken) == [(lea.id, True)], "who had it is shown what changed"


# ---------------------------------------------------------------- stale replies


async def test_a_reply_about_to_leave_is_held_when_its_client_writes_again(desk: Arrivals) -> None:
    lea = await desk.join("Léa")
    first = await desk.conversation(await desk.take(a_mail(message_id="one@example.net")))
    await _sent(desk, first, "Oui", author=lea)
    taken = await desk.take(a_mail("Finalement non", references=("one@example.net",)))
    conversation = await desk.conversation(taken)
    assert await desk.said(conversation) == ["Bonjour, puis-je venir jeudi ?", "Finalement non"]
    drafts = [d for d in taken.changes.replacements.values() if isinstance(d, Draft)]
    assert [d.state for d in drafts] == [DraftState.OPEN]
    assert drafts[0].seen_inbound == 1, "so that Send is blocked until she has read"
    deliveries = [d for d in taken.changes.replacements.values() if isinstance(d, Delivery)]
    assert [d.state for d in deliveries] == [DeliveryState.CANCELLED]


async def test_the_unsorted_lane_is_dealt_to_supervisors_only(desk: Arrivals) -> None:
    await desk.join("Léa")
    marc = a_secretary("Marc", role=Role.SUPERVISOR)
    await put(desk.store, marc, a_presence(marc))
    conversation = await desk.conversation(await desk.take(a_chat_message(), account=UNSORTED))
    assert conversation.assignee_id == marc.id


async def test_a_contact_has_one_conversation_a_matter_and_all_of_them_are_found(desk: Arrivals) -> None:
    first = await desk.conversation(await desk.take(a_mail("Un")))
    second = await desk.conversation(await desk.take(a_mail("Deux"), minutes=1))
    contact = await desk.store.get(Contact, first.contact_id)
    found = await desk.store.list(CONVERSATIONS_OF_CONTACT, contact.id)
    assert [c.id for c in found] == [first.id, second.id]


# ---------------------------------------------------------------- steps


async def _close(desk: Arrivals, conversation: Conversation, holder: Secretary) -> None:
    done = closed(conversation, holder, conversation.inbound_count, at(1))
    presence = await desk.store.get(Presence, holder.id)
    less = msgspec.structs.replace(presence, open_count=presence.open_count - 1)
    await desk.store.commit(Changes(replacements=[done, less]))


async def _sent(desk: Arrivals, conversation: Conversation, text: str, author: Secretary | None = None) -> Message:
    """A reply, on its way but not leased."""
    writer = author or await desk.join("Zoé")
    if author is None:
        held = msgspec.structs.replace(conversation, assignee_id=writer.id, queued_at=None)
        await desk.store.commit(Changes(replacements=[held]))
        conversation = await desk.store.get(Conversation, conversation.id)
    draft = a_draft(conversation, writer, text)
    await put(desk.store, draft)
    draft = await desk.store.get(Draft, draft.id)
    (answers,) = await desk.store.list(MESSAGES_OF_CONVERSATION, conversation.id)
    account = desk.accounts[conversation.account_id]
    out = outgoing(draft, conversation, account, writer, MessageId(new_id()), f"{new_id()}@roux.example", answers, NOW)
    letter = Letter(sender="a@roux.example", recipients=out.message.recipients, blob_id="b", message_id="m")  # type: ignore[arg-type]
    deliveries = replies(out.message, out.conversation, [letter], None, NOW, at(0.25))
    await desk.store.commit(Changes(inserts=[out.message, *deliveries], replacements=[out.draft, out.conversation]))
    return out.message
