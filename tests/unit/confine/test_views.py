from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wirken.confine import pyenv, roles, views
from wirken.confine.views import Mount, Scene

SCENE = Scene(
    data="/home/me/.wirken",
    sockets="/home/me/.wirken/sockets",
    program=("/opt/py", "/home/me/env"),
    workspaces=("/home/me/project",),
    read_only=("/home/me/reference",),
    cgroups=("/sys/fs/cgroup/pids/wirken-1",),
    top=(Mount("symlink", "/bin", "usr/bin"),),
)
WIRKENS = SCENE.data + "/"


def shown(name: str, scene: Scene = SCENE) -> dict[str, str]:
    return {mount.target: mount.kind for mount in views.mounts(roles.ROLES[name], scene)}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("vault", {"vault": "bind"}),
        ("gateway", {"gateway": "bind", "config.toml": "ro-bind", "skills": "ro-bind"}),
        ("runner", {"skills": "ro-bind", "sockets/gateway.sock": "ro-bind", "sockets/relay-runner.sock": "ro-bind"}),
        ("outbound", {"config.toml": "ro-bind", "sockets/gateway.sock": "ro-bind"}),
        ("web", {"sockets/gateway.sock": "ro-bind"}),
    ],
)
def test_of_wirkens_data_a_role_sees_exactly_its_row(role: str, expected: dict[str, str]) -> None:
    seen = {path.removeprefix(WIRKENS): kind for path, kind in shown(role).items() if path.startswith(WIRKENS)}
    assert seen == expected


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_the_runner_alone_makes_sockets_for_containers_and_only_with_an_engine(role: str) -> None:
    place = f"{WIRKENS}hatches"
    assert place not in shown(role)
    assert shown(role, SCENE._replace(hatches=place)).get(place) == ("bind" if role == "runner" else None)


@pytest.mark.parametrize("role", [name for name in roles.ROLES if name != "runner"])
def test_only_the_runner_sees_workspaces_and_cgroups(role: str) -> None:
    assert not {*SCENE.workspaces, *SCENE.read_only, *SCENE.cgroups} & set(shown(role))
    seen = shown("runner")
    assert [seen[path] for path in (*SCENE.workspaces, *SCENE.cgroups)] == ["bind", "bind"]
    assert seen["/home/me/reference"] == "ro-bind"


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_only_outbound_keeps_the_network_and_the_resolver(role: str) -> None:
    line = views.arguments(roles.ROLES[role], SCENE)
    assert ("--unshare-net" in line) == (role != "outbound")
    assert ("/etc/resolv.conf" in line) == (role == "outbound")
    assert {"--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc", "--unshare-uts"} <= set(line)


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_no_role_sees_the_system_directories_whole(role: str) -> None:
    assert not {"/", "/etc", "/home", "/root", "/run", "/var", "/sys", "/home/me", SCENE.data} & set(shown(role))


def test_the_program_stays_read_only_inside_a_workspace() -> None:
    scene = SCENE._replace(workspaces=("/home/me",), program=("/home/me/env",))
    order = [mount.target for mount in views.mounts(roles.ROLES["runner"], scene)]
    assert order.index("/home/me") < order.index("/home/me/env")
    assert shown("runner", scene)["/home/me/env"] == "ro-bind"


def test_a_folder_that_is_workspace_and_reference_is_a_workspace() -> None:
    scene = SCENE._replace(read_only=SCENE.workspaces)
    assert shown("runner", scene)["/home/me/project"] == "bind"


def test_parents_are_made_open_and_before_what_lies_in_them_but_never_inside_a_bound_folder() -> None:
    scene = SCENE._replace(workspaces=("/home/me/project",), program=("/home/me/project/deep/env",))
    line = views.arguments(roles.ROLES["runner"], scene)
    made = [line[at + 1] for at, word in enumerate(line) if word == "--dir"]
    assert made[made.index("/home") : made.index("/home") + 2] == ["/home", "/home/me"]
    assert "/home/me/project/deep" not in made
    assert len(made) == len(set(made))


def test_the_views_own_root_is_made_read_only_at_the_end() -> None:
    line = views.arguments(roles.ROLES["web"], SCENE)
    assert line[-4:] == ["--remount-ro", "/", "--chdir", "/"]


def test_top_level_directories_are_links_or_folders_as_on_the_machine(tmp_path: Path) -> None:
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "lib").mkdir()
    assert views.top_level(str(tmp_path)) == (
        Mount("symlink", "/bin", "usr/bin"),
        Mount("ro-bind", "/lib", "/lib"),
    )


def test_a_role_id_belongs_to_the_row_before_its_number() -> None:
    assert roles.role_of("runner-12") is roles.ROLES["runner"]
    assert roles.role_of("vault") is roles.ROLES["vault"]
    assert roles.role_of("channel-telegram") is roles.ROLES["channels"]


def test_an_adapter_sees_its_own_socket_to_the_relay_and_the_folder_it_keeps() -> None:
    def own(role_id: str, state: str = "") -> dict[str, str]:
        seen = {mount.target: mount.kind for mount in views.mounts(roles.row_of(role_id, state), SCENE)}
        return {path.removeprefix(WIRKENS): kind for path, kind in seen.items() if path.startswith(WIRKENS)}

    gateway = {"sockets/gateway.sock": "ro-bind"}
    assert own("channel-slack") == gateway | {"sockets/relay-channel-slack.sock": "ro-bind"}
    kept = {"sockets/relay-channel-matrix.sock": "ro-bind", "channels/matrix": "bind"}
    assert own("channel-matrix", "channels/matrix") == gateway | kept
    assert own("web", "channels/matrix") == gateway


def test_every_role_is_started_and_stopped_once() -> None:
    to_come = {roles.MCP, roles.SIEM, roles.WITNESS}
    assert sorted(roles.START_ORDER) == sorted(set(roles.ROLES) - to_come)
    assert sorted(name for stage in roles.STOP_STAGES for name in stage) == sorted(set(roles.ROLES) - to_come)


def test_the_program_is_shown_whole_and_nothing_twice() -> None:
    places = pyenv.program_paths()
    for needed in (Path(pyenv.__file__), Path(sys.executable), Path(sys.executable).resolve()):
        assert any(needed.is_relative_to(place) for place in (*places, "/usr")), needed
    assert not any(Path(one).is_relative_to(other) for one in places for other in places if one != other)
    assert not any(Path(place).is_relative_to("/usr") for place in places)


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_who_starts_or_judges_programs_sees_the_tool_root_read_only_and_nobody_else(role: str) -> None:
    scene = SCENE._replace(tools="/home/me/image")
    assert shown(role, scene).get("/home/me/image") == ("ro-bind" if role in ("gateway", "runner") else None)
    assert shown(role, scene)["/usr"] == "ro-bind"
