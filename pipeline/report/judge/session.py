"""One sitting of a judge: what was asked, what was answered, and what is shown at the end. No HTTP in here."""

from __future__ import annotations

import getpass
import os
import random
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pipeline.errors import InputError
from pipeline.judging.contestants import Contestant, Picture, next_pair, wanted
from pipeline.judging.judgement import judgement
from pipeline.judging.votes import Choice, Entry, add, votes
from pipeline.record.state import SweepState
from pipeline.report.judged import said
from pipeline.report.numbers import number
from pipeline.report.page import pictures

KEPT = 100  # questions that may still be answered


@dataclass
class Question:
    """Two pictures, and the keys by which the page asks for them: they say nothing of what they are of."""

    left: Picture
    right: Picture
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    keys: tuple[str, str] = field(default_factory=lambda: (secrets.token_urlsafe(9), secrets.token_urlsafe(9)))
    answered: bool = False


class Session:
    """Answers the page. Several pages or servers at once are as good as one: votes are read anew for each question."""

    def __init__(self, state: SweepState, folder: Path, among: Sequence[Contestant]) -> None:
        self.state, self.folder, self.among = state, folder, among
        self.by = _user()
        self._chance = random.Random()
        self._questions: dict[str, Question] = {}
        self._mine: list[str] = []  # votes of this sitting, for those who take one back
        self._lock = threading.Lock()
        votes(folder)  # what is wrong with the file is said before there is a page

    def ask(self) -> dict[str, Any]:
        """The next question, without a word of who is shown."""
        with self._lock:
            return self._ask()

    def answer(self, id: str, choice: str, seconds: float) -> dict[str, Any]:
        """Writes a vote down, then gives the next question; the same vote once more changes nothing. Raises InputError
        for a question that was never asked here or a choice that there is not, OSError where there is no room."""
        with self._lock:
            question = self._questions.get(id)
            if question is None:
                raise InputError("this pair was not asked by this server; the next one is")
            if choice not in get_args(Choice):
                raise InputError(f"choice: found {choice}; valid: {', '.join(get_args(Choice))}")
            if not question.answered:
                left, right = question.left.shown, question.right.shown
                self._add("vote", id=id, left=left, right=right, choice=choice, seconds=round(seconds, 2))
                question.answered = True
                self._mine.append(id)
            return self._ask()

    def undo(self) -> dict[str, Any]:
        """Takes the last vote of this sitting back and asks it once more. Raises InputError where there is none."""
        with self._lock:
            if not self._mine:
                raise InputError("there is no vote of this sitting to be taken back")
            self._add("undone", id=self._mine[-1])
            before = self._questions.get(self._mine.pop())
            return self._ask(Question(before.left, before.right) if before else None)

    def finish(self) -> dict[str, Any]:
        """The ranking, with a picture of each trial. Raises InputError before the first vote."""
        with self._lock:
            ranked = judgement(self.folder)
            if ranked is None:
                raise InputError("there is no vote yet")
            self._add("seen")
            shown = {each.trial: each.pictures[-1].path for each in self.among}
            rows = [
                {
                    "trial": row.trial,
                    "share": row.share,
                    "low": row.interval[0],
                    "high": row.interval[1],
                    "first": row.first,
                    "record": row.record,
                    "metric": f"{self.state.metric} {number(row.measured)}",
                    "default": row.default,
                    "picture": pictures.picture(shown[row.trial]) if row.trial in shown else None,
                }
                for row in said(self.state, ranked).rows
            ]
            return {"rows": rows, "lines": said(self.state, ranked).lines}

    def picture(self, key: str) -> Path | None:
        """The picture of that key."""
        for question in self._questions.values():
            for at, each in enumerate((question.left, question.right)):
                if secrets.compare_digest(question.keys[at].encode(), key.encode()):
                    return each.path
        return None

    def _ask(self, question: Question | None = None) -> dict[str, Any]:
        given = votes(self.folder)
        question = question or Question(*next_pair(self.among, given, self._chance))
        self._questions[question.id] = question
        while len(self._questions) > KEPT:
            del self._questions[next(iter(self._questions))]
        counted = sum(vote.choice != "skip" for vote in given)
        return {
            "id": question.id,
            "left": question.keys[0],
            "right": question.keys[1],
            "votes": counted,
            "wanted": wanted(len(self.among)),
            "undo": bool(self._mine),
        }

    def _add(self, what: Any, **fields: Any) -> None:
        add(self.folder, Entry(said=what, time=time.time(), by=self.by, **fields))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
