"""SIGKILL just before and just after every commit the program makes: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inbox.model import Delivery, DeliveryKind, DeliveryState
from inbox.store.documents import DELIVERIES_BY_STATE
from inbox.store.sqlite import SqliteStore
from tests.crash import scenes
from tests.crash.boundaries import boundaries
from tests.crash.day import WITHIN, Day
from tests.crash.mortal import Death, Plant, When
from tests.crash.nursery import Nursery

REPLY = "DeliveryKind.REPLY"
HEREDITARY: tuple[Plant, ...] = ("shared", "watchful")
"""What is planted in the next worker as well."""


@dataclass(frozen=True)
class Scene:
    """What is sure to pass a boundary.

    Attributes:
        act: what people do; it ends when they see its effect.
        holding: words the commit must hold, where the boundary serves several purposes.
        plants: what is planted in the worker that dies, and in the next where it is hereditary.
        earlier: what happened before it was started.
        undo: seconds a reply can be taken back.
        fresh: the desk's very first start, nobody there yet.
        by_command: it is the command line that dies, beside a worker that lives.
        replies: what becomes of the reply, and how often it arrives: (killed before, killed after).
    """

    act: Callable[[Day], Coroutine[Any, Any, object]]
    holding: str = ""
    plants: tuple[Plant, ...] = ()
    earlier: Callable[[Day], Coroutine[Any, Any, None]] | None = None
    undo: int = 0
    fresh: bool = False
    by_command: bool = False
    replies: tuple[tuple[DeliveryState, int], tuple[DeliveryState, int]] | None = None


PASSED_ON = {
    "handlers.desk:Unit._commit": "every call of unit.commit and unit.ignore passes it, and each has a scene",
    "handlers.incoming:accepting.accept": "it calls _Kept.commit, which has a scene",
}
"""Calls whose every commit is another boundary's."""

ELSEWHERE = {
    "bot.copy": "tests/bot/test_copy.py breaks off the copying before and after each commit to either store",
    "bot.people_cli:_scrubbed": "where no worker runs; with one it is its boundary, which has a scene",
}
"""Boundaries, or modules of them, whose deaths are another test's."""

SENT, UNKNOWN = DeliveryState.SENT, DeliveryState.UNKNOWN

