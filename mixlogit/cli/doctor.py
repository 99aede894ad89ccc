"""`mixlogit doctor`: versions, torch build, devices, disk, hub access."""

import os
import platform
import shutil
from pathlib import Path
from typing import Any

from mixlogit.cli.invocation import Invocation
from mixlogit.run import versions, write_json

__all__ = ["doctor", "show"]


def doctor() -> dict[str, Any]:
    """What a bug report needs to know about this machine; the network is not touched.

    Returns:
        Versions by package; Python and platform; torch's build, devices and threads; free disk
        in bytes where runs are written; whether a hub token, endpoint or offline mode is set
        (never the token itself).

    Example:
        >>> sorted(doctor())
        ['disk', 'hub', 'platform', 'torch', 'versions']
    """
    return {
        "versions": versions(),
        "platform": {"system": platform.platform(), "cpus": os.cpu_count()},
        "torch": _torch(),
        "disk": {"folder": str(Path.cwd()), "free_bytes": shutil.disk_usage(".").free},
        "hub": _hub(),
    }


def _torch() -> dict[str, Any]:
    import torch

    cuda = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    devices = ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
    build = f"cuda {torch.version.cuda}" if torch.version.cuda else "cpu"
    return {"build": build, "devices": devices, "threads": torch.get_num_threads()}


def _hub() -> dict[str, Any]:
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    file = Path(os.environ.get("HF_TOKEN_PATH", home / "token"))
    return {
        "token": bool(os.environ.get("HF_TOKEN")) or file.is_file(),
        "endpoint": os.environ.get("HF_ENDPOINT"),
        "offline": os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"),
        "cache": str(home),
    }


def show(call: Invocation) -> None:
    """Say versions, torch build, devices, disk and hub access (no network)."""
    found = doctor()
    say = call.terminal.say
    packages = found["versions"]
    say("versions " + ", ".join(f"{name} {version}" for name, version in packages.items()))
    machine, torch, hub = found["platform"], found["torch"], found["hub"]
    say(f"machine  {machine['system']}, {machine['cpus']} CPUs")
    say(
        f"torch    {torch['build']} build, {torch['threads']} threads; "
        f"devices: {', '.join(torch['devices'])}"
    )
    disk = found["disk"]
    say(f"disk     {disk['free_bytes'] / 1e9:.1f} GB free at {disk['folder']}")
    state = ["a token is set" if hub["token"] else "no token"]
    state.append(f"endpoint {hub['endpoint']}" if hub["endpoint"] else "default endpoint")
    state += ["offline"] if hub["offline"] else []
    say(f"hub      {', '.join(state)}; cache at {hub['cache']}")
    if call.output is not None:
        with call.folder(call.output) as run:
            write_json(run.folder / "doctor.json", found)
        say(f"Wrote {call.output}")
    call.terminal.result(found)
