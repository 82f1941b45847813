"""What a store finds by words: its own, whatever the backend."""

from __future__ import annotations

import msgspec
import pytest

from inbox.errors import Conflict
from inbox.model import Address, Contact, Conversation, Message, Receipt
from inbox.parts import AccountId, Attachment, new_id
from inbox.store.base import Changes, Store
from inbox.words import sought
from tests.contracts.documents import make

ROUX, BERNARD = AccountId("roux"), AccountId("bernard")


def said(text: str, account: AccountId = ROUX, **fields: object) -> Message:
    return make(Message, id=new_id(), account_id=account, text=text, **fields)


async def texts(store: Store, query: str, *accounts: AccountId, limit: int = 10) -> list[str]:
    return [m.text for m in await store.search(Message, sought(query), accounts or None, limit=limit)]


async def test_messages_are_found_by_their_words_newest_first(store: Store) -> None:
    for text in ("Échéance de l’impôt", "Une échéance", "rien"):
        await store.commit(Changes(inserts=[said(text)]))
    assert await texts(store, "echeance") == ["Une échéance", "Échéance de l’impôt"]
    assert await texts(store, "ÉCHÉANCE", limit=1) == ["Une échéance"]
    assert await texts(store, "impôt échéance") == ["Échéance de l’impôt"]
    assert await texts(store, "impôt rien") == []


async def test_the_last_word_may_be_begun_and_the_others_may_not(store: Store) -> None:
    await store.commit(Changes(inserts=[said("facture du garage")]))
    assert await texts(store, "facture gar") == ["facture du garage"]
    assert await texts(store, "fact garage") == []
    assert await texts(store, "gar ") == []


async def test_quoted_words_stand_next_to_one_another_in_that_order(store: Store) -> None:
    exact = "Pas de Rendez-vous jeudi"
    for text in (exact, "vous n’avez pas rendez-vous de suite", "de rendez-vous, pas un"):
        await store.commit(Changes(inserts=[said(text, subject="vous jeudi")]))
    for query in (
        '"pas de rendez-vous"',
        "« PÀS DÉ RENDEZ VOUS »",
        "“rendez vous jeudi”",
        'jeudi "pas de"',
        '"pas de rend',
    ):
        assert await texts(store, query) == [exact], query
    for query in (
        '"pas rendez vous jeudi"',
        '"de pas"',
        '"as de rendez-vous"',
        '"vous vous"',
        '"pas de rendez-vou" jeudi',
    ):
        assert await texts(store, query) == [], query
    assert await texts(store, '"vous jeudi"', limit=2) == [
        "de rendez-vous, pas un",
        "vous n’avez pas rendez-vous de suite",
    ]


async def test_quoted_words_are_looked_for_in_the_newest_texts_that_have_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("sqlite", "mongo"):
        monkeypatch.setattr(f"inbox.store.{package}.MOST_CHECKED", 2)
    for text in ("un deux", "deux un", "deux et un"):
        await store.commit(Changes(inserts=[said(text)]))
    assert await texts(store, '"deux un"') == ["deux un"]
    assert await texts(store, '"un deux"') == []
    for package in ("sqlite", "mongo"):
        monkeypatch.setattr(f"inbox.store.{package}.MOST_READ", 100)
    assert await texts(store, '"deux un"') == []


async def test_a_search_stays_within_the_accounts_named(store: Store) -> None:
    await store.commit(Changes(inserts=[said("devis un"), said("devis deux", BERNARD)]))
    assert await texts(store, "devis", ROUX) == ["devis un"]
    assert set(await texts(store, "devis", ROUX, BERNARD)) == {"devis un", "devis deux"}
    assert await store.search(Message, sought("devis"), [], limit=10) == []
    assert len(await texts(store, "devis")) == 2
    [left] = await store.search(Message, sought("devis"), None, outside=BERNARD, limit=10)
    assert left.text == "devis un"
    assert await store.search(Message, sought("devis"), [ROUX], outside=ROUX, limit=10) == []


async def test_what_changes_is_found_as_it_is_now_and_what_is_deleted_no_more(store: Store) -> None:
    contact = make(Contact, id=new_id(), account_id=ROUX, name="Anne Petit")
    await store.commit(Changes(inserts=[contact]))
    before = await store.get(Contact, contact.id)
    await store.commit(Changes(replacements=[msgspec.structs.replace(before, name="Anne Grand")]))
    assert await store.search(Contact, sought("petit"), None, limit=5) == []
    [after] = await store.search(Contact, sought("anne grand"), [ROUX], limit=5)
    await store.commit(Changes(deletions=[after]))
    assert await store.search(Contact, sought("anne"), None, limit=5) == []


async def test_names_addresses_tags_and_attachments_are_found(store: Store) -> None:
    file = Attachment(name="Relevé-2026.pdf", media_type="application/pdf", size=9, path="2")
    address = make(Address, id=new_id(), account_id=ROUX, value="+33612345678")
    matter = make(Conversation, id=new_id(), account_id=ROUX, subject="Dégât", tags=("Sinistre",))
    await store.commit(Changes(inserts=[said("voici", attachments=(file,)), address, matter]))
    assert await texts(store, "releve pdf") == ["voici"]
    assert [a.id for a in await store.search(Address, sought("06 12 34 56 78"), [ROUX], limit=5)] == [address.id]
    assert [c.id for c in await store.search(Conversation, sought("degat sinistre"), None, limit=5)] == [matter.id]


async def test_a_commit_that_fails_leaves_no_words(store: Store) -> None:
    message = said("orphelin")
    stale = msgspec.structs.replace(said("autre"), version=3)
    with pytest.raises(Conflict):
        await store.commit(Changes(inserts=[message], replacements=[stale]))
    assert await texts(store, "orphelin") == []


async def test_what_cannot_be_searched_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="nothing is searched for"):
        await store.search(Message, sought("?!"), None, limit=5)
    with pytest.raises(ValueError, match="receipt is not searched"):
        await store.search(Receipt, sought("mot"), None, limit=5)
