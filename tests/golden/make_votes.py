"""Writes votes.json: what crowd-kit makes of a few hundred votes, for src/stats/votes/tests.rs.

Run with crowd-kit (1.4.2 with pandas 3.1.1, numpy 2.4.6 and nltk 3.10.4 made the committed file):
python3 tests/golden/make_votes.py
Needs no data. The votes are drawn by Python's own generator, the same everywhere; labels, tasks and people are numbers
from 0, written so that their alphabetical order is that of the numbers.

Each case has what is awkward: ties, a task with one vote and one with none, somebody with a single vote and somebody
without, a label that nobody uses. Shares of equal pairs are counted here, pair by pair: crowd-kit has no such figure.
"""

import itertools
import json
import pathlib
import random

import pandas
from crowdkit.aggregation import DawidSkene, MajorityVote, OneCoinDawidSkene, Wawa
from crowdkit.aggregation.classification import dawid_skene, majority_vote
from crowdkit.metrics.data import alpha_krippendorff

# Of equally frequent labels crowd-kit takes the one whose column comes first, and the order of columns is left to
# pandas. Here they stand in alphabetical order.
normalize_rows = majority_vote.normalize_rows
majority_vote.normalize_rows = lambda scores: normalize_rows(scores.sort_index(axis="columns"))


def draw(seed, tasks, skills, labels, votes_per_task):
    """Votes as (task, person, label); the last task and the last person stay without, label `labels - 2` unused."""
    source = random.Random(seed)
    used = [label for label in range(labels) if label != labels - 2]
    votes = []
    for task in range(tasks - 1):
        true = used[int(source.random() ** 2 * len(used))]
        count = 1 if task == 3 else votes_per_task + source.randrange(-2, 3)
        for person in sorted(source.sample(range(len(skills)), min(count, len(skills)))):
            right = source.random() < skills[person]
            votes.append((task, person, true if right else source.choice(used)))
    votes.append((0, len(skills), used[-1]))  # somebody with this one vote
    return votes


def name(kind, number):
    return f"{kind}{number:03}"


def number(name):
    return int(name[1:])


def table(frame, rows, columns):
    """`[rows][columns]` of a frame of crowd-kit's; zeros where it has nothing."""
    cells = [[0.0] * columns for _ in range(rows)]
    for row, values in frame.iterrows():
        for column, value in values.items():
            cells[number(row)][number(column)] = round(float(value), 12)
    return cells


def skills(series, people):
    found = {number(person): round(float(skill), 12) for person, skill in series.items()}
    return [found.get(person) for person in range(people)]


def confusion(errors, people, labels):
    """`[people][labels observed][labels true]`; zeros where crowd-kit has no row."""
    cells = [[[0.0] * labels for _ in range(labels)] for _ in range(people)]
    for (person, observed), values in errors.iterrows():
        for true, value in values.items():
            cells[number(person)][number(observed)][number(true)] = round(float(value), 12)
    return cells


class Held(OneCoinDawidSkene):
    """The one-coin model with known labels, which crowd-kit has for the full model only; held at the same places."""

    def __init__(self, true_labels):
        super().__init__()
        self.true_labels = true_labels

    def _e_step(self, data, priors, errors):
        return self._correct_probas_with_golden(DawidSkene._e_step(data, priors, errors), self.true_labels)

    def fit(self, data):
        class HeldMajority(MajorityVote):
            def fit_predict_proba(inner, data):
                return self._correct_probas_with_golden(super().fit_predict_proba(data), self.true_labels)

        dawid_skene.MajorityVote = HeldMajority
        try:
            return super().fit(data)
        finally:
            dawid_skene.MajorityVote = MajorityVote


def pairs(votes):
    """(person, other person, equal), both ways round."""
    by_task = {}
    for task, person, label in votes:
        by_task.setdefault(task, []).append((person, label))
    for voters in by_task.values():
        for (a, label_a), (b, label_b) in itertools.permutations(voters, 2):
            yield a, b, label_a == label_b


def mean(values):
    return round(sum(values) / len(values), 12) if values else None


def case(name_of_case, votes, known, tasks, people, labels):
    data = pandas.DataFrame(
        [(name("t", t), name("p", p), name("l", label)) for t, p, label in votes], columns=["task", "worker", "label"]
    )
    true_labels = pandas.Series({name("t", t): name("l", label) for t, label in known.items()}, dtype=object)
    wawa = Wawa().fit(data)
    full = DawidSkene().fit(data, true_labels if known else None)
    coin = (Held(true_labels) if known else OneCoinDawidSkene()).fit(data)
    agreement = list(pairs(votes))
    return {
        "name": name_of_case,
        "tasks": tasks,
        "people": people,
        "labels": labels,
        "votes": votes,
        "known": known,
        "majority": table(MajorityVote().fit_predict_proba(data), tasks, labels),
        "wawa": {
            "skills": skills(wawa.skills_, people),
            # What `Wawa.predict_proba` does; itself it fails under scikit-learn 1.9.
            "probabilities": table(MajorityVote().fit_predict_proba(data, wawa.skills_), tasks, labels),
        },
        "dawid_skene": {
            "probabilities": table(full.probas_, tasks, labels),
            "confusion": confusion(full.errors_, people, labels),
            "iterations": len(full.loss_history_),
        },
        "one_coin": {
            "probabilities": table(coin.probas_, tasks, labels),
            "skills": skills(coin.skills_, people),
            "iterations": len(coin.loss_history_),
        },
        "alpha": round(alpha_krippendorff(data), 12),
        "percent_agreement": mean([equal for _, _, equal in agreement]),
        "with_others": [mean([equal for a, _, equal in agreement if a == person]) for person in range(people)],
    }


def main():
    careful = [0.9, 0.8, 0.85, 0.95, 0.7, 0.0, 0.3]
    votes = draw(1, 45, careful, 4, 4)
    # Two of them against what the majority says.
    known = {0: 0, 3: 1, 7: 3, 12: 0, 20: 1}
    sloppy = [0.5, 0.4, 0.6, 0.3, 0.2, 0.5, 0.45, 0.1]
    cases = [
        case("careful people", votes, {}, 45, len(careful) + 2, 4),
        case("careful people, some labels known", votes, known, 45, len(careful) + 2, 4),
        case("sloppy people", draw(2, 40, sloppy, 6, 3), {}, 40, len(sloppy) + 2, 6),
    ]
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases)
    pathlib.Path(__file__).with_name("votes.json").write_text(f"[\n{lines}\n]\n")


main()
