"""Run folders: atomic writes, locks, manifests and configuration."""

from mixlogit.run.config import check_config, config_sha256, load_config
from mixlogit.run.folder import RunFolder
from mixlogit.run.lock import run_lock
from mixlogit.run.write import (
    json_ready,
    replacing,
    write_json,
    write_parquet,
    write_text,
    write_yaml,
)

__all__ = [
    "RunFolder",
    "check_config",
    "config_sha256",
    "json_ready",
    "load_config",
    "replacing",
    "run_lock",
    "write_json",
    "write_parquet",
    "write_text",
    "write_yaml",
]
