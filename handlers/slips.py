"""The telephone message, as it is taken and as it is passed on. Pure, as all screens are."""

from __future__ import annotations

from aiogram.utils.formatting import Bold, Italic, Text

from handlers import callbacks
from handlers.legible import legible, person, shortened
from handlers.views import Screen, Voice, screen_of
from inbox.calls import as_dialled, is_call, is_likely
from inbox.model import Account, Contact, Message, Slip

LONGEST_TAKEN = 3000
"""Units of a telephone message."""


def slip_screen(slip: Slip, account: Account, country: str, *, has_way: bool, voice: Voice) -> Screen:
    """A telephone message before it is passed on."""
    say = voice.say
    content: list[Text | str] = [Bold(f"☎️ {say('call.title', account=account.name)}")]
    for line in _lines(slip, country, voice):
        content += ["\n", line]
    if slip.number and not is_likely(slip.number):
        content += ["\n", Bold(f"⚠️ {say('call.unlikely')}")]
    if slip.ours:
        content += ["\n", f"📞 {say('call.ours')}"]
    elif not has_way:
        content += ["\n", Italic(say("call.no_way"))]
    content += ["\n\n", Italic(say("call.how"))]
    urgent = say("button.call_urgent_off" if slip.urgent else "button.call_urgent")
    ours = say("button.call_theirs" if slip.ours else "button.call_ours")
    passes_on = has_way and not slip.ours
    send = say("button.call_pass_on" if passes_on else "button.call_keep")
    return screen_of(
        Text(*content),
        [
            [callbacks.button(send, callbacks.PassOn(slip=slip.id, seen=slip.version))],
            [
                callbacks.button(urgent, callbacks.MarkCall(slip=slip.id, urgent=not slip.urgent)),
                callbacks.button(ours, callbacks.KeepCall(slip=slip.id, ours=not slip.ours)),
            ],
            [callbacks.button(say("button.discard"), callbacks.DropCall(slip=slip.id))],
        ],
    )


def _lines(slip: Slip, country: str, voice: Voice) -> list[str]:
    say = voice.say
    lines = [say("call.from", caller=slip.caller)] if slip.caller else []
    if slip.number:
        lines.append(say("call.number", number=as_dialled(slip.number, country)))
    if slip.reason:
        lines.append(say("call.reason", reason="") + shortened(legible(slip.reason), 1500))
    if slip.call_back:
        when = voice.when(slip.call_back_at) if slip.call_back_at is not None else slip.call_back
        lines.append(say("call.call_back", when=when))
    if slip.urgent:
        lines.append(say("call.urgent"))
    return lines


def slip_text(slip: Slip, country: str, voice: Voice) -> str:
    """A telephone message in the words of the account it is for."""
    return "\n".join([voice.say("call.message", when=voice.when(slip.created_at)), "", *_lines(slip, country, voice)])


def call_words(message: Message, contact: Contact, country: str, voice: Voice) -> str:
    """What a message says; of a call somebody spoke in, that they did, and who."""
    if message.receipt_id is None or not is_call(message):
        return message.text
    # What the provider wrote says little of who called.
    number = as_dialled(message.author_address, country)
    return voice.say("call.spoken", who=contact.name, number=number, when=voice.when(message.created_at))


def taken_screen(words: str, account: Account, taken_by: str, voice: Voice) -> Screen:
    """A telephone message, as whom it is for reads it in Telegram.

    Args:
        taken_by: who of the desk took it, where the account wants that said.
    """
    content: list[Text | str] = [Bold(f"☎️ {voice.say('taken.title', account=account.name)}"), "\n\n"]
    content.append(shortened(legible(words), LONGEST_TAKEN))
    if taken_by:
        content += ["\n", voice.say("taken.by", name=person(taken_by, 60))]
    content += ["\n\n", Italic(voice.say("taken.how"))]
    return screen_of(Text(*content))


def slip_subject(slip: Slip, country: str, voice: Voice) -> str:
    """What the conversation is called that it becomes."""
    who = person(slip.caller, 60) or as_dialled(slip.number, country)
    about = f" : {shortened(' '.join(slip.reason.split()), 80)}" if slip.reason else ""
    return voice.say("call.subject", who=who) + about
