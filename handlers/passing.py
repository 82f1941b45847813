"""What follows once a telephone message, or what the day brought, has reached whom it is for, or cannot."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from handlers.desk import Desk
from handlers.sending import leaving
from handlers.slips import call_words
from handlers.views import Voice
from inbox.alarms import not_reached
from inbox.assignment import is_supervisor, may_serve
from inbox.drafts import open_key
from inbox.errors import InvalidTransition, NotFound
from inbox.model import Contact, Conversation, Delivery, DeliveryState, Draft, Message, Principal, Status
from inbox.notices import AlarmNotice, DigestNotice, TakenNotice
from inbox.outbox import preview_for, sentence_for
from inbox.parts import PHONE, Because, DraftId, new_id
from inbox.passing import MOST_SECRETARIES, arrived, has_mail, not_told, whom_to_tell
from inbox.store.base import Changes
from inbox.store.documents import SECRETARIES

log = structlog.get_logger(__name__)


async def followed(desk: Desk, ended: Delivery, now: datetime) -> Changes:
    """What else changes when a delivery comes to this state; nothing, of most deliveries."""
    told = ended.payload
    if isinstance(told, DigestNotice) and ended.state in _DIGEST_LOST:
        return await _digest_lost(desk, told, _DIGEST_LOST[ended.state], now)
    if isinstance(told, AlarmNotice) and told.fresh and ended.state is DeliveryState.DEAD:
        return await not_reached(desk.store, told, now)
    if not isinstance(told, TakenNotice) or ended.state not in (DeliveryState.SENT, DeliveryState.DEAD):
        return Changes()
    try:
        if ended.state is DeliveryState.SENT:
            return await arrived(desk.store, ended, told, now)
        letter = await _by_mail(desk, ended, told, now)
        return letter + await not_told(desk.store, ended, told, now, by_mail=bool(letter))
    except NotFound:
        return Changes()  # it was erased meanwhile, with all that hangs on it


_DIGEST_LOST = {DeliveryState.DEAD: "notice.digest_dead", DeliveryState.UNKNOWN: "notice.digest_unknown"}


async def _digest_lost(desk: Desk, notice: DigestNotice, says: str, now: datetime) -> Changes:
    """Whoever answers for the accounts is told that their owner was not, or may not have been."""
    principal = await desk.store.find(Principal, notice.principal_id)
    if principal is None or not principal.active:
        return Changes()
    because = Because(key=says, args={"name": principal.name})
    everyone = await desk.store.list(SECRETARIES, True, limit=MOST_SECRETARIES)
    told = [s for s in everyone if is_supervisor(s) and any(may_serve(s, each) for each in principal.accounts)]
    return Changes(inserts=[sentence_for(s, because, now) for s in told])


async def _by_mail(desk: Desk, ended: Delivery, told: TakenNotice, now: datetime) -> Changes:
    """The same message as a letter to the account; nothing where it left by mail already, or cannot."""
    message = await desk.store.get(Message, told.message_id)
    before = await desk.store.get(Conversation, message.conversation_id)
    account = desk.accounts.get(before.account_id)
    if before.account_id != ended.account_id:  # it was another's, and goes to nobody else by itself
        return Changes()
    if account is None or account.mailbox is None or not has_mail(account) or before.channel_id != PHONE:
        return Changes()
    people = await whom_to_tell(desk.store, before, told.secretary_id)
    author = next((each for each in people if may_serve(each, account.id)), None)
    if author is None:
        return Changes()
    contact = await desk.store.get(Contact, before.contact_id)
    voice = Voice(desk.texts, account.language, account.time_zone, now)
    after = msgspec.structs.replace(
        before,
        channel_id=account.mailbox,
        status=Status.OPEN,
        closed_at=None,
        queued_at=(before.queued_at or now) if before.assignee_id is None else None,
    )
    draft = Draft(
        id=DraftId(new_id()),
        account_id=account.id,
        conversation_id=after.id,
        author_id=author.id,
        text=call_words(message, contact, desk.country, voice),
        recipients=(account.messages_to or "",),
        seen_inbound=after.inbound_count,
        open_key=open_key(after.id, author.id),
        approved_by=author.id,  # whom it goes to is the account itself
        created_at=now,
        updated_at=now,
    )
    begun = Changes(replacements=[after], inserts=[draft, preview_for(author, draft, now, fresh=True)])
    try:
        return begun + await leaving(desk, draft, after, author, now, now, is_decided=True)
    except InvalidTransition as refusal:
        log.info("not_passed_on_by_mail", conversation=before.id, reason=refusal.key)
        return Changes()
