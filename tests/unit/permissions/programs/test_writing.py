"""Which operands a verb writes outside the workspace, what that asks of their names, and what stays for reading."""

from __future__ import annotations

import json

import pytest
from hypothesis import given as with_any
from hypothesis import strategies as st
from tests.support.calls import call, command

from wirken.domain.actions import Outside, Tier
from wirken.permissions.decide import classify
from wirken.permissions.programs.writing import WRITES, written
from wirken.permissions.reach import judged
from wirken.permissions.shell.words import literal

ROOTS = ("/o",)


def entries(text: str, *, roots: tuple[str, ...] = ROOTS) -> dict[str, str]:
    """Return how each path of a command is given: `read`, or what writing it asks of its name; `""` is `fill`."""
    placed = judged(command(text), roots)
    outside = placed.call.place.outside
    if any(one.writable for one in outside):
        assert placed.found.tier is Tier.THREE
        assert {f"file:{one.path}" for one in outside if one.writable} <= set(placed.found.keys)
    return {one.path: (one.entry or "fill") if one.writable else "read" for one in outside}


CERTAIN = {
    "touch /o/a": {"/o/a": "fill"},
    "touch -d now -r /o/b /o/a": {"/o/a": "fill", "/o/b": "read"},
    "touch -c /o/a": {"/o/a": "there"},
    "touch -- /o/a": {"/o/a": "fill"},
    "truncate -s 0 /o/a": {"/o/a": "fill"},
    "truncate --no-create --size=0 /o/a": {"/o/a": "there"},
    "tee -a /o/a": {"/o/a": "fill"},
    "shred /o/a": {"/o/a": "there"},
    "shred -uz /o/a": {"/o/a": "named"},
    "chmod -R 700 /o/a": {"/o/a": "there"},
    "chmod -x /o/a": {"/o/a": "there"},
    "chmod --reference=/o/b /o/a": {"/o/a": "there", "/o/b": "read"},
    "chown me /o/a": {"/o/a": "there"},
    "chgrp -v us /o/a": {"/o/a": "there"},
    "sort -o /o/a /o/b": {"/o/a": "fill", "/o/b": "read"},
    "sort -uo/o/a b": {"/o/a": "fill"},
    "sort --output=/o/a b": {"/o/a": "fill"},
    "uniq /o/b /o/a": {"/o/a": "fill", "/o/b": "read"},
    "dd if=/o/b of=/o/a bs=1M": {"/o/a": "fill", "/o/b": "read"},
    "dd of=/o/a conv=notrunc,nocreat": {"/o/a": "there"},
    "mkdir /o/a /o/b/": {"/o/a": "named", "/o/b": "named"},
    "mkdir -pm 700 /o/a/b": {"/o/a/b": "named"},
    "rmdir /o/a": {"/o/a": "named"},
    "rm -rf /o/a -v": {"/o/a": "named"},
    "rm -- /o/a /o/b": {"/o/a": "named", "/o/b": "named"},
    "unlink /o/a": {"/o/a": "named"},
    "mkfifo -m 600 /o/a": {"/o/a": "named"},
    "mknod /o/a p": {"/o/a": "named"},
    "link /o/b /o/a": {"/o/a": "named", "/o/b": "read"},
    "ln -s x /o/a": {"/o/a": "into"},
    "ln -sfn x /o/a": {"/o/a": "into"},
    "ln -s /o/b": {"/o/b": "read"},
    "ln -sT x /o/a": {"/o/a": "named"},
    "ln -st /o/a x y": {"/o/a": "there"},
    "mv /o/a b": {"/o/a": "named"},
    "mv a /o/b": {"/o/b": "into"},
    "mv a c /o/b": {"/o/b": "there"},
    "mv /o/a --target-directory=/o/b": {"/o/a": "named", "/o/b": "there"},
    "mv -t/o/b /o/a": {"/o/a": "named", "/o/b": "there"},
    "mv -t /o/b -- /o/a": {"/o/a": "named", "/o/b": "there"},
    "mv -T a /o/b": {"/o/b": "named"},
    "cp a /o/b": {"/o/b": "fill"},
    "cp a /o/b/": {"/o/b": "there"},
    "cp ./*.txt /o/b": {"/o/b": "there"},
    "cp a c /o/b": {"/o/b": "there"},
    "cp -fv /o/a /o/b": {"/o/a": "read", "/o/b": "fill"},
    "cp -r /o/a /o/b": {"/o/a": "read", "/o/b": "into"},
    "cp -n a /o/b": {"/o/b": "into"},
    "cp --remove-destination a /o/b": {"/o/b": "into"},
    "cp -at /o/b a": {"/o/b": "there"},
    "install -m 755 a /o/b": {"/o/b": "into"},
    "install -d /o/a /o/b": {"/o/a": "named", "/o/b": "named"},
    "install -t /o/b a": {"/o/b": "there"},
    "sed -i s/a/b/ /o/a": {"/o/a": "named"},
    "sed -i.bak -e s/a/b/ /o/a": {"/o/a": "named"},
    "sed --in-place=.b -n p /o/a": {"/o/a": "named"},
    "sed -Ei -f /o/b /o/a": {"/o/a": "named", "/o/b": "read"},
    "sed s/a/b/ /o/a": {"/o/a": "read"},
    "patch -p1 -d /o/a -i /o/b": {"/o/a": "there", "/o/b": "read"},
    "patch /o/a x.diff": {"/o/a": "named"},
    "patch --dry-run /o/a x.diff": {"/o/a": "read"},
    "patch -o /o/b a x.diff": {"/o/b": "into"},
    "tar -xf /o/b -C /o/a": {"/o/a": "there", "/o/b": "read"},
    "tar xzf /o/b -C /o/a": {"/o/a": "there", "/o/b": "read"},
    "tar xCf /o/a b": {"/o/a": "there"},
    "tar --extract --file=b --directory=/o/a": {"/o/a": "there"},
    "tar -czf /o/a b": {"/o/a": "fill"},
    "tar cf /o/a -C /o/b .": {"/o/a": "fill", "/o/b": "read"},
    "tar -rf /o/a b": {"/o/a": "there"},
    "tar -tf /o/a": {"/o/a": "read"},
    "unzip -oq /o/b -d /o/a": {"/o/a": "into", "/o/b": "read"},
    "unzip a -d/o/a": {"/o/a": "into"},
    "unzip -l /o/b": {"/o/b": "read"},
    "zip -r /o/a b": {"/o/a": "named"},
    "gzip -9 /o/a": {"/o/a": "named"},
    "gunzip -c /o/a": {"/o/a": "read"},
    "bzip2 -k /o/a": {"/o/a": "named"},
    "xz -dT0 /o/a": {"/o/a": "named"},
    "rsync -a --delete b/ /o/a/": {"/o/a": "into"},
    "rsync -a /o/b h:x": {"/o/b": "read"},
    "find /o/a -name x -delete": {"/o/a": "there"},
    "find /o/a -name x": {"/o/a": "read"},
    "find b -fprintf /o/a %p": {"/o/a": "fill"},
    "git -C /o/a commit -m x": {"/o/a": "there"},
    "git -C /o/a log": {"/o/a": "read"},
    "git init /o/a": {"/o/a": "into"},
    "git clone b /o/a": {"/o/a": "into"},
    "sh -c 'rm /o/a'": {"/o/a": "named"},
    "env nohup touch /o/a": {"/o/a": "fill"},
    "true && (mkdir /o/a)": {"/o/a": "named"},
    "mkdir /o/a; touch /o/a/b; chmod 700 /o/a": {"/o/a": "named"},
    "cat /o/a > /o/b; mv /o/b /o/c": {"/o/a": "read", "/o/b": "named", "/o/c": "into"},
}


