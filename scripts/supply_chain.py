"""What the locked packages are (`make sbom`) and which of them are known to be vulnerable (`make audit`).

Exit codes: 0 for a good result, 1 for a vulnerability or an incomplete list, 2 where nothing could be checked.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["audit", "sbom"])
    parser.add_argument("lock", type=pathlib.Path, help="lock file with hashes")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("build", "sbom.cdx.json"))
    arguments = parser.parse_args()
    return audit(arguments.lock) if arguments.command == "audit" else sbom(arguments.lock, arguments.output)


def pins(text):
    """The content of a lock file as {normalised name: (version, set of SHA-256)}."""
    entries = re.findall(r"^([\w.-]+)==([^\s;]+)((?:[^\n]*\\\n)*[^\n]*)", text, re.MULTILINE)
    return {
        re.sub(r"[-_.]+", "-", name).lower(): (version, set(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", rest)))
        for name, version, rest in entries
    }


def audit(lock):
    """Print the advisories of PyPI on the packages of a lock file."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", "--format=json", "--disable-pip"]
    result = subprocess.run([*command, "--require-hashes", "--requirement", lock], capture_output=True, text=True)
    try:
        packages = json.loads(result.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (result.stderr.strip() or "no answer").splitlines()[-1]
        print(f"{lock}: not audited, the advisories could not be read ({reason}).", file=sys.stderr)
        return 2
    return report(lock, packages)


def report(lock, packages):
    """Print what pip-audit found, and return the exit code; pip-audit itself is content with packages it skipped."""
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    found = [(package, advisory) for package in packages for advisory in package.get("vulns", ())]
    for package, advisory in found:
        fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}")
    print(f"{lock}: {len(packages) - len(skipped)} packages audited, {len(found)} known vulnerabilities.")
    if skipped:
        print(f"Not audited, no advisories could be read: {', '.join(skipped)}.", file=sys.stderr)
    return 1 if found else 2 if skipped or not packages else 0


def sbom(lock, output):
    """Write a CycloneDX list of the packages of a lock file, validated against its schema and the lock file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--validate", "--output-reproducible"]
    subprocess.run([*command, "--output-file", output, lock], check=True)
    expected = pins(lock.read_text(encoding="utf-8"))
    if differing := differences(expected, json.loads(output.read_text(encoding="utf-8"))):
        print(f"{output} differs from {lock}: {', '.join(differing)}.", file=sys.stderr)
        return 1
    print(f"Wrote {output}: {len(expected)} packages, CycloneDX.")
    return 0


def differences(expected, document):
    """Sorted names of the packages that a CycloneDX document lacks, adds, or lists with other versions or hashes."""
    listed = {}
    for component in document["components"]:
        hashes = {entry["content"] for source in component["externalReferences"] for entry in source.get("hashes", ())}
        listed[re.sub(r"[-_.]+", "-", component["name"]).lower()] = (component["version"], hashes)
    return sorted(name for name in expected.keys() | listed.keys() if expected.get(name) != listed.get(name))


if __name__ == "__main__":
    sys.exit(main())
