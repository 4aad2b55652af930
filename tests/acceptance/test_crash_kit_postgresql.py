from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.short_crash import assert_kept


@pytest.mark.slow
@pytest.mark.postgres
def test_on_postgresql_a_partner_that_keeps_none_gets_nothing_again_without_a_decision(
    tmp_path: Path, postgresql_server: object
) -> None:
    tmp_path.chmod(0o755)  # PostgreSQL's user must pass through
    assert_kept("postgresql", "keeps-none", tmp_path)
