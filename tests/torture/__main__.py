"""`python -m tests.torture`: kills runs in every phase of every method, damages what they leave.

Each run must end with the same bits as one that nothing happened to, or, where a file was damaged,
with a message that says what to do. A kill is SIGKILL at a chosen write, or at any moment, of a
process of its own; a damage is one bit flipped, a file cut, emptied, deleted, or filled with random
bytes, of a finished run, of one that was killed, or of a cache. The exit code is 1 if anything was
silent: other results without a message, or a traceback. POSIX alone.
"""

import argparse
import collections
import os
import pathlib
import shutil
import sys
import tempfile

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("FMRI_JAX_READ_APART", "0")

import numpy as np

from tests.torture import cases, damages, processes

UNREAD = ("checkpoints", "events", "images")  # of a finished run: nothing reads them any more
WEIGHTS = {
    **{"ridge": 8, "local_decoders": 8, "gan": 2, "feature_decoding": 2, "brain_diffuser": 2},
    **{"ic_gan": 2, "prior": 1, "recordings": 4, "weights": 4, "programs": 4},
}
FRESH = 10  # damages of the remains of one killed run
SAME, MESSAGE = "the same bits", "ended with a message"


def main(arguments: list[str] | None = None) -> int:
    """Runs as many kills and damages as asked for; prints what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="over all cases")
    parser.add_argument("--damages", type=int, default=500, help="over all cases and caches")
    everything = (*cases.CASES, *cases.CACHES)
    parser.add_argument("--cases", nargs="+", default=everything, choices=everything)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--programs", help="folder of compiled programs, for later calls too")
    given = parser.parse_args(arguments)
    killed = [name for name in given.cases if name in cases.CASES]
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="torture_") as name:
        os.environ["FMRI_JAX_CACHE"] = given.programs or f"{name}/cache"
        for number, case in enumerate(given.cases):
            folder = pathlib.Path(name) / case
            folder.mkdir()
            kills = _share(given.kills, killed, case) if case in killed else 0
            tortured = Tortured(case, folder, np.random.default_rng([given.seed, number]))
            found += tortured.torture(kills, _share(given.damages, given.cases, case))
            shutil.rmtree(folder)
    print(", ".join(f"{count} {outcome}" for outcome, count in found.most_common()))
    return int(any(outcome not in (SAME, MESSAGE) for outcome in found))


def _share(total: int, names: list[str], name: str) -> int:
    """How many of them are this one's: more of what is done fast, at least one."""
    before = sum(WEIGHTS[other] for other in names[: list(names).index(name)])
    ends = [
        round(total * part / sum(WEIGHTS[other] for other in names))
        for part in (before, before + WEIGHTS[name])
    ]
    return max(1, ends[1] - ends[0]) if total else 0


class Tortured:
    """One case, and what it ends with if nothing happens to it.

    Args:
        name: of the case.
        folder: takes everything.
        rng: where chance comes from.
    """

    def __init__(self, name: str, folder: pathlib.Path, rng: np.random.Generator):
        self._name, self._folder, self._rng = name, folder, rng
        (folder / "given").mkdir()
        self._case = cases.case(name, folder / "given")
        self._finished = folder / "finished"
        processes.measured(self._case, self._finished)  # compiles
        self._expected = self._case.digest(self._finished)
        self._writes, self._seconds = processes.measured(self._case, folder / "again")
        if self._case.digest(folder / "again") != self._expected:
            raise RuntimeError(f"two runs of {name} differ, without any kill")

    def torture(self, kills: int, damaged: int) -> collections.Counter[str]:
        """Counts what came of so many kills and damages; prints each."""
        print(f"{self._name}: {self._writes} writes in {self._seconds:.1f} s", flush=True)
        found: collections.Counter[str] = collections.Counter()
        worker = processes.Worker(self._case)
        for number in range(kills):
            workdir, where = self._killed(1 + (number % 5 == 4))
            found[self._shown("kill", number, *worker.ended(workdir), where, certain=True)] += 1
        for number in range(damaged):
            workdir = self._remains(number)
            what = self._damage(workdir, finished=number % 2 == 0)
            found[self._shown("damage", number, *worker.ended(workdir), what, certain=False)] += 1
        worker.stop()
        return found

    def _killed(self, times: int) -> tuple[pathlib.Path, str]:
        """A folder whose run was killed so many times, and where."""
        workdir, places = self._fresh("killed"), []
        while len(places) < times:
            where = processes.drawn_kill(
                self._case, workdir, self._writes, self._seconds, self._rng
            )
            if where:
                places.append(where)
            elif not places:  # it came to its end before the kill
                workdir = self._fresh("killed")
            else:
                break
        return workdir, ", ".join(places)

    def _remains(self, number: int) -> pathlib.Path:
        """A copy of the finished run, or of one that was killed, in turn."""
        begun = self._folder / "begun"
        if number % 2 and self._name in cases.CASES:
            if number % (2 * FRESH) == 1:
                left, _ = self._killed(1)
                shutil.rmtree(begun, ignore_errors=True)
                shutil.copytree(left, begun) if left.exists() else begun.mkdir()
            return self._fresh("damaged", begun)
        return self._fresh("damaged", self._finished)

    def _damage(self, workdir: pathlib.Path, finished: bool) -> str:
        """Damages one of its files, of those that somebody still reads."""
        files = sorted(p for p in workdir.rglob("*") if p.is_file() and p.name != ".lock")
        files = [path for path in files if path.name != cases.RESULT]
        if finished and self._name in cases.METHODS:
            files = [p for p in files if p.relative_to(workdir).parts[0] not in UNREAD]
        return damages.damage(files, self._rng) if files else "nothing was there"

    def _fresh(self, name: str, of: pathlib.Path | None = None) -> pathlib.Path:
        workdir = self._folder / name
        shutil.rmtree(workdir, ignore_errors=True)
        if of:
            shutil.copytree(of, workdir)
        return workdir

    def _shown(
        self, kind: str, number: int, came: str, text: str, where: str, certain: bool
    ) -> str:
        """Prints and names an outcome.

        Args:
            kind: "kill" or "damage".
            number: of those.
            came: as `Worker.ended` says.
            text: likewise.
            where: it was, or of which file.
            certain: whether nothing but the same bits will do.
        """
        if came == "bits":
            outcome = SAME if text == self._expected else "SILENT"
        else:
            outcome = MESSAGE if came == "message" and not certain else f"FAILED: {text}"
        print(f"{self._name} {kind} {number} at {where}: {outcome}", flush=True)
        return outcome.partition(":")[0]


if __name__ == "__main__":
    sys.exit(main())
