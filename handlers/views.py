"""What people see: facts in, text and buttons out. Pure, so every screen is tested without a bot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from aiogram.utils.formatting import BlockQuote, Bold, Italic, Strikethrough, Text

from handlers import callbacks
from handlers.carried import carried
from handlers.desk import Texts
from handlers.expecting import moment
from handlers.legible import (
    legible,
    mixes_alphabets,
    names_another_address,
    one_line,
    person,
    same_name,
    shortened,
    units,
)
from handlers.menus import MORE, PRIORITY_MARKS, event_line, marks, menu_rows
from handlers.outcomes import delivery_state, trouble, undecided
from handlers.standing import ON_A_CARD, card_lines
from inbox.assignment import is_supervisor
from inbox.business import replies_until
from inbox.deadlines import is_late
from inbox.domains import aligned, domain_of
from inbox.lookalikes import looks_like
from inbox.model import (
    Account,
    BusinessConnection,
    Contact,
    Conversation,
    Delivery,
    DeliveryState,
    Direction,
    Draft,
    Event,
    Instruction,
    Message,
    Secretary,
    Status,
    Template,
    Topic,
)
from inbox.notices import FileForm, QueueView
from inbox.particulars import Automatic, Forward, Protection, Verdict, fresh_part
from inbox.parts import (
    PHONE,
    UNSORTED,
    AccountId,
    Attachment,
    AttachmentKind,
    Button,
    ConversationId,
    Entity,
    MessageId,
)

LONGEST = 4096
"""UTF-16 units in one Telegram message. Source: Bot API sendMessage."""

LONGEST_QUOTE = 2600
"""Units of a client's words on a card; the rest is in the files."""

MOST_WRITERS = 3
"""Of those who write on a card, so many are compared with whom they may pretend to be."""

Row = tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class Screen:
    """A message ready to be shown."""

    text: str
    entities: tuple[Entity, ...] = ()
    keyboard: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """In which language, and by which clock, someone is spoken to."""

    texts: Texts
    language: str
    time_zone: str
    now: datetime

    def say(self, key: str, **args: str) -> str:
        """The sentence; no name in it can break its line, or be longer than a screen."""
        return self.texts.say(self.language, key, **{name: one_line(value) for name, value in args.items()})

    def when(self, instant: datetime) -> str:
        return self.texts.when(self.language, self.time_zone, instant, self.now)

    def ahead(self, instant: datetime) -> str:
        """A moment to come, as people say it to each other."""
        return moment(self.texts, self.language, self.time_zone, instant, self.now)


def screen_of(content: Text, keyboard: Sequence[Sequence[Button]] = ()) -> Screen:
    """A message of these words, rows without buttons left out."""
    text, entities = content.render()
    return Screen(
        text=text,
        entities=tuple(Entity(type=e.type, offset=e.offset, length=e.length, url=e.url) for e in entities),
        keyboard=tuple(tuple(row) for row in keyboard if row),
    )


# ---------------------------------------------------------------- card


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All a card shows."""

    viewer: Secretary
    conversation: Conversation
    account: Account
    contact: Contact
    contact_address: str
    channel_icon: str
    holder: Secretary | None
    messages: Sequence[Message]
    """The newest messages, oldest first."""
    replies: Mapping[MessageId, Sequence[Delivery]]
    """The deliveries of each outbound message among them, and of those elsewhere that wait for a decision."""
    message_count: int
    """How many messages there are in all."""
    blocked: bool = False
    """The contact refuses our messages."""
    shared: bool = False
    """It stands in a group, where others read it too."""
    other_ways: Sequence[str] = ()
    """Where else the contact may be reached."""
    known: Sequence[str] = ()
    """Addresses of people who took part in what it refers to: whom a stranger may pretend to be."""
    before: Sequence[Conversation] = ()
    """The contact's newest conversations, this one perhaps among them."""
    matters: int = 0
    """How many conversations there were with the contact, this one included."""
    menu: str = ""
    """Which menu is open under it; "" for its own buttons."""
    receivers: Sequence[Secretary] = ()
    """Whom it can be handed to."""
    templates: Sequence[Template] = ()
    """The answers kept ready for its account."""
    mergeable: Sequence[Conversation] = ()
    """What it can be made one with."""
    places: Sequence[Account] = ()
    """The accounts it can be moved to."""
    instructions: Sequence[Instruction] = ()
    """What its account wants now or soon, the most pressing first."""
    own_telegram: BusinessConnection | None = None
    """Whose own Telegram it is held in."""
    set_aside: Sequence[tuple[Draft, Secretary]] = ()
    """The replies that are ready and wait, each with who wrote it."""
    tells_account: bool = False
    """It is a call that can be passed on to the account."""
    on_call: str = ""
    """A line on who is called for it, or has seen it; "" where nobody was."""


