"""Reads a Delta table with delta-rs and with Polars and compares rows and types with the truth of the generator.

Usage: read.py TABLE TRUTH. TRUTH is NDJSON, one object per expected row, values as the generator made them; times are
ISO text. Prints `ok <rows>` or the first differences, and exits 1.
"""
import json
import sys
from datetime import date, datetime, timezone

import polars
from deltalake import DeltaTable

TYPES = {"id": "string", "n": "long", "x": "double", "ok": "boolean", "d": "date", "ts": "timestamp", "j": "string"}
POLARS = {"id": polars.String, "n": polars.Int64, "x": polars.Float64, "ok": polars.Boolean, "d": polars.Date, "ts": polars.Datetime("us", "UTC"), "j": polars.String}


def expected(row):
    row = {name: row.get(name) for name in TYPES}
    if row["d"] is not None:
        row["d"] = date.fromisoformat(row["d"])
    if row["ts"] is not None:
        row["ts"] = datetime.fromisoformat(row["ts"].replace("Z", "+00:00")).astimezone(timezone.utc)
    return row


def key(row):
    return json.dumps([str(row[name]) for name in TYPES])


def compare(reader, got, truth):
    got, truth = sorted(got, key=key), sorted(truth, key=key)
    if got != truth:
        missing = [row for row in truth if row not in got][:2]
        extra = [row for row in got if row not in truth][:2]
        sys.exit(f"{reader}: {len(got)} rows instead of {len(truth)}; missing {missing}; too many {extra}")


def main(path, truth_path):
    with open(truth_path, encoding="utf-8") as lines:
        truth = [expected(json.loads(line)) for line in lines]
    table = DeltaTable(path)
    types = {field.name: str(field.type.type) for field in table.schema().fields if field.name != "_place"}
    if types != TYPES:
        sys.exit(f"delta-rs sees the types {types}")
    from deltalake import QueryBuilder

    answer = QueryBuilder().register("t", table).execute("SELECT * FROM t")
    rows = polars.DataFrame(answer)
    compare("delta-rs", rows.select(list(TYPES)).with_columns(polars.col("ts").dt.convert_time_zone("UTC")).to_dicts(), truth)

    frame = polars.scan_delta(path).select(list(TYPES)).collect()
    if dict(frame.schema) != POLARS:
        sys.exit(f"Polars sees the types {frame.schema}")
    compare("Polars", frame.to_dicts(), truth)
    print(f"ok {len(truth)}")


main(*sys.argv[1:])
