import datetime as dt

import pytest

from ledger.balance import Balances
from ledger.budget import standings
from ledger.report import balance_sheet, budget_bars, register, table, width


def test_balance_sheet(household):
    lines = balance_sheet(Balances(household.transactions)).splitlines()
    assert lines[0].split() == ["Assets", "2,492.70", "EUR"]
    assert lines[1].split() == ["50.00", "USD"]
    assert len({len(line) for line in lines}) == 1, "amounts are flush right"


def test_register_runs(household):
    lines = register(household.transactions, "Expenses:Food").splitlines()
    assert [line.split()[0] for line in lines] == ["2026-03-02", "2026-03-05", "2026-04-01"]
    assert lines[-1].endswith("69.80 EUR")


def test_bars(household):
    food, everything = budget_bars(standings(household, dt.date(2026, 3, 15)), 10).splitlines()
    assert "[##########!]" in food
    assert "[..........]" in everything


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("café", 4), ("cafe\u0301", 4), ("漢字", 4), ("", 0)])
def test_width(text, columns):
    assert width(text) == columns


def test_wide_characters_stay_aligned():
    assert table([("漢字", "1"), ("abcd", "22")], frozenset({1})) == "漢字   1\nabcd  22\n"
