import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from channels.errors import TemporaryFailure
from channels.mail.doors import Doors
from channels.mail.imap import Imap
from tests.channels.mail.test_mailbox import DESK, SHORT, server_at
from tests.servers.scripted_imap import ScriptedImap


async def test_no_more_than_so_many_connect_to_one_server_at_a_time_and_all_get_in() -> None:
    async with ScriptedImap() as scripted:
        entering = most = 0
        limits = replace(SHORT, doors=Doors(3))

        async def enter() -> None:
            nonlocal entering, most
            async with limits.doors.to("127.0.0.1"):
                entering += 1
                most = max(most, entering)
                await asyncio.sleep(0)
                entering -= 1
            async with Imap(DESK, server_at(scripted), limits):
                pass

        await asyncio.gather(*(enter() for _ in range(12)))
        assert (most, scripted.connections) == (3, 12)


async def test_who_waits_for_a_server_that_says_nothing_waits_for_its_turn_and_then_no_longer_than_others() -> None:
    async with ScriptedImap() as deaf, ScriptedImap() as good:
        deaf.greeting = b""
        limits = replace(SHORT, connect=timedelta(seconds=0.2), doors=Doors(1))
        server = server_at(deaf)

        async def fail() -> None:
            with pytest.raises(TemporaryFailure, match="did not answer in time"):
                async with Imap(DESK, server, limits):
                    pass

        waiting = [asyncio.create_task(fail()) for _ in range(3)]
        await asyncio.sleep(0)
        async with asyncio.timeout(0.15), Imap(DESK, replace(server_at(good), host="localhost"), limits):
            pass  # another server has a door of its own
        await asyncio.gather(*waiting)
        assert deaf.connections == 3


async def test_one_that_is_given_up_while_it_waits_leaves_the_door_to_others() -> None:
    async with ScriptedImap() as scripted:
        limits = replace(SHORT, doors=Doors(1))

        async def enter() -> None:
            async with Imap(DESK, server_at(scripted), limits):
                pass

        async with limits.doors.to("127.0.0.1"):
            task = asyncio.create_task(enter())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        async with asyncio.timeout(3):
            await enter()
