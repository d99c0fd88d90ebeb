-- model: modelled_events_per_user_type
-- depends_on: raw_events
-- key: day, user_type
-- incremental: day received_at

select date(received_at) as day, user_type, count(*) as events
from raw_events
group by date(received_at), user_type
