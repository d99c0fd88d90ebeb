"""Writes the files beside it, and expected.json: what a load of each must give. Written by hand, not by Sluice.

Run with pyarrow 22 or newer (and duckdb for the cases that say so): python make.py
Values are expected as DuckDB writes them as text; a missing value is None.
"""
import datetime as dt, decimal, json, os, uuid
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
cases = {}
D = decimal.Decimal

def case(name, table, schema, rows, rejects=(), notices=(), **how):
    pq.write_table(table, f'{HERE}/{name}.parquet', **{'compression': 'none', 'store_schema': False, **how})
    cases[name] = dict(schema=schema, rows=rows, rejects=list(rejects), notices=list(notices))

def duck(name, sql, schema, rows, rejects=(), notices=(), how=''):
    duckdb.sql(f"COPY ({sql}) TO '{HERE}/{name}.parquet' (FORMAT parquet{how})")
    cases[name] = dict(schema=schema, rows=rows, rejects=list(rejects), notices=list(notices))

def one(name, values, type_, column, texts, **more):
    case(name, pa.table({'a': pa.array(values, type_)}), f'a:{column}', [[t] for t in texts], **more)

one('booleans', [True, None, False], pa.bool_(), 'boolean', ['true', None, 'false'])
for bits in (8, 16, 32, 64):
    low, high = -2 ** (bits - 1), 2 ** (bits - 1) - 1
    one(f'int{bits}', [low, high, 0, None], getattr(pa, f'int{bits}')(), 'int64', [str(low), str(high), '0', None])
for bits in (8, 16, 32):
    one(f'uint{bits}', [0, 2 ** bits - 1], getattr(pa, f'uint{bits}')(), 'int64', ['0', str(2 ** bits - 1)])
