import datetime as dt
import random
from decimal import Decimal

import pytest

from ledger.bank_csv import Profile, Rule, convert
from ledger.errors import LedgerError
from ledger.journal import Journal

ENGLISH = "date,payee,amount\n2026-03-02,Bakery Schmidt,-4.20\n2026-03-03,Employer,\"2,400.00\"\n"
GERMAN = "Buchung;Empfänger;Betrag\n02.03.2026;Bäckerei;-4,20\n03.03.2026;Arbeitgeber;2.400,00\n"


def test_english_and_german_say_the_same():
    english = convert(ENGLISH, Profile("Assets:Bank"), [])
    german = convert("\ufeff" + GERMAN, Profile("Assets:Bank", "Buchung", "Empfänger", "Betrag", decimal_comma=True), [])
    assert [(t.date, t.postings[0].amount) for t in english] == [(t.date, t.postings[0].amount) for t in german]
    assert english[1].postings[0].amount.number == Decimal(2400)


def test_rules_and_fallbacks():
    made = convert(ENGLISH, Profile("Assets:Bank"), [Rule("bakery", "Expenses:Food"), Rule("schmidt", "Expenses:Friends")])
    assert [t.postings[1].account for t in made] == ["Expenses:Food", "Income:Unknown"]


def test_overlapping_statements_count_once():
    journal = Journal()
    twice = "date,payee,amount\n" + "2026-03-02,Tram,-2.90\n" * 2
    thrice = twice + "2026-03-02,Tram,-2.90\n"
    for transaction in convert(twice, Profile("Assets:Bank"), []):
        journal.add(transaction)
    assert len(journal.transactions) == 2, "two rides on one day are two rides"
    assert len(convert(thrice, Profile("Assets:Bank"), [], journal)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("day,payee,amount\n", "no column date"), ("date,payee,amount\nsoon,x,1\n", "line 2: .*no date"), ("date,payee,amount\n2026-03-02,x,lots\n", "line 2: .*no number")],
)
def test_mistakes(text, message):
    with pytest.raises(LedgerError, match=message):
        convert(text, Profile("Assets:Bank"), [])


@pytest.mark.parametrize("seed", range(4))
def test_any_split_of_a_year_gives_the_year(seed):
    source = random.Random(seed)
    rows = sorted(
        f"{dt.date(2026, 1, 1) + dt.timedelta(days=source.randint(0, 364))},{source.choice(['Tram', 'Bakery', 'Rent'])},{source.randint(-500, -1)}.00"
        for _ in range(400)
    )
    journal = Journal()
    start = 0
    while start < len(rows):
        end = start + source.randint(1, 60)
        overlap = max(0, start - source.randint(0, 10))
        part = "date,payee,amount\n" + "\n".join(rows[overlap:end]) + "\n"
        known = Journal()
        known.transactions = [t for t in journal.transactions if t.date.isoformat() >= rows[overlap][:10]]
        # Rows of the first day that are not in this part must not hide the ones that are.
        before = sum(r[:10] == rows[overlap][:10] for r in rows[:overlap])
        if before:
            overlap, part = start, "date,payee,amount\n" + "\n".join(rows[start:end]) + "\n"
            known = Journal()
        for transaction in convert(part, Profile("Assets:Bank"), [], known):
            journal.add(transaction)
        start = end
    assert len(journal.transactions) == len(rows)
