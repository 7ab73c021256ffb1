"""The runtime bundle, read back by a decoder that follows the format's own description."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tools.pack_runtime import (
    BUNDLE_NAME,
    DATA,
    IMPORTS,
    SRC,
    SUBSTITUTIONS,
    WASM,
    Module,
    PackError,
    adapt_glue,
    encode_bundle,
    pack,
)
from tools.project import NODE_MODULES

GLUE = "".join(
    (
        "new WebAssembly.Module(x);" * 4,
        "WebAssembly.instantiate(x);" * 2,
        "Date.now();" * 22,
        "crypto.getRandomValues(array);",
        "function loadLibData(){old()}",
        "alignMemory(getMemory(size));",
        "eval(code);" * 6,
        "export default _createPyodideModule;\n",
    )
)


class Reader:
    """A single-segment Cap'n Proto message, in words of 8 bytes."""

    def __init__(self, message: bytes) -> None:
        segments, words = struct.unpack_from("<II", message)
        assert segments == 0
        assert len(message) == 8 + words * 8
        self.body = message[8:]

    def list_at(self, word: int) -> tuple[int, int, int]:
        """Where a list pointer's list begins, its element size code, and its count."""
        low, high = struct.unpack_from("<iI", self.body, word * 8)
        assert low & 3 == 1
        return word + 1 + (low >> 2), high & 7, high >> 3

    def blob_at(self, word: int) -> bytes:
        start, size, count = self.list_at(word)
        assert size == 2
        return self.body[start * 8 : start * 8 + count]

    def modules(self) -> list[tuple[int, Module]]:
        offset, data_words, pointers = struct.unpack_from("<iHH", self.body)
        assert (offset, data_words, pointers) == (0, 0, 1)
        tag, size, words = self.list_at(1)
        assert size == 7
        count, data_words, pointers = struct.unpack_from("<iHH", self.body, tag * 8)
        assert (data_words, pointers) == (1, 4)
        assert words == (count >> 2) * 5
        return [self._module(tag + 1 + index * 5) for index in range(count >> 2)]

    def _module(self, word: int) -> tuple[int, Module]:
        type_, kind = struct.unpack_from("<HH", self.body, word * 8)
        name = self.blob_at(word + 1)
        assert name.endswith(b"\0")
        assert self.body[(word + 3) * 8 : (word + 5) * 8] == bytes(16)
        return type_, Module(name[:-1].decode(), kind, self.blob_at(word + 2))


@pytest.mark.parametrize("sizes", [(), (0,), (1, 7, 8, 9), (100_000, 3)])
def test_a_bundle_reads_back(sizes: tuple[int, ...]) -> None:
    modules = [Module(f"name-{size}", SRC, bytes(range(256)) * (size // 256) + b"x" * (size % 256)) for size in sizes]

    assert Reader(encode_bundle(modules)).modules() == [(2, module) for module in modules]


def test_a_bundle_holds_the_adapted_glue_the_wasm_and_the_library(tmp_path: Path) -> None:
    (tmp_path / "pyodide.asm.mjs").write_text(GLUE)
    (tmp_path / "pyodide.asm.wasm").write_bytes(b"\0asm")
    (tmp_path / "python_stdlib.zip").write_bytes(b"PK")

    written = pack(tmp_path, tmp_path / "out")

    assert [file.name for file in written.parent.iterdir()] == [BUNDLE_NAME]
    assert [module for _, module in Reader(written.read_bytes()).modules()] == [
        Module("pyodideRuntime-internal:pyodide.asm", SRC, adapt_glue(GLUE).encode()),
        Module("pyodideRuntime-internal:pyodide.asm.wasm", WASM, b"\0asm"),
        Module("pyodideRuntime-internal:python_stdlib.zip", DATA, b"PK"),
    ]


def test_the_glue_calls_workerd_instead_of_what_workerd_forbids() -> None:
    adapted = adapt_glue(GLUE)

    assert adapted.startswith(IMPORTS)
    assert "getRandomValues(Module,array)" in adapted
    assert "alignMemory(Module.getMemoryPatched(Module,libName,size))" in adapted
    assert adapted.endswith("export default _createPyodideModule;export{_createPyodideModule};")
    for forbidden in ("new WebAssembly.Module(", "WebAssembly.instantiate(", "Date.now", " eval(code)"):
        assert forbidden not in adapted


def test_another_pyodide_is_refused_by_the_names_of_all_that_does_not_fit() -> None:
    with pytest.raises(PackError) as caught:
        adapt_glue("nothing of the kind")

    assert all(f"{row.name}: " in str(caught.value) for row in SUBSTITUTIONS)


def test_one_place_more_than_expected_is_refused() -> None:
    with pytest.raises(PackError, match=r"the clock: .* found 23 times, expected 22"):
        adapt_glue("Date.now();" + GLUE)


def test_nothing_is_written_when_the_package_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "pyodide.asm.mjs").write_text("something else")

    with pytest.raises(PackError):
        pack(tmp_path, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_the_pinned_pyodide_fits() -> None:
    assert adapt_glue((NODE_MODULES / "pyodide" / "pyodide.asm.mjs").read_text(encoding="utf-8")).startswith(IMPORTS)
