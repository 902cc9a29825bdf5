"""`run.json`: where a run came from, what its models learned and how long each phase took."""

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from fmri_jax.errors import InputError
from fmri_jax.pipeline.workdir import is_scored, read_json, write_json


@dataclasses.dataclass
class RunRecord:
    """The record of one run, kept over interruptions.

    Attributes:
        workdir: the folder of the run.
        about: title, method, data, versions and devices; of an earlier start until it is replaced.
        learned: fold -> what its fitted model says of itself: names with numbers or texts.
        figures: name -> caption of what the method itself has drawn of it.
        phases: the wall-clock and processor time of each phase.
    """

    workdir: pathlib.Path
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    learned: dict[str, Any] = dataclasses.field(default_factory=dict)
    figures: dict[str, str] = dataclasses.field(default_factory=dict)
    phases: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @classmethod
    def read(cls, workdir: pathlib.Path) -> "RunRecord":
        """The record that an earlier start has left, or an empty one.

        Without the time that earlier scores took, which says nothing of those that replace them.

        Raises:
            InputError: `run.json` cannot be read.
        """
        path = workdir / "run.json"
        if not path.exists():
            return cls(workdir)
        try:
            content = read_json(path)
            parts = {"data": dict, "phases": list, "learned": dict}
            if not isinstance(content, dict) or any(
                not isinstance(content.get(name, kind()), kind) for name, kind in parts.items()
            ):
                raise ValueError("it is not what a run writes")
        except (OSError, ValueError) as error:  # ValueError: neither JSON nor text, too
            raise InputError(
                f"{path} cannot be read ({error}): expected what this run has written of itself; "
                "delete it, and report.html where there is one, and the run resumes from its "
                "finished folds."
            ) from error
        learned, phases = content.pop("learned", {}), content.pop("phases", [])
        content.pop("figures", None)  # drawn again with the scores
        phases = [phase for phase in phases if phase["name"] != "score"]
        return cls(workdir, content, learned, phases=phases)

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Adds the time of the `with` block to phase `name`."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        entry = next((phase for phase in self.phases if phase["name"] == name), None)
        if entry is None:
            entry = {"name": name, "wall_s": 0.0, "cpu_s": 0.0}
            self.phases.append(entry)
        entry["wall_s"] = round(entry["wall_s"] + time.perf_counter() - wall, 3)
        entry["cpu_s"] = round(entry["cpu_s"] + time.process_time() - cpu, 3)

    def save(self) -> None:
        """Writes `run.json`, unless the folder holds scores, whose record it then is."""
        if is_scored(self.workdir):
            return
        own = {"learned": self.learned, "figures": self.figures}
        found = {name: content for name, content in own.items() if content}
        content = {**self.about, **found, "phases": self.phases}
        write_json(self.workdir / "run.json", content)
