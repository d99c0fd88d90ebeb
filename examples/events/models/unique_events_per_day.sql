-- model: modelled.unique_events
-- depends_on: raw.events
-- key: day
-- incremental: day received_at

-- A unique event is one type of event, of one user of one organization, on one day, however many ids it came under:
-- somebody who signs in five times a day is one of them.
select day, count(*) as unique_events
from (select distinct date(received_at) as day, event_type, user_email, organization_name from raw.events) as happened
group by day
