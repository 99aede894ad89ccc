"""Run folders: atomic writes, locks, manifests and configuration."""

from mixlogit.run.config import check_config, config_sha256, load_config
from mixlogit.run.folder import RunFolder, versions
from mixlogit.run.lock import run_lock
from mixlogit.run.manifest import fault_of, refuse_damage, write_manifest
from mixlogit.run.progress import Progress, silent
from mixlogit.run.resources import is_first_process, n_processes, peak_memory_mb
from mixlogit.run.training import GrowingRun
from mixlogit.run.write import (
    disk_full,
    json_ready,
    replacing,
    write_json,
    write_parquet,
    write_text,
    write_yaml,
    yaml_text,
)

__all__ = [
    "GrowingRun",
    "Progress",
    "RunFolder",
    "check_config",
    "config_sha256",
    "disk_full",
    "fault_of",
    "is_first_process",
    "json_ready",
    "load_config",
    "n_processes",
    "peak_memory_mb",
    "refuse_damage",
    "replacing",
    "run_lock",
    "silent",
    "versions",
    "write_json",
    "write_manifest",
    "write_parquet",
    "write_text",
    "write_yaml",
    "yaml_text",
]
