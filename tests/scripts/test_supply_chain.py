"""The lock files, and what is read from them."""

import importlib.metadata
import pathlib
import re

import pytest
import supply_chain

ROOT = pathlib.Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-release.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_version_and_hash_and_nothing_says_where_it_comes_from(lock):
    text = (ROOT / lock).read_text()
    pins = supply_chain.pins(text)
    assert len(pins) > 40
    assert all(hashes for _, hashes in pins.values())
    lines = [line for line in text.splitlines() if not line.startswith((" ", "#"))]
    assert len(lines) == len(pins) and all("==" in line for line in lines)
    assert not re.search(r"://|--\w*(index|links|host)|[@/]", text)


def test_the_lock_is_of_what_is_required_and_installed():
    pins = supply_chain.pins((ROOT / "requirements.lock").read_text())
    required = re.findall(r'^ +"([\w.-]+)>=', (ROOT / "setup.py").read_text().split('"bench"')[0], re.MULTILINE)
    assert len(required) > 20
    for name in required:
        version, _ = pins[re.sub(r"[-_.]+", "-", name).lower()]
        assert importlib.metadata.version(name) == version


ENTRY = "a-b==1.0 ; python_version < '3' \\\n    --hash=sha256:{0} \\\n    --hash=sha256:{1}\nc.d==2\n"
HASHES = "0" * 64, "f" * 64


def test_pins():
    assert supply_chain.pins("# made by\n" + ENTRY.format(*HASHES)) == {"a-b": ("1.0", {*HASHES}), "c-d": ("2", set())}


def test_a_list_that_lacks_or_changes_a_package_is_noticed():
    def component(name, version, *hashes):
        content = [{"alg": "SHA-256", "content": value} for value in hashes]
        return {"name": name, "version": version, "externalReferences": [{"hashes": content}]}

    pins = supply_chain.pins(ENTRY.format(*HASHES))
    whole = [component("A_b", "1.0", *HASHES), component("c.d", "2")]
    assert supply_chain.differences(pins, {"components": whole}) == []
    assert supply_chain.differences(pins, {"components": whole[:1]}) == ["c-d"]
    assert supply_chain.differences(pins, {"components": [component("a-b", "1.0", HASHES[0]), whole[1]]}) == ["a-b"]
    assert supply_chain.differences(pins, {"components": [*whole, component("e", "1")]}) == ["e"]


@pytest.mark.parametrize(
    ("packages", "code", "line"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "x.lock: 1 packages audited, 0 known vulnerabilities."),
        ([{"name": "a", "version": "1", "vulns": [{"id": "V-1", "fix_versions": ["2"]}]}], 1, "a 1: V-1, fixed in 2"),
        ([{"name": "a", "skip_reason": "not found"}], 2, "Not audited, no advisories could be read: a."),
        ([], 2, "x.lock: 0 packages audited, 0 known vulnerabilities."),
    ],
)
def test_an_audit_that_read_nothing_is_no_good_result(packages, code, line, capsys):
    assert supply_chain.report("x.lock", packages) == code
    assert line in "\n".join(capsys.readouterr())
