"""The hand-over sheet: what a partner's developer needs to call us, on a few pages made from contract and settings.

`sheet_of` gathers it as a document, `as_markdown` and `as_html` write that document down.
"""

from bridge.handover.document import as_html, as_markdown
from bridge.handover.sheet import sheet_of
from bridge.handover.words import LANGUAGES, Language

__all__ = ["LANGUAGES", "Language", "as_html", "as_markdown", "sheet_of"]
