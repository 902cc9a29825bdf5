"""`run.json`: where a run came from, what its models learned and how long each phase took."""

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from absl import logging

from fmri_jax.pipeline.json_files import read_sealed, write_sealed
from fmri_jax.pipeline.workdir import is_scored


@dataclasses.dataclass
class RunRecord:
    """The record of one run, kept over interruptions.

    Attributes:
        workdir: the folder of the run.
        about: title, method, data, versions and devices; of an earlier start until it is replaced.
        learned: fold -> what its fitted model says of itself: names with numbers or texts.
        baselines: fold -> baseline -> what it chose by itself: names with numbers.
        figures: name -> caption of what the method itself has drawn of it.
        phases: the wall-clock and processor time of each phase.
    """

    workdir: pathlib.Path
    about: dict[str, Any] = dataclasses.field(default_factory=dict)
    learned: dict[str, Any] = dataclasses.field(default_factory=dict)
    figures: dict[str, str] = dataclasses.field(default_factory=dict)
    baselines: dict[str, Any] = dataclasses.field(default_factory=dict)
    phases: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    @classmethod
    def read(cls, workdir: pathlib.Path) -> "RunRecord":
        """The record that an earlier start has left, or an empty one.

        Without the time that earlier scores took, which says nothing of those that replace them. A
        record that is missing or damaged is begun anew: only what it said is lost.
        """
        path = workdir / "run.json"
        content = read_sealed(path)
        if content is None or not _is_record(content):
            logging.warning(
                "%s is missing or damaged: it is written again; the times of finished folds, and "
                "what their models have learned, are lost.",
                path,
            )
            return cls(workdir)
        learned, phases = content.pop("learned", {}), content.pop("phases", [])
        chosen = content.pop("baselines", {})
        content.pop("figures", None)  # drawn again with the scores
        phases = [phase for phase in phases if phase["name"] != "score"]
        return cls(workdir, content, learned, baselines=chosen, phases=phases)

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
        own = {"learned": self.learned, "baselines": self.baselines, "figures": self.figures}
        found = {name: content for name, content in own.items() if content}
        content = {**self.about, **found, "phases": self.phases}
        write_sealed(self.workdir / "run.json", content)


def _is_record(content: dict[str, Any]) -> bool:
    """Whether it has the form that a run writes."""
    parts = {"data": dict, "phases": list, "learned": dict, "baselines": dict}
    if any(not isinstance(content.get(name, kind()), kind) for name, kind in parts.items()):
        return False
    numbers = (int, float)
    return all(
        isinstance(phase, dict)
        and isinstance(phase.get("name"), str)
        and all(isinstance(phase.get(of), numbers) for of in ("wall_s", "cpu_s"))
        for phase in content.get("phases", [])
    )
