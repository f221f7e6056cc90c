"""Says in lines what pip-audit found (its JSON, on standard input); exit code 1 says that something is new.

Of a service that does not answer, nothing is known: that fails, too, unless --where-reached is given.
"""

import json
import sys

KNOWN: dict[str, str] = {}
"""Why a weakness that is known by this id can stay: of what it is, and why amends is not touched by it."""


def main(arguments: list[str]) -> int:
    """Prints what was found; returns the exit code."""
    text = sys.stdin.read()
    packages = json.loads(text)["dependencies"] if text else []
    looked_up = [package for package in packages if "vulns" in package]
    if not looked_up:
        print("audit: nothing was checked, since the service that knows weaknesses did not answer")
        return 0 if "--where-reached" in arguments else 1
    found = {(package["name"], one["id"]): (package, one) for package in looked_up for one in package["vulns"]}
    new = [key for key in found if key[1] not in KNOWN]
    for (name, identifier), (package, one) in found.items():
        mended = ", ".join(one["fix_versions"]) or "no version yet"
        print(f"audit: {name} {package['version']}: {identifier}: {KNOWN.get(identifier, f'mended in {mended}')}")
    skipped = [package["name"] for package in packages if "vulns" not in package]
    print(f"audit: {len(looked_up)} packages checked, {len(new)} new weaknesses, {len(found) - len(new)} known")
    if skipped:
        print(f"audit: not checked: {', '.join(skipped)}")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
