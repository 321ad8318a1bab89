"""`python -m tests.faults [OUTCOMES.json]` runs the fault matrix, and writes its table into `docs/reliability.md`.

Outcomes that the file holds are not run again. It mounts small disks, for which it needs the rights.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.faults.catalogue import FAULTS
from tests.faults.cells import small_world
from tests.faults.page import key_of, read_outcomes, write_outcomes, write_page


def main(stored: Path | None) -> int:
    """Run what is missing; returns the number of cells that are wrong."""
    outcomes = read_outcomes(stored) if stored else {}
    cells = [(stage, fault) for fault in FAULTS for stage in fault.stages if key_of(stage, fault) not in outcomes]
    with small_world() as world:
        for number, (stage, fault) in enumerate(cells, 1):
            outcome = outcomes[key_of(stage, fault)] = world.run(stage, fault)
            print(f"{number}/{len(cells)} {key_of(stage, fault)}: {outcome.word}: {outcome.line}", flush=True)
            for log in sorted(world.folder.glob("wrong-*.log")):
                print(log.read_text()[-6000:], flush=True)
                log.unlink()
            if stored:
                write_outcomes(stored, outcomes)
    write_page(outcomes)
    return sum(outcome.word == "WRONG" for outcome in outcomes.values())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None) != 0)
