"""What partners that are databases have in common, whoever owns the tables.

    database.py   connections, transactions that read and that write, time limits
    bulk.py       a statement's rows as the driver gives them, in batches
    functions.py  what SQLite lacks
    options.py    keys of a partner's file, read with their mistakes
    failures.py   what a driver's error means: not reached, not let in, busy, refused, changed underneath us
    columns.py    which columns a table or a query has, and of which types
    values.py     a record's values as the columns keep them, and back
    statements.py SELECTs in code point order, with conditions and cursors
    reader.py     pages, bulk, totals

PostgreSQL by psycopg, MySQL and MariaDB by PyMySQL, SQLite.
"""

from typing import Literal

Dialect = Literal["postgresql", "mysql", "sqlite"]
"""MySQL stands for MariaDB too; `Database.is_mariadb` tells where they differ."""
