"""The user's own table: a row for each document that was taken, written in the transaction that sends it on."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table, Text

document = Table(
    "crash_document",
    MetaData(),
    Column("id", Text, primary_key=True),
    Column("ordering_key", Text, nullable=False),
    Column("number", Integer, nullable=False),
)
