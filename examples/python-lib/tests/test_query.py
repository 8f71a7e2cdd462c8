import random

import pytest

from ledger.errors import QueryError
from ledger.query import compile_query


def found(journal, query):
    matches = compile_query(query)
    return [t.payee.split()[0] for t in journal.transactions if matches(t)]


@pytest.mark.parametrize(
    ("query", "payees"),
    [
        ("", ["Opening", "Employer", "Bakery", "Corner", "Landlord", "Bakery"]),
        ("#food", ["Bakery", "Corner", "Bakery"]),
        ("#food and not #fun", ["Bakery", "Bakery"]),
        ("#food not #fun", ["Bakery", "Bakery"]),
        ("payee:bakery*", ["Bakery", "Bakery"]),
        ('payee:"bakery schmidt" after 2026-03-15', ["Bakery"]),
        ("account:Expenses:Food", ["Bakery", "Corner", "Bakery"]),
        ("account:Liab*", ["Corner"]),
        ("amount > 500", ["Opening", "Employer", "Landlord"]),
        ("amount = 4.20 or amount<3.5", ["Bakery", "Bakery"]),
        ("before 2026-03-01 or (#food and amount>60)", ["Opening", "Corner"]),
        ("not (not #salary)", ["Employer"]),
    ],
)
def test_queries(household, query, payees):
    assert found(household, query) == payees


@pytest.mark.parametrize(
    ("query", "at"),
    [("#food and", 9), ("(#food", 6), ("#food)", 5), ("banana", 0), ("#food  $", 7), ("or", 0), ("after 2026-02-30", 0), ("not", 3)],
)
def test_a_mistake_has_a_caret(query, at):
    with pytest.raises(QueryError) as caught:
        compile_query(query)
    assert caught.value.at == at
    assert str(caught.value).endswith(" " * (at + 2) + "^")


ATOMS = ["#food", "#fun", "#tax", "amount>100", "account:Expenses", "payee:*7"]


def random_query(source, depth):
    """A random expression and the same as a Python function over the atoms' answers."""
    if depth == 0 or source.random() < 0.2:
        atom = source.choice(ATOMS)
        return atom, lambda answers: answers[atom]
    kind = source.choice(["and", "or", "not"])
    left, f = random_query(source, depth - 1)
    if kind == "not":
        return f"not ({left})", lambda answers: not f(answers)
    right, g = random_query(source, depth - 1)
    if kind == "and":
        return f"({left}) and ({right})", lambda answers: f(answers) and g(answers)
    return f"({left}) or ({right})", lambda answers: f(answers) or g(answers)


@pytest.mark.parametrize("seed", range(12))
def test_against_python(made_up, seed):
    source = random.Random(seed)
    transactions = made_up(60, seed).transactions
    atoms = {atom: compile_query(atom) for atom in ATOMS}
    for _ in range(60):
        text, meaning = random_query(source, 4)
        matches = compile_query(text)
        for transaction in transactions:
            answers = {atom: test(transaction) for atom, test in atoms.items()}
            assert matches(transaction) == meaning(answers), text
