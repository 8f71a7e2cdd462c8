import random
from decimal import Decimal

import pytest

from ledger import account
from ledger.balance import Balances
from ledger.money import Wallet


def test_household(household):
    balances = Balances(household.transactions)
    assert balances.total("Expenses:Food") == Wallet({"EUR": Decimal("69.80")})
    assert balances.own("Expenses:Food") == Wallet()
    assert balances.shown("Income") == Wallet({"EUR": Decimal("2400.00")})
    assert balances.shown("Liabilities:Card")["EUR"] == Decimal("62.50")
    assert not balances.check()


def test_depth(household):
    assert Balances(household.transactions).names(1) == ["Assets", "Equity", "Expenses", "Income", "Liabilities"]


@pytest.mark.parametrize("seed", range(8))
def test_books_sum_to_nothing_and_parents_to_their_children(made_up, seed):
    journal = made_up(700, seed)
    balances = Balances(journal.transactions)
    assert not balances.check()
    names = balances.names()
    for name in names:
        children = [n for n in names if n.rpartition(":")[0] == name]
        whole = balances.own(name)
        for child in children:
            whole += balances.total(child)
        assert whole == balances.total(name), name


def test_order_does_not_matter(made_up):
    transactions = made_up(300).transactions[:]
    want = Balances(transactions)
    random.Random(1).shuffle(transactions)
    got = Balances(transactions)
    assert all(got.total(n) == want.total(n) for n in want.names())


@pytest.mark.parametrize(
    ("name", "parent", "inside"),
    [("Assets:Bank", "Assets", True), ("Assets:Bank", "Assets:Bank", True), ("Assets:Banking", "Assets:Bank", False), ("Assets", "Assets:Bank", False)],
)
def test_below(name, parent, inside):
    assert account.below(name, parent) is inside
