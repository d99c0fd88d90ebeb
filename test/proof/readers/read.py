"""Reads a Delta table with delta-rs, Polars and DuckDB and compares rows and types with the truth of the generator.

Usage: read.py TABLE TRUTH. TRUTH is NDJSON, one object per expected row, values as the generator made them; times are
ISO text, `p`, `w`, `tags` and `s` JSON text. DuckDB reads the files that delta-rs finds in the log. Prints `ok <rows>` or the first differences, and exits 1.
"""
import json
import sys
from datetime import date, datetime, timezone
from decimal import Decimal

import duckdb
import polars
from deltalake import DeltaTable

INNER = [("q", "double"), ("p", "decimal(20,3)"), ("t", "timestamp")]
TYPES = {"id": "string", "n": "long", "x": "double", "ok": "boolean", "d": "date", "ts": "timestamp", "j": "string", "p": "decimal(10,2)", "w": "decimal(38,9)", "tags": ["string"], "s": {"a": "long", "b": [dict(INNER)]}}
MOMENT = polars.Datetime("us", "UTC")
STRUCT = polars.Struct({"a": polars.Int64, "b": polars.List(polars.Struct({"q": polars.Float64, "p": polars.Decimal(20, 3), "t": MOMENT}))})
POLARS = {"id": polars.String, "n": polars.Int64, "x": polars.Float64, "ok": polars.Boolean, "d": polars.Date, "ts": MOMENT, "j": polars.String, "p": polars.Decimal(10, 2), "w": polars.Decimal(38, 9), "tags": polars.List(polars.String), "s": STRUCT}


def told(type_):
    """A type of delta-rs as text, list or dict."""
    if hasattr(type_, "element_type"):
        return [told(type_.element_type)]
    if hasattr(type_, "fields"):
        return {field.name: told(field.type) for field in type_.fields}
    return str(type_.type)


def moment(text):
    return None if text is None else datetime.fromisoformat(str(text).replace("Z", "+00:00")).astimezone(timezone.utc)


def inner(given):
    return None if given is None else {"q": None if given.get("q") is None else float(given["q"]), "p": given.get("p"), "t": moment(given.get("t"))}


def expected(row):
    row = {name: row.get(name) for name in TYPES}
    if row["d"] is not None:
        row["d"] = date.fromisoformat(row["d"])
    row["ts"] = moment(row["ts"])
    for name in ("p", "w"):
        row[name] = None if row[name] is None else Decimal(row[name])
    row["tags"] = None if row["tags"] is None else json.loads(row["tags"])
    if row["s"] is not None:
        given = json.loads(row["s"], parse_float=Decimal)
        row["s"] = {"a": given.get("a"), "b": None if given.get("b") is None else [inner(one) for one in given["b"]]}
    return row


def key(row):
    return json.dumps([str(row[name]) for name in list(TYPES)[:9]])


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
    types = {field.name: told(field.type) for field in table.schema().fields if field.name != "_place"}
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

    files = table.file_uris()
    duckdb.sql("SET TimeZone = 'UTC'")
    found = duckdb.sql(f"SELECT {', '.join(TYPES)} FROM read_parquet({files!r}, union_by_name = true)").fetchall()
    compare("DuckDB", [dict(zip(TYPES, row)) for row in found], truth)
    print(f"ok {len(truth)}")


main(*sys.argv[1:])
