"""A page of a list of rows, in the order of their ids, which nothing changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select

from bridge.erp.call import Call
from bridge.erp.paging import BadToken, position, token

PAGE = 100
"""Rows on a page whose size the caller does not say."""


def page(
    request: Any, call: Call, query: Select[Any], row_id: ColumnElement[int], *of_list: object
) -> tuple[list[Any], str | None]:
    """(rows, token of the next page or None on the last one).

    Args:
        request: has `pageSize` and `pageToken`.
        query: the whole list, whose rows have their `id`.
        row_id: that column.
        of_list: what makes it this list and no other, as `paging.token` has it.

    Raises:
        the fault InvalidPageToken.
    """
    try:
        last = 0 if request.pageToken is None else position(request.pageToken, *of_list)
    except BadToken as error:
        raise call.fault("InvalidPageToken", pageToken=request.pageToken, reason=error.reason) from None
    size = request.pageSize or PAGE
    # One more than asked for tells whether there is another page.
    rows = call.reading.execute(query.where(row_id > last).order_by(row_id).limit(size + 1)).all()
    if len(rows) <= size:
        return list(rows), None
    return list(rows[:size]), token(rows[size - 1].id, *of_list)
