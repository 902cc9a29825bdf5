"""The page names recordings and options that exist."""

import ast
import importlib
import inspect
import re
from pathlib import Path

from fmri_jax.data import known

PAGE = Path(__file__).parents[2] / "docs" / "published_recordings.md"


def test_every_call_on_the_page_would_be_taken() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    calls = [node for node in ast.walk(ast.parse(blocks[0])) if isinstance(node, ast.Call)]
    assert len(calls) == 4
    for call in calls:
        reader = importlib.import_module(known()[ast.literal_eval(call.args[0])]).load
        inspect.signature(reader).bind(**{str(option.arg): None for option in call.keywords})


def test_options_stand_in_a_section_of_the_recordings_name() -> None:
    block = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]
    scope: dict = {}
    exec(block, scope)
    section = scope["get_config"]("sub-02").data.deep_image_reconstruction
    reader = importlib.import_module(known()["deep_image_reconstruction"]).load
    inspect.signature(reader).bind(**section.to_dict())
    assert section.subject == "sub-02"


def test_every_file_that_experiments_read_is_on_the_page() -> None:
    experiments = (PAGE.parents[1] / "experiments").glob("*.py")
    read = {
        name
        for path in experiments
        for name in re.findall(r"FMRI_JAX_DATA/(\S+?)\"", path.read_text())
    }
    assert read and read == set(re.findall(r"^\| `(\w+\.\w+)`", PAGE.read_text(), re.MULTILINE))


def test_every_published_recording_is_on_the_page() -> None:
    own = {"file", "virtual_subject"}
    listed = set(re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE))
    assert listed == set(known()) - own
