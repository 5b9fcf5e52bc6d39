"""Teams in all of Wirken: `wirken run`, the inherited listener, every wall, and the way out through the relay."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.spine import spine, until, wirken
from tests.support.supervised import free_port
from tests.support.teams_callers import Callers
from tests.support.teams_sim import APP_ID, SECRET, TENANT, Simulated

pytestmark = pytest.mark.slow

T = TypeVar("T")
HOST = "teams.test.example"


class There:
    """The simulated Connector in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.sim = self.do(self._started())

    async def _started(self) -> Simulated:
        sim = Simulated(name=HOST)
        await sim.start()
        return sim

    def do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        self.do(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _end(self) -> None:
        await self.sim.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def there() -> Iterator[There]:
    one = There()
    try:
        yield one
    finally:
        one.close()


def test_a_call_gets_its_answer_through_every_wall_and_a_forged_one_none(there: There, tmp_path: Path) -> None:
    port = free_port()
    config = (
        f'[channels.teams]\napp_id = "{APP_ID}"\ntenant_id = "{TENANT}"\nport = {port}\n'
        f'api_url = "http://{HOST}:{there.sim.port}"\n[egress.own_addresses]\n"{HOST}" = ["127.0.0.1"]\n'
    )
    with spine(tmp_path / "wirken", config) as one:
        stored = wirken(one.data, "credentials", "add", "channel.teams.client_secret", "--stdin", text=SECRET)
        assert stored.returncode == 0, stored.stderr
        alice, room = there.sim.person("Alice")
        allowed = wirken(one.data, "senders", "allow", f"teams:{alice.aad}", "--role", "owner")
        assert allowed.returncode == 0, allowed.stderr

        def channel() -> dict[str, object]:
            rows = json.loads(wirken(one.data, "status", "--json").stdout)["gateway"]["channels"]
            return dict(rows[0]) if rows else {}

        until(lambda: channel().get("connected") is True, lambda: f"{channel()} {one.err}", 30.0)
        callers = Callers(there.sim, port)
        assert there.do(callers.call(callers.text(alice, room, "hello"), callers.token(aud="another"))).status == 403
        assert there.do(callers.call(callers.text(alice, room, "hello from Teams"))).status == 200
        until(lambda: bool(there.sim.state.seen(room.id)), lambda: one.err, 30.0)
        session = f"default/teams/{alice.id}"
        until(lambda: "delivery_confirmed" in one.kinds(session), lambda: f"{one.kinds(session)} {one.err}", 30.0)
        assert one.kinds(session).count("user_message") == 1
