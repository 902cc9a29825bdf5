"""Compiled programs in the cache: complete and intact, or compiled again."""

import pytest

from fmri_jax import compiled_programs


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: c[:-1]])
def test_a_program_that_was_written_in_part_is_removed_and_written_anew(
    tmp_path, monkeypatch, damage
):
    """By JAX itself, which would never write it again."""
    compilation_cache = pytest.importorskip("jax._src.compilation_cache")
    monkeypatch.setattr(compilation_cache, "LRUCache", compilation_cache.LRUCache)
    compiled_programs._check_files()
    programs, _ = compilation_cache.get_file_cache(str(tmp_path))
    programs.put("jit_step-123", b"compiled")
    (path,) = tmp_path.iterdir()
    assert path.name == "jit_step-123-cache" and programs.get("jit_step-123") == b"compiled"
    path.write_bytes(damage(path.read_bytes()))
    assert programs.get("jit_step-123") is None and not path.exists()
    programs.put("jit_step-123", b"compiled")
    assert programs.get("jit_step-123") == b"compiled"
    path.write_bytes(b"as JAX itself would have left it, without a digest")
    assert programs.get("jit_step-123") is None
