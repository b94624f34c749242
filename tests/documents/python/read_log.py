"""Shows what a chat has logged: `read_log.py DATABASE ROWS`.

Waits until the tables of the database hold that many rows, then shows all of
them (but for the last column, the time) and a line with the word `end`.
"""

import sqlite3
import sys
import time

path, wanted = sys.argv[1], int(sys.argv[2])


def rows():
    """Every row of every table, or nothing while the database is not there."""
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return []
    try:
        tables = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            " AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        return [
            (table, *row[:-1])
            for (table,) in tables
            for row in database.execute(f'SELECT * FROM "{table}" ORDER BY 1')
        ]
    except sqlite3.OperationalError:
        return []
    finally:
        database.close()


# Whoever started this process kills it when that takes too long.
while len(found := rows()) < wanted:
    time.sleep(0.01)
for row in found:
    print(row)
print("end")
