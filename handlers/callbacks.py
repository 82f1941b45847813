"""The data behind each button: typed, at most 64 octets, safe to press twice, late, or by anyone.

Nothing in it is trusted: whoever handles a press reads the facts again and
asks `inbox` whether this person may.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from aiogram.filters.callback_data import CallbackData

from inbox.model import Draft
from inbox.parts import Button


def button(text: str, data: CallbackData) -> Button:
    """One button of a screen."""
    return Button(text=text, data=data.pack())


def check(shown: Sequence[str]) -> str:
    """Tells whether a list is still the one a button stands for a place of."""
    return hashlib.sha256("\n".join(shown).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def check_draft(draft: Draft) -> str:
    """Tells whether a draft is still the one a preview shows; by no clock, and on a store that comes from a backup."""
    files = [file.path for file in draft.attachments]
    return check([draft.updated_at.isoformat(), draft.text, *files, "", *(draft.recipients or ()), "", *draft.copies])


class Take(CallbackData, prefix="take"):
    """Take a conversation from the queue."""

    conversation: str


class Release(CallbackData, prefix="rel"):
    """Put it back."""

    conversation: str


class Close(CallbackData, prefix="close"):
    """It is done; `seen` is how much of it the card showed."""

    conversation: str
    seen: int


class Show(CallbackData, prefix="show"):
    """A fresh card of it."""

    conversation: str


class Files(CallbackData, prefix="files"):
    """Hand over the attachments of a message."""

    message: str


class Listen(CallbackData, prefix="listen"):
    """Hand over the sounds of a mail, so that they play in the chat."""

    message: str


class Whole(CallbackData, prefix="whole"):
    """Hand over a message whole: its `text`; a mail as a `page` to read, or the `original` as it came."""

    message: str
    form: str


class Place(CallbackData, prefix="place"):
    """Choose, for a request nobody's yet, the account it belongs to: a page of the list."""

    conversation: str
    page: int


class PlaceIn(CallbackData, prefix="in"):
    """Place it in the account at this position of the list; `check` tells a list that has changed since."""

    conversation: str
    position: int
    check: str


class Send(CallbackData, prefix="send"):
    """Send a draft; `seen` is how much of the conversation its preview showed, `check` which words."""

    draft: str
    seen: int
    check: str


class Discard(CallbackData, prefix="drop"):
    """Throw a draft away."""

    draft: str


class Edit(CallbackData, prefix="edit"):
    """Say how a draft is changed."""

    draft: str


class To(CallbackData, prefix="to"):
    """Write to another of those a draft may be for; `check` tells a list that has changed since."""

    draft: str
    position: int
    check: str


class CopyAll(CallbackData, prefix="all"):
    """A copy of a draft to all the answered mail was for."""

    draft: str
    check: str


class Copy(CallbackData, prefix="cc"):
    """A copy of a draft to one of them, or none: pressed twice it changes nothing more."""

    draft: str
    position: int
    wanted: bool
    check: str


class DropFile(CallbackData, prefix="unfile"):
    """Take a file out of a draft."""

    draft: str
    position: int
    check: str


class Undo(CallbackData, prefix="undo"):
    """Take a sent draft back."""

    draft: str


class PreviewMenu(CallbackData, prefix="pm"):
    """Open one of a preview's menus under it; "" is its own buttons."""

    draft: str
    page: str


class SendLater(CallbackData, prefix="slot"):
    """Send a draft at one of the usual moments; `check` is which words its preview showed."""

    draft: str
    until: str
    check: str


class AskAbout(CallbackData, prefix="aska"):
    """Be asked for the moment a draft leaves, or for the word it is returned with."""

    draft: str
    purpose: str


class CallOff(CallbackData, prefix="off"):
    """A draft waits for nothing any more."""

    draft: str


class AskApproval(CallbackData, prefix="appr"):
    """Ask a supervisor to approve a draft; `seen` and `check` as for Send."""

    draft: str
    seen: int
    check: str


class Approve(CallbackData, prefix="ok"):
    """It may leave; `check` is which words were read."""

    draft: str
    check: str


class Approvals(CallbackData, prefix="tobe"):
    """Show what waits for approval."""


class DraftFor(CallbackData, prefix="for"):
    """The words this question replies to are for that conversation."""

    conversation: str


class Decide(CallbackData, prefix="del"):
    """What becomes of a delivery that failed or may have left: again, sent or drop."""

    delivery: str
    verdict: str


class Queue(CallbackData, prefix="queue"):
    """Show the queue."""


class Listing(CallbackData, prefix="q"):
    """Show a page of one view of the queue, in place of the message pressed."""

    view: str
    page: int
    account: str


class Finding(CallbackData, prefix="find"):
    """Show a page of what a search finds, in place of the message pressed."""

    page: int
    query: str


class Next(CallbackData, prefix="next"):
    """Take what has waited longest."""


class Duty(CallbackData, prefix="duty"):
    """Come on duty, or leave."""

    on: bool


class Menu(CallbackData, prefix="menu"):
    """Open one of a card's menus under it; "" is its own buttons."""

    conversation: str
    page: str


class Ask(CallbackData, prefix="ask"):
    """Be asked for the words of a note, for tags, or for a moment."""

    conversation: str
    purpose: str


class Later(CallbackData, prefix="later"):
    """Put it off until one of the usual moments."""

    conversation: str
    until: str


class Wake(CallbackData, prefix="wake"):
    """Have it back now."""

    conversation: str


class Prioritise(CallbackData, prefix="prio"):
    """Say how soon its turn comes."""

    conversation: str
    level: int


class Give(CallbackData, prefix="give"):
    """Hand it to the colleague at this position of the list; `check` tells a list that has changed since."""

    conversation: str
    position: int
    check: str


