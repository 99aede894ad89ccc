"""Schemas: how known preference data sets become comparisons."""

from mixlogit.data.schemas.apply import mapped_feed, raw_feed
from mixlogit.data.schemas.base import Schema
from mixlogit.data.schemas.registry import schema_named, schemas

__all__ = ["Schema", "mapped_feed", "raw_feed", "schema_named", "schemas"]
