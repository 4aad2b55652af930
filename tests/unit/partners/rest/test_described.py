"""What a file says about an API: the samples of the docs are good, and every mistake is told with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.errors import SettingsError
from bridge.partners import entities, kinds
from bridge.partners.partner import Backend
from bridge.settings import Partner
from bridge.soap.limits import Limits

DOCS = Path(__file__).parents[4] / "docs"
FIELDS = '[entities.accounts.fields]\nno = "text"\nname = "text"\nupdated = "datetime"\n'


def made(tmp_path: Path, text: str, kind: str = "rest", **settings: str) -> Backend:
    file = tmp_path / "crm.toml"
    file.write_text(text, "utf-8")
    options = Partner(kind=kind, client_id="i", client_secret="s", refresh_token="r", token="t", **settings)  # type: ignore[arg-type]
    return kinds.backend(kinds.Setting("crm", options, entities.read(file), Limits(), lambda: None))


@pytest.mark.parametrize("kind", ["rest", "zoho"])
def test_the_files_that_the_docs_show_are_good(tmp_path: Path, kind: str) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (DOCS / f"{kind}.md").read_text("utf-8"), re.DOTALL)
    whole = next(block for block in blocks if "[entities." in block)
    made(tmp_path, whole, kind)
    for block in blocks:
        if block.startswith("[partner."):
            made(tmp_path, f"{whole}\n{block}", kind)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("[partner]\n", r"partner.base_url must be given", 1),
        ('[partner]\nbase_url = "http://x"\npgae = 1\n', "partner.pgae is not known", 3),
        ('[partner]\nbase_url = "http://x"\nauth = "magic"\n', "must be one of none, basic", 3),
        ('[partner]\nbase_url = "http://x"\nauth = "oauth2"\n', r"oauth2 must be given", 1),
        ('[partner]\nbase_url = "http://x"\nauth = "header"\n', "token_name must be given", 1),
        ('[partner]\nbase_url = "http://x"\nrate = { calls = 0 }\n', "must be at least 1", 3),
        ('[partner]\nbase_url = "http://x"\nerrors = { at = "c", codes = { "1" = "bad" } }\n', "1 = 'bad' is none of token", 3),
        ('[partner]\nbase_url = "http://x"\nformats = { date = "roman" }\n', "must be one of iso, milliseconds", 3),
        ('[entities.accounts.list]\npath = "accounts"\n', "begins with a slash", None),
        ('[entities.accounts.list]\npath = "/{no}"\n', "is no field that is known there", None),
        ('[entities.accounts.list]\npath = "/a"\npaging = "token"\n', "list.at must be given", None),
        ('[entities.accounts.list]\npath = "/a"\npaging = "keyset"\nat = "after"\n', "order.id", None),
        ('[entities.accounts.list]\npath = "/a"\nsince = "s"\nsince_header = "S"\n', "one of them", None),
        ('[entities.accounts.list]\npath = "/a"\norder = { name = "x" }\n', "says by which parameters", None),
        ('[entities.accounts.list]\npath = "/a"\nwhere = { nmae = "x" }\n', "nmae is no field", None),
        ('[entities.accounts.get]\npath = "/accounts"\n', "must say where the id stands", None),
        ('[entities.accounts.update]\npath = "/a/{nr}"\n', r"has \{nr\}", None),
        ('[entities.accounts.update]\npath = "/a"\nleave_out = ["nr"]\n', "names 'nr'", None),
        ('[entities.accounts.update]\npath = "/a"\nif_unmodified_since = "name"\n', "of the type datetime", None),
        ('[entities.accounts.remove]\npath = "/a"\n', "accounts.remove is not known", None),
        ('[entities.accounts]\nnames = { nr = "x" }\n', "nr is no field", None),
    ],
)  # fmt: skip
def test_every_mistake_is_told_with_its_line(tmp_path: Path, text: str, words: str, line: int | None) -> None:
    head = "" if text.startswith("[partner]") else '[partner]\nbase_url = "http://x"\n'
    own = "" if text.startswith("[entities.accounts]") else "[entities.accounts]\n"
    text = text.replace("[entities.accounts]\n", '[entities.accounts]\nid = "no"\n')
    entity = own and f'{own}id = "no"\nchanged = "updated"\n'
    whole = f"{text}{entity}{FIELDS}" if not head else f"{head}{entity}{text}{FIELDS}"
    with pytest.raises(SettingsError, match=words) as caught:
        made(tmp_path, whole)
    assert all("crm.toml:" in mistake for mistake in caught.value.mistakes)
    if line is not None:
        assert f"crm.toml:{line}:" in caught.value.mistakes[0]


def test_the_address_of_the_settings_goes_before_that_of_the_file(tmp_path: Path) -> None:
    text = f'[partner]\nbase_url = "https://test.example"\n[entities.accounts]\nid = "no"\n{FIELDS}'
    assert made(tmp_path, text, endpoint="https://crm.example/api").address() == "crm.example"
    assert made(tmp_path, text).address() == "test.example"


@pytest.mark.parametrize(
    "address", ["ftp://x", "https://u:p@x", "https://", "https://x/?a=1", "https://x y", "https://x:y"]
)
def test_an_address_that_cannot_be_called_is_refused(tmp_path: Path, address: str) -> None:
    text = f'[partner]\nbase_url = "{address}"\n[entities.accounts]\nid = "no"\n{FIELDS}'
    with pytest.raises(SettingsError, match="cannot be called"):
        made(tmp_path, text)
