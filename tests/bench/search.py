"""How soon a secretary finds again what was written: searches over a long history, beside the least a search does.

Texts are of French words drawn as language has them: the n-th most common one
n times as rare as the first. Queries are of every kind people write.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from handlers.findings import ON_A_PAGE
from inbox.model import (
    Account,
    Address,
    AddressKind,
    Contact,
    Conversation,
    Direction,
    Identity,
    Message,
    Role,
    Secretary,
    Status,
)
from inbox.parts import AccountId, ChannelId, ContactId, ConversationId, Document, MessageId, SecretaryId, new_id
from inbox.search import search
from inbox.store.base import Changes
from inbox.store.sqlite import SqliteStore

CONVERSATIONS = 200_000
MESSAGES = 3
WORDS = 40
ACCOUNTS = 50
AT_ONCE = 500
QUERIES = 400
COLD = 40
MAIL = ChannelId("mail:bench")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

_COMMON = [
    "bonjour",
    "de",
    "la",
    "le",
    "les",
    "et",
    "vous",
    "pour",
    "une",
    "un",
    "je",
    "en",
    "est",
    "que",
    "des",
    "pas",
    "merci",
    "nous",
    "dans",
    "sur",
    "par",
    "avec",
    "votre",
    "mon",
    "plus",
    "ne",
    "cordialement",
    "rendez-vous",
    "facture",
    "dossier",
    "madame",
    "monsieur",
    "demande",
    "devis",
    "téléphone",
    "rappeler",
    "possible",
    "docteur",
    "semaine",
    "lundi",
    "mardi",
    "jeudi",
    "vendredi",
    "matin",
    "après-midi",
    "document",
    "pièce",
    "jointe",
    "contrat",
    "paiement",
    "échéance",
    "assurance",
    "sinistre",
    "chauffage",
    "réparation",
    "intervention",
    "adresse",
    "virement",
    "retard",
    "délai",
    "courrier",
    "attestation",
    "ordonnance",
]
_SYLLABLES = [
    "ba",
    "ber",
    "ca",
    "char",
    "cor",
    "du",
    "dé",
    "fa",
    "fé",
    "ga",
    "gran",
    "hu",
    "jo",
    "la",
    "lou",
    "ma",
    "mé",
    "mon",
    "na",
    "nor",
    "pa",
    "pré",
    "ra",
    "ri",
    "sa",
    "sé",
    "ta",
    "té",
    "val",
    "vi",
]
_ENDINGS = ("tion", "ment", "eur", "age", "ance", "ière", "et", "ois", "ard", "in")


def _vocabulary(chance: random.Random) -> list[str]:
    made = (
        "".join(chance.choices(_SYLLABLES, k=chance.randint(2, 3))) + chance.choice(_ENDINGS) for _ in range(60_000)
    )
    return list(dict.fromkeys([*_COMMON, *made]))


class Searched(NamedTuple):
    """95th percentiles, in seconds."""

    warm: float
    cold: float
    floor: float
    """Reading the documents an answer shows, by their ids."""
    found: float
    """Conversations an answer has, on the average."""


def _history(chance: random.Random, words: list[str], count: int) -> Iterator[list[Document]]:
    weights = list(itertools.accumulate(1 / (n + 2) for n in range(len(words))))
    for number in range(1, count + 1):
        account, at = AccountId(f"cabinet-{number % ACCOUNTS}"), NOW + timedelta(seconds=number)
        name = f"{words[-(number % 20_000) - 1]} {words[-(number // 7 % 20_000) - 1]}".title()
        contact = Contact(id=ContactId(new_id()), account_id=account, name=name, created_at=at)
        mail = f"client.{number}@example.org"
        conversation = Conversation(
            id=ConversationId(new_id()),
            number=number,
            account_id=account,
            contact_id=contact.id,
            channel_id=MAIL,
            subject=" ".join(chance.choices(words, cum_weights=weights, k=4)),
            status=Status.CLOSED,
            opened_at=at,
            last_message_at=at,
            closed_at=at,
            participants=(mail,),
        )
        documents: list[Document] = [
            contact,
            conversation,
            Address(
                id=new_id(),
                account_id=account,
                contact_id=contact.id,
                kind=AddressKind.MAIL,
                value=mail,
                channel_id=MAIL,
                last_used_at=at,
            ),
        ]
        for position in range(1, MESSAGES + 1):
            text = " ".join(chance.choices(words, cum_weights=weights, k=WORDS))
            documents.append(
                Message(
                    id=MessageId(new_id()),
                    account_id=account,
                    conversation_id=conversation.id,
                    position=position,
                    direction=Direction.INBOUND if position != 2 else Direction.OUTBOUND,
                    channel_id=MAIL,
                    author_id=contact.id,
                    author_name=name,
                    author_address=mail,
                    text=f"{text} 06 {number % 100:02} {number // 100 % 100:02} {number // 10_000:02} 17",
                    external_id=f"{number}.{position}@example.org",
                    created_at=at,
                )
            )
        yield documents


def _queries(chance: random.Random, words: list[str], count: int) -> list[str]:
    kinds: tuple[Callable[[], str], ...] = (
        lambda: chance.choice(_COMMON),
        lambda: chance.choice(_COMMON)[:4],
        lambda: " ".join(chance.sample(_COMMON[:20], 2)),
        lambda: f"{chance.choice(_COMMON)} {chance.choice(words[100:2000])}",
        lambda: chance.choice(words[2000:]),
        lambda: chance.choice(words)[:3],
        lambda: f"client.{chance.randint(1, count)}@example.org",
        lambda: f"#{chance.randint(1, count)}",
        lambda: f"06 {(n := chance.randint(1, count)) % 100:02} {n // 100 % 100:02} {n // 10_000:02} 17",
        lambda: " ".join(chance.sample(words[50:1000], 3)),
        lambda: f'"{" ".join(chance.sample(_COMMON[:20], 2))}"',
        lambda: f'"{" ".join(chance.sample(_COMMON[:40], 3))}" {chance.choice(_COMMON)}',
    )
    return [kinds[number % len(kinds)]() for number in range(QUERIES)]


def _secretary(accounts: tuple[AccountId, ...] | None) -> Secretary:
    return Secretary(
        id=SecretaryId(new_id()),
        name="Léa",
        role=Role.SECRETARY,
        language="fr",
        telegram_user_id=1,
        chat_id=1,
        channel_id=MAIL,
        accounts=accounts,
        joined_at=NOW,
    )


async def _build(store: SqliteStore, count: int) -> list[str]:
    chance = random.Random(5)
    words = _vocabulary(chance)
    identity = Identity(display_name="Cabinet")
    names = [AccountId(f"cabinet-{n}") for n in range(ACCOUNTS)]
    kept = [Account(id=n, name=n, language="fr", time_zone="Europe/Paris", identity=identity) for n in names]
    await store.commit(Changes(inserts=kept))
    history = _history(chance, words, count)
    while some := list(itertools.islice(history, AT_ONCE)):
        await asyncio.gather(*(store.commit(Changes(inserts=each)) for each in some))
    return words


async def _timed(
    store: SqliteStore, who: list[Secretary], queries: list[str], forget: Callable[[], None] | None
) -> tuple[list[float], list[float], int]:
    times, floors, found = [], [], 0
    for number, query in enumerate(queries):
        if forget is not None:
            forget()
        began = time.perf_counter()
        answer = await search(store, who[number % len(who)], query)
        for each in answer[:ON_A_PAGE]:
            each.passage()
        times.append(time.perf_counter() - began)
        found += len(answer)
        began = time.perf_counter()
        await store.find_many(Conversation, [each.conversation.id for each in answer])
        floors.append(time.perf_counter() - began)
    return times, floors, found


async def measure(directory: Path, say: Callable[[str], None], count: int = CONVERSATIONS) -> Searched:
    """Build the history, and search it warm and from the disk."""
    path = directory / "searched.db"
    began = time.perf_counter()
    async with SqliteStore(path, exclusive=True) as store:
        words = await _build(store, count)
    took, octets = time.perf_counter() - began, path.stat().st_size
    say(f"{count} conversations to search: {octets / count / 1024:.1f} KiB each, made in {took:.0f} s")
    queries = _queries(random.Random(6), words, count)
    few = tuple(AccountId(f"cabinet-{n}") for n in (3, 17, 31))
    who = [_secretary(None), _secretary(few)]
    with path.open("rb", buffering=0) as file:
        async with SqliteStore(path, exclusive=True) as store:
            await _timed(store, who, queries[:50], None)
            warm, floors, found = await _timed(store, who, queries, None)
            if os.environ.get("BENCH_SLOWEST"):
                for took, query in sorted(zip(warm, queries, strict=True), reverse=True)[:12]:
                    say(f"{1e3 * took:.1f} ms: {query}")
            cold, _, _ = await _timed(
                store, who, queries[:COLD], lambda: os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            )
    p95 = [quantiles(each, n=20, method="inclusive")[-1] for each in (warm, cold, floors)]
    if not found:
        raise RuntimeError("nothing was found")
    return Searched(p95[0], p95[1], p95[2], found / len(queries))