def card(facts: CardFacts, voice: Voice) -> Screen:
    """A conversation as its holder, or whoever may take it, sees it."""
    conversation = facts.conversation
    say = voice.say
    head = [
        Bold(f"#{conversation.number} · {one_line(facts.account.name, 60)}"),
        "\n",
        f"👤 {_who(facts.contact.name, facts.contact_address)} {facts.channel_icon}",
        *_in_whose_telegram(facts, voice),
        *card_lines(facts.instructions, facts.account, voice),
        *_doubts(facts, voice),
        *_background(facts, voice),
    ]
    subject = one_line(conversation.subject, 150)
    if subject and not _is_said(conversation, facts.messages):
        head += ["\n", "📌 ", Bold(subject)]
    if conversation.related_number is not None:
        head += ["\n", say("card.related", number=str(conversation.related_number))]
    if conversation.merged_number is not None:
        head += ["\n", Bold(say("card.merged", number=str(conversation.merged_number)))]
    if marked := marks(conversation, voice):
        head += ["\n", marked]
    head += ["\n", _standing(facts, voice), *_set_aside(facts, voice)]
    if facts.on_call:
        head += ["\n", Bold(facts.on_call)]
    if facts.blocked:
        head += blocked_lines(facts.other_ways, voice)
    tail = trouble(facts.messages, facts.replies, voice)
    budget = LONGEST - 200 - units(Text(*head).render()[0]) - units(Text(*tail).render()[0])
    return screen_of(Text(*head, *_talk(facts, voice, budget), *tail), _card_buttons(facts, voice))


def _in_whose_telegram(facts: CardFacts, voice: Voice) -> list[Text | str]:
    """In whose own Telegram it is answered, and until when it can be."""
    connection = facts.own_telegram
    if connection is None:
        return []
    name = person(connection.name, 60)
    line = f"📲 {voice.say('card.own_telegram', name=name)}"
    until = replies_until(facts.messages)
    if not connection.is_enabled:
        return ["\n", Bold(f"📲 {voice.say('error.business_off', name=name)}")]
    if not connection.may_reply:
        return ["\n", Bold(f"📲 {voice.say('error.business_mute', name=name)}")]
    if facts.conversation.status is Status.CLOSED or until is None:
        return ["\n", line]
    if until <= voice.now:
        return ["\n", Bold(f"📲 {voice.say('error.business_day', name=name)}")]
    return ["\n", f"{line} · {voice.say('card.until', when=voice.ahead(until))}"]


def blocked_lines(other_ways: Sequence[str], voice: Voice) -> list[Text | str]:
    """That nothing arrives any more, and where else the contact may be reached."""
    lines: list[Text | str] = ["\n", Bold(voice.say("card.blocked"))]
    if other_ways:
        lines += ["\n", voice.say("card.other_ways", addresses=", ".join(other_ways[:3]))]
    return lines


def _background(facts: CardFacts, voice: Voice) -> list[Text | str]:
    """What is known of the contact, and what there was with them before, a line each."""
    lines: list[Text | str] = []
    if facts.contact.barred_at is not None:
        lines += ["\n", Bold(f"🚫 {voice.say('card.barred')}")]
    if facts.contact.note:
        lines += ["\n", Italic(f"💡 {shortened(legible(facts.contact.note), 200)}")]
    earlier = [c for c in facts.before if c.id != facts.conversation.id]
    if earlier:
        when = voice.when(earlier[0].last_message_at)
        lines += [
            "\n",
            f"🗂 {voice.say('card.matters', count=str(facts.matters - 1), number=str(earlier[0].number), when=when)}",
        ]
    return lines


def _set_aside(facts: CardFacts, voice: Voice) -> list[Text | str]:
    """The replies that are ready and wait, a line each."""
    lines: list[Text | str] = []
    for draft, author in facts.set_aside[:3]:
        name = person(author.name, 60)
        if draft.send_at is not None:
            lines += ["\n", f"📅 {voice.say('card.scheduled', name=name, when=voice.ahead(draft.send_at))}"]
        elif draft.asked_at is not None:
            lines += ["\n", f"🖋 {voice.say('card.asked', name=name, when=voice.when(draft.asked_at))}"]
    return lines


def _is_said(conversation: Conversation, messages: Sequence[Message]) -> bool:
    """Whether the subject is only the first words of a message the card shows anyway."""
    first_words = conversation.subject.rstrip("…")
    return any(m.text.strip().startswith(first_words) for m in messages)


