"""A process of ours that was taken over: the real `__main__` of a role, and a thread in it that attacks when told to.

`main.py SCENE ORDER ROLE OPTIONS…`: SCENE is JSON (`attack.Scene`), ORDER a file that stays empty until the attacks are
to begin, and then holds the pids of everybody else. ROLE `bare` attacks at once, without any wall.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.hostile.roles import files, floods, kernel, networks, peers, processes  # the path comes first
from tests.hostile.roles.attack import Scene, run_all

from wirken.confine import process

FORKED = {**files.FORKED, **processes.FORKED, **networks.FORKED, **kernel.FORKED, **floods.FORKED}


def main(given: str, order: str, role: str, options: list[str]) -> None:
    scene = Scene(**json.loads(given))._replace(role=role)
    if role == "bare":
        with open(order) as file:
            run_all(peers.HERE, FORKED, scene._replace(pids=tuple(json.load(file))))
        return
    descriptor = os.open(order, os.O_RDONLY)
    enter = process.enter

    def enter_and_attack(name: str, ground: process.Ground) -> tuple[str, ...]:
        worn = enter(name, ground)
        threading.Thread(target=attack, args=(scene, descriptor), daemon=True).start()
        return worn

    process.enter = enter_and_attack
    sys.argv = [role, *options]
    package = "channels" if role == "channel" else role
    runpy.run_module(f"wirken.{package}", run_name="__main__", alter_sys=True)


def attack(scene: Scene, descriptor: int) -> None:
    """Wait for the order, which comes once every process is ready; then try everything."""
    while not (said := os.pread(descriptor, 65_536, 0)):
        time.sleep(0.02)
    run_all(peers.HERE, FORKED, scene._replace(pids=tuple(json.loads(said))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
