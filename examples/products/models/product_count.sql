-- model: product_count
-- depends_on: product
-- key: name
-- incremental: group name

-- The id is derived from the name, so it stays the same whatever is computed again.
select uuid5(name) as id, name, count(*) as count
from product
group by name
