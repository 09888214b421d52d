"""Names of classes on the page: safe to show, and cut where all of them would take too much."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from opiscal.data.embedding_set import Label
from opiscal.report.layout import clean

LONGEST = 1000
"""Characters of a name; whoever has more is cut in any case."""
_SHORTEST = 12
_TRIAL_NAMES = 500
_BETWEEN = " … "


@dataclass(frozen=True, slots=True)
class Names:
    """How names are shown.

    Attributes
    ----------
    longest : int
        Characters; of a longer name the middle is left out.
    any_cut : bool
        Whether a name of the set is longer.
    shown : dict
        The labels of the set as they are shown.
    size : int
        Bytes of all of them in JSON, with a comma each.
    """

    longest: int = LONGEST
    any_cut: bool = False
    shown: dict[Label, str] = field(default_factory=dict)
    size: int = 0

    @classmethod
    def that_fit(cls, labels: Sequence[Label], room: int) -> "Names":
        """The longest names of some labels that take at most `room` bytes, if twelve letters do."""
        cleaned = [clean(label) for label in labels]
        most = max(map(len, cleaned), default=0)
        longest = LONGEST
        size = _size(cleaned, longest)
        if size > room:
            # Few names are as good as all of them to begin with.
            some = cleaned[:: max(1, len(cleaned) // _TRIAL_NAMES)]
            share = room * len(some) / len(cleaned)
            low, high = _SHORTEST, min(most, LONGEST)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _size(some, middle) <= share else (low, middle)
            longest, size = low, _size(cleaned, low)
            while size > room and longest > _SHORTEST:
                longest = max(_SHORTEST, int(0.98 * longest))
                size = _size(cleaned, longest)
        shown = {
            label: cut_middle(name, longest) for label, name in zip(labels, cleaned, strict=True)
        }
        return cls(longest, most > longest, shown, size)

    def show(self, label: Label | None) -> str:
        """A label as it is shown; none at all is an empty text."""
        if label is None:
            return ""
        known = self.shown.get(label)
        return cut_middle(clean(label), self.longest) if known is None else known


def _size(names: Sequence[str], longest: int) -> int:
    text = script_json([cut_middle(name, longest) for name in names])
    return len(text.encode("utf-8", "backslashreplace"))


def cut_middle(text: str, longest: int) -> str:
    """Text of at most so many characters: names often differ at their ends only.

    Examples
    --------
    >>> cut_middle("warehouse/aisle-7/shelf-12", 20)
    'warehouse … shelf-12'
    """
    if len(text) <= longest:
        return text
    kept = longest - len(_BETWEEN)
    return text[: kept - kept // 2] + _BETWEEN + text[len(text) - kept // 2 :]


def script_json(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends one, or begins a comment.

    Examples
    --------
    >>> script_json("</script><!--")
    '"\\\\u003c/script\\\\u003e\\\\u003c!--"'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
