"""Which data sets are known."""

from difflib import get_close_matches

from mixlogit.data.schemas.base import Schema
from mixlogit.data.schemas.battles import ARENA, MTBENCH
from mixlogit.data.schemas.community import COMMUNITY_ALIGNMENT
from mixlogit.data.schemas.dices import DICES
from mixlogit.data.schemas.helpsteer import HELPSTEER2, HELPSTEER3
from mixlogit.data.schemas.hh import HH
from mixlogit.data.schemas.multipref import MULTIPREF
from mixlogit.data.schemas.prism import PRISM
from mixlogit.data.schemas.ultrafeedback import ULTRAFEEDBACK
from mixlogit.errors import UsageError

__all__ = ["schema_named", "schemas"]

_KNOWN = (
    *(PRISM, HH, MULTIPREF, COMMUNITY_ALIGNMENT, HELPSTEER2, HELPSTEER3),
    *(ULTRAFEEDBACK, ARENA, MTBENCH, DICES),
)


def schemas() -> dict[str, Schema]:
    """The known data sets, by the name that `load`, `texts` and `--schema` take.

    Returns:
        Name to schema.

    Example:
        >>> list(schemas())[:3], schemas()["mtbench"].split
        (['prism', 'hh', 'multipref'], 'human')
    """
    return {schema.name: schema for schema in _KNOWN}


def schema_named(name: str) -> Schema:
    """The schema of that name.

    Raises:
        UsageError: If there is none.

    Example:
        >>> schema_named("prism").title
        'PRISM'
    """
    known = schemas()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f' Did you mean "{close[0]}"?' if close else ""
        raise UsageError(f'No schema "{name}".{hint} Schemas: {", ".join(known)}.')
    return known[name]