SCENES: dict[str, list[Scene]] = {
    "bot.cli:_invite": [Scene(scenes.paul_joins, by_command=True)],
    "bot.ledger_cli:_replay_one": [
        Scene(scenes.the_parked_mail_is_replayed, earlier=scenes.a_mail_met_a_bug, by_command=True)
    ],
    "bot.worker:_say_what_is_declared": [Scene(scenes.somebody_comes_without_a_link, fresh=True)],
    "bot.worker:_signing_key": [Scene(scenes.somebody_comes_without_a_link, fresh=True)],
    "handlers.actions:_settle": [Scene(scenes.anne_notes)],
    "handlers.actions:_show": [Scene(scenes.anne_looks_back)],
    "handlers.addressing:_settle": [Scene(scenes.anne_takes_a_file_out)],
    "handlers.addressing:name_copies": [Scene(scenes.anne_names_a_copy)],
    "handlers.business:_ignore": [Scene(scenes.somebody_nobody_works_for_connects_us)],
    "handlers.business:_settle": [
        Scene(scenes.the_doctor_connects_her_telegram),
        Scene(scenes.a_patient_is_answered_in_the_doctors_name, holding="Docteur, un mot ?"),
        Scene(scenes.the_doctor_answers_herself, holding="Venez, je suis là."),
        Scene(scenes.a_patient_takes_a_word_back, holding="withdrawn"),
    ],
    "handlers.calls:_settle": [
        Scene(scenes.anne_says_for_whom_a_call_was),
        Scene(scenes.anne_turns_a_page_of_accounts),
        Scene(scenes.anne_takes_a_call),
        Scene(scenes.anne_corrects_a_call),
        Scene(scenes.anne_marks_a_call),
        Scene(scenes.anne_throws_a_call_away),
        Scene(scenes.anne_passes_on_what_she_changed_since),
    ],
    "handlers.calls:pass_on": [
        Scene(scenes.anne_passes_a_call_on, replies=((SENT, 1), (SENT, 1))),
        Scene(scenes.anne_passes_a_call_on_in_telegram),
    ],
    "handlers.calls:tell_account": [Scene(scenes.anne_tells_the_account_of_a_call)],
    "handlers.client:_arrive": [Scene(scenes.somebody_comes_without_a_link)],
    "handlers.client:_arrive 2": [Scene(scenes.somebody_comes_through_a_link)],
    "handlers.client:_join": [Scene(scenes.somebody_comes_with_an_invitation_of_nobodys)],
    "handlers.client:_join 2": [Scene(scenes.paul_joins)],
    "handlers.client:_join 3": [Scene(scenes.paul_joins)],
    "handlers.client:_write": [Scene(scenes.lucas_writes_the_code)],
    "handlers.client:_write 2": [Scene(scenes.the_same_message_comes_under_two_numbers)],
    "handlers.client:_write 3": [Scene(scenes.lucas_writes)],
    "handlers.client:note_blocked": [Scene(scenes.lucas_blocks_us)],
    "handlers.client:note_blocked 2": [Scene(scenes.a_stranger_blocks_us)],
    "handlers.client:take_update": [Scene(scenes.a_client_presses_a_secretarys_button)],
    "handlers.conversations:ask_place": [Scene(scenes.a_stranger_is_placed)],
    "handlers.conversations:close": [Scene(scenes.anne_closes_one)],
    "handlers.conversations:decide": [Scene(scenes.a_reply_that_was_refused_is_sent_again)],
    "handlers.conversations:hand_files": [Scene(scenes.anne_opens_a_file)],
    "handlers.conversations:hand_sounds": [Scene(scenes.anne_listens)],
    "handlers.conversations:hand_whole": [Scene(scenes.anne_opens_a_mail_whole)],
    "handlers.conversations:place": [Scene(scenes.a_stranger_is_placed)],
    "handlers.conversations:show": [Scene(scenes.anne_wants_it_anew)],
    "handlers.crew:Crew._beat": [Scene(scenes.a_mail_comes, plants=("shared",))],
    "handlers.crew:Crew._note": [
        Scene(scenes.a_mail_comes, plants=("shared",), earlier=scenes.a_worker_died_among_others)
    ],
    "handlers.crew:Crew._note 2": [
        Scene(scenes.a_mail_comes, plants=("shared",), earlier=scenes.a_worker_died_among_others)
    ],
    "handlers.crew:Crew._share_out": [Scene(scenes.another_worker_comes, plants=("shared",))],
    "handlers.crew:Crew._take": [Scene(scenes.a_mail_comes, plants=("shared",))],
    "handlers.crew:Crew.claim": [Scene(scenes.a_mail_comes, plants=("shared",))],
    "handlers.crew:Crew.give_back": [Scene(scenes.a_mail_comes, plants=("shared",))],
    "handlers.crew:Crew.join": [Scene(scenes.a_mail_comes, plants=("shared",))],
    "handlers.crew:Crew.leave": [Scene(scenes.the_worker_leaves_the_others, plants=("shared",))],
    "handlers.deliveries:Deliveries._lease": [
        Scene(scenes.a_mail_comes),
        Scene(scenes.a_mail_is_answered, holding=REPLY, replies=((SENT, 1), (UNKNOWN, 0))),
        Scene(scenes.a_message_is_answered, holding=REPLY, replies=((SENT, 1), (UNKNOWN, 0))),
    ],
    "handlers.deliveries:Deliveries._put_off": [
        Scene(scenes.a_message_is_answered, plants=("busy",), replies=((SENT, 1), (SENT, 1)))
    ],
    "handlers.deliveries:Deliveries._recover": [
        Scene(
            scenes.it_may_have_left,
            earlier=scenes.a_reply_was_leaving_when_the_worker_died,
            replies=((UNKNOWN, 0), (UNKNOWN, 0)),
        )
    ],
    "handlers.deliveries:Deliveries._settle": [
        Scene(scenes.a_mail_comes),
        Scene(scenes.a_mail_comes_in_a_topic, holding="thread_key="),
        Scene(scenes.a_card_is_pinned, holding="PinNotice("),
        Scene(scenes.anne_passes_a_call_on_in_telegram, holding="told_principal"),
        Scene(scenes.a_mail_is_answered, holding=REPLY, replies=((UNKNOWN, 1), (SENT, 1))),
        Scene(scenes.a_message_is_answered, holding=REPLY, replies=((UNKNOWN, 1), (SENT, 1))),
    ],
    "handlers.drafts:_write_unaddressed": [Scene(scenes.anne_is_asked_which)],
    "handlers.drafts:discard": [Scene(scenes.anne_throws_her_draft_away)],
    "handlers.drafts:edit_words": [Scene(scenes.anne_corrects_her_words)],
    "handlers.drafts:explain_edit": [Scene(scenes.anne_asks_how_to_edit)],
    "handlers.drafts:put": [Scene(scenes.anne_drafts)],
    "handlers.sending:refuse_for_now": [
        Scene(scenes.anne_sends_without_having_read_the_newest),
        Scene(scenes.anne_sends_before_the_file_is_here),
    ],
    "handlers.drafts:refuse_others": [Scene(scenes.anne_sends_a_place)],
    "handlers.sending:show_newest": [Scene(scenes.anne_sends_an_old_preview)],
    "handlers.sending:send": [Scene(scenes.a_mail_is_answered, replies=((SENT, 1), (SENT, 1)))],
    "handlers.sending:undo": [Scene(scenes.anne_takes_her_reply_back, undo=3600)],
    "handlers.drafts:unknown_command": [Scene(scenes.anne_mistypes_a_command)],
    "handlers.forgetting:_commit": [Scene(scenes.sophie_is_forgotten, by_command=True)],
    "handlers.forgetting:begin": [Scene(scenes.sophie_is_forgotten, by_command=True)],
    "handlers.gathering:_offered": [Scene(scenes.anne_asks_which_are_one_person)],
    "handlers.gathering:join": [Scene(scenes.anne_joins_two_people)],
    "handlers.gathering:merge": [Scene(scenes.anne_merges_two)],
    "handlers.gathering:move": [Scene(scenes.anne_moves_one)],
    "handlers.gathering:set_apart": [Scene(scenes.anne_sets_a_message_apart)],
    "handlers.gathering:speak": [Scene(scenes.anne_says_how_to_write_to_her)],
    "handlers.forums:admitted": [Scene(scenes.lucas_talks_in_a_group)],
    "handlers.forums:link": [Scene(scenes.anne_links_a_group)],
    "handlers.handover:Handover._keep_one": [Scene(scenes.anne_adds_a_photo)],
    "handlers.handover:Handover._tell_owners": [
        Scene(scenes.the_mail_server_wants_a_password, replies=((UNKNOWN, 0), (UNKNOWN, 0)))
    ],
    "handlers.importing:Importing._take": [Scene(scenes.old_mail_is_brought_in, by_command=True)],
    "handlers.incoming:Incoming._count_deaths": [
        Scene(scenes.it_is_seen_at_last, earlier=scenes.a_message_waits_whose_worker_died)
    ],
    "handlers.incoming:Incoming._decide": [Scene(scenes.an_update_of_an_unknown_kind_comes)],
    "handlers.incoming:Incoming._handle": [
        Scene(scenes.anne_asks_for_the_help_and_it_is_forgotten, plants=("forgets",))
    ],
    "handlers.incoming:Incoming._park": [Scene(scenes.an_unreadable_update_comes)],
    "handlers.incoming:Incoming._take_mail": [Scene(scenes.a_mail_comes_again)],
    "handlers.incoming:Incoming._take_mail 2": [Scene(scenes.a_mail_comes)],
    "handlers.incoming:Incoming._take_update": [Scene(scenes.anne_presses_what_is_no_button)],
    "handlers.incoming:_Kept.commit": [
        Scene(scenes.a_mail_comes, holding="mail:cabinet"),
        Scene(scenes.lucas_writes, holding="telegram:desk"),
    ],
    "handlers.incoming:spare_the_waiting": [
        Scene(
            scenes.the_worker_is_told_to_stop,
            plants=("hangs",),
            earlier=scenes.a_message_waits_whose_worker_died,
        )
    ],
    "handlers.instructions:_settle": [Scene(scenes.anne_gives_an_instruction)],
    "handlers.on_call:_settle": [Scene(scenes.the_plumber_is_on_call)],
    "handlers.middleware:OneSentence._say": [Scene(scenes.anne_writes_to_nobody)],
    "handlers.middleware:OneSentence._say 2": [Scene(scenes.anne_takes_the_next_of_nothing)],
    "handlers.presence:come": [Scene(scenes.anne_leaves_and_comes_back)],
    "handlers.presence:leave": [Scene(scenes.anne_leaves_and_comes_back)],
    "handlers.presence:press_duty": [Scene(scenes.anne_leaves_by_button)],
    "handlers.principals:_press": [Scene(scenes.the_doctor_presses_what_is_a_secretarys)],
    "handlers.principals:_say": [
        Scene(scenes.the_doctor_joins),
        Scene(scenes.anne_opens_the_doctors_link),
        Scene(scenes.the_plumber_chooses_how_messages_come, holding="way=<Way.URGENT"),
        Scene(scenes.the_plumber_has_seen_it, holding="alarm_seen"),
    ],
    "handlers.principals:_settle": [Scene(scenes.anne_asks_who_speaks_for_an_account)],
    "handlers.proving:_send": [Scene(scenes.anne_has_a_proof_mailed)],
    "handlers.proving:ask": [Scene(scenes.anne_asks_for_a_proof)],
    "handlers.proving:opened": [Scene(scenes.lucas_opens_the_link_again)],
    "handlers.proving:opened 2": [Scene(scenes.lucas_opens_the_link)],
    "handlers.queue:_dealt": [Scene(scenes.anne_leaves_and_comes_back)],
    "handlers.queue:_take_next": [Scene(scenes.anne_takes_the_next)],
    "handlers.queue:refresh_queue": [Scene(scenes.anne_refreshes_the_queue)],
    "handlers.queue:release": [Scene(scenes.anne_puts_one_back)],
    "handlers.queue:show_queue": [Scene(scenes.anne_looks_at_the_queue)],
    "handlers.queue:turn_page": [Scene(scenes.anne_lists_the_accounts)],
    "handlers.queue:take": [Scene(scenes.lise_takes_what_anne_has)],
    "handlers.queue:take 2": [Scene(scenes.anne_takes_one)],
    "handlers.reconciling:_note": [Scene(scenes.a_receipt_that_vanished_is_found, by_command=True)],
    "handlers.reconciling:_take_back": [Scene(scenes.a_receipt_that_vanished_is_found, by_command=True)],
    "handlers.restored:_stands": [
        Scene(scenes.the_desk_is_told_of_its_backup, earlier=scenes.the_store_comes_from_a_backup)
    ],
    "handlers.search:_show": [Scene(scenes.anne_searches)],
    "handlers.separating:_asked": [Scene(scenes.anne_takes_an_address_out)],
    "handlers.separating:take_out": [Scene(scenes.anne_takes_an_address_out)],
    "handlers.set_aside:_settle": [Scene(scenes.lise_approves_annes_reply, replies=((SENT, 1), (SENT, 1)))],
    "handlers.set_aside:show_asked": [Scene(scenes.lise_looks_at_what_is_to_be_approved)],
    "handlers.start:show_help": [Scene(scenes.anne_asks_for_the_help)],
    "handlers.team:review": [Scene(scenes.anne_has_pauls_replies_read)],
    "handlers.team:show": [Scene(scenes.anne_looks_at_the_team)],
    "handlers.team:show_links": [Scene(scenes.anne_looks_at_the_links)],
    "handlers.team:turn_links": [Scene(scenes.anne_turns_a_page_of_the_links)],
    "handlers.team:turn": [Scene(scenes.anne_turns_a_page_of_the_team)],
    "handlers.templates:drop": [Scene(scenes.anne_drops_a_template)],
    "handlers.templates:find": [Scene(scenes.anne_looks_for_a_template)],
    "handlers.templates:keep": [Scene(scenes.anne_keeps_a_template)],
    "handlers.templates:list_all": [Scene(scenes.anne_reads_her_templates)],
    "handlers.templates:show": [Scene(scenes.anne_reads_her_templates)],
    "handlers.timers:do_due": [
        Scene(scenes.the_moment_comes_that_anne_put_one_off_to),
        Scene(scenes.the_moment_comes_for_annes_reply, replies=((SENT, 1), (SENT, 1))),
        Scene(scenes.the_moment_comes_that_an_instruction_is_over),
        Scene(scenes.the_hour_of_the_plumbers_digest_comes, holding="digest"),
        Scene(scenes.the_plumber_is_called_again, holding="Alarm("),
        Scene(scenes.the_plumbers_days_begin, holding="OnCall("),
    ],
    "handlers.topics:press": [Scene(scenes.anne_wants_topics_by_button)],
    "handlers.topics:say_or_set": [Scene(scenes.anne_wants_topics)],
    "handlers.upkeep:Upkeep._commit": [Scene(scenes.sophie_is_forgotten)],
    "handlers.watchkeeping:Pulses._write": [Scene(scenes.a_mail_comes)],
    "handlers.watchkeeping:_Watch._habits": [Scene(scenes.a_mail_comes, plants=("watchful",))],
    "handlers.watchkeeping:_Watch._tell": [Scene(scenes.the_mailbox_is_down_for_a_while, plants=("watchful",))],
    "handlers.watchkeeping:tell_login_rejected": [Scene(scenes.the_mailbox_refuses_our_password)],
    "inbox.conversations:Numbers._take_block": [Scene(scenes.a_mail_comes)],
}
"""One line a boundary: its name, and what is sure to pass it."""


