-- model: modelled_events
-- depends_on: raw_events
-- key: day
-- incremental: day received_at

-- All events. An event that is delivered again under its id is one row of raw_events, so deliveries do not count.
select date(received_at) as day, count(*) as events
from raw_events
group by date(received_at)