one('uint64-within', [0, 2 ** 63 - 1], pa.uint64(), 'int64', ['0', '9223372036854775807'])
# The file says integer; a value that is none of int64 is refused alone.
one('uint64-beyond', [1, 2 ** 64 - 1], pa.uint64(), 'int64', ['1'], rejects=[['TYPE_MISMATCH', 'a', '18446744073709551615']])
nan, inf = float('nan'), float('inf')
one('doubles', [0.1, -0.0, 1e300, 5e-324, nan, inf, -inf, None], pa.float64(), 'double', ['0.1', '-0.0', '1e+300', '5e-324', 'nan', 'inf', '-inf', None])
one('floats', [0.1, 16777216.0, nan], pa.float32(), 'double', ['0.10000000149011612', '16777216.0', 'nan'])
one('halves', [1.5, 0.0999755859375, -inf], pa.float16(), 'double', ['1.5', '0.0999755859375', '-inf'])
one('whole-doubles', [1.0, 1e18], pa.float64(), 'double', ['1.0', '1e+18'])
one('decimals', [D('1.10'), D('-0.05'), D('0.00'), None], pa.decimal128(9, 2), 'decimal(9,2)', ['1.10', '-0.05', '0.00', None])
one('decimals-38', [D('0.' + '1' * 38), D('-0.' + '0' * 37 + '5')], pa.decimal128(38, 38), 'decimal(38,38)', ['.' + '1' * 38, '-.' + '0' * 37 + '5'])
one('decimals-whole', [D('12'), D('9' * 38)], pa.decimal128(38, 0), 'decimal(38,0)', ['12', '9' * 38])
one('decimals-ten', [D('12'), D('9' * 10)], pa.decimal128(10, 0), 'decimal(10,0)', ['12', '9' * 10])
one('dates', [dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.date(9999, 12, 31), None], pa.date32(), 'date', ['2024-02-29', '0001-01-01', '9999-12-31', None])
one('strings', ['', 'ü😀', 'a"b\\c\n\t\x00\x7f', None, '2024-01-01', '007', 'true'], pa.string(), 'string', ['', 'ü😀', 'a"b\\c\n\t\x00\x7f', None, '2024-01-01', '007', 'true'])
one('dates-as-strings', ['2024-01-01', '2024-01-02'], pa.string(), 'string', ['2024-01-01', '2024-01-02'])
one('all-null-strings', [None, None], pa.string(), 'string', [None, None])
one('all-null-integers', [None], pa.int32(), 'int64', [None])
one('nothing', [None, None], pa.null(), '', [[], []])
cases['nothing'].update(schema='', rows=[[], []])
us = 1704067200123456
one('timestamp-ms-utc', [us // 1000, None], pa.timestamp('ms', 'UTC'), 'timestamp', ['2024-01-01 00:00:00.123+00', None])
one('timestamp-us-utc', [us, -1], pa.timestamp('us', 'UTC'), 'timestamp', ['2024-01-01 00:00:00.123456+00', '1969-12-31 23:59:59.999999+00'])
one('timestamp-ns-utc', [us * 1000, us * 1000 + 1], pa.timestamp('ns', 'UTC'), 'timestamp', ['2024-01-01 00:00:00.123456+00'], rejects=[['PRECISION_LOST', 'a', '2024-01-01T00:00:00.123456001Z']])
one('timestamp-ms-local', [us // 1000], pa.timestamp('ms'), 'timestamp_local', ['2024-01-01 00:00:00.123'])
one('timestamp-us-local', [us], pa.timestamp('us'), 'timestamp_local', ['2024-01-01 00:00:00.123456'])
one('timestamp-ns-local', [us * 1000, us * 1000 + 999], pa.timestamp('ns'), 'timestamp_local', ['2024-01-01 00:00:00.123456'], rejects=[['PRECISION_LOST', 'a', '2024-01-01T00:00:00.123456999']])
one('timestamp-far', [253402300800000000, 0], pa.timestamp('us', 'UTC'), 'timestamp', ['1970-01-01 00:00:00+00'], rejects=[['TYPE_MISMATCH', 'a', '10000-01-01T00:00:00Z']])
TAKEN = 'Timestamps without a zone were taken as UTC.'
one('int96', [us * 1000, None, us * 1000 + 7, -1000], pa.timestamp('ns'), 'timestamp', ['2024-01-01 00:00:00.123456+00', None, '1969-12-31 23:59:59.999999+00'], rejects=[['PRECISION_LOST', 'a', '2024-01-01T00:00:00.123456007']], notices=[TAKEN], use_deprecated_int96_timestamps=True)
one('int96-plain-zstd', [0, 86399999999000], pa.timestamp('ns'), 'timestamp', ['1970-01-01 00:00:00+00', '1970-01-01 23:59:59.999999+00'], notices=[TAKEN], use_deprecated_int96_timestamps=True, use_dictionary=False, compression='zstd')
one('time-ms', [3661001], pa.time32('ms'), 'string', ['01:01:01.001'])
one('time-us', [3661000001], pa.time64('us'), 'string', ['01:01:01.000001'])
one('time-ns', [3661000000001], pa.time64('ns'), 'string', ['01:01:01.000000001'])
one('binary', [b'\x00\xff', b'', None], pa.binary(), 'string', ['AP8=', '', None], notices=['The binary column a is kept as base64 text.'])
one('fixed', [b'abcd'], pa.binary(4), 'string', ['YWJjZA=='], notices=['The binary column a is kept as base64 text.'])
U = uuid.UUID('5c234f13-7ff4-4c96-bf7d-3e51cdd85d5a')
duck('uuid', f"SELECT '{U}'::UUID AS a", 'a:string', [[str(U)]])
duck('json', """SELECT '{"b": 1, "a": [1.10]}'::JSON AS a UNION ALL SELECT '7'::JSON UNION ALL SELECT NULL""", 'a:json', [['{"b":1,"a":[1.10]}'], ['7'], [None]])
one('lists', [[1, None], [], None], pa.list_(pa.int64()), 'json', ['[1,null]', '[]', None])
one('lists-of-lists', [[[1], []], [None]], pa.list_(pa.list_(pa.int8())), 'json', ['[[1],[]]', '[null]'])
one('structs', [{'x': 1, 'y': {'z': 'é"'}}, {'x': None, 'y': None}, None], pa.struct([('x', pa.int32()), ('y', pa.struct([('z', pa.string())]))]), 'json', ['{"x":1,"y":{"z":"é\\""}}', '{"x":null,"y":null}', None])
one('maps', [[('a', 1), ('b"', None)], [], None], pa.map_(pa.string(), pa.int32()), 'json', ['{"a":1,"b\\"":null}', '{}', None])
one('maps-by-number', [[(1, 'x')]], pa.map_(pa.int64(), pa.string()), 'json', ['[{"key":1,"value":"x"}]'])
one('nested-values', [[{'d': D('1.10'), 't': dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc), 'f': nan, 'b': b'\xff'}]], pa.list_(pa.struct([('d', pa.decimal128(5, 2)), ('t', pa.timestamp('us', 'UTC')), ('f', pa.float64()), ('b', pa.binary())])), 'json', ['[{"d":1.10,"t":"2024-01-01T00:00:00Z","f":"NaN","b":"/w=="}]'], notices=['The binary column b is kept as base64 text.'])
# Nanoseconds inside of others keep all their digits: the text of a json column has room for them.
ns = us * 1000 + 789
one('nested-ns-utc', [[ns, None, us * 1000, -1], [], None], pa.list_(pa.timestamp('ns', 'UTC')), 'json', ['["2024-01-01T00:00:00.123456789Z",null,"2024-01-01T00:00:00.123456Z","1969-12-31T23:59:59.999999999Z"]', '[]', None])
one('nested-ns-local', [[ns]], pa.list_(pa.timestamp('ns')), 'json', ['["2024-01-01T00:00:00.123456789"]'])
one('nested-ns-struct', [{'n': 1, 't': ns, 'd': 3661000000001, 'm': [('k', ns)]}, {'n': None, 't': None, 'd': None, 'm': None}], pa.struct([('n', pa.int32()), ('t', pa.timestamp('ns', 'UTC')), ('d', pa.time64('ns')), ('m', pa.map_(pa.string(), pa.timestamp('ns', 'UTC')))]), 'json', ['{"n":1,"t":"2024-01-01T00:00:00.123456789Z","d":"01:01:01.000000001","m":{"k":"2024-01-01T00:00:00.123456789Z"}}', '{"n":null,"t":null,"d":null,"m":null}'])
one('nested-ns-keys', [[(ns, [ns])]], pa.map_(pa.timestamp('ns', 'UTC'), pa.list_(pa.timestamp('ns', 'UTC'))), 'json', ['[{"key":"2024-01-01T00:00:00.123456789Z","value":["2024-01-01T00:00:00.123456789Z"]}]'])
case('nested-int96', pa.table({
    'n': pa.array([1, 2]),
    's': pa.array([{'a': 7, 't': [ns, None, 0], 'u': us * 1000}, None], pa.struct([('a', pa.int32()), ('t', pa.list_(pa.timestamp('ns'))), ('u', pa.timestamp('ns'))])),
    't': pa.array([us * 1000, None], pa.timestamp('ns')),
}), 'n:int64,s:json,t:timestamp', [['1', '{"a":7,"t":["2024-01-01T00:00:00.123456789",null,"1970-01-01T00:00:00"],"u":"2024-01-01T00:00:00.123456"}', '2024-01-01 00:00:00.123456+00'], ['2', None, None]], notices=[TAKEN], use_deprecated_int96_timestamps=True, row_group_size=1)
case('no-rows', pa.table({'a': pa.array([], pa.int64())}), '', [])
case('no-groups', pa.table({'a': pa.array([], pa.int64())}).slice(0, 0), '', [])
case('names', pa.table({'a b': [1], 'ü': [2], 'q"': [3]}), 'a_b:int64,ü:int64,q":int64', [['1', '2', '3']], notices=['The member "a b" is the column a_b.'])
case('names-twice', pa.table([pa.array([1]), pa.array([2])], names=['id', 'ID']), '', [], rejects=[['MEMBER_REPEATED', 'id', None]])
cases['names-twice']['schema'] = 'id:int64'
wide = pa.table({f'c{i}': pa.array([i], pa.int64()) for i in range(300)})
case('columns-300', wide, ','.join(f'c{i}:int64' for i in range(300)), [[str(i) for i in range(300)]])
many = list(range(5000))
groups = pa.table({'a': pa.array(many), 's': pa.array([f'v{i % 7}' for i in many])})
for codec in ('snappy', 'gzip', 'brotli', 'zstd', 'lz4'):
    case(f'codec-{codec}', groups.slice(0, 40), 'a:int64,s:string', [[str(i), f'v{i % 7}'] for i in range(40)], compression=codec)
for version in ('1.0', '2.0'):
    case(f'pages-v{version[0]}', groups.slice(0, 400), 'a:int64,s:string', [[str(i), f'v{i % 7}'] for i in range(400)], data_page_version=version, data_page_size=128, row_group_size=150, write_page_checksum=True)
for encoding in ('DELTA_BINARY_PACKED', 'PLAIN'):
    case(f'encoding-{encoding.lower()}', groups.slice(0, 300).select(['a']), 'a:int64', [[str(i)] for i in range(300)], use_dictionary=False, column_encoding={'a': encoding})
for encoding in ('DELTA_LENGTH_BYTE_ARRAY', 'DELTA_BYTE_ARRAY'):
    case(f'encoding-{encoding.lower()}', groups.slice(0, 30).select(['s']), 's:string', [[f'v{i % 7}'] for i in range(30)], use_dictionary=False, column_encoding={'s': encoding})
case('encoding-byte_stream_split', pa.table({'a': [0.5, 1.25]}), 'a:double', [['0.5'], ['1.25']], use_dictionary=False, column_encoding={'a': 'BYTE_STREAM_SPLIT'})
case('sweep', pa.table({'id': ['p1'], 'v': [5], 'note': ['packed']}), 'id:string,v:int64,note:string', [['p1', '5', 'packed']])

json.dump(cases, open(f'{HERE}/expected.json', 'w'), ensure_ascii=False, indent=1)
print(len(cases), 'cases')
