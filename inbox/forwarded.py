"""Mails that a client hands on: the conversation is with who first wrote, and who hands it on stays its author.

All that is known of the first writer is what the other says. So it only ever
opens a conversation: nobody gets into one by naming who takes part in it.
"""

from __future__ import annotations

import msgspec

from inbox.accounts import is_own_address
from inbox.envelope import Envelope, Sender
from inbox.matching import id_of_part
from inbox.model import Account, AddressKind, Message
from inbox.particulars import Forward


def first_writer(account: Account, envelope: Envelope, forward: Forward) -> Sender | None:
    """Whom a conversation about what was handed on is with; None where that is whoever sent it to us."""
    address = forward.address
    if not address or address == envelope.sender.value or is_own_address(account, address):
        return None
    return Sender(kind=AddressKind.MAIL, value=address, name=forward.name)


def first_writer_of(message: Message, account: Account) -> str:
    """The address of who first wrote what a message hands on; "" where it names nobody but us."""
    address = next((forward.address for forward in message.particulars.forwards), "")
    return "" if is_own_address(account, address) else address


def apart(envelope: Envelope) -> list[Envelope]:
    """One envelope for each mail that was handed on; the same where there is one, or none.

    Each says all that its sender says, and is known by an id of its own that
    is the same whenever the mail comes again.
    """
    forwards = envelope.particulars.forwards
    if not forwards:
        return [envelope]
    return [
        msgspec.structs.replace(
            envelope,
            external_id=envelope.external_id if number == 0 else id_of_part(envelope.external_id, number),
            particulars=msgspec.structs.replace(envelope.particulars, forwards=(forward,)),
        )
        for number, forward in enumerate(forwards)
    ]
