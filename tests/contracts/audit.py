"""Check the installed packages for known vulnerabilities with pip-audit, if it and its service can be reached.

Run:  python tests/contracts/audit.py       the exit code is 1 if there is a vulnerability
"""

from __future__ import annotations

import json
import subprocess
import sys

COMMAND = ["-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]


def main() -> int:
    """Print the vulnerable packages, or why there was no audit."""
    try:
        done = subprocess.run([sys.executable, *COMMAND], capture_output=True, text=True, check=False, timeout=600)
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return skipped("pip-audit takes too long")
    except (ValueError, KeyError, TypeError):
        return skipped((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    vulnerable = [each for each in packages if each.get("vulns")]
    for each in vulnerable:
        for one in each["vulns"]:
            fixed = ", ".join(one.get("fix_versions") or ["no version"])
            sys.stdout.write(f"VULNERABLE: {each['name']} {each['version']}: {one['id']}, fixed in {fixed}\n")
    audited = sum("vulns" in each for each in packages)
    if not audited:
        return skipped("the service knows none of the packages")
    sys.stdout.write(f"{audited} of {len(packages)} packages audited, {len(vulnerable)} vulnerable.\n")
    return 1 if vulnerable else 0


def skipped(reason: str) -> int:
    """Say loudly that nothing was checked."""
    sys.stdout.write(f"DEPENDENCIES WERE NOT AUDITED: {reason}\n")
    sys.stdout.write("For the audit: pip install pip-audit, and a connection to pypi.org.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