def test_every_boundary_has_a_scene() -> None:
    found = boundaries()
    known = SCENES.keys() | PASSED_ON.keys()
    known |= {name for name in found if name in ELSEWHERE or name.partition(":")[0] in ELSEWHERE}
    without = [f"{found[name].name} ({found[name].path.name}:{found[name].line})" for name in found.keys() - known]
    assert not without, (
        f"{', '.join(sorted(without))}: a commit nobody has died at. Add a line to SCENES in {Path(__file__).name}: "
        "the boundary's name, and the scene of tests/crash/scenes.py that is sure to pass it (several boundaries may "
        "share one; a new scene does what people do, and ends when they see that it took effect). A call that only "
        "hands on to another boundary goes to PASSED_ON, with the reason."
    )
    gone = known - found.keys()
    assert not gone, f"{', '.join(sorted(gone))}: no longer in the code; take the line away"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted(SCENES))
async def test_killed_at(name: str, nursery: Nursery, morning: Path, tmp_path: Path) -> None:
    """Each scene, killed before and after, side by side."""
    deaths: list[tuple[Scene, When]] = [(scene, when) for scene in SCENES[name] for when in ("before", "after")]
    async with asyncio.TaskGroup() as group:
        for number, (scene, when) in enumerate(deaths):
            directory = tmp_path / str(number)
            directory.mkdir()
            group.create_task(_played(Day(directory, nursery, undo=scene.undo), scene, name, when, morning))