def _who(name: str, address: str) -> str:
    name, address = person(name, 80), one_line(address, 100)
    if not name:
        return address or "?"
    return name if not address or address == name else f"{name} ({address})"


def _doubts(facts: CardFacts, voice: Voice) -> list[Text | str]:
    """What about a name or an address may be meant to deceive, as far as that is certain."""
    name, address, account = facts.contact.name, facts.contact_address, facts.account
    doubts = []
    if mixes_alphabets(name) or mixes_alphabets(address):
        doubts.append("card.mixed_alphabets")
    if names_another_address(name, address):
        doubts.append("card.another_address")
    ours = account.identity.from_address or ""
    if address != ours and (same_name(name, account.identity.display_name) or same_name(name, account.name)):
        doubts.append("card.our_name")
    lines = [voice.say(doubt) for doubt in doubts]
    lines += [
        voice.say("card.looks_like", address=writer, known=imitated)
        for writer in _writers(facts)[:MOST_WRITERS]
        if (imitated := _imitated(writer, facts)) is not None
    ]
    return [part for line in lines for part in ("\n", Bold(f"⚠️ {line}"))]


def _writers(facts: CardFacts) -> list[str]:
    """Who writes in what the card shows, the contact first."""
    wrote = [m.author_address for m in facts.messages if m.direction is Direction.INBOUND]
    return [writer for writer in dict.fromkeys((facts.contact_address, *wrote)) if writer]


def _imitated(writer: str, facts: CardFacts) -> str | None:
    """Whom a writer may pretend to be: of two that look alike, it is the later one that pretends."""
    people = list(facts.conversation.participants)
    before = people[: people.index(writer)] if writer in people else people
    account = facts.account
    ours = [each for each in (account.identity.from_address or "", *account.addresses) if each]
    return looks_like(writer, (*before, *facts.known), ours)


def _standing(facts: CardFacts, voice: Voice) -> str:
    """Where it stands, and why."""
    conversation = facts.conversation
    because = conversation.because
    reason = voice.say(because.key, **because.args) if because else ""
    if conversation.status is Status.CLOSED:
        return f"✔️ {voice.say('card.closed')}{f' — {reason}' if conversation.merged_into else ''}"
    if conversation.status is Status.SNOOZED and conversation.snoozed_until_at is not None:
        line = f"😴 {voice.say('card.snoozed', when=voice.when(conversation.snoozed_until_at))}"
    elif facts.holder is None:
        line = f"📥 {voice.say('card.queued')}"
    elif facts.holder.id == facts.viewer.id and not facts.shared:
        line = f"🟢 {voice.say('card.yours')}"
    else:
        line = f"🔒 {voice.say('card.held_by', name=one_line(facts.holder.name, 60))}"
    if reason:
        line += f" — {reason}"
    if conversation.waiting_since_at is not None:
        line += f"\n⏳ {voice.say('card.waiting_since', when=voice.when(conversation.waiting_since_at))}"
        if deadline := _deadline(conversation, voice):
            line += f" · {deadline}"
    elif not undecided(facts.replies):
        line += f"\n✓ {voice.say('card.answered' if conversation.inbound_count else 'card.machines_only')}"
    return line


def _deadline(conversation: Conversation, voice: Voice) -> str:
    """By when it is to be answered, or since when that is past; "" where nothing is promised."""
    by = conversation.answer_by_at
    if by is None:
        return ""
    late = is_late(conversation, voice.now)
    return f"⏰ {voice.say('card.late', when=voice.when(by))}" if late else voice.say("card.due", when=voice.when(by))


def _talk(facts: CardFacts, voice: Voice, budget: int) -> list[Text | str]:
    """The newest messages that fit, oldest first, shortened if they must be."""
    blocks: list[list[Text | str]] = []
    left = budget
    for message in reversed(facts.messages):
        block = _said(message, facts, voice, min(left, LONGEST_QUOTE))
        blocks.append(block)
        left -= units(Text(*block).render()[0])
        if left < 300:
            break
    shown: list[Text | str] = []
    if (older := facts.message_count - len(blocks)) > 0:
        shown += ["\n\n", Italic(voice.say("card.older", count=str(older)))]
    for block in reversed(blocks):
        shown += block
    return shown


