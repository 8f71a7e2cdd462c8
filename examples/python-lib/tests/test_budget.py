import datetime as dt
from decimal import Decimal

import pytest

from ledger.budget import month, standings, year


def test_standings(household):
    food, everything = standings(household, dt.date(2026, 3, 15))
    assert food.spent.number == Decimal("66.70")
    assert food.left.number == Decimal("-6.70")
    assert food.share > 1
    assert everything.spent.number == Decimal("969.80")
    assert everything.start == dt.date(2026, 1, 1)


def test_a_new_month_is_a_new_budget(household):
    food, _ = standings(household, dt.date(2026, 4, 30))
    assert food.spent.number == Decimal("3.10")


@pytest.mark.parametrize("offset", range(0, 1500, 11))
def test_periods_hold_their_day(offset):
    day = dt.date(2023, 12, 25) + dt.timedelta(days=offset)
    for start, end in (month(day), year(day)):
        assert start <= day < end
        assert start.day == end.day == 1
