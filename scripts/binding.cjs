// DuckDB's binding in the package: what @duckdb/node-bindings answers, without its look at which C library the machine has
// (8 ms of processor time, a fifth of loading DuckDB). npm installs the binary that fits, so the common one is tried first;
// where it is not there or does not load, the original decides. Names that the bundler cannot see are required as they are.
const usual = `@duckdb/node-bindings-${process.platform}-${process.arch}/duckdb.node`
const original = ['@duckdb', 'node-bindings'].join('/')

function load() {
  try {
    return require(usual)
  } catch {
    return require(original)
  }
}

module.exports = load()
