from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.short_crash import assert_kept


@pytest.mark.slow
def test_on_sqlite_a_partner_that_keeps_our_id_gets_all_once_and_in_order(tmp_path: Path) -> None:
    assert_kept("sqlite", "keeps-id", tmp_path)
