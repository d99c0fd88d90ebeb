-- model: modelled.events_per_user_type
-- depends_on: raw.events
-- key: day, user_type
-- incremental: day received_at

select date(received_at) as day, user_type, count(*) as events
from raw.events
group by date(received_at), user_type
