"""Pack npm's Pyodide into the runtime bundle that workerd reads from disk.

workerd normally downloads a Pyodide bundle from Cloudflare, checked against a checksum. Its `dev` version has no
checksum and is read from the folder given by `--pyodide-bundle-disk-cache-dir`, as `pyodide_dev.capnp.bin`. This tool
makes that file from npm's `pyodide`, so that the genuine runtime runs on a machine that reaches only npm.

The glue code needs changes first: workerd forbids `eval` and the compilation of WebAssembly at run time, and offers
functions of its own instead (its module `pyodide-internal:builtin_wrappers`). Each change is one row of
`SUBSTITUTIONS`, with the number of places it must find. Another Pyodide version may move them: then the tool names the
row and stops.

Usage: python -m tools.pack_runtime PYODIDE_PACKAGE_FOLDER OUTPUT_FOLDER
"""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.arguments import parser_of

BUNDLE_NAME = "pyodide_dev.capnp.bin"

IMPORTS = (
    "import{addEventListener,getRandomValues,location,monotonicDateNow,newWasmModule,patchedLoadLibData,wasmInstantiate}"
    'from"pyodide-internal:builtin_wrappers";'
)


@dataclass(frozen=True)
class Substitution:
    """One change to the glue: `pattern` must match exactly `count` times."""

    name: str
    pattern: str
    replacement: str
    count: int

    def inserted(self, _found: re.Match[str]) -> str:
        """The replacement as it is: `re` would read backslashes in a text."""
        return self.replacement


SUBSTITUTIONS = (
    Substitution("compile a module", r"new WebAssembly\.Module\(", "newWasmModule(", 4),
    Substitution("instantiate a module", r"WebAssembly\.instantiate\(", "wasmInstantiate(", 2),
    Substitution("the clock", r"\bDate\.now\b", "monotonicDateNow", 22),
    Substitution("randomness", r"\bcrypto\.getRandomValues\(", "getRandomValues(Module,", 1),
    Substitution(
        "load a library",
        r"function loadLibData\(\)\{",
        "function loadLibData(){"
        "const patched=patchedLoadLibData(Module,libName,flags.rpath);"
        "return flags.loadAsync?Promise.resolve(patched):patched;",
        1,
    ),
    Substitution(
        "a library's memory",
        r"alignMemory\(getMemory\(",
        "alignMemory(Module.getMemoryPatched(Module,libName,",
        1,
    ),
    Substitution("eval", r"\beval\(", '(()=>{throw new Error("eval is not allowed")})(', 6),
    Substitution(
        "the exports",
        r"export default _createPyodideModule;?\s*$",
        "export default _createPyodideModule;export{_createPyodideModule};",
        1,
    ),
)


class PackError(Exception):
    """The Pyodide package does not look as this tool expects."""


def adapt_glue(source: str) -> str:
    """Return `pyodide.asm.mjs` changed to run inside workerd. Raises PackError naming the rows that do not fit."""
    misfits: list[str] = []
    for row in SUBSTITUTIONS:
        source, found = re.subn(row.pattern, row.inserted, source)
        if found != row.count:
            misfits.append(f"{row.name}: /{row.pattern}/ found {found} times, expected {row.count}")
    if misfits:
        raise PackError("this Pyodide needs another adaptation:\n  " + "\n  ".join(misfits))
    return IMPORTS + source


# --- Cap'n Proto ------------------------------------------------------------------------------------------------------
# The schema, from workerd: Bundle { modules @0 :List(Module) }
# Module { name @0 :Text; union { src @1 :Data; wasm @4 :Data; data @5 :Data; json @6 :Text };
#          type @2 :ModuleType; tsDeclaration @3 :Text; compileCache @7 :Data }
# Encoding: https://capnproto.org/encoding.html. All is counted in words of 8 bytes, little-endian.

SRC, WASM, DATA = 0, 1, 2  # the union's discriminants, in the order of the members' ordinals
INTERNAL = 2  # ModuleType.internal
MODULE_DATA_WORDS = 1  # u16 type at offset 0 and u16 discriminant at offset 2
MODULE_POINTERS = 4  # name, the union's value, tsDeclaration, compileCache
BYTE_ELEMENTS, COMPOSITE_ELEMENTS = 2, 7  # list element sizes


@dataclass(frozen=True)
class Module:
    """One module of the bundle: its name, which member of the union holds it, and its bytes."""

    name: str
    kind: int
    content: bytes


def _struct_pointer(offset: int, data_words: int, pointers: int) -> bytes:
    return struct.pack("<iHH", offset << 2, data_words, pointers)


def _list_pointer(offset: int, element_size: int, count: int) -> bytes:
    return struct.pack("<iI", offset << 2 | 1, count << 3 | element_size)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)


def encode_bundle(modules: list[Module]) -> bytes:
    """Return an unpacked, single-segment Cap'n Proto message that holds `modules`."""
    stride = MODULE_DATA_WORDS + MODULE_POINTERS
    head = _struct_pointer(0, 0, 1)  # root: a struct with one pointer, right behind
    head += _list_pointer(0, COMPOSITE_ELEMENTS, stride * len(modules))
    head += struct.pack("<iHH", len(modules) << 2, MODULE_DATA_WORDS, MODULE_POINTERS)  # the list's tag word
    structs, blobs = b"", b""
    end_of_structs = stride * len(modules)
    for index, module in enumerate(modules):
        structs += struct.pack("<HHI", INTERNAL, module.kind, 0)
        for slot, blob in enumerate((module.name.encode() + b"\0", module.content)):
            here = index * stride + MODULE_DATA_WORDS + slot
            target = end_of_structs + len(blobs) // 8
            structs += _list_pointer(target - here - 1, BYTE_ELEMENTS, len(blob))
            blobs += _padded(blob)
        structs += bytes(16)  # tsDeclaration and compileCache: null pointers
    body = head + structs + blobs
    return struct.pack("<II", 0, len(body) // 8) + body


def pack(package: Path, output: Path) -> Path:
    """Write the bundle made from the npm package in `package` into the folder `output`; return its path."""
    glue = adapt_glue((package / "pyodide.asm.mjs").read_text(encoding="utf-8"))
    prefix = "pyodideRuntime-internal:"
    message = encode_bundle(
        [
            Module(prefix + "pyodide.asm", SRC, glue.encode()),
            Module(prefix + "pyodide.asm.wasm", WASM, (package / "pyodide.asm.wasm").read_bytes()),
            Module(prefix + "python_stdlib.zip", DATA, (package / "python_stdlib.zip").read_bytes()),
        ]
    )
    output.mkdir(parents=True, exist_ok=True)
    partial = output / (BUNDLE_NAME + ".partial")
    partial.write_bytes(message)
    return partial.replace(output / BUNDLE_NAME)  # whole or not at all: a killed set-up leaves no broken bundle


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("package", type=Path, metavar="PYODIDE_PACKAGE_FOLDER")
    parser.add_argument("output", type=Path, metavar="OUTPUT_FOLDER")
    options = parser.parse_args()
    try:
        print(pack(options.package, options.output))
    except (PackError, OSError) as error:
        sys.exit(f"pack_runtime: {error}")


if __name__ == "__main__":
    main()
