import datetime as dt
from decimal import Decimal

import pytest

from ledger.errors import ParseError
from ledger.parser import parse
from ledger.writer import write


def test_household(household):
    assert len(household.transactions) == 6
    bakery = household.transactions[2]
    assert (bakery.payee, bakery.tags, bakery.line) == ("Bakery Schmidt", {"food"}, 17)
    assert bakery.postings[0].note == "two loaves"
    assert bakery.postings[1].amount.number == Decimal("-4.20")
    assert len(household.prices) == 3
    assert [b.period for b in household.budgets] == ["monthly", "yearly"]


def test_the_missing_amount_takes_every_currency(household):
    opening = household.transactions[0]
    assert {str(p.amount) for p in opening.postings if p.account == "Equity:Opening"} == {"-1,000.00 EUR", "-50.00 USD"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("hello\n", "1:1", "begins nothing known"),
        ("2026-13-01 x\n", "1:1", "is no date"),
        ("  Assets:Cash  1 EUR\n", "1:1", "no transaction above"),
        ("2026-03-01 x\n  Assets:Cash  1 EUR\n", "1:1", "at least two postings"),
        ("\n2026-03-01 x\n  Assets:Cash  1 EUR\n  Assets:Bank  1 EUR\n", "2:1", "off by 2 EUR"),
        ("2026-03-01 x\n  Assets:Cash\n  Assets:Bank\n", "1:1", "only one posting"),
        ("2026-03-01 x\n  Assets:Cash 1 EUR\n", "2:3", "two blanks"),
        ("2026-03-01 x\n  Money:Cash  1 EUR\n", "2:3", "begins with none of"),
        ("2026-03-01 x\n  Assets:cash  1 EUR\n", "2:3", "begins with a capital"),
        ("2026-03-01 x\n  Assets:Cash  one EUR\n", "2:16", "is no amount"),
        ("price 2026-03-01 USD\n", "1:1", "want: price"),
        ("price 2026-03-01 USD 0 EUR\n", "1:1", "more than nothing"),
        ("budget Expenses 5 EUR weekly\n", "1:1", "want: budget"),
    ],
)
def test_every_mistake_has_a_place(text, place, message):
    with pytest.raises(ParseError, match=message) as caught:
        parse(text, "book")
    assert str(caught.value).startswith(f"book:{place}: ")


def test_order_is_by_date_then_by_place():
    text = "".join(f"2026-03-{day:02} p{i}\n  Assets:A  1 EUR\n  Assets:B\n\n" for i, day in enumerate([3, 1, 3, 2, 1]))
    assert [t.payee for t in parse(text).transactions] == ["p1", "p4", "p3", "p0", "p2"]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_written_is_read_back(made_up, seed):
    journal = made_up(400, seed)
    again = parse(write(journal.transactions))
    assert len(again.transactions) == len(journal.transactions)
    for old, new in zip(journal.transactions, again.transactions, strict=True):
        assert (old.date, old.payee, old.tags) == (new.date, new.payee, new.tags)
        assert [(p.account, p.amount) for p in old.postings] == [(p.account, p.amount) for p in new.postings]


def test_between(household):
    march = list(household.between(dt.date(2026, 3, 1), dt.date(2026, 4, 1)))
    assert [t.date.month for t in march] == [3, 3, 3, 3]
