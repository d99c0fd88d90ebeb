"""Reads a partitioned Delta table with delta-rs and with Polars, whole and filtered by its partition columns.

Usage: read_parts.py TABLE TRUTH. TRUTH is NDJSON: id, c (text or null), day (ISO date or null) per expected row.
"""
import json
import sys
from datetime import date

import polars
from deltalake import DeltaTable, QueryBuilder

COLUMNS = ["id", "c", "ts_day"]


def compare(reader, got, truth):
    got = sorted(map(json.dumps, got))
    truth = sorted(map(json.dumps, truth))
    if got != truth:
        sys.exit(f"{reader}: {len(got)} rows instead of {len(truth)}; missing {[row for row in truth if row not in got][:2]}; too many {[row for row in got if row not in truth][:2]}")


def plain(frame):
    return [[row["id"], row["c"], None if row["ts_day"] is None else row["ts_day"].isoformat()] for row in frame.select(COLUMNS).to_dicts()]


def main(path, truth_path):
    with open(truth_path, encoding="utf-8") as lines:
        truth = [[row["id"], row["c"], row["day"]] for row in map(json.loads, lines)]
    engine = QueryBuilder().register("t", DeltaTable(path))
    frame = polars.scan_delta(path)
    compare("delta-rs", plain(polars.DataFrame(engine.execute("SELECT * FROM t"))), truth)
    compare("Polars", plain(frame.collect()), truth)
    for day in sorted({row[2] for row in truth if row[2] is not None}):
        wanted = [row for row in truth if row[2] == day]
        compare(f"delta-rs on {day}", plain(polars.DataFrame(engine.execute(f"SELECT * FROM t WHERE ts_day = DATE '{day}'"))), wanted)
        compare(f"Polars on {day}", plain(frame.filter(polars.col("ts_day") == date.fromisoformat(day)).collect()), wanted)
    for value in sorted({row[1] for row in truth if row[1] is not None}):
        wanted = [row for row in truth if row[1] == value]
        text = value.replace("'", "''")
        compare(f"delta-rs on {value!r}", plain(polars.DataFrame(engine.execute(f"SELECT * FROM t WHERE c = '{text}'"))), wanted)
        compare(f"Polars on {value!r}", plain(frame.filter(polars.col("c") == value).collect()), wanted)
    wanted = [row for row in truth if row[1] is None]
    compare("Polars on null", plain(frame.filter(polars.col("c").is_null()).collect()), wanted)
    print(f"ok {len(truth)}")


main(*sys.argv[1:])
