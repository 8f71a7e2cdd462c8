import datetime as dt
from decimal import Decimal

import pytest

from ledger.errors import LedgerError
from ledger.money import Amount, Wallet
from ledger.prices import Exchange

MARCH = dt.date(2026, 3, 10)


def test_the_last_price_counts(household):
    exchange = Exchange(household.prices)
    assert exchange.rate("USD", "EUR", MARCH) == Decimal("0.92")
    assert exchange.rate("USD", "EUR", dt.date(2026, 3, 20)) == Decimal("0.90")


def test_over_two_steps(household):
    exchange = Exchange(household.prices)
    assert exchange.rate("GBP", "EUR", MARCH) == Decimal("1.25") * Decimal("0.92")


def test_there_and_back(household):
    exchange = Exchange(household.prices)
    back = exchange.rate("GBP", "EUR", MARCH) * exchange.rate("EUR", "GBP", MARCH)
    assert abs(back - 1) < Decimal("1e-20")


def test_value_of_a_wallet(household):
    wallet = Wallet({"EUR": Decimal(10), "USD": Decimal(100), "GBP": Decimal(4)})
    assert Exchange(household.prices).value(wallet, "EUR", MARCH) == Amount(Decimal("106.60"), "EUR")


@pytest.mark.parametrize(("source", "day"), [("USD", dt.date(2026, 2, 1)), ("CHF", MARCH)])
def test_no_way(household, source, day):
    with pytest.raises(LedgerError, match="no price leads"):
        Exchange(household.prices).rate(source, "EUR", day)