@pytest.mark.parametrize("text", CERTAIN)
def test_what_is_certainly_written_is_given_for_that(text: str) -> None:
    assert entries(text) == CERTAIN[text]


@pytest.mark.parametrize("verb", sorted(WRITES))
def test_every_verb_of_the_table_has_a_line(verb: str) -> None:
    wrapped = {"chgrp": "chgrp -v", "bunzip2": "bzip2", "gunzip": "gzip", "unxz": "xz"}
    assert any(text.startswith(wrapped.get(verb, verb) + " ") for text in CERTAIN), verb


@pytest.mark.parametrize(
    "text",
    [
        "rm --unknown /o/a",
        "rm --recurs /o/a",
        "rm $x /o/a",
        'rm "$x" /o/a',
        "rm -$x /o/a",
        "rm *.o /o/a",
        "rm -- $x /o/a",
        "mkdir -m $x /o/a",
        "rmdir -p /o/a",
        "touch -d $x /o/a",
        "cp a $x /o/a",
        "mv -t /o/a -t /o/b c",
        "sed -i $x /o/a",
        "dd of=/o/a $x",
        "tar -x -C /o/a -C b -f c",
        "tar -xf b --transform=$x -C /o/a",
        "tar --remove-files -cf b /o/a",
        "unzip a -d /o/a -d /o/b",
        "rsync -e x a /o/a",
        "rsync --remove-source-files /o/a b",
        "find $x /o/a -delete",
        "git -c x=y -C /o/a commit",
        "git -C /o/a $x",
        "git -C /o/a -C b commit",
        "python3 a.py /o/a",
        "perl -pi -e x /o/a",
        "./touch /o/a",
        "xargs rm /o/a",
        "find /o/a -exec rm {} +",
        "make -C /o/a",
        "cd /o/a && rm x",
    ],
)
def test_what_is_not_certain_is_given_for_reading_only(text: str) -> None:
    assert "read" in set(entries(text).values()) and set(entries(text).values()) <= {"read"}


