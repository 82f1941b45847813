"""Whose personal data stands in which field of what is stored.

Every field of every kind of document, and of the parts they are made of, is
here: a test fails on one that nobody decided about. Whoever adds a field
that says something of a client must also see that erasing and exporting a
client reaches it (`inbox.forgetting`, `inbox.holdings`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from inbox import hours, machinery, model, notices, particulars, parts


class Holds(StrEnum):
    """What stands in a field."""

    CLIENT = "client"
    """Something of a client: who they are, what they wrote, what was written to or about them."""
    POINTER = "pointer"
    """The id of something of a client: it tells nothing once that is gone, and goes with what it stands in."""
    DESK = "desk"
    """Something of those who work at the desk, or of whom it works for."""
    NOTHING = "nothing"
    """Nothing of a person: states, instants, counts, octets' sizes."""
    PARTS = "parts"
    """Parts that have fields of their own."""


def _fields(**by: str) -> dict[str, Holds]:
    return {name: Holds(what) for what, names in by.items() for name in names.split()}


FIELDS: Final[dict[type[msgspec.Struct], dict[str, Holds]]] = {
    # ------------------------------------------------------------ what arrives
    model.Receipt: _fields(
        client="lane",  # in Telegram the chat's number, which is its user's
        pointer="blob_id conversation_id",
        nothing="id version channel_id source_key size sequence arrived_at state waiting_in deaths reason error "
        "ended_at account_id erased_at erased_key",
    ),
    model.Cursor: _fields(nothing="id version position received updated_at"),
    # ------------------------------------------------------------ whom we work for
    model.Account: _fields(
        desk="name identity addresses tags acknowledgement messages_to",
        nothing="id version language time_zone mailbox assignment reopen_days retention_days approval retired "
        "answer_minutes tells_in_chats show_names",
        parts="hours",
    ),
    hours.Hours: _fields(parts="week closed", nothing="holidays"),
    hours.Span: _fields(nothing="opens closes"),
    hours.Closure: _fields(nothing="first last"),
    model.Identity: _fields(desk="display_name from_address signature"),
    model.Contact: _fields(
        client="name language note barred_at former_names",
        pointer="former_ids",
        nothing="id version account_id created_at",
    ),
    model.Address: _fields(
        client="value chat_id blocked_at last_used_at former_name",
        pointer="contact_id former_id",
        nothing="id version account_id kind channel_id",
    ),
    # ------------------------------------------------------------ who answers
    model.Secretary: _fields(
        desk="name role language telegram_user_id chat_id channel_id accounts active capacity reviewed joined_at",
        nothing="id version",
    ),
    model.Presence: _fields(desk="on_duty since_at open_count last_assigned_at", nothing="id version"),
    model.Invitation: _fields(
        desk="role name accounts used_by", nothing="id version token_hash created_at expires_at used_at"
    ),
    model.Principal: _fields(
        desk="name telegram_user_id chat_id channel_id language accounts active joined_at way digest_hour "
        "digest_at digest_since_at",
        nothing="id version",
    ),
    model.BusinessConnection: _fields(
        desk="id telegram_user_id connection_id former_ids chat_id name language",
        nothing="version channel_id account_id is_enabled may_reply made_at connected_at",
    ),
    model.PrincipalInvitation: _fields(
        desk="invited_by used_by", nothing="id version account_id token_hash created_at expires_at used_at"
    ),
    model.Proof: _fields(
        client="mail",
        pointer="contact_id open_for delivery_id",
        desk="asked_by",
        nothing="id version account_id token_hash tries created_at expires_at used_at",
    ),
    model.Instruction: _fields(
        desk="text given_by giver_name",
        nothing="id version account_id kind begins_at ends_at created_at confirmed_at lifted_at standing turns_at",
    ),
    model.OnCall: _fields(
        desk="principal_id name text given_by giver_name",
        nothing="id version account_id begins_at ends_at created_at confirmed_at lifted_at standing turns_at",
    ),
    # ------------------------------------------------------------ what is talked about
    model.Conversation: _fields(
        client="subject participants chat_id open_chat tags",
        pointer="contact_id related_to related_number merged_into merged_number",
        desk="assignee_id declined_by through",
        parts="because",
        nothing="id version number account_id channel_id status assigned_at queued_at waiting_since_at answer_by_at "
        "opened_at last_message_at closed_at message_count inbound_count priority snoozed_until_at",
    ),
    model.Alarm: _fields(
        pointer="id",
        desk="called last unreached seen_by seen_name",
        nothing="version account_id raised_at due_at calls ended seen_at",
    ),
    parts.Because: _fields(desk="args", nothing="key"),
    model.Message: _fields(
        client="author_name author_address reply_to subject text quotes external_id parts withdrawn references "
        "recipients copies delivered_to written_at album_key",
        pointer="conversation_id author_id receipt_id blob_id",
        parts="attachments revisions particulars",
        nothing="id version account_id position opens direction channel_id created_at deleted_at seen_inbound "
        "truncated",
    ),
    parts.Attachment: _fields(client="name path", pointer="blob_id", nothing="media_type size kind held_by seconds"),
    model.Revision: _fields(client="text", nothing="until_at"),
    particulars.Particulars: _fields(
        client="list_id",
        parts="bounce forwards trust meetings cards",
        nothing="fresh automatic unanswerable protection is_rich",
    ),
    particulars.Bounce: _fields(client="original_id", parts="failures"),
    particulars.Failure: _fields(client="address says", nothing="kind code"),
    particulars.Forward: _fields(client="address name subject text written_at recipients external_id", nothing="path"),
    particulars.Trust: _fields(nothing="verdict spf dkim dmarc by"),
    particulars.Meeting: _fields(
        client="title starts_at ends_at first_day last_day place organizer attendees repeats answer",
        nothing="method path",
    ),
    particulars.BusinessCard: _fields(client="name organization phones addresses", nothing="path"),
    model.Draft: _fields(
        client="text recipients copies",
        pointer="conversation_id message_id open_key set_aside",
        desk="author_id source_key sources album_key approved_by",
        parts="styles attachments returned",
        nothing="id version account_id seen_inbound state send_at asked_at wanted_at for_account created_at updated_at",
    ),
    model.Slip: _fields(
        client="words caller number reason call_back call_back_at",
        desk="author_id",
        nothing="id version account_id urgent ours created_at updated_at",
    ),
    model.Template: _fields(desk="name key text changed_by", nothing="id version shelf changed_at"),
    model.Event: _fields(
        client="actor_name detail", pointer="conversation_id actor", nothing="id version account_id at kind"
    ),
    # ------------------------------------------------------------ what leaves
    model.Delivery: _fields(
        client="lane sent_as",
        pointer="conversation_id message_id after",
        parts="payload reported",
        nothing="id version account_id kind channel_id state due_at lease_until_at leased_by earliest_at irrevocable "
        "attempts created_at ended_at error",
    ),
    notices.Letter: _fields(client="recipients message_id", pointer="blob_id", desk="sender", nothing="copy"),
    notices.Post: _fields(client="chat_id text reply_to", desk="through connection", parts="styles attachment"),
    parts.Entity: _fields(client="url", nothing="type offset length"),
    notices.CardNotice: _fields(pointer="conversation_id", desk="secretary_id", nothing="fresh quiet menu asks"),
    notices.QuestionNotice: _fields(
        pointer="conversation_id draft_id", desk="secretary_id", parts="because", nothing="purpose reply_to topic group"
    ),
    notices.SearchNotice: _fields(client="query", desk="secretary_id", nothing="page edits topic group"),
    notices.TemplatesNotice: _fields(desk="secretary_id", nothing="template_id page edits topic group"),
    notices.TeamNotice: _fields(desk="secretary_id", nothing="page edits topic group"),
    notices.InstructionsNotice: _fields(desk="person_id", nothing="account_id page edits topic group"),
    notices.InstructionNotice: _fields(desk="person_id", nothing="instruction_id edits topic group"),
    notices.LinksNotice: _fields(desk="secretary_id", nothing="page edits topic group"),
    notices.AnsweredNotice: _fields(desk="principal_id", nothing="page edits topic group"),
    notices.WaysNotice: _fields(desk="principal_id", nothing="edits topic group"),
    notices.TakenNotice: _fields(pointer="message_id", desk="principal_id secretary_id", nothing="quiet"),
    notices.DigestNotice: _fields(desk="principal_id", nothing="account_id since_at until_at quiet"),
    notices.RotaNotice: _fields(desk="person_id", nothing="account_id page edits topic group"),
    notices.OnCallNotice: _fields(desk="person_id", nothing="on_call_id edits topic group"),
    notices.AlarmNotice: _fields(pointer="conversation_id", desk="principal_id", nothing="fresh"),
    notices.PrincipalsNotice: _fields(desk="secretary_id", nothing="account_id page invitation_id edits topic group"),
    notices.SlipNotice: _fields(pointer="slip_id", desk="secretary_id", nothing="edits topic group"),
    notices.CallsNotice: _fields(desk="secretary_id", nothing="page edits topic group"),
    notices.ContactNotice: _fields(pointer="conversation_id", desk="secretary_id", nothing="topic group"),
    notices.HistoryNotice: _fields(pointer="conversation_id", desk="secretary_id", nothing="topic group"),
    notices.PreviewNotice: _fields(pointer="draft_id", desk="secretary_id", nothing="fresh menu"),
    notices.KeepNotice: _fields(pointer="draft_id", desk="secretary_id"),
    notices.QueueNotice: _fields(desk="secretary_id", nothing="view account_id page edits topic group"),
    notices.TextNotice: _fields(client="chat_id language reply_to", parts="because buttons", nothing="topic"),
    parts.Button: _fields(desk="text data url"),
    notices.TopicNotice: _fields(pointer="conversation_id", desk="secretary_id"),
    notices.PinNotice: _fields(pointer="conversation_id", desk="secretary_id"),
    notices.FileNotice: _fields(pointer="message_id", desk="secretary_id", nothing="index form topic group"),
    model.Shown: _fields(
        pointer="conversation_id draft_id slip_id",
        desk="secretary_id message_key telegram_message_id current_key",
        nothing="id version kind shown_inbound asks fingerprint shown_at purpose instruction_id",
    ),
    model.Topic: _fields(
        client="name",
        pointer="conversation_id",
        desk="secretary_id thread_key",
        nothing="id version channel_id chat_id thread_id standing told_position card_position pinned",
    ),
    model.TopicChoice: _fields(desk="id", nothing="version wanted chosen_at"),
    model.Forum: _fields(desk="linked_by", nothing="id version channel_id chat_id shelf linked_at"),
    model.TopicRefusal: _fields(desk="id", nothing="version reason refused_at told_at again_at"),
    # ------------------------------------------------------------ how the channels are doing
    machinery.Pulse: _fields(nothing="id version heard_at owed_since_at"),
    machinery.Habit: _fields(nothing="id version received heard_at hours"),
    machinery.Trouble: _fields(nothing="id version channel_id kind since_at told_at"),
    machinery.Recount: _fields(nothing="id version counted_at"),
    # ------------------------------------------------------------ the desk itself
    machinery.Worker: _fields(nothing="id version host started_at beat_at silence"),
    machinery.Lease: _fields(nothing="id version worker_id taken_at"),
    # A lane of Telegram is a chat's number; a claim is gone as soon as its lane is empty.
    machinery.Claim: _fields(client="id", nothing="version worker_id taken_at"),
    machinery.Counter: _fields(nothing="id version next"),
    machinery.DeskKey: _fields(nothing="id version secret"),
    machinery.Forgotten: _fields(pointer="id", nothing="version account_id asked_at erased_at scrubbed_at"),
    machinery.Progress: _fields(nothing="id version behind"),
    machinery.Backup: _fields(nothing="id version taken_at settled_at held"),
    machinery.Transfer: _fields(nothing="id version peer fingerprint began_at finished_at blobs_compared"),
}
"""What stands where."""
