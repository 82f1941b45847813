"""`permanence mailbox login`: a person allows the desk to use a mailbox whose provider takes no passwords."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from bot import wiring
from bot.config import Settings
from bot.terminal import DEFAULT_CONFIG, ConfigPath, do, expected, fail, read_settings, say
from channels.errors import ChannelError
from channels.mail.imap import Imap
from inbox.parts import ChannelId

mailbox = typer.Typer(help="Mailboxes whose provider takes no passwords.", no_args_is_help=True)


@mailbox.callback()
def _group() -> None:
    """Mailboxes whose provider takes no passwords."""  # a callback, or the one command would take the group's name


@mailbox.command()
def login(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The KEY of a mailbox with an oauth section.")],
    device: Annotated[
        bool, typer.Option("--device", help="Type a code on any device, instead of a browser on this machine.")
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Let a person allow the desk to use this mailbox, keep the permission, and log in once with it."""
    with expected():
        settings = read_settings(config)
        do(_login(settings, name, device=device))


async def _login(settings: Settings, name: str, *, device: bool) -> None:
    # here, for no other command needs it, and it takes a while to load
    from channels.mail.permission import NotGiven, allowed_by_browser, allowed_by_code

    declared = settings.mailboxes.get(name)
    if declared is None:
        fail(f"there is no mailbox {name}", f"Name one of: {', '.join(settings.mailboxes) or 'none yet'}")
    if declared.oauth is None:
        fail(f"mailbox {name} logs in with a password", f"Add a section [mailboxes.{name}.oauth] if it shall not")
    app, file = wiring.permission_of(name, declared.oauth, wiring.kept_beside(settings))
    try:
        token = await (allowed_by_code if device else allowed_by_browser)(app, declared.imap.user, say)
    except NotGiven as failure:
        fail(str(failure), failure.remedy)
    if not token.get("refresh_token"):
        fail(
            "the provider gave no lasting permission (no refresh token)",
            "Take this app's access away in the account's settings at the provider, and start the same command again",
        )
    async with file.held():
        await asyncio.to_thread(file.write, token)
    say(f"✓ {file.path} holds the permission")
    await _try(settings, name)


async def _try(settings: Settings, name: str) -> None:
    """Log in once, so that whoever sits here hears at once what is wrong."""
    declared = settings.mailboxes[name]
    server = wiring.imap_server(name, declared, wiring.kept_beside(settings))
    try:
        async with Imap(ChannelId(f"mail:{name}"), server):
            say(f"✓ {server.host} lets {server.user} in")
    except ChannelError as failure:
        fail(f"{server.host} does not let {server.user} in ({failure.detail})", "permanence check says more")
    finally:
        if server.tokens is not None:
            await server.tokens.close()
