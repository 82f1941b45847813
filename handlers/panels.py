"""What concerns no single conversation: the queue, lists, searches, telephone messages, instructions, people.

Rendered from the newest facts at the moment it is handed over, in place of
the message it was asked from where that can still be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

from channels.base import Chat, ChatMessage
from channels.errors import PermanentFailure
from handlers import colleagues as team
from handlers import views
from handlers.answered import answers_screen
from handlers.asked import Spot, show_at, spot_for
from handlers.callbacks import Calls, Instructions, Principals, Rota, check
from handlers.calls import answered_accounts
from handlers.colleagues import Member, TeamFacts
from handlers.desk import Desk
from handlers.drafts import message_key
from handlers.findings import FindingFacts, findings
from handlers.instructed import Place, instruction_screen, instructions_screen, principals_screen, which_account
from handlers.instructions import spoken_for
from handlers.listing import ON_A_PAGE, ListFacts, listing
from handlers.queue import count_late, count_queued, list_late, list_queued
from handlers.ready import template_screen, templates_screen
from handlers.rota import on_call_screen, rota_screen
from handlers.slips import slip_screen
from handlers.topics import Put
from handlers.unread import unread, unread_of_hers
from handlers.views import QueueFacts, Screen, Voice
from handlers.ways import ways_screen
from inbox.answered import list_answers
from inbox.approval import list_team
from inbox.assignment import is_supervisor, may_serve
from inbox.instructions import Giver, list_standing
from inbox.invitations import deep_link_payload
from inbox.model import (
    Account,
    Contact,
    Conversation,
    Delivery,
    Instruction,
    OnCall,
    Presence,
    Principal,
    PrincipalInvitation,
    Secretary,
    Shown,
    ShownKind,
    Slip,
    Status,
    Template,
)
from inbox.notices import (
    AnsweredNotice,
    CallsNotice,
    InstructionNotice,
    InstructionsNotice,
    LinksNotice,
    OnCallNotice,
    PrincipalsNotice,
    QueueNotice,
    QueueView,
    RotaNotice,
    SearchNotice,
    SlipNotice,
    TeamNotice,
    TemplatesNotice,
    WaysNotice,
)
from inbox.on_call import list_rota
from inbox.parts import AccountId, SecretaryId, new_id
from inbox.passing import routes_to
from inbox.principals import list_principals, token_of
from inbox.search import search
from inbox.set_aside import list_asked
from inbox.store.base import Changes
from inbox.store.documents import (
    CONVERSATIONS_HELD,
    CONVERSATIONS_OF_ACCOUNT,
    CONVERSATIONS_QUEUED,
    DRAFTS_SCHEDULED,
    SHOWN_BY_MESSAGE,
)
from inbox.templates import list_shelf

ON_THE_QUEUE = 10
"""Waiting requests the queue lists."""

Panel = (
    QueueNotice
    | SearchNotice
    | TemplatesNotice
    | SlipNotice
    | CallsNotice
    | InstructionsNotice
    | InstructionNotice
    | PrincipalsNotice
    | LinksNotice
    | AnsweredNotice
    | WaysNotice
    | RotaNotice
    | OnCallNotice
    | TeamNotice
)

_KINDS = {Slip: ShownKind.SLIP, Instruction: ShownKind.INSTRUCTION, OnCall: ShownKind.ON_CALL}


class Panels:
    """Shows them."""

    def __init__(self, desk: Desk, chat: Callable[[Delivery], Chat]) -> None:
        """Begin.

        Args:
            chat: asked for last, once everything is read (see `Handover._require_lease`).
        """
        self._desk = desk
        self._chat = chat

    async def show(self, delivery: Delivery, payload: Panel) -> tuple[str, Changes]:
        """Show one; what the other side calls it, and what to commit beside that."""
        match payload:
            case QueueNotice():
                return await self._queue(delivery, payload)
            case SearchNotice():
                return await self._search(delivery, payload)
            case TemplatesNotice():
                return await self._templates(delivery, payload)
            case SlipNotice():
                return await self._slip(delivery, payload)
            case CallsNotice():
                return await self._calls(delivery, payload)
            case InstructionsNotice():
                return await self._instructions(delivery, payload)
            case InstructionNotice():
                return await self._instruction(delivery, payload)
            case PrincipalsNotice():
                return await self._principals(delivery, payload)
            case LinksNotice():
                return await self._links(delivery, payload)
            case AnsweredNotice():
                return await self._answered(delivery, payload)
            case WaysNotice():
                return await self._ways(delivery, payload)
            case RotaNotice():
                return await self._rota(delivery, payload)
            case OnCallNotice():
                return await self._said_on_call(delivery, payload)
            case TeamNotice():
                return await self._team(delivery, payload)

    def _voice(self, person: Giver) -> Voice:
        return Voice(self._desk.texts, person.language, self._desk.time_zone, self._desk.clock())

    async def _in_place(
        self, delivery: Delivery, person: Giver, screen: Screen, payload: Panel, account_id: AccountId | None = None
    ) -> tuple[str, Changes]:
        """Put a screen where an older one stands, or send it where that can no longer be changed.

        Args:
            account_id: whose it is; None: it names accounts.
        """
        spot = await spot_for(self._desk.store, person, payload, account_id, self._desk.clock())
        put = await self._put(delivery, message_of(person, screen), payload, spot)
        return put.sent.reference, put.changes

    async def _put(self, delivery: Delivery, message: ChatMessage, payload: Panel, spot: Spot) -> Put:
        chat = self._chat(delivery)
        if payload.edits is not None and spot.allows(payload):
            older = dataclasses.replace(message, chat_id=spot.chat_id, edits=payload.edits)
            try:
                return Put(await chat.show(older), spot.chat_id, spot.changes)
            except PermanentFailure as failure:
                if failure.reason != "failure.cannot_edit" and not spot.is_group:
                    raise
        return await show_at(chat, message, spot)

    async def _kept(
        self,
        delivery: Delivery,
        person: Giver,
        screen: Screen | str,
        payload: SlipNotice | InstructionNotice | OnCallNotice,
        about: Slip | Instruction | OnCall,
    ) -> tuple[str, Changes]:
        """A screen that is replied to, or the question it begins with; remembered by its message, as every question is.

        Args:
            screen: the words, of a question.
        """
        spot = await spot_for(self._desk.store, person, payload, about.account_id, self._desk.clock())
        if isinstance(screen, str):
            question = ChatMessage(chat_id=person.chat_id, text=screen, asks=True)
            put = await show_at(self._chat(delivery), question, spot)
        else:
            put = await self._put(delivery, message_of(person, screen), payload, spot)
        reference = put.sent.reference
        key = message_key(delivery.channel_id, put.chat_id, int(reference))
        if await self._desk.store.find_by(SHOWN_BY_MESSAGE, key) is not None:
            return reference, put.changes
        shown = Shown(
            id=new_id(),
            secretary_id=SecretaryId(person.id),
            kind=_KINDS[type(about)],
            message_key=key,
            telegram_message_id=int(reference),
            conversation_id=None,
            slip_id=about.id if isinstance(about, Slip) else None,
            instruction_id=None if isinstance(about, Slip) else about.id,
            shown_inbound=0,
            fingerprint="",
            current_key=None,
            shown_at=self._desk.clock(),
        )
        return reference, put.changes + Changes(inserts=[shown])

    # ------------------------------------------------------------ the queue, and what is looked for

    async def _queue(self, delivery: Delivery, payload: QueueNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        if payload.view not in (QueueView.SHORT, QueueView.MORNING):
            screen = listing(await self._listed(secretary, payload), self._voice(secretary))
            return await self._in_place(delivery, secretary, screen, payload)
        presence = await store.get(Presence, secretary.id)
        waiting = await list_queued(self._desk, secretary, limit=ON_THE_QUEUE)
        mine = [
            held
            for status in (Status.OPEN, Status.SNOOZED)
            for held in await store.list(CONVERSATIONS_HELD, secretary.id, status, descending=True, limit=20)
        ]
        contacts = await store.find_many(Contact, [c.contact_id for c in (*waiting, *mine)])
        facts = QueueFacts(
            viewer=secretary,
            on_duty=presence.on_duty,
            waiting=waiting,
            # Two looks are two moments: a short list is its own count.
            waiting_count=len(waiting) if len(waiting) < ON_THE_QUEUE else await count_queued(self._desk, secretary),
            mine=mine,
            account_names={a.id: a.name for a in self._desk.accounts.values()},
            contact_names={c.id: c.name for c in contacts.values()},
            unread=await unread(self._desk, secretary, (*waiting, *mine)),
            late_count=await count_late(self._desk, secretary),
            asked_count=len(await list_asked(store, secretary)) if is_supervisor(secretary) else 0,
            morning=await self._morning(secretary) if payload.view is QueueView.MORNING else None,
        )
        return await self._in_place(delivery, secretary, views.queue(facts, self._voice(secretary)), payload)

    async def _morning(self, secretary: Secretary) -> views.Morning:
        """What comes back to her and what leaves by itself until the day is over."""
        store, now = self._desk.store, self._desk.clock()
        local = self._desk.local(now)
        end = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        off = await store.list(CONVERSATIONS_HELD, secretary.id, Status.SNOOZED, limit=200)
        back = [c for c in off if c.snoozed_until_at is not None and c.snoozed_until_at < end]
        drafts = await store.list(DRAFTS_SCHEDULED, until=end, limit=200)
        hers = [d for d in drafts if d.author_id == secretary.id]
        about = await store.find_many(Conversation, [d.conversation_id for d in hers])
        return views.Morning(
            coming_back=sorted(back, key=lambda c: c.snoozed_until_at or now),
            leaving=[(d, about[d.conversation_id]) for d in hers if d.conversation_id in about],
        )

    async def _listed(self, secretary: Secretary, payload: QueueNotice) -> ListFacts:
        desk, store, page = self._desk, self._desk.store, payload.page
        wanted = (page + 1) * ON_A_PAGE + 1
        served = [a for a in desk.accounts.values() if may_serve(secretary, a.id) and not a.retired]
        found: list[Conversation] = []
        waiting: dict[AccountId, int] = {}
        match payload.view:
            case QueueView.WAITING:
                found = await list_queued(desk, secretary, limit=wanted)
            case QueueView.MINE:
                for status in (Status.OPEN, Status.SNOOZED):
                    found += await store.list(CONVERSATIONS_HELD, secretary.id, status, descending=True, limit=wanted)
            case QueueView.LATE:
                found = await list_late(desk, secretary, limit=wanted)
            case QueueView.ACCOUNT if payload.account_id in {a.id for a in served}:
                for status in (Status.OPEN, Status.SNOOZED):
                    found += await store.list(
                        CONVERSATIONS_OF_ACCOUNT, payload.account_id, status, descending=True, limit=wanted
                    )
            case _:
                waiting = {a.id: await store.count(CONVERSATIONS_QUEUED, a.id) for a in served}
        shown = found[page * ON_A_PAGE : wanted - 1]
        contacts = await store.find_many(Contact, [c.contact_id for c in shown])
        holders = await store.find_many(Secretary, {c.assignee_id for c in shown if c.assignee_id is not None})
        return ListFacts(
            viewer=secretary,
            view=payload.view,
            page=page,
            account_id=payload.account_id,
            conversations=shown,
            has_more=len(found) >= wanted,
            accounts=sorted(served, key=lambda a: (a.name, a.id)),
            waiting=waiting,
            contact_names={c.id: c.name for c in contacts.values()},
            holder_names={s.id: s.name for s in holders.values()},
            unread=await unread(desk, secretary, shown),
            unread_of_hers=await unread_of_hers(desk, secretary) if payload.view is QueueView.MINE else 0,
        )

    async def _search(self, delivery: Delivery, payload: SearchNotice) -> tuple[str, Changes]:
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        found = await search(store, secretary, payload.query)
        conversations = [each.conversation for each in found]
        contacts = await store.find_many(Contact, {c.contact_id for c in conversations})
        accounts = await store.find_many(Account, {c.account_id for c in conversations})
        facts = FindingFacts(
            query=payload.query,
            page=payload.page,
            found=found,
            account_names={a.id: a.name for a in accounts.values()},
            contact_names={c.id: c.name for c in contacts.values()},
        )
        return await self._in_place(delivery, secretary, findings(facts, self._voice(secretary)), payload)

    async def _templates(self, delivery: Delivery, payload: TemplatesNotice) -> tuple[str, Changes]:
        desk = self._desk
        secretary = await desk.store.get(Secretary, payload.secretary_id)
        names: dict[str, str] = {a.id: a.name for a in desk.accounts.values() if may_serve(secretary, a.id)}
        shown = await desk.store.find(Template, payload.template_id) if payload.template_id is not None else None
        if shown is not None and (not shown.shelf or shown.shelf in names):
            screen = template_screen(shown, names, self._voice(secretary))
        else:
            kept = [each for shelf in ("", *names) for each in await list_shelf(desk.store, shelf)]
            screen = templates_screen(kept, names, payload.page, self._voice(secretary))
        return await self._in_place(delivery, secretary, screen, payload)

    # ------------------------------------------------------------ telephone messages

    async def _calls(self, delivery: Delivery, payload: CallsNotice) -> tuple[str, Changes]:
        secretary = await self._desk.store.get(Secretary, payload.secretary_id)
        title = f"☎️ {self._voice(secretary).say('call.for_whom')}"
        screen = which_account(answered_accounts(self._desk, secretary), title, Calls, payload.page)
        return await self._in_place(delivery, secretary, screen, payload)

    async def _slip(self, delivery: Delivery, payload: SlipNotice) -> tuple[str, Changes]:
        """A telephone message, or the question for its words."""
        store = self._desk.store
        secretary = await store.get(Secretary, payload.secretary_id)
        slip = await store.find(Slip, payload.slip_id)
        voice = self._voice(secretary)
        if slip is None:
            if payload.edits is None:
                return "", Changes()
            # It says nothing of whom the call was for.
            there = Spot(secretary, payload.group or secretary.chat_id, payload.topic, Changes())
            put = await self._put(delivery, message_of(secretary, Screen(voice.say("call.done"))), payload, there)
            return put.sent.reference, put.changes
        account = self._desk.accounts.get(slip.account_id)
        if account is None or not may_serve(secretary, account.id):
            return "", Changes()
        screen: Screen | str = f"☎️ {voice.say('call.title', account=account.name)}\n{voice.say('call.ask')}"
        if slip.words:
            has_way = (await routes_to(store, account, urgent=slip.urgent)).exist
            screen = slip_screen(slip, account, self._desk.country, has_way=has_way, voice=voice)
        return await self._kept(delivery, secretary, screen, payload, slip)

    # ------------------------------------------------------------ what an account wants, and who speaks for it

    async def _giver(self, person_id: str) -> Giver | None:
        store = self._desk.store
        return await store.find(Secretary, person_id) or await store.find(Principal, person_id)

    def _place(self, giver: Giver, account_id: AccountId) -> Place | None:
        """Where an account stands among those somebody speaks for; None: they do not speak for it."""
        accounts = [account.id for account in spoken_for(self._desk, giver)]
        return Place(accounts.index(account_id), check(accounts)) if account_id in accounts else None

    async def _instructions(self, delivery: Delivery, payload: InstructionsNotice) -> tuple[str, Changes]:
        giver = await self._giver(payload.person_id)
        if giver is None:
            return "", Changes()
        voice = self._voice(giver)
        if payload.account_id is None:
            title = f"📋 {voice.say('instructions.for_whom')}"
            screen = which_account(spoken_for(self._desk, giver), title, Instructions, payload.page)
            return await self._in_place(delivery, giver, screen, payload)
        account = self._desk.accounts.get(payload.account_id)
        place = self._place(giver, payload.account_id)
        may_read = isinstance(giver, Secretary) and may_serve(giver, payload.account_id)
        if account is None or (place is None and not may_read):
            return "", Changes()
        standing = await list_standing(self._desk.store, account.id)
        screen = instructions_screen(standing, account, place, payload.page, voice)
        return await self._in_place(delivery, giver, screen, payload, account.id)

    async def _instruction(self, delivery: Delivery, payload: InstructionNotice) -> tuple[str, Changes]:
        """An instruction, or the question for its words."""
        store = self._desk.store
        giver = await self._giver(payload.person_id)
        instruction = await store.get(Instruction, payload.instruction_id)
        account = self._desk.accounts.get(instruction.account_id)
        place = self._place(giver, instruction.account_id) if giver is not None else None
        if giver is None or account is None or place is None:
            return "", Changes()
        voice = self._voice(giver)
        screen: Screen | str = f"📋 {voice.say('instruction.ask', account=account.name)}"
        if instruction.text or instruction.lifted_at is not None:
            screen = instruction_screen(instruction, account, place, voice)
        return await self._kept(delivery, giver, screen, payload, instruction)

    async def _principals(self, delivery: Delivery, payload: PrincipalsNotice) -> tuple[str, Changes]:
        store = self._desk.store
        supervisor = await store.get(Secretary, payload.secretary_id)
        voice = self._voice(supervisor)
        if payload.account_id is None:
            title = f"👔 {voice.say('principals.for_whom')}"
            screen = which_account(spoken_for(self._desk, supervisor), title, Principals, payload.page)
            return await self._in_place(delivery, supervisor, screen, payload)
        account = self._desk.accounts.get(payload.account_id)
        place = self._place(supervisor, payload.account_id)
        if account is None or place is None:
            return "", Changes()
        link = until = ""
        made = await store.find(PrincipalInvitation, payload.invitation_id) if payload.invitation_id else None
        if made is not None and made.used_at is None:
            link = await self._chat(delivery).link(deep_link_payload(token_of(made.id, self._desk.key)))
            until = voice.when(made.expires_at)
        people = await list_principals(store, account.id)
        screen = principals_screen(people, account, place, link, until, voice)
        return await self._in_place(delivery, supervisor, screen, payload)

    async def _answered(self, delivery: Delivery, payload: AnsweredNotice) -> tuple[str, Changes]:
        principal = await self._desk.store.get(Principal, payload.principal_id)
        if not principal.active:
            return "", Changes()
        answers = await list_answers(self._desk.store, principal.accounts)
        screen = answers_screen(answers, payload.page, self._voice(principal))
        return await self._in_place(delivery, principal, screen, payload)

    async def _ways(self, delivery: Delivery, payload: WaysNotice) -> tuple[str, Changes]:
        principal = await self._desk.store.get(Principal, payload.principal_id)
        if not principal.active:
            return "", Changes()
        screen = ways_screen(principal, spoken_for(self._desk, principal), self._voice(principal))
        return await self._in_place(delivery, principal, screen, payload)

    async def _rota(self, delivery: Delivery, payload: RotaNotice) -> tuple[str, Changes]:
        store = self._desk.store
        giver = await self._giver(payload.person_id)
        if giver is None:
            return "", Changes()
        voice = self._voice(giver)
        if payload.account_id is None:
            title = f"📟 {voice.say('rota.for_whom')}"
            screen = which_account(spoken_for(self._desk, giver), title, Rota, payload.page)
            return await self._in_place(delivery, giver, screen, payload)
        account = self._desk.accounts.get(payload.account_id)
        place = self._place(giver, payload.account_id)
        if account is None or place is None:
            return "", Changes()
        rota = await list_rota(store, account.id, voice.now)
        people = await list_principals(store, account.id)
        screen = rota_screen(rota, people, account, place, giver.id, payload.page, voice)
        return await self._in_place(delivery, giver, screen, payload, account.id)

    async def _said_on_call(self, delivery: Delivery, payload: OnCallNotice) -> tuple[str, Changes]:
        """Days on call, or the question for them."""
        giver = await self._giver(payload.person_id)
        on_call = await self._desk.store.get(OnCall, payload.on_call_id)
        account = self._desk.accounts.get(on_call.account_id)
        place = self._place(giver, on_call.account_id) if giver is not None else None
        if giver is None or account is None or place is None:
            return "", Changes()
        voice = self._voice(giver)
        screen: Screen | str = f"📟 {voice.say('on_call.ask', account=account.name, name=on_call.name)}"
        if on_call.text or on_call.lifted_at is not None:
            screen = on_call_screen(on_call, account, place, voice)
        return await self._kept(delivery, giver, screen, payload, on_call)

    # ------------------------------------------------------------ the desk's own

    async def _team(self, delivery: Delivery, payload: TeamNotice) -> tuple[str, Changes]:
        store = self._desk.store
        supervisor = await store.get(Secretary, payload.secretary_id)
        everyone = await list_team(store, supervisor)
        start = payload.page * team.ON_A_PAGE
        shown = everyone[start : start + team.ON_A_PAGE]
        presences = await store.find_many(Presence, [s.id for s in shown])
        members = [Member(s, presences.get(s.id)) for s in shown]
        facts = TeamFacts(members, payload.page, len(everyone), self._desk.trial)
        screen = team.team_screen(facts, self._voice(supervisor))
        return await self._in_place(delivery, supervisor, screen, payload)

    async def _links(self, delivery: Delivery, payload: LinksNotice) -> tuple[str, Changes]:
        desk = self._desk
        supervisor = await desk.store.get(Secretary, payload.secretary_id)
        accounts = answered_accounts(desk, supervisor)
        start = payload.page * team.LINKS_A_PAGE
        shown = accounts[start : start + team.LINKS_A_PAGE]
        own = {account_id: channel for channel, account_id in desk.own_account.items() if channel in desk.chats}
        links = []
        for account in shown:
            chat = desk.chats.get(own.get(account.id, delivery.channel_id))
            links.append(await (chat or self._chat(delivery)).link(account.id))
        screen = team.links_screen(shown, links, payload.page, len(accounts), self._voice(supervisor))
        return await self._in_place(delivery, supervisor, screen, payload)


def message_of(secretary: Giver, screen: Screen, edits: int | None = None, *, silent: bool = False) -> ChatMessage:
    """A screen as a message to somebody's chat with the desk."""
    return ChatMessage(
        chat_id=secretary.chat_id,
        text=screen.text,
        entities=screen.entities,
        keyboard=screen.keyboard,
        edits=edits,
        silent=silent,
    )
