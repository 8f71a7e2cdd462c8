"""What several test files need: a small household's journal, and made-up ones of any size."""

import datetime as dt
import random
from decimal import Decimal

import pytest

from ledger.journal import Journal
from ledger.money import Amount
from ledger.parser import parse
from ledger.transaction import Posting, Transaction

HOUSEHOLD = """\
; a month in a small flat
price 2026-03-01 USD 0.92 EUR
price 2026-03-20 USD 0.90 EUR
price 2026-03-01 GBP 1.25 USD
budget Expenses:Food 60.00 EUR monthly
budget Expenses 20000 EUR yearly

2026-02-28 Opening
  Assets:Bank  1,000.00 EUR
  Assets:Cash  50.00 USD
  Equity:Opening

2026-03-01 Employer #salary
  Assets:Bank  2400.00 EUR
  Income:Salary

2026-03-02 Bakery Schmidt #food
  Expenses:Food:Bread  4.20 EUR  ; two loaves
  Assets:Bank

2026-03-05 Corner café #food #fun
  Expenses:Food:Out  62.50 EUR
  Liabilities:Card

2026-03-09 Landlord
  Expenses:Rent  900.00 EUR
  Assets:Bank

2026-04-01 Bakery Schmidt #food
  Expenses:Food:Bread  3.10 EUR
  Assets:Bank
"""

ACCOUNTS = ["Assets:Bank", "Assets:Cash", "Expenses:Food", "Expenses:Food:Out", "Expenses:Rent", "Income:Salary", "Liabilities:Card"]


@pytest.fixture
def household() -> Journal:
    return parse(HOUSEHOLD, "household")


@pytest.fixture
def made_up():
    """A function that makes a journal of n random transactions from a seed."""

    def make(n: int, seed: int = 0) -> Journal:
        source = random.Random(seed)
        journal = Journal()
        for i in range(n):
            postings = [
                Posting(source.choice(ACCOUNTS), Amount(Decimal(source.randint(-10**6, 10**6)) / 100, source.choice(["EUR", "USD", "GBP"])))
                for _ in range(source.randint(1, 4))
            ]
            postings.append(Posting("Equity:Rest"))
            if not sum(p.amount.number != 0 for p in postings if p.amount):
                continue
            try:
                day = dt.date(2020, 1, 1) + dt.timedelta(days=source.randint(0, 2000))
                tags = frozenset(source.sample(["food", "fun", "tax"], source.randint(0, 2)))
                journal.add(Transaction.balanced(day, f"payee {i % 37}", postings, tags))
            except Exception as error:
                assert "nothing is left" in str(error)
        return journal

    return make
