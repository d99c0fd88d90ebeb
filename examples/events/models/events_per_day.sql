-- model: modelled.events
-- depends_on: raw.events
-- key: day
-- incremental: day received_at

-- All events. An event that is delivered again under its id is one row of raw.events, so deliveries do not count.
select date(received_at) as day, count(*) as events
from raw.events
group by date(received_at)
