import random
from decimal import Decimal

import pytest

from ledger.money import Amount, Wallet


@pytest.mark.parametrize(
    ("text", "number", "currency"),
    [("12.50 EUR", "12.50", "EUR"), ("1,234,567.8 USD", "1234567.8", "USD"), ("-3 GBP", "-3", "GBP"), (".5EUR", "0.5", "EUR"), ("+7 XAU", "7", "XAU")],
)
def test_parse(text, number, currency):
    assert Amount.parse(text) == Amount(Decimal(number), currency)


@pytest.mark.parametrize("text", ["", "12", "EUR", "12 eur", "1.2.3 EUR", "twelve EUR", "12 EUR EUR", "€12"])
def test_parse_refuses(text):
    with pytest.raises(ValueError, match="is no"):
        Amount.parse(text)


def test_floats_stay_out():
    with pytest.raises(TypeError):
        Amount(0.1, "EUR")


def test_currencies_do_not_mix():
    with pytest.raises(ValueError, match="EUR and USD"):
        Amount.parse("1 EUR") + Amount.parse("1 USD")


@pytest.mark.parametrize(("number", "rounded"), [("0.125", "0.12"), ("0.135", "0.14"), ("-0.125", "-0.12"), ("2", "2.00")])
def test_rounding_is_the_bankers(number, rounded):
    assert str(Amount(Decimal(number), "EUR").rounded().number) == rounded


@pytest.mark.parametrize("seed", range(10))
def test_split_loses_nothing(seed):
    source = random.Random(seed)
    for _ in range(2000):
        whole = Amount(Decimal(source.randint(-10**7, 10**7)) / 100, "EUR")
        parts = whole.split(source.randint(1, 13))
        assert sum((p.number for p in parts), Decimal(0)) == whole.number
        assert max(p.number for p in parts) - min(p.number for p in parts) <= Decimal("0.01")


def test_split_refuses_fractions_of_cents():
    with pytest.raises(ValueError, match="more than 2 places"):
        Amount(Decimal("0.001"), "EUR").split(2)


def test_wallet_forgets_what_is_empty():
    wallet = Wallet.of(Amount.parse("1 EUR"), Amount.parse("2 USD"), Amount.parse("-1 EUR"))
    assert list(wallet) == ["USD"]
    assert not wallet - wallet
    assert str(Wallet()) == "0"


@pytest.mark.parametrize("seed", range(5))
def test_wallets_are_a_group(seed):
    source = random.Random(seed)

    def wallet():
        return Wallet({c: Decimal(source.randint(-9, 9)) for c in ("EUR", "USD", "GBP")})

    for _ in range(2000):
        a, b, c = wallet(), wallet(), wallet()
        assert a + b == b + a
        assert (a + b) + c == a + (b + c)
        assert a - a == Wallet()
        assert hash(a + b - b) == hash(a)