class Reopen(CallbackData, prefix="reopen"):
    """It is not done after all."""

    conversation: str


class UseTemplate(CallbackData, prefix="tpl"):
    """Put the answer at this position of the list into her draft; `check` tells a list that has changed since."""

    conversation: str
    position: int
    check: str


class ShowTemplate(CallbackData, prefix="stpl"):
    """Show an answer kept ready, or with no id a page of their list."""

    template: str
    page: int


class DropTemplate(CallbackData, prefix="dtpl"):
    """Keep it no longer; `version` is the one that was read."""

    template: str
    seen: int


class Calls(CallbackData, prefix="calls"):
    """A call was for the account at this position of the list; -1: show a page of the accounts it can be for."""

    position: int
    check: str
    page: int


class MarkCall(CallbackData, prefix="mark"):
    """A telephone message is urgent, or not."""

    slip: str
    urgent: bool


class KeepCall(CallbackData, prefix="ours"):
    """The desk calls back, or the account does."""

    slip: str
    ours: bool


class PassOn(CallbackData, prefix="pass"):
    """Pass a telephone message on; `seen` is the version that was read."""

    slip: str
    seen: int


class TellAccount(CallbackData, prefix="tell"):
    """Pass a call on to the account it was for."""

    conversation: str


class DropCall(CallbackData, prefix="uncall"):
    """Throw it away."""

    slip: str


class Answered(CallbackData, prefix="said"):
    """Show a page of what was answered in one's name."""

    page: int


class Ways(CallbackData, prefix="ways"):
    """Messages for oneself come this way from now on; "" shows which it is."""

    way: str


class Digest(CallbackData, prefix="dig"):
    """Be told once a day, at this hour, what it brought; -1: no more."""

    hour: int


class Rota(CallbackData, prefix="rota"):
    """Who is on call for the account at this position of the list; -1 is the list itself, a page of it."""

    position: int
    check: str
    page: int


class NewOnCall(CallbackData, prefix="rotn"):
    """Ask for the days on which this principal of that account is on call; "" is whoever presses."""

    position: int
    check: str
    principal: str


class SetOnCall(CallbackData, prefix="rots"):
    """Do something with days on call: `show`, `ok` or `lift`; `seen` is their version."""

    on_call: str
    act: str
    seen: int


class AlarmSeen(CallbackData, prefix="saw"):
    """Whoever is on call has seen a conversation."""

    conversation: str


class Links(CallbackData, prefix="links"):
    """Show a page of the links of accounts."""

    page: int


class Team(CallbackData, prefix="team"):
    """Show a page of those who answer."""

    page: int


class Review(CallbackData, prefix="read"):
    """A supervisor reads her replies before they leave, or no longer."""

    secretary: str
    on: bool
    page: int


class Merge(CallbackData, prefix="merge"):
    """Make it one with the conversation of this number."""

    conversation: str
    number: int


class Split(CallbackData, prefix="split"):
    """Make this message a conversation of its own, if it is still in the one of this number."""

    message: str
    number: int


class MoveTo(CallbackData, prefix="move"):
    """Move it to the account at this position of the list; `check` tells a list that has changed since."""

    conversation: str
    position: int
    check: str


class JoinContact(CallbackData, prefix="join"):
    """Its contact is the same person as that of the conversation of this number."""

    conversation: str
    number: int


class Prove(CallbackData, prefix="prove"):
    """Have its contact prove another address: sent to the mail address at this place of theirs; -1: ask where to.

    `check` tells a list that has changed since.
    """

    conversation: str
    position: int
    check: str


class TakeOut(CallbackData, prefix="out"):
    """The address at this place of its contact's is somebody else's: asked for, and done once `sure`.

    `check` tells a list that has changed since.
    """

    conversation: str
    position: int
    check: str
    sure: bool


class Speak(CallbackData, prefix="lang"):
    """The language its contact is spoken to in: which of those the desk speaks."""

    conversation: str
    tongue: int


class Person(CallbackData, prefix="who"):
    """Show who its contact is, and what else there was with them."""

    conversation: str


class Bar(CallbackData, prefix="bar"):
    """Block its contact, or no longer."""

    conversation: str
    on: bool


class History(CallbackData, prefix="hist"):
    """Show what happened to it."""

    conversation: str


class WantTopics(CallbackData, prefix="topics"):
    """Have one topic a conversation, or no longer."""

    on: bool


class Instructions(CallbackData, prefix="insl"):
    """What the account at this position of the list wants; -1 is the list itself, a page of it."""

    position: int
    check: str
    page: int


class InstructionsOf(CallbackData, prefix="insc"):
    """What the account of a conversation wants."""

    conversation: str


class NewInstruction(CallbackData, prefix="insn"):
    """Ask for the words of an instruction of that account."""

    position: int
    check: str


class Instruct(CallbackData, prefix="ins"):
    """Do something with an instruction: `show`, `ok`, `lift`, or make it one of a kind; `seen` is its version."""

    instruction: str
    act: str
    seen: int


class Principals(CallbackData, prefix="pril"):
    """Who speaks for the account at this position of the list; -1 is the list itself, a page of it."""

    position: int
    check: str
    page: int


class InvitePrincipal(CallbackData, prefix="prii"):
    """Make a link by which somebody comes to speak for that account."""

    position: int
    check: str


class ChooseBusiness(CallbackData, prefix="bus"):
    """For which of their accounts, at this position of the list, the desk answers in somebody's own Telegram."""

    position: int
    check: str


class Dismiss(CallbackData, prefix="prid"):
    """They speak for it no longer."""

    principal: str
    position: int
    check: str
