"""All checks, in the order in which they are made and shown. A new one is a function and a line here."""

from __future__ import annotations

from typing import Final

from wirken.cli.checks import (
    boxes,
    channels,
    configuration,
    confinement,
    keys,
    place,
    processes,
    program,
    providers,
    records,
    walls,
)
from wirken.cli.checks.finding import Check

CHECKS: Final[tuple[Check, ...]] = (
    Check("python", "the interpreter is CPython 3.11 or later", program.python),
    Check("bytecode", "every module is compiled, so that starts are fast", program.bytecode, program.compile_all),
    Check("site-files", "no unknown code runs in every Python process of ours", program.site_files),
    Check("bubblewrap", "bubblewrap is installed and not too old", walls.bubblewrap),
    Check("sandbox", "a process view and a sandbox in it can be made; it is tried", walls.sandbox),
    Check("sandbox-kind", "which sandbox commands get, why, its image, runtime and last sweep", boxes.chosen),
    Check("tool-root", "the folder whose programs commands get, if the operator chose one", boxes.tools),
    Check("engine-socket", "whether a container engine is trusted with root", boxes.engine),
    Check("user-namespaces", "neither the kernel nor AppArmor stops bubblewrap", walls.user_namespaces),
    Check("setpriv", "started as root: children can be made not to be", walls.setpriv),
    Check("limits", "the kernel holds the memory and process limits of commands", walls.limits_kept),
    Check("data-directory", "the data directory and its files are ours alone", place.data_directory, place.tighten),
    Check("sockets", "the sockets fit their addresses and are ours", place.sockets),
    Check("disk-space", "there is room for the record", place.disk_space),
    Check("clock", "the clock is plausible", place.clock),
    Check("config", "config.toml, its folders and addresses can be used", configuration.valid),
    Check("network", "what commands may reach", configuration.network),
    Check("config-applied", "what runs was started with this config.toml", configuration.applied),
    Check("processes", "all processes are up and stay up", processes.processes),
    Check("confinement", "each process that runs wears every wall of its row", confinement.processes),
    Check("channels", "each chat platform is connected and takes its token", channels.connected),
    Check("version", "the program that runs is the one installed", processes.version),
    Check("page-port", "the page's port is ours or free", processes.page_port),
    Check("device-key", "more than a file protects the key of the vault", keys.device_key),
    Check("vault-sealed", "the vault is open", keys.sealed),
    Check("credentials", "the credentials in use are stored, valid and not too old", keys.credentials),
    Check("provider", "each model's provider answers, has the model, and is not open to others", providers.reachable),
    Check("record", "the last sessions verify", records.holds),
    Check("attestations", "the last turns are signed", records.attested),
)
