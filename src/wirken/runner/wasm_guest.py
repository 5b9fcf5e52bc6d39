"""The process that runs one skill's module, in a sandbox of its own: `python -I -m wirken.runner.wasm_guest`.

A compiler of native code runs here beside a module that may be hostile, so this process has nothing worth taking: no
workspace, no network, no descriptor but its order, and the sandbox's filter and limits around it. The module sees
WASI's standard streams, its clocks and its random numbers; no folder, no variable, no argument.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wirken.domain import limits
from wirken.domain.text import decoded
from wirken.runner.wasm_memory import Memory

if TYPE_CHECKING:
    import wasmtime

# WASI gives a module the exit codes 0 to 125; these are this process's own words to the runner.
FUEL: Final = 200
TIME: Final = 201
MEMORY: Final = 202
FAILED: Final = 203
REFUSED: Final = 204
MISSING: Final = 205


class Order(msgspec.Struct, frozen=True):
    """The first line of standard input; the module's own input and the module follow it."""

    fuel: int
    memory: int
    seconds: int
    input: int
    """Bytes."""


class _Refused(Exception):
    """The module cannot be started at all."""


def main() -> int:
    """Run the module to its end. Returns its exit code, or one of the words above."""
    line, _, rest = sys.stdin.buffer.read().partition(b"\n")
    order = msgspec.json.decode(line, type=Order)
    source = Path("/tmp/input")  # noqa: S108  # in the sandbox, where nobody else is
    source.write_bytes(rest[: order.input])
    try:
        import wasmtime  # noqa: F401  # is it there?
    except ImportError:
        _say("wasmtime is not installed.")
        return MISSING
    try:
        return _Guest(order, source).run(rest[order.input :])
    except _Refused as error:
        _say(f"The module cannot be used: {error}")
        return REFUSED


class _Guest:
    def __init__(self, order: Order, source: Path) -> None:
        self._order = order
        self._source = source
        self._said = bytearray()
        self._engine, self._memory = _engine(order.memory)

    def run(self, raw: bytes) -> int:
        """Compile and run a module. Raises `_Refused`."""
        import wasmtime

        compiled = _ended_after(limits.SKILL_COMPILE, lambda: None)
        try:
            module = wasmtime.Module(self._engine, raw)
        except wasmtime.WasmtimeError as error:
            raise _Refused(_reason(str(error))) from None
        compiled.set()
        store = self._store()
        linker = wasmtime.Linker(self._engine)
        linker.define_wasi()
        done = _ended_after(self._order.seconds, self._engine.increment_epoch)
        try:
            instance = linker.instantiate(store, module)
            return self._started(store, instance)
        except wasmtime.Trap as trap:
            return self._ended(trap)
        except wasmtime.WasmtimeError as error:
            if self._memory.refused:
                return MEMORY
            raise _Refused(_reason(str(error))) from None
        finally:
            done.set()

    def _store(self) -> wasmtime.Store:
        import wasmtime

        store = wasmtime.Store(self._engine)
        store.set_fuel(self._order.fuel)
        store.set_epoch_deadline(1)
        store.set_limits(table_elements=limits.SKILL_TABLE, instances=1, tables=4, memories=1)
        wasi = wasmtime.WasiConfig()
        wasi.stdin_file = str(self._source)
        wasi.inherit_stdout()
        wasi.stderr_custom = self._complained
        store.set_wasi(wasi)
        return store

    def _started(self, store: wasmtime.Store, instance: wasmtime.Instance) -> int:
        import wasmtime

        exports = instance.exports(store)
        start = exports.get("_start")
        if not isinstance(start, wasmtime.Func):
            raise _Refused("it has no function _start, so it is no WASI command.")
        try:
            start(store)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            code = self._ended(error)
            if code and code not in (FUEL, TIME) and self._memory.refused:
                return MEMORY
            self._tell_complaint(code)
            return code
        return 0

    def _ended(self, error: wasmtime.Trap | wasmtime.WasmtimeError) -> int:
        """Return the exit code that the module asked for, or what stopped it."""
        import wasmtime

        if isinstance(error, wasmtime.ExitTrap):
            code: int = error.code
            return code
        match error.trap_code if isinstance(error, wasmtime.Trap) else None:
            case wasmtime.TrapCode.OUT_OF_FUEL:
                return FUEL
            case wasmtime.TrapCode.INTERRUPT:
                return TIME
            case _:
                _say(f"The module failed: {_reason(str(error))}")
                return FAILED

    def _complained(self, data: bytes) -> None:
        self._said += data[: limits.SKILL_SAID - len(self._said)]

    def _tell_complaint(self, code: int) -> None:
        if code and self._said:
            _say(decoded(bytes(self._said)))


def _engine(memory: int) -> tuple[wasmtime.Engine, Memory]:
    """Return an engine that counts, can be interrupted, and knows no more of the language than compilers use.

    With it comes the memory that its module will have, `memory` bytes at most.
    """
    import wasmtime

    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.max_wasm_stack = limits.SKILL_STACK
    for feature in (
        "threads",
        "memory64",
        "multi_memory",
        "gc",
        "function_references",
        "exceptions",
        "stack_switching",
    ):
        setattr(config, f"wasm_{feature}", False)
    linear = Memory(config, memory)
    return wasmtime.Engine(config), linear


def _ended_after(seconds: float, warn: Callable[[], None]) -> threading.Event:
    """End this process some time after `warn` was called, unless the event that is returned is set before."""
    done = threading.Event()

    def watch() -> None:
        if not done.wait(seconds):
            warn()
            if not done.wait(limits.SKILL_GRACE):
                os._exit(TIME)

    threading.Thread(target=watch, daemon=True).start()
    return done


def _reason(said: str) -> str:
    """Return the last cause of a chain of wasmtime's, which is what went wrong first."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][: limits.SENTENCE] if lines else "no reason was given"


def _say(text: str) -> None:
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


if __name__ == "__main__":
    os._exit(main())  # at an orderly end, wasmtime's threads meet an interpreter that is gone, and abort
