/**
 * The one table of codes. The kind is the policy:
 * `usage` the command is wrong · `config` stop and tell · `data` put aside and go on · `transient` wait and retry ·
 * `conflict` drop the claim and look again · `bug` crash loudly.
 * `docs/reference/errors.md` is held equal to it by a test; `sluice explain CODE` prints it.
 */
export type Kind = 'usage' | 'config' | 'data' | 'transient' | 'conflict' | 'bug'

export interface CodeEntry {
  kind: Kind
  /** Exit code of a command that ends with it. */
  exit: number
  /** HTTP status of an answer that carries it. */
  http: number
  /** One sentence: what it means. */
  means: string
  /** One sentence: what to do next. */
  hint: string
}

export const CODES = {
  // the command
  USAGE: { kind: 'usage', exit: 2, http: 400, means: 'The command or a flag is wrong.', hint: 'See sluice --help.' },
  LATER: { kind: 'usage', exit: 2, http: 501, means: 'This is named in the design and not built yet.', hint: 'Leave it out; the changelog says when it comes.' },
  PATH_NOT_FOUND: { kind: 'usage', exit: 6, http: 404, means: 'There is nothing at this path, or the pattern matches nothing.', hint: 'Check the path; quote patterns so that the shell leaves them alone.' },
  NOT_FOUND: { kind: 'usage', exit: 6, http: 404, means: 'The table, run, file, reject or code is not known here.', hint: 'List what there is with the ls command, and check --data-dir.' },
  INTERRUPTED: { kind: 'transient', exit: 130, http: 503, means: 'The run was stopped before its end.', hint: 'Run the same command again: it goes on where it stopped.' },
  // configuration
  NODE_TOO_OLD: { kind: 'config', exit: 4, http: 500, means: 'This Node is older than 24.15.', hint: 'Install Node 24.15 or newer, or run npm ci in the clone: it brings one.' },
  CONFIG_BROKEN: { kind: 'config', exit: 4, http: 500, means: 'The configuration file cannot be imported.', hint: 'Correct it at the place that is named.' },
  CONFIG_INVALID: { kind: 'config', exit: 4, http: 422, means: 'The configuration file holds something that is no setting, or has no pipeline of this kind.', hint: 'Correct the member that is named; sluice config schema prints all there are.' },
  DATA_DIR_NEWER: { kind: 'config', exit: 4, http: 500, means: 'The data folder was written by a newer Sluice.', hint: 'Use that version or a newer one; nothing was changed.' },
  DEFINITION_INVALID: { kind: 'config', exit: 4, http: 422, means: 'Columns, key, mode or keep do not make a table.', hint: 'Correct the flag that the message names.' },
  DEFINITION_DIFFERS: { kind: 'config', exit: 4, http: 409, means: 'The flag differs from what the table was made with.', hint: 'Leave the flag out to use the value of the table, or load into a new table with --into.' },
  MODEL_INVALID: { kind: 'config', exit: 4, http: 422, means: 'The file of a model cannot be understood.', hint: 'Correct the line that is named; docs/reference/models.md has the grammar.' },
  KEY_UNKNOWN: { kind: 'config', exit: 4, http: 422, means: 'No record of the first files has this key column.', hint: 'Check the spelling of --key against the records, and --records; nothing was committed.' },
  TARGET_INVALID: { kind: 'config', exit: 4, http: 422, means: 'The target cannot be understood or used.', hint: 'Write --to delta:, --to delta:DIR, --to sqlite:FILE, --to duckdb:FILE or --to postgres://user@host:port/database.' },
  TABLE_FOREIGN: { kind: 'config', exit: 4, http: 409, means: 'Something other than Sluice made this table, or took away what Sluice wrote down about it.', hint: 'Load into a table of its own, or take the table over with --adopt and --key, --mode, --keep.' },
  TABLE_UNSUPPORTED: { kind: 'config', exit: 4, http: 409, means: 'The table uses a feature that Sluice does not know.', hint: 'Load into another table; the message names the feature.' },
  TABLE_OTHER_LEDGER: { kind: 'config', exit: 4, http: 409, means: 'The table belongs to another data folder.', hint: 'Use the --data-dir that made it, or take it over with --adopt; two ledgers must not feed one table.' },
  RELOAD_APPEND: { kind: 'config', exit: 4, http: 409, means: '--reload into an append table would store every record twice.', hint: 'Load into a keyed table, or into a new one.' },
  LEDGER_BROKEN: { kind: 'config', exit: 4, http: 500, means: 'The ledger.db of the data folder is damaged, or is no ledger.', hint: 'Move ledger.db (with -wal and -shm) aside: the next load rebuilds it from the tables.' },
  MEMORY_TOO_SMALL: { kind: 'config', exit: 4, http: 422, means: 'Less than 512 MB of memory is not enough.', hint: 'Give --memory 512MB or more.' },
  FILE_SYSTEM_UNFIT: { kind: 'config', exit: 4, http: 500, means: 'The file system lacks hard links, so commits cannot be atomic.', hint: 'Put the data folder and the tables on a local disk.' },
  // access
  PERMISSION_DENIED: { kind: 'config', exit: 5, http: 403, means: 'The operating system refuses access.', hint: 'Give this user the right to it, or run as the user who has it.' },
  DISK_FULL: { kind: 'transient', exit: 1, http: 507, means: 'There is no room left on the disk.', hint: 'Free some room and run the same command again; nothing was lost.' },
  IO_FAILED: { kind: 'transient', exit: 1, http: 500, means: 'The operating system could not read or write.', hint: 'Look at the disk and the system log, then run the same command again.' },
  ENGINE_DIED: { kind: 'transient', exit: 1, http: 500, means: 'A worker process died.', hint: 'Run the same command again; if it repeats, give more --memory or look at the file.' },
  MEMORY_EXHAUSTED: { kind: 'transient', exit: 1, http: 500, means: 'The engine needs more memory than it was given.', hint: 'Give more --memory, or fewer --jobs, and run the same command again; nothing was lost.' },
  ENGINE_FAILED: { kind: 'bug', exit: 1, http: 500, means: 'The engine refused a statement that Sluice wrote.', hint: 'Please report it with the message; nothing was committed.' },
  BUSY: { kind: 'transient', exit: 7, http: 423, means: 'Another process holds it for too long.', hint: 'Wait for the other process, then run the same command again.' },
  // servers of databases
  UNREACHABLE: { kind: 'transient', exit: 5, http: 502, means: 'The server does not answer, or the connection to it broke.', hint: 'Check host, port and network, and whether the server runs; then run the same command again: nothing was lost.' },
  LOGIN_REFUSED: { kind: 'config', exit: 5, http: 502, means: 'The server refuses the user or the password.', hint: 'Give the password by PGPASSWORD, ~/.pgpass or an option of the address (password=env:NAME or password=file:PATH), and check the user; a server that wants encryption needs sslmode=require.' },
  DATABASE_MISSING: { kind: 'config', exit: 4, http: 502, means: 'The server has no database of this name.', hint: 'Check the name in the address, or make it with CREATE DATABASE.' },
  PRIVILEGE_MISSING: { kind: 'config', exit: 5, http: 502, means: 'The user may not do this in the database.', hint: 'Grant what the message names: Sluice needs CREATE on the database (schema sluice), and on the schema of the table.' },
  TARGET_READ_ONLY: { kind: 'transient', exit: 5, http: 503, means: 'The server takes no changes: it is a standby, in recovery, or set to read only.', hint: 'Name the primary server, or wait until recovery has ended; then run the same command again.' },
  DEADLOCK: { kind: 'transient', exit: 7, http: 409, means: 'The database ended the commit because it and another transaction waited for one another.', hint: 'Sluice tried several times; run the same command again when the other one is done.' },
  SERIALIZATION: { kind: 'transient', exit: 7, http: 409, means: 'The database ended the commit because another transaction changed what it had read.', hint: 'Sluice tried several times; run the same command again when the other one is done.' },
  COMMIT_UNKNOWN: { kind: 'transient', exit: 5, http: 502, means: 'The connection broke while the commit was under way, and the server cannot be asked what became of it.', hint: 'Run the same command again: it asks the table first, and nothing is loaded twice.' },
  DATABASE_FAILED: { kind: 'bug', exit: 1, http: 500, means: 'The database refused a statement that Sluice wrote.', hint: 'Please report it with the message; nothing was committed.' },
  ROWS_REFUSED: { kind: 'config', exit: 4, http: 422, means: 'The database refuses so many rows that it must be the table that does not fit.', hint: 'Compare the rules of the table that the message names with the data; nothing was committed.' },
  // files
  FILE_UNFINISHED: { kind: 'data', exit: 3, http: 422, means: 'The file seems to be still being written.', hint: 'Run the command again when it is whole, or shorten --grace if it will not grow.' },
  FILE_TRUNCATED: { kind: 'data', exit: 3, http: 422, means: 'The document ends before it is complete.', hint: 'Deliver the whole file again under the same or another name.' },
  FILE_EMPTY: { kind: 'data', exit: 3, http: 422, means: 'The file has no content.', hint: 'Deliver the file again; an empty set of records is {"records":[]}.' },
  FILE_GONE: { kind: 'data', exit: 3, http: 404, means: 'The file was removed before it was read.', hint: 'Deliver it again.' },
  FILE_CHANGING: { kind: 'data', exit: 3, http: 409, means: 'The file changed while it was read.', hint: 'Load again when its writer is done.' },
  FILE_CHANGED: { kind: 'data', exit: 3, http: 409, means: 'This path brought other content before, and an append table has its rows already.', hint: 'Deliver the new content under a new name, or load into a keyed table.' },
  READ_DIFFERS: { kind: 'data', exit: 3, http: 409, means: 'The file is read as other records than when some of its dates were loaded, so its places would not be the same.', hint: 'Give the flags of the first load (--format, --csv-…) again.' },
  FILE_POISONED: { kind: 'data', exit: 3, http: 422, means: 'The worker process that had this file alone died, again and again.', hint: 'Look at the file at the byte that is named, or give more --memory if memory is the reason; the next load tries it once again.' },
  FILE_UNREADABLE: { kind: 'data', exit: 3, http: 403, means: 'The file cannot be read by this user.', hint: 'Give this user the right to read it, then load again.' },
  COMPRESSED_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The gzip or zstd data is damaged, or something else follows its end.', hint: 'Pack the file again, check it with gzip -t or zstd -t, and deliver it again.' },
  RATIO_EXCEEDED: { kind: 'data', exit: 3, http: 413, means: 'The file unpacks to more than 200 times its size.', hint: 'If it is what you mean to load, unpack it yourself and load what comes out.' },
  LAYERS_EXCEEDED: { kind: 'data', exit: 3, http: 422, means: 'The file is packed inside a packed file inside another one.', hint: 'Unpack it yourself and deliver what comes out.' },
  PARQUET_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The Parquet file is damaged, or its lengths and counts contradict one another.', hint: 'Write the file again and deliver it.' },
  PARQUET_UNSUPPORTED: { kind: 'data', exit: 3, http: 422, means: 'The Parquet file uses something that is not read.', hint: 'The message names it; write the file without it, for example with zstd and without encryption.' },
  FORMAT_MISMATCH: { kind: 'data', exit: 3, http: 422, means: 'The content of the file is not of the format that its name or --format says.', hint: 'Give the file its right name, or say --format.' },
  JSON_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The text is not JSON.', hint: 'Correct the text at the byte offset that is named and deliver it again.' },
  UTF8_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The text is not UTF-8.', hint: 'Convert the file to UTF-8 and deliver it again.' },
  DIALECT_UNCLEAR: { kind: 'data', exit: 3, http: 422, means: 'The CSV file can be read in more than one way.', hint: 'Say how it is meant with the flag that the message names.' },
  ENCODING_UNCLEAR: { kind: 'data', exit: 3, http: 422, means: 'The file is not UTF-8, and its bytes do not tell what it is.', hint: 'Say it with --csv-encoding.' },
  ENCODING_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The text has bytes that its encoding does not know.', hint: 'Check --csv-encoding, or correct the text and deliver it again.' },
  HEADER_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The header of the CSV file does not name the columns of its rows.', hint: 'Give the names with --csv-header, and leave the line out with --csv-skip.' },
  RECORDS_NOT_FOUND: { kind: 'data', exit: 3, http: 422, means: 'The document holds no list of records.', hint: 'Name the list with --records.' },
  RECORDS_AMBIGUOUS: { kind: 'data', exit: 3, http: 422, means: 'The document holds several lists.', hint: 'Name the one that is meant with --records.' },
  ROWS_TOO_MANY: { kind: 'data', exit: 3, http: 413, means: 'The file holds more than 4,294,967,295 records.', hint: 'Deliver it in several files.' },
  VALUE_UNWRITABLE: { kind: 'data', exit: 3, http: 422, means: 'The output format has no way to write this value.', hint: 'Convert to another format, such as Parquet.' },
  OUTPUT_EXISTS: { kind: 'data', exit: 3, http: 409, means: 'There is a file at the place of the output that Sluice did not put there.', hint: 'Move it away, write to another folder, or say --overwrite.' },
  COPY_DIFFERS: { kind: 'data', exit: 3, http: 422, means: 'The bytes at the two ends are not the same although nothing says that they were written to.', hint: 'Look at the disk; restore the file that is wrong, then run the same command again.' },
  TOO_MANY_BAD: { kind: 'data', exit: 3, http: 422, means: 'More records of the file are bad than --max-bad allows.', hint: 'Correct the file, or allow more with --max-bad.' },
  MODEL_FAILED: { kind: 'data', exit: 3, http: 422, means: 'The database refused to compute a model; its rows are those of before, and the load is not touched by it.', hint: 'Correct the SQL of the model, then sluice models run.' },
  REPLACE_INCOMPLETE: { kind: 'transient', exit: 1, http: 422, means: 'Some files of a replace cannot be loaded, and without them the table would lose their records.', hint: 'Mend the files, or let the others replace the table with --allow-partial.' },
  // records
  FIELDS_MISMATCH: { kind: 'data', exit: 3, http: 422, means: 'The row has more or fewer fields than the header.', hint: 'Look for a delimiter that is missing, or that stands in a field without quotes.' },
  QUOTE_INVALID: { kind: 'data', exit: 3, http: 422, means: 'A quote of the row is never closed, or stands where none may stand.', hint: 'Double quotes inside of quotes; --csv-quote none reads quotes as text.' },
  LINE_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The row holds a line end or a byte order mark where none may stand.', hint: 'Put text with line ends in quotes; files that were joined must be joined without their marks.' },
  HEADER_REPEATED: { kind: 'data', exit: 3, http: 422, means: 'The row is the header once more.', hint: 'Join files without their headers; nothing is lost by leaving the row out.' },
  RECORD_NOT_OBJECT: { kind: 'data', exit: 3, http: 422, means: 'A record must be an object.', hint: 'Check --records: the list seems to hold plain values.' },
  RECORD_TOO_LARGE: { kind: 'data', exit: 3, http: 413, means: 'The record is larger than 16 MB.', hint: 'Deliver it in smaller records.' },
  DEPTH_EXCEEDED: { kind: 'data', exit: 3, http: 422, means: 'The record is nested deeper than 256 levels.', hint: 'Deliver it flatter.' },
  COLUMNS_TOO_MANY: { kind: 'data', exit: 3, http: 422, means: 'The record would give the table more than 1,000 columns.', hint: 'Declare the columns that matter with --columns.' },
  MEMBER_REPEATED: { kind: 'data', exit: 3, http: 422, means: 'The record has two members of the same name.', hint: 'Names are matched without case; deliver the record with one of them.' },
  NAME_RESERVED: { kind: 'data', exit: 3, http: 422, means: 'The record has a member whose name belongs to Sluice.', hint: 'Rename members called _place or _sluice…, or like a column that --partition-by derives.' },
  NAME_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The record has a member whose name cannot be that of a column.', hint: 'Rename it (at most 1,024 bytes, no NUL character), or declare the columns that matter with --columns.' },
  TEXT_INVALID: { kind: 'data', exit: 3, http: 422, means: 'A string holds half of a surrogate pair, which UTF-8 cannot carry.', hint: 'Correct the escape sequence and deliver the record again.' },
  KEY_MISSING: { kind: 'data', exit: 3, http: 422, means: 'A key column is missing, null or empty.', hint: 'Deliver the record with its key.' },
  KEY_TOO_LARGE: { kind: 'data', exit: 3, http: 413, means: 'A value that records are compared by is larger than 64 kB.', hint: 'Choose a shorter key column, or deliver a digest of the value.' },
  KEY_REPEATED: { kind: 'data', exit: 3, http: 409, means: 'Another record of this key, with other content, came first (--keep error).', hint: 'Look at both with sluice rejects show, and correct the one that is wrong.' },
  ROW_REFUSED: { kind: 'data', exit: 3, http: 422, means: 'The database that the table lies in refuses this row.', hint: 'The message is that of the database; correct the value, or load into a table without the rule.' },
  TYPE_MISMATCH: { kind: 'data', exit: 3, http: 422, means: 'The value does not fit the type of its column.', hint: 'Correct the value, or load into a table whose column has another type.' },
  PARTITION_INVALID: { kind: 'data', exit: 3, http: 422, means: 'The value of a partition column cannot lay files apart.', hint: 'Correct the value, or load into a table without --partition-by.' },
  LENGTH_EXCEEDED: { kind: 'data', exit: 3, http: 422, means: 'The text is longer than its column allows.', hint: 'Deliver a shorter text, or load into a table whose column is wider.' },
  PRECISION_LOST: { kind: 'data', exit: 3, http: 422, means: 'The value has more fraction digits than its column keeps: six of a timestamp, those of a decimal.', hint: 'Deliver fewer digits, or declare a wider decimal, or string.' },
  // databases that are read
  SOURCE_INVALID: { kind: 'config', exit: 4, http: 422, means: 'The source cannot be understood, or names something that is not there.', hint: "Write --from 'sqlite:FILE?table=NAME&cursor=COLUMN&key=COLUMN', or query= instead of table=." },
  SOURCE_UNSUITABLE: { kind: 'config', exit: 4, http: 409, means: 'The table cannot be read this way without losing or doubling rows.', hint: 'Do what the message says; without cursor= the whole table is read.' },
  // queries
  SQL_INVALID: { kind: 'usage', exit: 2, http: 400, means: 'The database does not understand the query.', hint: 'Correct the query at the place that is named; sluice tables schema TABLE lists the columns.' },
  SQL_REFUSED: { kind: 'usage', exit: 2, http: 403, means: 'The console reads: it takes one SELECT over the tables of the place, and nothing else.', hint: 'Write one SELECT, and load with sluice load what a table is to hold.' },
  SQL_FAILED: { kind: 'usage', exit: 2, http: 422, means: 'The query is right and fails on a value that it meets.', hint: 'Look at the value that is named; TRY_CAST gives null where CAST fails.' },
  SQL_TIMEOUT: { kind: 'transient', exit: 1, http: 504, means: 'The query took longer than it may.', hint: 'Give it more time with --timeout, or ask for less.' },
  // between processes
  ARRIVAL_COMMITTED: { kind: 'conflict', exit: 1, http: 409, means: 'Part of the batch was committed by another process meanwhile.', hint: 'Nothing to do: Sluice looks again and leaves it out.' },
  FENCED: { kind: 'conflict', exit: 1, http: 409, means: 'Another process took this batch over.', hint: 'Nothing to do: the other process finishes it.' },
  SCHEMA_MOVED: { kind: 'conflict', exit: 1, http: 409, means: 'The columns of the table changed while the batch was staged.', hint: 'Nothing to do: Sluice stages the batch again.' },
  // never
  BALANCE_BROKEN: { kind: 'bug', exit: 1, http: 500, means: 'The numbers of a batch do not add up.', hint: 'Nothing was committed; please report it with the output of sluice doctor.' },
  TABLE_BROKEN: { kind: 'bug', exit: 1, http: 500, means: 'The table does not hold what its log says.', hint: 'Run sluice doctor; do not load until it is clean.' },
  INTERNAL: { kind: 'bug', exit: 1, http: 500, means: 'A fault in Sluice.', hint: 'Please report it with the message.' },
} as const satisfies Record<string, CodeEntry>

export type Code = keyof typeof CODES

export function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text)
}
