"""What a mail server's report says must be done, and what the last word on a recipient is."""

from __future__ import annotations

import msgspec
import pytest

from inbox.model import Delivery
from inbox.notices import Letter
from inbox.particulars import Failure, FailureKind
from inbox.parts import BlobId
from inbox.reports import MOST_REPORTED, advice, is_for_first, marked, said_of
from tests.builders import a_conversation, a_message, a_reply

PAUL, NORA = "paul.martin@example.net", "nora@example.org"


def failure(
    address: str = PAUL, *, kind: FailureKind = FailureKind.PERMANENT, code: str = "5.1.1", says: str = ""
) -> Failure:
    return Failure(address=address, kind=kind, code=code, says=says)


def a_delivery(*recipients: str) -> Delivery:
    message = a_message(a_conversation())
    letter = Letter(
        sender="cabinet@roux.example", recipients=recipients, blob_id=BlobId("b"), message_id=message.external_id
    )
    return a_reply(message, payload=letter)


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("5.1.1", "address"), ("5.1.10", "address"), ("5.1.0", "address"), ("4.1.1", "address"),
        ("5.1.2", "domain"), ("5.4.4", "domain"), ("5.4.310", "domain"), ("5.2.2", "full"), ("4.2.2", "full"),
        ("5.2.1", "closed"), ("5.2.3", "too_large"), ("5.3.4", "too_large"), ("5.7.1", "refused"),
        ("5.7.26", "refused"), ("5.1.8", "refused"), ("5.6.0", "refused"), ("4.4.7", "unreachable"),
        ("5.4.7", "unreachable"), ("5.0.0", "other"), ("5.3.0", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_the_status_chooses_the_advice(code: str, key: str) -> None:
    assert advice(failure(code=code)) == f"undelivered.{key}"


def test_what_may_pass_is_said_to() -> None:
    assert advice(failure(kind=FailureKind.TEMPORARY, code="4.3.0")) == "undelivered.temporary"


def test_the_last_word_on_a_recipient_counts_and_a_failure_is_the_last() -> None:
    delivery = a_delivery(PAUL)
    delayed = failure(kind=FailureKind.DELAYED, code="4.4.1")
    (once,) = marked([delivery], [delayed])
    assert once.reported == (delayed,)
    assert marked([once], [delayed]) == []
    (failed,) = marked([once], [failure()])
    assert failed.reported == (failure(),)
    assert marked([failed], [delayed, failure(), failure(code="5.2.2")]) == []


def test_each_delivery_bears_what_concerns_its_own_recipients() -> None:
    paul, nora = a_delivery("Paul.Martin@example.net"), a_delivery(NORA)
    assert [d.id for d in marked([paul, nora], [failure(NORA)])] == [nora.id]
    assert [d.id for d in marked([paul, nora], [failure(PAUL), failure(NORA)])] == [paul.id, nora.id]
    # An address that changed on the way can be anybody's.
    assert [d.id for d in marked([paul, nora], [failure("u4711@backend.example")])] == [paul.id]


def test_a_report_that_names_nobody_is_about_the_only_recipient() -> None:
    (delivery,) = marked([a_delivery(PAUL)], [failure("")])
    assert [f.address for f in said_of(delivery)] == [PAUL]


def test_a_report_of_ten_thousand_recipients_is_bounded() -> None:
    (delivery,) = marked([a_delivery(PAUL)], [failure(f"u{n}@example.net") for n in range(10_000)])
    assert len(delivery.reported) == MOST_REPORTED


def test_a_copy_that_bounces_leaves_nobody_waiting() -> None:
    message = msgspec.structs.replace(a_message(a_conversation()), recipients=(PAUL, NORA))
    assert is_for_first(message, failure(PAUL))
    assert is_for_first(message, failure("u4711@backend.example"))
    assert not is_for_first(message, failure(NORA))
