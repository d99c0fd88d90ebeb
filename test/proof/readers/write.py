"""Changes Delta tables with delta-rs, as another program beside Sluice would.

Reads one JSON object per line: {"op", "table", …}. Answers each with one line: {"ok": true, …} or {"error": text}. Rows are
objects with the members id, v and n (and others that a row has beyond them).
"""
import json
import os
import sys
from datetime import date

import polars
from deltalake import DeltaTable, write_deltalake

SCHEMA = {"id": polars.Int64, "v": polars.String, "n": polars.Int64}


def frame(ask):
    schema = {**SCHEMA, **{name: polars.String for row in ask["rows"] for name in row if name not in SCHEMA}}
    if ask.get("place"):
        schema["_place"] = polars.Int64
    if ask.get("day"):
        schema["day"] = polars.Date
    rows = [{**row, **({"day": date.fromisoformat(row["day"])} if row.get("day") else {})} for row in ask["rows"]]
    return polars.DataFrame(rows, schema=schema)


def rows(ask):
    columns = ask.get("columns") or list(SCHEMA)
    got = polars.scan_delta(ask["table"]).select(columns).collect()
    return {"rows": json.loads(got.write_json())}


def change(ask):
    op, path = ask["op"], ask["table"]
    if op == "make":
        write_deltalake(path, frame(ask), partition_by=ask.get("partition"), configuration=ask.get("configuration"))
    elif op == "append":
        write_deltalake(path, frame(ask), mode="append", schema_mode="merge")
    elif op == "overwrite":
        write_deltalake(path, frame(ask), mode="overwrite", schema_mode=ask.get("schema_mode"))
    elif op == "delete":
        DeltaTable(path).delete(ask["where"])
    elif op == "update":
        DeltaTable(path).update(predicate=ask["where"], updates=ask["set"])
    elif op == "merge":
        DeltaTable(path).merge(frame(ask), predicate="t.id = s.id", source_alias="s", target_alias="t").when_matched_update(
            {"v": "s.v", "n": "s.n"}).when_not_matched_insert({"id": "s.id", "v": "s.v", "n": "s.n"}).execute()
    elif op == "compact":
        DeltaTable(path).optimize.compact()
    elif op == "zorder":
        DeltaTable(path).optimize.z_order(["id"])
    elif op == "checkpoint":
        DeltaTable(path).create_checkpoint()
    elif op == "vacuum":
        DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=ask.get("full", False))
    elif op == "property":
        DeltaTable(path).alter.set_table_properties(ask["set"])
    elif op == "constraint":
        DeltaTable(path).alter.add_constraint({"positive": "n > -1000000"})
    elif op == "rows":
        return rows(ask)
    elif op == "cut":
        log = os.path.join(path, "_delta_log")
        with open(os.path.join(log, "_last_checkpoint"), encoding="utf-8") as hint:
            version = json.load(hint)["version"]
        for name in os.listdir(log):
            if name.endswith(".json") and name[:20].isdigit() and int(name[:20]) < version:
                os.remove(os.path.join(log, name))
    else:
        raise ValueError(op)
    return {"version": DeltaTable(path).version()}


for line in sys.stdin:
    try:
        answer = {"ok": True, **change(json.loads(line))}
    except Exception as problem:  # whatever it is, the other side says what it wanted
        answer = {"error": f"{type(problem).__name__}: {problem}"}
    print(json.dumps(answer), flush=True)
