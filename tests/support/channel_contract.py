"""The contract of every channel, as one set of scenarios over a real gateway and the platform's simulator.

A platform's test module has `class TestContract(ChannelContract)` with a `rig`. The adapter runs in a process of its
own and is killed with SIGKILL; whatever dies, each accepted message has one turn and one confirmed answer.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.support.channel_bench import PATIENCE, ChannelBench, channel_bench
from tests.support.channel_rig import Offered, Rig, Seen, Step
from tests.support.scripted_wings import Step as ModelStep
from tests.support.scripted_wings import calls, says

from wirken.domain import adapter_limits as limits
from wirken.domain.events import DeliveryConfirmed, PermissionApproved, ToolPermitted, TurnEnded

PLANES = "Aé Жш ا ह 中 한 😀 𠀀 𰀀 𝒳 \U000e0041 \U000f0000 \U00100000"
"""Characters of every plane that has any, tags and private ones included."""
MEBIBYTE = 2**20
DELETES = ("exec", json.dumps({"command": "rm -rf build"}))
LONG = "This is the beginning of an answer which is long enough to be shown while it is being written. "


def visible(seen: tuple[Seen, ...]) -> str:
    """Return what a user reads, without the gaps that put mentions to sleep."""
    return "\n".join(message.text for message in seen).replace("\u200b", "").replace("\u200c", "")


class ChannelContract:
    """Everything that a channel promises."""

    def rig(self) -> AbstractAsyncContextManager[Rig]:
        raise NotImplementedError

    # --- text -----------------------------------------------------------------------------------------

    async def test_a_message_is_answered_once_where_it_was_said(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, says("Hello **Alice**.")) as at:
            said = await rig.says("alice", "hello")
            await at.answered("alice")
            [seen] = rig.seen("alice")
            assert "Hello" in seen.text and "Alice" in seen.text and rig.seen("bob") == ()
            await at.until_acknowledged(said)

    async def test_text_of_every_plane_arrives_and_leaves_as_it_is(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, says(PLANES)) as at:
            await rig.says("alice", PLANES)
            await at.answered("alice")
            assert at.heard("alice")[0].text == PLANES
            for sign in PLANES.split()[:10]:
                assert sign in visible(rig.seen("alice")), sign

    async def test_an_answer_of_100_000_characters_arrives_whole_and_in_order(self, tmp_path: Path) -> None:
        words = [f"w{number:07}" for number in range(100_000 // 9)]
        async with self.rig() as rig, channel_bench(tmp_path, rig, says(" ".join(words))) as at:
            await rig.says("alice", "tell me everything")
            await at.answered("alice")
            assert visible(rig.seen("alice")).split() == words

    async def test_a_message_of_100_000_characters_is_taken_as_far_as_the_platform_takes_it(
        self, tmp_path: Path
    ) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            await rig.says("alice", "long " * 20_000)
            await at.answered("alice")
            assert at.heard("alice")[0].text.strip() == ("long " * 20_000).strip()

    async def test_what_looks_like_markup_is_text_and_calls_nobody(self, tmp_path: Path) -> None:
        hostile = "<b>bold</b> <script>alert(1)</script> @everyone <!channel> &amp; \\* [x](javascript:alert(1))"
        async with self.rig() as rig, channel_bench(tmp_path, rig, says(hostile)) as at:
            await rig.says("alice", "<b>hello</b> @everyone &lt;")
            await at.answered("alice")
            assert at.heard("alice")[0].text == "<b>hello</b> @everyone &lt;"
            text = visible(rig.seen("alice"))
            assert "<b>bold</b>" in text and "<script>alert(1)</script>" in text and "<!channel>" in text

    async def test_an_edit_is_a_further_message_that_says_so(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            if not rig.can.user_edits:
                pytest.skip("nobody can edit there")
            said = await rig.says("alice", "hello")
            await at.answered("alice")
            await rig.edits("alice", said, "hello again")
            await at.answered("alice", 2)
            assert [fact.text for fact in at.heard("alice")] == ["hello", "(edited) hello again"]

    async def test_the_same_message_again_changes_nothing(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            said = await rig.says("alice", "hello")
            await at.answered("alice")
            for _ in range(3):
                await rig.repeats(said)
            await rig.says("alice", "and this")
            await at.answered("alice", 2)
            assert len(rig.seen("alice")) == 2

    async def test_words_are_answered_without_a_model(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            await rig.says("alice", "/whoami")
            seen = await at.until_seen("alice", lambda seen: len(seen) == 1)
            assert "owner" in seen[0].text and at.at.model.questions == []

    async def test_somebody_unknown_is_told_so_and_not_heard(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            said = await rig.says("mallory", "let me in")
            await at.until_seen("mallory", lambda seen: len(seen) == 1)
            await at.until_acknowledged(said)
            assert at.rows("mallory") == [] and at.at.model.questions == []

    # --- files ----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [3, 50 * MEBIBYTE])
    async def test_a_file_comes_or_its_sender_is_told_and_the_text_goes_through(
        self, tmp_path: Path, size: int
    ) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            if not rig.can.files:
                pytest.skip("there are no files there")
            await rig.says("alice", "look at this", Offered("a.bin", b"x" * size))
            await at.until_rows("alice", DeliveryConfirmed, 1)
            await at.at.rest(at.session("alice"))
            assert "look at this" in at.heard("alice")[0].text
            told = any("a.bin" in seen.text for seen in rig.seen("alice"))
            came = [fact.path.endswith("a.bin") and fact.size == size for fact in at.heard("alice")[0].files]
            assert (told, came) in ((False, [True]), (True, [])), (told, came)
            assert came or size > 3  # large ones: a platform may well not have them

    async def test_a_file_that_lies_about_its_size_is_stopped_and_the_text_goes_through(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            if not rig.can.files:
                pytest.skip("there are no files there")
            await rig.says("alice", "look at this", Offered("a.bin", b"x" * (limits.ATTACHMENT + 1), claims=10))
            await at.until_rows("alice", DeliveryConfirmed, 1)
            await at.until_seen("alice", lambda seen: any("a.bin" in one.text for one in seen))
            assert "look at this" in at.heard("alice")[0].text

    @pytest.mark.parametrize("step", [None, "sending", "sent"])
    async def test_a_file_that_the_agent_sends_arrives_whoever_dies(self, tmp_path: Path, step: Step | None) -> None:
        sent = calls(("send_file", json.dumps({"path": "report.txt", "caption": "The report."})))
        async with self.rig() as rig, channel_bench(tmp_path, rig, sent, says("Sent.")) as at:
            if not rig.can.files:
                pytest.skip("there are no files there")
            at.at.runner.gives["report.txt"] = b"all is well\n" * 1000
            if step is not None:
                rig.holds(step)
            await rig.says("alice", "send it")
            if step is not None:
                async with asyncio.timeout(PATIENCE):
                    await rig.held()
                await at.dies()
                rig.releases()
                await at.starts()
            await at.answered("alice")
            files = [seen for seen in rig.seen("alice") if seen.data]
            assert 1 <= len(files) <= (2 if step and not rig.can.knows_keys else 1)
            assert all(seen.data == b"all is well\n" * 1000 for seen in files)
            assert "Sent." in rig.seen("alice")[-1].text

    # --- while it is written --------------------------------------------------------------------------

    async def test_an_answer_that_grows_becomes_the_answer_in_its_place(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, *self.slowly()) as at:
            if not rig.can.edits:
                pytest.skip("nothing can be edited there")
            await rig.says("alice", "hello")
            await at.until_seen("alice", lambda seen: bool(seen) and "…" in seen[-1].text)
            self.gate.set()
            await at.answered("alice")
            [seen] = rig.seen("alice")
            assert "Second" in seen.text and "…" not in seen.text and seen.edits >= 1

    async def test_killed_while_an_answer_grows(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, *self.slowly()) as at:
            if not rig.can.edits:
                pytest.skip("nothing can be edited there")
            await rig.says("alice", "hello")
            await at.until_seen("alice", lambda seen: bool(seen) and "…" in seen[-1].text)
            await at.dies()
            self.gate.set()
            await at.starts()
            await at.answered("alice")
            assert "Second" in rig.seen("alice")[-1].text

    def slowly(self) -> tuple[ModelStep, ModelStep]:
        """Two rounds: the model says much before a call, and stops before the answer until the gate opens."""
        self.gate = asyncio.Event()
        return calls(("list_files", "{}"), text=LONG), says("Second.", gate=self.gate)

    # --- questions ------------------------------------------------------------------------------------

    async def test_a_question_is_answered_by_who_may_and_by_nobody_else(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, calls(DELETES), says("Done.")) as at:
            await at.admits("bob", "user")
            await rig.says("alice", "delete it")
            seen = await at.until_seen("alice", lambda seen: any(one.buttons for one in seen))
            [question] = [one for one in seen if one.buttons]
            assert set(question.buttons) == {"once", "deny"} and "rm -rf build" in visible(seen)
            for stranger in ("bob", "mallory"):
                await rig.presses(stranger, question, "once")
            assert not any(isinstance(fact, PermissionApproved | ToolPermitted) for fact in at.rows("alice"))
            await rig.presses("alice", question, "once")
            await at.answered("alice")
            assert at.at.runner.tools == ["exec"]
            settled = await self.settled(at, question)
            assert "Allowed once by owner" in settled.text
            told = await rig.presses("alice", question, "deny")
            assert at.at.runner.tools == ["exec"] and (not told or "not open any more" in told)

    async def test_a_question_is_answered_in_words_where_there_are_no_buttons(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, calls(DELETES), says("Left alone.")) as at:
            await rig.says("alice", "delete it")
            seen = await at.until_seen("alice", lambda seen: "!deny " in visible(seen))
            approval = visible(seen).split("!deny ")[1].split()[0]
            await rig.says("alice", f"!deny {approval} not now")
            await at.answered("alice")
            assert at.at.runner.tools == []
            await self.settled(at, next(one for one in seen if one.buttons or not rig.can.buttons))

    async def test_a_question_outlives_its_adapter(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig, calls(DELETES), says("Done.")) as at:
            await rig.says("alice", "delete it")
            seen = await at.until_seen("alice", lambda seen: any(one.buttons for one in seen))
            await at.dies()
            await at.starts()
            await at.connected()
            await rig.presses("alice", next(one for one in seen if one.buttons), "once")
            await at.answered("alice")
            assert at.at.runner.tools == ["exec"]
            await self.settled(at, next(one for one in seen if one.buttons))

    # --- fate -----------------------------------------------------------------------------------------

    async def test_a_minute_without_the_platform_loses_and_doubles_nothing(self, tmp_path: Path) -> None:
        gate = asyncio.Event()
        async with self.rig() as rig, channel_bench(tmp_path, rig, says("Late.", gate=gate)) as at:
            await rig.says("alice", "one")
            await at.until_rows("alice", DeliveryConfirmed, 0)
            await self.model_asked(at)
            await rig.goes_away()
            gate.set()
            await at.until_rows("alice", TurnEnded, 1)
            await rig.says("alice", "two")
            await asyncio.sleep(3.0)  # a minute of the adapter's time: the outage itself, nothing waits for it
            await rig.comes_back()
            await at.answered("alice", 2)
            assert len(rig.seen("alice")) == 2

    async def test_connections_that_are_cut_are_made_again(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            for number in range(1, 4):
                await rig.drops()
                await rig.says("alice", f"message {number}")
                await at.answered("alice", number)

    async def test_a_platform_that_wants_slowness_gets_it_and_everything_arrives(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            rig.slows(1.0, 3)
            await rig.says("alice", "hello")
            await at.answered("alice")
            assert len(rig.seen("alice")) == 1

    async def test_a_revoked_token_is_said(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            await rig.says("alice", "hello")
            await at.answered("alice")
            await rig.revokes()
            row = await at.until_known(lambda row: row.revoked)
            assert not row.connected and row.detail

    # --- SIGKILL --------------------------------------------------------------------------------------

    async def test_killed_before_the_message_is_on_disk(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            with at.at.disk_stands_still():
                said = await rig.says("alice", "hello")
                await at.until_known(lambda row: row.last_message > 0)
                assert not rig.can.acknowledges or not rig.acknowledged(said)
                await at.dies()
            await self.comes_back(at)
            await at.until_acknowledged(said)

    @pytest.mark.parametrize("step", ["acknowledging", "sending", "sent"])
    async def test_killed_at_each_step_on_the_way(self, tmp_path: Path, step: Step) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            rig.holds(step)
            said = await rig.says("alice", "hello")
            async with asyncio.timeout(PATIENCE):
                await rig.held()
            await at.dies()
            rig.releases()
            await self.comes_back(at)
            await at.until_acknowledged(said)

    async def test_killed_while_the_model_answers(self, tmp_path: Path) -> None:
        gate = asyncio.Event()
        async with self.rig() as rig, channel_bench(tmp_path, rig, says("ok", gate=gate)) as at:
            await rig.says("alice", "hello")
            await self.model_asked(at)
            await at.dies()
            gate.set()
            await self.comes_back(at)

    async def test_killed_between_two_pieces_of_an_answer(self, tmp_path: Path) -> None:
        words = [f"w{number:07}" for number in range(8000)]
        async with self.rig() as rig, channel_bench(tmp_path, rig, says(" ".join(words))) as at:
            await rig.says("alice", "hello")
            await at.until_seen("alice", lambda seen: len(seen) >= 2)
            await at.dies()
            await at.starts()
            await at.answered("alice")
            seen = visible(rig.seen("alice")).split()
            assert set(seen) == set(words) and seen[-len(words) :].count(words[-1]) >= 1

    async def test_killed_after_everything_is_confirmed(self, tmp_path: Path) -> None:
        async with self.rig() as rig, channel_bench(tmp_path, rig) as at:
            await rig.says("alice", "hello")
            await at.answered("alice")
            await at.dies()
            await at.starts()
            await at.connected()
            await rig.says("alice", "again")
            await at.answered("alice", 2)
            assert len(rig.seen("alice")) == 2

    # --- helping --------------------------------------------------------------------------------------

    async def settled(self, at: ChannelBench, question: Seen) -> Seen:
        """Wait for what says how a question ended: its own message without buttons, or else one that quotes it."""

        def ends(seen: tuple[Seen, ...]) -> Seen | None:
            if at.rig.can.edits:
                gone = not any(one.buttons for one in seen)
                return next((one for one in seen if gone and one.message_id == question.message_id), None)
            return next((one for one in seen if one.reply_to == question.message_id), None)

        found = ends(await at.until_seen("alice", lambda seen: ends(seen) is not None))
        assert found is not None
        return found

    async def model_asked(self, at: ChannelBench) -> None:
        async with asyncio.timeout(PATIENCE):
            while not at.at.model.questions:
                await asyncio.sleep(0.02)

    async def comes_back(self, at: ChannelBench) -> None:
        """Start a new adapter; alice's one message has its answer then.

        Where keys mean nothing to the platform she may see it twice: nobody can know that it had arrived.
        """
        await at.starts()
        await at.answered("alice")
        assert 1 <= len(at.rig.seen("alice")) <= (1 if at.rig.can.knows_keys else 2)