async def _played(day: Day, scene: Scene, name: str, when: When, morning: Path) -> None:
    death = Death(name, when, scene.holding)
    async with day.open(before=None if scene.fresh else morning):
        if scene.earlier is not None:
            await scene.earlier(day)
        async with asyncio.timeout(WITHIN):
            if scene.by_command:
                day.of_the_command = death
                await day.start()
                await scene.act(day)
                assert day.of_the_command is None
            else:
                await _killed(day, scene, death)
            await day.settles()
        await day.is_true()
        if scene.replies is not None:
            await _replied(day, scene.replies[when == "after"])


async def _killed(day: Day, scene: Scene, death: Death) -> None:
    worker = await day.start(death, scene.plants)
    acting = asyncio.create_task(scene.act(day))
    dying = asyncio.create_task(worker.ended())
    try:
        # What people wait for may show before the commit that records it.
        await asyncio.wait((acting, dying), return_when=asyncio.FIRST_COMPLETED)
        if not dying.done():
            await acting
            await asyncio.wait((dying,), timeout=10)
        assert dying.done(), f"{death} was not reached: {worker.last_words()}"
        assert dying.result() == -signal.SIGKILL, worker.last_words()
        day.deaths += 1
        await day.start(plants=tuple(plant for plant in scene.plants if plant in HEREDITARY))
        await acting
    finally:
        acting.cancel()
        dying.cancel()
        await asyncio.gather(acting, dying, return_exceptions=True)


async def _replied(day: Day, expected: tuple[DeliveryState, int]) -> None:
    """The one reply ended as is honest, and arrived as often as it can have."""
    found: list[Delivery] = []
    async with SqliteStore(day.store) as store:
        for channel in ("mail:cabinet", "telegram:desk"):
            for state in DeliveryState:
                found += await store.list(DELIVERIES_BY_STATE, channel, DeliveryKind.REPLY, state)
    (reply,) = found
    assert (reply.state, day.arrived(day.written[0])) == expected
