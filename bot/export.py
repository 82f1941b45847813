"""Everything we hold about a person, written out for them: a folder or a zip they can open without us."""

from __future__ import annotations

import html
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bot.locales import Catalogue
from channels.base import Channel
from inbox.errors import NotFound
from inbox.forgetting import Traces
from inbox.holdings import Share, asked_to_prove, conversations_of, other_receipts, plain, share_of
from inbox.model import Account, Direction, Message
from inbox.parts import BlobId, ChannelId
from inbox.store.base import Store

_UNSAFE = re.compile(r"[^\w.()+ -]+")
LONGEST_NAME = 80


class Sink(Protocol):
    """Where files are written."""

    def write(self, name: str, data: bytes) -> None: ...


@contextmanager
def sink(path: Path) -> Iterator[Sink]:
    """A new zip where the name ends so, else a new folder; readable by its owner alone, and there only once whole.

    Raises:
        FileExistsError: there is something.
    """
    if path.exists():
        raise FileExistsError(path)
    part = path.with_name(f"{path.name}.part")
    if path.suffix.lower() == ".zip":
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            yield _Zip(archive)
    else:
        part.mkdir(mode=0o700, exist_ok=True)
        yield _Folder(part)
    part.replace(path)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def write(self, name: str, data: bytes) -> None:
        self._archive.writestr(name, data)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(data)


async def write_out(
    store: Store, traces: Traces, account: Account, channels: Mapping[ChannelId, Channel], texts: Catalogue, to: Sink
) -> int:
    """Write everything; the number of conversations it was. Attachments of mail are taken out of their mails."""
    writer = _Writer(store, traces, account, channels, texts, to)
    person = {
        "contact": plain(traces.contact, traces),
        "addresses": [plain(a, traces) for a in traces.addresses],
        "proofs": [plain(p, traces) for p in await asked_to_prove(store, traces)],
    }
    to.write("contact.json", _json(person))
    count = 0
    async for conversation in conversations_of(store, traces):
        await writer.conversation(await share_of(store, traces, conversation))
        count += 1
    async for receipt in other_receipts(store, traces):
        await writer.raw(receipt.blob_id, receipt.channel_id, receipt.id)
    to.write("index.html", writer.index().encode())
    return count


class _Writer:
    def __init__(
        self,
        store: Store,
        traces: Traces,
        account: Account,
        channels: Mapping[ChannelId, Channel],
        texts: Catalogue,
        to: Sink,
    ) -> None:
        self._store = store
        self._traces = traces
        self._account = account
        self._channels = channels
        self._texts = texts
        self._to = to
        self._body: list[str] = []

    def _say(self, key: str, **args: str) -> str:
        return html.escape(self._texts.say(self._account.language, key, **args))

    def _when(self, message: Message) -> str:
        at = message.created_at
        return html.escape(self._texts.when(self._account.language, self._account.time_zone, at, at.replace(year=1)))

    async def conversation(self, share: Share) -> None:
        """One conversation: its documents, its raw forms, its files, and what of it is read in the index."""
        number = share.conversation.number
        documents = {
            "conversation": plain(share.conversation, self._traces),
            "messages": [plain(m, self._traces) for m in share.messages],
            "drafts": [plain(d, self._traces) for d in share.drafts],
            "deliveries": [plain(d, self._traces) for d in share.deliveries],
            "history": [plain(e, self._traces) for e in share.events],
        }
        self._to.write(f"conversations/{number}.json", _json(documents))
        self._body.append(f"<h2>#{number} {html.escape(share.conversation.subject)}</h2>")
        if share.others:
            self._body.append(f"<p><i>{self._say('export.others', count=str(share.others))}</i></p>")
        for message in share.messages:
            links = await self._files(number, message)
            theirs = message.direction is Direction.INBOUND
            who = message.author_name if theirs else self._account.identity.display_name
            self._body.append(
                f"<h3>{html.escape(who)}, {self._when(message)}</h3><pre>{html.escape(message.text)}</pre>"
                + "".join(f'<p><a href="{html.escape(link)}">{html.escape(link)}</a></p>' for link in links)
            )
        for draft in share.drafts:
            if draft.message_id is None:
                self._body.append(f"<h3>{self._say('export.draft')}</h3><pre>{html.escape(draft.text)}</pre>")

    async def _files(self, number: int, message: Message) -> list[str]:
        name = f"{number}-{message.position}"
        raw = await self.raw(message.blob_id, message.channel_id, name) if message.blob_id else None
        links = [raw[0]] if raw else []
        kind = message.channel_id.partition(":")[0]
        # A mailbox that is no longer in the config wrote its mails as any other does.
        like_it = (c for name, c in self._channels.items() if name.partition(":")[0] == kind)
        channel = self._channels.get(message.channel_id) or next(like_it, None)
        for place, attachment in enumerate(message.attachments, 1):
            if raw is None or channel is None or kind == "telegram":
                continue  # Telegram keeps the file itself; what we hold is its name, in the documents
            link = f"attachments/{name}-{place}-{_safe(attachment.name)}"
            self._to.write(link, channel.extract(raw[1], attachment))
            links.append(link)
        return links

    async def raw(self, blob_id: BlobId, channel_id: ChannelId, name: str) -> tuple[str, bytes] | None:
        """A raw form written out: a mail as mail programs open it, an update as Telegram sent it."""
        try:
            data = await self._store.read_blob(blob_id)
        except NotFound:
            return None
        by_chat = channel_id.startswith("telegram:")
        link = f"telegram/{name}.json" if by_chat else f"mails/{name}.eml"
        self._to.write(link, data)
        return link, data

    def index(self) -> str:
        """The page to begin with, in the account's language."""
        title = self._say("export.title", account=self._account.name)
        addresses = ", ".join(html.escape(a.value) for a in self._traces.addresses)
        return (
            f'<!doctype html><html lang="{self._account.language}"><meta charset="utf-8"><title>{title}</title>'
            "<style>body{font-family:sans-serif;max-width:50em;margin:2em auto}pre{white-space:pre-wrap}</style>"
            f"<h1>{title}</h1><p>{html.escape(self._traces.contact.name)}, {addresses}</p>"
            f"<p>{self._say('export.about')}</p>{''.join(self._body)}</html>\n"
        )


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _safe(name: str) -> str:
    """A file's name as any system takes it, and no path."""
    return _UNSAFE.sub("_", name).strip(" .")[-LONGEST_NAME:] or "_"
