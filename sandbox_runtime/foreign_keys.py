"""How one collection points at another: the foreign key of ``/projects/1/tasks`` is ``projectId``, or
``project_id`` where a collection spells it so. Pure; planner and store go by the same names.
"""

from __future__ import annotations

from collections.abc import Mapping

_IRREGULAR: Mapping[str, str] = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "movies": "movie",
    "cookies": "cookie",
    "indices": "index",
    "vertices": "vertex",
    "matrices": "matrix",
    "data": "datum",
    "news": "news",
    "series": "series",
    "species": "species",
}
_SIBILANTS = ("ses", "xes", "zes", "ches", "shes")
# Words of that ending whose singular has the e.
_KEEP_E = tuple(
    (
        "houses cases phases bases courses purchases releases licenses responses expenses uses causes "
        "clauses purposes nurses horses caches sizes prizes exercises franchises leases diseases roses"
    ).split()
)


def singular(name: str) -> str:
    """The singular of an English plural, by rule; a word that is none stays as it is."""
    lower = name.lower()
    for plural, single in _IRREGULAR.items():
        start = len(name) - len(plural)
        if lower.endswith(plural) and (start == 0 or name[start].isupper() or not name[start - 1].isalpha()):
            return name[:start] + (single.capitalize() if name[start].isupper() else single)
    if lower.endswith("ies") and len(name) > 4:
        return name[:-3] + "y"
    if lower.endswith(_SIBILANTS) and not lower.endswith(_KEEP_E):
        return name[:-2]
    if len(name) > 1 and lower.endswith("s") and not lower.endswith(("ss", "us", "is")):
        return name[:-1]
    return name


def foreign_keys(parent: str) -> tuple[str, str]:
    """The members in which a record may hold the id of its parent; the first is the one for new data."""
    name = singular(parent)
    return name + "Id", name + "_id"


def member_path(name: str) -> str:
    """The member as a path of a query, where a dot would lead into a nested object."""
    return name.replace("\\", "\\\\").replace(".", "\\.")