@pytest.mark.parametrize(
    "text", ["rm /o/*", "touch /o/$x", "mv a /o/b*", "rm ~me/a", "rm '/o/a*'", "rm /o/../p", "touch ''"]
)
def test_a_path_that_is_not_certain_is_not_given_at_all(text: str) -> None:
    assert entries(text) == {}


def test_the_most_that_is_asked_of_a_name_counts() -> None:
    assert entries("chmod 600 /o/a; cat /o/a") == {"/o/a": "there"}
    assert entries("touch /o/a; chmod 600 /o/a") == {"/o/a": "fill"}
    assert entries("cp a /o/a; ln -sf b /o/a") == {"/o/a": "into"}
    assert entries("ln -sf b /o/a; rm /o/a; touch /o/a") == {"/o/a": "named"}


def test_what_lies_in_a_place_given_for_writing_takes_no_line_but_what_is_hidden_there_does() -> None:
    assert entries("mkdir /o/a /o/a/b /o/a/b/c /o/a/b/c/d") == {"/o/a": "named"}
    assert entries("mkdir /o/a; cat /o/a/.ssh/x") == {"/o/a": "named", "/o/a/.ssh/x": "read"}
    assert entries("cat /o/a; rm /o/a/b") == {"/o/a": "read", "/o/a/b": "named"}
    assert entries("mkdir /o/a /o/ab") == {"/o/a": "named", "/o/ab": "named"}


def test_outside_of_what_the_operator_opened_nothing_is_given() -> None:
    assert entries("rm /p/a", roots=ROOTS) == {}
    assert entries("rm /o/a", roots=()) == {}


words = st.lists(
    st.sampled_from(
        ["/o/a", "/o/b", "c", "-r", "-rf", "-t", "--", "-x", "-T", "--delete", "of=/o/a", "-C", "x", "-d", "-o"]
    )
    | st.text(max_size=4),
    max_size=6,
)


@with_any(st.sampled_from([*WRITES, "cat", "python3"]), words)
def test_whatever_is_given_for_writing_is_named_in_the_command_asked_each_time_and_keyed(
    verb: str, arguments: list[str]
) -> None:
    found = written(verb, literal((verb, *arguments)))
    assert all(any(one.path.strip("/") in word for word in arguments) for one in found)
    placed = judged(call("exec", json.dumps({"argv": [verb, *arguments]})), ROOTS)
    plain = {one.path for one in placed.call.place.outside if one.writable}
    assert plain <= {one.path for one in found}
    if found:
        assert placed.found.tier is Tier.THREE
    assert placed.found == classify(placed.call)


def test_a_path_for_reading_has_no_say_about_its_name() -> None:
    assert Outside("/o/a").entry == "" and Outside("/o/a").above == "/o" and Outside("/a").above == "/"
