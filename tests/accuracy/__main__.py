"""`make accuracy`: what the reader makes of labelled mails, judged by the scorer that comes with them.

The mails are in the folder `LABELLED_MAILS` names, or in `shared/mails` beside the repository; each kind in it has
a module here whose `predict` answers in the scorer's words. `-v` names the cases that are wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KINDS = ("parse", "reply_trim", "bounce", "auto", "forward")

Row = dict[str, Any]


def main() -> int:
    """Print one line a measure: `kind.what right/all percent`."""
    folder = Path(os.environ.get("LABELLED_MAILS") or ROOT.parent / "shared" / "mails")
    scorer = folder / "score.py"
    if not scorer.is_file():
        print(f"Skipped: no labelled mails in {folder}. LABELLED_MAILS names another folder.")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        for kind in KINDS:
            predictions = Path(scratch) / f"{kind}.jsonl"
            with predictions.open("w", encoding="utf-8") as lines:
                for row in _predicted(folder, kind):
                    lines.write(json.dumps(row) + "\n")
            judged = subprocess.run([sys.executable, scorer, kind, predictions, *sys.argv[1:]], check=False)
            if judged.returncode:
                return judged.returncode
    _take_people_for_machines(folder)
    return 0


def _predicted(folder: Path, kind: str) -> Iterator[Row]:
    predict = importlib.import_module(f"tests.accuracy.{kind}").predict
    for case in _cases(folder, kind):
        yield {"id": case["id"], **predict(case, (folder / case["raw"]).read_bytes())}


def _cases(folder: Path, kind: str) -> Iterator[Row]:
    with (folder / "cases" / f"{kind}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _take_people_for_machines(folder: Path) -> None:
    """Mails of people, which no case of kinds `auto` and `bounce` is: those of the other kinds that are neither."""
    machines = {case["raw"] for kind in ("auto", "bounce") for case in _cases(folder, kind)}
    for kind, label in (("auto", "label"), ("bounce", "is_bounce")):
        predict = importlib.import_module(f"tests.accuracy.{kind}").predict
        people = [case for case in _cases(folder, "parse") if case["raw"] not in machines]
        mistaken = [
            case["id"]
            for case in people
            if predict(case, (folder / case["raw"]).read_bytes())[label] not in ("human", False)
        ]
        print(f"{kind}.people_taken_for_it {len(mistaken)}/{len(people)}")
        if "-v" in sys.argv:
            for name in mistaken:
                print("  wrong:", name)


if __name__ == "__main__":
    sys.exit(main())