def _said(message: Message, facts: CardFacts, voice: Voice, most: int) -> list[Text | str]:
    if message.direction is Direction.NOTE:
        return _noted(message, voice, most)
    outward = message.direction is Direction.OUTBOUND
    arrow = "↩️" if outward else "💬"
    # Whoever else writes in it is told by their address: a name says nothing about who they are.
    address = "" if outward or message.author_id == facts.conversation.contact_id else message.author_address
    head = f"{arrow} {_who(message.author_name, address)} · {voice.when(message.created_at)}"
    if message.particulars.automatic is not None:
        head += f" · {voice.say(_WRITTEN_BY[message.particulars.automatic])}"
    if message.revisions:
        head += f" · {voice.say('card.edited')}"
    if message.deleted_at is not None:
        head += f" · 🗑 {voice.say('card.withdrawn', when=voice.when(message.deleted_at))}"
    elif message.withdrawn:
        head += f" · 🗑 {voice.say('card.withdrawn_in_part')}"
    deliveries = facts.replies.get(message.id, ())
    if outward and deliveries:  # what somebody we work for said themselves has none
        head += f" · {delivery_state(deliveries, voice)}"
    said: list[Text | str] = ["\n\n", Italic(head), *_origin(message, voice), *_answered(message, facts, voice)]
    rest = file_lines(message.attachments, voice, most // 2)
    for line in reversed(carried(message, voice)):
        rest = ["\n", shortened(line, 400), *rest]
    if message.truncated:
        rest = ["\n", Italic(voice.say("card.truncated")), *rest]
    room = max(most - 1 - units(Text(*said, *rest).render()[0]), 1)
    if message.deleted_at is not None:
        struck = shortened(legible(message.text), room)
        words: list[Text | str] = ["\n", BlockQuote(Strikethrough(struck))] if struck else []
        return said + words + rest
    if outward:
        text = shortened(legible(message.text), room)
        return [*said, *(["\n", text] if text else []), *rest]
    if message.particulars.forwards:
        return said + _handed_on(message, message.particulars.forwards[0], voice, room) + rest
    if message.particulars.fresh:
        rest = ["\n", Italic(voice.say("card.collapsed")), *rest]
        room = max(most - 1 - units(Text(*said, *rest).render()[0]), 1)
    return said + _set_apart(_own_words(message), room) + rest


def _answered(message: Message, facts: CardFacts, voice: Voice) -> list[Text | str]:
    """Which words a message answers; nothing where it answers the one that stands above it."""
    if not message.quotes:
        return []
    above = [m for m in facts.messages if m.position == message.position - 1]
    if above and above[0].text == message.quotes:
        return []
    return ["\n", Italic(voice.say("card.answers", words=shortened(one_line(message.quotes, 160), 120)))]


def _noted(note: Message, voice: Voice, most: int) -> list[Text | str]:
    """What somebody of the desk noted: nobody else ever sees it."""
    head = Italic(f"📝 {voice.say('card.note', name=person(note.author_name, 60))} · {voice.when(note.created_at)}")
    return ["\n\n", head, "\n", shortened(legible(note.text), max(most - units(Text(head).render()[0]) - 3, 1))]


def heard(message: Message, voice: Voice, most: int) -> list[Text | str]:
    """What somebody said, above a draft; struck where they took it back."""
    head = person(message.author_name, 60) or "?"
    if message.deleted_at is not None:
        head += f" · 🗑 {voice.say('card.withdrawn', when=voice.when(message.deleted_at))}"
    lines: list[Text | str] = ["\n💬 ", Italic(head)]
    if text := shortened(legible(_own_words(message)), most):
        lines += ["\n", BlockQuote(text if message.deleted_at is None else Strikethrough(text))]
    return lines


def _own_words(message: Message) -> str:
    """What its author wrote now, without what they quote."""
    return fresh_part(message.text, message.particulars.fresh) if message.particulars.fresh else message.text


def _set_apart(text: str, room: int) -> list[Text | str]:
    """Somebody else's words. Telegram itself marks them: no line of theirs can be taken for one of ours."""
    words = shortened(legible(text), max(room, 1))
    return ["\n", BlockQuote(words)] if words else []


def _handed_on(message: Message, forward: Forward, voice: Voice, room: int) -> list[Text | str]:
    """What whoever hands a mail on says to it, who first wrote it, and what it said."""
    # What is quoted in its text follows the words that are new; a mail attached whole stands apart from them all.
    own = _own_words(message) if forward.path else fresh_part(message.text, message.particulars.fresh)
    words = _set_apart(own, room // 2)
    head = f"↪️ {voice.say('card.forwarded', who=_who(forward.name, forward.address))}"
    if forward.written_at is not None:
        head += f" · {voice.when(forward.written_at)}"
    words += ["\n", Italic(head)]
    return words + _set_apart(forward.text, room - units(Text(*words).render()[0]) - 1)


_WRITTEN_BY = {
    Automatic.REPLY: "card.automatic",
    Automatic.NOTICE: "card.notice",
    Automatic.BOUNCE: "card.bounce",
}


def _origin(message: Message, voice: Voice) -> list[Text | str]:
    """What about a message's origin its reader must know before its words; of most there is nothing to say."""
    known = message.particulars
    lines: list[Text | str] = []
    if known.trust is not None and known.trust.verdict is Verdict.FORGED:
        lines += ["\n", Bold(f"⛔ {voice.say('card.forged')}")]
    elif known.trust is not None and known.trust.verdict is Verdict.UNVERIFIED and known.automatic is None:
        lines += ["\n", Italic(f"⚠️ {voice.say('card.unverified')}")]
    if elsewhere := leads_elsewhere(message):
        lines += ["\n", Italic(f"↪️ {voice.say('card.answers_elsewhere', address=elsewhere)}")]
    return lines


def leads_elsewhere(message: Message) -> str:
    """Where answers to it go, when that is not where it says it is from, nor another address there; "" otherwise."""
    if message.direction is not Direction.INBOUND or not message.reply_to or not message.author_address:
        return ""
    there, here = domain_of(message.reply_to), domain_of(message.author_address)
    return "" if aligned(there, here) else message.reply_to


def file_lines(attachments: Sequence[Attachment], voice: Voice, most: int) -> list[Text | str]:
    """A line a file, as many as fit, and how many there are besides."""
    lines: list[Text | str] = []
    left = most
    for shown, attachment in enumerate(attachments):
        line = f"\n{_icon(attachment)} {_file(attachment, voice)}"
        left -= units(line)
        if left < 100:
            return [*lines, "\n", Italic(voice.say("card.more_files", count=str(len(attachments) - shown)))]
        lines.append(line)
    return lines


def _icon(attachment: Attachment) -> str:
    icons = {
        AttachmentKind.PHOTO: "🖼",
        AttachmentKind.VOICE: "🎤",
        AttachmentKind.AUDIO: "🎵",
        AttachmentKind.VIDEO: "🎬",
    }
    return icons.get(attachment.kind, "📎")


def _file(attachment: Attachment, voice: Voice) -> str:
    name = one_line(attachment.name, 80)
    length = [f"{attachment.seconds // 60}:{attachment.seconds % 60:02}"] if attachment.seconds else []
    size = [voice.texts.size(voice.language, attachment.size)] if attachment.size else []
    return f"{name} ({' · '.join(length + size)})" if length or size else name


def is_sound(attachment: Attachment) -> bool:
    """Whether it can be listened to."""
    return attachment.kind in (AttachmentKind.VOICE, AttachmentKind.AUDIO)


def caption(conversation: Conversation, attachment: Attachment) -> str:
    """What stands under a sound: whose it is, and its name."""
    return f"#{conversation.number} · {one_line(attachment.name, 80)}"


def _card_buttons(facts: CardFacts, voice: Voice) -> list[list[Button]]:
    if facts.menu:
        return menu_rows(facts, voice)
    conversation, say = facts.conversation, voice.say
    target = conversation.id
    rows: list[list[Button]] = []
    mine = facts.holder is not None and facts.holder.id == facts.viewer.id
    for delivery in undecided(facts.replies)[:3] if mine or is_supervisor(facts.viewer) else []:
        row = [callbacks.button(say("button.send_again"), callbacks.Decide(delivery=delivery.id, verdict="again"))]
        if delivery.state is DeliveryState.UNKNOWN:
            row.append(
                callbacks.button(say("button.it_arrived"), callbacks.Decide(delivery=delivery.id, verdict="sent"))
            )
        row.append(callbacks.button(say("button.give_up"), callbacks.Decide(delivery=delivery.id, verdict="drop")))
        rows.append(row)
    if conversation.account_id == UNSORTED and conversation.status is not Status.CLOSED:
        rows.append([callbacks.button(say("button.place"), callbacks.Place(conversation=target, page=0))])
    if conversation.status is Status.CLOSED:
        rows.append([callbacks.button(say("button.reopen"), callbacks.Reopen(conversation=target))])
    elif conversation.status is Status.SNOOZED:
        if mine or is_supervisor(facts.viewer):
            rows.append([callbacks.button(say("button.wake"), callbacks.Wake(conversation=target))])
    elif facts.holder is None:
        rows.append([callbacks.button(say("button.take"), callbacks.Take(conversation=target))])
    elif mine:
        rows.append(
            [
                callbacks.button(say("button.release"), callbacks.Release(conversation=target)),
                callbacks.button(
                    say("button.close"), callbacks.Close(conversation=target, seen=conversation.inbound_count)
                ),
            ]
        )
    elif is_supervisor(facts.viewer):
        rows.append([callbacks.button(say("button.release"), callbacks.Release(conversation=target))])
    if len(facts.instructions) > ON_A_CARD:
        rows.append([callbacks.button(say("button.instructions"), callbacks.InstructionsOf(conversation=target))])
    if mine and conversation.channel_id == PHONE and facts.tells_account:
        rows.append([callbacks.button(say("button.tell_account"), callbacks.TellAccount(conversation=target))])
    for draft, author in facts.set_aside[:3]:
        if author.id != facts.viewer.id and (mine or is_supervisor(facts.viewer)):
            off = say("button.call_off_of", name=person(author.name, 30))
            rows.append([callbacks.button(off, callbacks.CallOff(draft=draft.id))])
    whole = [m for m in facts.messages if _is_worth_opening(m, facts)]
    if whole:
        page = callbacks.Whole(message=whole[-1].id, form=FileForm.PAGE)
        original = callbacks.Whole(message=whole[-1].id, form=FileForm.ORIGINAL)
        rows.append([callbacks.button(say("button.page"), page), callbacks.button(say("button.original"), original)])
    in_part = [m for m in facts.messages if _is_shown_in_part(m) and m not in whole[-1:]]
    if in_part:
        text = callbacks.Whole(message=in_part[-1].id, form=FileForm.TEXT)
        rows.append([callbacks.button(say("button.text"), text)])
    # What a client says in Telegram plays as it is: the files are enough.
    spoken = [m for m in facts.messages if _is_spoken(m) and conversation.chat_id is None]
    if spoken:
        count = str(sum(map(is_sound, spoken[-1].attachments)))
        rows.append([callbacks.button(say("button.listen", count=count), callbacks.Listen(message=spoken[-1].id))])
    with_files = [m for m in facts.messages if m.attachments]
    if with_files:
        count = str(len(with_files[-1].attachments))
        rows.append([callbacks.button(say("button.files", count=count), callbacks.Files(message=with_files[-1].id))])
    return [*rows, [callbacks.button(say("button.more"), callbacks.Menu(conversation=target, page=MORE))]]


def _is_spoken(message: Message) -> bool:
    return message.direction is Direction.INBOUND and any(map(is_sound, message.attachments))


def _is_worth_opening(message: Message, facts: CardFacts) -> bool:
    """Whether there is more to a mail than the card shows."""
    is_mail = message.direction is Direction.INBOUND and facts.conversation.chat_id is None
    known = message.particulars
    locked = known.protection in (Protection.ENCRYPTED_PGP, Protection.ENCRYPTED_SMIME)
    return is_mail and message.blob_id is not None and (known.is_rich or message.truncated or locked)


def _is_shown_in_part(message: Message) -> bool:
    """Whether a message says in words more than a card shows of them."""
    hides = bool(message.particulars.fresh) or units(message.text) > LONGEST_QUOTE - 500
    return message.direction is Direction.INBOUND and hides


def whole_text(message: Message, voice: Voice) -> Screen | None:
    """All that a message says; None where Telegram does not show that much at once."""
    if len(message.text) > LONGEST:
        return None
    head = f"💬 {_who(message.author_name, message.author_address)} · {voice.when(message.created_at)}"
    screen = screen_of(Text(Italic(head), *_set_apart(message.text, LONGEST)))
    return screen if units(screen.text) <= LONGEST else None


_FORMS = {
    FileForm.PAGE: (".html", "text/html"),
    FileForm.ORIGINAL: (".eml", "message/rfc822"),
    FileForm.TEXT: (".txt", "text/plain"),
}


def whole_mail(message: Message, form: FileForm, size: int) -> Attachment:
    """The file a message is handed over as."""
    ending, media_type = _FORMS[form]
    # What no file system takes, and the dot that would hide it.
    name = re.sub(r'[/\\:*?"<>|]+', "_", one_line(message.subject, 80)).strip(". ") or "mail"
    return Attachment(name=name + ending, media_type=media_type, size=size, path="")


def superseded_card(conversation: Conversation, voice: Voice) -> Screen:
    """What is left of a card once a newer one stands further down."""
    return screen_of(Text(Italic(voice.say("card.superseded", number=str(conversation.number)))))


def left_of_card(facts: CardFacts, voice: Voice, topic: Topic) -> Screen | None:
    """What stays where a card stood in a conversation's topic: what it had told; None where that was nothing.

    So the topic reads from above as it came, and her buttons are below.
    """
    told = [m for m in facts.messages if topic.told_position < m.position <= topic.card_position]
    said = [m for m in told if m.direction is not Direction.OUTBOUND or m.author_id != facts.viewer.id]
    if not said:
        return None
    alone = replace(facts, messages=said, message_count=len(said))
    head = Italic(f"#{facts.conversation.number}")
    return screen_of(Text(head, *_talk(alone, voice, LONGEST - 200)))


# ---------------------------------------------------------------- queue


@dataclass(frozen=True, slots=True)
class Morning:
    """What a day holds for a secretary when she comes, by moment."""

    coming_back: Sequence[Conversation]
    """What she put off until today."""
    leaving: Sequence[tuple[Draft, Conversation]]
    """The replies of hers that leave by themselves today."""


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """All the queue shows."""

    viewer: Secretary
    on_duty: bool
    waiting: Sequence[Conversation]
    """What nobody holds, longest waiting first."""
    waiting_count: int
    mine: Sequence[Conversation]
    account_names: Mapping[AccountId, str]
    contact_names: Mapping[str, str]
    unread: Set[ConversationId] = frozenset()
    """Those of both that the viewer was not shown yet, or not whole."""
    late_count: int = 0
    """How many in her accounts should have been answered by now."""
    asked_count: int = 0
    """Replies that wait for the viewer's approval."""
    morning: Morning | None = None
    """What her day holds, where it begins."""


def queue(facts: QueueFacts, voice: Voice) -> Screen:
    """What waits and what the viewer holds, each one press away."""
    say = voice.say
    content = [*_morning(facts, voice), Bold(say("queue.title", count=str(facts.waiting_count)))]
    if not facts.on_duty:
        content += ["\n", say("queue.off_duty")]
    if not facts.waiting:
        content += ["\n", say("queue.empty")]
    room = LONGEST - 300 - units(Text(*content).render()[0])
    waiting = _fitting([_queue_entry(c, facts, voice, why=True) for c in facts.waiting], room * 6 // 10)
    content += [part for entry in waiting for part in entry]
    if facts.waiting_count > len(waiting):
        content += ["\n", say("queue.more", count=str(facts.waiting_count - len(waiting)))]
    content += ["\n\n", Bold(say("queue.mine", count=str(len(facts.mine))))]
    if new := sum(1 for c in facts.mine if c.id in facts.unread):
        content.append(f" · {UNREAD} {say('list.unread', count=str(new))}")
    mine = _fitting([_queue_entry(c, facts, voice, why=False) for c in facts.mine], room * 4 // 10)
    content += [part for entry in mine for part in entry]
    if len(facts.mine) > len(mine):
        content += ["\n", say("queue.more", count=str(len(facts.mine) - len(mine)))]
    buttons = [
        callbacks.button(f"#{c.number}", callbacks.Show(conversation=c.id))
        for c in (*facts.waiting[:8], *facts.mine[:8])
    ]
    keyboard = [buttons[i : i + 4] for i in range(0, len(buttons), 4)]
    first = [callbacks.button(say("button.next"), callbacks.Next())] if facts.waiting and facts.on_duty else []
    duty = callbacks.button(
        say("button.leave" if facts.on_duty else "button.come"), callbacks.Duty(on=not facts.on_duty)
    )
    lists = [
        callbacks.button(say("button.list_waiting"), callbacks.Listing(view=QueueView.WAITING, page=0, account="")),
        callbacks.button(say("button.list_mine"), callbacks.Listing(view=QueueView.MINE, page=0, account="")),
        callbacks.button(say("button.list_accounts"), callbacks.Listing(view=QueueView.ACCOUNTS, page=0, account="")),
    ]
    late = say("button.list_late", count=str(facts.late_count))
    overdue = [callbacks.button(late, callbacks.Listing(view=QueueView.LATE, page=0, account=""))]
    refresh = callbacks.button(say("button.refresh"), callbacks.Queue())
    asked = say("button.asked", count=str(facts.asked_count))
    to_read = [callbacks.button(asked, callbacks.Approvals())] if facts.asked_count else []
    return screen_of(
        Text(*content), [first, to_read, *keyboard, overdue if facts.late_count else [], lists, [refresh, duty]]
    )


def _morning(facts: QueueFacts, voice: Voice) -> list[Text | str]:
    """Her day, a line each, above the queue."""
    if facts.morning is None:
        return []
    say, lines = voice.say, [voice.say("morning.hello", name=facts.viewer.name)]
    for each in facts.morning.coming_back[:MOST_OF_A_DAY]:
        when = voice.when(each.snoozed_until_at) if each.snoozed_until_at is not None else ""
        lines.append(f"😴 {say('morning.comes_back', when=when, number=str(each.number), subject=each.subject)}")
    for draft, each in facts.morning.leaving[:MOST_OF_A_DAY]:
        when = voice.when(draft.send_at) if draft.send_at is not None else ""
        lines.append(f"📅 {say('morning.leaves', when=when, number=str(each.number), subject=each.subject)}")
    if facts.asked_count:
        lines.append(f"🖋 {say('morning.asked', count=str(facts.asked_count))}")
    return ["\n".join(shortened(line, 150) for line in lines), "\n\n"]


MOST_OF_A_DAY = 6
UNREAD = "🆕"


def entry_line(conversation: Conversation, account: str, contact: str, voice: Voice, *, unread: bool) -> str:
    """A conversation in one line of a list; marked where something in it was not read yet."""
    waiting = conversation.waiting_since_at
    mark = f"⏳ {voice.when(waiting)}" if waiting is not None else "✓"
    if deadline := _deadline(conversation, voice):
        mark = f"{mark} · {deadline}"
    if conversation.snoozed_until_at is not None:
        mark = f"😴 {voice.when(conversation.snoozed_until_at)}"
    names = " · ".join(filter(None, (one_line(account, 40), person(contact, 40) or "?")))
    urgency = PRIORITY_MARKS[conversation.priority]
    new = f"{UNREAD} " if unread else ""
    return f"\n{new}{urgency}#{conversation.number} · {names} · {person(conversation.subject, 50)} · {mark}"


def _queue_entry(conversation: Conversation, facts: QueueFacts, voice: Voice, *, why: bool) -> list[Text | str]:
    account = facts.account_names.get(conversation.account_id, conversation.account_id)
    contact = facts.contact_names.get(conversation.contact_id, "")
    line = entry_line(conversation, account, contact, voice, unread=conversation.id in facts.unread)
    if conversation.because is None or not why:
        return [line]
    return [line, "\n   ", Italic(voice.say(conversation.because.key, **conversation.because.args))]


def _fitting(entries: Sequence[list[Text | str]], room: int) -> list[list[Text | str]]:
    """The first of the entries, as many as there is room for."""
    fitting: list[list[Text | str]] = []
    for entry in entries:
        room -= units(Text(*entry).render()[0])
        if room < 0:
            break
        fitting.append(entry)
    return fitting


def history(conversation: Conversation, events: Sequence[Event], people: Sequence[Secretary], voice: Voice) -> Screen:
    """What happened to a conversation, the newest lines of it, oldest first."""
    title = Bold(voice.say("history.title", number=str(conversation.number)))
    names: dict[str, str] = {each.id: each.name for each in people}
    lines: list[list[Text | str]] = [
        [f"\n{voice.when(event.at)} · {event_line(event, names, voice)}"] for event in reversed(events)
    ]
    shown = _fitting(lines, LONGEST - 200 - units(Text(title).render()[0]))
    return screen_of(Text(title, *(part for line in reversed(shown) for part in line)))


# ---------------------------------------------------------------- questions


def choose_conversation(conversations: Sequence[Conversation], names: Mapping[str, str]) -> tuple[Row, ...]:
    """Buttons that ask which conversation some words are for."""
    return tuple(
        (
            callbacks.button(
                f"#{c.number} · {person(names.get(c.contact_id, ''), 30) or '?'} · {person(c.subject, 30)}",
                callbacks.DraftFor(conversation=c.id),
            ),
        )
        for c in conversations[:10]
    )


PLACES_A_PAGE = 8


def place_buttons(conversation: Conversation, accounts: Sequence[Account], check: str, page: int) -> tuple[Row, ...]:
    """The accounts a request can be placed in, eight a page."""
    start = page * PLACES_A_PAGE
    rows: list[Row] = [
        (
            callbacks.button(
                one_line(account.name, 50),
                callbacks.PlaceIn(conversation=conversation.id, position=start + i, check=check),
            ),
        )
        for i, account in enumerate(accounts[start : start + PLACES_A_PAGE])
    ]
    turn: list[Button] = []
    if page > 0:
        turn.append(callbacks.button("◀", callbacks.Place(conversation=conversation.id, page=page - 1)))
    if start + PLACES_A_PAGE < len(accounts):
        turn.append(callbacks.button("▶", callbacks.Place(conversation=conversation.id, page=page + 1)))
    return (*rows, tuple(turn)) if turn else tuple(rows)
