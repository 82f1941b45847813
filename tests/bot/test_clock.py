"""The clock that never goes back, whatever the wall's does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from bot.clock import SteadyClock

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A wall clock somebody sets, and seconds nobody sets."""

    def __init__(self) -> None:
        self.wall = NINE
        self.seconds = 100.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.seconds)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.seconds += seconds

    def is_set(self, by: timedelta) -> None:
        self.wall += by


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_tells_what_the_wall_tells(machine: Machine) -> None:
    assert machine.clock() == NINE
    machine.passes(90)
    assert machine.clock() == NINE + timedelta(seconds=90)


def test_a_wall_set_back_is_not_followed_and_time_goes_on(machine: Machine) -> None:
    machine.is_set(-HOUR)
    told = machine.clock()
    assert told == NINE
    for _ in range(60):
        machine.passes(1)
        assert told < machine.clock()
        told = machine.clock()
    # What was due in a minute is due a few seconds later than that, not an hour.
    assert timedelta(seconds=55) < told - NINE <= timedelta(seconds=60)


def test_the_wall_is_met_again_and_followed(machine: Machine) -> None:
    machine.is_set(-timedelta(minutes=1))
    machine.clock()
    for _ in range(60):
        machine.passes(60)
        machine.clock()
    assert machine.clock() == machine.wall


def test_a_wall_set_forward_is_followed_at_once(machine: Machine) -> None:
    machine.is_set(HOUR)
    assert machine.clock() == NINE + HOUR


def test_forward_and_back_again_never_goes_back(machine: Machine) -> None:
    machine.is_set(HOUR)
    ahead = machine.clock()
    machine.is_set(-HOUR)
    machine.passes(10)
    assert ahead < machine.clock() <= ahead + timedelta(seconds=10)


def test_it_goes_on_from_what_has_been_already(machine: Machine) -> None:
    machine.clock.not_before(NINE + HOUR)
    assert machine.clock() == NINE + HOUR
    machine.passes(60)
    assert NINE + HOUR < machine.clock() <= NINE + HOUR + timedelta(seconds=60)


def test_what_has_been_long_ago_changes_nothing(machine: Machine) -> None:
    machine.clock.not_before(NINE - HOUR)
    assert machine.clock() == NINE


def test_a_store_from_next_year_is_said_and_not_followed(machine: Machine) -> None:
    with capture_logs() as said:
        machine.clock.not_before(NINE + timedelta(days=365))
    assert machine.clock() == NINE
    assert [line["event"] for line in said] == ["clock_far_behind"]


@pytest.mark.parametrize(("by", "direction"), [(HOUR, "forward"), (-HOUR, "back")])
def test_a_jump_is_said_once_by_name(machine: Machine, by: timedelta, direction: str) -> None:
    with capture_logs() as said:
        machine.is_set(by)
        machine.clock()
        machine.passes(1)
        machine.clock()
    assert [(line["event"], line["direction"], line["seconds"]) for line in said] == [
        ("clock_jumped", direction, by.total_seconds())
    ]


def test_what_setting_clocks_by_the_network_does_all_day_is_not_said(machine: Machine) -> None:
    with capture_logs() as said:
        for by in (0.2, -0.2, 1.0, -1.0):
            machine.is_set(timedelta(seconds=by))
            machine.passes(30)
            machine.clock()
    assert said == []
