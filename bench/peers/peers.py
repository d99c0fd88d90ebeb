"""What a user of another tool would write for the work of B1: wrapper documents into one deduplicated Parquet table.

    python3 peers.py PEER FOLDER      reads FOLDER/in/*.json, writes into FOLDER/PEER; prints the rows of the table
    python3 peers.py PEER --version   prints the version, or ends with 3 when it is not installed

As they would be written by hand, each with what its documentation proposes; nothing is caught.
"""
import glob
import json
import os
import sys


def out(folder, name):
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    return os.path.join(path, "t.parquet")


def with_duckdb(folder):
    import duckdb
    target = out(folder, "duckdb")
    duckdb.sql(f"""COPY (SELECT id, any_value("data") AS "data", ts FROM (SELECT unnest(records, recursive := true)
        FROM read_json('{folder}/in/*.json', columns={{records: 'STRUCT(id VARCHAR, "data" VARCHAR, ts TIMESTAMP)[]'}}))
        GROUP BY id, ts) TO '{target}' (FORMAT parquet, COMPRESSION zstd)""")
    return duckdb.sql(f"SELECT count(*) FROM '{target}'").fetchall()[0][0]


def with_polars(folder):
    import polars as pl
    target = out(folder, "polars")
    frames = [pl.DataFrame(json.load(open(path))["records"]) for path in sorted(glob.glob(f"{folder}/in/*.json"))]
    pl.concat(frames).unique(subset=["id", "ts"], keep="first", maintain_order=True).write_parquet(target, compression="zstd")
    return pl.scan_parquet(target).select(pl.len()).collect().item()


def with_pandas(folder):
    import pandas as pd
    target = out(folder, "pandas")
    frames = [pd.DataFrame(json.load(open(path))["records"]) for path in sorted(glob.glob(f"{folder}/in/*.json"))]
    pd.concat(frames).drop_duplicates(subset=["id", "ts"]).to_parquet(target, compression="zstd")
    return len(pd.read_parquet(target, columns=["id"]))


def with_deltalake(folder):
    """delta-rs merges what Polars read into a Delta table: the nearest to a table that keeps its keys across loads."""
    import polars as pl
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake
    target = os.path.join(folder, "deltalake")
    frames = [pl.DataFrame(json.load(open(path))["records"]) for path in sorted(glob.glob(f"{folder}/in/*.json"))]
    batch = pl.concat(frames).unique(subset=["id", "ts"], keep="first", maintain_order=True).to_arrow()
    if DeltaTable.is_deltatable(target):
        merging = DeltaTable(target).merge(batch, "t.id = s.id AND t.ts = s.ts", source_alias="s", target_alias="t")
        merging.when_not_matched_insert_all().execute()
    else:
        write_deltalake(target, batch)
    adds = DeltaTable(target).get_add_actions(flatten=True)
    # Releases answer with tables of one Arrow library or another; pyarrow reads them all.
    return int(pa.table(adds)["num_records"].to_numpy().sum())


PEERS = {"duckdb": with_duckdb, "polars": with_polars, "pandas": with_pandas, "deltalake": with_deltalake}

if __name__ == "__main__":
    name, what = sys.argv[1], sys.argv[2]
    if what == "--version":
        try:
            print(__import__(name).__version__)
        except ImportError:
            sys.exit(3)
    else:
        print(PEERS[name](what))
