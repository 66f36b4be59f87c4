"""Settings files that are broken in any way: refused by name, line and key, never read half, never waited for."""

import os
from pathlib import Path

import pytest

from common.errors import OperatorError
from components.settings import load_settings
from components.settings_file import LARGEST_FILE, MOST_NODES, read_settings_file

BOMB = "config:\n  a0: &a0 [x, x]\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)
)
HEAD = "config:\n  client-environments:clientId: acme\n"


def read(folder: Path, content: str | bytes) -> object:
    path = folder / "Pulumi.acme.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_settings_file(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            HEAD + '  "client-environments:clientId": b\n',
            "yaml:3: client-environments:clientId is given twice, first in",
        ),
        ("config:\n  tiers:\n    growth: {ipv4: true, ipv4: false}\n", "yaml:3: ipv4 is given twice, first in line 3"),
        ("config: {}\nconfig: {}\n", "yaml:2: config is given twice"),
        (BOMB, f"stands for more than {MOST_NODES} values"),
        ("config: " + "[" * 3000, "is nested deeper than 50 levels"),
        ("config: " + "[" * 51 + "%", "is nested deeper than 50 levels"),
        ("config: " + "{a: " * 51 + "%", "is nested deeper than 50 levels"),
        ("config:\n" + "- " * 3000, "is nested deeper than 50 levels"),
        ("config: &a {b: *a}", "is nested deeper than 50 levels"),
        ("#" * (LARGEST_FILE + 1), "is larger than 256 KiB"),
        (b"config: \xff", "it is not UTF-8"),
        ("config: {a: !!python/object:os.system x}", "is not read"),
        ("config: {a: !!binary x}", "is not read"),
        ("config:\n  ? [a]\n  : 1\n", "yaml:2: a key must be text"),
        ('config: {a: "\\ud800"}', "half of a surrogate pair"),
        ('config: {a: "\\UFFFFFFFF"}', "cannot be read as YAML"),
        ("config: 1\n---\nconfig: 2\n", "yaml:2: cannot be read as YAML"),
        ("config: *nothing", "yaml:1: cannot be read as YAML"),
        ("config: {<<: 3}", "<< takes mappings"),
        ("- a list", "must hold a mapping"),
        ("\x00", "cannot be read as YAML"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_reason(tmp_path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(OperatorError) as refusal:
        read(tmp_path, content)
    assert str(refusal.value).startswith("Pulumi.acme.yaml")
    assert told in str(refusal.value)
    assert len(str(refusal.value)) < 300


def make_folder(path: Path) -> None:
    path.mkdir()


def make_dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def make_circle(path: Path) -> None:
    path.symlink_to(path)


def make_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_folder, make_dangling, make_circle, make_endless, os.mkfifo])
def test_what_is_no_file_is_refused_without_reading_or_waiting(tmp_path: Path, make) -> None:
    make(tmp_path / "Pulumi.acme.yaml")
    with pytest.raises(OperatorError, match=r"^Pulumi\.acme\.yaml: is (not a file|a link to no file)"):
        read_settings_file(tmp_path / "Pulumi.acme.yaml")


def test_a_yml_file_is_named_with_its_own_faults_first(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.acme.yml").write_text(HEAD)
    with pytest.raises(OperatorError, match=r"^Pulumi\.acme\.yml: Pulumi reads only \.yaml files\. Rename it to"):
        load_settings("acme", tmp_path)
    (tmp_path / "Pulumi.acme.yml").write_text(HEAD + "  client-environments:clientId: b\n")
    with pytest.raises(OperatorError, match=r"^Pulumi\.acme\.yml:3: .* given twice"):
        load_settings("acme", tmp_path)


@pytest.mark.parametrize("stack", ["acme", "prod"])
def test_a_yml_file_beside_a_yaml_file_is_never_overlooked(tmp_path: Path, stack: str) -> None:
    for name in ("acme.yaml", "prod.yaml", f"{stack}.yml"):
        (tmp_path / f"Pulumi.{name}").write_text(HEAD if "acme" in name else "config: {}\n")
    with pytest.raises(OperatorError, match=rf"^Pulumi\.{stack}\.yml: stands beside Pulumi\.{stack}\.yaml"):
        load_settings("acme", tmp_path)


def test_aliases_and_merge_keys_stand_for_what_they_name(tmp_path: Path) -> None:
    content = "base: &base {instanceSize: small, ipv4: True}\nconfig:\n  growth: {<<: *base, ipv4: 'false'}\n"
    found = read(tmp_path, content)
    assert isinstance(found, dict)
    assert found["config"] == {"growth": {"instanceSize": "small", "ipv4": "false"}}


def test_every_scalar_is_its_text_as_pulumi_reads_it(tmp_path: Path) -> None:
    found = read(tmp_path, "config: {a: 2, b: '2', c: True, d: yes, e: ~, f: , g: 1.0, h: 2020-01-01, i: ' x '}")
    texts = {"a": "2", "b": "2", "c": "true", "d": "yes", "e": "", "f": "", "g": "1.0", "h": "2020-01-01", "i": " x "}
    assert found == {"config": texts}
